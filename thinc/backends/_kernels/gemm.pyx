# cython: language_level=3, binding=True
"""Matrix products on the CPU, by one of several engines.

native   include/thinc/gemm.hh: float32 and float64, and the bits of a row do not depend on how many rows there are
blis     the blis package
linked   the BLAS that this build was linked against (THINC_BLAS), if any
numpy    numpy.dot, and so whatever NumPy was linked against

The environment variable THINC_GEMM or use_engine() chooses. Without either it is the linked one, if there is one, else
the native one. A wrapper returns None for arrays it does not cover; see elementwise.pxd.
"""
import os

cimport blis.cy
cimport numpy as np
from libc.limits cimport INT_MAX
from libc.stdint cimport int32_t

from .elementwise cimport Kernels, contiguous, empty1, empty2, kernels_for, new_array, table

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

cdef void blis_sgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda,
                     const void* B, size_t ldb, double beta, void* C, size_t ldc) noexcept nogil:
    blis.cy.sgemm(ta, tb, M, N, K, alpha, <const float*>A, lda, <const float*>B, ldb, beta, <float*>C, ldc)


cdef void blis_dgemm(int ta, int tb, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda,
                     const void* B, size_t ldb, double beta, void* C, size_t ldc) noexcept nogil:
    blis.cy.dgemm(ta, tb, M, N, K, alpha, <const double*>A, lda, <const double*>B, ldb, beta, <double*>C, ldc)


cdef struct Engine:
    const char* name
    gemm_t f32  # NULL: not by a C function
    gemm_t f64


cdef Engine[4] ENGINES
ENGINES[0] = Engine(b"native", NULL, NULL)  # by the kernel table, which use_isa() may switch
ENGINES[1] = Engine(b"blis", blis_sgemm, blis_dgemm)
ENGINES[2] = Engine(b"linked", thinc_linked_sgemm, thinc_linked_dgemm)
ENGINES[3] = Engine(b"numpy", NULL, NULL)
cdef const Engine* NATIVE = &ENGINES[0]
cdef const Engine* LINKED = &ENGINES[2]
cdef const Engine* NUMPY = &ENGINES[3]
cdef const Engine* current = NATIVE


def engines():
    """The names of the engines that this build has."""
    return tuple(e.name.decode() for e in ENGINES if e.name != LINKED.name or e.f32 is not NULL)


def engine_name():
    """The engine in use: "native", "blis", "linked" or "numpy"."""
    return current.name.decode()


def linked_blas():
    """The BLAS this build was linked against: "openblas", "mkl", "accelerate" or "blis"; None if none was."""
    return THINC_LINKED_BLAS.decode() or None


def use_engine(name):
    """Make every matrix product of the process by this engine. ValueError if the build does not have it."""
    global current
    cdef int i
    if name not in engines():
        hint = " Build with THINC_BLAS set to have it." if name == "linked" else ""
        raise ValueError(f"gemm engine {name!r} is not available. Engines: {', '.join(engines())}.{hint}")
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

cdef struct Matrix:
    char* data
    size_t ld  # elements between stored rows
    bint trans  # stored the other way round
    char* end


cdef bint read_matrix(np.ndarray X, Matrix* m) noexcept:
    """How a BLAS sees X: rows of adjacent elements, or columns (then it is stored transposed). False: neither."""
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
    if column_stride == item and row_stride >= columns * item and row_stride % item == 0:
        m.ld = max(row_stride // item, 1)
        m.end = m.data + rows * row_stride
        return True
    if row_stride == item and column_stride >= rows * item and column_stride % item == 0:
        m.ld = column_stride // item
        m.trans = True
        m.end = m.data + columns * column_stride
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


cdef np.ndarray product(const Kernels* k, np.ndarray x, np.ndarray y, np.ndarray out, bint trans1, bint trans2):
    """op(x) @ op(y) in out, or in a new array if that is None; both of the dtype of k."""
    if np.PyArray_NDIM(x) != 2:
        raise _wrong_ndim("x", x)
    if np.PyArray_NDIM(y) != 2:
        raise _wrong_ndim("y", y)
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
    if not read_matrix(x, &a):
        x = contiguous(x)
        read_matrix(x, &a)
    if not read_matrix(y, &b):
        y = contiguous(y)
        read_matrix(y, &b)
    if out is None:
        target = out = empty2(x, M, N)
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
            not read_matrix(out, &c)
            or c.trans
            or (c.data < a.end and a.data < c.end)
            or (c.data < b.end and b.data < c.end)
        ):
            target = empty2(x, M, N)
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


# ---- what the backend calls

def gemm(x, y, out=None, bint trans1=False, bint trans2=False):
    """op(x) @ op(y), in out if given; None if x or y is not NumPy's. ValueError for dtypes or shapes that do not fit."""
    if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
        return None
    cdef const Kernels* k = kernels_for(x)
    if k is NULL or kernels_for(y) is not k:
        if np.PyArray_NDIM(<np.ndarray>x) != 2:
            raise _wrong_ndim("x", x)
        if np.PyArray_NDIM(<np.ndarray>y) != 2:
            raise _wrong_ndim("y", y)
        raise _wrong_dtypes(x, y)
    return product(k, x, y, out, trans1, trans2)


