// Weights of 8 bits. A row of a matrix is its numbers and then its scale:
//
//     w[0] w[1] ... w[I - 1] | s[0] s[1] s[2] s[3]        number i is w[i] * s; s a float32, little-endian, unaligned
//
// Products take rows of X in 8 bits, too: x[i] ~ q[i] * t with t = max |x| / 127 of that row and q = x * (127 / max
// |x|), rounded to the nearest, halves to even. Then
//
//     y[o] = float(sum over i of q[i] w[o][i]) * (t * s[o]) + b[o]
//
// The sum is an integer, exact in any order, and each float step is rounded as it stands here: so the bits are the same
// on every CPU level, and depend on the row of X, the row of W and the bias alone. A row of X in which a number is
// infinite or NaN gives NaN; one whose largest number is below 2^-119 counts as zeros.
//
// N rows, I in, O out, P pieces. Stack: at most 100 KiB, heap none.
#pragma once

#include <string.h>

#include "dense.hh"

THINC_BEGIN

constexpr size_t scale_bytes = 4;
constexpr size_t most_int8_inputs = 12 * 1024;  // I: a vector of rows of X fits into a block, and the sum into 32 bits

THINC_FN float read_scale(const int8_t* row, size_t I) {
  const uint8_t* byte = reinterpret_cast<const uint8_t*>(row + I);
  return number_of(byte[0] | uint32_t(byte[1]) << 8 | uint32_t(byte[2]) << 16 | uint32_t(byte[3]) << 24);
}

// What a row is multiplied with on its way to integers and back.
struct RowScale {
  float to, from;
};
// (Not by the largest of integers: without an instruction for it GCC makes MMX code, which leaves the x87 unusable.)
THINC_FN RowScale scale_of(const float* x, size_t I) {
  float largest = 0;
  uint32_t bad = 0;
#pragma omp simd reduction(max : largest) reduction(| : bad)
  for (size_t i = 0; i < I; ++i) {
    const float size = abs_(x[i]);
    largest = size > largest ? size : largest;
    bad |= uint32_t(!(size <= 3.4028234663852886e38f));
  }
  if (bad) return {0, number_of(0x7fc00000u)};
  if (largest < 1.504632769052528e-36f) return {0, 0};  // 2^-119: 127 / largest is finite
  return {127.0f / largest, largest / 127.0f};
}

// x * to, rounded to an integer of at most 127: adding 1.5 * 2^23 leaves it in the last bits. NaN (infinity * 0) gives
// anything; `from` is NaN then.
constexpr float rounder = 12582912.0f;
THINC_FN int8_t to_int8(float x, float to) { return int8_t(bits_of(rounded(x * to) + rounder)); }

#ifdef __GNUC__

// A tile is that of gemm.hh, with 16 values of k in a chunk in place of 4: a vector holds a chunk of each of `groups`
// rows of X, and meets a chunk of a row of W that is repeated in each group. A 32-bit lane adds four products.
typedef int32_t Int32Vector __attribute__((vector_size(THINC_VECTOR_BYTES)));
typedef int32_t Int32Anywhere __attribute__((vector_size(THINC_VECTOR_BYTES), aligned(1), may_alias));
typedef int32_t Int32Chunk __attribute__((vector_size(16)));
typedef int32_t Int32ChunkAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
constexpr size_t int8_chunk = 16;

THINC_FN Int32Vector load_bytes(const void* p) { return *static_cast<const Int32Anywhere*>(p); }
THINC_FN Int32Vector load_bytes_repeated(const void* p) {
#if THINC_VECTOR_BYTES == 16
  return load_bytes(p);
#else
  return (Int32Vector)load_repeated(static_cast<const float*>(p));
#endif
}

// The low bytes of the lanes.
THINC_FN void narrow(int8_t* to, Int32Vector v) {
#if THINC_VECTOR_BYTES > 16
  typedef int8_t Bytes __attribute__((vector_size(THINC_VECTOR_BYTES / 4)));
  const Bytes bytes = __builtin_convertvector(v, Bytes);
  memcpy(to, &bytes, sizeof bytes);
#else
  for (size_t i = 0; i < THINC_VECTOR_BYTES / 4; ++i) to[i] = int8_t(v[i]);
#endif
}

// What vpdpbusd multiplies is unsigned times signed: there q + 128 is kept, and 128 times the sum of w taken off again.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr int32_t int8_offset = 128;
#else
constexpr int32_t int8_offset = 0;
#endif

