// What profiles ask to be one pass: layer normalization, softmax, column sums. Rows are independent, and each is summed
// in the same order whatever their number.
#pragma once

#include "portable.hh"

THINC_BEGIN

// Layer normalization: Y = (X - mu) rstd G + b per row, rstd = (population variance + eps)^(-1/2).
// Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450.  The variance is of the centred row: no cancellation.
template <class T>
void layer_norm(void* Y_, void* mu_, void* rstd_, const void* X_, const void* G_, const void* b_, double eps, size_t N,
                size_t I) {
  T* mus = static_cast<T*>(mu_);
  T* rstds = static_cast<T*>(rstd_);
  const T* G = static_cast<const T*>(G_);
  const T* b = static_cast<const T*>(b_);
  for (size_t n = 0; n < N; ++n) {
    const T* X = static_cast<const T*>(X_) + n * I;
    T* Y = static_cast<T*>(Y_) + n * I;
    T sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < I; ++i) sum += X[i];
    const T mu = sum / T(I);
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < I; ++i) squares += (X[i] - mu) * (X[i] - mu);
    const T rstd = T(1) / sqrt_(squares / T(I) + T(eps));
    mus[n] = mu;
    rstds[n] = rstd;
#pragma omp simd
    for (size_t i = 0; i < I; ++i) Y[i] = (X[i] - mu) * rstd * G[i] + b[i];
  }
}

// With H = (X - mu) rstd and g = dY G: dX = rstd (g - mean(g) - H mean(g H)); dG and db are accumulated.
template <class T>
void backprop_layer_norm(void* dX_, void* dG_, void* db_, const void* dY_, const void* X_, const void* G_,
                         const void* mu_, const void* rstd_, size_t N, size_t I) {
  T* dG = static_cast<T*>(dG_);
  T* db = static_cast<T*>(db_);
  const T* G = static_cast<const T*>(G_);
  for (size_t n = 0; n < N; ++n) {
    const T* X = static_cast<const T*>(X_) + n * I;
    const T* dY = static_cast<const T*>(dY_) + n * I;
    T* dX = static_cast<T*>(dX_) + n * I;
    const T mu = static_cast<const T*>(mu_)[n], rstd = static_cast<const T*>(rstd_)[n];
    T sum_g = 0, sum_gh = 0;
#pragma omp simd reduction(+ : sum_g, sum_gh)
    for (size_t i = 0; i < I; ++i) {
      T h = (X[i] - mu) * rstd, g = dY[i] * G[i];
      sum_g += g;
      sum_gh += g * h;
      dG[i] += dY[i] * h;
      db[i] += dY[i];
    }
    const T mean_g = sum_g / T(I), mean_gh = sum_gh / T(I);
#pragma omp simd
    for (size_t i = 0; i < I; ++i) dX[i] = rstd * (dY[i] * G[i] - mean_g - (X[i] - mu) * rstd * mean_gh);
  }
}

