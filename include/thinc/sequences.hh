// Window features and reductions of ragged sequences.
// N rows, B sequences, T all rows, O width, P pieces, W window. Every output is written whole, whatever it held before.
// A sum runs over the rows of its own sequence in one fixed order, so a result does not depend on the rest of the
// batch.
#pragma once

#include <string.h>

#include "sums.hh"

THINC_BEGIN

// ---- windows: row j of Y is rows j - W .. j + W of X, which lie side by side; zeros outside the sequence
// `lengths` may be null: then all T rows are one sequence.
template <class T>
void seq2col(void* Y_, const void* X_, const int32_t* lengths, size_t B, size_t rows, size_t I, size_t W) {
  T* Y = static_cast<T*>(Y_);
  const T* X = static_cast<const T*>(X_);
  const size_t width = (2 * W + 1) * I;
  for (size_t b = 0; b < (lengths ? B : 1); ++b) {
    const size_t length = lengths ? size_t(lengths[b]) : rows;
    for (size_t j = 0; j < length; ++j, Y += width) {
      const size_t before = j < W ? j : W, after = length - 1 - j < W ? length - 1 - j : W;
      if (before < W) memset(Y, 0, (W - before) * I * sizeof(T));
      memcpy(Y + (W - before) * I, X + (j - before) * I, (before + 1 + after) * I * sizeof(T));
      if (after < W) memset(Y + (W + 1 + after) * I, 0, (W - after) * I * sizeof(T));
    }
    X += length * I;
  }
}

// Row k of X stands in row j of Y as block k - j + W, so its copies in dY are 2 W I apart.
template <class T>
void backprop_seq2col(void* dX_, const void* dY_, const int32_t* lengths, size_t B, size_t rows, size_t I, size_t W) {
  T* dX = static_cast<T*>(dX_);
  const T* dY = static_cast<const T*>(dY_);
  for (size_t b = 0; b < (lengths ? B : 1); ++b) {
    const size_t length = lengths ? size_t(lengths[b]) : rows;
    for (size_t k = 0; k < length; ++k, dX += I) {
      const size_t before = k < W ? k : W, after = length - 1 - k < W ? length - 1 - k : W;
      const T* first = dY + (k + W) * I + (k - before) * 2 * W * I;
      sum_strided(dX, first, 2 * W * I, before + 1 + after, I);
    }
    dY += length * (2 * W + 1) * I;
  }
}

// ---- softmax of each column over the rows of its sequence, the exponents clipped at +-20
template <class T>
void softmax_sequences(void* Y_, const void* X_, const int32_t* lengths, size_t B, size_t O) {
  T* Y = static_cast<T*>(Y_);
  const T* X = static_cast<const T*>(X_);
  T sums[columns_at_once];
  for (size_t b = 0; b < B; ++b) {
    const size_t n = size_t(lengths[b]);
#pragma omp simd
    for (size_t i = 0; i < n * O; ++i) Y[i] = exp_(clip_(X[i], T(-20), T(20)));
    for (size_t start = 0; start < O; start += columns_at_once) {
      const size_t columns = O - start < columns_at_once ? O - start : columns_at_once;
      sum_strided(sums, Y + start, O, n, columns);
#pragma omp simd
      for (size_t o = 0; o < columns; ++o) sums[o] = T(1) / sums[o];
      for (T* y = Y + start; y < Y + n * O; y += O) {
#pragma omp simd
        for (size_t o = 0; o < columns; ++o) y[o] *= sums[o];
      }
    }
    X += n * O;
    Y += n * O;
  }
}

