// The kernels for weights of 16 and 8 bits, in many shapes on arrays that end where their memory does, for a sanitizer
// to watch; and each result against plain loops. Prints nothing if all is well.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thinc/embedding.hh"

using namespace thinc::THINC_ISA;

namespace {

int wrong = 0;

void compare(const char* what, const float* got, const float* want, size_t n, size_t N, size_t I, size_t O) {
  for (size_t i = 0; i < n; ++i) {
    if (memcmp(got + i, want + i, sizeof(float)) == 0) continue;
    printf("%s N=%zu I=%zu O=%zu: %zu is %g, not %g\n", what, N, I, O, i, double(got[i]), double(want[i]));
    ++wrong;
    return;
  }
}

template <class T>
T* block(size_t n) {
  return static_cast<T*>(malloc(n * sizeof(T) + (n == 0)));
}

float number() { return float(drand48() * 4 - 2); }

void run(size_t N, size_t I, size_t O) {
  const size_t row = I + scale_bytes;
  float *X = block<float>(N * I), *b = block<float>(O), *Y = block<float>(N * O), *want = block<float>(N * O);
  float* wide = block<float>(O * I);
  Half* half = block<Half>(O * I);
  int8_t* W = block<int8_t>(O * row);
  for (size_t i = 0; i < N * I; ++i) X[i] = number();
  for (size_t i = 0; i < O; ++i) b[i] = number();
  for (size_t i = 0; i < O * I; ++i) wide[i] = float(half[i] = Half(number()));
  for (size_t o = 0; o < O; ++o) {
    for (size_t i = 0; i < I; ++i) W[o * row + i] = int8_t(lrand48());
    const float scale = number();
    memcpy(W + o * row + I, &scale, sizeof scale);
  }
  affine<float>(want, X, wide, b, N, I, O);
  affine<float, Half>(Y, X, half, b, N, I, O);
  compare("affine of halves", Y, want, N * O, N, I, O);

  for (size_t n = 0; n < N; ++n) {
    const RowScale scale = scale_of(X + n * I, I);
    for (size_t o = 0; o < O; ++o) {
      int32_t sum = 0;
      for (size_t i = 0; i < I; ++i) sum += to_int8(X[n * I + i], scale.to) * W[o * row + i];
      want[n * O + o] = 0.0f + rounded(float(sum) * rounded(scale.from * read_scale(W + o * row, I)));
    }
  }
  memset(Y, 0, N * O * sizeof(float));
  add_product_int8(Y, X, W, N, I, O);
  compare("add_product of int8", Y, want, N * O, N, I, O);
  for (size_t i = 0; i < N * O; ++i) want[i] = want[i] + b[i % O];
  affine_int8(Y, X, W, b, N, I, O);
  compare("affine of int8", Y, want, N * O, N, I, O);

  if (O % 2 == 0) {
    int32_t* which = block<int32_t>(N * O / 2);
    float* best = block<float>(N * O / 2);
    float *norm = block<float>(N * O / 2), *mu = block<float>(N), *rstd = block<float>(N);
    affine_maxout_int8(best, which, X, I, W, b, N, I, O / 2, 2);
    for (size_t i = 0; i < N * O / 2; ++i) want[i] = want[2 * i] >= want[2 * i + 1] ? want[2 * i] : want[2 * i + 1];
    compare("affine_maxout of int8", best, want, N * O / 2, N, I, O);
    affine_maxout_layer_norm_int8(norm, nullptr, nullptr, mu, rstd, X, I, W, b, b, b, 1e-8, N, I, O / 2, 2);
    affine_maxout_layer_norm<float, Half>(norm, best, which, mu, rstd, X, I, half, b, b, b, 1e-8, N, I, O / 2, 2);
    free(which), free(best), free(norm), free(mu), free(rstd);
  }
  int32_t* indices = block<int32_t>(3 * N);
  uint64_t* ids = block<uint64_t>(N);
  for (size_t i = 0; i < 3 * N; ++i) indices[i] = int32_t(size_t(lrand48()) % O);
  for (size_t i = 0; i < N; ++i) ids[i] = uint64_t(lrand48());
  float* gathered = block<float>(N * I);
  gather_add<float, Half>(gathered, half, indices, O, I, N, 3);
  gather_add_int8(gathered, W, indices, O, I, N, 3);
  hash_embed<float, Half>(gathered, half, ids, 1, N, I, O);
  hash_embed_int8(gathered, W, ids, 1, N, I, O);
  free(indices), free(ids), free(gathered);
  free(X), free(b), free(Y), free(want), free(wide), free(half), free(W);
}

}  // namespace

int main() {
  const size_t rows[] = {1, 2, 3, 5, 13, 64, 97}, inputs[] = {0, 1, 3, 15, 16, 17, 64, 127, 384, 1031},
               outputs[] = {1, 2, 6, 9, 66};
  for (size_t N : rows)
    for (size_t I : inputs)
      for (size_t O : outputs)
        if (I || O != 2) run(N, I, O);
  run(3, most_int8_inputs, 5);
  return wrong != 0;
}