// Lane j of sum += the four products of bytes 4 j to 4 j + 3 of x (ours: never -128) and w.
THINC_FN Int32Vector add_products(Int32Vector sum, Int32Vector x, Int32Vector w) {
#if defined(__AVX512VNNI__)
  return (Int32Vector)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(__AVXVNNI__)
  return (Int32Vector)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
#elif defined(__AVX2__) && THINC_VECTOR_BYTES == 32
  // |w| <= 128 times |x| <= 127, two of them: 16 bits hold it
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)w), _mm256_sign_epi8((__m256i)x, (__m256i)w));
  return sum + (Int32Vector)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__ARM_FEATURE_DOTPROD)
  return (Int32Vector)vdotq_s32((int32x4_t)sum, (int8x16_t)x, (int8x16_t)w);
#else
  typedef int8_t Bytes __attribute__((vector_size(THINC_VECTOR_BYTES)));
  const Bytes a = (Bytes)x, b = (Bytes)w;
  for (size_t j = 0; j < THINC_VECTOR_BYTES / 4; ++j)
    for (size_t i = 4 * j; i < 4 * j + 4; ++i) sum[j] += int32_t(a[i]) * b[i];
  return sum;
#endif
}

THINC_FN Int32Vector fold_sums(const Int32Vector* v) {  // as `fold`
#define THINC_MIX(x, y, ...) ((Int32Vector)shuffle<__VA_ARGS__>((FloatVector)(x), (FloatVector)(y)))
  const Int32Vector ab = THINC_MIX(v[0], v[1], 0, 1, 102, 103) + THINC_MIX(v[0], v[1], 2, 3, 100, 101);
  const Int32Vector cd = THINC_MIX(v[2], v[3], 0, 1, 102, 103) + THINC_MIX(v[2], v[3], 2, 3, 100, 101);
  return THINC_MIX(ab, cd, 0, 2, 100, 102) + THINC_MIX(ab, cd, 1, 3, 101, 103);
#undef THINC_MIX
}

// sums[j] = int8_offset * the sum of row j of W; there is room for 3 more.
THINC_FN void sum_weights(int32_t* sums, const int8_t* W, size_t ldw, size_t columns, size_t k) {
  if (int8_offset == 0) return;
  typedef int8_t Ones __attribute__((vector_size(THINC_VECTOR_BYTES)));
  const Ones ones = Ones{} + int8_t(1);
  for (size_t j = 0; j < columns; j += 4) {
    const int8_t* row[4];
    Int32Vector sum[4] = {};
    for (size_t h = 0; h < 4; ++h) row[h] = W + min_size(j + h, columns - 1) * ldw;
    size_t i = 0;
    for (; i + THINC_VECTOR_BYTES <= k; i += THINC_VECTOR_BYTES)
#pragma GCC unroll 4
      for (size_t h = 0; h < 4; ++h) sum[h] = add_products(sum[h], (Int32Vector)ones, load_bytes(row[h] + i));
    const Int32Vector folded = fold_sums(sum);
    for (size_t h = 0; h < 4; ++h) {
      int32_t total = 0;
      for (size_t g = 0; g < groups; ++g) total += folded[4 * g + h];
      for (size_t rest = i; rest < k; ++rest) total += row[h][rest];
      sums[j + h] = int8_offset * total;
    }
  }
}

constexpr size_t int8_rows = 96;      // of X in a block, at most
constexpr size_t int8_columns = 256;  // rows of W in a panel, at most
static_assert(int8_rows % groups == 0 && int8_columns % dot_columns == 0, "whole tiles");

// One block of rows of X as integers, [tile of `width` vectors][chunk of k][vector][group][int8_chunk], and with them
// all products that anybody wants.
class Int8Block {
 public:
  explicit Int8Block(size_t N, size_t I) : k(I), k_room(I ? ceil_div(I, int8_chunk) * int8_chunk : int8_chunk) {
    at_once = even_piece(ceil_div(N, groups), min_size(pack_bytes / k_room, int8_rows) / groups, 1) * groups;
    panel = min_size(ceil_div(panel_bytes / k_room + 1, dot_columns) * dot_columns, int8_columns);
  }

  size_t rows_at_once() const { return at_once; }

  void pack(const float* X, size_t ldx, size_t n_rows) {
    rows = n_rows;
    if (rows == 1) return pack_row(packed, int8_chunk, X, 0);
    const size_t vectors = ceil_div(rows, groups);
    width = ceil_div(vectors, ceil_div(vectors, dot_vectors));
    for (size_t v = 0; v < vectors; v += width) {
      const size_t here = min_size(width, vectors - v), step = here * THINC_VECTOR_BYTES;
      for (size_t r = 0; r < here * groups; ++r) {
        int8_t* to = packed + v * groups * k_room + r * int8_chunk;
        const size_t row = v * groups + r;
        if (row < rows)
          pack_row(to, step, X + row * ldx, row);
        else
          zero_row(to, step, row);
      }
    }
  }

