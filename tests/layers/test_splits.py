"""Predicting a batch at once, or in any parts: the same bits, since each row is summed in one order."""

import copy
import functools
from typing import Any, List

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.rows import CASES
from tests.layers.values import as_rows, assert_same, cast, ops, split
from thinc.backends._kernels import gemm
from thinc.types import Padded, Ragged

CONSISTENT = [case for case in CASES if case.batch_consistent]


def part(X: Any, start: int, stop: int) -> Any:
    """The items start to stop of a batch."""
    if isinstance(X, Ragged):
        rows = ops.unflatten(X.dataXd, X.lengths)[start:stop]
        data = numpy.concatenate(rows) if rows else X.dataXd[:0]
        return Ragged(data, X.lengths[start:stop])
    elif isinstance(X, Padded):
        return ops.list2padded(ops.padded2list(X)[start:stop])
    elif isinstance(X, tuple):
        return tuple(part(item, start, stop) for item in X)
    return X[start:stop]


@functools.cache
def predicted(index: int) -> Any:
    """The model, its batch, the number of items, and the rows predicted at once."""
    case = CONSISTENT[index]
    numpy.random.seed(0)
    X = cast(case.inputs(numpy.random.RandomState(1)), "float32")
    model = case.build()
    model.initialize(X=copy.deepcopy(X), Y=case.outputs(X))
    return model, X, len(split(X)), as_rows(model.predict(X))


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 12), max_size=6))
@pytest.mark.parametrize("index", range(len(CONSISTENT)), ids=lambda i: str(CONSISTENT[i]))
def test_any_split_gives_the_same(index: int, cuts: List[int]):
    model, X, n, whole = predicted(index)
    ends = sorted({*(cut for cut in cuts if 0 < cut < n), n})
    parts = [as_rows(model.predict(part(X, start, end))) for start, end in zip([0, *ends], ends) if start < end]
    tolerance = 0.0 if gemm.engine_name() == "native" else 1e-6
    for rows, pieces in zip(whole, zip(*parts)):
        pieces = [piece for piece in pieces if piece.size]
        if pieces:
            assert_same(numpy.concatenate(pieces), rows, tolerance)
