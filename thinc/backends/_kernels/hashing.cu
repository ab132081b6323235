// The hashes of ids; of no dtype.

extern "C" __global__ void hash(uint32_t* keys /*N, four*/, const uint64_t* ids /*N*/, i64 seed, i64 N) {
  THINC_EACH(i, N) {
    uint64_t low, high;
    murmur_128(&low, &high, ids[i], (uint32_t)seed);
    keys[4 * i] = (uint32_t)low;
    keys[4 * i + 1] = (uint32_t)(low >> 32);
    keys[4 * i + 2] = (uint32_t)high;
    keys[4 * i + 3] = (uint32_t)(high >> 32);
  }
}

extern "C" __global__ void ngrams(uint64_t* keys /*count*/, const uint64_t* ids /*N*/, i64 n, i64 N) {
  THINC_EACH(i, N - n + 1) {
    uint64_t h = ngram_begin((uint64_t)n);
    for (i64 j = 0; j < n; ++j) h = ngram_add(h, ids[i + j]);
    keys[i] = ngram_finish(h);
  }
}