  // Y (rows, columns), rows ldy apart, from W (columns, k), rows ldw apart; with `add`, Y += the product.
  void product(float* Y, size_t ldy, const int8_t* W, size_t ldw, const float* b, bool add, size_t columns) {
    if (rows == 1) return product_of_one(Y, W, ldw, b, add, columns);
    const size_t vectors = ceil_div(rows, groups);
    for (size_t n = 0; n < columns; n += panel) {
      const size_t some = min_size(panel, columns - n);
      const int8_t* w = W + n * ldw;
      sum_weights(weight_sums, w, ldw, some, k);
      for (size_t j = 0; j < some; ++j) weight_scales[j] = read_scale(w + j * ldw, k);
      for (size_t v = 0; v < vectors; v += width) {
        const size_t here = min_size(width, vectors - v);
        float* y = Y + v * groups * ldy + n;
        const float* bias = b ? b + n : b;
        if (here == 3)
          tiles<3>(y, ldy, v, w, ldw, bias, add, some);
        else if (here == 2)
          tiles<2>(y, ldy, v, w, ldw, bias, add, some);
        else
          tiles<1>(y, ldy, v, w, ldw, bias, add, some);
      }
    }
  }

 private:
  // One row, which lies as it is: whole vectors of it meet whole vectors of W, each of which is read once.
  void product_of_one(float* y, const int8_t* W, size_t ldw, const float* b, bool add, size_t columns) {
    for (size_t n = 0; n < columns; n += 4) {
      const size_t present = min_size(4, columns - n);
      const int8_t* row[4];
      for (size_t h = 0; h < 4; ++h) row[h] = W + (n + min_size(h, present - 1)) * ldw;
      Int32Vector sum[4] = {}, weights[4] = {};
      size_t i = 0;
      for (; i + THINC_VECTOR_BYTES <= k; i += THINC_VECTOR_BYTES) {
        const Int32Vector x = load_bytes(packed + i);
#pragma GCC unroll 4
        for (size_t h = 0; h < 4; ++h) {
          THINC_PREFETCH(row[h] + 4 * ldw + i, 0);  // rows are too short for the CPU to see where they lead
          add_row(sum[h], weights[h], x, load_bytes(row[h] + i));
        }
      }
      if (i < k) {
        int8_t x[THINC_VECTOR_BYTES] = {};
        memcpy(x, packed + i, k - i);
        for (size_t h = 0; h < 4; ++h) {
          int8_t w[THINC_VECTOR_BYTES] = {};
          memcpy(w, row[h] + i, k - i);
          add_row(sum[h], weights[h], load_bytes(x), load_bytes(w));
        }
      }
      for (size_t h = 0; h < 4; ++h) sum[h] = sum[h] - int8_offset * weights[h];
      const Int32Vector folded = fold_sums(sum);
      for (size_t h = 0; h < present; ++h) {
        int32_t total = 0;
        for (size_t g = 0; g < groups; ++g) total += folded[4 * g + h];
        const float value = rounded(float(total) * rounded(row_scales[0] * read_scale(row[h], k)));
        float* to = y + n + h;
        *to = add ? *to + value : b ? value + b[n + h] : value;
      }
    }
  }

  // sum += x w, weights += w
  static THINC_FN void add_row(Int32Vector& sum, Int32Vector& weights, Int32Vector x, Int32Vector w) {
    typedef int8_t Bytes __attribute__((vector_size(THINC_VECTOR_BYTES)));
    sum = add_products(sum, x, w);
    if (int8_offset != 0) weights = add_products(weights, (Int32Vector)(Bytes{} + int8_t(1)), w);
  }

  void zero_row(int8_t* to, size_t step, size_t row) {
    for (size_t i = 0; i < 4; ++i) row_scales[4 * row + i] = 0;
    for (size_t i = 0; i < k_room; i += int8_chunk, to += step) memset(to, 0, int8_chunk);
  }

