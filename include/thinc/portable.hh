// What the formulas need from a compiler: function attributes, a namespace per CPU level, and mathematical functions.
//
// Every formula lives in an unnamed namespace inside the namespace of its CPU level: nothing gets external linkage, so
// the linker cannot share one level's code with another. On CUDA the "level" is `cuda`.
// Trailing underscore: a portable function; T is float or double.
#pragma once

#ifdef __CUDACC_RTC__  // NVRTC has no host headers
typedef int int32_t;
typedef long long int64_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#else
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifndef THINC_ISA
#define THINC_ISA host
#endif

#define THINC_BEGIN     \
  namespace thinc {     \
  namespace THINC_ISA { \
  namespace {
#define THINC_END \
  }               \
  }               \
  }

#ifdef __CUDACC__
#define THINC_FN __device__ __forceinline__
#elif defined(__GNUC__)
#define THINC_FN inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define THINC_FN __forceinline
#else
#define THINC_FN inline
#endif

#if defined(__GNUC__) && !defined(__CUDACC__)
#define THINC_PREFETCH(address, for_writing) __builtin_prefetch(address, for_writing)
#define THINC_PREFETCH_L2(address) __builtin_prefetch(address, 0, 2)
#else
#define THINC_PREFETCH(address, for_writing) (void)0
#define THINC_PREFETCH_L2(address) (void)0
#endif

THINC_BEGIN

THINC_FN float abs_(float x) { return fabsf(x); }
THINC_FN double abs_(double x) { return fabs(x); }
THINC_FN float sqrt_(float x) { return sqrtf(x); }
THINC_FN double sqrt_(double x) { return sqrt(x); }
THINC_FN float copysign_(float x, float sign) { return copysignf(x, sign); }
THINC_FN double copysign_(double x, double sign) { return copysign(x, sign); }
// The comparison is written so that a NaN in x survives and one in the bound does not appear.
template <class T>
THINC_FN T max_(T x, T bound) {
  return x < bound ? bound : x;
}
template <class T>
THINC_FN T min_(T x, T bound) {
  return x > bound ? bound : x;
}
template <class T>
THINC_FN T clip_(T x, T low, T high) {
  return min_(max_(x, low), high);
}

// x as a finite T: times 0 it is 0.
template <class T>
THINC_FN T finite_(double x) {
  const double most = sizeof(T) == 4 ? 3.4028234663852886e38 : 1.7976931348623157e308;
  return T(x > most ? most : x < -most ? -most : x);
}

// x is the new maximum after `best`: of equals the first, and a NaN before any number.
template <class T>
THINC_FN bool exceeds(T x, T best) {
  return !(x <= best) & (best == best);
}

#ifdef __CUDACC__

THINC_FN float exp_(float x) { return expf(x); }
THINC_FN double exp_(double x) { return exp(x); }
template <class T>
THINC_FN T exp_within_80_(T x) {
  return exp_(x);
}
THINC_FN float tanh_(float x) { return tanhf(x); }
THINC_FN double tanh_(double x) { return tanh(x); }
THINC_FN float erf_(float x) { return erff(x); }
THINC_FN double erf_(double x) { return erf(x); }
THINC_FN float normal_tail_(float x, float) { return 0.5f * erfcf(x * 0.70710678f); }
THINC_FN float gauss_(float x) { return expf(-0.5f * x * x); }
THINC_FN double gauss_(double x) { return exp(-0.5 * x * x); }
THINC_FN double normal_tail_(double x, double) { return 0.5 * erfc(x * 0.7071067811865476); }

#else

// ---- Branch-free on the CPU, so that loops over them become vector code at every level.
// Polynomials interpolate at Chebyshev nodes (within a factor of about 1.1 of minimax), made with 60-digit arithmetic.

template <class T>
struct Constants;

template <>
struct Constants<float> {
  typedef uint32_t bits;
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  static constexpr int mantissa = 23;
  static constexpr bits one = 0x3f800000u;
  static constexpr float ln2_high = 0.693145751953125f, ln2_low = 1.4286068e-06f;  // high * n is exact
  static constexpr float lowest = -104.0f, highest = 89.0f;                        // e^x is 0 and inf beyond
  static constexpr bits upper_half = 0xfffff000u;  // a product of two such numbers is exact
  static constexpr float gauss_zero = 14.5f;       // e^(-x^2/2) is 0 from here on
};

