// The mixing functions behind hash embeddings, n-grams and sparse features, all by Austin Appleby (public domain), each
// specialised to 64-bit keys. Keys are mixed as numbers, so every byte order gives what a little-endian machine gives.
#pragma once

#include "portable.hh"

THINC_BEGIN

THINC_FN uint64_t rotate_left_64(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }
THINC_FN uint32_t rotate_left_32(uint32_t x, int bits) { return (x << bits) | (x >> (32 - bits)); }

// ---- MurmurHash3 x64 128 of one key: four 32-bit words for hash embeddings
THINC_FN uint64_t finish_64(uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  h ^= h >> 33;
  return h;
}

THINC_FN void murmur_128(uint64_t* low, uint64_t* high, uint64_t key, uint32_t seed) {
  const uint64_t length = 8;  // bytes
  uint64_t h1 = seed ^ (rotate_left_64(key * 0x87c37b91114253d5ULL, 31) * 0x4cf5ad432745937fULL) ^ length;
  uint64_t h2 = seed ^ length;
  h1 += h2;
  h2 += h1;
  h1 = finish_64(h1);
  h2 = finish_64(h2);
  h1 += h2;
  h2 += h1;
  *low = h1;
  *high = h2;
}

// ---- MurmurHash3 x86 32 of one key: features of a sparse linear layer
THINC_FN uint32_t murmur_32_block(uint32_t h, uint32_t block) {
  h ^= rotate_left_32(block * 0xcc9e2d51U, 15) * 0x1b873593U;
  return rotate_left_32(h, 13) * 5 + 0xe6546b64U;
}

THINC_FN uint32_t murmur_32(uint64_t key, uint32_t seed) {
  uint32_t h = murmur_32_block(seed, static_cast<uint32_t>(key));
  h = murmur_32_block(h, static_cast<uint32_t>(key >> 32));
  h ^= 8;  // bytes
  h ^= h >> 16;
  h *= 0x85ebca6bU;
  h ^= h >> 13;
  h *= 0xc2b2ae35U;
  h ^= h >> 16;
  return h;
}

// ---- MurmurHash64A of n keys, seed 0: n-grams
static constexpr uint64_t NGRAM_FACTOR = 0xc6a4a7935bd1e995ULL;

THINC_FN uint64_t ngram_begin(uint64_t n) { return 8 * n * NGRAM_FACTOR; }
THINC_FN uint64_t ngram_add(uint64_t h, uint64_t key) {
  key *= NGRAM_FACTOR;
  key ^= key >> 47;
  key *= NGRAM_FACTOR;
  return (h ^ key) * NGRAM_FACTOR;
}
THINC_FN uint64_t ngram_finish(uint64_t h) {
  h ^= h >> 47;
  h *= NGRAM_FACTOR;
  return h ^ (h >> 47);
}

// ---- x % divisor for 32-bit x, without a division
// With m = floor(2^32 / divisor), floor(x m / 2^32) is the quotient or one less: x (2^32 / divisor - m) / 2^32 < 1.
struct Modulo {
  uint64_t divisor, reciprocal;
  THINC_FN explicit Modulo(uint64_t d) : divisor(d), reciprocal((uint64_t(1) << 32) / d) {}
  THINC_FN uint64_t of(uint32_t x) const {
    const uint64_t rest = x - ((x * reciprocal) >> 32) * divisor;
    return rest >= divisor ? rest - divisor : rest;
  }
};

THINC_END
