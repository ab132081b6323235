// Vectors of the widest registers of this CPU level, by the compiler's vector extension.
//
// A vector of T is seen as `groups` chunks of 16 bytes: in_chunk = 4 floats or 2 doubles. Loads and stores need no
// alignment. The names: Vec<T> the vector, Chunk<T> one chunk, lanes<T>() values in a vector.
// A compiler without the extension (MSVC) gets 16-byte structs with plain loops, which it may vectorise itself.
#pragma once

#include "half.hh"

#ifdef __GNUC__
#if defined(__AVX512F__)
#define THINC_VECTOR_BYTES 64
#elif defined(__AVX__)
#define THINC_VECTOR_BYTES 32
#else
#define THINC_VECTOR_BYTES 16
#endif
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#else
#define THINC_VECTOR_BYTES 16
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
#define THINC_VECTOR_REGISTERS 32
#else
#define THINC_VECTOR_REGISTERS 16
#endif

// A tile of a product is a function of its own: inlined into its callers' loops it runs out of registers.
#ifdef __GNUC__
#define THINC_TILE __attribute__((noinline))
#else
#define THINC_TILE
#endif

THINC_BEGIN

template <class T>
constexpr size_t lanes() {
  return THINC_VECTOR_BYTES / sizeof(T);
}
template <class T>
constexpr size_t in_chunk() {
  return 16 / sizeof(T);
}
constexpr size_t groups = THINC_VECTOR_BYTES / 16;

#ifdef __GNUC__

typedef float Float16Bytes __attribute__((vector_size(16)));
typedef double Double16Bytes __attribute__((vector_size(16)));
typedef float FloatVector __attribute__((vector_size(THINC_VECTOR_BYTES)));
typedef double DoubleVector __attribute__((vector_size(THINC_VECTOR_BYTES)));

template <class T>
struct VectorTypes;
template <>
struct VectorTypes<float> {
  typedef FloatVector Vec;
  typedef Float16Bytes Chunk;
  typedef FloatVector VecAnywhere __attribute__((aligned(4), may_alias));
  typedef Float16Bytes ChunkAnywhere __attribute__((aligned(4), may_alias));
};
template <>
struct VectorTypes<double> {
  typedef DoubleVector Vec;
  typedef Double16Bytes Chunk;
  typedef DoubleVector VecAnywhere __attribute__((aligned(8), may_alias));
  typedef Double16Bytes ChunkAnywhere __attribute__((aligned(8), may_alias));
};
template <class T>
using Vec = typename VectorTypes<T>::Vec;
template <class T>
using Chunk = typename VectorTypes<T>::Chunk;

template <class T>
THINC_FN Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorTypes<T>::VecAnywhere*>(p);
}
template <class T>
THINC_FN void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorTypes<T>::VecAnywhere*>(p) = v;
}
template <class T>
THINC_FN Chunk<T> load_chunk(const T* p) {
  return *reinterpret_cast<const typename VectorTypes<T>::ChunkAnywhere*>(p);
}
template <class T>
THINC_FN void store_chunk(T* p, Chunk<T> c) {
  *reinterpret_cast<typename VectorTypes<T>::ChunkAnywhere*>(p) = c;
}
template <class T>
THINC_FN Vec<T> splat(T x) {
  return x - Vec<T>{};  // not {} + x, which is no identity for -0
}
template <class T>
THINC_FN Chunk<T> splat_chunk(T x) {
  return x - Chunk<T>{};
}

// Every chunk of the result is p[0 .. in_chunk). The intrinsics are one load each (the mask of ones is dropped by the
// compiler, and spares a warning); from the portable spelling compilers make a store and a reload.
THINC_FN FloatVector load_repeated(const float* p) {
#if defined(__AVX512F__)
  return (FloatVector)_mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(p));
#elif defined(__AVX__)
  return (FloatVector)_mm256_broadcast_ps(reinterpret_cast<const __m128*>(p));
#else
  return load(p);
