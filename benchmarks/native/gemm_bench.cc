// Speed of include/thinc/gemm.hh alone, beside the fused multiply-add peak of the CPU level. One thread.
//
//   g++ benchmarks/native/gemm_bench.cc -o gemm_bench -Iinclude -DTHINC_ISA=avx512
//       -O3 -std=c++17 -fno-math-errno -fno-trapping-math -fopenmp-simd
//       -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
//
// (one line; avx2: -mavx2 -mfma; base: no flag.) NT is X @ W.T, NN is dY @ W, TN is dY.T @ X. Figures are GFLOP/s in
// thread CPU time, the best of some rounds. The operands lie 16 bytes off a cache line, as NumPy's do.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "peak.hh"
#include "thinc/gemm.hh"

namespace {

using namespace thinc::THINC_ISA;

double seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

template <class T>
double peak() {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const long steps = 5000000;
    const double before = seconds();
    multiply_adds<T>(steps);
    const double rate = 2.0 * 12 * lanes<T>() * steps / (seconds() - before) * 1e-9;
    if (rate > best) best = rate;
  }
  return best;
}

template <class T>
T* random_array(size_t n) {
  T* p = static_cast<T*>(aligned_alloc(64, (n * sizeof(T) + 16 + 63) / 64 * 64)) + 16 / sizeof(T);
  for (size_t i = 0; i < n; ++i) p[i] = T(drand48() - 0.5);
  return p;
}

template <class T>
void measure(const char* dtype) {
  const size_t sizes[][3] = {{1, 96, 96},     {1, 288, 288},   {1, 768, 768},    {2, 288, 288},
                             {4, 288, 288},   {8, 288, 288},   {16, 96, 96},     {16, 288, 288},
                             {32, 288, 288},  {64, 96, 96},    {64, 288, 288},   {64, 768, 768},
                             {1024, 96, 288}, {1024, 288, 96}, {1024, 288, 288}, {1024, 768, 768}};
  const double limit = peak<T>();
  printf("%s: peak %.0f GFLOP/s\n%16s %14s %14s %14s\n", dtype, limit, "M x K x N", "NT", "NN", "TN");
  for (const auto& size : sizes) {
    const size_t M = size[0], K = size[1], N = size[2];
    T *A = random_array<T>(M * K), *B = random_array<T>(N * K), *C = random_array<T>(M * N);
    printf("%5zu x%4zu x%4zu", M, K, N);
    for (int form = 0; form < 3; ++form) {
      const bool trans_a = form == 2, trans_b = form == 0;
      const long repeats = 1 + long(2e7 / (double(M) * N * K));
      double best = 1e9;
      for (int round = 0; round < 15; ++round) {
        const double before = seconds();
        for (long i = 0; i < repeats; ++i)
          gemm<T>(trans_a, trans_b, M, N, K, 1, A, trans_a ? M : K, B, trans_b ? K : N, 0, C, N);
        const double took = (seconds() - before) / repeats;
        if (took < best) best = took;
      }
      const double rate = 2.0 * M * N * K / best * 1e-9;
      printf("   %6.1f (%2.0f%%)", rate, 100 * rate / limit);
    }
    printf("\n");
    free(A - 16 / sizeof(T));
    free(B - 16 / sizeof(T));
    free(C - 16 / sizeof(T));
  }
}

}  // namespace

int main() {
  measure<float>("float32");
  measure<double>("float64");
}
