// Vector loops behind the C function table of cblas.pyx: y += alpha x and x *= alpha.
//
// Called once per word and hidden layer by parsers, with N of 64 to 300: a library call costs more
// there than the work. Unit strides take the vectorized loop. Element i of a vector with increment
// `inc` is x[i * inc], also when inc is negative or 0; N <= 0 does nothing. X and Y may be the same vector
// but must not overlap otherwise.
#ifndef THINC_BACKENDS_BLAS1_HH
#define THINC_BACKENDS_BLAS1_HH

#include <cstddef>

namespace thinc {
namespace blas1 {

template <class T>
void axpy(int N, T alpha, const T* X, int incX, T* Y, int incY) noexcept {
  const std::ptrdiff_t n = N, dx = incX, dy = incY;
  if (dx == 1 && dy == 1) {
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < n; ++i) Y[i] += alpha * X[i];
  } else {
    for (std::ptrdiff_t i = 0; i < n; ++i) Y[i * dy] += alpha * X[i * dx];
  }
}

template <class T>
void scal(int N, T alpha, T* X, int incX) noexcept {
  const std::ptrdiff_t n = N, dx = incX;
  if (dx == 1) {
#pragma omp simd
    for (std::ptrdiff_t i = 0; i < n; ++i) X[i] *= alpha;
  } else {
    for (std::ptrdiff_t i = 0; i < n; ++i) X[i * dx] *= alpha;
  }
}

}  // namespace blas1
}  // namespace thinc

#endif
