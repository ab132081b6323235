// Matrix products: C = alpha op(A) op(B) + beta C, row-major, for float and double.
//
// Two kernels. Neither keeps a packed copy of the weights that could go stale. Stack: at most 104 KiB, with half
// weights 216 KiB; heap none.
//
// B transposed (X @ W.T, every forward product): both operands run along k. A vector holds one 16-byte chunk along k of
// each of `groups` rows of A (packed so, which costs one copy of a block of A), and meets a chunk of a row of B that is
// repeated in every group:
//
//     packed A   | row 0: k k+1 k+2 k+3 | row 1: k k+1 k+2 k+3 | row 2 ...      one vector, four rows on AVX-512
//     row j of B | j: k k+1 k+2 k+3     | j: k k+1 k+2 k+3     | j ...          one load that repeats a chunk
//
// so that an accumulator keeps in_chunk partial sums for each row, which are folded at the end. Each output is summed
// in an order that depends on k alone: the same bits for any number of rows, any strides, and any width of vector (but
// `base` on x86 has no fused multiply-add, and so bits of its own).
//
// B not transposed (dY @ W, dY.T @ X, every backward product): vectors along n, each value of op(A) splat against them.
// B is read where it lies; only where its rows are far apart the first tile of rows leaves a packed copy for the rest.
//
// k is cut into even blocks so that a tile's operands stay in the first-level cache. Each block has a sum of its own,
// so where it is cut depends on K only. A block may be halved for the cache's sake: then the second half goes on with
// the sums of the first. So the bits of an output depend on its row of op(A), its column of op(B), the form of the
// product and (but for `base`) nothing else: neither on the other rows and columns, nor on strides, threads and level.
//
// Over 500 lines: the two kernels, and how each is cut into blocks.
#pragma once

#include "vectors.hh"

THINC_BEGIN

// Tiles, chosen by measurement: accumulators fill the registers that the operands leave free.
#if THINC_VECTOR_REGISTERS == 32
constexpr size_t dot_vectors = 3, dot_columns = 8;   // vectors of rows of A x rows of B
constexpr size_t wide_vectors = 4;                   // so many at the end are one tile, of few columns
constexpr size_t outer_rows = 8, outer_vectors = 3;  // rows of A x vectors along n
#else
constexpr size_t dot_vectors = 3, dot_columns = 4, wide_vectors = dot_vectors;
constexpr size_t outer_rows = 4, outer_vectors = 3;
#endif
#if defined(__FMA__) || defined(__aarch64__)
constexpr size_t dot_unroll = THINC_VECTOR_REGISTERS == 32 ? 4 : 2;  // chunks of k
#else
constexpr size_t dot_unroll = 1;  // the products need registers of their own
#endif
constexpr size_t pack_bytes = 48 * 1024;        // a packed block of A, on the stack; pieces of maxout: half as much
constexpr size_t wide_pack_bytes = 128 * 1024;  // the same where B is widened again for each block
constexpr size_t panel_bytes = 24 * 1024;       // of B, that every tile of rows walks: it stays in L1
constexpr size_t block_bytes = 512 * 1024;      // a block of B that every block of A walks: it stays in L2
constexpr size_t most_k_bytes = 2048;           // of a row in one block of k, B transposed
constexpr size_t one_outer_k = 384;             // B not transposed: as many values of k are one block
constexpr size_t most_outer_k = 192;            // of more, as many are in each
constexpr size_t far_bytes = 2048;              // between rows of B

THINC_FN size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
THINC_FN size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
// The n-th part of `total` cut into the fewest even pieces of at most `most`, each a multiple of `unit`; so is `most`.
THINC_FN size_t even_piece(size_t total, size_t most, size_t unit) {
  return total <= most ? total : ceil_div(ceil_div(total, ceil_div(total, most)), unit) * unit;
}

// How an output is made from a sum: alpha * sum + bias[column], or alpha * sum + beta * C.
template <class T>
struct Finish {
  T alpha, beta;
  const T* bias;           // null: none. With a bias, beta is 0
  bool continues = false;  // the sum begins with what is in C (B not transposed)

  THINC_FN Finish from_column(size_t n) const { return {alpha, beta, bias ? bias + n : bias}; }
  THINC_FN Finish in_block(size_t k0) const {  // in later blocks of k the sum of the earlier ones is in C
    return k0 ? Finish{alpha, T(1), nullptr} : *this;
  }
};