// Softmax of each row, its maximum subtracted first. Some rows at a time go through each step together: within one row
// every step would wait for the one before.
template <class T>
void softmax(void* Y_, const void* X_, double inverse_temperature, size_t N, size_t O) {
  const T scale = T(inverse_temperature);
  constexpr size_t most = 64;
  T best[most], inverse[most];
  for (size_t start = 0; start < N; start += most) {
    const size_t rows = N - start < most ? N - start : most;
    const T* X = static_cast<const T*>(X_) + start * O;
    T* Y = static_cast<T*>(Y_) + start * O;
    for (size_t n = 0; n < rows; ++n) {
      const T* x = X + n * O;
      T b = x[0] * scale;
#pragma omp simd reduction(max : b)
      for (size_t o = 1; o < O; ++o) b = x[o] * scale > b ? x[o] * scale : b;
      best[n] = b;
    }
    for (size_t n = 0; n < rows; ++n) {
      const T* x = X + n * O;
      T* y = Y + n * O;
      const T b = best[n];
#pragma omp simd
      for (size_t o = 0; o < O; ++o) y[o] = exp_(x[o] * scale - b);
    }
    for (size_t n = 0; n < rows; ++n) {
      const T* y = Y + n * O;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (size_t o = 0; o < O; ++o) sum += y[o];
      inverse[n] = T(1) / sum;
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
  const T scale = T(inverse_temperature);
  for (size_t n = 0; n < N; ++n) {
    const T* Y = static_cast<const T*>(Y_) + n * O;
    const T* dY = static_cast<const T*>(dY_) + n * O;
    T* dX = static_cast<T*>(dX_) + n * O;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t o = 0; o < O; ++o) sum += Y[o] * dY[o];
#pragma omp simd
    for (size_t o = 0; o < O; ++o) dX[o] = scale * Y[o] * (dY[o] - sum);
  }
}

// dX = (Y - target) scale, where target is `right` at the class of the row and `wrong` elsewhere; a negative class: dX
// = 0. Nothing is wrong with a NaN. Returns the first row with a Y outside [0, 1] or a class of O or more, or -1.
template <class T>
int64_t backprop_cross_entropy(void* dX_, const void* Y_, const int32_t* classes, double right_, double wrong_,
                               double scale_, size_t N, size_t O) {
  const T* Y = static_cast<const T*>(Y_);
  T* dX = static_cast<T*>(dX_);
  const T right = T(right_), wrong = T(wrong_), scale = T(scale_);
  int bad = 0;
#pragma omp simd reduction(| : bad)
  for (size_t i = 0; i < N * O; ++i) {  // over all rows at once: they may be short
    bad |= (Y[i] < T(0)) | (Y[i] > T(1));
    dX[i] = (Y[i] - wrong) * scale;
  }
  if (bad)
    for (size_t i = 0; i < N * O; ++i)
      if (Y[i] < T(0) || Y[i] > T(1)) return int64_t(i / O);
  for (size_t n = 0; n < N; ++n, dX += O, Y += O) {
    const int32_t c = classes[n];
    if (c >= int64_t(O)) return int64_t(n);
    if (c >= 0)
      dX[c] = (Y[c] - right) * scale;
    else
      for (size_t o = 0; o < O; ++o) dX[o] = T(0);
  }
  return -1;
}

// The cosine of each pair of rows y = Y + 1e-8 and t = T + 1e-8, and dY = (cos y / |y|^2 - t / (|y| |t|)) scale.
template <class T>
void cosine_distance(void* dY_, void* cosines_, const void* Y_, const void* T_, double scale_, size_t N, size_t O) {
  const T tiny = T(1e-8), scale = T(scale_);
  for (size_t n = 0; n < N; ++n) {
    const T* Y = static_cast<const T*>(Y_) + n * O;
    const T* truths = static_cast<const T*>(T_) + n * O;
    T* dY = static_cast<T*>(dY_) + n * O;
    T dot = 0, yy = 0, tt = 0;
#pragma omp simd reduction(+ : dot, yy, tt)
    for (size_t o = 0; o < O; ++o) {
      const T y = Y[o] + tiny, t = truths[o] + tiny;
      dot += y * t;
      yy += y * y;
      tt += t * t;
    }
    const T norms = sqrt_(yy) * sqrt_(tt), cosine = dot / norms;
    static_cast<T*>(cosines_)[n] = cosine;
    const T of_guess = cosine / yy * scale, of_truth = scale / norms;
#pragma omp simd
    for (size_t o = 0; o < O; ++o) dY[o] = (Y[o] + tiny) * of_guess - (truths[o] + tiny) * of_truth;
  }
}

// dY = (Y - T) scale; the sum of its squares, in double from one block to the next.
template <class T>
double l2_distance(void* dY_, const void* Y_, const void* T_, double scale_, size_t n) {
  T* dY = static_cast<T*>(dY_);
  const T *Y = static_cast<const T*>(Y_), *truths = static_cast<const T*>(T_);
  const T scale = T(scale_);
  constexpr size_t block = 1024;
  double total = 0;
  for (size_t start = 0; start < n; start += block) {
    const size_t end = n - start < block ? n : start + block;
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (size_t i = start; i < end; ++i) {
      const T d = (Y[i] - truths[i]) * scale;
      dY[i] = d;
      squares += d * d;
    }
    total += double(squares);
  }
  return total;
}

// Column sums, the gradient of a bias. Columns stay in registers or L1 while the rows stream by once.
template <class T>
void sum_rows(void* sums_, const void* X_, size_t N, size_t O) {
  T* sums = static_cast<T*>(sums_);
  const T* X = static_cast<const T*>(X_);
#pragma omp simd
  for (size_t o = 0; o < O; ++o) sums[o] = T(0);
  size_t n = 0;
  for (; n + 4 <= N; n += 4) {
    const T *r0 = X + n * O, *r1 = r0 + O, *r2 = r1 + O, *r3 = r2 + O;
#pragma omp simd
    for (size_t o = 0; o < O; ++o) sums[o] += (r0[o] + r1[o]) + (r2[o] + r3[o]);
  }
  for (; n < N; ++n) {
    const T* r = X + n * O;
#pragma omp simd
    for (size_t o = 0; o < O; ++o) sums[o] += r[o];
  }
}

THINC_END
