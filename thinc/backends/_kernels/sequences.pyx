# cython: language_level=3, binding=True
"""Maxout, windows over sequences and reductions of them on the CPU.

N rows, B sequences, T all rows, O width, P pieces. Every function returns None for what the kernels do not cover, bad
arguments among it: the readable formula then answers, or says what is wrong.
"""
cimport numpy as np
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from .elementwise cimport Kernels, as_int32, contiguous, empty2, kernels_for, new_array

np.import_array()

cdef Py_ssize_t MOST_COLUMNS = 1 << 20  # of a window or a maxout: beyond it the readable formula runs out of memory


cdef inline np.ndarray empty3(np.ndarray like, size_t d0, size_t d1, size_t d2):
    cdef np.npy_intp shape[3]
    shape[0] = d0
    shape[1] = d1
    shape[2] = d2
    return new_array(3, shape, np.PyArray_TYPE(like))


cdef inline np.ndarray empty_int32(size_t d0, size_t d1):
    cdef np.npy_intp shape[2]
    shape[0] = d0
    shape[1] = d1
    return new_array(2, shape, np.NPY_INT32)


cdef inline const int32_t* ints(np.ndarray X) noexcept:
    return <const int32_t*>np.PyArray_DATA(X)


cdef inline size_t row_bytes(np.ndarray X) noexcept:
    """Of a contiguous (N, O)."""
    return np.PyArray_DIM(X, 1) * np.PyArray_ITEMSIZE(X)


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


# ---- first and last rows

def reduce_first(X, lengths):
    """X (T, O), lengths (B,) of at least 1 -> (B, O), starts_ends (B + 1,) int32."""
    if kernels_for(X) is NULL or np.PyArray_NDIM(<np.ndarray>X) != 2:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if sum_of_lengths(lengths_, 1) != np.PyArray_DIM(X_, 0) or np.PyArray_DIM(lengths_, 0) == 0:
        return None
    cdef size_t B = np.PyArray_DIM(lengths_, 0)
    cdef size_t row = row_bytes(X_)
    cdef np.ndarray Y = empty2(X_, B, np.PyArray_DIM(X_, 1))
    cdef np.ndarray starts_ends = empty_int32(1, B + 1)[0]
    cdef int32_t* starts = <int32_t*>np.PyArray_DATA(starts_ends)
    cdef const int32_t* n = ints(lengths_)
    cdef char* target = <char*>np.PyArray_DATA(Y)
    cdef const char* source = <const char*>np.PyArray_DATA(X_)
    cdef size_t b
    with nogil:
        starts[0] = 0
        for b in range(B):
            memcpy(target + b * row, source + starts[b] * row, row)
            starts[b + 1] = starts[b] + n[b]
    return Y, starts_ends


def backprop_reduce_first(dY, starts_ends):
    """dY (B, O), starts_ends (B + 1,) rising from 0 -> dX (T, O)."""
    if kernels_for(dY) is NULL or np.PyArray_NDIM(<np.ndarray>dY) != 2:
        return None
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.ndarray starts_ = as_int32(starts_ends)
    cdef np.npy_intp B = np.PyArray_DIM(dY_, 0)
    if B == 0 or starts_ is None or np.PyArray_NDIM(starts_) != 1 or np.PyArray_DIM(starts_, 0) != B + 1:
        return None
    cdef const int32_t* starts = ints(starts_)
    cdef np.npy_intp b
    if starts[0] != 0:
        return None
    for b in range(B):
        if starts[b + 1] <= starts[b]:
            return None
    cdef np.ndarray dX = empty2(dY_, starts[B], np.PyArray_DIM(dY_, 1))
    cdef size_t row = row_bytes(dY_)
    cdef char* target = <char*>np.PyArray_DATA(dX)
    cdef const char* source = <const char*>np.PyArray_DATA(dY_)
    with nogil:
        for b in range(B):
            memcpy(target + starts[b] * row, source + b * row, row)
            memset(target + (starts[b] + 1) * row, 0, (starts[b + 1] - starts[b] - 1) * row)
    return dX