// dX = Y (dY - sum of Y dY over the sequence)
template <class T>
void backprop_softmax_sequences(void* dX_, const void* dY_, const void* Y_, const int32_t* lengths, size_t B,
                                size_t O) {
  T* dX = static_cast<T*>(dX_);
  const T *dY = static_cast<const T*>(dY_), *Y = static_cast<const T*>(Y_);
  T sums[columns_at_once];
  for (size_t b = 0; b < B; ++b) {
    const size_t n = size_t(lengths[b]);
#pragma omp simd
    for (size_t i = 0; i < n * O; ++i) dX[i] = Y[i] * dY[i];
    for (size_t start = 0; start < O; start += columns_at_once) {
      const size_t columns = O - start < columns_at_once ? O - start : columns_at_once;
      sum_strided(sums, dX + start, O, n, columns);
      for (size_t at = start; at < n * O; at += O) {
#pragma omp simd
        for (size_t o = 0; o < columns; ++o) dX[at + o] -= Y[at + o] * sums[o];
      }
    }
    dX += n * O;
    dY += n * O;
    Y += n * O;
  }
}

// ---- reductions: X (T, O), one result per sequence
template <class T>
void reduce_sum(void* Y_, const void* X_, const int32_t* lengths, size_t B, size_t O) {
  T* Y = static_cast<T*>(Y_);
  const T* X = static_cast<const T*>(X_);
  for (size_t b = 0; b < B; ++b) {
    sum_strided(Y + b * O, X, O, size_t(lengths[b]), O);
    X += size_t(lengths[b]) * O;
  }
}

template <class T>
void reduce_mean(void* Y_, const void* X_, const int32_t* lengths, size_t B, size_t O) {
  T* Y = static_cast<T*>(Y_);
  const T* X = static_cast<const T*>(X_);
  for (size_t b = 0; b < B; ++b, Y += O) {
    sum_strided(Y, X, O, size_t(lengths[b]), O);
    X += size_t(lengths[b]) * O;
    const T share = lengths[b] > 0 ? T(1) / T(lengths[b]) : T(0);
#pragma omp simd
    for (size_t o = 0; o < O; ++o) Y[o] *= share;
  }
}

template <size_t R, class T>
THINC_FN void better_row(T& best, int32_t& which, const T* x, size_t stride, int32_t row) {
  if constexpr (R > 1) better_row<R - 1>(best, which, x, stride, row);
  if constexpr (R > 0) {
    const T value = x[(R - 1) * stride];
    const bool better = value > best;
    best = better ? value : best;
    which = better ? row + int32_t(R - 1) : which;
  }
}

// R rows of n columns, after others or from the first on. `seen` becomes NaN if one of them is, at times without: the
// comparison does not see it, and all is done again. In lanes, since their sum would cost as much as a row.
constexpr size_t seen_lanes = 16;

template <size_t R, bool first, class T>
THINC_FN void take_better_columns(T* best, int32_t* which, T* seen, const T* X, size_t O, int32_t row, size_t n) {
#pragma omp simd
  for (size_t o = 0; o < n; ++o) {
    T b = first ? X[o] : best[o];
    int32_t w = first ? 0 : which[o];
    better_row<R - first>(b, w, X + first * O + o, O, row + first);
    best[o] = b;
    which[o] = w;
    seen[o] += nan_of<R>(X + o, O);
  }
}

template <size_t R, bool first, class T>
THINC_FN void take_better_rows(T* best, int32_t* which, T* seen, const T* X, size_t O, int32_t row) {
  size_t o = 0;
  for (; o + seen_lanes <= O; o += seen_lanes)
    take_better_columns<R, first>(best + o, which + o, seen, X + o, O, row, seen_lanes);
  take_better_columns<R, first>(best + o, which + o, seen, X + o, O, row, O - o);
}

template <bool first, class T>
void take_up_to_8_rows(T* best, int32_t* which, T* seen, const T* X, size_t O, int32_t row, int32_t n) {
  switch (n) {
    case 1:
      return take_better_rows<1, first>(best, which, seen, X, O, row);
    case 2:
      return take_better_rows<2, first>(best, which, seen, X, O, row);
    case 3:
      return take_better_rows<3, first>(best, which, seen, X, O, row);
    case 4:
      return take_better_rows<4, first>(best, which, seen, X, O, row);
    case 5:
      return take_better_rows<5, first>(best, which, seen, X, O, row);
    case 6:
      return take_better_rows<6, first>(best, which, seen, X, O, row);
    case 7:
      return take_better_rows<7, first>(best, which, seen, X, O, row);
    default:
      return take_better_rows<8, first>(best, which, seen, X, O, row);
  }
}