// Keeps compilers from fusing the product that made v with what comes next, as they do here and not there.
template <class V>
THINC_FN V rounded(V v) {
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
  asm("" : "+v"(v));
#elif defined(__GNUC__) && defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

// The same for one output; `value` is alpha * sum.
template <class T>
THINC_FN void finish_one(T* c, T value, const Finish<T>& finish, size_t column) {
  if (finish.bias)
    value = value + finish.bias[column];
  else if (finish.beta != T(0))
    value = value + finish.beta * *c;
  *c = value;
}

// ---- B transposed

// Packs rows x k of A as drawn above: [tile of `vectors` vectors][chunk of k][vector][group][in_chunk]; rows and values
// of k beyond the end are zero. op(A)[r][k] = A[r * row_stride + k * k_stride].
template <class T>
void pack_chunks(T* packed, const T* A, size_t row_stride, size_t k_stride, size_t rows, size_t k, size_t vectors) {
  constexpr size_t H = in_chunk<T>(), L = lanes<T>();
  const size_t step = vectors * L;
  for (size_t v = 0; v < vectors; ++v, A += groups * row_stride, packed += L) {
    const size_t present = v * groups < rows ? min_size(groups, rows - v * groups) : 0;
    T* to = packed;
    size_t i = 0;
    if (present == groups && k_stride == 1) {  // whole vectors of each row
      for (; i + L <= k; i += L, to += groups * step) {
        Vec<T> row[groups];
#pragma GCC unroll 4
        for (size_t g = 0; g < groups; ++g) row[g] = load(A + g * row_stride + i);
        transpose_chunks(row);
#pragma GCC unroll 4
        for (size_t g = 0; g < groups; ++g) store(to + g * step, row[g]);
      }
    }
    for (; i < k; i += H, to += step)
      for (size_t g = 0; g < groups; ++g)
        for (size_t h = 0; h < H; ++h)
          to[g * H + h] = g < present && i + h < k ? A[g * row_stride + (i + h) * k_stride] : T(0);
  }
}

// The products of one chunk along k, i values in.
template <class T, size_t V, size_t J>
THINC_FN void dot_step(Vec<T> (&sum)[V][J], const T* packed, const T* const (&row)[J], size_t i) {
  constexpr size_t L = lanes<T>();
  Vec<T> a[V];
#pragma GCC unroll 16
  for (size_t v = 0; v < V; ++v) a[v] = load(packed + v * L);
#pragma GCC unroll 16
  for (size_t j = 0; j < J; ++j) {
    const Vec<T> b = load_repeated(row[j] + i);
#pragma GCC unroll 16
    for (size_t v = 0; v < V; ++v) sum[v][j] += a[v] * b;
  }
}

// One tile: V vectors of packed rows against J rows of B. `rows` and `columns` say how much of it exists.
template <class T, size_t V, size_t J>
THINC_TILE void dot_tile(T* C, size_t ldc, const T* packed, const T* B, size_t ldb, size_t k, size_t rows,
                         size_t columns, const Finish<T>& finish) {
  constexpr size_t H = in_chunk<T>(), L = lanes<T>();
  const T* row[J];  // a missing row of B repeats the last one; its sums are not stored
#pragma GCC unroll 16
  for (size_t j = 0; j < J; ++j) row[j] = B + (j < columns ? j : columns - 1) * ldb;
  Vec<T> sum[V][J];
#pragma GCC unroll 16
  for (size_t v = 0; v < V; ++v)
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) sum[v][j] = splat(T(0));
  const size_t whole = k / H * H;
  size_t i = 0;
  for (; i + 4 * H <= k; i += 4 * H) {  // a cache line of each row
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) THINC_PREFETCH(row[j] + J * ldb + i, 0);  // of the next tile
#pragma GCC unroll dot_unroll
    for (size_t chunk = 0; chunk < 4; ++chunk, packed += V * L) dot_step(sum, packed, row, i + chunk * H);
  }
  for (; i < whole; i += H, packed += V * L) dot_step(sum, packed, row, i);
  if (whole < k) {
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) {
      T tail[H];
      for (size_t h = 0; h < H; ++h) tail[h] = whole + h < k ? row[j][whole + h] : T(0);
      const Vec<T> b = load_repeated(tail);
#pragma GCC unroll 16
      for (size_t v = 0; v < V; ++v) sum[v][j] += load(packed + v * L) * b;
    }
  }
  const Vec<T> alpha = splat(finish.alpha);
  const Chunk<T> beta = splat_chunk(finish.beta);
