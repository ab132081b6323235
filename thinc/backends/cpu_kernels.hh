// C++ templates of the main operations, for packages that compile against this one.
//
// The library does not use them itself: its own loops are vectorized per instruction set and report
// errors without exceptions. These are plain, header-only and throw std::invalid_argument (a value no
// input may have) or std::out_of_range (an index or a length that points past the data).
//
// A is a floating point type, L and I are integer types. The letters after the double underscore name
// the axes of a contiguous row-major array: b batch, o output, p piece, t row, k column. Except for the maxima,
// outputs are added to, so hand in zeroed buffers.
#ifndef THINC_BACKENDS_CPU_KERNELS_HH
#define THINC_BACKENDS_CPU_KERNELS_HH

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

// A function Y[i * incY] += alpha * X[i * incX], as CBlas has them.
template <typename T>
struct axpy {
  typedef void (*ptr)(int N, T alpha, const T* X, int incX, T* Y, int incY);
};

namespace thinc_detail {

// One sequence's share of T rows, or an exception.
template <typename L>
std::size_t checked_length(L length, L smallest, L rows_left) {
  if (length < smallest)
    throw std::invalid_argument("all sequence lengths must be >= " + std::to_string(smallest) + ", got " +
                                std::to_string(length));
  if (length > rows_left) throw std::out_of_range("lengths must sum up to the number of rows");
  return static_cast<std::size_t>(length);
}

// visit(j, first, last) for each row j of B: rows first to last - 1 are those of its window that its sequence has.
template <typename L, typename Visit>
void each_window(const L* lengths, std::ptrdiff_t window, L B, L n_lengths, const Visit& visit) {
  std::ptrdiff_t start = 0;
  for (L s = 0; s < n_lengths; ++s) {
    const std::ptrdiff_t end = std::min<std::ptrdiff_t>(start + lengths[s], B);
    for (std::ptrdiff_t j = start; j < end; ++j) visit(j, std::max(j - window, start), std::min(j + window + 1, end));
    start = end;
  }
}

}  // namespace thinc_detail

// best__bo and which__bo: value and index of the first largest of the P pieces.
template <typename A, typename L>
void cpu_maxout(A* best__bo, L* which__bo, const A* cands__bop, L B, L O, L P) {
  const std::size_t n = std::size_t(B) * std::size_t(O);
  for (std::size_t i = 0; i < n; ++i, cands__bop += P) {
    L which = 0;
    for (L p = 1; p < P; ++p)
      if (cands__bop[p] > cands__bop[which]) which = p;
    which__bo[i] = which;
    best__bo[i] = cands__bop[which];
  }
}

template <typename A, typename L>
void cpu_backprop_maxout(A* dX__bop, const A* dX__bo, const L* which__bo, L B, L O, L P) {
  const std::size_t n = std::size_t(B) * std::size_t(O);
  for (std::size_t i = 0; i < n; ++i, dX__bop += P) {
    if (which__bo[i] < 0 || which__bo[i] >= P)
      throw std::out_of_range("index " + std::to_string(which__bo[i]) + " is out of bounds for maxout with size " +
                              std::to_string(P));
    dX__bop[which__bo[i]] += dX__bo[i];
  }
}

// which__bo: the row of the first maximum, counted from the start of its sequence.
template <typename A, typename L>
void cpu_reduce_max(A* maxes__bo, L* which__bo, const A* X__to, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, maxes__bo += O, which__bo += O) {
    const std::size_t length = thinc_detail::checked_length(lengths__b[b], L(1), T);
    T -= lengths__b[b];
    std::copy(X__to, X__to + O, maxes__bo);
    std::fill(which__bo, which__bo + O, L(0));
    X__to += O;
    for (std::size_t row = 1; row < length; ++row, X__to += O)
      for (L o = 0; o < O; ++o)
        if (X__to[o] > maxes__bo[o]) {
          maxes__bo[o] = X__to[o];
          which__bo[o] = L(row);
        }
  }
}

template <typename A, typename L>
void cpu_backprop_reduce_max(A* dX__to, const A* d_maxes__bo, const L* which__bo, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, d_maxes__bo += O, which__bo += O) {
    const std::size_t length = thinc_detail::checked_length(lengths__b[b], L(1), T);
    T -= lengths__b[b];
    for (L o = 0; o < O; ++o) {
      if (which__bo[o] < 0 || which__bo[o] >= lengths__b[b])
        throw std::out_of_range("index " + std::to_string(which__bo[o]) +
                                " is out of bounds for a sequence of length " + std::to_string(lengths__b[b]));
      dX__to[std::size_t(which__bo[o]) * O + o] += d_maxes__bo[o];
    }
    dX__to += length * O;
  }
}

template <typename A, typename L>
void cpu_reduce_sum(A* sums__bo, const A* X__to, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, sums__bo += O) {
    const std::size_t length = thinc_detail::checked_length(lengths__b[b], L(0), T);
    T -= lengths__b[b];
    for (std::size_t row = 0; row < length; ++row, X__to += O)
      for (L o = 0; o < O; ++o) sums__bo[o] += X__to[o];
  }
}

