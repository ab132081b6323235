# cython: language_level=3, binding=True
"""Maxout, windows over sequences and reductions of them on the CPU.

N rows, B sequences, T all rows, O width, P pieces. Every function returns None for what the kernels do not cover, bad
arguments among it: the readable formula then answers, or says what is wrong.
"""
cimport numpy as np
from libc.stdint cimport int32_t

from .elementwise cimport Kernels, as_int32, contiguous, empty2, kernels_for

np.import_array()

cdef Py_ssize_t MOST_COLUMNS = 1 << 20  # of a window or a maxout: beyond it the readable formula runs out of memory


cdef inline np.ndarray empty3(np.ndarray like, size_t d0, size_t d1, size_t d2):
    cdef np.npy_intp shape[3]
    shape[0] = d0
    shape[1] = d1
    shape[2] = d2
    return np.PyArray_EMPTY(3, shape, np.PyArray_TYPE(like), 0)


cdef inline np.ndarray empty_int32(size_t d0, size_t d1):
    cdef np.npy_intp shape[2]
    shape[0] = d0
    shape[1] = d1
    return np.PyArray_EMPTY(2, shape, np.NPY_INT32, 0)


cdef inline const int32_t* ints(np.ndarray X) noexcept:
    return <const int32_t*>np.PyArray_DATA(X)


cdef np.npy_intp sum_of_lengths(np.ndarray lengths, int32_t least) noexcept:
    """The rows of all sequences; -1 if lengths is not a vector of numbers that are at least `least`."""
    cdef np.npy_intp total = 0
    cdef np.npy_intp b
    if lengths is None or np.PyArray_NDIM(lengths) != 1:
        return -1
    for b in range(np.PyArray_DIM(lengths, 0)):
        if ints(lengths)[b] < least:
            return -1
        total += ints(lengths)[b]
    return total


# ---- maxout

def maxout(X):
    """X (N, O, P) -> best (N, O), which (N, O) int32."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>X) != 3:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t N = np.PyArray_DIM(X_, 0)
    cdef size_t O = np.PyArray_DIM(X_, 1)
    cdef size_t P = np.PyArray_DIM(X_, 2)
    if P == 0:
        return None
    cdef np.ndarray best = empty2(X_, N, O)
    cdef np.ndarray which = empty_int32(N, O)
    with nogil:
        k.maxout(np.PyArray_DATA(best), <int32_t*>np.PyArray_DATA(which), np.PyArray_DATA(X_), N, O, P)
    return best, which


def backprop_maxout(dY, which, Py_ssize_t P):
    """dY (N, O), which (N, O) -> dX (N, O, P)."""
    cdef const Kernels* k = kernels_for(dY)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>dY) != 2 or not 0 <= P <= MOST_COLUMNS:
        return None
    cdef np.ndarray which_ = as_int32(which)
    if which_ is None or not np.PyArray_SAMESHAPE(<np.ndarray>dY, which_):
        return None
    cdef np.ndarray dY_ = contiguous(dY)
    cdef size_t N = np.PyArray_DIM(dY_, 0)
    cdef size_t O = np.PyArray_DIM(dY_, 1)
    cdef size_t n_pieces = P
    cdef np.ndarray dX = empty3(dY_, N, O, n_pieces)
    cdef np.npy_intp bad
    with nogil:
        bad = k.backprop_maxout(
            np.PyArray_DATA(dX), np.PyArray_DATA(dY_), <const int32_t*>np.PyArray_DATA(which_), N, O, n_pieces
        )
    return dX if bad < 0 else None


# ---- windows

def seq2col(X, Py_ssize_t nW, lengths):
    """X (T, O) -> (T, O * (2 * nW + 1)); lengths may be None: one sequence."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>X) != 2 or not 0 <= nW <= MOST_COLUMNS:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.npy_intp T = np.PyArray_DIM(X_, 0)
    cdef size_t O = np.PyArray_DIM(X_, 1)
    cdef size_t W = nW
    cdef np.ndarray lengths_ = None
    cdef const int32_t* lengths_data = NULL
    cdef size_t B = 1
    if lengths is not None:
        lengths_ = as_int32(lengths)
        if sum_of_lengths(lengths_, 0) != T:
            return None
        lengths_data = ints(lengths_)
        B = np.PyArray_DIM(lengths_, 0)
    cdef np.ndarray Y = empty2(X_, T, O * (2 * W + 1))
    with nogil:
        k.seq2col(np.PyArray_DATA(Y), np.PyArray_DATA(X_), lengths_data, B, T, O, W)
    return Y


def backprop_seq2col(dY, Py_ssize_t nW, lengths):
    """dY (T, O * (2 * nW + 1)) -> dX (T, O)."""
    cdef const Kernels* k = kernels_for(dY)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>dY) != 2 or not 0 <= nW <= MOST_COLUMNS:
        return None
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.npy_intp T = np.PyArray_DIM(dY_, 0)
    cdef size_t width = np.PyArray_DIM(dY_, 1)
    cdef size_t W = nW
    if width % (2 * W + 1) != 0:
        return None
    cdef size_t O = width // (2 * W + 1)
    cdef np.ndarray lengths_ = None
    cdef const int32_t* lengths_data = NULL
    cdef size_t B = 1
    if lengths is not None:
        lengths_ = as_int32(lengths)
        if sum_of_lengths(lengths_, 0) != T:
            return None
        lengths_data = ints(lengths_)
        B = np.PyArray_DIM(lengths_, 0)
    cdef np.ndarray dX = empty2(dY_, T, O)
    with nogil:
        k.backprop_seq2col(np.PyArray_DATA(dX), np.PyArray_DATA(dY_), lengths_data, B, T, O, W)
    return dX


