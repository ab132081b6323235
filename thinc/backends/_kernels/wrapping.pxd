"""What every wrapper does first.

A wrapper is the method of `NumpyOps`. It asks once, in its first `if`, whether the kernels cover its arrays, and hands
itself to `fallback` where they do not: the readable formula computes then, or says what is wrong. Else it makes them
contiguous, allocates, and calls a kernel once without the GIL. No wrapper returns None but those that work in place.

Floats are float32 or float64, all arrays of a call of one type, in either byte order. Weights beside float32 may be of
float16 or int8 rows (int8.hh).

What NumPy's words promise, and how they are used here:

    flags C_CONTIGUOUS, F_CONTIGUOUS   the elements lie one after another; silent about alignment and byte order, and about
                                       the strides of an axis of length 0 or 1, and of every axis of an empty array
    PyArray_STRIDE                     so it means nothing there: only read_matrix (gemm.pyx) asks, which looks at the
                                       length first. Sizes of rows are dims times item size everywhere
    ISALIGNED, ISBEHAVED_RO, ISCARRAY_RO, ISCARRAY     aligned; and native; and C-contiguous; and writeable
    GETCONTIGUOUS, ascontiguousarray   look at the flag C_CONTIGUOUS alone: not used, `contiguous` is
    PyArray_FROM_OTF(.., CARRAY_RO)    the array or a copy in that dtype: aligned, native, C-contiguous
    PyArray_CopyInto                   any strides, alignment and byte order on both sides, overlapping or not
    PyArray_FILLWBYTE                  NBYTES from the first element on, whatever the strides: not used
    PyArray_DATA                       the first element; of an array that passed one of the checks above, or is new
"""
cimport numpy as np
from libc.stdint cimport INT32_MAX, INT32_MIN, int32_t, int64_t, uint64_t
from libc.string cimport memset

from .levels cimport Kernels, KernelTable, WeightKernels, bad_t, table
from .memory cimport new_array
from .readable cimport Seen, fallback, replaced


cdef inline const Kernels* kernels_for(object X) noexcept:
    """The kernels for the dtype of X, or NULL: not NumPy's, or neither float32 nor float64."""
    if not isinstance(X, np.ndarray):
        return NULL
    cdef int typenum = np.PyArray_TYPE(<np.ndarray>X)
    if typenum == np.NPY_FLOAT32:
        return &table().f32
    if typenum == np.NPY_FLOAT64:
        return &table().f64
    return NULL


cdef inline int number_type(object W) noexcept:
    """What numbers in which weights W are used: that of W, but float32 for float16 and int8 rows."""
    cdef int kind = np.PyArray_TYPE(<np.ndarray>W)
    return np.NPY_FLOAT32 if kind == np.NPY_FLOAT16 or kind == np.NPY_INT8 else kind


cdef inline const WeightKernels* kernels_of_type(int kind) noexcept:
    """The kernels for weights of this type, or NULL."""
    cdef const KernelTable* kernels = table()
    if kind == np.NPY_FLOAT32:
        return <const WeightKernels*>&kernels.f32
    if kind == np.NPY_FLOAT64:
        return <const WeightKernels*>&kernels.f64
    if kind == np.NPY_FLOAT16:
        return &kernels.half
    return &kernels.int8 if kind == np.NPY_INT8 else NULL


cdef inline const WeightKernels* kernels_of_weights(object W) noexcept:
    """The kernels for weights with rows, or NULL."""
    if not isinstance(W, np.ndarray):
        return NULL
    cdef int kind = np.PyArray_TYPE(<np.ndarray>W)
    if kind == np.NPY_INT8 and not (np.PyArray_NDIM(<np.ndarray>W) and 0 <= row_length(W) <= MOST_INT8_INPUTS):
        return NULL
    return kernels_of_type(kind)


cdef inline const WeightKernels* kernels_for_both(object X, object W) noexcept:
    """The kernels for X and weights W, or NULL."""
    if not isinstance(X, np.ndarray) or not isinstance(W, np.ndarray):
        return NULL
    return kernels_of_weights(W) if np.PyArray_TYPE(<np.ndarray>X) == number_type(W) else NULL


cdef enum:
    SCALE_BYTES = 4  # int8.hh
    MOST_INT8_INPUTS = 12 * 1024


cdef inline np.npy_intp row_length(object W) noexcept:
    """How many numbers a row of the weights has."""
    cdef np.npy_intp length = np.PyArray_DIM(<np.ndarray>W, np.PyArray_NDIM(<np.ndarray>W) - 1)
    return length - SCALE_BYTES if np.PyArray_TYPE(<np.ndarray>W) == np.NPY_INT8 else length


# ---- of arrays that kernels_for knows

cdef inline int ndim(object X) noexcept:
    return np.PyArray_NDIM(<np.ndarray>X)


cdef inline np.npy_intp dim(object X, int axis) noexcept:
    return np.PyArray_DIM(<np.ndarray>X, axis)


cdef inline bint is_alike(object Y, object X) noexcept:
    """Y is an array of the dtype and shape of X."""
    return (
        isinstance(Y, np.ndarray)
        and np.PyArray_TYPE(<np.ndarray>Y) == np.PyArray_TYPE(<np.ndarray>X)
        and np.PyArray_SAMESHAPE(<np.ndarray>Y, <np.ndarray>X)
    )


cdef inline bint is_vector(object v, object X, np.npy_intp n) noexcept:
    """v is an array (n,) of the dtype of X."""
    return (
        isinstance(v, np.ndarray)
        and np.PyArray_TYPE(<np.ndarray>v) == np.PyArray_TYPE(<np.ndarray>X)
        and ndim(v) == 1
        and dim(v, 0) == n
    )