template <typename A, typename L>
void cpu_backprop_reduce_sum(A* dX__to, const A* d_sums__bo, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, d_sums__bo += O)
    for (L row = 0; row < lengths__b[b] && T > 0; ++row, --T, dX__to += O)
      for (L o = 0; o < O; ++o) dX__to[o] += d_sums__bo[o];
}

// An empty sequence has the mean 0.
template <typename A, typename L>
void cpu_reduce_mean(A* means__bo, const A* X__to, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, means__bo += O) {
    const std::size_t length = thinc_detail::checked_length(lengths__b[b], L(0), T);
    T -= lengths__b[b];
    const A scale = A(1) / A(std::max<std::size_t>(length, 1));
    for (std::size_t row = 0; row < length; ++row, X__to += O)
      for (L o = 0; o < O; ++o) means__bo[o] += X__to[o] * scale;
  }
}

template <typename A, typename L>
void cpu_backprop_reduce_mean(A* dX__to, const A* d_means__bo, const L* lengths__b, L B, L T, L O) {
  for (L b = 0; b < B; ++b, d_means__bo += O) {
    const A scale = A(1) / A(std::max<L>(lengths__b[b], 1));
    for (L row = 0; row < lengths__b[b] && T > 0; ++row, --T, dX__to += O)
      for (L o = 0; o < O; ++o) dX__to[o] += d_means__bo[o] * scale;
  }
}

// Y = mish(Y) in place: y tanh(log(1 + e^y)), and y itself from the threshold on. Misra 2019.
// With n = e (e + 2) and e = e^y the tanh is n / (n + 2); above 20 it is 1 in double precision.
template <typename A, typename L>
void cpu_mish(A* Y, L N, A threshold) {
  for (L i = 0; i < N; ++i) {
    if (Y[i] >= threshold) continue;
    const A e = std::exp(std::min(Y[i], A(20)));
    const A n = e * (e + A(2));
    Y[i] *= n / (n + A(2));
  }
}

// dX *= mish'(X) in place. With t = n / (n + 2): mish' = t + x (1 - t^2) sigmoid(x), and the last two
// factors are 4 e (e + 1) / (n + 2)^2.
template <typename A, typename L>
void cpu_backprop_mish(A* dX, const A* X, L N, A threshold) {
  for (L i = 0; i < N; ++i) {
    if (X[i] >= threshold || X[i] > A(20)) continue;
    const A e = std::exp(X[i]);
    const A n = e * (e + A(2));
    const A d = n + A(2);
    dX[i] *= n / d + X[i] * (A(4) * e / d) * ((e + A(1)) / d);
  }
}

// X = max(X, 0) in place; NaN stays NaN.
template <typename A, typename L>
void cpu_relu(A* X, L N) {
  for (L i = 0; i < N; ++i)
    if (X[i] <= A(0)) X[i] = A(0);
}

// Row j of the output is the concatenation of rows j - nW to j + nW of X (B, I). A block outside
// the sequence of j is left as it is. The nL lengths divide the rows; what exceeds B is ignored.
template <typename A, typename L>
void seq2col(A* output, const A* X, const L* lengths, L nW, L B, L I, L nL) {
  const std::ptrdiff_t width = I, window = nW, row_size = width * (2 * window + 1);
  thinc_detail::each_window(lengths, window, B, nL, [=](std::ptrdiff_t j, std::ptrdiff_t first, std::ptrdiff_t last) {
    std::copy(X + first * width, X + last * width, output + j * row_size + (first - j + window) * width);
  });
}

// Adds block (k - j + nW) of every row j of d_cols (B, I (2 nW + 1)) to row k of d_seqs (B, I).
template <typename A, typename L>
void backprop_seq2col(A* d_seqs, const A* d_cols, const L* lengths, L B, L I, L nW, L nL) {
  const std::ptrdiff_t width = I, window = nW, row_size = width * (2 * window + 1);
  thinc_detail::each_window(lengths, window, B, nL, [=](std::ptrdiff_t j, std::ptrdiff_t first, std::ptrdiff_t last) {
    const A* from = d_cols + j * row_size + (first - j + window) * width;
    A* to = d_seqs + first * width;
    for (std::ptrdiff_t i = 0; i < (last - first) * width; ++i) to[i] += from[i];
  });
}

// out__bo[b] += the sum over k of table__to[indices__bk[b, k]], in the order of k.
template <typename F, typename I, typename L>
void cpu_gather_add(typename axpy<F>::ptr axpy, F* out__bo, const F* table__to, const I* indices__bk, L T, L O, L B,
                    L K) {
  for (L b = 0; b < B; ++b, out__bo += O)
    for (L k = 0; k < K; ++k, ++indices__bk) {
      const I index = *indices__bk;
      if (index < 0 || static_cast<std::size_t>(index) >= static_cast<std::size_t>(T))
        throw std::out_of_range("index " + std::to_string(index) + " is out of bounds for a table with " +
                                std::to_string(T) + " rows");
      axpy(static_cast<int>(O), F(1), table__to + static_cast<std::size_t>(index) * O, 1, out__bo, 1);
    }
}

#endif