def reduce_last(X, lengths):
    """X (T, O), lengths (B,) of at least 1 -> (B, O), lasts (B,) int64."""
    if kernels_for(X) is NULL or np.PyArray_NDIM(<np.ndarray>X) != 2:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if sum_of_lengths(lengths_, 1) != np.PyArray_DIM(X_, 0) or np.PyArray_DIM(lengths_, 0) == 0:
        return None
    cdef np.npy_intp B = np.PyArray_DIM(lengths_, 0)
    cdef size_t row = row_bytes(X_)
    cdef np.ndarray Y = empty2(X_, B, np.PyArray_DIM(X_, 1))
    cdef np.ndarray lasts_ = new_array(1, &B, np.NPY_INT64)
    cdef int64_t* lasts = <int64_t*>np.PyArray_DATA(lasts_)
    cdef const int32_t* n = ints(lengths_)
    cdef char* target = <char*>np.PyArray_DATA(Y)
    cdef const char* source = <const char*>np.PyArray_DATA(X_)
    cdef int64_t last = -1
    cdef np.npy_intp b
    with nogil:
        for b in range(B):
            last += n[b]
            lasts[b] = last
            memcpy(target + b * row, source + last * row, row)
    return Y, lasts_


def backprop_reduce_last(dY, lasts):
    """dY (B, O), lasts (B,) rising int64 -> dX (T, O)."""
    if kernels_for(dY) is NULL or np.PyArray_NDIM(<np.ndarray>dY) != 2:
        return None
    cdef np.ndarray dY_ = contiguous(dY)
    cdef np.npy_intp B = np.PyArray_DIM(dY_, 0)
    if not isinstance(lasts, np.ndarray) or np.PyArray_TYPE(<np.ndarray>lasts) != np.NPY_INT64:
        return None
    cdef np.ndarray lasts_ = contiguous(lasts)
    if B == 0 or np.PyArray_NDIM(lasts_) != 1 or np.PyArray_DIM(lasts_, 0) != B:
        return None
    cdef const int64_t* last = <const int64_t*>np.PyArray_DATA(lasts_)
    cdef int64_t before = -1
    cdef np.npy_intp b
    for b in range(B):
        if last[b] <= before:
            return None
        before = last[b]
    cdef np.ndarray dX = empty2(dY_, before + 1, np.PyArray_DIM(dY_, 1))
    cdef size_t row = row_bytes(dY_)
    cdef char* target = <char*>np.PyArray_DATA(dX)
    cdef const char* source = <const char*>np.PyArray_DATA(dY_)
    with nogil:
        before = -1
        for b in range(B):
            memset(target + (before + 1) * row, 0, (last[b] - before - 1) * row)
            memcpy(target + last[b] * row, source + b * row, row)
            before = last[b]
    return dX


# ---- padding

cdef class Rows:
    """Where the rows of some arrays lie, which are contiguous and alike but for their number."""

    cdef np.ndarray first
    cdef np.ndarray spans  # (B, 2): address, rows
    cdef size_t B
    cdef size_t longest
    cdef size_t row  # bytes

    cdef const char* at(self, size_t b) noexcept nogil:
        return (<const char**>np.PyArray_DATA(self.spans))[2 * b]

    cdef size_t length(self, size_t b) noexcept nogil:
        return (<np.npy_intp*>np.PyArray_DATA(self.spans))[2 * b + 1]

    cdef np.ndarray empty(self, size_t d0, size_t d1):
        """An array (d0, d1, ...) of such rows."""
        cdef np.npy_intp shape[32]
        cdef int n_dims = np.PyArray_NDIM(self.first)
        cdef int d
        shape[0] = d0
        shape[1] = d1
        for d in range(1, n_dims):
            shape[d + 1] = np.PyArray_DIM(self.first, d)
        return new_array(n_dims + 1, shape, np.PyArray_TYPE(self.first))