#endif
}
THINC_FN DoubleVector load_repeated(const double* p) {
#if defined(__AVX512F__)
  return (DoubleVector)_mm512_maskz_broadcast_f32x4(0xffff, _mm_castpd_ps(_mm_loadu_pd(p)));
#elif defined(__AVX__)
  return (DoubleVector)_mm256_broadcast_pd(reinterpret_cast<const __m128d*>(p));
#else
  return load(p);
#endif
}

// SHUFFLE(x, y, IndexVector, indices...): lanes of x and y joined, as __builtin_shufflevector numbers them.
#if defined(__clang__) || __GNUC__ >= 12
#define THINC_SHUFFLE(x, y, IndexVector, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define THINC_SHUFFLE(x, y, IndexVector, ...) __builtin_shuffle(x, y, (IndexVector){__VA_ARGS__})
#endif
typedef int32_t FloatIndices __attribute__((vector_size(THINC_VECTOR_BYTES)));
typedef int64_t DoubleIndices __attribute__((vector_size(THINC_VECTOR_BYTES)));

// The same shuffle in every chunk: a..d choose from x (0 to 3) or from y (100 to 103).
#define THINC_LANE(i, chunk, lanes, per_chunk) \
  ((i) < 100 ? (i) + per_chunk * chunk : (i)-100 + per_chunk * chunk + lanes)
#define THINC_FOUR(chunk, lanes, a, b, c, d)                                                      \
  THINC_LANE(a, chunk, lanes, 4), THINC_LANE(b, chunk, lanes, 4), THINC_LANE(c, chunk, lanes, 4), \
      THINC_LANE(d, chunk, lanes, 4)
#define THINC_TWO(chunk, lanes, a, b) THINC_LANE(a, chunk, lanes, 2), THINC_LANE(b, chunk, lanes, 2)
template <int a, int b, int c, int d>
THINC_FN FloatVector shuffle(FloatVector x, FloatVector y) {
#if THINC_VECTOR_BYTES == 64
  return THINC_SHUFFLE(x, y, FloatIndices, THINC_FOUR(0, 16, a, b, c, d), THINC_FOUR(1, 16, a, b, c, d),
                       THINC_FOUR(2, 16, a, b, c, d), THINC_FOUR(3, 16, a, b, c, d));
#elif THINC_VECTOR_BYTES == 32
  return THINC_SHUFFLE(x, y, FloatIndices, THINC_FOUR(0, 8, a, b, c, d), THINC_FOUR(1, 8, a, b, c, d));
#else
  return THINC_SHUFFLE(x, y, FloatIndices, THINC_FOUR(0, 4, a, b, c, d));
#endif
}
template <int a, int b>
THINC_FN DoubleVector shuffle(DoubleVector x, DoubleVector y) {
#if THINC_VECTOR_BYTES == 64
  return THINC_SHUFFLE(x, y, DoubleIndices, THINC_TWO(0, 8, a, b), THINC_TWO(1, 8, a, b), THINC_TWO(2, 8, a, b),
                       THINC_TWO(3, 8, a, b));
#elif THINC_VECTOR_BYTES == 32
  return THINC_SHUFFLE(x, y, DoubleIndices, THINC_TWO(0, 4, a, b), THINC_TWO(1, 4, a, b));
#else
  return THINC_SHUFFLE(x, y, DoubleIndices, THINC_TWO(0, 2, a, b));
#endif
}

// Whole chunks a..d, of x (0 to 3) or of y (4 to 7).
#define THINC_CHUNK(i) 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3
#if THINC_VECTOR_BYTES == 64
template <int a, int b, int c, int d>
THINC_FN FloatVector chunks(FloatVector x, FloatVector y) {
  return THINC_SHUFFLE(x, y, FloatIndices, THINC_CHUNK(a), THINC_CHUNK(b), THINC_CHUNK(c), THINC_CHUNK(d));
}
#endif

