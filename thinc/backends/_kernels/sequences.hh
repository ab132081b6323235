// Maxout, window features and reductions of ragged sequences.
// N rows, B sequences, T all rows, O width, P pieces, W window. Every output is written whole, whatever it held before.
// A sum runs over the rows of its own sequence in one fixed order, so a result does not depend on the rest of the
// batch.
#pragma once

#include <string.h>

#include "thinc/portable.hh"

THINC_BEGIN

// x if `keep`, else 0, by a mask on the bits: written as a choice, compilers make it a branch, which random data
// defeat.
THINC_FN float only_if(bool keep, float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof x);
  bits &= uint32_t(0) - uint32_t(keep);
  memcpy(&x, &bits, sizeof x);
  return x;
}
THINC_FN double only_if(bool keep, double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof x);
  bits &= uint64_t(0) - uint64_t(keep);
  memcpy(&x, &bits, sizeof x);
  return x;
}

// ---- maxout: X (N, O, P), the first of equal pieces wins, a later NaN never does
template <size_t P, class T>
THINC_FN void better_piece(T& best, int32_t& which, const T* x) {
  if constexpr (P > 1) {
    better_piece<P - 1>(best, which, x);
    const bool better = x[P - 1] > best;
    best = better ? x[P - 1] : best;
    which = better ? int32_t(P - 1) : which;
  }
}

template <size_t P, class T>
THINC_FN void maxout_pieces(T* best, int32_t* which, const T* X, size_t n) {
#pragma omp simd
  for (size_t i = 0; i < n; ++i) {
    T b = X[i * P];
    int32_t w = 0;
    better_piece<P>(b, w, X + i * P);
    best[i] = b;
    which[i] = w;
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
  const size_t block = 256;  // cells whose result so far stays in the first cache
  for (size_t start = 0; start < n; start += block) {
    const size_t stop = start + block < n ? start + block : n;
    for (size_t i = start; i < stop; ++i) {
      best[i] = X[i * P];
      which[i] = 0;
    }
    for (size_t p = 1; p < P; ++p) {
#pragma omp simd
      for (size_t i = start; i < stop; ++i) {
        const T x = X[i * P + p], b = best[i];
        const int32_t better = -int32_t(x > b);  // a mask, for the reason given at only_if
        best[i] = x > b ? x : b;
        which[i] = (int32_t(p) & better) | (which[i] & ~better);
      }
    }
  }
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

// ---- sums of rows: eight at a time, so that the sum so far is loaded and stored once for eight rows
template <size_t R, class T>
THINC_FN T sum_of(const T* x, size_t stride) {
  if constexpr (R == 1) {
    return x[0];
  } else {
    return sum_of<R - 1>(x, stride) + x[(R - 1) * stride];
  }
}

template <size_t R, bool first, class T>
THINC_FN void add_rows(T* sums, const T* X, size_t stride, size_t O) {
#pragma omp simd
  for (size_t o = 0; o < O; ++o) sums[o] = first ? sum_of<R>(X + o, stride) : sums[o] + sum_of<R>(X + o, stride);
}

template <bool first, class T>
THINC_FN void add_up_to_8_rows(T* sums, const T* X, size_t stride, size_t n, size_t O) {
  switch (n) {
    case 1:
      return add_rows<1, first>(sums, X, stride, O);
    case 2:
      return add_rows<2, first>(sums, X, stride, O);
    case 3:
      return add_rows<3, first>(sums, X, stride, O);
    case 4:
      return add_rows<4, first>(sums, X, stride, O);
    case 5:
      return add_rows<5, first>(sums, X, stride, O);
    case 6:
      return add_rows<6, first>(sums, X, stride, O);
    case 7:
      return add_rows<7, first>(sums, X, stride, O);
    case 8:
      return add_rows<8, first>(sums, X, stride, O);
  }
}

// sums (O,) = the sum of n rows, each `stride` after the one before.
template <class T>
void sum_strided(T* sums, const T* X, size_t stride, size_t n, size_t O) {
  if (n == 0) {
    memset(sums, 0, O * sizeof(T));
    return;
  }
  const size_t head = n < 8 ? n : 8;
  add_up_to_8_rows<true>(sums, X, stride, head, O);
  for (size_t t = head; t < n; t += 8) {
    add_up_to_8_rows<false>(sums, X + t * stride, stride, n - t < 8 ? n - t : 8, O);
  }
}

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
  const T value = x[(R - 1) * stride];
  const bool better = value > best;
  best = better ? value : best;
  which = better ? row + int32_t(R - 1) : which;
}

template <size_t R, class T>
THINC_FN void take_better_rows(T* best, int32_t* which, const T* X, size_t O, int32_t row) {
#pragma omp simd
  for (size_t o = 0; o < O; ++o) {
    T b = best[o];
    int32_t w = which[o];
    better_row<R>(b, w, X + o, O, row);
    best[o] = b;
    which[o] = w;
  }
}

// which: the row within its sequence; the first of equal rows wins. Every length is at least 1.
template <class T>
void reduce_max(void* Y_, int32_t* which, const void* X_, const int32_t* lengths, size_t B, size_t O) {
  T* Y = static_cast<T*>(Y_);
  const T* X = static_cast<const T*>(X_);
  for (size_t b = 0; b < B; ++b, Y += O, which += O) {
    const int32_t length = lengths[b];
    memcpy(Y, X, O * sizeof(T));
    memset(which, 0, O * sizeof(int32_t));
    int32_t t = 1;
    for (; t + 4 <= length; t += 4) take_better_rows<4>(Y, which, X + size_t(t) * O, O, t);
    for (; t < length; ++t) take_better_rows<1>(Y, which, X + size_t(t) * O, O, t);
    X += size_t(length) * O;
  }
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
