// Optimizer arithmetic: one element of a step, and the loops over a parameter.
#pragma once

#include "portable.hh"
#ifndef __CUDACC__
#include "sums.hh"
#endif
#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

THINC_BEGIN

// While one of these lives, numbers too small for the normal format (below 1e-38 in float) count as 0 on this thread.
// The moments of a weight without a gradient fade into such numbers and stay there, where a step takes 20 times as
// long. Loops under it are THINC_LOOP: code inlined into the owner might be moved before it.
#if !defined(__CUDACC__) && defined(__GNUC__) && defined(__SSE2__)
struct NoDenormals {
  const unsigned before = __builtin_ia32_stmxcsr();
  NoDenormals() { __builtin_ia32_ldmxcsr(before | 0x8040u); }
  ~NoDenormals() { __builtin_ia32_ldmxcsr(before); }
};
#elif !defined(__CUDACC__) && defined(_MSC_VER) && defined(_M_X64)
struct NoDenormals {
  const unsigned before = _mm_getcsr();
  NoDenormals() { _mm_setcsr(before | 0x8040u); }
  ~NoDenormals() { _mm_setcsr(before); }
};
#elif !defined(__CUDACC__) && defined(__GNUC__) && defined(__aarch64__)
struct NoDenormals {
  uint64_t before;
  NoDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before));
    asm volatile("msr fpcr, %0" : : "r"(before | (uint64_t(1) << 24)) : "memory");
  }
  ~NoDenormals() { asm volatile("msr fpcr, %0" : : "r"(before) : "memory"); }
};
#else
struct NoDenormals {
  THINC_FN NoDenormals() {}
  THINC_FN ~NoDenormals() {}
};
#endif

#if defined(__GNUC__) && !defined(__CUDACC__)
#define THINC_LOOP __attribute__((noinline))
#elif defined(_MSC_VER)
#define THINC_LOOP __declspec(noinline)
#else
#define THINC_LOOP
#endif

template <class T>
THINC_LOOP void adam_loop(T* w, T* g, T* m, T* v, T b1, T b2, T c1, T c2, T eps, T lr, size_t n) {
#pragma omp simd
  for (size_t i = 0; i < n; ++i) {
    T mi = b1 * m[i] + c1 * g[i];
    T vi = b2 * v[i] + c2 * g[i] * g[i];
    m[i] = mi;
    v[i] = vi;
    w[i] -= lr * (mi / (sqrt_(vi) + eps));
    g[i] = T(0);
  }
}

// Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), without bias correction: the caller folds it into lr.
// The gradient is zeroed in the same pass.
template <class T>
void adam(void* w, void* g, void* m, void* v, double b1, double b2, double eps, double lr, size_t n) {
  const NoDenormals guard;
  adam_loop(static_cast<T*>(w), static_cast<T*>(g), static_cast<T*>(m), static_cast<T*>(v), T(b1), T(b2), T(1 - b1),
            T(1 - b2), T(eps), T(lr), n);
}

// ema -= (1 - decay) (ema - w)
template <class T>
void update_averages(void* ema_, const void* w_, double decay, size_t n) {
  T* ema = static_cast<T*>(ema_);
  const T* w = static_cast<const T*>(w_);
  const T rest = T(1.0 - decay);
#pragma omp simd
  for (size_t i = 0; i < n; ++i) ema[i] -= rest * (ema[i] - w[i]);
}

