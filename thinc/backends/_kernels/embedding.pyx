# cython: language_level=3, binding=True
"""Hashes, and tables whose rows are looked up, on the CPU.

N keys, B rows out, V rows of a table, O width, K indices per row. Functions return None for what the kernels do not
cover, bad arguments among it, and those that work in place return whether they did, all or nothing: the readable
formula then answers, or says what is wrong.
"""
cimport numpy as np
from libc.stdint cimport INT32_MAX, UINT32_MAX, int32_t, int64_t, uint32_t, uint64_t

from .elementwise cimport Kernels, as_int32, contiguous, empty2, kernels_for, like, new_array, table

np.import_array()


cdef np.ndarray as_keys(object ids):
    """ids (N,) as contiguous uint64, negative ones as the upper half; None if it is no vector of integers."""
    if not isinstance(ids, np.ndarray) or np.PyArray_NDIM(<np.ndarray>ids) != 1:
        return None
    if not np.PyArray_ISINTEGER(<np.ndarray>ids):
        return None
    if np.PyArray_ITEMSIZE(<np.ndarray>ids) == 8 and np.PyArray_ISCARRAY_RO(<np.ndarray>ids):
        return ids
    return np.PyArray_FROM_OTF(ids, np.NPY_UINT64, np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST)


cdef inline bint is_seed(int64_t seed) noexcept:
    return 0 <= seed <= UINT32_MAX


cdef inline bint in_place(object X, int n_dims) noexcept:
    """X can be added to where it lies."""
    return np.PyArray_NDIM(<np.ndarray>X) == n_dims and np.PyArray_ISCARRAY(<np.ndarray>X)


# ---- hashes

def hash(ids, int64_t seed):
    """ids (N,) -> (N, 4) uint32."""
    cdef np.ndarray ids_ = as_keys(ids)
    if ids_ is None or not is_seed(seed):
        return None
    cdef size_t N = np.PyArray_DIM(ids_, 0)
    cdef np.npy_intp shape[2]
    shape[0] = N
    shape[1] = 4
    cdef np.ndarray keys = new_array(2, shape, np.NPY_UINT32)
    with nogil:
        table().hash(<uint32_t*>np.PyArray_DATA(keys), <const uint64_t*>np.PyArray_DATA(ids_), seed, N)
    return keys


def ngrams(Py_ssize_t n, keys):
    """keys (N,) -> (N - n + 1,) uint64; empty if n is not in 1 .. N."""
    cdef np.ndarray ids = as_keys(keys)
    if ids is None:
        return None
    cdef np.npy_intp N = np.PyArray_DIM(ids, 0)
    cdef np.npy_intp count = N - n + 1 if 1 <= n <= N else 0
    cdef np.ndarray hashes = new_array(1, &count, np.NPY_UINT64)
    if count:
        with nogil:
            table().ngrams(<uint64_t*>np.PyArray_DATA(hashes), <const uint64_t*>np.PyArray_DATA(ids), n, N)
    return hashes


# ---- rows by index

def gather_add(rows, indices):
    """rows (V, O), indices (B, K) -> (B, O)."""
    cdef const Kernels* k = kernels_for(rows)
    cdef np.ndarray indices_ = as_int32(indices)
    if k is NULL or indices_ is None:
        return None
    if np.PyArray_NDIM(<np.ndarray>rows) != 2 or np.PyArray_NDIM(indices_) != 2:
        return None
    cdef np.ndarray rows_ = contiguous(rows)
    cdef size_t V = np.PyArray_DIM(rows_, 0)
    cdef size_t O = np.PyArray_DIM(rows_, 1)
    cdef size_t B = np.PyArray_DIM(indices_, 0)
    cdef size_t K = np.PyArray_DIM(indices_, 1)
    cdef np.ndarray Y = empty2(rows_, B, O)
    cdef np.npy_intp bad
    with nogil:
        bad = k.gather_add(
            np.PyArray_DATA(Y), np.PyArray_DATA(rows_), <const int32_t*>np.PyArray_DATA(indices_), V, O, B, K
        )
    return Y if bad < 0 else None


