// The dense layers: products with a bias, maxout, and what is fused with them.
// N rows, I in, O out, P pieces.
#pragma once

#include "gemm.hh"
#include "norms.hh"

THINC_BEGIN

// Y (N, O) = X (N, I) W (O, I).T + b (O,); b may be null. W consists of `Weight`s: of T, or narrower; then the bits are
// those of W as T.
template <class T, class Weight = T>
void affine(void* Y, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O) {
  dot_product(static_cast<T*>(Y), O, static_cast<const T*>(X), I, 1, static_cast<const Weight*>(W), I, N, O, I,
              {T(1), T(0), static_cast<const T*>(b)});
}

// Y += X W.T
template <class T, class Weight = T>
void add_product(void* Y, const void* X, const void* W, size_t N, size_t I, size_t O) {
  dot_product(static_cast<T*>(Y), O, static_cast<const T*>(X), I, 1, static_cast<const Weight*>(W), I, N, O, I,
              {T(1), T(1), nullptr});
}

// Whether one of n numbers, or a sum of them, is NaN.
template <class T>
THINC_FN bool any_nan(const T* x, size_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; ++i) sum += x[i];
  return sum != sum;
}

// Of G blocks of rows x columns, the pieces from number p on, the largest of each output and its number. Without
// `first` these compete with what best and which hold. A NaN is the largest; only `exact` sees it unless it comes
// first.
template <size_t G, bool first, bool exact, class T>
void largest_piece(T* best, size_t ld, int32_t* which, size_t which_ld, const T* pieces, size_t rows, size_t columns,
                   int32_t p) {
  const size_t stride = rows * columns;
  for (size_t r = 0; r < rows; ++r, best += ld, which += which_ld, pieces += columns) {
#pragma omp simd
    for (size_t j = 0; j < columns; ++j) {
      T value = first ? pieces[j] : best[j];
      int32_t number = first ? p : which[j];
#pragma GCC unroll 4
      for (size_t g = first; g < G; ++g) {
        const T z = pieces[g * stride + j];
        const bool better = exact ? exceeds(z, value) : z > value;
        number = better ? p + int32_t(g) : number;
        value = better ? z : value;
      }
      best[j] = value;
      which[j] = number;
    }
  }
}

template <size_t G, bool first, class T>
void largest_of(T* best, size_t ld, int32_t* which, size_t which_ld, const T* pieces, size_t rows, size_t columns,
                int32_t p) {
  if (any_nan(pieces, G * rows * columns))
    largest_piece<G, first, true>(best, ld, which, which_ld, pieces, rows, columns, p);
  else
    largest_piece<G, first, false>(best, ld, which, which_ld, pieces, rows, columns, p);
}

// The largest pieces of some rows of X, as many as a block has. A block of up to four pieces is made at a time.
template <class T, class Weight>
struct MaxoutBlocks {
  static constexpr size_t most_columns = 256, most_pieces = 4;
  DotBlocks<T, Weight> dot;
  size_t at_once, room;  // pieces; values of each

  MaxoutBlocks(size_t N, size_t I, size_t P)
      : dot(N, I), at_once(min_size(P, most_pieces)), room(dot.room / 2 / at_once) {
    dot.rows = min_size(dot.rows, room / dot_columns);
  }