#pragma GCC unroll 16
  for (size_t v = 0; v < V; ++v) {
    const size_t present = v * groups < rows ? min_size(groups, rows - v * groups) : 0;
#pragma GCC unroll 16
    for (size_t j = 0; j < J; j += H) {
      T* c = C + v * groups * ldc + j;
      T values[L];
      Vec<T> value = rounded(alpha * fold(&sum[v][j]));
      if (j + H > columns) {
        store(values, value);
        for (size_t g = 0; g < present; ++g, c += ldc)
          for (size_t h = 0; j + h < columns; ++h) finish_one(c + h, values[g * H + h], finish, j + h);
        continue;
      }
      if (finish.bias) value = value + load_repeated(finish.bias + j);
      if (finish.beta == T(0) && present == groups) {
        store_chunks(c, ldc, value);
        continue;
      }
      store(values, value);
      if (finish.beta == T(0)) {
        for (size_t g = 0; g < present; ++g, c += ldc) store_chunk(c, load_chunk(values + g * H));
      } else {
        for (size_t g = 0; g < present; ++g, c += ldc)
          store_chunk(c, load_chunk(values + g * H) + beta * load_chunk(c));
      }
    }
  }
}

// How many of the vectors left the next tile takes: even tiles, as few as there can be.
THINC_FN size_t tile_width(size_t left) {
  return left == wide_vectors ? left : ceil_div(left, ceil_div(left, dot_vectors));
}

template <class T, size_t V>
void dot_rows(T* C, size_t ldc, const T* packed, const T* B, size_t ldb, size_t k, size_t rows, size_t columns,
              const Finish<T>& finish) {
  constexpr size_t few = 4;                                                  // whole chunks of either type
  constexpr size_t many = V == 1 ? 8 : V > dot_vectors ? few : dot_columns;  // sums that do not wait for each other
  size_t n = 0;
  for (; n + many - few < columns; n += many)
    dot_tile<T, V, many>(C + n, ldc, packed, B + n * ldb, ldb, k, rows, min_size(many, columns - n),
                         finish.from_column(n));
  if (n < columns)
    dot_tile<T, V, few>(C + n, ldc, packed, B + n * ldb, ldb, k, rows, columns - n, finish.from_column(n));
}

// Rows of B as tiles read them: where they lie, or widened into the space given, a panel at a time.
template <class B, class T>
constexpr size_t panel_space = sizeof(B) == sizeof(T) ? 1 : panel_bytes / sizeof(T);
template <class T>
THINC_FN const T* panel_of(T*, const T* B, size_t*, size_t, size_t) {
  return B;
}
THINC_FN const float* panel_of(float* space, const Half* B, size_t* ldb, size_t rows, size_t k) {
  for (size_t row = 0; row < rows; ++row) widen(space + row * k, B + row * *ldb, k);
  *ldb = k;
  return space;
}

// Rows of memory that are read next, fetched into the second cache some at a time while others are computed with.
struct Ahead {
  const char* row;
  size_t bytes, stride, rows, at_once;

  template <class T>
  Ahead(const T* from, size_t columns, size_t ld, size_t n_rows, size_t steps)
      : row(reinterpret_cast<const char*>(from)),
        bytes(columns * sizeof(T)),
        stride(ld * sizeof(T)),
        rows(n_rows),
        at_once(ceil_div(n_rows, steps)) {}
  void fetch() {
    for (size_t n = min_size(at_once, rows); n; --n, --rows, row += stride)
      for (size_t i = 0; i < bytes; i += 64) THINC_PREFETCH_L2(row + i);
  }
};

// How a product with B transposed is cut; W is the type of its weights.
template <class T, class W = T>
struct DotBlocks {
  static constexpr bool narrow = sizeof(W) < sizeof(T);
  static constexpr size_t room = (narrow ? wide_pack_bytes : pack_bytes) / sizeof(T);  // of a packed block of A

