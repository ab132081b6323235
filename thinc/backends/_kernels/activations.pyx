# cython: language_level=3, binding=True
"""Activations, their gradients, and dropout on the CPU."""
cimport numpy as np
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from .levels cimport backward_t, forward_t
from .memory cimport new_array
from .wrapping cimport Kernels, contiguous, data, empty_like, fallback, is_alike, kernels_for, overlap, table

import math
from typing import NamedTuple

import numpy

np.import_array()

# Masks up to this size take NumPy's own stream, number by number, which costs no more than keying a generator with one
# draw from it, and gives the masks that earlier versions gave for a seed.
cdef int SMALL_MASK = 64


cdef extern from *:
    """
    struct ThincActivation {
      const char* name;
      int n_params;
      const char* reads;
      double ulp, floor, back_ulp, back_floor;
    };
    #define THINC_ROW(name, Act, n_params, reads, ulp, floor, back_ulp, back_floor) \\
      {#name, n_params, #reads, ulp, floor, back_ulp, back_floor},
    static const ThincActivation thinc_activations[] = {THINC_ACTIVATIONS(THINC_ROW)};
    """
    struct ThincActivation:
        const char* name
        int n_params
        const char* reads
        double ulp
        double floor
        double back_ulp
        double back_floor
    const ThincActivation* thinc_activations
    int THINC_N_ACTIVATIONS


class Activation(NamedTuple):
    """A row of the list in activations.hh: |error| <= ulp units in the last place + floor eps, forward and backward."""

    n_params: int
    reads: str  # by the gradient: "X", "Y" or "XY"
    ulp: float
    floor: float
    back_ulp: float
    back_floor: float


cdef dict _INDEX = {thinc_activations[i].name.decode(): i for i in range(THINC_N_ACTIVATIONS)}
ACTIVATIONS = {
    thinc_activations[i].name.decode(): Activation(
        thinc_activations[i].n_params, thinc_activations[i].reads.decode(), thinc_activations[i].ulp,
        thinc_activations[i].floor, thinc_activations[i].back_ulp, thinc_activations[i].back_floor,
    )
    for i in range(THINC_N_ACTIVATIONS)
}


cdef int _read_params(int index, tuple params, double* out) except -1:
    cdef Py_ssize_t n = PyTuple_GET_SIZE(params)
    cdef Py_ssize_t i
    if n != thinc_activations[index].n_params:
        raise ValueError(
            f"{thinc_activations[index].name.decode()} takes {thinc_activations[index].n_params} parameters, got {n}"
        )
    for i in range(n):
        out[i] = <object>PyTuple_GET_ITEM(params, i)
    return 0


cdef inline bint _one_block(np.ndarray X):
    """The elements fill one block of memory, in C or Fortran order, as the CPU reads them."""
    return np.PyArray_ISBEHAVED_RO(X) and (np.PyArray_IS_C_CONTIGUOUS(X) or np.PyArray_IS_F_CONTIGUOUS(X))


cdef inline bint _same_layout(np.ndarray X, np.ndarray Y):
    """Element i in memory is the same element of both (their shapes are equal)."""
    return np.PyArray_ISBEHAVED_RO(Y) and (
        (np.PyArray_IS_C_CONTIGUOUS(X) and np.PyArray_IS_C_CONTIGUOUS(Y))
        or (np.PyArray_IS_F_CONTIGUOUS(X) and np.PyArray_IS_F_CONTIGUOUS(Y))
    )


cdef int _check_writeable(str name, np.ndarray X) except -1:
    if not np.PyArray_ISWRITEABLE(X):
        raise ValueError(f"{name}: cannot work in place, the array is read-only. Pass inplace=False or a copy")
    return 0


def forward(self, str name, X, tuple params=(), bint inplace=False):
    cdef const Kernels* k = kernels_for(X)
    index = _INDEX.get(name)
    if k is NULL or index is None:
        return fallback(self, "_forward", (name, X, params, inplace), None, name)
    cdef np.ndarray source = X
    cdef double values[8]
    cdef forward_t kernel = k.forward[<int>index]
    _read_params(index, params, values)
    if inplace:
        _check_writeable(name, source)
    if not _one_block(source):
        source = contiguous(source)
    cdef np.ndarray target = source if inplace and source is X else empty_like(source)
    cdef size_t n = np.PyArray_SIZE(source)
    cdef void* out = data(target)
    cdef const void* x = data(source)
    with nogil:
        kernel(out, x, n, values)
    if inplace and target is not X:
        np.PyArray_CopyInto(X, target)
        return X
    return target


cdef inline bint _are_read(const char* reads, object dY, object X, object Y):
    """The arrays that a gradient reads are there, and like dY."""
    cdef bint reads_X = reads[0] == b"X"
    cdef bint reads_Y = reads[0] == b"Y" or reads[1] == b"Y"
    return (X is not None or not reads_X) and (Y is not None or not reads_Y) and (
        (X is None or is_alike(X, dY)) and (Y is None or is_alike(Y, dY))
    )


def backward(self, str name, dY, X, Y, tuple params=(), bint inplace=False):
    cdef const Kernels* k = kernels_for(dY)
    index = _INDEX.get(name)
    if k is NULL or index is None or not _are_read(thinc_activations[<int>index].reads, dY, X, Y):
        return fallback(self, "_backward", (name, dY, X, Y, params, inplace), None, "backprop_" + name)
    cdef np.ndarray d = dY
    cdef np.ndarray x = d if X is None else X
    cdef np.ndarray y = d if Y is None else Y
    cdef double values[8]
    cdef backward_t kernel = k.backward[<int>index]
    _read_params(index, params, values)
    if inplace:
        _check_writeable("backprop_" + name, d)
    if not (_one_block(d) and _same_layout(d, x) and _same_layout(d, y)):
        d, x, y = contiguous(d), contiguous(x), contiguous(y)
    cdef bint here = inplace and d is dY and not overlap(d, x) and not overlap(d, y)
    cdef np.ndarray target = d if here else empty_like(d)
    cdef size_t n = np.PyArray_SIZE(d)
    cdef void* out = data(target)
    cdef const void* dy_ = data(d)
    cdef const void* x_ = data(x)
    cdef const void* y_ = data(y)
    with nogil:
        kernel(out, dy_, x_, y_, n, values)
    if inplace and target is not dY:
        np.PyArray_CopyInto(dY, target)
        return dY
    return target


cdef object size_of(shape):
    return math.prod(shape) if isinstance(shape, (tuple, list)) else shape


def get_dropout_mask(self, shape, drop):
    if drop is None or not 0.0 < drop < 1.0 or size_of(shape) <= SMALL_MASK:
        return fallback(self, "get_dropout_mask", (shape, drop))
    cdef unsigned long long seed = numpy.random.randint(0, 2**63, dtype="int64")
    cdef np.ndarray mask = self.alloc(shape, dtype="float32", zeros=False)
    cdef double rate = drop
    with nogil:
        table().f32.dropout_mask(data(mask), rate, seed, np.PyArray_SIZE(mask))
    return mask
