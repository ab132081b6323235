// Numbers of 16 bits, for storage: a kernel reads them as float, computes in float, and rounds to the nearest at the
// end. Half: 5 bits of exponent, 10 of fraction. BFloat: the upper half of a float, for the GPU. Here a CPU converts on
// the bits; vectors.hh has what its instructions do.
#pragma once

#include "portable.hh"

THINC_BEGIN

THINC_FN uint32_t bits_of(float x) {
  union {
    float number;
    uint32_t bits;
  } u = {x};
  return u.bits;
}

THINC_FN float number_of(uint32_t bits) {
  union {
    uint32_t bits;
    float number;
  } u = {bits};
  return u.number;
}

#ifdef __CUDACC__
THINC_FN float half_to_float(unsigned short bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}
THINC_FN unsigned short float_to_half(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#else
THINC_FN float half_to_float(unsigned short half) {
  const uint32_t sign = uint32_t(half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 31) return number_of(sign | 0x7f800000u | (fraction ? 0x400000u : 0u) | fraction << 13);  // inf, NaN
  if (exponent == 0) {  // fraction * 2^-24
    const float x = float(fraction) * 5.9604644775390625e-8f;
    return sign ? -x : x;
  }
  return number_of(sign | (exponent + 112) << 23 | fraction << 13);
}
THINC_FN unsigned short float_to_half(float x) {
  const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000u;
  const float size = number_of(bits & 0x7fffffffu);
  if (size != size) return (unsigned short)(sign | 0x7e00u);
  if (size >= 65520.0f) return (unsigned short)(sign | 0x7c00u);
  // Adding a power of two whose last place is that of the result rounds to it; below 2^-14 that place is 2^-24.
  const uint32_t exponent = bits_of(size) >> 23;
  const uint32_t place = exponent < 113 ? 113 : exponent;
  const float rounder = number_of((place + 13) << 23);
  const float rounded = (size + rounder) - rounder;
  if (rounded < 6.103515625e-5f) return (unsigned short)(sign | uint32_t(rounded * 16777216.0f));
  return (unsigned short)(sign | ((bits_of(rounded) >> 13) - (112 << 10)));
}
#endif

struct Half {
  unsigned short bits;
  THINC_FN Half() {}
  THINC_FN explicit Half(float x) : bits(float_to_half(x)) {}
  THINC_FN explicit operator float() const { return half_to_float(bits); }
};

struct BFloat {
  unsigned short bits;
  THINC_FN BFloat() {}
  THINC_FN explicit BFloat(float x) {
    const uint32_t b = bits_of(x);
    bits = (unsigned short)(x != x ? b >> 16 | 0x40u : (b + 0x7fffu + (b >> 16 & 1u)) >> 16);  // ties to even
  }
  THINC_FN explicit operator float() const { return number_of(uint32_t(bits) << 16); }
};

THINC_END