  void make(T* best, int32_t* which, const T* X, size_t ldx, const Weight* W, const T* b, size_t rows, size_t I,
            size_t O, size_t P) const {
    alignas(64) T packed[dot.room], pieces[dot.room / 2];
    T bias[most_columns];
    int32_t ignored[most_columns];
    constexpr decltype(&largest_of<1, true, T>) choose[2][most_pieces] = {
        {largest_of<1, false, T>, largest_of<2, false, T>, largest_of<3, false, T>, largest_of<4, false, T>},
        {largest_of<1, true, T>, largest_of<2, true, T>, largest_of<3, true, T>, largest_of<4, true, T>}};
    const size_t o_block = even_piece(O, min_size(room / rows, most_columns) / dot_columns * dot_columns, dot_columns);
    bool pack = true;
    for (size_t o = 0; o < O; o += o_block) {
      const size_t columns = min_size(o_block, O - o), stride = rows * columns;
      for (size_t p = 0; p < P; p += at_once) {
        const size_t some = min_size(at_once, P - p);
        for (size_t g = 0; g < some; ++g) {
          if (b)
            for (size_t j = 0; j < columns; ++j) bias[j] = b[(o + j) * P + p + g];
          const Finish<T> finish = {T(1), T(0), b ? bias : nullptr};
          size_t k = 0;
          do {
            dot_block(pieces + g * stride, columns, packed, X + k, ldx, 1, pack, W + (o * P + p + g) * I + k, P * I,
                      rows, columns, min_size(dot.k, I - k), dot.panel, finish.in_block(k));
            pack = I > dot.k;  // one block of k stays packed
            k += dot.k;
          } while (k < I);
        }
        choose[p == 0][some - 1](best + o, O, which ? which + o : ignored, which ? O : 0, pieces, rows, columns,
                                 int32_t(p));
      }
    }
  }
};

// best (N, O) = the largest of the P pieces of X W.T + b, which (N, O) = its index, the first of equals. W (O, P, I),
// b (O, P) or null. Rows of X begin ldx apart, and may overlap. The bits of best are those of affine.
template <class T, class Weight = T>
void affine_maxout(void* best, int32_t* which, const void* X, size_t ldx, const void* W, const void* b, size_t N,
                   size_t I, size_t O, size_t P) {
  const MaxoutBlocks<T, Weight> blocks(N, I, P);
  for (size_t n = 0; n < N; n += blocks.dot.rows)
    blocks.make(static_cast<T*>(best) + n * O, which + n * O, static_cast<const T*>(X) + n * ldx, ldx,
                static_cast<const Weight*>(W), static_cast<const T*>(b), min_size(blocks.dot.rows, N - n), I, O, P);
}

// The same, and layer_norm of the best, a block of rows at a time. best and which may be null: a prediction drops them.
template <class T, class Weight = T>
void affine_maxout_layer_norm(void* Y_, void* best_, int32_t* which, void* mu, void* rstd, const void* X, size_t ldx,
                              const void* W, const void* b, const void* G, const void* beta, double eps, size_t N,
                              size_t I, size_t O, size_t P) {
  T *Y = static_cast<T*>(Y_), *best = best_ ? static_cast<T*>(best_) : Y;
  const MaxoutBlocks<T, Weight> blocks(N, I, P);
  for (size_t n = 0; n < N; n += blocks.dot.rows) {
    const size_t rows = min_size(blocks.dot.rows, N - n);
    blocks.make(best + n * O, which ? which + n * O : which, static_cast<const T*>(X) + n * ldx, ldx,
                static_cast<const Weight*>(W), static_cast<const T*>(b), rows, I, O, P);
    layer_norm<T>(Y + n * O, static_cast<T*>(mu) + n, static_cast<T*>(rstd) + n, best + n * O, G, beta, eps, rows, O);
  }
}

// ---- maxout: X (N, O, P), the first of equal pieces wins, and the first NaN
// `seen` is NaN if a piece but the first is. The comparison does not see it then, and the block is done again. (A
// product of two, since it costs as much as a sum with one.)
template <size_t P, class T>
THINC_FN void better_piece(T& best, int32_t& which, T& seen, const T* x) {
  if constexpr (P > 1) {
    better_piece<P - 1>(best, which, seen, x);
    const T piece = x[P - 1];
    const bool better = piece > best;
    best = better ? piece : best;
    which = better ? int32_t(P - 1) : which;
    seen = P == 2 ? piece : P == 3 ? seen * piece : seen + piece;
  }
}

template <class T>
void maxout_exactly(T* best, int32_t* which, const T* X, size_t n, size_t P) {
  for (size_t i = 0; i < n; ++i, X += P) {
    best[i] = X[0];
    which[i] = 0;
    for (size_t p = 1; p < P; ++p) {
      if (exceeds(X[p], best[i])) {
        best[i] = X[p];
        which[i] = int32_t(p);
      }
    }
  }
}

