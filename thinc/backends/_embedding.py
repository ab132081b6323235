"""Hashing, and tables whose rows are looked up, readable.

Dimensions: N ids or rows, V rows of a table, O width, K indices in a row, B examples.
"""

from typing import Any, List

import numpy

from ..types import Floats1d, Floats2d, FloatsXd, Ints1d, Ints2d, IntsXd, Xp
from ._arrays import as_floats
from ._quantized import SCALE_BYTES, is_half, split_int8_rows

_U32 = numpy.uint32
_U64 = numpy.uint64


class EmbeddingOps:
    """hash, ngrams, gather_add, embed, scatter_add, hash embeddings, sparse linear."""

    xp: Xp

    def hash(self, ids: Ints1d, seed: int) -> Ints2d:
        """Four numbers for each id: ids (N,) uint64 -> (N, 4) uint32.

        MurmurHash3 x64 128 (Austin Appleby) of the id's 8 bytes, lowest first.

        ids: any integers.  seed: another gives other numbers.

        >>> NumpyOps().hash(numpy.array([1, 2], dtype="uint64"), seed=0).shape
        (2, 4)
        """
        _check_seed(seed)
        with numpy.errstate(over="ignore"):
            k = _as_ids("hash", ids) * _U64(0x87C37B91114253D5)
            k = _rotate_left(k, 31, 64) * _U64(0x4CF5AD432745937F)
            h1 = k ^ _U64(seed ^ 8)
            h2 = self.xp.full_like(h1, seed ^ 8)
            h1 = h1 + h2
            h2 = h2 + h1
            h1 = _mix64(h1)
            h2 = _mix64(h2)
            h1 = h1 + h2
            h2 = h2 + h1
        words: List[Any] = [h1, h1 >> _U64(32), h2, h2 >> _U64(32)]
        low = _U64(0xFFFFFFFF)
        return self.xp.stack([(word & low).astype("uint32") for word in words], axis=1)

    def ngrams(self, n: int, keys: Ints1d) -> Ints1d:
        """One hash for each n keys in a row: (N,) uint64 -> (N - n + 1,) uint64.

        MurmurHash64A (Austin Appleby) of their bytes, seed 0.  Empty if n < 1.

        n: how many keys make one.  keys: in their order.

        >>> NumpyOps().ngrams(2, numpy.array([1, 2, 3], dtype="uint64")).shape
        (2,)
        """
        ids = _as_ids("ngrams", keys)
        count = max(0, len(ids) - n + 1) if n >= 1 else 0
        m = _U64(0xC6A4A7935BD1E995)
        with numpy.errstate(over="ignore"):
            h = self.xp.full((count,), 8 * max(n, 0), dtype="uint64") * m
            for i in range(n if count else 0):
                k = ids[i : i + count] * m
                k = (k ^ (k >> _U64(47))) * m
                h = (h ^ k) * m
            h = (h ^ (h >> _U64(47))) * m
        return h ^ (h >> _U64(47))

    def gather_add(self, table: Floats2d, indices: Ints2d) -> Floats2d:
        """The sum of the rows that each row of indices names.

        table (V, O), indices (N, K) -> (N, O); float32 for a table of float16.

        >>> ops = NumpyOps()
        >>> ops.gather_add(ops.asarray2f([[1], [10], [100]]), ops.asarray2i([[0, 2], [1, 1]]))
        array([[101.],
               [ 20.]], dtype=float32)
        """
        if table.ndim != 2 or indices.ndim != 2:
            raise ValueError(
                f"gather_add: expected table and indices of 2 dimensions, got {table.ndim} and {indices.ndim}"
            )
        check_indices("gather_add", indices, len(table))
        table = as_floats(table)
        dtype: Any = "float32" if is_half(table) else table.dtype
        Y = self.xp.zeros((len(indices), table.shape[1]), dtype=dtype)
        for k in range(indices.shape[1]):
            Y += table[indices[:, k]]
        return Y

    def gather_add_int8(self, table: Ints2d, indices: Ints2d) -> Floats2d:
        """`gather_add` of int8 rows (see _quantized.py): table (V, O + 4), indices (N, K) -> (N, O) float32.

        >>> ops = NumpyOps()
        >>> table = quantize(Embed(2, 3).initialize(), "int8").get_param("E")
        >>> table.shape, ops.gather_add_int8(table, ops.asarray2i([[0, 2]])).shape
        ((3, 6), (1, 2))
        """
        return self.gather_add(_int8_table(self.xp, "gather_add_int8", table), indices)

    def embed(self, E: Floats2d, ids: IntsXd) -> FloatsXd:
        """The rows of a table, E[ids]: E (V, O) of floats, or of int8 rows (V, O + 4), ids (...) -> (..., O).

        IndexError for an id outside [0, V).  float32 for a table of float16 or int8 rows.

        >>> ops = NumpyOps()
        >>> ops.embed(ops.asarray2f([[1], [10], [100]]), ops.asarray1i([2, 0, 2])).ravel()
        array([100.,   1., 100.], dtype=float32)
        """
        table: Any = E
        rows = ids.reshape((-1, 1))
        Y = self.gather_add_int8(table, rows) if table.dtype == "int8" else self.gather_add(table, rows)
        return Y.reshape((*ids.shape, Y.shape[1]))

    def scatter_add(self, table: FloatsXd, indices: IntsXd, values: FloatsXd) -> FloatsXd:
        """table[indices] += values, in place; rows named twice are added twice.

        Returns None. In one-dimensional int32 indices into a two-dimensional table a
        negative one means "no row" and is skipped; elsewhere it counts from the end.

        >>> ops = NumpyOps()
        >>> table = ops.alloc2f(3, 1)
        >>> ops.scatter_add(table, ops.asarray1i([0, 2, 2]), ops.asarray2f([[1], [1], [1]]))
        >>> table.ravel()
        array([1., 0., 2.], dtype=float32)
        """
        _check_sums("scatter_add", table)
        n_rows = len(table)
        dtype: Any = indices.dtype
        int32 = dtype.kind == "i" and dtype.itemsize == 4
        skip = int32 and indices.ndim == 1 and table.ndim == 2
        check_indices("scatter_add", indices, n_rows, None if skip else -n_rows)
        if skip:
            values = self.xp.broadcast_to(values, indices.shape + table.shape[1:])
            values = values[indices >= 0]
            indices = indices[indices >= 0]
        self.xp.add.at(table, indices, values)
        return None  # type: ignore[return-value]  # the annotation is part of the interface

    def hash_embed(self, E: Floats2d, ids: Ints1d, seed: int) -> Floats2d:
        """The sum of four rows of E, chosen by hashing.  Svenstrup et al. 2017.

        E (V, O), ids (N,) uint64 -> (N, O): sum over j of E[hash(ids, seed)[:, j] % V].

        >>> ops = NumpyOps()
        >>> ids = numpy.array([7, 8, 7], dtype="uint64")
        >>> Y = ops.hash_embed(ops.asarray2f([[1], [10], [100]]), ids, seed=0)
        >>> Y.shape, bool(Y[0] == Y[2])
        ((3, 1), True)
        """
        return self.gather_add(E, self._hash_rows(E, ids, seed))

    def hash_embed_int8(self, E: Ints2d, ids: Ints1d, seed: int) -> Floats2d:
        """`hash_embed` of int8 rows: E (V, O + 4), ids (N,) uint64 -> (N, O) float32.

        seed: as in `hash`.

        >>> ops = NumpyOps()
        >>> table = quantize(HashEmbed(2, 9).initialize(), "int8").get_param("E")
        >>> ops.hash_embed_int8(table, numpy.array([7], dtype="uint64"), seed=0).shape
        (1, 2)
        """
        return self.hash_embed(_int8_table(self.xp, "hash_embed_int8", E), ids, seed)

    def backprop_hash_embed(self, dE: Floats2d, dY: Floats2d, ids: Ints1d, seed: int) -> None:
        """Add each row of dY to the four rows of dE it came from, in place.

        ids, seed: as in `hash_embed`.

        >>> ops = NumpyOps()
        >>> dE = ops.alloc2f(3, 1)
        >>> ops.backprop_hash_embed(dE, ops.asarray2f([[1]]), numpy.array([7], dtype="uint64"), seed=0)
        >>> float(dE.sum())
        4.0
        """
        _check_sums("backprop_hash_embed", dE)
        rows: Any = self._hash_rows(dE, ids, seed)
        if dY.shape != (len(rows), dE.shape[1]):
            raise ValueError(f"backprop_hash_embed: expected dY {(len(rows), dE.shape[1])}, got {dY.shape}")
        for j in range(4):
            self.xp.add.at(dE, rows[:, j], dY)

    def _hash_rows(self, E: Floats2d, ids: Ints1d, seed: int) -> Ints2d:
        if len(E) == 0:
            raise ValueError("hash_embed: the table has no rows")
        return (self.hash(ids, seed) % _U32(len(E))).astype("int64")

    def sparse_linear(
        self,
        keys: Ints1d,
        values: Floats1d,
        lengths: Ints1d,
        W: Floats1d,
        b: Floats1d,
        nO: int,
        length: int,
        v1_indexing: bool,
    ) -> Floats2d:
        """Scores (B, nO) of examples given as features (key, value), by hashing.

        Each key has a weight for each class in two places of W (nO * length,):
        scores[c] = b[c] + sum over features of value * (W[i1(c)] + W[i2(c)]), where
        i(c) = c * length + hash % length. The first version of this layer, kept for its
        models, used i(c) = (hash & (length - 1)) + c, so that classes overlap.

        v1_indexing: as in the first version.

        >>> ops = NumpyOps()
        >>> keys, values, lengths = numpy.array([7], dtype="uint64"), ops.asarray1f([1]), ops.asarray1i([1])
        >>> W, b = ops.alloc1f(2 * 16), ops.asarray1f([0.5, 1])
        >>> ops.sparse_linear(keys, values, lengths, W, b, 2, 16, False)
        array([[0.5, 1. ]], dtype=float32)
        """
        _check_sparse("sparse_linear", keys, values, lengths, length)
        factors: Any = as_floats(values)
        W, b = as_floats(W), as_floats(b)
        scores: Any = self.xp.zeros((len(lengths), nO), dtype=W.dtype)
        if W.shape[0] < nO * length or b.shape != (nO,):
            raise ValueError(f"sparse_linear: expected W ({nO * length},) and b ({nO},), got {W.shape} and {b.shape}")
        example = self.xp.repeat(self.xp.arange(len(lengths)), lengths.tolist())
        for seed in (0, 1):
            cells = self._sparse_cells(keys, seed, nO, length, v1_indexing)
            self.xp.add.at(scores, example, factors[:, None] * W[cells])
        scores += b
        return scores

    def backprop_sparse_linear(
        self,
        dW: Floats1d,
        db: Floats1d,
        dY: Floats2d,
        keys: Ints1d,
        values: Floats1d,
        lengths: Ints1d,
        nO: int,
        length: int,
        v1_indexing: bool,
    ) -> None:
        """Add the gradients of W and b for dY (B, nO), in place.

        keys, values, lengths, nO, length, v1_indexing: as in `sparse_linear`.

        >>> ops = NumpyOps()
        >>> keys, values, lengths = numpy.array([7], dtype="uint64"), ops.asarray1f([1]), ops.asarray1i([1])
        >>> dW, db = ops.alloc1f(2 * 16), ops.alloc1f(2)
        >>> ops.backprop_sparse_linear(dW, db, ops.asarray2f([[1, 2]]), keys, values, lengths, 2, 16, False)
        >>> db, float(dW.sum())
        (array([1., 2.], dtype=float32), 6.0)
        """
        _check_sparse("backprop_sparse_linear", keys, values, lengths, length)
        if dY.shape != (len(lengths), nO):
            raise ValueError(f"backprop_sparse_linear: expected dY {(len(lengths), nO)}, got {dY.shape}")
        factors: Any = values
        grads: Any = self.xp.repeat(dY, lengths.tolist(), axis=0) * factors[:, None]
        for seed in (0, 1):
            cells = self._sparse_cells(keys, seed, nO, length, v1_indexing)
            self.xp.add.at(dW, cells, grads)
        d_bias: Any = db
        d_bias += dY.sum(axis=0)

    def _sparse_cells(self, keys: Ints1d, seed: int, nO: int, length: int, v1_indexing: bool) -> Any:
        """Where in W the classes' weights of each key are, (N, nO)."""
        hashes = _murmur32(_as_ids("sparse_linear", keys), seed).astype("int64")
        classes = self.xp.arange(nO)
        if v1_indexing:
            return (hashes & (length - 1))[:, None] + classes
        return (hashes % length)[:, None] + classes * length


