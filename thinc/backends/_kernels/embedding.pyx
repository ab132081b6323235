# cython: language_level=3, binding=True
"""Hashes, and tables whose rows are looked up, on the CPU.

N keys, B rows out, V rows of a table, O width, K indices per row. What works in place does all or nothing: what is wrong
with an index the readable formula says.
"""
cimport numpy as np
from libc.stdint cimport INT32_MAX, UINT32_MAX, int32_t, int64_t, uint32_t, uint64_t

from .wrapping cimport (Kernels, Seen, WeightKernels, apart, as_int32, bad_t, contiguous, data, dim, empty1, empty2,
                        fallback, ints, is_in_place, is_matrix, is_vector, kernels_for, kernels_of_weights, like, ndim,
                        number_type, replaced, row_length, table, typenum)

np.import_array()

# Who replaces none of the ops that these read.
cdef Seen EMBED
cdef Seen HASH_EMBED
cdef Seen BACKPROP_HASH_EMBED


cdef np.ndarray as_keys(object ids):
    """ids (N,) as contiguous uint64, negative ones as the upper half; None if it is no vector of integers."""
    if not isinstance(ids, np.ndarray) or ndim(ids) != 1 or not np.PyArray_ISINTEGER(<np.ndarray>ids):
        return None
    if np.PyArray_ITEMSIZE(<np.ndarray>ids) == 8 and np.PyArray_ISCARRAY_RO(<np.ndarray>ids):
        return ids
    return np.PyArray_FROM_OTF(ids, np.NPY_UINT64, np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST)


cdef inline const uint64_t* keys_of(np.ndarray ids) noexcept nogil:
    return <const uint64_t*>data(ids)


cdef inline bint is_seed(int64_t seed) noexcept:
    return 0 <= seed <= UINT32_MAX


# ---- hashes

def hash(self, ids, int64_t seed):
    cdef np.ndarray ids_ = as_keys(ids)
    if ids_ is None or not is_seed(seed):
        return fallback(self, "hash", (ids, seed))
    cdef size_t N = dim(ids_, 0)
    cdef np.ndarray keys = empty2(np.NPY_UINT32, N, 4)
    with nogil:
        table().hash(<uint32_t*>data(keys), keys_of(ids_), seed, N)
    return keys


def ngrams(self, Py_ssize_t n, keys):
    cdef np.ndarray ids = as_keys(keys)
    if ids is None:
        return fallback(self, "ngrams", (n, keys))
    cdef np.npy_intp N = dim(ids, 0)
    cdef np.npy_intp count = N - n + 1 if 1 <= n <= N else 0
    cdef np.ndarray hashes = empty1(np.NPY_UINT64, count)
    if count:
        with nogil:
            table().ngrams(<uint64_t*>data(hashes), keys_of(ids), n, N)
    return hashes


# ---- rows by index

cdef const WeightKernels* kernels_of_table(object E, bint int8) noexcept:
    """The kernels for a table: of int8 rows, or of floats. (An int8 table may also be one of whole numbers.)"""
    cdef const WeightKernels* k = kernels_of_weights(E)
    return k if k is not NULL and ndim(E) == 2 and (typenum(E) == np.NPY_INT8) == int8 else NULL


cdef np.ndarray gather(const WeightKernels* k, object table, object indices, int n_axes=2):
    """The sums of the rows, or by indices of one axis the rows; None if the kernels are none, or an index is bad."""
    cdef np.ndarray indices_ = as_int32(indices)
    if k is NULL or indices_ is None or ndim(indices_) != n_axes:
        return None
    cdef np.ndarray E = contiguous(table)
    cdef size_t V = dim(E, 0)
    cdef size_t O = row_length(E)
    cdef size_t B = dim(indices_, 0)
    cdef size_t K = dim(indices_, 1) if n_axes == 2 else 1
    cdef np.ndarray Y = empty2(number_type(E), B, O)
    cdef bad_t bad
    with nogil:
        bad = k.gather_add(data(Y), data(E), ints(indices_), V, O, B, K)
    return Y if bad < 0 else None