cdef Rows rows_of(list arrays):
    """None if the arrays are not alike, not contiguous, or of numbers with another byte order."""
    if not arrays or not isinstance(arrays[0], np.ndarray):
        return None
    cdef Rows rows = Rows.__new__(Rows)
    cdef np.ndarray first = arrays[0]
    cdef int n_dims = np.PyArray_NDIM(first)
    if not 2 <= n_dims < 32 or not np.PyArray_ISNUMBER(first) or not np.PyArray_ISNOTSWAPPED(first):
        return None
    rows.first = first
    rows.B = len(arrays)
    rows.longest = 0
    rows.row = np.PyArray_ITEMSIZE(first)
    cdef int d
    for d in range(1, n_dims):
        rows.row *= np.PyArray_DIM(first, d)
    cdef np.npy_intp shape[2]
    shape[0] = rows.B
    shape[1] = 2
    rows.spans = new_array(2, shape, np.NPY_INTP)
    cdef np.npy_intp* spans = <np.npy_intp*>np.PyArray_DATA(rows.spans)
    cdef np.ndarray array
    for item in arrays:
        if not isinstance(item, np.ndarray):
            return None
        array = item
        if np.PyArray_TYPE(array) != np.PyArray_TYPE(first) or np.PyArray_NDIM(array) != n_dims:
            return None
        if not np.PyArray_ISCARRAY_RO(array):
            return None
        for d in range(1, n_dims):
            if np.PyArray_DIM(array, d) != np.PyArray_DIM(first, d):
                return None
        spans[0] = <np.npy_intp>np.PyArray_DATA(array)
        spans[1] = np.PyArray_DIM(array, 0)
        rows.longest = max(rows.longest, <size_t>spans[1])
        spans += 2
    return rows


def pad(list arrays, Py_ssize_t round_to):
    """Arrays (length, ...) -> (B, T, ...), zeros behind the end of each; T is a multiple of round_to."""
    cdef Rows rows = rows_of(arrays)
    if rows is None or not 1 <= round_to <= MOST_COLUMNS:
        return None
    cdef size_t T = (rows.longest + round_to - 1) // round_to * round_to
    cdef np.ndarray Y = rows.empty(rows.B, T)
    cdef char* target = <char*>np.PyArray_DATA(Y)
    cdef size_t b, used
    with nogil:
        for b in range(rows.B):
            used = rows.length(b) * rows.row
            memcpy(target, rows.at(b), used)
            memset(target + used, 0, T * rows.row - used)
            target += T * rows.row
    return Y


def list2padded(list arrays):
    """Arrays (length, ...) -> data (T, B, ...), size_at_t (T,), lengths (B,), order (B,): longest first, then latest."""
    cdef Rows rows = rows_of(arrays)
    if rows is None:
        return None
    cdef size_t B = rows.B
    cdef size_t T = rows.longest
    cdef np.ndarray data = rows.empty(T, B)
    cdef np.ndarray size_at_t = empty_int32(1, T + 1)[0]
    cdef np.ndarray lengths = empty_int32(1, B)[0]
    cdef np.ndarray order = empty_int32(1, B)[0]
    cdef int32_t* size = <int32_t*>np.PyArray_DATA(size_at_t)
    cdef int32_t* n = <int32_t*>np.PyArray_DATA(lengths)
    cdef int32_t* source = <int32_t*>np.PyArray_DATA(order)
    cdef char* target = <char*>np.PyArray_DATA(data)
    cdef size_t b, t, column
    with nogil:
        # How many are longer than t; a sequence of length t goes behind those, the latest first.
        memset(size, 0, (T + 1) * sizeof(int32_t))
        for b in range(B):
            size[rows.length(b)] += 1
        column = 0
        for t in range(T, -1, -1):
            size[t], column = column, column + size[t]
        for b in range(B - 1, -1, -1):
            column = size[rows.length(b)]
            size[rows.length(b)] += 1
            source[column] = b
            n[column] = rows.length(b)
        for t in range(T):
            column = 0
            while column < B and <size_t>n[column] > t:
                memcpy(target, rows.at(source[column]) + t * rows.row, rows.row)
                target += rows.row
                column += 1
            size[t] = column
            memset(target, 0, (B - column) * rows.row)
            target += (B - column) * rows.row
    return data, size_at_t[:T], lengths, order
