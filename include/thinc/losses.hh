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

// One pair of rows, divided by y_size and t_size first if they are `sized`. If not: -2 where squares are out of range.
template <class T, bool sized>
THINC_FN T cosine_of_rows(T* dY, const T* Y, const T* truths, T scale, T y_size, T t_size, size_t O) {
  const T tiny = T(1e-8);
  T dot = 0, yy = 0, tt = 0;
#pragma omp simd reduction(+ : dot, yy, tt)
  for (size_t o = 0; o < O; ++o) {
    T y = Y[o] + tiny, t = truths[o] + tiny;
    if (sized) {
      y /= y_size;
      t /= t_size;
    }
    dot += y * t;
    yy += y * y;
    tt += t * t;
  }
  const T squares = yy * tt;
  if (!sized && !(squares < T(1e30) && squares > T(1e-30))) return T(-2);
  // Written so that a guess in the direction of its truth has the cosine 1 and no gradient, whatever is fused.
  const T norms = sqrt_(squares), along = dot / yy, factor = scale / norms / y_size;
#pragma omp simd
  for (size_t o = 0; o < O; ++o) {
    T y = Y[o] + tiny, t = truths[o] + tiny;
    if (sized) {
      y /= y_size;
      t /= t_size;
    }
    dY[o] = (y * along - t) * factor;
  }
  return dot / norms;
}

// The cosine of each pair of rows y = Y + 1e-8 and t = T + 1e-8, and dY = (y (y t) / |y|^2 - t) / (|y| |t|) scale.
template <class T>
void cosine_distance(void* dY_, void* cosines_, const void* Y_, const void* T_, double scale_, size_t N, size_t O) {
  const T scale = T(scale_), tiny = T(1e-8);
  T* cosines = static_cast<T*>(cosines_);
  for (size_t n = 0; n < N; ++n) {
    const T* Y = static_cast<const T*>(Y_) + n * O;
    const T* truths = static_cast<const T*>(T_) + n * O;
    T* dY = static_cast<T*>(dY_) + n * O;
    cosines[n] = cosine_of_rows<T, false>(dY, Y, truths, scale, T(1), T(1), O);
    if (cosines[n] == T(-2))  // squares that are too large or too small
      cosines[n] = cosine_of_rows<T, true>(dY, Y, truths, scale, largest(Y, tiny, O), largest(truths, tiny, O), O);
  }
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