def gather_add(self, table, indices):
    cdef np.ndarray Y = gather(kernels_of_table(table, False), table, indices)
    return fallback(self, "gather_add", (table, indices)) if Y is None else Y


def gather_add_int8(self, table, indices):
    cdef np.ndarray Y = gather(kernels_of_table(table, True), table, indices)
    return fallback(self, "gather_add_int8", (table, indices)) if Y is None else Y


def embed(self, E, ids):
    cdef bint int8 = isinstance(E, np.ndarray) and typenum(E) == np.NPY_INT8
    cdef np.ndarray Y = None
    if not replaced(self, &EMBED, ("gather_add", "gather_add_int8")):
        Y = gather(kernels_of_table(E, int8), E, ids, 1)
    return fallback(self, "embed", (E, ids)) if Y is None else Y


def scatter_add(self, table, indices, values):
    # A negative index is no row in int32, and counts from the end in other integers: those the readable formula takes.
    cdef const Kernels* k = kernels_for(table)
    cdef bint narrow = (
        isinstance(indices, np.ndarray)
        and np.PyArray_ISINTEGER(<np.ndarray>indices)
        and np.PyArray_ISSIGNED(<np.ndarray>indices)
        and np.PyArray_ITEMSIZE(<np.ndarray>indices) == 4
        and ndim(indices) == 1
    )
    cdef np.ndarray rows, values_
    cdef size_t V, O, N
    cdef bad_t bad
    if narrow and k is not NULL and ndim(table) == 2 and is_in_place(table) and is_matrix(
        values, table, dim(indices, 0), dim(table, 1)
    ):
        rows = as_int32(apart(indices, table))
        values_ = apart(values, table)
        V, O, N = dim(table, 0), dim(table, 1), dim(values_, 0)
        with nogil:
            bad = k.scatter_add(data(table), ints(rows), data(values_), V, O, N)
        if bad < 0:
            return None
    return fallback(self, "scatter_add", (table, indices, values))


# ---- hash embeddings

cdef np.ndarray embed_hashes(self, const WeightKernels* k, object E, object ids, int64_t seed):
    """The sums of the rows; None if the kernels are none, or others are asked."""
    cdef np.ndarray ids_ = as_keys(ids)
    if k is NULL or ids_ is None or dim(E, 0) == 0 or not is_seed(seed) or replaced(
        self, &HASH_EMBED, ("hash", "gather_add")
    ):
        return None
    cdef np.ndarray E_ = contiguous(E)
    cdef size_t V = dim(E_, 0)
    cdef size_t O = row_length(E_)
    cdef size_t N = dim(ids_, 0)
    cdef np.ndarray Y = empty2(number_type(E_), N, O)
    with nogil:
        k.hash_embed(data(Y), data(E_), keys_of(ids_), seed, N, O, V)
    return Y


def hash_embed(self, E, ids, int64_t seed):
    cdef np.ndarray Y = embed_hashes(self, kernels_of_table(E, False), E, ids, seed)
    return fallback(self, "hash_embed", (E, ids, seed)) if Y is None else Y


def hash_embed_int8(self, E, ids, int64_t seed):
    cdef np.ndarray Y = embed_hashes(self, kernels_of_table(E, True), E, ids, seed)
    return fallback(self, "hash_embed_int8", (E, ids, seed)) if Y is None else Y


