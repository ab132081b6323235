// Layer normalization, softmax, sums of rows. Rows are independent: the bits of one do not depend on their number.
#pragma once

#include "sums.hh"

THINC_BEGIN

// The sum of term(r, x) over the n numbers x of each of R rows; x is one of them or a vector. Some rows together:
// alone, a short one takes as long as its additions do one after the other. The order is the same in any company.
template <class T, size_t R, class Term>
THINC_FN void sum_together(T (&sums)[R], const T* const (&X)[R], size_t n, const Term& term) {
  constexpr size_t L = lanes<T>();
  T rests[R];
  for (size_t start = 0; start == 0 || start < n; start += terms_in_block) {
    const size_t end = n - start < terms_in_block ? n : start + terms_in_block;
    Vec<T> sum[R];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; ++r) {
      sum[r] = splat(T(0));
      size_t i = start;
      for (; i + L <= end; i += L) sum[r] += term(r, load(X[r] + i));
      if (i < end) {
        T rest[L];
        for (size_t h = 0; h < L; ++h) rest[h] = i + h < end ? term(r, X[r][i + h]) : T(0);
        sum[r] += load(rest);
      }
    }
    if (n <= terms_in_block) return sum_lanes(sums, sum);
    T block[R];
    sum_lanes(block, sum);
    for (size_t r = 0; r < R; ++r) {
      if (start == 0) sums[r] = rests[r] = T(0);
      add_exactly(sums[r], rests[r], block[r]);
    }
  }
  for (size_t r = 0; r < R; ++r) sums[r] = total_of(sums[r], rests[r]);
}

// R rows, of which `present` exist: the last stands in for the others.
template <size_t R, class T>
void layer_norm_rows(T* Y, T* mus, T* rstds, const T* X, const T* G, const T* b, T eps, size_t present, size_t I) {
  const T* rows[R];
  for (size_t r = 0; r < R; ++r) rows[r] = X + (r < present ? r : present - 1) * I;
  T mu[R], rstd[R];
  sum_together(mu, rows, I, [](size_t, auto x) { return x; });
  for (T& m : mu) m /= T(I);
  sum_together(rstd, rows, I, [&mu](size_t r, auto x) { return (x - mu[r]) * (x - mu[r]); });
  for (T& squares : rstd) squares = T(1) / sqrt_(squares / T(I) + eps);
  for (size_t r = 0; r < present; ++r, X += I, Y += I) {
    const T m = mus[r] = mu[r], s = rstds[r] = rstd[r];
#pragma omp simd
    for (size_t i = 0; i < I; ++i) Y[i] = (X[i] - m) * s * G[i] + b[i];
  }
}

// Layer normalization: Y = (X - mu) rstd G + b per row, rstd = (population variance + eps)^(-1/2).
// Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450.  The variance is of the centred row: no cancellation.
template <class T>
void layer_norm(void* Y_, void* mu_, void* rstd_, const void* X_, const void* G_, const void* b_, double eps, size_t N,
                size_t I) {
  T *Y = static_cast<T*>(Y_), *mu = static_cast<T*>(mu_), *rstd = static_cast<T*>(rstd_);
  const T *X = static_cast<const T*>(X_), *G = static_cast<const T*>(G_), *b = static_cast<const T*>(b_);
  size_t n = 0;
  for (; n + 8 <= N; n += 8) layer_norm_rows<8>(Y + n * I, mu + n, rstd + n, X + n * I, G, b, T(eps), 8, I);
  for (; n < N; n += 4)
    layer_norm_rows<4>(Y + n * I, mu + n, rstd + n, X + n * I, G, b, T(eps), N - n < 4 ? N - n : 4, I);
}

constexpr size_t rows_together = 4;  // of the backward pass

