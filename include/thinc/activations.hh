// THE LIST of activations: formula, derivative and source of each, for every dtype and every machine; dropout.
//
// A struct is built from the parameters of its public method (as doubles) and has
//   forward(x) -> y,   backward(dy, x, y) -> dx.
// To add one: a struct, a row in THE LIST, and the readable formula in thinc/backends/_activations.py.
// NaN in gives NaN out. Where a function is flat, an infinite dy gives 0.
#pragma once

#include "portable.hh"

// name, struct, number of parameters, what backward reads (X, Y, XY), and how far from the truth both directions are:
// |error| <= ulp units in the last place of the result + floor eps, eps = 2^-23 (float) or 2^-52 (double).
#define THINC_ACTIVATIONS(ROW) /*                              forward        backward, for dy = 1 */ \
  /* name, struct, parameters, reads,                          ulp, floor,    ulp, floor */           \
  ROW(relu, Relu, 0, Y, 0, 0, 0, 0)                                                                   \
  ROW(clipped_linear, ClippedLinear, 4, X, 1, 1, 1, 0)                                                \
  ROW(sigmoid, Sigmoid, 0, Y, 3, 0, 1, 1)                                                             \
  ROW(swish, Swish, 0, XY, 3, 0, 8, 4)                                                                \
  ROW(hard_swish, HardSwish, 0, X, 1, 1, 1, 1)                                                        \
  ROW(hard_swish_mobilenet, HardSwishMobilenet, 0, X, 2, 0, 2, 0)                                     \
  ROW(dish, Dish, 0, X, 5, 0, 4, 4)                                                                   \
  ROW(gelu, Gelu, 0, X, 10, 0, 4, 1)                                                                  \
  ROW(gelu_approx, GeluApprox, 0, X, 2, 1, 2, 1)                                                      \
  ROW(mish, Mish, 1, X, 2, 1, 2, 1)                                                                   \
  ROW(tanh, Tanh, 0, Y, 3, 0, 1, 2)                                                                   \
  ROW(erf, Erf, 0, X, 4, 0, 2, 1)

#define THINC_COUNT(...) +1
enum { THINC_N_ACTIVATIONS = 0 THINC_ACTIVATIONS(THINC_COUNT) };
#undef THINC_COUNT

THINC_BEGIN

enum class Reads { X, Y, XY };

// relu(x) = max(x, 0); -0 gives 0.  The gradient reads the output, so that forward may overwrite its input.
template <class T>
struct Relu {
  THINC_FN explicit Relu(const double*) {}
  THINC_FN T forward(T x) const { return x <= T(0) ? T(0) : x; }
  THINC_FN T backward(T dy, T, T y) const { return y > T(0) ? dy : T(0); }
};

// clipped_linear(x) = clip(slope x + offset, min, max).  relu_k, hard_sigmoid and hard_tanh are settings of it.
// The gradient is `slope` strictly between the two kinks, 0 elsewhere; without a slope there are none.
template <class T>
struct ClippedLinear {
  T slope, offset, min_val, max_val, low, high;
  THINC_FN explicit ClippedLinear(const double* p)
      : slope(T(p[0])),
        offset(T(p[1])),
        min_val(T(p[2])),
        max_val(T(p[3])),
        low(T((p[p[0] > 0 ? 2 : 3] - p[1]) / p[0])),
        high(T((p[p[0] > 0 ? 3 : 2] - p[1]) / p[0])) {}
  THINC_FN T forward(T x) const { return clip_(x * slope + offset, min_val, max_val); }
  THINC_FN T backward(T dy, T x, T) const {
    T dx = x > low ? dy * slope : T(0);
    return x < high ? dx : T(0);
  }
};

// sigmoid(x) = 1 / (1 + e^-x), its input clipped to +-20 so that no output is exactly 0 or 1 in float64.
template <class T>
THINC_FN T sigmoid_(T x) {
  return T(1) / (T(1) + exp_within_80_(-clip_(x, T(-20), T(20))));
}

template <class T>
struct Sigmoid {
  THINC_FN explicit Sigmoid(const double*) {}
  THINC_FN T forward(T x) const { return sigmoid_(x); }
  THINC_FN T backward(T dy, T, T y) const { return dy * y * (T(1) - y); }
};

// tanh(x).
template <class T>
struct Tanh {
  THINC_FN explicit Tanh(const double*) {}
  THINC_FN T forward(T x) const { return tanh_(x); }
  THINC_FN T backward(T dy, T, T y) const { return dy * (T(1) - y * y); }
};

// swish(x) = x sigmoid(x).  Ramachandran, Zoph & Le 2017, https://arxiv.org/abs/1710.05941
template <class T>
struct Swish {
  THINC_FN explicit Swish(const double*) {}
  THINC_FN T forward(T x) const { return x * sigmoid_(x); }
  THINC_FN T backward(T dy, T x, T y) const { return dy * (y + sigmoid_(x) * (T(1) - y)); }
};

// hard_swish(x) = x clip(0.2 x + 0.5, 0, 1): swish with a piecewise linear sigmoid.
template <class T>
struct HardSwish {
  THINC_FN explicit HardSwish(const double*) {}
  THINC_FN T forward(T x) const { return max_(x, T(-2.5)) * clip_(x * T(0.2) + T(0.5), T(0), T(1)); }
  THINC_FN T backward(T dy, T x, T) const {
    T dx = dy * (x > T(2.5) ? T(1) : x * T(0.4) + T(0.5));
    return x < T(-2.5) ? T(0) : dx;
  }
};

