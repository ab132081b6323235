// THE LIST of activations: formula, derivative and source of each, for every dtype and every machine.
//
// A struct is built from the parameters of its public method (as doubles) and has
//   forward(x) -> y,   backward(dy, x, y) -> dx,   saved: which of x and y backward reads.
// To add one: a struct, a row in THE LIST, and the readable formula in thinc/backends/_activations.py.
// Unless a line says otherwise NaN in gives NaN out, and both directions are within 4 ulp of the float64 truth.
#pragma once

#include "portable.hh"

#define THINC_ACTIVATIONS(ROW) /* name, struct, number of parameters */ \
  ROW(relu, Relu, 0)                                                    \
  ROW(clipped_linear, ClippedLinear, 4)                                 \
  ROW(sigmoid, Sigmoid, 0)                                              \
  ROW(swish, Swish, 0)                                                  \
  ROW(hard_swish, HardSwish, 0)                                         \
  ROW(hard_swish_mobilenet, HardSwishMobilenet, 0)                      \
  ROW(dish, Dish, 0)                                                    \
  ROW(gelu, Gelu, 0)                                                    \
  ROW(gelu_approx, GeluApprox, 0)                                       \
  ROW(mish, Mish, 1)                                                    \
  ROW(tanh, Tanh, 0)                                                    \
  ROW(erf, Erf, 0)

#define THINC_COUNT(name, Act, n_params) +1
enum { THINC_N_ACTIVATIONS = 0 THINC_ACTIVATIONS(THINC_COUNT) };
#undef THINC_COUNT

THINC_BEGIN

enum class Saved { X, Y, XY };

// relu(x) = max(x, 0); -0 gives 0.  The gradient reads the output, so that forward may overwrite its input.
template <class T>
struct Relu {
  static constexpr Saved saved = Saved::Y;
  THINC_FN explicit Relu(const double*) {}
  THINC_FN T forward(T x) const { return x <= T(0) ? T(0) : x; }
  THINC_FN T backward(T dy, T, T y) const { return y > T(0) ? dy : T(0); }
};

// clipped_linear(x) = clip(slope x + offset, min, max).  relu_k, hard_sigmoid and hard_tanh are settings of it.
// The gradient is `slope` strictly between the two kinks, 0 elsewhere; without a slope there are none.
template <class T>
struct ClippedLinear {
  static constexpr Saved saved = Saved::X;
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
    T inside = x > low ? slope : T(0);
    return dy * (x < high ? inside : T(0));
  }
};

// sigmoid(x) = 1 / (1 + e^-x), its input clipped to +-20 so that no output is exactly 0 or 1 in float64.
template <class T>
THINC_FN T sigmoid_(T x) {
  return T(1) / (T(1) + exp_(-clip_(x, T(-20), T(20))));
}

template <class T>
struct Sigmoid {
  static constexpr Saved saved = Saved::Y;
  THINC_FN explicit Sigmoid(const double*) {}
  THINC_FN T forward(T x) const { return sigmoid_(x); }
  THINC_FN T backward(T dy, T, T y) const { return dy * y * (T(1) - y); }
};

// tanh(x).
template <class T>
struct Tanh {
  static constexpr Saved saved = Saved::Y;
  THINC_FN explicit Tanh(const double*) {}
  THINC_FN T forward(T x) const { return tanh_(x); }
  THINC_FN T backward(T dy, T, T y) const { return dy * (T(1) - y * y); }
};

// swish(x) = x sigmoid(x).  Ramachandran, Zoph & Le 2017, https://arxiv.org/abs/1710.05941
template <class T>
struct Swish {
  static constexpr Saved saved = Saved::XY;
  THINC_FN explicit Swish(const double*) {}
  THINC_FN T forward(T x) const { return x * sigmoid_(x); }
  THINC_FN T backward(T dy, T x, T y) const { return dy * (y + sigmoid_(x) * (T(1) - y)); }
};

// hard_swish(x) = x clip(0.2 x + 0.5, 0, 1): swish with a piecewise linear sigmoid.
template <class T>
struct HardSwish {
  static constexpr Saved saved = Saved::X;
  THINC_FN explicit HardSwish(const double*) {}
  THINC_FN T forward(T x) const { return x * clip_(x * T(0.2) + T(0.5), T(0), T(1)); }
  THINC_FN T backward(T dy, T x, T) const {
    T g = x > T(2.5) ? T(1) : x * T(0.4) + T(0.5);
    return dy * (x < T(-2.5) ? T(0) : g);
  }
};

