"""What the layer tests do with any kind of batch: cast, copy, compare, split, join."""

import copy
from typing import Any, List, Tuple

import numpy

from tests.cases import LayerCase
from thinc.api import NumpyOps
from thinc.types import Padded, Ragged

ops = NumpyOps()


def is_float(X: Any) -> bool:
    return isinstance(X, numpy.ndarray) and X.dtype.kind == "f"


def initialized(case: LayerCase) -> Tuple[Any, Any]:
    """The model, and a batch for it in float32."""
    numpy.random.seed(0)
    X = cast(case.inputs(numpy.random.RandomState(1)), "float32")
    model = case.build()
    model.initialize(X=copy.deepcopy(X), Y=case.outputs(X))
    return model, X


def map_arrays(function: Any, X: Any) -> Any:
    """The same batch with `function` applied to its arrays of data, not to lengths."""
    if isinstance(X, numpy.ndarray):
        return function(X)
    elif isinstance(X, Ragged):
        return Ragged(function(X.dataXd), X.lengths)
    elif isinstance(X, Padded):
        return Padded(function(X.data), X.size_at_t, X.lengths, X.indices)
    elif isinstance(X, (list, tuple)):
        return type(X)(map_arrays(function, item) for item in X)
    return X


def cast(X: Any, dtype: str) -> Any:
    return map_arrays(lambda A: A.astype(dtype) if is_float(A) else A, X)


def noise(Y: Any, seed: int) -> Any:
    """A gradient for Y: normally distributed floats, anything else as it is."""
    rng = numpy.random.RandomState(seed)

    def make(A: Any) -> Any:
        return rng.normal(size=A.shape).astype(A.dtype) if is_float(A) else A

    return map_arrays(make, Y)


def float_arrays(X: Any) -> List[Any]:
    found: List[Any] = []

    def collect(A: Any) -> Any:
        if is_float(A):
            found.append(A)
        return A

    map_arrays(collect, X)
    return found


def assert_same(A: Any, B: Any, tolerance: float = 0.0) -> None:
    """Same kinds, shapes and dtypes all the way down, and (nearly) the same numbers."""
    assert type(A) is type(B)
    if isinstance(A, numpy.ndarray):
        assert A.shape == B.shape
        assert A.dtype == B.dtype
        numpy.testing.assert_allclose(A, B, rtol=tolerance, atol=tolerance)
    elif isinstance(A, Ragged):
        assert_same(A.dataXd, B.dataXd, tolerance)
        assert_same(A.lengths, B.lengths)
    elif isinstance(A, Padded):
        assert_same(A.data, B.data, tolerance)
        for name in ("size_at_t", "lengths", "indices"):
            assert_same(getattr(A, name), getattr(B, name))
    elif isinstance(A, (list, tuple)):
        assert len(A) == len(B)
        for a, b in zip(A, B):
            assert_same(a, b, tolerance)
    else:
        assert A == B


def assert_same_structure(A: Any, B: Any) -> None:
    """Same kinds, shapes and dtypes, whatever the numbers."""
    zeros = numpy.zeros_like
    assert_same(map_arrays(zeros, A), map_arrays(zeros, B))


def split(X: Any) -> List[Any]:
    """The items of a batch, as batches of one: the rows of an array, else sequences."""
    if isinstance(X, numpy.ndarray):
        return [X[i : i + 1] for i in range(len(X))]
    elif isinstance(X, Ragged):
        rows = ops.unflatten(X.dataXd, X.lengths)
        return [Ragged(rows[i], X.lengths[i : i + 1]) for i in range(len(rows))]
    elif isinstance(X, Padded):
        return [ops.list2padded([Xi]) for Xi in ops.padded2list(X)]
    elif isinstance(X, tuple):
        return list(zip(*(split(item) for item in X)))
    return [[item] for item in X]


def as_rows(Y: Any) -> List[Any]:
    """The rows of a batch one after another; a tuple has several such."""
    if isinstance(Y, tuple):
        return [rows for item in Y for rows in as_rows(item)]
    elif isinstance(Y, Ragged):
        return [Y.dataXd]
    elif isinstance(Y, Padded):
        return as_rows(ops.padded2list(Y))
    elif isinstance(Y, list):
        rows = [as_rows(item) for item in Y]
        return [numpy.concatenate(group) for group in zip(*rows)]
    return [Y]


def gradients(model: Any) -> Any:
    """Copies of all gradients, in the order of the walk: (index, name) -> array."""
    return {
        (index, name): copy.deepcopy(node.get_grad(name))
        for index, node in enumerate(model.walk())
        for name in node.grad_names
    }