#ifndef __CUDACC__
// Summed in double, so that the norm does not depend on the CPU level by more than rounding; floats leave room there
// for longer blocks.
template <class T>
double sum_squares(const void* x_, size_t n) {
  const T* x = static_cast<const T*>(x_);
  constexpr size_t block = sizeof(T) < sizeof(double) ? 4 * terms_in_block : terms_in_block;
  return sum_terms<double, block>(n, [x](size_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}
#endif

template <class T>
void scale(void* x_, double factor_, size_t n) {
  T* x = static_cast<T*>(x_);
  const T factor = T(factor_);
#pragma omp simd
  for (size_t i = 0; i < n; ++i) x[i] *= factor;
}

// One pass over a parameter and all that belongs to it: gradient scaling (clipping), L2, the step, decoupled weight
// decay, the running average, and zeroing the gradient. `settings`, in this order:
enum StepSetting {
  STEP_KIND,        // 0: SGD   1: Adam   2: momentum alone (RAdam while its variance is unreliable)
  STEP_GRAD_SCALE,  // factor on the gradient, applied after L2
  STEP_L2,          // added to the gradient: g + L2 w
  STEP_LR,          // with every bias correction folded in
  STEP_B1,
  STEP_B2,
  STEP_EPS,
  STEP_DECAY,  // w -= decay w after the step
  STEP_EMA,    // 1 - decay of the average
  N_STEP_SETTINGS
};

template <class T>
struct StepNumbers {
  T grad_scale, l2, lr, b1, b2, c1, c2, eps, decay, rest;
  // 1 - b in double: in float32 it would be off by 5e-5 for b2 = 0.999.
  THINC_FN explicit StepNumbers(const double* s)
      : grad_scale(T(s[STEP_GRAD_SCALE])),
        l2(T(s[STEP_L2])),
        lr(T(s[STEP_LR])),
        b1(T(s[STEP_B1])),
        b2(T(s[STEP_B2])),
        c1(T(1 - s[STEP_B1])),
        c2(T(1 - s[STEP_B2])),
        eps(T(s[STEP_EPS])),
        decay(T(s[STEP_DECAY])),
        rest(T(s[STEP_EMA])) {}
};

template <class T, int kind, bool averages>
THINC_FN void step_one(const StepNumbers<T>& s, T* w, T* g, T* m, T* v, T* ema, size_t i) {
  T wi = w[i];
  const T gi = (s.l2 == T(0) ? g[i] : g[i] + s.l2 * wi) * s.grad_scale;  // without L2 nothing of an infinite weight
  if (kind == 0) {
    wi -= s.lr * gi;
  } else {
    const T mi = s.b1 * m[i] + s.c1 * gi;
    const T vi = s.b2 * v[i] + s.c2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    wi -= kind == 1 ? s.lr * (mi / (sqrt_(vi) + s.eps)) : s.lr * mi;
  }
  wi = s.decay == T(0) ? wi : wi - s.decay * wi;
  w[i] = wi;
  g[i] = T(0);
  if (averages) ema[i] -= s.rest * (ema[i] - wi);
}

template <class T, int kind, bool averages>
THINC_LOOP void step_loop(T* w, T* g, T* m, T* v, T* ema, size_t n, const double* settings) {
  const StepNumbers<T> s(settings);
#pragma omp simd
  for (size_t i = 0; i < n; ++i) step_one<T, kind, averages>(s, w, g, m, v, ema, i);
}

template <class T>
void optimizer_step(void* w_, void* g_, void* m_, void* v_, void* ema_, size_t n, const double* s) {
  T *w = static_cast<T*>(w_), *g = static_cast<T*>(g_), *m = static_cast<T*>(m_), *v = static_cast<T*>(v_);
  T* ema = static_cast<T*>(ema_);
  const NoDenormals guard;
  const int kind = static_cast<int>(s[STEP_KIND]);
  if (ema) {
    if (kind == 0)
      step_loop<T, 0, true>(w, g, m, v, ema, n, s);
    else if (kind == 1)
      step_loop<T, 1, true>(w, g, m, v, ema, n, s);
    else
      step_loop<T, 2, true>(w, g, m, v, ema, n, s);
  } else {
    if (kind == 0)
      step_loop<T, 0, false>(w, g, m, v, ema, n, s);
    else if (kind == 1)
      step_loop<T, 1, false>(w, g, m, v, ema, n, s);
    else
      step_loop<T, 2, false>(w, g, m, v, ema, n, s);
  }
}

THINC_END
