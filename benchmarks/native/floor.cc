// The library of floor_side.py, which builds it.
#include <stddef.h>

#include "peak.hh"

using namespace thinc::THINC_ISA;

// The time of these is what is asked for; their answers only keep the loops.
extern "C" __attribute__((visibility("default"))) float compute(double operations) {
  return multiply_adds<float>(long(operations / (24 * lanes<float>())) + 1);
}

// Reads and writes so many floats, in turn as an op would.
extern "C" __attribute__((visibility("default"))) float move(const float* from, size_t read, float* to,
                                                             size_t written) {
  constexpr size_t L = lanes<float>(), V = 8, block = V * L;
  Vec<float> sum[V] = {};
  for (size_t at = 0; at < read || at < written; at += block) {
    if (at + block <= read)
      for (size_t v = 0; v < V; ++v) sum[v] += load(from + at + v * L);
    if (at + block <= written)
      for (size_t v = 0; v < V; ++v) store(to + at + v * L, sum[v]);
  }
  float values[block];
  for (size_t v = 0; v < V; ++v) store(values + v * L, sum[v]);
  float total = 0;
  for (float value : values) total += value;
  return total;
}