  size_t k, k_room;  // values of k in a block; the same with padding, never 0
  size_t rows;       // of A, packed at once
  size_t panel;      // rows of B

  DotBlocks(size_t M, size_t K) {
    constexpr size_t H = in_chunk<T>();
    k = even_piece(K, most_k_bytes / sizeof(T), H);
    k_room = K ? ceil_div(k, H) * H : H;
    const size_t unit = narrow ? 1 : dot_vectors;  // whole tiles; or as few blocks as there can be
    const size_t fit = room / k_room / groups / unit * unit;
    rows = even_piece(ceil_div(M, groups), fit, unit) * groups;
    // One that is widened first shares the cache with the numbers it is made of.
    const size_t in_panel = panel_bytes / sizeof(T) / k_room / (narrow ? 2 : 1);
    panel = ceil_div(in_panel, dot_columns) * dot_columns;
  }
};

// One packed block of A against N rows of B, in panels that stay in L1; packs A first if asked to.
template <class T, class W>
void dot_block(T* C, size_t ldc, T* packed, const T* A, size_t row_stride, size_t k_stride, bool pack, const W* B_,
               size_t ldb_, size_t M, size_t N, size_t k, size_t panel, const Finish<T>& finish) {
  alignas(64) T space[panel_space<W, T>];
  const size_t vectors = ceil_div(M, groups), k_room = ceil_div(k, in_chunk<T>()) * in_chunk<T>();
  for (size_t n = 0; n < N; n += panel) {
    const size_t columns = min_size(panel, N - n);
    size_t ldb = ldb_;
    const T* B = panel_of(space, B_ + n * ldb_, &ldb, columns, k);
    const Finish<T> here = finish.from_column(n);
    // Of what is widened next; where B is met as it lies, tiles do that.
    Ahead ahead(B_ + (n + columns) * ldb_, k, ldb_, sizeof(W) < sizeof(T) ? min_size(panel, N - n - columns) : 0,
                ceil_div(vectors, dot_vectors));
    for (size_t v = 0, width; v < vectors; v += width) {
      width = tile_width(vectors - v);
      const size_t row = v * groups, rows = min_size(width * groups, M - row);
      if constexpr (sizeof(W) < sizeof(T)) ahead.fetch();
      T* a = packed + row * k_room;
      if (pack && n == 0) pack_chunks(a, A + row * row_stride, row_stride, k_stride, rows, k, width);
      if (width == wide_vectors)
        dot_rows<T, wide_vectors>(C + row * ldc + n, ldc, a, B, ldb, k, rows, columns, here);
      else if (width == 3)
        dot_rows<T, 3>(C + row * ldc + n, ldc, a, B, ldb, k, rows, columns, here);
      else if (width == 2)
        dot_rows<T, 2>(C + row * ldc + n, ldc, a, B, ldb, k, rows, columns, here);
      else
        dot_rows<T, 1>(C + row * ldc + n, ldc, a, B, ldb, k, rows, columns, here);
    }
  }
}

// One row of A, in place, and as many rows of B as fill a vector when their sums are folded.
template <class T>
THINC_FN void finish_row(T* C, const Vec<T> (&sum)[in_chunk<T>()], const Finish<T>& finish) {
  Vec<T> value = rounded(splat(finish.alpha) * fold(sum));
  if (finish.bias)
    value = value + load(finish.bias);
  else if (finish.beta != T(0))
    value = value + splat(finish.beta) * load(C);
  store(C, value);
}

// A chunk along k meets those of J rows of B where they lie: vectors of one row of A would leave lanes idle.
template <class T, size_t J>
THINC_FN void sum_rows(Chunk<T> (&sum)[J], const T* a, const T* B, size_t ldb, size_t k) {
  constexpr size_t H = in_chunk<T>();
#pragma GCC unroll 16
  for (size_t j = 0; j < J; ++j) sum[j] = splat_chunk(T(0));
  size_t i = 0;
#pragma GCC unroll 4
  for (; i + H <= k; i += H)
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) sum[j] += load_chunk(a + i) * load_chunk(B + j * ldb + i);
  if (i < k) {
    T x[H], w[H];
    for (size_t h = 0; h < H; ++h) x[h] = i + h < k ? a[i + h] : T(0);
#pragma GCC unroll 16
    for (size_t j = 0; j < J; ++j) {
      for (size_t h = 0; h < H; ++h) w[h] = i + h < k ? B[j * ldb + i + h] : T(0);
      sum[j] += load_chunk(x) * load_chunk(w);
    }
  }
}

