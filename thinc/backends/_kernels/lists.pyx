# cython: language_level=3, binding=True
"""Lists of sequences laid out in one array, on the CPU.  B sequences, T steps."""
cimport numpy as np
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

import numpy

from .memory cimport new_array
from .wrapping cimport data, empty1, fallback

from ...types import Padded

np.import_array()

cdef Py_ssize_t MOST_STEPS = 1 << 20  # to round up to: beyond it the readable formula runs out of memory
cdef Py_ssize_t MOST_ROWS = 1 << 40


cdef class Rows:
    """Where the rows of some arrays lie, which are contiguous and alike but for their number."""

    cdef np.ndarray first
    cdef np.ndarray spans  # (B, 2): address, rows
    cdef size_t B
    cdef size_t longest
    cdef size_t row  # bytes

    cdef const char* at(self, size_t b) noexcept nogil:
        return (<const char**>data(self.spans))[2 * b]

    cdef size_t length(self, size_t b) noexcept nogil:
        return (<np.npy_intp*>data(self.spans))[2 * b + 1]

    cdef np.ndarray empty(self, size_t d0, size_t d1):
        """An array (d0, d1, ...) of such rows."""
        cdef np.npy_intp shape[33]
        shape[0] = d0
        return self.filled(shape, 1, d1)

    cdef np.ndarray joined(self, size_t n_rows):
        """An array (n_rows, ...) of such rows."""
        cdef np.npy_intp shape[33]
        return self.filled(shape, 0, n_rows)

    cdef np.ndarray filled(self, np.npy_intp* shape, int axis, size_t n_rows):
        cdef int n_dims = np.PyArray_NDIM(self.first)
        cdef int d
        shape[axis] = n_rows
        for d in range(1, n_dims):
            shape[axis + d] = np.PyArray_DIM(self.first, d)
        return new_array(axis + n_dims, shape, np.PyArray_TYPE(self.first))


cdef Rows rows_of(list arrays):
    """None if the arrays are not alike, not contiguous, not aligned, or not of numbers in native byte order."""
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
    cdef np.npy_intp* spans = <np.npy_intp*>data(rows.spans)
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
        spans[0] = <np.npy_intp>data(array)
        spans[1] = np.PyArray_DIM(array, 0)
        rows.longest = max(rows.longest, <size_t>spans[1])
        spans += 2
    return rows


def are_alike(list arrays):
    """Whether these are arrays of the CPU of one dtype, and of one shape but for the first axis; False if unsure."""
    return rows_of(arrays) is not None


def flatten(self, X, dtype=None, Py_ssize_t pad=0, ndim_if_empty=2):
    cdef list arrays = [] if X is None else list(X)
    cdef Rows rows = rows_of(arrays) if dtype is None and pad <= MOST_STEPS else None
    cdef size_t b, used, n_rows = 0, n_filled = 0
    if rows is not None:
        for b in range(rows.B):
            n_rows += rows.length(b)
            n_filled += rows.length(b) > 0
    if n_rows == 0 or rows.row == 0:
        return fallback(self, "flatten", (arrays, dtype, pad, ndim_if_empty))
    cdef size_t around = pad if pad > 0 else 0
    cdef np.ndarray Y = rows.joined(n_rows + around * (n_filled + 1))
    cdef char* target = <char*>data(Y)
    around *= rows.row
    with nogil:
        for b in range(rows.B):
            used = rows.length(b) * rows.row
            if used:
                memset(target, 0, around)
                memcpy(target + around, rows.at(b), used)
                target += around + used
        memset(target, 0, around)
    return Y


