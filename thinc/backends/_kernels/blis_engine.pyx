# cython: language_level=3
"""Matrix products by the package blis, which has 39 MB and is loaded when its engine is asked for: see gemm.pyx."""
cimport blis.cy


cdef void sgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda, const void* B,
                size_t ldb, double beta, void* C, size_t ldc) noexcept nogil:
    blis.cy.sgemm(ta, tb, M, N, K, alpha, <const float*>A, lda, <const float*>B, ldb, beta, <float*>C, ldc)


cdef void dgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda, const void* B,
                size_t ldb, double beta, void* C, size_t ldc) noexcept nogil:
    blis.cy.dgemm(ta, tb, M, N, K, alpha, <const double*>A, lda, <const double*>B, ldb, beta, <double*>C, ldc)


def addresses():
    """Of the two functions."""
    return <size_t>&sgemm, <size_t>&dgemm