// Chunk c of v[g] and chunk g of v[c] change places: `groups` vectors.
THINC_FN void transpose_chunks(FloatVector* v) {
#if THINC_VECTOR_BYTES == 64
  const FloatVector a = chunks<0, 1, 4, 5>(v[0], v[1]), b = chunks<2, 3, 6, 7>(v[0], v[1]);
  const FloatVector c = chunks<0, 1, 4, 5>(v[2], v[3]), d = chunks<2, 3, 6, 7>(v[2], v[3]);
  v[0] = chunks<0, 2, 4, 6>(a, c);
  v[1] = chunks<1, 3, 5, 7>(a, c);
  v[2] = chunks<0, 2, 4, 6>(b, d);
  v[3] = chunks<1, 3, 5, 7>(b, d);
#elif THINC_VECTOR_BYTES == 32
  const FloatVector a = v[0], b = v[1];
  v[0] = THINC_SHUFFLE(a, b, FloatIndices, THINC_CHUNK(0), THINC_CHUNK(2));
  v[1] = THINC_SHUFFLE(a, b, FloatIndices, THINC_CHUNK(1), THINC_CHUNK(3));
#endif
}
THINC_FN void transpose_chunks(DoubleVector* v) {
  FloatVector bits[groups];
  for (size_t g = 0; g < groups; ++g) bits[g] = (FloatVector)v[g];
  transpose_chunks(bits);
  for (size_t g = 0; g < groups; ++g) v[g] = (DoubleVector)bits[g];
}

// Chunk g goes to p + g * stride. The masks of ones spare a warning here as well.
THINC_FN void store_chunks(float* p, size_t stride, FloatVector v) {
#if THINC_VECTOR_BYTES == 64
  store_chunk(p, (Float16Bytes)_mm512_maskz_extractf32x4_ps(0xf, v, 0));
  store_chunk(p + stride, (Float16Bytes)_mm512_maskz_extractf32x4_ps(0xf, v, 1));
  store_chunk(p + 2 * stride, (Float16Bytes)_mm512_maskz_extractf32x4_ps(0xf, v, 2));
  store_chunk(p + 3 * stride, (Float16Bytes)_mm512_maskz_extractf32x4_ps(0xf, v, 3));
#elif THINC_VECTOR_BYTES == 32
  store_chunk(p, (Float16Bytes)_mm256_castps256_ps128(v));
  store_chunk(p + stride, (Float16Bytes)_mm256_extractf128_ps(v, 1));
#else
  store(p, v);
#endif
}
THINC_FN void store_chunks(double* p, size_t stride, DoubleVector v) {
#if THINC_VECTOR_BYTES == 64
  store_chunk(p, (Double16Bytes)_mm512_maskz_extractf64x2_pd(0x3, v, 0));
  store_chunk(p + stride, (Double16Bytes)_mm512_maskz_extractf64x2_pd(0x3, v, 1));
  store_chunk(p + 2 * stride, (Double16Bytes)_mm512_maskz_extractf64x2_pd(0x3, v, 2));
  store_chunk(p + 3 * stride, (Double16Bytes)_mm512_maskz_extractf64x2_pd(0x3, v, 3));
#elif THINC_VECTOR_BYTES == 32
  store_chunk(p, (Double16Bytes)_mm256_castpd256_pd128(v));
  store_chunk(p + stride, (Double16Bytes)_mm256_extractf128_pd(v, 1));
#else
  store(p, v);
#endif
}

// Sums within chunks: chunk g of the result is {sum of v[0]'s chunk g, sum of v[1]'s chunk g, ...}.
THINC_FN FloatVector fold(const FloatVector* v) {
  FloatVector ab = shuffle<0, 1, 102, 103>(v[0], v[1]) + shuffle<2, 3, 100, 101>(v[0], v[1]);
  FloatVector cd = shuffle<0, 1, 102, 103>(v[2], v[3]) + shuffle<2, 3, 100, 101>(v[2], v[3]);
  return shuffle<0, 2, 100, 102>(ab, cd) + shuffle<1, 3, 101, 103>(ab, cd);
}
THINC_FN DoubleVector fold(const DoubleVector* v) { return shuffle<0, 101>(v[0], v[1]) + shuffle<1, 100>(v[0], v[1]); }

