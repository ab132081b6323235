// What one core can do at most: multiply-adds in registers, and bytes that come and go.
#pragma once

#include "thinc/vectors.hh"

THINC_BEGIN

// Twelve chains of multiply-adds in registers: enough for any latency. They start apart, or the compiler makes one of
// all. Each step is 24 operations for each lane; the answer keeps them from being left out.
template <class T>
T multiply_adds(long steps) {
  volatile T start = T(0.5);
  const Vec<T> a = splat<T>(start), b = splat<T>(start);
  Vec<T> sum[12];
  for (int c = 0; c < 12; ++c) sum[c] = splat(T(c));
  for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < 12; ++c) sum[c] = sum[c] * a + b;
  }
  T values[lanes<T>()];
  for (const Vec<T>& s : sum) {
    store(values, s);
    start = values[0];
  }
  return start;
}

THINC_END
