"""Cython's view of include/thinc/table.hh, and what every wrapper does first.

A wrapper has four steps: check dtype and shapes, make contiguous, allocate, and one call without the GIL. It returns
None for what the kernels do not cover (a dtype other than float32 and float64, an array that is not NumPy's): the
caller then takes the readable formula.

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
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

ctypedef int64_t bad_t


cdef extern from "thinc/table.hh" namespace "thinc" nogil:
    ctypedef void (*forward_t)(void*, const void*, size_t, const double*) noexcept nogil
    ctypedef void (*backward_t)(
        void*, const void*, const void*, const void*, size_t, const double*
    ) noexcept nogil

    cdef struct Kernels:
        void (*gemm)(int trans_a, int trans_b, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda, const void* B, size_t ldb, double beta, void* C, size_t ldc) noexcept nogil
        void (*affine)(void* Y, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O) noexcept nogil
        void (*affine_maxout)(void* best, int32_t* which, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O, size_t P) noexcept nogil
        void (*affine_maxout_layer_norm)(void* Y, void* best, int32_t* which, void* mu, void* rstd, const void* X, const void* W, const void* b, const void* G, const void* beta, double eps, size_t N, size_t I, size_t O, size_t P) noexcept nogil
        void (*layer_norm)(void* Y, void* mu, void* rstd, const void* X, const void* G, const void* b, double eps, size_t N, size_t I) noexcept nogil
        void (*backprop_layer_norm)(void* dX, void* dG, void* db, const void* dY, const void* X, const void* G, const void* mu, const void* rstd, size_t N, size_t I) noexcept nogil
        void (*softmax)(void* Y, const void* X, double inverse_temperature, size_t N, size_t O) noexcept nogil
        void (*backprop_softmax)(void* dX, const void* Y, const void* dY, double inverse_temperature, size_t N, size_t O) noexcept nogil
        bad_t (*backprop_cross_entropy)(void* dX, const void* Y, const int32_t* classes, double right, double wrong, double scale, size_t N, size_t O) noexcept nogil
        void (*cosine_distance)(void* dY, void* cosines, const void* Y, const void* truths, double scale, size_t N, size_t O) noexcept nogil
        double (*l2_distance)(void* dY, const void* Y, const void* truths, double scale, size_t n) noexcept nogil
        void (*sum_rows)(void* sums, const void* X, size_t N, size_t O) noexcept nogil
        void (*adam)(void* w, void* g, void* m, void* v, double b1, double b2, double eps, double lr, size_t n) noexcept nogil
        void (*update_averages)(void* ema, const void* w, double decay, size_t n) noexcept nogil
        double (*sum_squares)(const void* x, size_t n) noexcept nogil
        void (*scale)(void* x, double factor, size_t n) noexcept nogil
        void (*optimizer_step)(void* w, void* g, void* m, void* v, void* ema, size_t n, const double* settings) noexcept nogil
        void (*dropout_mask)(void* mask, double drop, uint64_t seed, size_t n) noexcept nogil
        void (*maxout)(void* best, int32_t* which, const void* X, size_t N, size_t O, size_t P) noexcept nogil
        bad_t (*backprop_maxout)(void* dX, const void* dY, const int32_t* which, size_t N, size_t O, size_t P) noexcept nogil
        void (*seq2col)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t T, size_t I, size_t W) noexcept nogil
        void (*backprop_seq2col)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t T, size_t I, size_t W) noexcept nogil
        void (*reduce_sum)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*reduce_mean)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*reduce_max)(void* Y, int32_t* which, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*backprop_reduce_sum)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*backprop_reduce_mean)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        bad_t (*backprop_reduce_max)(void* dX, const void* dY, const int32_t* which, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        bad_t (*gather_add)(void* Y, const void* table, const int32_t* indices, size_t T, size_t O, size_t B, size_t K) noexcept nogil
        bad_t (*scatter_add)(void* table, const int32_t* indices, const void* values, size_t T, size_t O, size_t N) noexcept nogil
        void (*hash_embed)(void* Y, const void* E, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) noexcept nogil
        void (*backprop_hash_embed)(void* dE, const void* dY, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) noexcept nogil
        void (*sparse_linear)(void* Y, const int32_t* cells, const void* values, const int32_t* lengths, const void* W, const void* b, size_t B, size_t N, size_t O, uint64_t length, int v1) noexcept nogil
        void (*backprop_sparse_linear)(void* dW, void* db, const void* dY, const int32_t* cells, const void* values, const int32_t* lengths, size_t B, size_t N, size_t O, uint64_t length, int v1) noexcept nogil
        void (*lstm_gates)(void* G, void* C, void* Y, const void* A, const void* b, const void* C_prev, size_t R, size_t O) noexcept nogil
        void (*backprop_lstm_gates)(void* dA, void* dC, const void* dY, const void* G, const void* C, const void* C_prev, size_t R, size_t O) noexcept nogil
        forward_t* forward
        backward_t* backward

    cdef struct KernelTable:
        Kernels f32
        Kernels f64
        void (*hash)(uint32_t* keys, const uint64_t* ids, uint32_t seed, size_t N) noexcept nogil
        void (*sparse_cells)(int32_t* cells, const uint64_t* keys, uint64_t length, int v1, size_t N) noexcept nogil
        void (*ngrams)(uint64_t* keys, const uint64_t* ids, size_t n, size_t N) noexcept nogil


# The table of the CPU level in use; only the extension `elementwise` links the kernels.
cdef const KernelTable* table() noexcept nogil

# Uninitialised, of numbers; in the memory of arena.hh unless it is small.
cdef np.ndarray new_array(int n_dims, np.npy_intp* shape, int typenum, bint fortran=*)


cdef inline const Kernels* kernels_for(object X) noexcept:
    """The kernels for the dtype of X, or NULL: not NumPy's, or neither float32 nor float64 in native byte order."""
    if not isinstance(X, np.ndarray):
        return NULL
    cdef int typenum = np.PyArray_TYPE(<np.ndarray>X)
    if not np.PyArray_ISNOTSWAPPED(<np.ndarray>X):
        return NULL
    if typenum == np.NPY_FLOAT32:
        return &table().f32
    if typenum == np.NPY_FLOAT64:
        return &table().f64
    return NULL