# ---- reductions

ctypedef void (*reduce_t)(void*, const void*, const int32_t*, size_t, size_t) noexcept nogil


cdef reduce_rows(reduce_t kernel, np.ndarray X, lengths):
    """X (T, O), lengths (B,) -> (B, O)."""
    if np.PyArray_NDIM(X) != 2:
        return None
    X = contiguous(X)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if sum_of_lengths(lengths_, 0) != np.PyArray_DIM(X, 0):
        return None
    cdef size_t B = np.PyArray_DIM(lengths_, 0)
    cdef size_t O = np.PyArray_DIM(X, 1)
    cdef np.ndarray Y = empty2(X, B, O)
    with nogil:
        kernel(np.PyArray_DATA(Y), np.PyArray_DATA(X), <const int32_t*>np.PyArray_DATA(lengths_), B, O)
    return Y


cdef repeat_rows(reduce_t kernel, np.ndarray dY, lengths):
    """dY (B, O), lengths (B,) -> dX (T, O)."""
    if np.PyArray_NDIM(dY) != 2:
        return None
    dY = contiguous(dY)
    cdef np.ndarray lengths_ = as_int32(lengths)
    cdef np.npy_intp T = sum_of_lengths(lengths_, 0)
    if T < 0 or np.PyArray_DIM(dY, 0) != np.PyArray_DIM(lengths_, 0):
        return None
    cdef size_t B = np.PyArray_DIM(dY, 0)
    cdef size_t O = np.PyArray_DIM(dY, 1)
    cdef np.ndarray dX = empty2(dY, T, O)
    with nogil:
        kernel(np.PyArray_DATA(dX), np.PyArray_DATA(dY), <const int32_t*>np.PyArray_DATA(lengths_), B, O)
    return dX


def reduce_sum(X, lengths):
    """X (T, O), lengths (B,) -> (B, O)."""
    cdef const Kernels* k = kernels_for(X)
    return None if k is NULL else reduce_rows(k.reduce_sum, X, lengths)


def reduce_mean(X, lengths):
    """X (T, O), lengths (B,) -> (B, O); zeros for an empty sequence."""
    cdef const Kernels* k = kernels_for(X)
    return None if k is NULL else reduce_rows(k.reduce_mean, X, lengths)


def backprop_reduce_sum(d_sums, lengths):
    """d_sums (B, O), lengths (B,) -> dX (T, O)."""
    cdef const Kernels* k = kernels_for(d_sums)
    return None if k is NULL else repeat_rows(k.backprop_reduce_sum, d_sums, lengths)


def backprop_reduce_mean(d_means, lengths):
    """d_means (B, O), lengths (B,) -> dX (T, O)."""
    cdef const Kernels* k = kernels_for(d_means)
    return None if k is NULL else repeat_rows(k.backprop_reduce_mean, d_means, lengths)


def reduce_max(X, lengths):
    """X (T, O), lengths (B,) -> (B, O), which (B, O) int32."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>X) != 2:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if sum_of_lengths(lengths_, 1) != np.PyArray_DIM(X_, 0):
        return None
    cdef size_t B = np.PyArray_DIM(lengths_, 0)
    cdef size_t O = np.PyArray_DIM(X_, 1)
    cdef np.ndarray Y = empty2(X_, B, O)
    cdef np.ndarray which = empty_int32(B, O)
    with nogil:
        k.reduce_max(
            np.PyArray_DATA(Y),
            <int32_t*>np.PyArray_DATA(which),
            np.PyArray_DATA(X_),
            <const int32_t*>np.PyArray_DATA(lengths_),
            B,
            O,
        )
    return Y, which


def backprop_reduce_max(d_maxes, which, lengths):
    """d_maxes (B, O), which (B, O), lengths (B,) -> dX (T, O)."""
    cdef const Kernels* k = kernels_for(d_maxes)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>d_maxes) != 2:
        return None
    cdef np.ndarray dY = contiguous(d_maxes)
    cdef np.ndarray which_ = as_int32(which)
    cdef np.ndarray lengths_ = as_int32(lengths)
    cdef np.npy_intp T = sum_of_lengths(lengths_, 1)
    if T < 0 or np.PyArray_DIM(dY, 0) != np.PyArray_DIM(lengths_, 0):
        return None
    if which_ is None or not np.PyArray_SAMESHAPE(dY, which_):
        return None
    cdef size_t B = np.PyArray_DIM(dY, 0)
    cdef size_t O = np.PyArray_DIM(dY, 1)
    cdef np.ndarray dX = empty2(dY, T, O)
    cdef np.npy_intp bad
    with nogil:
        bad = k.backprop_reduce_max(
            np.PyArray_DATA(dX),
            np.PyArray_DATA(dY),
            <const int32_t*>np.PyArray_DATA(which_),
            <const int32_t*>np.PyArray_DATA(lengths_),
            B,
            O,
        )
    return dX if bad < 0 else None
