# cython: language_level=3, binding=True
"""Windows over sequences and reductions of them on the CPU.

B sequences, T rows of all, O width. What is wrong with lengths or indices the readable formula says.
"""
cimport numpy as np
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from . cimport gemm as engines
from .levels cimport reduce_t
from .wrapping cimport (Kernels, Seen, as_int32, bad_t, contiguous, data, dim, empty1, empty2, empty_like, fallback, ints, is_alike,
                        kernels_for, ndim, replaced, typenum)

np.import_array()

cdef Py_ssize_t WIDEST_WINDOW = 1 << 20  # beyond it the readable formula runs out of memory
# Who has no windows of its own, and none of the products that read rows wherever they lie.
cdef Seen WINDOWS
cdef tuple READERS = ("seq2col", "gemm", "affine", "affine_maxout", "affine_maxout_layer_norm")


cdef inline size_t row_bytes(np.ndarray X) noexcept:
    """Of a contiguous (N, O)."""
    return dim(X, 1) * np.PyArray_ITEMSIZE(X)


cdef np.npy_intp sum_of_lengths(np.ndarray lengths, int32_t least) noexcept:
    """The rows of all sequences; -1 if lengths is not a vector of numbers that are at least `least`."""
    cdef np.npy_intp total = 0
    cdef np.npy_intp b
    if lengths is None or ndim(lengths) != 1:
        return -1
    for b in range(dim(lengths, 0)):
        if ints(lengths)[b] < least:
            return -1
        total += ints(lengths)[b]
    return total


# ---- windows

cdef np.ndarray columns(const Kernels* k, bint back, object given, Py_ssize_t nW, object lengths):
    """seq2col of X (T, O), or backwards that of dY (T, O * (2 * nW + 1)); None if they are not covered."""
    if k is NULL or ndim(given) != 2 or not 0 <= nW <= WIDEST_WINDOW:
        return None
    cdef np.ndarray X = contiguous(given)
    cdef np.ndarray counts = None if lengths is None else as_int32(lengths)
    cdef np.npy_intp T = dim(X, 0)
    cdef size_t W = nW
    cdef size_t width = dim(X, 1)
    if (lengths is not None and sum_of_lengths(counts, 0) != T) or (back and width % (2 * W + 1) != 0):
        return None
    cdef const int32_t* n = NULL
    if lengths is not None:
        n = ints(counts)
    cdef size_t B = 1 if lengths is None else dim(counts, 0)
    cdef size_t O = width // (2 * W + 1) if back else width
    cdef np.ndarray Y = empty2(typenum(X), T, O if back else O * (2 * W + 1))
    with nogil:
        if back:
            k.backprop_seq2col(data(Y), data(X), n, B, T, O, W)
        else:
            k.seq2col(data(Y), data(X), n, B, T, O, W)
    return Y


def seq2col(self, seq, Py_ssize_t nW, *, lengths=None):
    Y = columns(kernels_for(seq), False, seq, nW, lengths)
    return fallback(self, "seq2col", (seq, nW), {"lengths": lengths}) if Y is None else Y


def backprop_seq2col(self, dY, Py_ssize_t nW, *, lengths=None):
    dX = columns(kernels_for(dY), True, dY, nW, lengths)
    return fallback(self, "backprop_seq2col", (dY, nW), {"lengths": lengths}) if dX is None else dX


def windows(self, X, Py_ssize_t nW):
    if kernels_for(X) is NULL or ndim(X) != 2 or not (
        0 <= nW <= WIDEST_WINDOW and self.use_blis and engines.is_native() and not replaced(self, &WINDOWS, READERS)
    ):
        return fallback(self, "windows", (X, nW))
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray framed = empty2(typenum(X_), dim(X_, 0) + 2 * nW, dim(X_, 1))
    cdef size_t row = row_bytes(X_)
    cdef size_t T = dim(X_, 0)
    cdef size_t W = nW
    cdef char* target = <char*>data(framed)
    with nogil:
        memset(target, 0, W * row)
        memcpy(target + W * row, data(X_), T * row)
        memset(target + (W + T) * row, 0, W * row)
    cdef np.npy_intp shape[2]
    cdef np.npy_intp strides[2]
    shape[0], shape[1] = T, dim(X_, 1) * (2 * nW + 1)
    strides[0], strides[1] = row, np.PyArray_ITEMSIZE(X_)
    cdef np.ndarray Y = np.PyArray_New(np.ndarray, 2, shape, typenum(X_), strides, target, 0, 0, None)  # read-only
    np.set_array_base(Y, framed)
    return Y


# ---- softmax within sequences

