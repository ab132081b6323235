# cython: language_level=3, binding=True
"""Matrix products on the CPU, by one of several engines.

native   include/thinc/gemm.hh: float32 and float64, and the bits of a row do not depend on how many rows there are
blis     the blis package, imported when it is asked for
linked   the BLAS that this build was linked against (THINC_BLAS), if any
numpy    numpy.dot, and so whatever NumPy was linked against

The environment variable THINC_GEMM or use_engine() chooses. Without either it is the linked one, if there is one, else
the native one.
"""
import os

cimport numpy as np
from libc.limits cimport INT_MAX

from .wrapping cimport Kernels, contiguous, empty2, kernels_for, table, typenum

import numpy

np.import_array()


cdef extern from *:
    """
    typedef void (*thinc_gemm_t)(int, int, size_t, size_t, size_t, double, const void*, size_t, const void*, size_t,
                                 double, void*, size_t);
    #ifdef THINC_LINKED_BLAS
    #ifdef THINC_BLAS_PREFIX
    #define THINC_JOIN2(a, b) a##b
    #define THINC_JOIN(a, b) THINC_JOIN2(a, b)
    #define THINC_SYMBOL(name) THINC_JOIN(THINC_BLAS_PREFIX, name)
    #else
    #define THINC_SYMBOL(name) name
    #endif
    extern "C" void THINC_SYMBOL(cblas_sgemm)(int, int, int, int, int, int, float, const float*, int, const float*,
                                              int, float, float*, int);
    extern "C" void THINC_SYMBOL(cblas_dgemm)(int, int, int, int, int, int, double, const double*, int, const double*,
                                              int, double, double*, int);
    enum { thinc_row_major = 101, thinc_no_trans = 111 };  // trans is the next
    static void thinc_linked_sgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A,
                                   size_t lda, const void* B, size_t ldb, double beta, void* C, size_t ldc) {
      THINC_SYMBOL(cblas_sgemm)(thinc_row_major, thinc_no_trans + ta, thinc_no_trans + tb, (int)M, (int)N, (int)K,
                                (float)alpha, (const float*)A, (int)lda, (const float*)B, (int)ldb, (float)beta,
                                (float*)C, (int)ldc);
    }
    static void thinc_linked_dgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A,
                                   size_t lda, const void* B, size_t ldb, double beta, void* C, size_t ldc) {
      THINC_SYMBOL(cblas_dgemm)(thinc_row_major, thinc_no_trans + ta, thinc_no_trans + tb, (int)M, (int)N, (int)K,
                                alpha, (const double*)A, (int)lda, (const double*)B, (int)ldb, beta, (double*)C,
                                (int)ldc);
    }
    #else
    #define THINC_LINKED_BLAS ""
    static const thinc_gemm_t thinc_linked_sgemm = 0, thinc_linked_dgemm = 0;
    #endif
    """
    ctypedef void (*gemm_t "thinc_gemm_t")(
        int, int, size_t, size_t, size_t, double, const void*, size_t, const void*, size_t, double, void*, size_t
    ) noexcept nogil
    const char* THINC_LINKED_BLAS
    gemm_t thinc_linked_sgemm
    gemm_t thinc_linked_dgemm


# ---- the engines

cdef struct Engine:
    const char* name
    gemm_t f32  # NULL: not by a C function
    gemm_t f64


cdef Engine[4] ENGINES
ENGINES[0] = Engine(b"native", NULL, NULL)  # by the kernel table, which use_isa() may switch
ENGINES[1] = Engine(b"blis", NULL, NULL)  # until somebody asks for it
ENGINES[2] = Engine(b"linked", thinc_linked_sgemm, thinc_linked_dgemm)
ENGINES[3] = Engine(b"numpy", NULL, NULL)
cdef const Engine* NATIVE = &ENGINES[0]
cdef const Engine* LINKED = &ENGINES[2]
cdef const Engine* NUMPY = &ENGINES[3]
cdef const Engine* current = NATIVE


cdef bint is_native() noexcept nogil:
    return current is NATIVE


def engines():
    """The names of the engines that this build has."""
    return tuple(e.name.decode() for e in ENGINES if e.name != LINKED.name or e.f32 is not NULL)