// hard_swish_mobilenet(x) = x clip(x + 3, 0, 6) / 6.  Howard et al. 2019, https://arxiv.org/abs/1905.02244
template <class T>
struct HardSwishMobilenet {
  THINC_FN explicit HardSwishMobilenet(const double*) {}
  THINC_FN T forward(T x) const { return max_(x, T(-3)) * (clip_(x + T(3), T(0), T(6)) / T(6)); }
  THINC_FN T backward(T dy, T x, T) const {
    T dx = dy * (x > T(3) ? T(1) : (x * T(2) + T(3)) / T(6));
    return x < T(-3) ? T(0) : dx;
  }
};

// dish(x) = x (1 + x / sqrt(1 + x^2)) / 2: swish with an algebraic sigmoid.
// With r = sqrt(1 + x^2), u = 1 + x / r is (r + |x|) / r, or 1 / (r (r + |x|)) below 0, which does not cancel; and
// dish = x u / 2, dish' = u (u (3 - u) - 1) / 2. From 1e18 on u does not change: no square overflows.
template <class T>
struct Dish {
  static constexpr double far = 1e18;
  THINC_FN explicit Dish(const double*) {}
  THINC_FN static T twice_gate(T x) {
    const T a = min_(abs_(x), T(far)), r = sqrt_(T(1) + a * a), sum = r + a;
    return (x < T(0) ? T(1) : sum) / (x < T(0) ? r * sum : r);
  }
  THINC_FN T forward(T x) const { return T(0.5) * max_(x, T(-far)) * twice_gate(x); }
  THINC_FN T backward(T dy, T x, T) const {
    const T u = twice_gate(x);
    return dy * (T(0.5) * u * (u * (T(3) - u) - T(1)));
  }
};

// erf(x).
template <class T>
struct Erf {
  THINC_FN explicit Erf(const double*) {}
  THINC_FN T forward(T x) const { return erf_(x); }
  THINC_FN T backward(T dy, T x, T) const { return dy * T(1.1283791670955126) * gauss_(x * T(1.4142135623730951)); }
};

// gelu(x) = x Phi(x), Phi the normal distribution.  Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415
// Phi is taken from its tail, so that the result keeps its relative accuracy for negative x: 8 ulp, and 10 where it is
// denormal, since Phi is there before x multiplies it.
template <class T>
struct Gelu {
  THINC_FN explicit Gelu(const double*) {}
  THINC_FN static T cdf(T x, T gauss) {
    T tail = normal_tail_(abs_(x), gauss);
    return x < T(0) ? tail : T(1) - tail;
  }
  THINC_FN T forward(T x) const {
    T y = x * cdf(x, gauss_(x));
    return x < T(-40) ? T(0) : y;  // -inf would give NaN
  }
  THINC_FN T backward(T dy, T x, T) const {
    T gauss = gauss_(x);
    T g = cdf(x, gauss) + clip_(x, T(-40), T(40)) * T(0.3989422804014327) * gauss;
    return dy * g;
  }
};

// gelu_approx(x) = x (1 + tanh(u)) / 2 = x / (1 + e^(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3), from the same paper.
// Beyond +-9.5 the gate g = 1 / (1 + e^(-2u)) is 0 or 1 but for 1e-33. gelu_approx' = g + x g (1 - g) 2u'.
template <class T>
struct GeluApprox {
  static constexpr double a = 2 * 0.7978845608028654, b = 0.044715;  // 2 sqrt(2/pi)
  static constexpr double far = 9.5;
  THINC_FN explicit GeluApprox(const double*) {}
  THINC_FN static T rest(T x) { return exp_within_80_(T(-a) * (x + T(b) * x * x * x)); }  // e^(-2u)
  THINC_FN T forward(T x) const { return max_(x, T(-far)) / (T(1) + rest(clip_(x, T(-far), T(far)))); }
  THINC_FN T backward(T dy, T x, T) const {
    const T at = clip_(x, T(-far), T(far)), e = rest(at), g = T(1) / (T(1) + e);
    const T other = x < T(0) ? T(1) - g : e * g;  // 1 - g either way, without cancellation
    return dy * (g + g * other * at * (T(a) * (T(1) + T(3 * b) * at * at)));
  }
};

// mish(x) = x tanh(log(1 + e^x)); x itself from `threshold` on.  Misra 2019, https://arxiv.org/abs/1908.08681
// With u = e^x: tanh(log(1 + u)) = n / (n + 2), n = u (u + 2), which has neither a logarithm nor a cancellation.
// Then mish' = n / (n + 2) + x 4 u (u + 1) / (n + 2)^2.  Above 20 the quotient is 1 in both dtypes.
template <class T>
struct Mish {
  static constexpr double far = -80;  // e^x is 0 but for 1e-35
  T threshold;
  THINC_FN explicit Mish(const double* p) : threshold(T(p[0])) {}
  THINC_FN T forward(T x) const {
    T u = exp_within_80_(clip_(x, T(far), T(20)));
    T n = u * (u + T(2));
    T y = max_(x, T(far)) * (n / (n + T(2)));
    return x >= threshold ? x : y;
  }
  THINC_FN T backward(T dy, T x, T) const {
    T u = exp_within_80_(clip_(x, T(far), T(20)));
    T n = u * (u + T(2));
    T q = T(1) / (n + T(2));
    T g = n * q + max_(x, T(far)) * (T(4) * u * (u + T(1)) * q * q);
    return dy * (x >= threshold ? T(1) : g);
  }
};

// ---- dropout

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