  void pack_row(int8_t* to, size_t step, const float* x, size_t row) {
    constexpr size_t L = lanes<float>();
    const RowScale scale = scale_of(x, k);
    for (size_t i = 0; i < 4; ++i) row_scales[4 * row + i] = scale.from;
    const FloatVector factor = splat(scale.to), magic = splat(rounder);
    const Int32Vector base = Int32Vector{} + (int32_t(bits_of(rounder)) - int8_offset);
    size_t i = 0;
    for (; i + int8_chunk <= k; i += int8_chunk, to += step) {
#pragma GCC unroll 4
      for (size_t part = 0; part < int8_chunk; part += L) {
        const Int32Vector q = (Int32Vector)(rounded(load(x + i + part) * factor) + magic) - base;
        narrow(to + part, q);
      }
    }
    if (i < k) {
      memset(to, 0, int8_chunk);
      for (size_t h = 0; i + h < k; ++h) to[h] = int8_t(to_int8(x[i + h], scale.to) + int8_offset);
    }
  }

  template <size_t V>
  void tiles(float* Y, size_t ldy, size_t v, const int8_t* W, size_t ldw, const float* b, bool add, size_t columns) {
    constexpr size_t few = 4;
    size_t n = 0;
    for (; n + dot_columns - few < columns; n += dot_columns)
      tile<V, dot_columns>(Y + n, ldy, v, W + n * ldw, ldw, b ? b + n : b, add, n, min_size(dot_columns, columns - n));
    if (n < columns) tile<V, few>(Y + n, ldy, v, W + n * ldw, ldw, b ? b + n : b, add, n, columns - n);
  }

  template <size_t V, size_t J>
  THINC_TILE void tile(float* Y, size_t ldy, size_t v0, const int8_t* W, size_t ldw, const float* b, bool add, size_t n,
                       size_t columns) {
    const int8_t* a = packed + v0 * groups * k_room;
    const int8_t* row[J];
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) row[j] = W + (j < columns ? j : columns - 1) * ldw;
    Int32Vector sum[V][J];
#pragma GCC unroll 16
    for (size_t v = 0; v < V; ++v)
#pragma GCC unroll 16
      for (size_t j = 0; j < J; ++j) sum[v][j] = Int32Vector{};
    size_t i = 0;
    for (; i + int8_chunk <= k; i += int8_chunk, a += V * THINC_VECTOR_BYTES) {
      Int32Vector x[V];
#pragma GCC unroll 16
      for (size_t v = 0; v < V; ++v) x[v] = load_bytes(a + v * THINC_VECTOR_BYTES);
#pragma GCC unroll 16
      for (size_t j = 0; j < J; ++j) {
        const Int32Vector w = load_bytes_repeated(row[j] + i);
#pragma GCC unroll 16
        for (size_t v = 0; v < V; ++v) sum[v][j] = add_products(sum[v][j], x[v], w);
      }
    }
    if (i < k) {
#pragma GCC unroll 16
      for (size_t j = 0; j < J; ++j) {
        int8_t tail[int8_chunk] = {};
        memcpy(tail, row[j] + i, k - i);
        const Int32Vector w = load_bytes_repeated(tail);
#pragma GCC unroll 16
        for (size_t v = 0; v < V; ++v) sum[v][j] = add_products(sum[v][j], load_bytes(a + v * THINC_VECTOR_BYTES), w);
      }
    }
#pragma GCC unroll 16
    for (size_t v = 0; v < V; ++v) {
      const size_t first = (v0 + v) * groups;
      if (first >= rows) return;
      const size_t present = min_size(groups, rows - first);
      const FloatVector t = load(row_scales + 4 * first);
#pragma GCC unroll 16
      for (size_t j = 0; j < J; j += 4) {
        if (j >= columns) break;
        Int32Vector total = fold_sums(&sum[v][j]);
        if (int8_offset != 0) total = total - load_bytes_repeated(weight_sums + n + j);
        const FloatVector scale = rounded(t * load_repeated(weight_scales + n + j));
        FloatVector y = rounded(__builtin_convertvector(total, FloatVector) * scale);
        float* to = Y + v * groups * ldy + j;
        if (j + 4 <= columns && !add) {
          if (b) y = y + load_repeated(b + j);
          if (present == groups) {
            store_chunks(to, ldy, y);
            continue;
          }
        }
        float values[lanes<float>()];
        store(values, y);
        for (size_t g = 0; g < present; ++g, to += ldy)
          for (size_t h = 0; h < 4 && j + h < columns; ++h) {
            const float value = values[g * 4 + h];
            to[h] = add ? to[h] + value : b && j + 4 > columns ? value + b[j + h] : value;
          }
      }
    }
  }

  alignas(64) int8_t packed[pack_bytes];
  float row_scales[4 * int8_rows];  // each four times
  float weight_scales[int8_columns + dot_columns];
  int32_t weight_sums[int8_columns + dot_columns];
  const size_t k, k_room;
  size_t at_once, panel, rows, width;
};

