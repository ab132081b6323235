// The kernels of two source trees in turn: is the second as fast as the first? One thread, minima of CPU time, before /
// after.
//
//   sh benchmarks/native/compare.sh OTHER_TREE [avx2] [part of a name]
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <functional>
#include <string>
#include <vector>

extern "C" const void* before_kernel(const char* name, int is_double);
extern "C" const void* after_kernel(const char* name, int is_double);

namespace {

double seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

std::string only;
double log_sum = 0;
int n_cases = 0;

// call(function) once with either; the arrays are shared, so each call must bear to be repeated.
void compare(const char* kernel, const char* label, int is_double, const std::function<void(const void*)>& call) {
  const std::string name = std::string(kernel) + " " + label + (is_double ? " f64" : " f32");
  if (name.find(only) == std::string::npos) return;
  const void* sides[2] = {before_kernel(kernel, is_double), after_kernel(kernel, is_double)};
  if (!sides[0] || !sides[1]) return;
  double start = seconds();
  call(sides[0]);
  const double once = seconds() - start + 1e-8;
  const long repeats = 1 + long(2e-3 / once);
  double best[2] = {1e9, 1e9};
  for (int round = 0; round < 40; ++round) {
    for (int side : {round % 2, 1 - round % 2}) {
      start = seconds();
      for (long i = 0; i < repeats; ++i) call(sides[side]);
      const double took = (seconds() - start) / double(repeats);
      if (took < best[side]) best[side] = took;
    }
  }
  log_sum += log(best[0] / best[1]);
  ++n_cases;
  printf("%-52s %10.2f %10.2f us %6.3f\n", name.c_str(), best[0] * 1e6, best[1] * 1e6, best[0] / best[1]);
}

template <class T>
std::vector<T> numbers(size_t n, double scale = 1) {
  std::vector<T> values(n);
  for (T& x : values) x = T(scale * (drand48() + drand48() + drand48() - 1.5) * 2);
  return values;
}

template <class T>
void products() {
  const int is_double = sizeof(T) == 8;
  const size_t sizes[][3] = {// M, K, N
                             {1, 96, 96},      {8, 288, 288},   {8, 300, 512},    {16, 288, 96},     {48, 300, 512},
                             {64, 288, 288},   {64, 768, 768},  {64, 300, 1024},  {200, 300, 512},   {256, 384, 768},
                             {1024, 96, 288},  {1024, 288, 96}, {1024, 288, 288}, {1024, 256, 1024}, {512, 768, 768},
                             {288, 1024, 288}, {288, 4096, 96}, {96, 1024, 288},  {768, 64, 768},    {512, 200, 300}};
  const char* forms[] = {"NN", "TN", "NT"};
  for (const auto& size : sizes) {
    const size_t M = size[0], K = size[1], N = size[2];
    auto A = numbers<T>(M * K), B = numbers<T>(K * N), C = numbers<T>(M * N);
    for (int form = 0; form < 3; ++form) {
      char label[80];
      snprintf(label, sizeof label, "%s %zu x %zu x %zu", forms[form], M, K, N);
      compare("gemm", label, is_double, [&](const void* f) {
        typedef void (*gemm_t)(int, int, size_t, size_t, size_t, double, const void*, size_t, const void*, size_t,
                               double, void*, size_t);
        reinterpret_cast<gemm_t>(f)(form == 1, form == 2, M, N, K, 1, A.data(), form == 1 ? M : K, B.data(),
                                    form == 2 ? K : N, 0, C.data(), N);
      });
    }
  }
}

template <class T>
void activations() {
  const int is_double = sizeof(T) == 8;
  const char* names[] = {"relu", "clipped_linear", "sigmoid", "swish",       "hard_swish", "hard_swish_mobilenet",
                         "dish", "gelu",           "mish",    "gelu_approx", "tanh",       "erf"};
  const size_t n = 8192;
  auto x = numbers<T>(n, 2), y = numbers<T>(n, 0.5), dy = numbers<T>(n), out = numbers<T>(n);
  for (const char* name : names) {
    const bool linear = !strcmp(name, "clipped_linear");
    const double params[] = {linear ? 0.2 : 20, 0.5, 0, 1};
    compare(name, "8192", is_double, [&](const void* f) {
      reinterpret_cast<void (*)(void*, const void*, size_t, const double*)>(f)(out.data(), x.data(), n, params);
    });
    compare((std::string("backprop_") + name).c_str(), "8192", is_double, [&](const void* f) {
      reinterpret_cast<void (*)(void*, const void*, const void*, const void*, size_t, const double*)>(f)(
          out.data(), dy.data(), x.data(), y.data(), n, params);
    });
  }
}

template <class T>
void rows_and_losses() {
  const int is_double = sizeof(T) == 8;
  const size_t shapes[][2] = {{2000, 3}, {1000, 17}, {1000, 96}, {500, 288}, {64, 1536}, {2, 100000}};
  for (const auto& shape : shapes) {
    const size_t N = shape[0], O = shape[1];
    auto X = numbers<T>(N * O, 2), dY = numbers<T>(N * O), Y = numbers<T>(N * O), G = numbers<T>(O), b = numbers<T>(O);
    auto mu = numbers<T>(N), rstd = numbers<T>(N), sums = numbers<T>(O), sums2 = numbers<T>(O);
    std::vector<int32_t> classes(N, 1), which(N * O, 0), lengths;
    for (size_t left = N; left;) {
      const size_t length = left < 30 ? left : 10 + left % 20;
      lengths.push_back(int32_t(length));
      left -= length;
    }
    std::vector<int32_t> one(1, int32_t(N));
    char label[40];
    snprintf(label, sizeof label, "%zu x %zu", N, O);
    typedef void (*norm_t)(void*, void*, void*, const void*, const void*, const void*, double, size_t, size_t);
    compare("layer_norm", label, is_double, [&](const void* f) {
      reinterpret_cast<norm_t>(f)(Y.data(), mu.data(), rstd.data(), X.data(), G.data(), b.data(), 1e-8, N, O);
    });
    typedef void (*back_norm_t)(void*, void*, void*, const void*, const void*, const void*, const void*, const void*,
                                size_t, size_t);
    compare("backprop_layer_norm", label, is_double, [&](const void* f) {
      reinterpret_cast<back_norm_t>(f)(Y.data(), sums.data(), sums2.data(), dY.data(), X.data(), G.data(), mu.data(),
                                       rstd.data(), N, O);
    });
    typedef void (*softmax_t)(void*, const void*, double, size_t, size_t);
    compare("softmax", label, is_double,
            [&](const void* f) { reinterpret_cast<softmax_t>(f)(Y.data(), X.data(), 1, N, O); });
    typedef void (*back_softmax_t)(void*, const void*, const void*, double, size_t, size_t);
    compare("backprop_softmax", label, is_double,
            [&](const void* f) { reinterpret_cast<back_softmax_t>(f)(dY.data(), Y.data(), X.data(), 1, N, O); });
    typedef int64_t (*entropy_t)(void*, const void*, const int32_t*, double, double, double, size_t, size_t);
    auto P = Y;
    for (T& p : P) p = T(0.25);
    compare("backprop_cross_entropy", label, is_double,
            [&](const void* f) { reinterpret_cast<entropy_t>(f)(dY.data(), P.data(), classes.data(), 1, 0, 1, N, O); });
    typedef void (*cosine_t)(void*, void*, const void*, const void*, double, size_t, size_t);
    compare("cosine_distance", label, is_double,
            [&](const void* f) { reinterpret_cast<cosine_t>(f)(dY.data(), mu.data(), X.data(), P.data(), 1, N, O); });
    typedef double (*l2_t)(void*, const void*, const void*, double, size_t);
    compare("l2_distance", label, is_double,
            [&](const void* f) { reinterpret_cast<l2_t>(f)(dY.data(), X.data(), P.data(), 1, N * O); });
    typedef void (*sum_t)(void*, const void*, size_t, size_t);
    compare("sum_rows", label, is_double,
            [&](const void* f) { reinterpret_cast<sum_t>(f)(sums.data(), X.data(), N, O); });
    typedef void (*reduce_t)(void*, const void*, const int32_t*, size_t, size_t);
    for (const char* name : {"reduce_sum", "reduce_mean"}) {
      compare(name, label, is_double, [&](const void* f) {
        reinterpret_cast<reduce_t>(f)(Y.data(), X.data(), lengths.data(), lengths.size(), O);
      });
      compare(name, (std::string(label) + " in one").c_str(), is_double,
              [&](const void* f) { reinterpret_cast<reduce_t>(f)(Y.data(), X.data(), one.data(), 1, O); });
    }
    typedef void (*reduce_max_t)(void*, int32_t*, const void*, const int32_t*, size_t, size_t);
    compare("reduce_max", label, is_double, [&](const void* f) {
      reinterpret_cast<reduce_max_t>(f)(Y.data(), which.data(), X.data(), lengths.data(), lengths.size(), O);
    });
    typedef void (*maxout_t)(void*, int32_t*, const void*, size_t, size_t, size_t);
    for (size_t P_ : {2, 3, 4, 6}) {
      char with_pieces[60];
      snprintf(with_pieces, sizeof with_pieces, "%zu x %zu x %zu", N, O / P_, P_);
      compare("maxout", with_pieces, is_double,
              [&](const void* f) { reinterpret_cast<maxout_t>(f)(Y.data(), which.data(), X.data(), N, O / P_, P_); });
    }
  }
}

template <class T>
void updates() {
  const int is_double = sizeof(T) == 8;
  for (const size_t n : {size_t(1000), size_t(1000000)}) {
    auto w = numbers<T>(n), g = numbers<T>(n), m = numbers<T>(n), v = std::vector<T>(n, T(1)), ema = numbers<T>(n);
    char label[40];
    snprintf(label, sizeof label, "%zu", n);
    compare("sum_squares", label, is_double, [&](const void* f) {
      volatile double sum = reinterpret_cast<double (*)(const void*, size_t)>(f)(w.data(), n);
      (void)sum;
    });
    compare("scale", label, is_double,
            [&](const void* f) { reinterpret_cast<void (*)(void*, double, size_t)>(f)(w.data(), 1.0, n); });
    typedef void (*step_t)(void*, void*, void*, void*, void*, size_t, const double*);
    for (double kind : {0.0, 1.0}) {
      for (double l2 : {0.0, 0.1}) {
        const double settings[] = {kind, 1, l2, 0.001, 0.9, 0.999, 1e-8, 0, 0.1};
        char with_kind[60];
        snprintf(with_kind, sizeof with_kind, "%zu kind %.0f L2 %.1f", n, kind, l2);
        compare("optimizer_step", with_kind, is_double, [&](const void* f) {
          reinterpret_cast<step_t>(f)(w.data(), g.data(), m.data(), v.data(), ema.data(), n, settings);
        });
      }
    }
  }
}

template <class T>
void pieces() {
  const int is_double = sizeof(T) == 8;
  const size_t sizes[][4] = {{1, 96, 96, 3}, {64, 288, 96, 3}, {1024, 288, 96, 3}, {256, 384, 128, 2}};
  typedef void (*maxout_t)(void*, int32_t*, const void*, const void*, const void*, size_t, size_t, size_t, size_t);
  for (const auto& s : sizes) {
    auto X = numbers<T>(s[0] * s[1]), W = numbers<T>(s[1] * s[2] * s[3]), b = numbers<T>(s[2] * s[3]);
    auto Y = numbers<T>(s[0] * s[2]);
    std::vector<int32_t> which(s[0] * s[2]);
    char label[60];
    snprintf(label, sizeof label, "%zu x %zu x %zu x %zu", s[0], s[1], s[2], s[3]);
    compare("affine_maxout", label, is_double, [&](const void* f) {
      reinterpret_cast<maxout_t>(f)(Y.data(), which.data(), X.data(), W.data(), b.data(), s[0], s[1], s[2], s[3]);
    });
  }
}

template <class T>
void everything() {
  products<T>();
  pieces<T>();
  activations<T>();
  rows_and_losses<T>();
  updates<T>();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) only = argv[1];
  printf("%-52s %10s %10s\n", "", "before", "after");
  everything<float>();
  everything<double>();
  printf("geometric mean of before / after over %d cases: %.3f\n", n_cases, exp(log_sum / n_cases));
}