constexpr size_t cells_in_block = 2048;  // whose result so far stays in the first cache

template <size_t P, class T>
THINC_FN void maxout_pieces(T* best, int32_t* which, const T* X, size_t n) {
  for (size_t start = 0; start < n; start += cells_in_block) {
    const size_t stop = n - start < cells_in_block ? n : start + cells_in_block;
    T seen = 0;
#pragma omp simd reduction(+ : seen)
    for (size_t i = start; i < stop; ++i) {
      T b = X[i * P];
      int32_t w = 0;
      T s = 0;
      better_piece<P>(b, w, s, X + i * P);
      best[i] = b;
      which[i] = w;
      seen += s;
    }
    if (seen != seen) maxout_exactly(best + start, which + start, X + start * P, stop - start, P);
  }
}

template <class T>
void maxout(void* best_, int32_t* which, const void* X_, size_t N, size_t O, size_t P) {
  T* best = static_cast<T*>(best_);
  const T* X = static_cast<const T*>(X_);
  const size_t n = N * O;
  if (P == 1) return maxout_pieces<1>(best, which, X, n);
  if (P == 2) return maxout_pieces<2>(best, which, X, n);
  if (P == 3) return maxout_pieces<3>(best, which, X, n);
  if (P == 4) return maxout_pieces<4>(best, which, X, n);
  for (size_t start = 0; start < n; start += cells_in_block) {
    const size_t stop = n - start < cells_in_block ? n : start + cells_in_block;
    for (size_t i = start; i < stop; ++i) {
      best[i] = X[i * P];
      which[i] = 0;
    }
    T others = 0;
    for (size_t p = 1; p < P; ++p) {
#pragma omp simd reduction(+ : others)
      for (size_t i = start; i < stop; ++i) {
        const T x = X[i * P + p], b = best[i];
        const int32_t better = -int32_t(x > b);  // a mask, for the reason given at only_if
        best[i] = x > b ? x : b;
        which[i] = (int32_t(p) & better) | (which[i] & ~better);
        others += x;
      }
    }
    if (others != others) maxout_exactly(best + start, which + start, X + start * P, stop - start, P);
  }
}

template <size_t P, class T>
THINC_FN void backprop_maxout_pieces(T* dX, const T* dY, const int32_t* which, size_t n) {
#pragma omp simd
  for (size_t i = 0; i < n; ++i) {
    const T d = dY[i];
    const int32_t w = which[i];
    dX[i * P] = only_if(w == 0, d);
    if constexpr (P > 1) dX[i * P + 1] = only_if(w == 1, d);
    if constexpr (P > 2) dX[i * P + 2] = only_if(w == 2, d);
    if constexpr (P > 3) dX[i * P + 3] = only_if(w == 3, d);
  }
}

template <class T>
int64_t backprop_maxout(void* dX_, const void* dY_, const int32_t* which, size_t N, size_t O, size_t P) {
  T* dX = static_cast<T*>(dX_);
  const T* dY = static_cast<const T*>(dY_);
  const size_t n = N * O;
  const int64_t bad = first_outside(which, n, P > INT32_MAX ? INT32_MAX : uint32_t(P));
  if (bad >= 0) return bad;
  if (P == 1) {
    backprop_maxout_pieces<1>(dX, dY, which, n);
  } else if (P == 2) {
    backprop_maxout_pieces<2>(dX, dY, which, n);
  } else if (P == 3) {
    backprop_maxout_pieces<3>(dX, dY, which, n);
  } else if (P == 4) {
    backprop_maxout_pieces<4>(dX, dY, which, n);
  } else {
    memset(dX, 0, n * P * sizeof(T));
    for (size_t i = 0; i < n; ++i) dX[i * P + size_t(which[i])] = dY[i];
  }
  return -1;
}

THINC_END
