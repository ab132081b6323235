# cython: language_level=3, binding=True
"""Dense layers on the CPU: products and maxout.  N rows, I in, O out, P pieces."""
cimport numpy as np
from libc.stdint cimport int32_t

from . cimport gemm as engines
from .memory cimport new_array
from .wrapping cimport (Kernels, Seen, WeightKernels, as_int32, bad_t, contiguous, data, dim, empty1, empty2, fallback,
                        ints, is_matrix, is_vector, kernels_for, kernels_for_both, ndim, replaced, row_length, typenum)

np.import_array()

cdef Py_ssize_t MOST_PIECES = 1 << 20  # beyond it the readable formula runs out of memory
cdef Py_ssize_t MOST_INT8_PIECES = 64  # int8.hh
# Who replaces none of the products that these read.
cdef Seen GEMM
cdef Seen MAXOUT
cdef Seen NORMALIZED


def gemm(self, x, y, *, out=None, bint trans1=False, bint trans2=False):
    if not (
        self.use_blis
        and isinstance(x, np.ndarray)
        and isinstance(y, np.ndarray)
        and (out is None or isinstance(out, np.ndarray))
    ):
        return fallback(self, "gemm", (x, y, out, trans1, trans2))
    return engines.product(x, y, out, trans1, trans2)


def affine(self, X, W, b):
    cdef const WeightKernels* k = kernels_for_both(X, W)
    if k is NULL or ndim(X) != 2 or ndim(W) != 2 or not (
        row_length(W) == dim(X, 1)
        and is_vector(b, X, dim(W, 0))
        and self.use_blis
        and engines.is_native()
        and not replaced(self, &GEMM, ("gemm",))
    ):
        return fallback(self, "affine", (X, W, b))
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef size_t N = dim(X_, 0)
    cdef size_t I = dim(X_, 1)
    cdef size_t O = dim(W_, 0)
    cdef np.ndarray Y = empty2(typenum(X_), N, O)
    if N and O:
        with nogil:
            k.affine(data(Y), data(X_), data(W_), data(b_), N, I, O)
    return Y


# ---- maxout

def maxout(self, X):
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or ndim(X) != 3 or dim(X, 2) == 0:
        return fallback(self, "maxout", (X,))
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t N = dim(X_, 0)
    cdef size_t O = dim(X_, 1)
    cdef size_t P = dim(X_, 2)
    cdef np.ndarray best = empty2(typenum(X_), N, O)
    cdef np.ndarray which = empty2(np.NPY_INT32, N, O)
    with nogil:
        k.maxout(data(best), <int32_t*>data(which), data(X_), N, O, P)
    return best, which


def backprop_maxout(self, dY, which, Py_ssize_t P):
    cdef const Kernels* k = kernels_for(dY)
    cdef np.ndarray winners = as_int32(which)
    cdef np.ndarray dY_, dX
    cdef np.npy_intp shape[3]
    cdef size_t N, O, n_pieces
    cdef bad_t bad
    if (
        k is not NULL
        and ndim(dY) == 2
        and 0 <= P <= MOST_PIECES
        and winners is not None
        and np.PyArray_SAMESHAPE(<np.ndarray>dY, winners)
    ):
        dY_ = contiguous(dY)
        shape[0], shape[1], shape[2] = dim(dY_, 0), dim(dY_, 1), P
        dX = new_array(3, shape, typenum(dY_))
        N, O, n_pieces = shape[0], shape[1], P
        with nogil:
            bad = k.backprop_maxout(data(dX), data(dY_), ints(winners), N, O, n_pieces)
        if bad < 0:
            return dX
    return fallback(self, "backprop_maxout", (dY, which, P))


cdef struct Sizes:
    size_t N, I, O, P


cdef const WeightKernels* kernels_of_pieces(object X, object W, object b, Sizes* s) noexcept:
    """The kernels for X (N, I), W (O, P, I) and b (O, P), and these sizes; NULL if there are none, or these do not fit
    together."""
    cdef const WeightKernels* k = kernels_for_both(X, W)
    if k is NULL or ndim(X) != 2 or ndim(W) != 3 or dim(W, 1) == 0 or row_length(W) != dim(X, 1):
        return NULL
    if typenum(W) == np.NPY_INT8 and dim(W, 1) > MOST_INT8_PIECES:
        return NULL
    s.N, s.I, s.O, s.P = dim(X, 0), dim(X, 1), dim(W, 0), dim(W, 1)
    return k if is_matrix(b, X, s.O, s.P) else NULL


cdef np.ndarray with_rows(np.ndarray X, size_t* ld):
    """X (N, I) as rows of adjacent elements, which begin ld elements apart and may overlap: itself or a copy."""
    cdef engines.Matrix m
    if engines.read_matrix(X, &m, True) and not m.trans:
        ld[0] = m.ld
        return X
    ld[0] = dim(X, 1)
    return contiguous(X)


def affine_maxout(self, X, W, b):
    cdef Sizes s
    cdef const WeightKernels* k = kernels_of_pieces(X, W, b, &s)
    if k is NULL or not (
        self.use_blis and engines.is_native() and not replaced(self, &MAXOUT, ("gemm", "affine", "maxout"))
    ):
        return fallback(self, "affine_maxout", (X, W, b))
    cdef size_t ldx
    cdef np.ndarray X_ = with_rows(X, &ldx)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef np.ndarray best = empty2(typenum(X_), s.N, s.O)
    cdef np.ndarray which = empty2(np.NPY_INT32, s.N, s.O)
    if s.N and s.O:
        with nogil:
            k.affine_maxout(data(best), <int32_t*>data(which), data(X_), ldx, data(W_), data(b_), s.N, s.I, s.O, s.P)
    return best, which


def affine_maxout_layer_norm(self, X, W, b, G, beta, double eps=1e-8, bint is_train=True):
    cdef Sizes s
    cdef const WeightKernels* k = kernels_of_pieces(X, W, b, &s)
    if k is NULL or s.O == 0 or not (
        is_vector(G, X, s.O)
        and is_vector(beta, X, s.O)
        and self.use_blis
        and engines.is_native()
        and not replaced(self, &NORMALIZED, ("gemm", "affine", "maxout", "affine_maxout", "layer_norm"))
    ):
        return fallback(self, "affine_maxout_layer_norm", (X, W, b, G, beta, eps, is_train))
    cdef size_t ldx
    cdef np.ndarray X_ = with_rows(X, &ldx)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef np.ndarray G_ = contiguous(G)
    cdef np.ndarray beta_ = contiguous(beta)
    cdef np.ndarray Y = empty2(typenum(X_), s.N, s.O)
    cdef np.ndarray mu = empty1(typenum(X_), s.N)
    cdef np.ndarray rstd = empty1(typenum(X_), s.N)
    cdef np.ndarray best = empty2(typenum(X_), s.N, s.O) if is_train else None
    cdef np.ndarray which = empty2(np.NPY_INT32, s.N, s.O) if is_train else None
    cdef void* best_ = data(best) if is_train else NULL
    cdef int32_t* which_ = <int32_t*>data(which) if is_train else NULL
    if s.N:
        with nogil:
            k.affine_maxout_layer_norm(data(Y), best_, which_, data(mu), data(rstd), data(X_), ldx, data(W_),
                                       data(b_), data(G_), data(beta_), eps, s.N, s.I, s.O, s.P)
    return Y, best, which, mu, rstd