#else  // plain loops

class Int8Block {
 public:
  explicit Int8Block(size_t, size_t I) : k(I) {}
  size_t rows_at_once() const { return 1; }
  void pack(const float* X, size_t, size_t) {
    scale = scale_of(X, k);
    for (size_t i = 0; i < k; ++i) packed[i] = to_int8(X[i], scale.to);
  }
  void product(float* Y, size_t, const int8_t* W, size_t ldw, const float* b, bool add, size_t columns) {
    for (size_t j = 0; j < columns; ++j, W += ldw) {
      int32_t sum = 0;
      for (size_t i = 0; i < k; ++i) sum += int32_t(packed[i]) * W[i];
      const float y = rounded(float(sum) * rounded(scale.from * read_scale(W, k)));
      Y[j] = add ? Y[j] + y : b ? y + b[j] : y;
    }
  }

 private:
  int8_t packed[pack_bytes];
  RowScale scale;
  const size_t k;
};

#endif

THINC_FN void int8_product(void* Y_, const void* X_, const void* W, const void* b, bool add, size_t N, size_t I,
                           size_t O) {
  float* Y = static_cast<float*>(Y_);
  const float* X = static_cast<const float*>(X_);
  Int8Block block(N, I);
  for (size_t n = 0, rows; n < N; n += rows) {
    rows = min_size(block.rows_at_once(), N - n);
    block.pack(X + n * I, I, rows);
    block.product(Y + n * O, O, static_cast<const int8_t*>(W), I + scale_bytes, static_cast<const float*>(b), add, O);
  }
}

// ---- the kernels of the table: those of dense.hh and embedding.hh. I <= most_int8_inputs

void affine_int8(void* Y, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O) {
  int8_product(Y, X, W, b, false, N, I, O);
}

void add_product_int8(void* Y, const void* X, const void* W, size_t N, size_t I, size_t O) {
  int8_product(Y, X, W, nullptr, true, N, I, O);
}

// The largest pieces of one block of X, some outputs at a time.
THINC_FN void int8_maxout(Int8Block& block, float* best, int32_t* which, const int8_t* W, const float* b, size_t rows,
                          size_t I, size_t O, size_t P) {
  constexpr size_t most = pack_bytes / 2 / sizeof(float);
  alignas(64) float pieces[most];
  int32_t ignored[most];
  const size_t row_bytes = I + scale_bytes, at_once = most / rows / P;
  for (size_t o = 0; o < O; o += at_once) {
    const size_t some = min_size(at_once, O - o);
    block.product(pieces, some * P, W + o * P * row_bytes, row_bytes, b ? b + o * P : b, false, some * P);
    for (size_t r = 0; r < rows; ++r)
      maxout<float>(best + r * O + o, which ? which + r * O + o : ignored, pieces + r * some * P, 1, some, P);
  }
}
constexpr size_t most_int8_pieces = pack_bytes / 2 / sizeof(float) / 96;  // of the rows of a block at least one output

void affine_maxout_int8(void* best, int32_t* which, const void* X, size_t ldx, const void* W, const void* b, size_t N,
                        size_t I, size_t O, size_t P) {
  Int8Block block(N, I);
  for (size_t n = 0, rows; n < N; n += rows) {
    rows = min_size(block.rows_at_once(), N - n);
    block.pack(static_cast<const float*>(X) + n * ldx, ldx, rows);
    int8_maxout(block, static_cast<float*>(best) + n * O, which + n * O, static_cast<const int8_t*>(W),
                static_cast<const float*>(b), rows, I, O, P);
  }
}

void affine_maxout_layer_norm_int8(void* Y_, void* best_, int32_t* which, void* mu, void* rstd, const void* X,
                                   size_t ldx, const void* W, const void* b, const void* G, const void* beta,
                                   double eps, size_t N, size_t I, size_t O, size_t P) {
  float *Y = static_cast<float*>(Y_), *best = best_ ? static_cast<float*>(best_) : Y;
  Int8Block block(N, I);
  for (size_t n = 0, rows; n < N; n += rows) {
    rows = min_size(block.rows_at_once(), N - n);
    block.pack(static_cast<const float*>(X) + n * ldx, ldx, rows);
    int8_maxout(block, best + n * O, which ? which + n * O : which, static_cast<const int8_t*>(W),
                static_cast<const float*>(b), rows, I, O, P);
    layer_norm<float>(Y + n * O, static_cast<float*>(mu) + n, static_cast<float*>(rstd) + n, best + n * O, G, beta, eps,
                      rows, O);
  }
}

THINC_END
