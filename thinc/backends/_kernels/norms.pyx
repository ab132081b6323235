# cython: language_level=3, binding=True
"""Layer normalization, softmax and sums of rows on the CPU.  N rows, O columns."""
cimport numpy as np

from .wrapping cimport (Kernels, contiguous, data, dim, empty1, empty2, empty_like, fallback, is_alike, is_vector,
                        kernels_for, like, ndim, typenum, zeros1)

np.import_array()


def layer_norm(self, X, G, b, double eps=1e-8):
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or ndim(X) != 2 or not (is_vector(G, X, dim(X, 1)) and is_vector(b, X, dim(X, 1))):
        return fallback(self, "layer_norm", (X, G, b, eps))
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray G_ = contiguous(G)
    cdef np.ndarray b_ = contiguous(b)
    cdef size_t N = dim(X_, 0)
    cdef size_t O = dim(X_, 1)
    cdef np.ndarray Y = empty2(typenum(X_), N, O)
    cdef np.ndarray mu = empty1(typenum(X_), N)
    cdef np.ndarray rstd = empty1(typenum(X_), N)
    if N and O:
        with nogil:
            k.layer_norm(data(Y), data(mu), data(rstd), data(X_), data(G_), data(b_), eps, N, O)
    return Y, mu, rstd


def backprop_layer_norm(self, dY, X, G, mu, rstd):
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or ndim(X) != 2 or not (
        is_alike(dY, X)
        and is_vector(G, X, dim(X, 1))
        and is_vector(mu, X, dim(X, 0))
        and is_vector(rstd, X, dim(X, 0))
    ):
        return fallback(self, "backprop_layer_norm", (dY, X, G, mu, rstd))
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray G_ = contiguous(G)
    cdef np.ndarray mu_ = contiguous(mu)
    cdef np.ndarray rstd_ = contiguous(rstd)
    cdef size_t N = dim(X_, 0)
    cdef size_t O = dim(X_, 1)
    cdef np.ndarray dX = empty2(typenum(X_), N, O)
    cdef np.ndarray dG = zeros1(typenum(X_), O)
    cdef np.ndarray db = zeros1(typenum(X_), O)
    if N and O:
        with nogil:
            k.backprop_layer_norm(data(dX), data(dG), data(db), data(dY_), data(X_), data(G_), data(mu_), data(rstd_),
                                  N, O)
    return dX, dG, db


def sum_rows(self, dY):
    cdef const Kernels* k = kernels_for(dY)
    if k is NULL or ndim(dY) != 2:
        return fallback(self, "sum_rows", (dY,))
    cdef np.ndarray X = contiguous(dY)
    cdef size_t N = dim(X, 0)
    cdef size_t O = dim(X, 1)
    cdef np.ndarray sums = empty1(typenum(X), O)
    with nogil:
        k.sum_rows(data(sums), data(X), N, O)
    return sums


def softmax(self, x, *, bint inplace=False, axis=-1, double temperature=1.0):
    cdef const Kernels* k = kernels_for(x)
    if k is NULL or ndim(x) == 0 or temperature == 0 or not (axis == -1 or axis == ndim(x) - 1):
        return fallback(self, "softmax", (x,), {"inplace": inplace, "axis": axis, "temperature": temperature})
    cdef np.ndarray X = contiguous(x)
    cdef np.ndarray Y = empty_like(X)
    cdef size_t O = dim(X, ndim(X) - 1)
    cdef size_t n = np.PyArray_SIZE(X)
    if n:
        with nogil:
            k.softmax(data(Y), data(X), 1.0 / temperature, n // O, O)
    return Y


def backprop_softmax(self, Y, dY, *, axis=-1, double temperature=1.0):
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or ndim(Y) == 0 or temperature == 0 or not (
        is_alike(dY, Y) and (axis == -1 or axis == ndim(Y) - 1)
    ):
        return fallback(self, "backprop_softmax", (Y, dY), {"axis": axis, "temperature": temperature})
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.ndarray dX = empty_like(Y_)
    cdef size_t O = dim(Y_, ndim(Y_) - 1)
    cdef size_t n = np.PyArray_SIZE(Y_)
    if n:
        with nogil:
            k.backprop_softmax(data(dX), data(Y_), data(dY_), 1.0 / temperature, n // O, O)
    return dX