cdef inline np.ndarray contiguous(np.ndarray X):
    """X itself if it is C-contiguous, aligned and in native byte order, else a copy that is."""
    if np.PyArray_ISCARRAY_RO(X):
        return X
    cdef np.ndarray copy = new_array(np.PyArray_NDIM(X), np.PyArray_DIMS(X), np.PyArray_TYPE(X))
    np.PyArray_CopyInto(copy, X)
    return copy


cdef inline np.ndarray like(np.ndarray X, np.ndarray other):
    """X, C-contiguous and in the dtype of `other`: one float type a call."""
    if np.PyArray_TYPE(X) == np.PyArray_TYPE(other):
        return contiguous(X)
    return np.PyArray_FROM_OTF(X, np.PyArray_TYPE(other), np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST)


cdef inline np.ndarray as_int32(object X):
    """X as C-contiguous int32; None if it is no array of integers, or one of them does not fit."""
    if not isinstance(X, np.ndarray) or not np.PyArray_ISINTEGER(<np.ndarray>X):
        return None
    cdef np.ndarray given = X
    if np.PyArray_ITEMSIZE(given) == 4 and np.PyArray_ISSIGNED(given) and np.PyArray_ISCARRAY_RO(given):
        return given
    cdef np.ndarray wide = np.PyArray_FROM_OTF(
        given, np.NPY_INT64, np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST
    )
    cdef np.ndarray narrow = new_array(np.PyArray_NDIM(wide), np.PyArray_DIMS(wide), np.NPY_INT32)
    cdef const int64_t* source = <const int64_t*>np.PyArray_DATA(wide)
    cdef int32_t* target = <int32_t*>np.PyArray_DATA(narrow)
    cdef np.npy_intp i
    for i in range(np.PyArray_SIZE(wide)):
        target[i] = <int32_t>source[i]
        if target[i] != source[i]:
            return None
    return narrow


cdef inline np.ndarray empty_like(np.ndarray X):
    """Uninitialised, in the shape, dtype and memory order of X, which is C- or Fortran-contiguous."""
    return new_array(np.PyArray_NDIM(X), np.PyArray_DIMS(X), np.PyArray_TYPE(X), not np.PyArray_IS_C_CONTIGUOUS(X))


cdef inline np.ndarray empty1(np.ndarray like, size_t d0):
    cdef np.npy_intp shape[1]
    shape[0] = d0
    return new_array(1, shape, np.PyArray_TYPE(like))


cdef inline np.ndarray empty2(np.ndarray like, size_t d0, size_t d1):
    cdef np.npy_intp shape[2]
    shape[0] = d0
    shape[1] = d1
    return new_array(2, shape, np.PyArray_TYPE(like))


cdef inline np.ndarray zeros2(np.ndarray like, size_t d0, size_t d1):
    cdef np.npy_intp shape[2]
    shape[0] = d0
    shape[1] = d1
    cdef np.ndarray Z = new_array(2, shape, np.PyArray_TYPE(like))
    memset(np.PyArray_DATA(Z), 0, np.PyArray_NBYTES(Z))
    return Z