template <>
struct Constants<double> {
  typedef uint64_t bits;
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr int mantissa = 52;
  static constexpr bits one = 0x3ff0000000000000u;
  static constexpr double ln2_high = 0.6931467056274414, ln2_low = 4.7493250390316726e-07;
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr bits upper_half = 0xfffffffff8000000u;
  static constexpr double gauss_zero = 39.0;
};

// Horner's rule, highest coefficient last in the list.
template <class T>
THINC_FN T poly_(T, T c0) {
  return c0;
}
template <class T, class... Rest>
THINC_FN T poly_(T x, T c0, Rest... rest) {
  return c0 + x * poly_(x, static_cast<T>(rest)...);
}

// e^r - 1 for |r| <= ln(2) / 2.  Relative error 3e-8 (float), 5e-17 (double).
THINC_FN float small_expm1_(float r) {
  return r + r * r * poly_(r, 0.5f, 0.16666575f, 0.041666552f, 0.008363472f, 0.0013926551f);
}
THINC_FN double small_expm1_(double r) {
  return r + r * r *
                 poly_(r, 0.5000000000000001, 0.16666666666666669, 0.04166666666662243, 0.008333333333329931,
                       0.0013888888918057098, 0.0001984126986370219, 2.4801519991900052e-05, 2.755726745716343e-06,
                       2.762070569712557e-07, 2.5100860168090098e-08);
}

// e^x = 2^n e^r, |r| <= ln(2) / 2. What exponent_ gives has n in its low bits.
template <class T>
THINC_FN typename Constants<T>::bits exponent_(T x) {
  const T t = x * T(1.4426950408889634) + Constants<T>::magic;
  typename Constants<T>::bits b;
  __builtin_memcpy(&b, &t, sizeof b);
  return b;
}

// 2^n for n between the exponents of the smallest and the largest normal number.
template <class T>
THINC_FN T power_of_two_(typename Constants<T>::bits b) {
  T t;
  b = (b << Constants<T>::mantissa) + Constants<T>::one;
  __builtin_memcpy(&t, &b, sizeof b);
  return t;
}

// r = x - n ln 2
template <class T>
THINC_FN T exp_rest_(T x, typename Constants<T>::bits b) {
  typedef Constants<T> C;
  T t;
  __builtin_memcpy(&t, &b, sizeof b);
  const T n = t - C::magic;
  return (x - n * C::ln2_high) - n * C::ln2_low;
}

// 2^n (1 + small): n is halved so that neither power overflows.
template <class T>
THINC_FN T scaled_(T small, typename Constants<T>::bits b) {
  const T half = power_of_two_<T>(b >> 1);
  return (small * half + half) * power_of_two_<T>(b - (b >> 1));
}

// e^x within 1 ulp (2 among denormals).
template <class T>
THINC_FN T exp_(T x) {
  x = clip_(x, Constants<T>::lowest, Constants<T>::highest);
  const auto b = exponent_(x);
  return scaled_(small_expm1_(exp_rest_(x, b)), b);
}

// The same for |x| <= 80.
template <class T>
THINC_FN T exp_within_80_(T x) {
  const auto b = exponent_(x);
  const T scale = power_of_two_<T>(b);
  return small_expm1_(exp_rest_(x, b)) * scale + scale;
}

// tanh x = m / (m + 2), m = e^(2|x|) - 1, which cancels nowhere.  Within 3 ulp.
template <class T>
THINC_FN T tanh_(T x) {
  const T a = T(2) * min_(abs_(x), T(20));  // 1 - tanh(20) is below half an ulp of 1
  const auto b = exponent_(a);
  const T scale = power_of_two_<T>(b);
  const T m = small_expm1_(exp_rest_(a, b)) * scale + (scale - T(1));
  return copysign_(m / (m + T(2)), x);
}

