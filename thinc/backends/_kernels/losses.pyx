# cython: language_level=3, binding=True
"""Gradients of losses on the CPU.  N rows, O columns."""
cimport numpy as np
from libc.stdint cimport int32_t, uint32_t

from .wrapping cimport (Kernels, as_int32, bad_t, contiguous, data, dim, empty1, empty_like, fallback, ints, is_alike,
                        kernels_for, ndim, typenum)

np.import_array()


def class_ids(list sequences, dict ids):
    """The ids (N,) of the labels in all sequences; None if one has none."""
    cdef size_t N = 0
    for labels in sequences:
        N += len(labels)
    cdef np.ndarray found = empty1(np.NPY_INT32, N)
    cdef int32_t* to = <int32_t*>data(found)
    cdef int32_t* end = to + N
    for labels in sequences:
        for label in labels:
            number = ids.get(label)
            if number is None or to == end:  # (another thread may have appended to the list)
                return None
            to[0] = number
            to += 1
    return found if to == end else None


def ids_below(classes, size_t n_classes):
    """Classes (N,) as int32; None if they are not integers of the CPU, or one is not in [0, n_classes)."""
    cdef np.ndarray ids = as_int32(classes)
    cdef uint32_t highest = 0  # negative ones are higher
    cdef uint32_t* found
    cdef np.npy_intp i
    if ids is None or ndim(ids) != 1:
        return None
    found = <uint32_t*>data(ids)
    for i in range(dim(ids, 0)):
        highest = max(highest, found[i])
    return None if dim(ids, 0) and highest >= n_classes else ids


def backprop_cross_entropy(self, Y, classes, *, double label_smoothing=0.0, double scale=1.0):
    cdef const Kernels* k = kernels_for(Y)
    cdef np.ndarray known = as_int32(classes)
    cdef np.ndarray Y_, dX
    cdef size_t N, O
    cdef double wrong
    cdef bad_t bad
    if k is not NULL and ndim(Y) == 2 and known is not None and ndim(known) == 1 and dim(known, 0) == dim(Y, 0):
        Y_ = contiguous(Y)
        dX = empty_like(Y_)
        N = dim(Y_, 0)
        O = dim(Y_, 1)
        wrong = label_smoothing / (O - 1 if O > 1 else 1)
        with nogil:
            bad = k.backprop_cross_entropy(data(dX), data(Y_), ints(known), 1.0 - label_smoothing, wrong, scale, N, O)
        if bad < 0:
            return dX
    return fallback(self, "backprop_cross_entropy", (Y, classes), {"label_smoothing": label_smoothing, "scale": scale})


def cosine_distance(self, Y, truths, *, double scale=1.0):
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or ndim(Y) != 2 or not is_alike(truths, Y):
        return fallback(self, "cosine_distance", (Y, truths), {"scale": scale})
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray truths_ = contiguous(truths)
    cdef np.ndarray dY = empty_like(Y_)
    cdef np.ndarray cosines = empty1(typenum(Y_), dim(Y_, 0))
    cdef size_t N = dim(Y_, 0)
    cdef size_t O = dim(Y_, 1)
    with nogil:
        k.cosine_distance(data(dY), data(cosines), data(Y_), data(truths_), scale, N, O)
    return dY, cosines


def l2_distance(self, Y, truths, *, double scale=1.0):
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or not is_alike(truths, Y):
        return fallback(self, "l2_distance", (Y, truths), {"scale": scale})
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray truths_ = contiguous(truths)
    cdef np.ndarray dY = empty_like(Y_)
    cdef size_t n = np.PyArray_SIZE(dY)
    cdef double squares
    with nogil:
        squares = k.l2_distance(data(dY), data(Y_), data(truths_), scale, n)
    return dY, (<object>dY).dtype.type(squares)