def scatter_add(rows, indices, values):
    """rows[indices] += values: rows (V, O), indices (N,) int32, values (N, O). A negative index is no row.

    Other integers are left to the readable formula: with them a negative index counts from the end.
    """
    cdef const Kernels* k = kernels_for(rows)
    if k is NULL or kernels_for(values) is not k or not isinstance(indices, np.ndarray) or not in_place(rows, 2):
        return False
    cdef np.ndarray rows_ = rows
    cdef np.ndarray indices_ = indices
    cdef np.ndarray values_ = values
    if not (
        np.PyArray_ISINTEGER(indices_)
        and np.PyArray_ISSIGNED(indices_)
        and np.PyArray_ITEMSIZE(indices_) == 4
        and np.PyArray_NDIM(indices_) == 1
        and np.PyArray_NDIM(values_) == 2
        and np.PyArray_DIM(values_, 0) == np.PyArray_DIM(indices_, 0)
        and np.PyArray_DIM(values_, 1) == np.PyArray_DIM(rows_, 1)
    ):
        return False
    indices_ = as_int32(indices_)
    values_ = contiguous(values_)
    cdef size_t V = np.PyArray_DIM(rows_, 0)
    cdef size_t O = np.PyArray_DIM(rows_, 1)
    cdef size_t N = np.PyArray_DIM(values_, 0)
    cdef np.npy_intp bad
    with nogil:
        bad = k.scatter_add(
            np.PyArray_DATA(rows_), <const int32_t*>np.PyArray_DATA(indices_), np.PyArray_DATA(values_), V, O, N
        )
    return bad < 0


# ---- hash embeddings

def hash_embed(E, ids, int64_t seed):
    """E (V, O), ids (N,) -> (N, O)."""
    cdef const Kernels* k = kernels_for(E)
    cdef np.ndarray ids_ = as_keys(ids)
    if k is NULL or ids_ is None or not is_seed(seed):
        return None
    if np.PyArray_NDIM(<np.ndarray>E) != 2 or np.PyArray_DIM(<np.ndarray>E, 0) == 0:
        return None
    cdef np.ndarray E_ = contiguous(E)
    cdef size_t V = np.PyArray_DIM(E_, 0)
    cdef size_t O = np.PyArray_DIM(E_, 1)
    cdef size_t N = np.PyArray_DIM(ids_, 0)
    cdef np.ndarray Y = empty2(E_, N, O)
    with nogil:
        k.hash_embed(np.PyArray_DATA(Y), np.PyArray_DATA(E_), <const uint64_t*>np.PyArray_DATA(ids_), seed, N, O, V)
    return Y


def backprop_hash_embed(dE, dY, ids, int64_t seed):
    """Adds dY (N, O) to the four rows of dE (V, O) that each of ids (N,) stands for."""
    cdef const Kernels* k = kernels_for(dE)
    cdef np.ndarray ids_ = as_keys(ids)
    if k is NULL or kernels_for(dY) is NULL or ids_ is None or not is_seed(seed):
        return False
    if not in_place(dE, 2):
        return False
    cdef np.ndarray dE_ = dE
    cdef np.ndarray dY_ = dY
    cdef np.npy_intp V = np.PyArray_DIM(dE_, 0)
    cdef np.npy_intp O = np.PyArray_DIM(dE_, 1)
    cdef np.npy_intp N = np.PyArray_DIM(ids_, 0)
    if V == 0 or np.PyArray_NDIM(dY_) != 2 or np.PyArray_DIM(dY_, 0) != N or np.PyArray_DIM(dY_, 1) != O:
        return False
    dY_ = like(dY_, dE_)
    with nogil:
        k.backprop_hash_embed(
            np.PyArray_DATA(dE_), np.PyArray_DATA(dY_), <const uint64_t*>np.PyArray_DATA(ids_), seed, N, O, V
        )
    return True


# ---- sparse linear