constexpr size_t sums_at_once = 8;  // that do not wait for each other
template <class T, class W>         // rows of B in a tile
constexpr size_t in_row_tile = sizeof(W)<sizeof(T) || lanes<T>()> sums_at_once ? lanes<T>() : sums_at_once;

template <class T>
THINC_TILE void one_row_tile(T* C, const T* a, const T* B, size_t ldb, size_t k, const Finish<T>& finish) {
  constexpr size_t H = in_chunk<T>(), L = lanes<T>(), N = in_row_tile<T, T>;
  T joined[N / L][H][L];
  for (size_t n = 0; n < N; n += sums_at_once) {
    Chunk<T> sum[sums_at_once];
    sum_rows(sum, a, B + n * ldb, ldb, k);
#pragma GCC unroll 16
    for (size_t j = 0; j < sums_at_once; ++j) store_chunk(joined[(n + j) / L][j % H] + (n + j) % L / H * H, sum[j]);
  }
  for (size_t n = 0; n < N; n += L) {
    Vec<T> sums[H];
#pragma GCC unroll 4
    for (size_t h = 0; h < H; ++h) sums[h] = load(joined[n / L][h]);
    finish_row(C + n, sums, finish.from_column(n));
  }
}

// The vectors hold chunks of rows of B, so that narrow weights are widened in registers.
template <class W>
THINC_FN void one_row_step(Vec<float> (&sum)[4], const float* a, const W* B, size_t ldb) {
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    Vec<float> rows[groups];
    load_widened_chunks(rows, B + j * ldb, 4 * ldb);
#pragma GCC unroll 4
    for (size_t c = 0; c < groups; ++c) sum[j] += rows[c] * load_repeated(a + 4 * c);
  }
}

template <class W>
THINC_TILE void narrow_row_tile(float* C, const float* a, const W* B, size_t ldb, size_t k,
                                const Finish<float>& finish) {
  constexpr size_t L = lanes<float>();
  Vec<float> sum[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)};
  size_t i = 0;
  for (; i + L <= k; i += L) one_row_step(sum, a + i, B + i, ldb);
  for (; i < k; i += 4) {
    float chunk[4];
    for (size_t h = 0; h < 4; ++h) chunk[h] = i + h < k ? a[i + h] : 0.0f;
    for (size_t j = 0; j < 4; ++j) {
      float rows[L];
      for (size_t lane = 0; lane < L; ++lane) {
        const size_t g = lane / 4, h = lane % 4;
        rows[lane] = i + h < k ? widened(B + (4 * g + j) * ldb + i + h) : 0.0f;
      }
      sum[j] += load(rows) * load_repeated(chunk);
    }
  }
  finish_row(C, sum, finish);
}

// C (M, N) from op(A) (M, K), by its strides, and B (N, K) with rows ldb apart.
template <class T, class W>
void dot_product(T* C_, size_t ldc, const T* A, size_t row_stride, size_t k_stride, const W* B, size_t ldb, size_t M,
                 size_t N, size_t K, const Finish<T>& finish) {
  alignas(64) T packed[DotBlocks<T, W>::room];
  const DotBlocks<T, W> blocks(M, K);
  T* C = C_;
  if (M == 1 && k_stride == 1) {
    constexpr size_t step = in_row_tile<T, W>;
    const size_t whole = N / step * step;
    for (size_t n = 0; n < whole; n += step) {
      size_t k = 0;
      do {
        const Finish<T> here = finish.in_block(k).from_column(n);
        if constexpr (sizeof(W) < sizeof(T))
          narrow_row_tile(C + n, A + k, B + n * ldb + k, ldb, min_size(blocks.k, K - k), here);
        else
          one_row_tile(C + n, A + k, B + n * ldb + k, ldb, min_size(blocks.k, K - k), here);
        k += blocks.k;
      } while (k < K);
    }
    if (whole == N) return;
    C += whole, B += whole * ldb, N -= whole;
  }
  const Finish<T> rest = finish.from_column(size_t(C - C_));
  const size_t fit = block_bytes / sizeof(T) / blocks.k_room / dot_columns * dot_columns;
  const size_t n_block = even_piece(N, fit, dot_columns);
  for (size_t n = 0; n < N; n += n_block) {
    size_t k = 0;
    do {
      for (size_t m = 0; m < M; m += blocks.rows)
        dot_block(C + m * ldc + n, ldc, packed, A + m * row_stride + k * k_stride, row_stride, k_stride, true,
                  B + n * ldb + k, ldb, min_size(blocks.rows, M - m), min_size(n_block, N - n),
                  min_size(blocks.k, K - k), blocks.panel, rest.in_block(k).from_column(n));
      k += blocks.k;
    } while (k < K);
  }
}

