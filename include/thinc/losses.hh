// Gradients of losses with respect to guesses, in one pass.
#pragma once

#include "sums.hh"

THINC_BEGIN

// dX = (Y - target) scale, where target is `right` at the class of the row and `wrong` elsewhere; a negative class: dX
// = 0. Returns the first row with a Y that is not in [0, 1], as NaN is not, or a class of O or more, or -1.
template <class T>
int64_t backprop_cross_entropy(void* dX_, const void* Y_, const int32_t* classes, double right_, double wrong_,
                               double scale_, size_t N, size_t O) {
  const T* Y = static_cast<const T*>(Y_);
  T* dX = static_cast<T*>(dX_);
  const T right = T(right_), wrong = T(wrong_), scale = T(scale_);
  int bad = 0;
#pragma omp simd reduction(| : bad)
  for (size_t i = 0; i < N * O; ++i) {  // over all rows at once: they may be short
    bad |= !(Y[i] >= T(0)) | !(Y[i] <= T(1));
    dX[i] = (Y[i] - wrong) * scale;
  }
  if (bad)
    for (size_t i = 0; i < N * O; ++i)
      if (!(Y[i] >= T(0) && Y[i] <= T(1))) return int64_t(i / O);
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

template <class T>
THINC_FN T largest(const T* X, T off, size_t n) {
  T most = 0;
#pragma omp simd reduction(max : most)
  for (size_t i = 0; i < n; ++i) most = abs_(X[i] + off) > most ? abs_(X[i] + off) : most;
  return most;
}

// One pair of rows whose squares are out of range: both are divided by their largest numbers first.
template <class T>
THINC_FN T cosine_of_sized(T* dY, const T* Y, const T* truths, T scale, size_t O) {
  const T tiny = T(1e-8), y_size = largest(Y, tiny, O), t_size = largest(truths, tiny, O);
  T dot = 0, yy = 0, tt = 0;
#pragma omp simd reduction(+ : dot, yy, tt)
  for (size_t o = 0; o < O; ++o) {
    const T y = (Y[o] + tiny) / y_size, t = (truths[o] + tiny) / t_size;
    dot += y * t;
    yy += y * y;
    tt += t * t;
  }
  const T norms = sqrt_(yy * tt), along = dot / yy, factor = scale / norms / y_size;
#pragma omp simd
  for (size_t o = 0; o < O; ++o) dY[o] = ((Y[o] + tiny) / y_size * along - (truths[o] + tiny) / t_size) * factor;
  return dot / norms;
}

// Columns o and on of a pair of rows, as many as there are: their part of y t, y y and t t. `tiny` is added to each.
template <class T>
THINC_FN void add_products(Vec<T>& dot, Vec<T>& yy, Vec<T>& tt, const T* Y, const T* truths, size_t columns,
                           const Vec<T>& tiny) {
  const Vec<T> y = load_columns(Y, columns, 0) + tiny, t = load_columns(truths, columns, 0) + tiny;
  dot += y * t;
  yy += y * y;
  tt += t * t;
}

// Four pairs of rows together: alone, a short one takes as long as its additions do one after the other. The last of
// those that are `present` stands in for the others.
template <class T>
THINC_FN void cosines_of_rows(T* dY, T* cosines, const T* Y, const T* truths, T scale, size_t present, size_t O) {
  constexpr size_t R = 4, L = lanes<T>();
  const T tiny = T(1e-8);
  T tinies[L];
  for (size_t h = 0; h < L; ++h) tinies[h] = h < O % L ? tiny : T(0);
  const Vec<T> everywhere = splat(tiny), at_end = load(tinies);
  Vec<T> sums[3][R];
#pragma GCC unroll 4
  for (size_t r = 0; r < R; ++r) {
    const size_t row = (r < present ? r : present - 1) * O;
    for (int s = 0; s < 3; ++s) sums[s][r] = splat(T(0));
    size_t o = 0;
    for (; o + L <= O; o += L)
      add_products(sums[0][r], sums[1][r], sums[2][r], Y + row + o, truths + row + o, L, everywhere);
    if (o < O) add_products(sums[0][r], sums[1][r], sums[2][r], Y + row + o, truths + row + o, O - o, at_end);
  }
  T dot[R], yy[R], tt[R], norms[R], along[R], factor[R];
  sum_lanes(dot, sums[0]);
  sum_lanes(yy, sums[1]);
  sum_lanes(tt, sums[2]);
  for (size_t r = 0; r < R; ++r) {
    // Written so that a guess in the direction of its truth has the cosine 1 and no gradient, whatever is fused.
    norms[r] = sqrt_(yy[r] * tt[r]);
    along[r] = dot[r] / yy[r];
    factor[r] = scale / norms[r];
  }
  for (size_t r = 0; r < present; ++r, dY += O, Y += O, truths += O) {
    if (!(yy[r] * tt[r] < T(1e30) && yy[r] * tt[r] > T(1e-30))) {
      cosines[r] = cosine_of_sized(dY, Y, truths, scale, O);
      continue;
    }
    cosines[r] = dot[r] / norms[r];
    const T a = along[r], f = factor[r];
#pragma omp simd
    for (size_t o = 0; o < O; ++o) dY[o] = ((Y[o] + tiny) * a - (truths[o] + tiny)) * f;
  }
}

// The cosine of each pair of rows y = Y + 1e-8 and t = T + 1e-8, and dY = (y (y t) / |y|^2 - t) / (|y| |t|) scale.
template <class T>
void cosine_distance(void* dY_, void* cosines_, const void* Y_, const void* T_, double scale, size_t N, size_t O) {
  T *dY = static_cast<T*>(dY_), *cosines = static_cast<T*>(cosines_);
  const T *Y = static_cast<const T*>(Y_), *truths = static_cast<const T*>(T_);
  for (size_t n = 0; n < N; n += 4)
    cosines_of_rows(dY + n * O, cosines + n, Y + n * O, truths + n * O, T(scale), N - n < 4 ? N - n : 4, O);
}

// dY = (Y - T) scale; the sum of its squares.
template <class T>
double l2_distance(void* dY_, const void* Y_, const void* T_, double scale_, size_t n) {
  T* dY = static_cast<T*>(dY_);
  const T *Y = static_cast<const T*>(Y_), *truths = static_cast<const T*>(T_);
  const T scale = T(scale_);
  double total = 0, rest = 0;
  for (size_t start = 0; start < n; start += terms_in_block) {
    const size_t end = n - start < terms_in_block ? n : start + terms_in_block;
    T squares = 0;
#pragma omp simd reduction(+ : squares)
    for (size_t i = start; i < end; ++i) {
      const T d = (Y[i] - truths[i]) * scale;
      dY[i] = d;
      squares += d * d;
    }
    add_exactly(total, rest, double(squares));
  }
  return total_of(total, rest);
}

THINC_END