cdef bint covers(np.ndarray keys, object values, np.ndarray lengths, object W, object b, nO, length) except -1:
    """The arrays of a sparse linear layer are of a kind and fit together."""
    if length < 1:
        raise ValueError(f"sparse_linear: expected a length of at least 1, got {length}")
    if keys is None or lengths is None or kernels_for(values) is NULL or length > INT32_MAX:
        return False
    if kernels_for(W) is NULL or kernels_for(b) is not kernels_for(W):
        return False
    if np.PyArray_NDIM(<np.ndarray>values) != 1 or np.PyArray_NDIM(lengths) != 1:
        return False
    if np.PyArray_NDIM(<np.ndarray>W) != 1 or np.PyArray_DIM(<np.ndarray>W, 0) < nO * length:
        return False
    if np.PyArray_NDIM(<np.ndarray>b) != 1 or np.PyArray_DIM(<np.ndarray>b, 0) != nO:
        return False
    cdef const int32_t* data = <const int32_t*>np.PyArray_DATA(lengths)
    cdef np.npy_intp total = 0
    cdef np.npy_intp i
    for i in range(np.PyArray_DIM(lengths, 0)):
        if data[i] < 0:
            return False
        total += data[i]
    return np.PyArray_DIM(keys, 0) == total and np.PyArray_DIM(<np.ndarray>values, 0) == total


cdef np.ndarray cells_of(np.ndarray keys, uint64_t length, bint v1_indexing):
    """The two cells of each key, (2, N)."""
    cdef np.npy_intp shape[2]
    shape[0] = 2
    shape[1] = np.PyArray_DIM(keys, 0)
    cdef np.ndarray cells = new_array(2, shape, np.NPY_INT32)
    with nogil:
        table().sparse_cells(<int32_t*>np.PyArray_DATA(cells), <const uint64_t*>np.PyArray_DATA(keys), length,
                             v1_indexing, shape[1])
    return cells


def sparse_linear(keys, values, lengths, W, b, Py_ssize_t nO, Py_ssize_t length, bint v1_indexing):
    """keys (N,), values (N,), lengths (B,), W (nO * length,), b (nO,) -> scores (B, nO)."""
    cdef np.ndarray keys_ = as_keys(keys)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if not covers(keys_, values, lengths_, W, b, nO, length):
        return None
    cdef const Kernels* k = kernels_for(W)
    cdef np.ndarray W_ = contiguous(W)
    cdef np.ndarray b_ = contiguous(b)
    cdef np.ndarray values_ = like(values, W_)
    cdef size_t B = np.PyArray_DIM(lengths_, 0)
    cdef np.ndarray Y = empty2(W_, B, nO)
    cdef np.ndarray cells = cells_of(keys_, length, v1_indexing)
    with nogil:
        k.sparse_linear(
            np.PyArray_DATA(Y),
            <const int32_t*>np.PyArray_DATA(cells),
            np.PyArray_DATA(values_),
            <const int32_t*>np.PyArray_DATA(lengths_),
            np.PyArray_DATA(W_),
            np.PyArray_DATA(b_),
            B,
            np.PyArray_DIM(keys_, 0),
            nO,
            length,
            v1_indexing,
        )
    return Y


def backprop_sparse_linear(dW, db, dY, keys, values, lengths, Py_ssize_t nO, Py_ssize_t length, bint v1_indexing):
    """Adds the gradients for dY (B, nO) to dW (nO * length,) and db (nO,)."""
    cdef np.ndarray keys_ = as_keys(keys)
    cdef np.ndarray lengths_ = as_int32(lengths)
    if not covers(keys_, values, lengths_, dW, db, nO, length) or kernels_for(dY) is NULL:
        return False
    if not in_place(dW, 1) or not in_place(db, 1) or np.PyArray_NDIM(<np.ndarray>dY) != 2:
        return False
    cdef np.ndarray dW_ = dW
    cdef np.ndarray db_ = db
    cdef np.ndarray dY_ = like(dY, dW_)
    cdef np.ndarray values_ = like(values, dW_)
    cdef np.npy_intp B = np.PyArray_DIM(lengths_, 0)
    if np.PyArray_DIM(dY_, 0) != B or np.PyArray_DIM(dY_, 1) != nO:
        return False
    cdef const Kernels* k = kernels_for(dW)
    cdef np.ndarray cells = cells_of(keys_, length, v1_indexing)
    with nogil:
        k.backprop_sparse_linear(
            np.PyArray_DATA(dW_),
            np.PyArray_DATA(db_),
            np.PyArray_DATA(dY_),
            <const int32_t*>np.PyArray_DATA(cells),
            np.PyArray_DATA(values_),
            <const int32_t*>np.PyArray_DATA(lengths_),
            B,
            np.PyArray_DIM(keys_, 0),
            nO,
            length,
            v1_indexing,
        )
    return True