// ---- B not transposed

// One tile: R rows of packed A (k x R) against W vectors of B. Of the last vector the `skip` first lanes are not stored
// (they belong to the tile before), of all only `columns`. With Keep, B is copied to `panel` on the way.
template <class T, size_t R, size_t W, bool Keep = false>
THINC_TILE void outer_tile(T* C, size_t ldc, const T* packed, const T* B, size_t ldb, size_t k, size_t rows,
                           size_t skip, size_t columns, const Finish<T>& finish, T* panel = nullptr) {
  constexpr size_t L = lanes<T>();
  Vec<T> sum[R][W];
#pragma GCC unroll 16
  for (size_t r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (size_t w = 0; w < W; ++w)
      sum[r][w] = finish.continues && r < rows ? load_columns(C + r * ldc + w * L, columns, w * L) : splat(T(0));
  for (size_t i = 0; i < k; ++i) {
    Vec<T> b[W];
#pragma GCC unroll 16
    for (size_t w = 0; w < W; ++w) b[w] = load(B + w * L);
    B += ldb;
    if (Keep) {
#pragma GCC unroll 16
      for (size_t w = 0; w < W; ++w) store(panel + w * L, b[w]);
      panel += W * L;
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      const Vec<T> a = splat(packed[r]);
#pragma GCC unroll 16
      for (size_t w = 0; w < W; ++w) sum[r][w] += a * b[w];
    }
    packed += R;
  }
  const Vec<T> alpha = splat(finish.alpha), beta = splat(finish.beta);
#pragma GCC unroll 16
  for (size_t r = 0; r < R; ++r) {
    if (r >= rows) return;
    T* c = C + r * ldc;
#pragma GCC unroll 16
    for (size_t w = 0; w < W; ++w) {
      if (skip == 0 && (w + 1) * L <= columns) {
        Vec<T> value = rounded(alpha * sum[r][w]);
        if (finish.beta != T(0)) value = value + beta * load(c + w * L);
        store(c + w * L, value);
      } else {
        T sums[L];
        store(sums, alpha * sum[r][w]);
        for (size_t h = skip; h < L && w * L + h < columns; ++h) finish_one(c + w * L + h, sums[h], finish, 0);
      }
    }
  }
}

// Packs rows x k of A in tiles of R rows: [tile][k][R], missing rows zero.
template <class T, size_t R>
void pack_rows(T* packed, const T* A, size_t row_stride, size_t k_stride, size_t rows, size_t k) {
  const size_t whole = rows / R * R;
  if (row_stride == 1) {  // along the rows, as A lies: each line of it is read once
    for (size_t i = 0; i < k; ++i)
      for (size_t m = 0; m < whole; m += R)
        for (size_t r = 0; r < R; ++r) packed[m * k + i * R + r] = A[m + r + i * k_stride];
  } else {
    for (size_t m = 0; m < whole; m += R)
      for (size_t i = 0; i < k; ++i)
        for (size_t r = 0; r < R; ++r) packed[m * k + i * R + r] = A[(m + r) * row_stride + i * k_stride];
  }
  if (whole < rows) {
    for (size_t i = 0; i < k; ++i)
      for (size_t r = 0; r < R; ++r)
        packed[whole * k + i * R + r] = whole + r < rows ? A[(whole + r) * row_stride + i * k_stride] : T(0);
  }
}

// Rows in whole tiles; the few left over make a smaller one.
constexpr size_t few_rows = outer_rows / 2;
THINC_FN size_t rows_in_tiles(size_t M) { return M % outer_rows > few_rows ? M : M - M % outer_rows; }

// All rows against W vectors of B.
template <class T, size_t W>
void outer_strip(T* C, size_t ldc, const T* packed, const T* B, size_t ldb, size_t M, size_t k, size_t skip,
                 Ahead (&ahead)[2], const Finish<T>& finish) {
  constexpr size_t R = outer_rows, columns = W * lanes<T>();
  const size_t whole = rows_in_tiles(M);
  for (size_t m = 0; m < whole; m += R) {
    ahead[0].fetch();
    ahead[1].fetch();
    outer_tile<T, R, W>(C + m * ldc, ldc, packed + m * k, B, ldb, k, min_size(R, M - m), skip, columns, finish);
  }
  if (M - whole == 1)
    outer_tile<T, 1, W>(C + whole * ldc, ldc, packed + whole * k, B, ldb, k, 1, skip, columns, finish);
  else if (M > whole)
    outer_tile<T, few_rows, W>(C + whole * ldc, ldc, packed + whole * k, B, ldb, k, M - whole, skip, columns, finish);
}

// One block of rows and of k, with B where it lies: at least a vector of columns.
template <class T>
void outer_in_place(T* C, size_t ldc, T* packed, const T* A, size_t row_stride, size_t k_stride, const T* B, size_t ldb,
                    size_t M, size_t N, size_t k, Ahead (&ahead)[2], const Finish<T>& finish) {
  constexpr size_t L = lanes<T>();
  const size_t whole = rows_in_tiles(M);
  pack_rows<T, outer_rows>(packed, A, row_stride, k_stride, whole, k);
  if (M - whole == 1)
    pack_rows<T, 1>(packed + whole * k, A + whole * row_stride, row_stride, k_stride, 1, k);
  else
    pack_rows<T, few_rows>(packed + whole * k, A + whole * row_stride, row_stride, k_stride, M - whole, k);
  size_t n = 0;
  for (size_t left = N / L, width; left; left -= width, n += width * L) {
    width = ceil_div(left, ceil_div(left, outer_vectors));
    if (width == outer_vectors)
      outer_strip<T, outer_vectors>(C + n, ldc, packed, B + n, ldb, M, k, 0, ahead, finish);
    else if (width == 2)
      outer_strip<T, 2>(C + n, ldc, packed, B + n, ldb, M, k, 0, ahead, finish);
    else
      outer_strip<T, 1>(C + n, ldc, packed, B + n, ldb, M, k, 0, ahead, finish);
  }
  if (n < N)  // the last whole vector of B, of which only the new lanes count
    outer_strip<T, 1>(C + N - L, ldc, packed, B + N - L, ldb, M, k, L - (N - n), ahead, finish);
}

// One block of rows and of k, with B in packed panels of `outer_vectors` vectors (of one, if N is less), padded with
// zeros.
template <class T>
void outer_in_panels(T* C, size_t ldc, T* packed, T* panel, const T* A, size_t row_stride, size_t k_stride, const T* B,
                     size_t ldb, size_t M, size_t N, size_t k, const Finish<T>& finish) {
  constexpr size_t L = lanes<T>(), R = outer_rows;
  const size_t width = N < L ? L : outer_vectors * L;
  pack_rows<T, R>(packed, A, row_stride, k_stride, M, k);
  for (size_t n = 0; n < N; n += width) {
    const size_t columns = min_size(width, N - n), next = n + columns;
    Ahead ahead(B + next, min_size(width, N - next), ldb, k, ceil_div(M, R));
    size_t m = 0;
    if (columns == outer_vectors * L) {  // packed by the first tile: on its own the copy would wait for memory
      outer_tile<T, R, outer_vectors, true>(C + n, ldc, packed, B + n, ldb, k, min_size(R, M), 0, width, finish, panel);
      m = R;
    } else {
      for (size_t i = 0; i < k; ++i)
        for (size_t h = 0; h < width; ++h) panel[i * width + h] = h < columns ? B[i * ldb + n + h] : T(0);
    }
    for (; m < M; m += R) {
      ahead.fetch();
      const size_t rows = min_size(R, M - m);
      T* c = C + m * ldc + n;
      if (columns > L)
        outer_tile<T, R, outer_vectors>(c, ldc, packed + m * k, panel, width, k, rows, 0, columns, finish);
      else
        outer_tile<T, R, 1>(c, ldc, packed + m * k, panel, width, k, rows, 0, columns, finish);
    }
  }
}

// Values of k in a block: of K alone.
THINC_FN size_t outer_block(size_t K) { return K <= one_outer_k ? K : even_piece(K, most_outer_k, 8); }

// C (M, N) from op(A) (M, K), by its strides, and B (K, N) with rows ldb apart.
template <class T>
void outer_product(T* C, size_t ldc, const T* A, size_t row_stride, size_t k_stride, const T* B, size_t ldb, size_t M,
                   size_t N, size_t K, const Finish<T>& finish) {
  constexpr size_t L = lanes<T>(), R = outer_rows, width = outer_vectors * L;
  alignas(64) T packed[pack_bytes / sizeof(T)];
  constexpr size_t in_panel = panel_bytes / sizeof(T) / width;  // values of k
  alignas(64) T panel[(in_panel > most_outer_k ? in_panel : most_outer_k) * width];
  if (M == 0 || N == 0) return;
  const size_t k_block = outer_block(K);
  size_t k_step = k_block;
  bool in_panels = N < L;
  // Packing pays where rows of B are far apart (each its own page, and many on the same cache lines) or their vectors
  // lie across cache lines, and are met often. Only a block that is all of K may be too long for a panel; its first
  // part leaves its sums in C.
  const bool across = (reinterpret_cast<uintptr_t>(B) | ldb * sizeof(T)) % sizeof(Vec<T>);
  const size_t often = (ldb * sizeof(T) >= far_bytes ? 6 : across ? 24 : SIZE_MAX / R) * R;
  if (!in_panels && M >= often && (finish.beta == T(0) || K <= most_outer_k)) {
    in_panels = true;
    if (k_block == K) k_step = even_piece(K, in_panel, 8);
  }
  const size_t m_block = pack_bytes / sizeof(T) / (k_step ? k_step : 1) / R * R;
  // Rows of C that stay in L2 while k goes by: a block of B, too, is then read once for all of them.
  const size_t m_most = ceil_div(block_bytes / sizeof(T) / N + 1, m_block) * m_block;
  for (size_t m_start = 0; m_start < M; m_start += m_most) {
    const size_t m_end = min_size(M, m_start + m_most);
    const size_t tiles = ceil_div(m_end - m_start, R) * ceil_div(N, width);
    size_t k = 0;
    do {
      const size_t k_here = min_size(k_step, K - k), next = k + k_here, k_next = min_size(k_step, K - next);
      const Finish<T> here =
          k_step == k_block ? finish.in_block(k) : Finish<T>{next < K ? T(1) : finish.alpha, T(0), nullptr, k > 0};
      Ahead ahead[2] = {{A + next * k_stride, M, k_stride, row_stride == 1 ? k_next : 0, tiles},
                        {B + next * ldb, N, ldb, k_next, tiles}};
      for (size_t m = m_start; m < m_end; m += m_block) {
        const size_t rows = min_size(m_block, m_end - m);
        const T* a = A + m * row_stride + k * k_stride;
        T* c = C + m * ldc;
        if (row_stride != 1)
          ahead[0] = {a + rows * row_stride, k_here, row_stride, min_size(m_block, m_end - m - rows),
                      ceil_div(rows, R) * ceil_div(N, width)};
        if (in_panels)
          outer_in_panels(c, ldc, packed, panel, a, row_stride, k_stride, B + k * ldb, ldb, rows, N, k_here, here);
        else
          outer_in_place(c, ldc, packed, a, row_stride, k_stride, B + k * ldb, ldb, rows, N, k_here, ahead, here);
      }
      k += k_step;
    } while (k < K);
  }
}

// ---- the kernel of the table

template <class T>
void gemm(int trans_a, int trans_b, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda,
          const void* B, size_t ldb, double beta, void* C, size_t ldc) {
  const Finish<T> finish = {T(alpha), T(beta), nullptr};
  const size_t row_stride = trans_a ? 1 : lda, k_stride = trans_a ? lda : 1;
  (trans_b ? dot_product<T, T> : outer_product<T>)(static_cast<T*>(C), ldc, static_cast<const T*>(A), row_stride,
                                                   k_stride, static_cast<const T*>(B), ldb, M, N, K, finish);
}

THINC_END