def softmax_sequences(self, Xs, lengths, *, bint inplace=False, axis=-1):
    cdef const Kernels* k = kernels_for(Xs)
    cdef np.ndarray counts = as_int32(lengths)
    if k is NULL or ndim(Xs) != 2 or sum_of_lengths(counts, 0) != dim(Xs, 0):
        return fallback(self, "softmax_sequences", (Xs, lengths), {"inplace": inplace, "axis": axis})
    cdef np.ndarray X = contiguous(Xs)
    cdef np.ndarray Y = empty_like(X)
    cdef size_t B = dim(counts, 0)
    cdef size_t O = dim(X, 1)
    with nogil:
        k.softmax_sequences(data(Y), data(X), ints(counts), B, O)
    return Y


def backprop_softmax_sequences(self, dY, Y, lengths):
    cdef const Kernels* k = kernels_for(dY)
    cdef np.ndarray counts = as_int32(lengths)
    if k is NULL or ndim(dY) != 2 or not is_alike(Y, dY) or sum_of_lengths(counts, 0) != dim(dY, 0):
        return fallback(self, "backprop_softmax_sequences", (dY, Y, lengths))
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray dX = empty_like(dY_)
    cdef size_t B = dim(counts, 0)
    cdef size_t O = dim(dY_, 1)
    with nogil:
        k.backprop_softmax_sequences(data(dX), data(dY_), data(Y_), ints(counts), B, O)
    return dX


# ---- sums and means

cdef np.ndarray reduce_rows(reduce_t kernel, bint back, object given, object lengths):
    """X (T, O), lengths (B,) -> (B, O), or backwards from (B, O) to (T, O); None if they are not covered."""
    if ndim(given) != 2:
        return None
    cdef np.ndarray counts = as_int32(lengths)
    cdef np.npy_intp T = sum_of_lengths(counts, 0)
    if T < 0 or dim(given, 0) != (dim(counts, 0) if back else T):
        return None
    cdef np.ndarray X = contiguous(given)
    cdef size_t B = dim(counts, 0)
    cdef size_t O = dim(X, 1)
    cdef np.ndarray Y = empty2(typenum(X), T if back else B, O)
    with nogil:
        kernel(data(Y), data(X), ints(counts), B, O)
    return Y


def reduce_sum(self, X, lengths):
    cdef const Kernels* k = kernels_for(X)
    Y = None if k is NULL else reduce_rows(k.reduce_sum, False, X, lengths)
    return fallback(self, "reduce_sum", (X, lengths)) if Y is None else Y


def reduce_mean(self, X, lengths):
    cdef const Kernels* k = kernels_for(X)
    Y = None if k is NULL else reduce_rows(k.reduce_mean, False, X, lengths)
    return fallback(self, "reduce_mean", (X, lengths)) if Y is None else Y


def backprop_reduce_sum(self, d_sums, lengths):
    cdef const Kernels* k = kernels_for(d_sums)
    dX = None if k is NULL else reduce_rows(k.backprop_reduce_sum, True, d_sums, lengths)
    return fallback(self, "backprop_reduce_sum", (d_sums, lengths)) if dX is None else dX


def backprop_reduce_mean(self, d_means, lengths):
    cdef const Kernels* k = kernels_for(d_means)
    dX = None if k is NULL else reduce_rows(k.backprop_reduce_mean, True, d_means, lengths)
    return fallback(self, "backprop_reduce_mean", (d_means, lengths)) if dX is None else dX


# ---- maxima

def reduce_max(self, X, lengths):
    cdef const Kernels* k = kernels_for(X)
    cdef np.ndarray counts = as_int32(lengths)
    if k is NULL or ndim(X) != 2 or sum_of_lengths(counts, 1) != dim(X, 0):
        return fallback(self, "reduce_max", (X, lengths))
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t B = dim(counts, 0)
    cdef size_t O = dim(X_, 1)
    cdef np.ndarray Y = empty2(typenum(X_), B, O)
    cdef np.ndarray which = empty2(np.NPY_INT32, B, O)
    with nogil:
        k.reduce_max(data(Y), <int32_t*>data(which), data(X_), ints(counts), B, O)
    return Y, which


def backprop_reduce_max(self, d_maxes, which, lengths):
    cdef const Kernels* k = kernels_for(d_maxes)
    cdef np.ndarray rows = as_int32(which)
    cdef np.ndarray counts = as_int32(lengths)
    cdef np.npy_intp T = sum_of_lengths(counts, 1)
    cdef np.ndarray dY, dX
    cdef size_t B, O
    cdef bad_t bad
    if (
        k is not NULL
        and ndim(d_maxes) == 2
        and T >= 0
        and dim(d_maxes, 0) == dim(counts, 0)
        and rows is not None
        and np.PyArray_SAMESHAPE(<np.ndarray>d_maxes, rows)
    ):
        dY = contiguous(d_maxes)
        B = dim(dY, 0)
        O = dim(dY, 1)
        dX = empty2(typenum(dY), T, O)
        with nogil:
            bad = k.backprop_reduce_max(data(dX), data(dY), ints(rows), ints(counts), B, O)
        if bad < 0:
            return dX
    return fallback(self, "backprop_reduce_max", (d_maxes, which, lengths))