#else  // plain loops

template <class T>
struct Vec {
  T x[THINC_VECTOR_BYTES / sizeof(T)];
};
template <class T>
using Chunk = Vec<T>;

#define THINC_EACH for (size_t i = 0; i < THINC_VECTOR_BYTES / sizeof(T); ++i)
template <class T>
THINC_FN Vec<T> load(const T* p) {
  Vec<T> v;
  THINC_EACH v.x[i] = p[i];
  return v;
}
template <class T>
THINC_FN void store(T* p, Vec<T> v) {
  THINC_EACH p[i] = v.x[i];
}
template <class T>
THINC_FN Vec<T> splat(T x) {
  Vec<T> v;
  THINC_EACH v.x[i] = x;
  return v;
}
template <class T>
THINC_FN Vec<T> operator+(Vec<T> a, Vec<T> b) {
  THINC_EACH a.x[i] += b.x[i];
  return a;
}
template <class T>
THINC_FN Vec<T> operator-(Vec<T> a, T b) {
  THINC_EACH a.x[i] -= b;
  return a;
}
template <class T>
THINC_FN Vec<T> operator*(Vec<T> a, Vec<T> b) {
  THINC_EACH a.x[i] *= b.x[i];
  return a;
}
template <class T>
THINC_FN Vec<T>& operator+=(Vec<T>& a, Vec<T> b) {
  THINC_EACH a.x[i] += b.x[i];
  return a;
}
#undef THINC_EACH
template <class T>
THINC_FN Chunk<T> load_chunk(const T* p) {
  return load(p);
}
template <class T>
THINC_FN void store_chunk(T* p, Chunk<T> c) {
  store(p, c);
}
template <class T>
THINC_FN Chunk<T> splat_chunk(T x) {
  return splat(x);
}
template <class T>
THINC_FN Vec<T> load_repeated(const T* p) {
  return load(p);
}
template <class T>
THINC_FN void transpose_chunks(Vec<T>*) {}  // one chunk a vector
template <class T>
THINC_FN void store_chunks(T* p, size_t, Vec<T> v) {
  store(p, v);
}
THINC_FN Vec<float> fold(const Vec<float>* v) {
  Vec<float> r;
  for (int i = 0; i < 4; ++i) r.x[i] = (v[i].x[0] + v[i].x[2]) + (v[i].x[1] + v[i].x[3]);
  return r;
}
THINC_FN Vec<double> fold(const Vec<double>* v) {
  Vec<double> r;
  for (int i = 0; i < 2; ++i) r.x[i] = v[i].x[0] + v[i].x[1];
  return r;
}

#endif

// The n first numbers of a vector, fewer than there are lanes; zeros beyond, where no memory is read.
#if defined(__AVX512F__)
THINC_FN FloatVector load_first(const float* p, int n) {
  return (FloatVector)_mm512_maskz_loadu_ps(__mmask16((1 << n) - 1), p);
}
THINC_FN DoubleVector load_first(const double* p, int n) {
  return (DoubleVector)_mm512_maskz_loadu_pd(__mmask8((1 << n) - 1), p);
}
#elif defined(__AVX2__)
THINC_FN FloatVector load_first(const float* p, int n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return (FloatVector)_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
}
THINC_FN DoubleVector load_first(const double* p, int n) {
  const __m256i lane = _mm256_setr_epi64x(0, 1, 2, 3);
  return (DoubleVector)_mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lane));
}
#else
template <class T>
THINC_FN Vec<T> load_first(const T* p, int n) {
  T values[lanes<T>()];
  for (int i = 0; i < int(lanes<T>()); ++i) values[i] = i < n ? p[i] : T(0);
  return load(values);
}
#endif

// The vector at c, the h-th column of a row, of which only `columns` exist: zeros beyond.
template <class T>
THINC_FN Vec<T> load_columns(const T* c, size_t columns, size_t h) {
  if (h + lanes<T>() <= columns) return load(c);
  return load_first(c, h < columns ? int(columns - h) : 0);
}

