# cython: embedsignature=True, embedsignature.format=c
from libcpp.memory cimport make_shared

from ._kernels cimport gemm


cdef extern from "blas1.hh" namespace "thinc::blas1" nogil:
    void axpy[T](int N, T alpha, const T* X, int incX, T* Y, int incY) noexcept
    void scal[T](int N, T alpha, T* X, int incX) noexcept


cdef struct BlasFuncs:
    sgemm_ptr sgemm
    dgemm_ptr dgemm
    saxpy_ptr saxpy
    daxpy_ptr daxpy
    sscal_ptr sscal
    dscal_ptr dscal


cdef BlasFuncs _default_funcs() noexcept:
    """The functions of a new table: the one place that chooses them.

    gemm follows use_engine() at every call, in tables made before it too.
    """
    cdef BlasFuncs funcs
    funcs.sgemm = gemm.sgemm
    funcs.dgemm = gemm.dgemm
    funcs.saxpy = <saxpy_ptr>axpy[float]
    funcs.daxpy = <daxpy_ptr>axpy[double]
    funcs.sscal = <sscal_ptr>scal[float]
    funcs.dscal = <dscal_ptr>scal[double]
    return funcs


cdef class CBlas:
    """A table of C functions: sgemm, dgemm, saxpy, daxpy, sscal, dscal.

    Compiled code reads and replaces its entries through the functions of cblas.pxd, without the GIL;
    replacing one changes this object only. Python sees no members.
    """
    __slots__ = []

    # Not __init__: a subclass that forgets to call it must not leave the table null.
    def __cinit__(self):
        self.ptr = make_shared[BlasFuncs](_default_funcs())


cdef sgemm_ptr sgemm(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().sgemm


cdef dgemm_ptr dgemm(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().dgemm


cdef saxpy_ptr saxpy(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().saxpy


cdef daxpy_ptr daxpy(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().daxpy


cdef sscal_ptr sscal(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().sscal


cdef dscal_ptr dscal(CBlas cblas) noexcept nogil:
    return cblas.ptr.get().dscal


cdef void set_sgemm(CBlas cblas, sgemm_ptr func) noexcept nogil:
    cblas.ptr.get().sgemm = func


cdef void set_dgemm(CBlas cblas, dgemm_ptr func) noexcept nogil:
    cblas.ptr.get().dgemm = func


cdef void set_saxpy(CBlas cblas, saxpy_ptr func) noexcept nogil:
    cblas.ptr.get().saxpy = func


cdef void set_daxpy(CBlas cblas, daxpy_ptr func) noexcept nogil:
    cblas.ptr.get().daxpy = func


cdef void set_sscal(CBlas cblas, sscal_ptr func) noexcept nogil:
    cblas.ptr.get().sscal = func


cdef void set_dscal(CBlas cblas, dscal_ptr func) noexcept nogil:
    cblas.ptr.get().dscal = func