// Columns i and on of R rows, as many as there are: their parts of dG and db, and of the sums of g and g H of each row.
template <size_t R, class T>
THINC_FN void backprop_norm_columns(T* dG, T* db, Vec<T> (&sum_g)[rows_together], Vec<T> (&sum_gh)[rows_together],
                                    const T* dY, const T* X, const T* G, const T* mu, const T* rstd, size_t I, size_t i,
                                    size_t columns) {
  const Vec<T> weight = load_columns(G + i, columns, 0);
  Vec<T> of_G = splat(T(0)), of_b = of_G;
#pragma GCC unroll 4
  for (size_t r = 0; r < R; ++r) {
    const Vec<T> dy = load_columns(dY + r * I + i, columns, 0), x = load_columns(X + r * I + i, columns, 0);
    const Vec<T> h = (x - mu[r]) * splat(rstd[r]), g = dy * weight;
    sum_g[r] += g;
    sum_gh[r] += g * h;
    of_G += dy * h;
    of_b += dy;
  }
  store_columns(dG + i, columns, load_columns(dG + i, columns, 0) + of_G);
  store_columns(db + i, columns, load_columns(db + i, columns, 0) + of_b);
}

template <size_t R, class T>
void backprop_norm_rows(T* dX, T* dG, T* db, const T* dY, const T* X, const T* G, const T* mu, const T* rstd,
                        size_t I) {
  constexpr size_t L = lanes<T>();
  T g[rows_together] = {}, gh[rows_together] = {}, rest_g[rows_together] = {}, rest_gh[rows_together] = {};
  for (size_t start = 0; start < I; start += terms_in_block) {
    const size_t end = I - start < terms_in_block ? I : start + terms_in_block;
    Vec<T> vectors[2][rows_together];
    for (auto& of_rows : vectors)
      for (Vec<T>& v : of_rows) v = splat(T(0));
    size_t i = start;
    for (; i + L <= end; i += L) backprop_norm_columns<R>(dG, db, vectors[0], vectors[1], dY, X, G, mu, rstd, I, i, L);
    if (i < end) backprop_norm_columns<R>(dG, db, vectors[0], vectors[1], dY, X, G, mu, rstd, I, i, end - i);
    T sums[2][rows_together];
    for (int s = 0; s < 2; ++s) sum_lanes(sums[s], vectors[s]);
    for (size_t r = 0; r < R; ++r) {
      add_exactly(g[r], rest_g[r], sums[0][r]);
      add_exactly(gh[r], rest_gh[r], sums[1][r]);
    }
  }
  for (size_t r = 0; r < R; ++r, dX += I, dY += I, X += I) {
    const T s = rstd[r], m = mu[r], share = s / T(I);
    const T constant = share * total_of(g[r], rest_g[r]), slope = share * s * total_of(gh[r], rest_gh[r]);
#pragma omp simd
    for (size_t i = 0; i < I; ++i) dX[i] = s * (dY[i] * G[i]) - constant - (X[i] - m) * slope;
  }
}

template <class T>
void backprop_norm_rows(T* dX, T* dG, T* db, const T* dY, const T* X, const T* G, const T* mu, const T* rstd, size_t N,
                        size_t I) {
  size_t n = 0;
  for (; n + rows_together <= N; n += rows_together)
    backprop_norm_rows<rows_together>(dX + n * I, dG, db, dY + n * I, X + n * I, G, mu + n, rstd + n, I);
  for (; n < N; ++n) backprop_norm_rows<1>(dX + n * I, dG, db, dY + n * I, X + n * I, G, mu + n, rstd + n, I);
}

