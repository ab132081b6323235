// Arrays that are made, not computed from others: the mask of dropout.
#pragma once

#include "portable.hh"

THINC_BEGIN

// A counter-based generator: element i depends on (seed, i) alone, so loops may run in any width and order.
// Two rounds of the 32-bit finaliser of MurmurHash3 over a Weyl sequence; 24 bits make the uniform number.
THINC_FN uint32_t counter_bits(uint32_t counter, uint32_t key0, uint32_t key1) {
  uint32_t h = counter * 0x9e3779b9u ^ key0;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  h += key1;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  h ^= h >> 16;
  return h;
}

// 0 with probability `drop`, else 1 / (1 - drop).
template <class T>
void dropout_mask(void* mask_, double drop, uint64_t seed, size_t n) {
  T* mask = static_cast<T*>(mask_);
  const T keep = T(1.0 / (1.0 - drop));
  const uint32_t limit = static_cast<uint32_t>(drop * 16777216.0);  // of 2^24
  const size_t chunk = size_t(1) << 31;                             // the counter has 32 bits; each chunk its own key
  for (size_t start = 0; start < n; start += chunk) {
    const uint32_t m = static_cast<uint32_t>(n - start < chunk ? n - start : chunk);
    const uint32_t key0 = static_cast<uint32_t>(seed),
                   key1 = static_cast<uint32_t>(seed >> 32) ^ (uint32_t)(start >> 31);
    T* out = mask + start;
#pragma omp simd
    for (uint32_t i = 0; i < m; ++i) out[i] = (counter_bits(i, key0, key1) >> 8) < limit ? T(0) : keep;
  }
}

THINC_END