def affine(X, W, b):
    """X (N, I) @ W (O, I).T + b (O,) -> (N, O); None if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or kernels_for(W) is not k or kernels_for(b) is not k:
        return None
    cdef np.ndarray X_ = X
    cdef np.ndarray W_ = W
    cdef np.ndarray b_ = b
    cdef np.ndarray Y
    if (
        current is not NATIVE
        or np.PyArray_NDIM(X_) != 2
        or np.PyArray_NDIM(W_) != 2
        or np.PyArray_NDIM(b_) != 1
        or np.PyArray_DIM(X_, 1) != np.PyArray_DIM(W_, 1)
        or np.PyArray_DIM(b_, 0) != np.PyArray_DIM(W_, 0)
    ):
        # Other engines, a bias that NumPy broadcasts, and the errors.
        Y = product(k, X_, W_, None, False, True)
        numpy.add(Y, b_, out=Y)
        return Y
    X_ = contiguous(X_)
    W_ = contiguous(W_)
    b_ = contiguous(b_)
    cdef size_t N = np.PyArray_DIM(X_, 0)
    cdef size_t I = np.PyArray_DIM(X_, 1)
    cdef size_t O = np.PyArray_DIM(W_, 0)
    Y = empty2(X_, N, O)
    if N and O:
        with nogil:
            k.affine(np.PyArray_DATA(Y), np.PyArray_DATA(X_), np.PyArray_DATA(W_), np.PyArray_DATA(b_), N, I, O)
    return Y


cdef struct Pieces:
    np.npy_intp N
    np.npy_intp I
    np.npy_intp O
    np.npy_intp P


cdef const Kernels* read_pieces(object X, object W, object b, Pieces* dims) noexcept:
    """The kernels for X (N, I), W (O, P, I) and b (O, P); NULL if they do not cover these, or the shapes do not fit."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or kernels_for(W) is not k or kernels_for(b) is not k:
        return NULL
    cdef np.ndarray X_ = X
    cdef np.ndarray W_ = W
    cdef np.ndarray b_ = b
    if np.PyArray_NDIM(X_) != 2 or np.PyArray_NDIM(W_) != 3 or np.PyArray_NDIM(b_) != 2:
        return NULL
    dims.N = np.PyArray_DIM(X_, 0)
    dims.I = np.PyArray_DIM(X_, 1)
    dims.O = np.PyArray_DIM(W_, 0)
    dims.P = np.PyArray_DIM(W_, 1)
    fit = dims.P > 0 and dims.I == np.PyArray_DIM(W_, 2)
    fit = fit and np.PyArray_DIM(b_, 0) == dims.O and np.PyArray_DIM(b_, 1) == dims.P
    return k if fit else NULL


cdef np.ndarray empty_which(Pieces* d):
    cdef np.npy_intp shape[2]
    shape[0] = d.N
    shape[1] = d.O
    return new_array(2, shape, np.NPY_INT32)


def affine_maxout(X, W, b):
    """The largest piece of X (N, I) @ W (O, P, I).T + b (O, P) and its number -> (best, which), (N, O) each.

    None if the kernels do not cover the arrays, or their shapes do not fit.
    """
    cdef Pieces d
    cdef const Kernels* k = read_pieces(X, W, b, &d)
    if k is NULL:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef np.ndarray best = empty2(X_, d.N, d.O)
    cdef np.ndarray which = empty_which(&d)
    cdef np.ndarray Z
    if d.N and d.O:
        if current is NATIVE:
            with nogil:
                k.affine_maxout(np.PyArray_DATA(best), <int32_t*>np.PyArray_DATA(which), np.PyArray_DATA(X_),
                                np.PyArray_DATA(W_), np.PyArray_DATA(b_), d.N, d.I, d.O, d.P)
        else:
            Z = affine(X_, (<object>W_).reshape((d.O * d.P, d.I)), (<object>b_).reshape((d.O * d.P,)))
            with nogil:
                k.maxout(np.PyArray_DATA(best), <int32_t*>np.PyArray_DATA(which), np.PyArray_DATA(Z), d.N, d.O, d.P)
    return best, which


def affine_maxout_layer_norm(X, W, b, G, beta, double eps, bint is_train):
    """affine_maxout and layer_norm of the best -> (Y, best, which, mu, rstd); without is_train best and which are None.

    None if the kernels do not cover the arrays, their shapes do not fit, or another engine is in use.
    """
    cdef Pieces d
    cdef const Kernels* k = read_pieces(X, W, b, &d)
    if k is NULL or current is not NATIVE or kernels_for(G) is not k or kernels_for(beta) is not k:
        return None
    cdef np.ndarray G_ = G
    cdef np.ndarray beta_ = beta
    if np.PyArray_NDIM(G_) != 1 or np.PyArray_NDIM(beta_) != 1:
        return None
    if d.O == 0 or np.PyArray_DIM(G_, 0) != d.O or np.PyArray_DIM(beta_, 0) != d.O:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    G_ = contiguous(G_)
    beta_ = contiguous(beta_)
    cdef np.ndarray Y = empty2(X_, d.N, d.O)
    cdef np.ndarray mu = empty1(X_, d.N)
    cdef np.ndarray rstd = empty1(X_, d.N)
    cdef np.ndarray best = empty2(X_, d.N, d.O) if is_train else None
    cdef np.ndarray which = empty_which(&d) if is_train else None
    cdef void* best_data = np.PyArray_DATA(best) if is_train else NULL
    cdef int32_t* which_data = <int32_t*>np.PyArray_DATA(which) if is_train else NULL
    if d.N:
        with nogil:
            k.affine_maxout_layer_norm(np.PyArray_DATA(Y), best_data, which_data, np.PyArray_DATA(mu),
                                       np.PyArray_DATA(rstd), np.PyArray_DATA(X_), np.PyArray_DATA(W_),
                                       np.PyArray_DATA(b_), np.PyArray_DATA(G_), np.PyArray_DATA(beta_), eps,
                                       d.N, d.I, d.O, d.P)
    return Y, best, which, mu, rstd