// With H = (X - mu) rstd and g = dY G: dX = rstd (g - mean(g) - H mean(g H)); dG and db are accumulated.
template <class T>
void backprop_layer_norm(void* dX_, void* dG_, void* db_, const void* dY_, const void* X_, const void* G_,
                         const void* mu_, const void* rstd_, size_t N, size_t I) {
  T *dX = static_cast<T*>(dX_), *dG = static_cast<T*>(dG_), *db = static_cast<T*>(db_);
  const T *dY = static_cast<const T*>(dY_), *X = static_cast<const T*>(X_), *G = static_cast<const T*>(G_);
  const T *mu = static_cast<const T*>(mu_), *rstd = static_cast<const T*>(rstd_);
  constexpr size_t rows_in_block = 64;            // of one after another, where sum_rows adds eight
  if (N <= rows_in_block || I > columns_at_once)  // (rows so wide are never so many)
    return backprop_norm_rows(dX, dG, db, dY, X, G, mu, rstd, N, I);
  T block[2][columns_at_once], rest[2][columns_at_once];
  for (int i = 0; i < 2; ++i) memset(rest[i], 0, I * sizeof(T));
  for (size_t n = 0; n < N; n += rows_in_block) {
    for (int i = 0; i < 2; ++i) memset(block[i], 0, I * sizeof(T));
    backprop_norm_rows(dX + n * I, block[0], block[1], dY + n * I, X + n * I, G, mu + n, rstd + n,
                       N - n < rows_in_block ? N - n : rows_in_block, I);
    add_row_exactly(dG, rest[0], block[0], I);
    add_row_exactly(db, rest[1], block[1], I);
  }
  total_of_row(dG, rest[0], I);
  total_of_row(db, rest[1], I);
}

// Column sums, the gradient of a bias.
template <class T>
void sum_rows(void* sums, const void* X, size_t N, size_t O) {
  sum_strided(static_cast<T*>(sums), static_cast<const T*>(X), O, N, O);
}

// Softmax of each row. The maximum is subtracted before the temperature divides, so that the largest exponent is 0 with
// any rounding. Some rows at a time go through each step together: within one row every step would wait for the one
// before.
template <class T>
void softmax(void* Y_, const void* X_, double inverse_temperature, size_t N, size_t O) {
  const T scale = finite_<T>(inverse_temperature);
  constexpr size_t most = 64;
  T best[most], inverse[most];
  for (size_t start = 0; start < N; start += most) {
    const size_t rows = N - start < most ? N - start : most;
    const T* X = static_cast<const T*>(X_) + start * O;
    T* Y = static_cast<T*>(Y_) + start * O;
    for (size_t n = 0; n < rows; ++n) {
      const T* x = X + n * O;
      T b = x[0];
      if (scale < T(0)) {
#pragma omp simd reduction(min : b)
        for (size_t o = 1; o < O; ++o) b = x[o] < b ? x[o] : b;
      } else {
#pragma omp simd reduction(max : b)
        for (size_t o = 1; o < O; ++o) b = x[o] > b ? x[o] : b;
      }
      best[n] = b;
    }
    for (size_t n = 0; n < rows; ++n) {
      const T* x = X + n * O;
      T* y = Y + n * O;
      const T b = best[n];
#pragma omp simd
      for (size_t o = 0; o < O; ++o) y[o] = exp_((x[o] - b) * scale);
    }
    for (size_t n = 0; n < rows; ++n) {
      const T* y = Y + n * O;
      inverse[n] = T(1) / sum_terms<T>(O, [y](size_t o) { return y[o]; });
    }
    for (size_t n = 0; n < rows; ++n) {
      T* y = Y + n * O;
      const T f = inverse[n];
#pragma omp simd
      for (size_t o = 0; o < O; ++o) y[o] *= f;
    }
  }
}

// dX = (Y dY - Y sum(Y dY)) / temperature
template <class T>
void backprop_softmax(void* dX_, const void* Y_, const void* dY_, double inverse_temperature, size_t N, size_t O) {
  const T scale = finite_<T>(inverse_temperature);
  for (size_t n = 0; n < N; ++n) {
    const T* Y = static_cast<const T*>(Y_) + n * O;
    const T* dY = static_cast<const T*>(dY_) + n * O;
    T* dX = static_cast<T*>(dX_) + n * O;
    const T sum = sum_terms<T>(O, [Y, dY](size_t o) { return Y[o] * dY[o]; });
#pragma omp simd
    for (size_t o = 0; o < O; ++o) dX[o] = scale * Y[o] * (dY[o] - sum);
  }
}

THINC_END
