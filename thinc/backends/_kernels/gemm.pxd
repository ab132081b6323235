"""Matrix products for compiled code, in the signature of cblas.pxd and by the engine in use."""
cimport numpy as np



# Row-major: C (M, N) = alpha * op(A) op(B) + beta * C; with beta == 0 the old content of C is not read. The engine
# "numpy" has no C functions: these are the native ones then.
cdef void sgemm(bint transA, bint transB, int M, int N, int K, float alpha, const float* A, int lda,
                const float* B, int ldb, float beta, float* C, int ldc) noexcept nogil
cdef void dgemm(bint transA, bint transB, int M, int N, int K, double alpha, const double* A, int lda,
                const double* B, int ldb, double beta, double* C, int ldc) noexcept nogil

cdef bint is_native() noexcept nogil
cdef np.ndarray product(np.ndarray x, np.ndarray y, np.ndarray out, bint trans1, bint trans2)


cdef struct Matrix:
    char* data
    size_t ld  # elements between stored rows
    bint trans  # stored the other way round
    char* end


cdef bint read_matrix(np.ndarray X, Matrix* m, bint may_overlap) noexcept