def engine_name():
    """The engine in use: "native", "blis", "linked" or "numpy"."""
    return current.name.decode()


def linked_blas():
    """The BLAS this build was linked against: the THINC_BLAS or THINC_BLAS_LIBS of the build; None if none was."""
    return THINC_LINKED_BLAS.decode() or None


def use_engine(name):
    """Make every matrix product of the process by this engine. ValueError if the build does not have it."""
    global current
    cdef int i
    if name not in engines():
        hint = " Build with THINC_BLAS set to have it." if name == "linked" else ""
        raise ValueError(f"gemm engine {name!r} is not available. Engines: {', '.join(engines())}.{hint}")
    if name == "blis" and ENGINES[1].f32 is NULL:
        from .blis_engine import addresses

        f32, f64 = addresses()
        ENGINES[1] = Engine(b"blis", <gemm_t><void*><size_t>f32, <gemm_t><void*><size_t>f64)
    for i in range(4):
        if ENGINES[i].name.decode() == name:
            current = &ENGINES[i]


def _start():
    requested = os.environ.get("THINC_GEMM", "").strip().lower()
    try:
        use_engine(requested or ("linked" if linked_blas() else "native"))
    except ValueError as e:
        raise ImportError(f"The environment sets THINC_GEMM={requested}. {e}") from None


_start()


cdef inline gemm_t function(const Kernels* k) noexcept nogil:
    """The C function of the engine in use for the dtype of these kernels."""
    cdef gemm_t f = current.f64 if k is &table().f64 else current.f32
    return <gemm_t>k.gemm if f is NULL else f


cdef void sgemm(bint transA, bint transB, int M, int N, int K, float alpha, const float* A, int lda,
                const float* B, int ldb, float beta, float* C, int ldc) noexcept nogil:
    if M > 0 and N > 0:
        function(&table().f32)(transA, transB, M, N, K if K > 0 else 0, alpha, A, lda, B, ldb, beta, C, ldc)


cdef void dgemm(bint transA, bint transB, int M, int N, int K, double alpha, const double* A, int lda,
                const double* B, int ldb, double beta, double* C, int ldc) noexcept nogil:
    if M > 0 and N > 0:
        function(&table().f64)(transA, transB, M, N, K if K > 0 else 0, alpha, A, lda, B, ldb, beta, C, ldc)


# ---- operands