def unflatten(self, X, lengths, Py_ssize_t pad=0):
    cdef list seqs = []
    cdef np.npy_intp start = 0, n, rows
    cdef object counts = lengths if type(lengths) is list else numpy.asarray(lengths).tolist()
    if type(X) is not np.ndarray or type(counts) is not list or not can_view(X, 1, 0) or not 0 <= pad <= MOST_STEPS:
        return fallback(self, "unflatten", (X, numpy.asarray(lengths), pad))
    rows = np.PyArray_DIM(X, 0)
    for length in <list>counts:
        if type(length) is not int or not 0 <= length <= MOST_ROWS:
            return fallback(self, "unflatten", (X, numpy.asarray(lengths), pad))
        n = length
        start = min(start + (pad if n > 0 else 0), rows)
        n = min(n, rows - start)
        seqs.append(view_of(X, 1, start * np.PyArray_STRIDE(X, 0), n))
        start += n
    return seqs


def pad(self, seqs, Py_ssize_t round_to=1):
    cdef list arrays = list(seqs)
    cdef Rows rows = rows_of(arrays)
    if rows is None or not 1 <= round_to <= MOST_STEPS:
        return fallback(self, "pad", (arrays, round_to))
    cdef size_t T = (rows.longest + round_to - 1) // round_to * round_to
    cdef np.ndarray Y = rows.empty(rows.B, T)
    cdef char* target = <char*>data(Y)
    cdef size_t b, used
    with nogil:
        for b in range(rows.B):
            used = rows.length(b) * rows.row
            memcpy(target, rows.at(b), used)
            memset(target + used, 0, T * rows.row - used)
            target += T * rows.row
    return Y


def unpad(self, padded, lengths):
    cdef list seqs = []
    cdef np.npy_intp T, n, b = 0
    if type(lengths) is not list or type(padded) is not np.ndarray or not can_view(padded, 2, len(lengths)):
        return fallback(self, "unpad", (padded, lengths))
    T = np.PyArray_DIM(padded, 1)
    for length in lengths:
        if type(length) is not int or not 0 <= length <= MOST_ROWS:
            return fallback(self, "unpad", (padded, lengths))
        n = length
        seqs.append(view_of(padded, 2, b * np.PyArray_STRIDE(padded, 0), min(n, T)))
        b += 1
    return seqs


cdef bint can_view(np.ndarray X, int n_axes, Py_ssize_t n_rows) noexcept:
    """An array of numbers, as this machine writes them, of so many axes or more, in which there are so many rows."""
    return (
        n_axes <= np.PyArray_NDIM(X) <= 32
        and np.PyArray_ISNUMBER(X)
        and np.PyArray_ISNOTSWAPPED(X)
        and n_rows <= np.PyArray_DIM(X, 0)
    )


cdef np.ndarray view_of(np.ndarray X, int axis, np.npy_intp offset, np.npy_intp n):
    """The n rows that begin at an offset in bytes; rows lie along the axis before this one."""
    cdef np.npy_intp[32] shape
    cdef int d, n_axes = np.PyArray_NDIM(X) - axis + 1
    shape[0] = n
    for d in range(1, n_axes):
        shape[d] = np.PyArray_DIM(X, axis + d - 1)
    cdef np.ndarray view = np.PyArray_New(
        np.ndarray, n_axes, shape, np.PyArray_TYPE(X), np.PyArray_STRIDES(X) + axis - 1, <char*>data(X) + offset, 0,
        np.PyArray_FLAGS(X), None
    )
    np.set_array_base(view, X)
    return view


def list2padded(self, seqs):
    cdef list arrays = list(seqs)
    cdef Rows rows = rows_of(arrays)
    if rows is None:
        return fallback(self, "list2padded", (arrays,))
    cdef size_t B = rows.B
    cdef size_t T = rows.longest
    cdef np.ndarray Y = rows.empty(T, B)
    cdef np.ndarray size_at_t = empty1(np.NPY_INT32, T + 1)
    cdef np.ndarray lengths = empty1(np.NPY_INT32, B)
    cdef np.ndarray order = empty1(np.NPY_INT32, B)
    cdef int32_t* size = <int32_t*>data(size_at_t)
    cdef int32_t* n = <int32_t*>data(lengths)
    cdef int32_t* source = <int32_t*>data(order)
    cdef char* target = <char*>data(Y)
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
    return Padded(Y, size_at_t[:T], lengths, order)