def check_indices(op: str, indices: Any, n_rows: int, lowest: Any = 0, what: str = "a table of {} rows") -> None:
    """IndexError for an index outside [lowest, n_rows); None is no lower bound."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{op}: expected integer indices, got {indices.dtype}")
    bad = indices >= n_rows
    if lowest is not None:
        bad = bad | (indices < lowest)
    if bad.any():
        raise IndexError(f"{op}: index {int(indices[bad][0])} is out of bounds for {what.format(n_rows)}")


def _int8_table(xp: Any, op: str, table: Any) -> Any:
    """The table in float32."""
    if table.dtype != "int8":
        raise TypeError(f"{op}: expected a table of int8 rows, got one of {table.dtype}. thinc.api.quantize makes them")
    if table.ndim != 2 or table.shape[1] < SCALE_BYTES:
        raise ValueError(f"{op}: expected int8 rows (V, O + {SCALE_BYTES}), got shape {table.shape}")
    numbers, scale = split_int8_rows(xp, table)
    return numbers.astype("float32") * scale[:, None]


def _check_sums(op: str, table: Any) -> None:
    if table.dtype.kind == "b":
        raise TypeError(f"{op}: expected a table of numbers to add to, got one of {table.dtype}")


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= 0xFFFFFFFF:
        raise OverflowError(f"hash: expected a seed of 32 bits, got {seed}")


def _check_sparse(op: str, keys: Any, values: Any, lengths: Any, length: int) -> None:
    if length < 1:
        raise ValueError(f"{op}: expected a length of at least 1, got {length}")
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"{op}: expected integer lengths, got {lengths.dtype}")
    if (lengths < 0).any():
        raise ValueError(f"{op}: all lengths must be >= 0, got {int(lengths.min())}")
    total = int(lengths.sum())
    if keys.shape != values.shape or keys.shape != (total,):
        raise ValueError(f"{op}: lengths sum to {total}, but there are {keys.shape} keys and {values.shape} values")


def _as_ids(op: str, ids: Any) -> Any:
    """64-bit keys; negative numbers become the upper half, as in C."""
    if getattr(ids, "ndim", None) != 1:
        raise TypeError(f"{op}: expected a one-dimensional array of ids, got {type(ids)}")
    if ids.dtype.kind not in "iu":
        raise ValueError(f"{op}: expected integer ids, got {ids.dtype}")
    return ids.astype("uint64")


def _rotate_left(x: Any, n: int, bits: int) -> Any:
    word = x.dtype.type
    return (x << word(n)) | (x >> word(bits - n))


def _mix64(z: Any) -> Any:
    """The finalizer of MurmurHash3 x64: every input bit reaches every output bit."""
    z = (z ^ (z >> _U64(33))) * _U64(0xFF51AFD7ED558CCD)
    z = (z ^ (z >> _U64(33))) * _U64(0xC4CEB9FE1A85EC53)
    return z ^ (z >> _U64(33))


def _murmur32(keys: Any, seed: int) -> Any:
    """MurmurHash3 x86 32 (Austin Appleby) of the 8 bytes of each key -> uint32."""
    low = (keys & _U64(0xFFFFFFFF)).astype("uint32")
    high = (keys >> _U64(32)).astype("uint32")
    h = low * _U32(0) + _U32(seed)
    for k in (low, high):
        k = _rotate_left(k * _U32(0xCC9E2D51), 15, 32) * _U32(0x1B873593)
        h = _rotate_left(h ^ k, 13, 32) * _U32(5) + _U32(0xE6546B64)
    h = h ^ _U32(8)
    h = (h ^ (h >> _U32(16))) * _U32(0x85EBCA6B)
    h = (h ^ (h >> _U32(13))) * _U32(0xC2B2AE35)
    return h ^ (h >> _U32(16))


__all__ = ["EmbeddingOps", "check_indices"]