template <class T>
THINC_FN void store_columns(T* c, size_t columns, Vec<T> v) {
  if (lanes<T>() <= columns) return store(c, v);
  T values[lanes<T>()];
  store(values, v);
  for (size_t i = 0; i < lanes<T>(); ++i)
    if (i < columns) c[i] = values[i];
}

// The sums of the lanes of R vectors.
template <size_t R, class T>
THINC_FN void sum_lanes(T (&sums)[R], const Vec<T> (&v)[R]) {
  constexpr size_t H = in_chunk<T>();
  static_assert(R % 4 == 0, "whole chunks");
#pragma GCC unroll 4
  for (size_t r = 0; r < R; r += H) {
    T values[lanes<T>()];
    store(values, fold(v + r));
    Chunk<T> sum = load_chunk(values);
#pragma GCC unroll 4
    for (size_t g = 1; g < groups; ++g) sum += load_chunk(values + g * H);
    store_chunk(sums + r, sum);
  }
}

// ---- narrow numbers as vectors of floats, exactly

#ifdef __GNUC__
#define THINC_LANES_OF(v) v
#else
#define THINC_LANES_OF(v) v.x
#endif

THINC_FN float widened(const Half* p) { return float(*p); }
THINC_FN float widened(const int8_t* p) { return float(*p); }

THINC_FN Vec<float> load_widened(const Half* p) {
#if defined(__AVX512F__)
  return (FloatVector)_mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return (FloatVector)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__GNUC__) && defined(__aarch64__)
  return (FloatVector)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p))));
#else
  Vec<float> v;
  for (size_t i = 0; i < lanes<float>(); ++i) THINC_LANES_OF(v)[i] = widened(p + i);
  return v;
#endif
}

// A vector from each of `groups` rows, transposed: v[c] gets chunk c of every row. Where that takes many moves, they
// come first, of half the bytes.
THINC_FN void load_widened_chunks(Vec<float> (&v)[groups], const Half* p, size_t stride) {
#if defined(__AVX512F__)
  __m256i row[4];
#pragma GCC unroll 4
  for (size_t g = 0; g < 4; ++g) row[g] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + g * stride));
  const __m256i a = _mm256_unpacklo_epi64(row[0], row[1]), b = _mm256_unpacklo_epi64(row[2], row[3]);
  const __m256i c = _mm256_unpackhi_epi64(row[0], row[1]), d = _mm256_unpackhi_epi64(row[2], row[3]);
  v[0] = (FloatVector)_mm512_maskz_cvtph_ps(0xffff, _mm256_permute2x128_si256(a, b, 0x20));
  v[1] = (FloatVector)_mm512_maskz_cvtph_ps(0xffff, _mm256_permute2x128_si256(c, d, 0x20));
  v[2] = (FloatVector)_mm512_maskz_cvtph_ps(0xffff, _mm256_permute2x128_si256(a, b, 0x31));
  v[3] = (FloatVector)_mm512_maskz_cvtph_ps(0xffff, _mm256_permute2x128_si256(c, d, 0x31));
#else
  for (size_t g = 0; g < groups; ++g) v[g] = load_widened(p + g * stride);
  transpose_chunks(v);
#endif
}

THINC_FN Vec<float> load_widened(const int8_t* p) {
#if defined(__AVX512F__)
  const __m512i wide = _mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return (FloatVector)_mm512_maskz_cvtepi32_ps(0xffff, wide);
#elif defined(__AVX2__)
  return (FloatVector)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  Vec<float> v;
  for (size_t i = 0; i < lanes<float>(); ++i) THINC_LANES_OF(v)[i] = widened(p + i);
  return v;
#endif
}

template <class N>
void widen(float* to, const N* from, size_t n) {
  constexpr size_t L = lanes<float>();
  size_t i = 0;
#pragma GCC unroll 4
  for (; i + L <= n; i += L) store(to + i, load_widened(from + i));
  for (; i < n; ++i) to[i] = widened(from + i);
}

THINC_END