cdef bint read_matrix(np.ndarray X, Matrix* m, bint may_overlap) noexcept:
    """How a BLAS sees X: rows of adjacent elements, or columns (then it is stored transposed). False: neither, or they
    overlap and must not."""
    cdef np.npy_intp item = np.PyArray_ITEMSIZE(X)
    cdef np.npy_intp rows = np.PyArray_DIM(X, 0)
    cdef np.npy_intp columns = np.PyArray_DIM(X, 1)
    cdef np.npy_intp row_stride = np.PyArray_STRIDE(X, 0)
    cdef np.npy_intp column_stride = np.PyArray_STRIDE(X, 1)
    m.data = np.PyArray_BYTES(X)
    m.trans = False
    if not np.PyArray_ISBEHAVED_RO(X):
        return False
    # The stride of an axis of one element (or of an empty array) means nothing.
    if rows <= 1 or rows * columns == 0:
        row_stride = columns * item
    if columns <= 1 or rows * columns == 0:
        column_stride = item
    if column_stride == item and row_stride >= (item if may_overlap else columns * item) and row_stride % item == 0:
        m.ld = max(row_stride // item, 1)
        m.end = m.data + (rows - 1) * row_stride + columns * item
        return True
    if row_stride == item and column_stride >= (item if may_overlap else rows * item) and column_stride % item == 0:
        m.ld = column_stride // item
        m.trans = True
        m.end = m.data + (columns - 1) * column_stride + rows * item
        return True
    return False


cdef object _wrong_ndim(str name, np.ndarray X):
    return ValueError(
        f"Provided '{name}' array should be 2-dimensional, but found {np.PyArray_NDIM(X)} dimension(s)."
    )


cdef object _wrong_dtypes(np.ndarray x, np.ndarray y):
    return ValueError(
        f"BLIS gemm requires float32 arrays, but got x.dtype={(<object>x).dtype} and y.dtype={(<object>y).dtype}. "
        "Consider casting your input with array.astype('float32'). (Two float64 arrays work as well.)"
    )


cdef object _wrong_out(np.ndarray out, np.ndarray x, np.npy_intp M, np.npy_intp N):
    if np.PyArray_NDIM(out) != 2 or np.PyArray_DIM(out, 0) != M or np.PyArray_DIM(out, 1) != N:
        return ValueError(f"Shape mismatch for output matrix, was: {(<object>out).shape}, expected {(M, N)}")
    if not np.PyArray_ISWRITEABLE(out):
        return ValueError("gemm: the array given as out is read-only")
    return ValueError(f"gemm: expected out of dtype {(<object>x).dtype}, got {(<object>out).dtype}")


cdef np.ndarray product(np.ndarray x, np.ndarray y, np.ndarray out, bint trans1, bint trans2):
    """op(x) @ op(y) in out, or in a new array if that is None. ValueError for dtypes or shapes that do not fit."""
    cdef const Kernels* k = kernels_for(x)
    if np.PyArray_NDIM(x) != 2:
        raise _wrong_ndim("x", x)
    if np.PyArray_NDIM(y) != 2:
        raise _wrong_ndim("y", y)
    if k is NULL or kernels_for(y) is not k:
        raise _wrong_dtypes(x, y)
    cdef np.npy_intp M = np.PyArray_DIM(x, 1 if trans1 else 0)
    cdef np.npy_intp K = np.PyArray_DIM(x, 0 if trans1 else 1)
    cdef np.npy_intp K2 = np.PyArray_DIM(y, 1 if trans2 else 0)
    cdef np.npy_intp N = np.PyArray_DIM(y, 0 if trans2 else 1)
    if K != K2:
        raise ValueError(f"Shape mismatch for blis.gemm: {(M, K)}, {(K2, N)}")
    cdef np.ndarray target = out
    cdef Matrix a
    cdef Matrix b
    cdef Matrix c
    if not read_matrix(x, &a, is_native()):  # (a BLAS refuses rows that overlap)
        x = contiguous(x)
        read_matrix(x, &a, False)
    if not read_matrix(y, &b, is_native()):
        y = contiguous(y)
        read_matrix(y, &b, False)
    if out is None:
        target = out = empty2(typenum(x), M, N)
        c.data = np.PyArray_BYTES(target)
        c.ld = N
    else:
        if (
            kernels_for(out) is not k
            or np.PyArray_NDIM(out) != 2
            or np.PyArray_DIM(out, 0) != M
            or np.PyArray_DIM(out, 1) != N
            or not np.PyArray_ISWRITEABLE(out)
        ):
            raise _wrong_out(out, x, M, N)
        # Not in place where the rows are scattered, or where an operand lies in the way.
        if (
            not read_matrix(out, &c, False)
            or c.trans
            or (c.data < a.end and a.data < c.end)
            or (c.data < b.end and b.data < c.end)
        ):
            target = empty2(typenum(x), M, N)
            c.data = np.PyArray_BYTES(target)
            c.ld = N
    cdef gemm_t f = function(k)
    # The other engines count in int.
    if max(max(M, N), K) > INT_MAX or max(max(a.ld, b.ld), c.ld) > INT_MAX:
        f = <gemm_t>k.gemm
    if M and N:
        if current is NUMPY:
            # Not numpy.dot(out=), which refuses rows that are apart. It may warn of lanes that are no part of the result.
            with numpy.errstate(all="ignore"):
                np.PyArray_CopyInto(target, numpy.dot(x.T if trans1 else x, y.T if trans2 else y))
        elif K == 0:
            target.fill(0)
        else:
            with nogil:
                f(trans1 != a.trans, trans2 != b.trans, M, N, K, 1.0, a.data, a.ld, b.data, b.ld, 0.0, c.data, c.ld)
    if target is not out:
        np.PyArray_CopyInto(out, target)
    return out