# ---- first and last rows

cdef bint has_rows(object X, np.ndarray lengths) noexcept:
    """X (T, O) holds the rows of some sequences, of which none is empty."""
    return kernels_for(X) is not NULL and ndim(X) == 2 and sum_of_lengths(lengths, 1) == dim(X, 0) > 0


def reduce_first(self, X, lengths):
    cdef np.ndarray counts = as_int32(lengths)
    if not has_rows(X, counts):
        return fallback(self, "reduce_first", (X, lengths))
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t B = dim(counts, 0)
    cdef size_t row = row_bytes(X_)
    cdef np.ndarray Y = empty2(typenum(X_), B, dim(X_, 1))
    cdef np.ndarray starts_ends = empty1(np.NPY_INT32, B + 1)
    cdef int32_t* starts = <int32_t*>data(starts_ends)
    cdef const int32_t* n = ints(counts)
    cdef char* target = <char*>data(Y)
    cdef const char* source = <const char*>data(X_)
    cdef size_t b
    with nogil:
        starts[0] = 0
        for b in range(B):
            memcpy(target + b * row, source + starts[b] * row, row)
            starts[b + 1] = starts[b] + n[b]
    return Y, starts_ends


def reduce_last(self, X, lengths):
    cdef np.ndarray counts = as_int32(lengths)
    if not has_rows(X, counts):
        return fallback(self, "reduce_last", (X, lengths))
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t B = dim(counts, 0)
    cdef size_t row = row_bytes(X_)
    cdef np.ndarray Y = empty2(typenum(X_), B, dim(X_, 1))
    cdef np.ndarray lasts = empty1(np.NPY_INT64, B)
    cdef int64_t* last = <int64_t*>data(lasts)
    cdef const int32_t* n = ints(counts)
    cdef char* target = <char*>data(Y)
    cdef const char* source = <const char*>data(X_)
    cdef int64_t end = 0
    cdef size_t b
    with nogil:
        for b in range(B):
            end += n[b]
            last[b] = end - 1
            memcpy(target + b * row, source + last[b] * row, row)
    return Y, lasts


cdef np.ndarray spread(object dY, np.ndarray rows, np.npy_intp T):
    """dY (B, O) in the rows of zeros (T, O) that the first B of `rows` name; None if these do not rise within 0 .. T."""
    cdef np.ndarray dY_ = contiguous(dY)
    cdef const int32_t* at = ints(rows)
    cdef np.npy_intp B = dim(dY_, 0)
    cdef np.npy_intp b
    for b in range(B):
        if at[b] < 0 or at[b] >= T or (b > 0 and at[b] <= at[b - 1]):
            return None
    cdef np.ndarray dX = empty2(typenum(dY_), T, dim(dY_, 1))
    cdef size_t row = row_bytes(dY_)
    cdef char* target = <char*>data(dX)
    cdef const char* source = <const char*>data(dY_)
    with nogil:
        memset(target, 0, T * row)
        for b in range(B):
            memcpy(target + at[b] * row, source + b * row, row)
    return dX


def backprop_reduce_first(self, d_firsts, starts_ends):
    cdef np.ndarray starts = as_int32(starts_ends)
    cdef np.ndarray dX
    cdef np.npy_intp B
    if kernels_for(d_firsts) is not NULL and ndim(d_firsts) == 2 and starts is not None and ndim(starts) == 1:
        B = dim(d_firsts, 0)
        if B > 0 and dim(starts, 0) == B + 1:
            dX = spread(d_firsts, starts, ints(starts)[B])
            if dX is not None:
                return dX
    return fallback(self, "backprop_reduce_first", (d_firsts, starts_ends))


def backprop_reduce_last(self, d_lasts, lasts):
    cdef np.ndarray rows = as_int32(lasts)
    cdef np.ndarray dX
    cdef np.npy_intp B
    if kernels_for(d_lasts) is not NULL and ndim(d_lasts) == 2 and rows is not None and ndim(rows) == 1:
        B = dim(d_lasts, 0)
        if B > 0 and dim(rows, 0) == B:
            dX = spread(d_lasts, rows, <np.npy_intp>ints(rows)[B - 1] + 1)
            if dX is not None:
                return dX
    return fallback(self, "backprop_reduce_last", (d_lasts, lasts))