// hard_swish_mobilenet(x) = x clip(x + 3, 0, 6) / 6.  Howard et al. 2019, https://arxiv.org/abs/1905.02244
template <class T>
struct HardSwishMobilenet {
  static constexpr Saved saved = Saved::X;
  THINC_FN explicit HardSwishMobilenet(const double*) {}
  THINC_FN T forward(T x) const { return x * (clip_(x + T(3), T(0), T(6)) / T(6)); }
  THINC_FN T backward(T dy, T x, T) const {
    T g = x > T(3) ? T(1) : (x * T(2) + T(3)) / T(6);
    return dy * (x < T(-3) ? T(0) : g);
  }
};

// dish(x) = x (x / sqrt(1 + x^2) + 1) / 2: swish with an algebraic sigmoid.
// r = 1 / sqrt(1 + x^2); the derivative 1/2 + x r - (x r)^3 / 2 has no overflowing intermediate.
template <class T>
struct Dish {
  static constexpr Saved saved = Saved::X;
  THINC_FN explicit Dish(const double*) {}
  THINC_FN T forward(T x) const { return T(0.5) * x * (x / sqrt_(T(1) + x * x) + T(1)); }
  THINC_FN T backward(T dy, T x, T) const {
    T s = x / sqrt_(T(1) + x * x);
    return dy * (T(0.5) + s - T(0.5) * s * s * s);
  }
};

// erf(x), exactly rounded up to a few ulp.
template <class T>
struct Erf {
  static constexpr Saved saved = Saved::X;
  THINC_FN explicit Erf(const double*) {}
  THINC_FN T forward(T x) const { return erf_(x); }
  THINC_FN T backward(T dy, T x, T) const { return dy * T(1.1283791670955126) * exp_(-x * x); }
};

// gelu(x) = x Phi(x), Phi the normal distribution.  Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415
// Phi is taken from its tail, so that the result keeps its relative accuracy for negative x; 20 ulp in the far tail,
// where the derivative is a difference.
template <class T>
struct Gelu {
  static constexpr Saved saved = Saved::X;
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

// gelu_approx(x) = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, from the same paper.
template <class T>
struct GeluApprox {
  static constexpr Saved saved = Saved::X;
  static constexpr double a = 0.7978845608028654, b = 0.044715;  // sqrt(2/pi)
  THINC_FN explicit GeluApprox(const double*) {}
  THINC_FN T forward(T x) const { return T(0.5) * x * (T(1) + tanh_(T(a) * (x + T(b) * x * x * x))); }
  THINC_FN T backward(T dy, T x, T) const {
    T t = tanh_(T(a) * (x + T(b) * x * x * x));
    T du = T(a) * (T(1) + T(3 * b) * x * x);
    // For large |x| the factor 1 - t^2 is exactly 0 while du may be infinite.
    T slope = (T(1) - t * t);
    slope = slope == T(0) ? T(0) : slope * x * du;
    return dy * T(0.5) * (T(1) + t + slope);
  }
};

// mish(x) = x tanh(log(1 + e^x)); x itself from `threshold` on.  Misra 2019, https://arxiv.org/abs/1908.08681
// With u = e^x: tanh(log(1 + u)) = n / (n + 2), n = u (u + 2), which has neither a logarithm nor a cancellation.
// Then mish' = n / (n + 2) + x 4 u (u + 1) / (n + 2)^2.  Above 20 the quotient is 1 in both dtypes.
template <class T>
struct Mish {
  static constexpr Saved saved = Saved::X;
  T threshold;
  THINC_FN explicit Mish(const double* p) : threshold(T(p[0])) {}
  THINC_FN T forward(T x) const {
    T u = exp_(min_(x, T(20)));
    T n = u * (u + T(2));
    T y = x * (n / (n + T(2)));
    return x >= threshold ? x : y;
  }
  THINC_FN T backward(T dy, T x, T) const {
    T u = exp_(min_(x, T(20)));
    T n = u * (u + T(2));
    T q = T(1) / (n + T(2));
    T g = n * q + x * (T(4) * u * (u + T(1)) * q * q);
    return dy * (x >= threshold ? T(1) : g);
  }
};

THINC_END