template <class T>
void reduce_max_exactly(T* best, int32_t* which, const T* X, size_t O, int32_t length) {
  memcpy(best, X, O * sizeof(T));
  memset(which, 0, O * sizeof(int32_t));
  for (int32_t t = 1; t < length; ++t) {
    X += O;
    for (size_t o = 0; o < O; ++o) {
      if (exceeds(X[o], best[o])) {
        best[o] = X[o];
        which[o] = t;
      }
    }
  }
}

// which: the row within its sequence; the first of equal rows wins, and the first NaN. Every length is at least 1.
template <class T>
void reduce_max(void* Y_, int32_t* which_, const void* X_, const int32_t* lengths, size_t B, size_t O) {
  T* Y = static_cast<T*>(Y_);
  int32_t* which = which_;
  const T* X = static_cast<const T*>(X_);
  T seen[seen_lanes] = {};
  for (size_t b = 0; b < B; ++b, Y += O, which += O) {
    const int32_t length = lengths[b];
    take_up_to_8_rows<true>(Y, which, seen, X, O, 0, length);
    for (int32_t t = 8; t < length; t += 8)
      take_up_to_8_rows<false>(Y, which, seen, X + size_t(t) * O, O, t, length - t);
    X += size_t(length) * O;
  }
  const T sum = sum_block<T>(0, seen_lanes, [&seen](size_t i) { return seen[i]; });
  if (sum == sum) return;
  Y = static_cast<T*>(Y_);
  X = static_cast<const T*>(X_);
  for (size_t b = 0; b < B; X += size_t(lengths[b++]) * O)
    reduce_max_exactly(Y + b * O, which_ + b * O, X, O, lengths[b]);
}

template <class T>
void backprop_reduce_sum(void* dX_, const void* dY_, const int32_t* lengths, size_t B, size_t O) {
  T* dX = static_cast<T*>(dX_);
  const T* dY = static_cast<const T*>(dY_);
  for (size_t b = 0; b < B; ++b, dY += O) {
    for (int32_t t = 0; t < lengths[b]; ++t, dX += O) {
#pragma omp simd
      for (size_t o = 0; o < O; ++o) dX[o] = dY[o];
    }
  }
}

template <class T>
void backprop_reduce_mean(void* dX_, const void* dY_, const int32_t* lengths, size_t B, size_t O) {
  T* dX = static_cast<T*>(dX_);
  const T* dY = static_cast<const T*>(dY_);
  for (size_t b = 0; b < B; ++b, dY += O) {
    const T share = lengths[b] > 0 ? T(1) / T(lengths[b]) : T(0);
    for (int32_t t = 0; t < lengths[b]; ++t, dX += O) {
#pragma omp simd
      for (size_t o = 0; o < O; ++o) dX[o] = dY[o] * share;
    }
  }
}

// Every element of dX is written once: cheaper than zeros first and single stores into them afterwards.
template <class T>
int64_t backprop_reduce_max(void* dX_, const void* dY_, const int32_t* which, const int32_t* lengths, size_t B,
                            size_t O) {
  T* dX = static_cast<T*>(dX_);
  const T* dY = static_cast<const T*>(dY_);
  for (size_t b = 0; b < B; ++b, dY += O, which += O) {
    const int64_t bad = first_outside(which, O, uint32_t(lengths[b]));
    if (bad >= 0) return int64_t(b * O) + bad;
    for (int32_t t = 0; t < lengths[b]; ++t, dX += O) {
#pragma omp simd
      for (size_t o = 0; o < O; ++o) dX[o] = only_if(which[o] == t, dY[o]);
    }
  }
  return -1;
}

THINC_END
