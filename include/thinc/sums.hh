// Long sums that are as exact as short ones: plain arithmetic in blocks, and from one block to the next a sum that
// keeps its rounding errors (Knuth's TwoSum; Ogita, Rump & Oishi 2005, https://doi.org/10.1137/030601818).
//
// A sum of n numbers runs in an order that depends on n (and the CPU level's vectors) alone. A block is so short that
// its error is that of NumPy's pairwise sums, and so long that keeping the errors costs nothing.
#pragma once

#include <string.h>

#include "vectors.hh"

THINC_BEGIN

// What was added up is sum + rest.
template <class T>
THINC_FN void add_exactly(T& sum, T& rest, T x) {
  const T total = sum + x, shown = total - sum;
  rest += (sum - (total - shown)) + (x - shown);
  sum = total;
}
template <class T>
THINC_FN T total_of(T sum, T rest) {  // an infinite sum has a rest of NaN
  return rest - rest == T(0) ? sum + rest : sum;
}

// A number that is NaN if one of R numbers is: products, since they are half as many as sums.
template <size_t R, class T>
THINC_FN T nan_of(const T* x, size_t stride) {
  if constexpr (R == 1) {
    return x[0];
  } else if constexpr (R == 2) {
    return x[0] * x[stride];
  } else {
    return x[0] * x[stride] + nan_of<R - 2>(x + 2 * stride, stride);
  }
}

// ---- numbers: term(0) + ... + term(n - 1)
constexpr size_t terms_in_block = 512;

template <class T, class Term>
THINC_FN T sum_block(size_t start, size_t end, const Term& term) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (size_t i = start; i < end; ++i) sum += term(i);
  return sum;
}

// A whole block in four sums, of which none waits for another. In the order of memory, which is fetched ahead so.
template <class T, size_t block, class Term>
THINC_FN T sum_whole_block(size_t start, const Term& term) {
  constexpr size_t L = lanes<T>();
  Vec<T> sums[4] = {splat(T(0)), splat(T(0)), splat(T(0)), splat(T(0))};
  for (size_t i = start; i < start + block; i += 4 * L) {
#pragma GCC unroll 4
    for (size_t s = 0; s < 4; ++s) {
      T terms[L];
      for (size_t h = 0; h < L; ++h) terms[h] = term(i + s * L + h);
      sums[s] += load(terms);
    }
  }
  T totals[4];
  sum_lanes(totals, sums);
  return (totals[0] + totals[1]) + (totals[2] + totals[3]);
}

template <class T, size_t block = terms_in_block, class Term>
THINC_FN T sum_terms(size_t n, const Term& term) {
  if (n <= block) return sum_block<T>(0, n, term);
  T sum = 0, rest = 0;
  size_t start = 0;
  for (; start + block <= n; start += block) add_exactly(sum, rest, sum_whole_block<T, block>(start, term));
  add_exactly(sum, rest, sum_block<T>(start, n, term));
  return total_of(sum, rest);
}

// ---- rows: eight at a time, so that the sum so far is loaded and stored once for eight
constexpr size_t rows_in_block = 256, columns_at_once = 1024;

template <size_t R, class T>
THINC_FN T sum_of(const T* x, size_t stride) {  // in pairs: none waits for seven others
  if constexpr (R == 1) {
    return x[0];
  } else {
    return sum_of<(R + 1) / 2>(x, stride) + sum_of<R / 2>(x + (R + 1) / 2 * stride, stride);
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

template <class T>
void sum_few_rows(T* sums, const T* X, size_t stride, size_t n, size_t O) {
  const size_t head = n < 8 ? n : 8;
  add_up_to_8_rows<true>(sums, X, stride, head, O);
  for (size_t t = head; t < n; t += 8) add_up_to_8_rows<false>(sums, X + t * stride, stride, n - t < 8 ? n - t : 8, O);
}

// sums += X, and the rounding errors to rest
template <class T>
THINC_FN void add_row_exactly(T* sums, T* rest, const T* X, size_t O) {
#pragma omp simd
  for (size_t o = 0; o < O; ++o) add_exactly(sums[o], rest[o], X[o]);
}
template <class T>
THINC_FN void total_of_row(T* sums, const T* rest, size_t O) {
#pragma omp simd
  for (size_t o = 0; o < O; ++o) sums[o] = total_of(sums[o], rest[o]);
}

template <class T>
void sum_many_rows(T* sums, const T* X, size_t stride, size_t n, size_t O) {
  T block[columns_at_once], rest[columns_at_once];
  for (size_t start = 0; start < O; start += columns_at_once, sums += columns_at_once, X += columns_at_once) {
    const size_t columns = O - start < columns_at_once ? O - start : columns_at_once;
    memset(rest, 0, sizeof rest);
    sum_few_rows(sums, X, stride, rows_in_block, columns);
    for (size_t t = rows_in_block; t < n; t += rows_in_block) {
      sum_few_rows(block, X + t * stride, stride, n - t < rows_in_block ? n - t : rows_in_block, columns);
      add_row_exactly(sums, rest, block, columns);
    }
    total_of_row(sums, rest, columns);
  }
}

// sums (O,) = the sum of n rows, each `stride` after the one before.
template <class T>
void sum_strided(T* sums, const T* X, size_t stride, size_t n, size_t O) {
  if (n > rows_in_block)
    sum_many_rows(sums, X, stride, n, O);
  else if (n > 0)
    sum_few_rows(sums, X, stride, n, O);
  else
    memset(sums, 0, O * sizeof(T));
}

THINC_END