// Q(t) with  1 - Phi(x) = e^(-x^2/2) t Q(t),  t = 4 / (4 + x),  x >= 0.  Relative error 2e-8 (float), 4e-17 (double).
THINC_FN float tail_poly_(float t) {
  return poly_(t, 0.09975179f, 0.09941662f, 0.09615087f, 0.069011636f, 0.09537557f, -0.0036779593f, 0.048318084f,
               0.036615256f, -0.056345463f, 0.015383603f);
}
THINC_FN double tail_poly_(double t) {
  return poly_(t, 0.09973557010387663, 0.09973556983946887, 0.09350210585723466, 0.0810349656839141,
               0.06350614776899742, 0.04321725613067316, 0.023616019479006024, 0.005864963379556649,
               0.0032696963836554745, -0.03072241832130962, 0.0680096565489385, -0.17592946165709222,
               0.3317856140129587, -0.4670310516161868, 0.4778805031969773, -0.27548256352588485, -0.04922290379091282,
               0.2670277219048097, -0.26991779697144513, 0.1544424516474848, -0.054406282913560956,
               0.011096471880184597, -0.0010122350213441524);
}

// e^(-x^2/2): x^2 is split, since its rounding error would be magnified by x^2 / 2.
template <class T>
THINC_FN T gauss_(T x) {
  x = min_(abs_(x), Constants<T>::gauss_zero);
  typename Constants<T>::bits b;
  T top = x;
  __builtin_memcpy(&b, &top, sizeof b);
  b &= Constants<T>::upper_half;
  __builtin_memcpy(&top, &b, sizeof b);
  const T high = T(-0.5) * top * top, low = T(-0.5) * (x - top) * (x + top);
  const auto e = exponent_(high);
  return scaled_(small_expm1_(exp_rest_(high, e) + low), e);
}

// 1 - Phi(x) for x >= 0, the upper tail of the normal distribution, given e^(-x^2/2).
template <class T>
THINC_FN T normal_tail_(T x, T gauss) {
  const T t = T(4) / (T(4) + x);
  return gauss * (t * tail_poly_(t));
}

THINC_FN float small_erf_(float u) {  // erf(x) / x for u = x^2 <= 1/4, error 1e-11
  return poly_(u, 1.1283792f, -0.37612638f, 0.11283774f, -0.026863143f, 0.0052004135f, -0.0007694534f);
}
THINC_FN double small_erf_(double u) {  // error 2e-20
  return poly_(u, 1.1283791670955126, -0.3761263890318375, 0.1128379167095487, -0.02686617064499972,
               0.0052239776220169365, -0.0008548326510724796, 0.00012055286202005714, -1.4923003368152099e-05,
               1.637123442577e-06, -1.462091340945175e-07);
}

// erf x within 3 ulp: a polynomial near 0, else 1 - 2 (1 - Phi(sqrt(2) |x|)).
template <class T>
THINC_FN T erf_(T x) {
  const T a = abs_(x) * T(1.4142135623730951);
  const T far = T(1) - T(2) * normal_tail_(a, gauss_(a));
  const T near = x * small_erf_(min_(x * x, T(0.25)));
  return abs_(x) < T(0.5) ? near : (x < T(0) ? -far : far);
}

// x if `keep`, else 0, by a mask on the bits: written as a choice, compilers make it a branch, which random data
// defeat.
THINC_FN float only_if(bool keep, float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof x);
  bits &= uint32_t(0) - uint32_t(keep);
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
THINC_FN double only_if(bool keep, double x) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof x);
  bits &= uint64_t(0) - uint64_t(keep);
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// The first index i with which[i] outside [0, size), or -1.
THINC_FN int64_t first_outside(const int32_t* which, size_t n, uint32_t size) {
  uint32_t bad = 0;
#pragma omp simd reduction(| : bad)
  for (size_t i = 0; i < n; ++i) bad |= uint32_t(which[i]) >= size;
  if (bad)
    for (size_t i = 0; i < n; ++i)
      if (uint32_t(which[i]) >= size) return int64_t(i);
  return -1;
}

#endif

THINC_END