cdef inline bint is_matrix(object Y, object X, np.npy_intp n, np.npy_intp m) noexcept:
    """Y is an array (n, m) of the dtype of X."""
    return (
        isinstance(Y, np.ndarray)
        and np.PyArray_TYPE(<np.ndarray>Y) == np.PyArray_TYPE(<np.ndarray>X)
        and ndim(Y) == 2
        and dim(Y, 0) == n
        and dim(Y, 1) == m
    )


cdef inline bint is_in_place(object X) noexcept:
    """A kernel can write where X lies: one C block, aligned, native, writeable."""
    return np.PyArray_ISCARRAY(<np.ndarray>X)


cdef inline bint overlap(np.ndarray X, np.ndarray Y) noexcept:
    """Two contiguous arrays share memory, but not element by element."""
    cdef const char* x = np.PyArray_BYTES(X)
    cdef const char* y = np.PyArray_BYTES(Y)
    return x != y and x < y + np.PyArray_NBYTES(Y) and y < x + np.PyArray_NBYTES(X)


# ---- what kernels read

cdef inline np.ndarray contiguous(np.ndarray X):
    """X itself if it is C-contiguous, aligned and in native byte order, else a copy that is."""
    if np.PyArray_ISCARRAY_RO(X):
        return X
    cdef np.ndarray copy = new_array(np.PyArray_NDIM(X), np.PyArray_DIMS(X), np.PyArray_TYPE(X))
    np.PyArray_CopyInto(copy, X)
    return copy


cdef inline np.ndarray apart(np.ndarray X, np.ndarray target):
    """X contiguous, and a copy if it shares memory with the target, which a kernel changes while it reads X."""
    cdef np.ndarray Y = contiguous(X)
    cdef np.ndarray copy
    if Y is not X or not (overlap(Y, target) or np.PyArray_DATA(Y) == np.PyArray_DATA(target)):
        return Y
    copy = new_array(np.PyArray_NDIM(X), np.PyArray_DIMS(X), np.PyArray_TYPE(X))
    np.PyArray_CopyInto(copy, X)
    return copy


cdef inline np.ndarray like(np.ndarray X, np.ndarray other):
    """X, contiguous and in the dtype of `other`, or in that of computing with it: one float type a call."""
    if np.PyArray_TYPE(X) == number_type(other):
        return contiguous(X)
    return np.PyArray_FROM_OTF(X, number_type(other), np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST)


cdef inline np.ndarray as_int32(object X):
    """X as contiguous int32; None if it is no array of integers, or one of them does not fit."""
    if not isinstance(X, np.ndarray) or not np.PyArray_ISINTEGER(<np.ndarray>X):
        return None
    cdef np.ndarray given = X
    cdef bint signed = np.PyArray_ISSIGNED(given)
    if np.PyArray_ITEMSIZE(given) == 4 and signed and np.PyArray_ISCARRAY_RO(given):
        return given
    # 64 bits hold every integer; of those without a sign, the large ones look negative.
    cdef int wide_type = np.NPY_INT64 if signed else np.NPY_UINT64
    cdef np.ndarray wide = given
    if np.PyArray_ITEMSIZE(given) != 8 or not np.PyArray_ISCARRAY_RO(given):
        wide = np.PyArray_FROM_OTF(given, wide_type, np.NPY_ARRAY_CARRAY_RO)
    cdef np.ndarray narrow = new_array(np.PyArray_NDIM(wide), np.PyArray_DIMS(wide), np.NPY_INT32)
    cdef const int64_t* source = <const int64_t*>np.PyArray_DATA(wide)
    cdef int32_t* target = <int32_t*>np.PyArray_DATA(narrow)
    cdef int32_t sign = 0 if signed else INT32_MIN
    cdef int64_t lost = 0  # bits that do not fit, of all: a loop without branches is one of vectors
    cdef np.npy_intp i
    for i in range(np.PyArray_SIZE(wide)):
        target[i] = <int32_t>source[i]
        lost |= (source[i] ^ target[i]) | (target[i] & sign)
    return None if lost else narrow


# ---- data and new arrays

cdef extern from *:
    """
    #define thinc_data(X) PyArray_DATA((PyArrayObject*)(X))
    #define thinc_ints(X) ((const int32_t*)thinc_data(X))
    """
    void* data "thinc_data"(object X) nogil
    const int32_t* ints "thinc_ints"(object X) nogil


cdef inline np.ndarray empty_like(np.ndarray X):
    """Uninitialised, in the shape, dtype and memory order of X, which is C- or Fortran-contiguous."""
    return new_array(np.PyArray_NDIM(X), np.PyArray_DIMS(X), np.PyArray_TYPE(X), not np.PyArray_IS_C_CONTIGUOUS(X))


cdef inline np.ndarray empty1(int typenum, size_t d0):
    cdef np.npy_intp shape[1]
    shape[0] = d0
    return new_array(1, shape, typenum)


cdef inline np.ndarray empty2(int typenum, size_t d0, size_t d1):
    cdef np.npy_intp shape[2]
    shape[0] = d0
    shape[1] = d1
    return new_array(2, shape, typenum)


cdef inline np.ndarray zeros1(int typenum, size_t d0):
    cdef np.ndarray Z = empty1(typenum, d0)
    memset(np.PyArray_DATA(Z), 0, np.PyArray_NBYTES(Z))
    return Z


cdef inline int typenum(object X) noexcept:
    return np.PyArray_TYPE(<np.ndarray>X)
