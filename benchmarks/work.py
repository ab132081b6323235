"""The least that a kind of work takes: operations, bytes read, bytes written. What is faster than that did less.

Operations are those of products: all else is bound by memory before it is by them. Bytes are those of the arrays that
go in and out once; what a cache holds is not told apart from what memory does, since a floor is measured on arrays as
large as those of the case.
"""

from typing import Callable, Dict, NamedTuple, Tuple

import numpy
from plan import READS

FLOAT, ID = 4, 8


class Work(NamedTuple):
    operations: float = 0
    read: float = 0
    written: float = 0
    in_place: bool = False  # what is written lies where it was read


def lengths_of(n: int, mean: int) -> numpy.ndarray:
    """Lengths around the mean, of the same sum in every process."""
    return numpy.random.RandomState(1).randint(1, 2 * mean, size=n).astype("i")


def _floats(read: float, written: float) -> Work:
    return Work(0, FLOAT * read, FLOAT * written)


def _product(m: int, k: int, n: int) -> Work:
    return Work(2.0 * m * k * n, FLOAT * (m * k + k * n), FLOAT * m * n)


def _backward(m: int, k: int, n: int) -> Work:
    return Work(4.0 * m * k * n, FLOAT * (m * n + k * n + m * k), FLOAT * (m * k + k * n))


def _per_number(read: float, written: float) -> Callable[..., Work]:
    """Of each number of a matrix (rows, width)."""
    return lambda rows, width: _floats(read * rows * width, written * rows * width)


def _backprop_activation(name: str, rows: int, width: int) -> Work:
    return _floats((1 + len(READS.get(name, "X"))) * rows * width, rows * width)


def _maxout(rows: int, width: int, pieces: int) -> Work:
    return _floats(rows * width * pieces, 2 * rows * width)


def _backprop_maxout(rows: int, width: int, pieces: int) -> Work:
    return _floats(2 * rows * width, rows * width * pieces)


def _of_rows(read: Callable[[int, int], float], written: Callable[[int, int], float]) -> Callable[..., Work]:
    """By the number of sequences and that of all their rows."""

    def work(n: int, mean: int, width: int) -> Work:
        rows = int(lengths_of(n, mean).sum())
        return _floats(width * read(n, rows), width * written(n, rows))

    return work


def _padded(n: int, mean: int, width: int) -> Work:
    lengths = lengths_of(n, mean)
    return _floats(int(lengths.sum()) * width, n * int(lengths.max()) * width)


def _table_rows(tables: int, passes: int) -> Callable[..., Work]:
    """Rows of tables are summed; a step sends the gradient to each of them."""

    def work(n: int, width: int, rows: int) -> Work:
        forward = _floats(tables * n * width, n * width)
        if passes == 1:
            return forward
        return Work(0, forward.read + FLOAT * (1 + tables) * n * width, forward.written + FLOAT * tables * n * width)

    return work


def _lstm(passes: int) -> Callable[..., Work]:
    return lambda n, length, width: Work(passes * 2.0 * n * length * 4 * width * 2 * width)


PERCEPTRON = ((384, 768), (768, 768), (768, 384))
_BYTES = {"float32": 4, "float16": 2, "int8": 1}


def _quantized(kind: str, rows: int, *layers: Tuple[int, int]) -> Work:
    """Layers one after the other. How many products of bytes a CPU makes in a second is not measured: of int8 only a
    row is bound by its weights."""
    if kind == "int8" and rows > 1:
        return Work()
    weights = sum(nI * nO for nI, nO in layers)
    return Work(0 if kind == "int8" else 2.0 * rows * weights, _BYTES[kind] * weights)


def _tagger(passes: int) -> Callable[[int], Work]:
    width, pieces = 96, 3
    weights = 4 * width * width * pieces + 4 * 3 * width * width * pieces + width * 17
    return lambda docs: Work(passes * 2.0 * weights * int(lengths_of(docs, 24).sum()))


# By kind. The others are bound by neither: random numbers, Python's objects, a dictionary, calls.
WORK: Dict[str, Callable[..., Work]] = {
    "gemm_forward": _product,
    "gemm_backward": _backward,
    "activation": lambda name, rows, width: _floats(rows * width, rows * width),
    "backprop_activation": _backprop_activation,
    "layer_norm": _per_number(1, 1),
    "backprop_layer_norm": _per_number(2, 1),
    "maxout": _maxout,
    "backprop_maxout": _backprop_maxout,
    **dict.fromkeys(("reduce_sum", "reduce_mean"), _of_rows(lambda n, rows: rows, lambda n, rows: n)),
    "reduce_max": _of_rows(lambda n, rows: rows, lambda n, rows: 2 * n),
    **dict.fromkeys(("reduce_first", "reduce_last"), _of_rows(lambda n, rows: n, lambda n, rows: n)),
    **dict.fromkeys(
        ("backprop_reduce_sum", "backprop_reduce_mean", "backprop_reduce_first", "backprop_reduce_last"),
        _of_rows(lambda n, rows: n, lambda n, rows: rows),
    ),
    "backprop_reduce_max": _of_rows(lambda n, rows: 2 * n, lambda n, rows: rows),
    "seq2col": _of_rows(lambda n, rows: rows, lambda n, rows: 3 * rows),
    "backprop_seq2col": _of_rows(lambda n, rows: 3 * rows, lambda n, rows: rows),
    "pad": _padded,
    "list2padded": _padded,
    "padded2list": _of_rows(lambda n, rows: rows, lambda n, rows: rows),
    "hash": lambda n: Work(0, ID * n, 4 * FLOAT * n),
    "hash_embed": _table_rows(4, 1),
    "train_hash_embed": _table_rows(4, 2),
    "embed": _table_rows(1, 1),
    "train_embed": _table_rows(1, 2),
    # The gradient is filled; it, weights, both moments and averages are read; all of them are written.
    "optimizer": lambda n: _floats(6 * n, 6 * n)._replace(in_place=True),
    "lstm": _lstm(1),
    "train_lstm": _lstm(3),
    "cross_entropy": _per_number(1, 1),
    "l2_distance": _per_number(2, 1),
    "cosine_distance": _per_number(2, 1),
    "tagger_predict": _tagger(1),
    "tagger_train": _tagger(3),
    "perceptron": lambda rows: _quantized("float32", rows, *PERCEPTRON),
    "quantized_perceptron": lambda kind, rows: _quantized(kind, rows, *PERCEPTRON),
    "quantized_linear": lambda kind, rows, nI, nO: _quantized(kind, rows, (nI, nO)),
}
