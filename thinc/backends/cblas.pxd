# The BLAS table that compiled code receives from Ops.cblas().
#
# CBlas is 32 bytes, has no C methods and therefore no vtable: its functions are module-level, so that
# one can be added without changing what was compiled against an older version. The content of
# BlasFuncs belongs to the implementation; never dereference `ptr` outside it.
#
# Matrices are row-major: C (M, N) = alpha * op(A) op(B) + beta * C, and a leading dimension counts the
# elements between two stored rows. With beta == 0 the old content of C is not read.
from libcpp.memory cimport shared_ptr

ctypedef void (*sgemm_ptr)(bint transA, bint transB, int M, int N, int K,
                           float alpha, const float* A, int lda,
                           const float* B, int ldb, float beta,
                           float* C, int ldc) noexcept nogil
ctypedef void (*dgemm_ptr)(bint transA, bint transB, int M, int N, int K,
                           double alpha, const double* A, int lda,
                           const double* B, int ldb, double beta,
                           double* C, int ldc) noexcept nogil
ctypedef void (*saxpy_ptr)(int N, float alpha, const float* X, int incX,
                           float* Y, int incY) noexcept nogil
ctypedef void (*daxpy_ptr)(int N, double alpha, const double* X, int incX,
                           double* Y, int incY) noexcept nogil
ctypedef void (*sscal_ptr)(int N, float alpha, float* X, int incX) noexcept nogil
ctypedef void (*dscal_ptr)(int N, double alpha, double* X, int incX) noexcept nogil

cdef struct BlasFuncs

cdef class CBlas:
    cdef shared_ptr[BlasFuncs] ptr

cdef sgemm_ptr sgemm(CBlas cblas) noexcept nogil
cdef dgemm_ptr dgemm(CBlas cblas) noexcept nogil
cdef saxpy_ptr saxpy(CBlas cblas) noexcept nogil
cdef daxpy_ptr daxpy(CBlas cblas) noexcept nogil
cdef sscal_ptr sscal(CBlas cblas) noexcept nogil
cdef dscal_ptr dscal(CBlas cblas) noexcept nogil

cdef void set_sgemm(CBlas cblas, sgemm_ptr func) noexcept nogil
cdef void set_dgemm(CBlas cblas, dgemm_ptr func) noexcept nogil
cdef void set_saxpy(CBlas cblas, saxpy_ptr func) noexcept nogil
cdef void set_daxpy(CBlas cblas, daxpy_ptr func) noexcept nogil
cdef void set_sscal(CBlas cblas, sscal_ptr func) noexcept nogil
cdef void set_dscal(CBlas cblas, dscal_ptr func) noexcept nogil