def backprop_hash_embed(self, dE, dY, ids, int64_t seed):
    cdef const Kernels* k = kernels_for(dE)
    cdef np.ndarray ids_ = as_keys(ids)
    if k is NULL or ids_ is None or ndim(dE) != 2 or dim(dE, 0) == 0 or not (
        is_in_place(dE)
        and is_matrix(dY, dE, dim(ids_, 0), dim(dE, 1))
        and is_seed(seed)
        and not replaced(self, &BACKPROP_HASH_EMBED, ("hash",))
    ):
        return fallback(self, "backprop_hash_embed", (dE, dY, ids, seed))
    cdef np.ndarray dY_ = apart(dY, dE)
    ids_ = apart(ids_, dE)
    cdef size_t V = dim(dE, 0)
    cdef size_t O = dim(dE, 1)
    cdef size_t N = dim(ids_, 0)
    with nogil:
        k.backprop_hash_embed(data(dE), data(dY_), keys_of(ids_), seed, N, O, V)
    return None


# ---- sparse linear

cdef bint covers(np.ndarray keys, object values, np.ndarray lengths, object W, object b, nO, length) except -1:
    """The arrays of a sparse linear layer are of a kind and fit together."""
    if keys is None or lengths is None or kernels_for(values) is NULL or not 1 <= length <= INT32_MAX:
        return False
    if kernels_for(W) is NULL or ndim(W) != 1 or dim(W, 0) < nO * length or not is_vector(b, W, nO):
        return False
    if ndim(values) != 1 or ndim(lengths) != 1:
        return False
    cdef np.npy_intp total = 0
    cdef np.npy_intp i
    for i in range(dim(lengths, 0)):
        if ints(lengths)[i] < 0:
            return False
        total += ints(lengths)[i]
    return dim(keys, 0) == total and dim(values, 0) == total


cdef np.ndarray cells_of(np.ndarray keys, uint64_t length, bint v1_indexing):
    """The two cells of each key, (2, N)."""
    cdef size_t N = dim(keys, 0)
    cdef np.ndarray cells = empty2(np.NPY_INT32, 2, N)
    with nogil:
        table().sparse_cells(<int32_t*>data(cells), keys_of(keys), length, v1_indexing, N)
    return cells


def sparse_linear(self, keys, values, lengths, W, b, Py_ssize_t nO, Py_ssize_t length, bint v1_indexing):
    cdef np.ndarray keys_ = as_keys(keys)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if not covers(keys_, values, lengths_, W, b, nO, length):
        return fallback(self, "sparse_linear", (keys, values, lengths, W, b, nO, length, v1_indexing))
    cdef const Kernels* k = kernels_for(W)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef np.ndarray values_ = like(values, W_)
    cdef size_t B = dim(lengths_, 0)
    cdef size_t N = dim(keys_, 0)
    cdef np.ndarray Y = empty2(typenum(W_), B, nO)
    cdef np.ndarray cells = cells_of(keys_, length, v1_indexing)
    with nogil:
        k.sparse_linear(data(Y), ints(cells), data(values_), ints(lengths_), data(W_), data(b_), B, N, nO, length,
                        v1_indexing)
    return Y


def backprop_sparse_linear(self, dW, db, dY, keys, values, lengths, Py_ssize_t nO, Py_ssize_t length,
                           bint v1_indexing):
    cdef np.ndarray keys_ = as_keys(keys)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if not (
        covers(keys_, values, lengths_, dW, db, nO, length)
        and is_in_place(dW)
        and is_in_place(db)
        and is_matrix(dY, dW, dim(lengths_, 0), nO)
    ):
        return fallback(self, "backprop_sparse_linear", (dW, db, dY, keys, values, lengths, nO, length, v1_indexing))
    cdef const Kernels* k = kernels_for(dW)
    cdef np.ndarray dY_ = apart(apart(dY, dW), db)
    cdef np.ndarray values_ = apart(apart(like(values, dW), dW), db)
    lengths_ = apart(apart(lengths_, dW), db)
    cdef size_t B = dim(lengths_, 0)
    cdef size_t N = dim(keys_, 0)
    cdef np.ndarray cells = cells_of(keys_, length, v1_indexing)
    with nogil:
        k.backprop_sparse_linear(data(dW), data(db), data(dY_), ints(cells), data(values_), ints(lengths_), B, N, nO,
                                 length, v1_indexing)
    return None
