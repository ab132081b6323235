"""Batches like a sample but of other sizes, and the comparison of a graph with its model."""

from typing import Any, List

import numpy

from thinc.export import values
from thinc.types import Padded, Ragged

# No sequence, one, empty ones, one row, many rows.
LENGTHS = [(), (1,), (0,), (5,), (0, 0), (1, 0), (0, 1), (2, 0, 3), (1, 1, 1), (0, 4, 0, 0, 1, 0)]
ROWS = [0, 1, 2, 3]


def sizes(rng: Any, count: int) -> List[Any]:
    """`count` pairs (rows of an array, lengths of sequences), the odd ones first."""
    lengths = LENGTHS + [tuple(rng.randint(0, 9, rng.randint(1, 9))) for _ in range(count - len(LENGTHS))]
    rows = ROWS + [int(n) for n in rng.randint(1, 40, count - len(ROWS))]
    return list(zip(rows, lengths))


def like(X: Any, rows: int, lengths: Any, rng: Any) -> Any:
    """A batch of the kind of X with other numbers; ids are among those of X."""
    if isinstance(X, Ragged):
        return Ragged(fresh(X.dataXd, (sum(lengths),), rng), numpy.array(lengths, dtype="int32"))
    if isinstance(X, Padded):
        return padded(X, lengths, rng)
    if isinstance(X, tuple) and len(X) == 4:
        batch = padded(Padded(*X), lengths, rng)
        return batch.data, batch.size_at_t, batch.lengths, batch.indices
    if isinstance(X, tuple) and X[-1].ndim == 1 and len(X) > 1:
        # Parts of sequences: what comes last are lengths.
        arrays = [fresh(array, (sum(lengths),), rng) for array in X[:-1]]
        return (*arrays, numpy.array(lengths, dtype="int32"))
    if isinstance(X, tuple):
        return tuple(like(item, rows, lengths, rng) for item in X)
    if isinstance(X, list) and values.is_nested(X):
        first = next(item for items in X for item in items)
        return [[fresh(first, (n,), rng) for n in lengths[: rng.randint(1, 4)]] for _ in range(rows % 5)]
    if isinstance(X, list):
        return [fresh(X[0], (length,), rng) for length in lengths]
    return fresh(X, (rows,) if X.ndim < 3 else (rows % 7, max(lengths, default=0)), rng)


def fresh(array: Any, first: Any, rng: Any) -> Any:
    shape = (*first, *array.shape[len(first) :])
    if array.dtype.kind == "f":
        return (2 * rng.normal(size=shape)).astype(array.dtype)
    filled = array.ravel() if array.size else numpy.zeros(1, array.dtype)
    return rng.choice(filled, size=shape).astype(array.dtype)


def padded(like: Padded, lengths: Any, rng: Any) -> Padded:
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i), reverse=True)
    ordered = numpy.array([lengths[i] for i in order], dtype="int32")
    steps = max(lengths, default=0)
    is_step = numpy.arange(steps)[:, None] < ordered
    data = fresh(like.data, (steps, len(lengths)), rng) * is_step[..., None]
    size_at_t = is_step.sum(axis=1).astype("int32")
    return Padded(data.astype(like.data.dtype), size_at_t, ordered, numpy.array(order, dtype="int32"))


def assert_same_outputs(outputs: List[Any], Y: Any, tolerance: float) -> None:
    expected = values.arrays_of(Y, len(outputs) == 3 and isinstance(Y, list))
    assert len(outputs) == len(expected)
    for theirs, ours in zip(outputs, expected):
        if not ours.size:
            assert not theirs.size
            continue
        assert theirs.shape == ours.shape
        assert theirs.dtype.kind == ours.dtype.kind
        if ours.dtype.kind == "f":
            assert theirs.dtype == ours.dtype
            numpy.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)
        else:
            numpy.testing.assert_array_equal(theirs, ours)
