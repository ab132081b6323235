"""Lengths may be a list, a tuple or integers of any dtype; the layers give the same for all of them."""

import numpy
import pytest

from tests.layers.values import assert_same
from thinc.api import (
    LSTM,
    Linear,
    Padded,
    ParametricAttention,
    Ragged,
    expand_window,
    noop,
    ragged2list,
    reduce_first,
    reduce_last,
    reduce_max,
    reduce_mean,
    reduce_sum,
    with_array,
    with_list,
    with_padded,
)

X = numpy.random.RandomState(0).normal(size=(6, 5)).astype("f")
CONSUMERS = {
    "reduce_sum": reduce_sum,
    "reduce_mean": reduce_mean,
    "reduce_max": reduce_max,
    "reduce_first": reduce_first,
    "reduce_last": reduce_last,
    "ragged2list": ragged2list,
    "expand_window": expand_window,
    "attention": lambda: ParametricAttention(5),
    "with_array": lambda: with_array(Linear(3, 5)),
    "with_list": lambda: with_list(noop()),
    "with_padded": lambda: with_padded(LSTM(3, 5)),
}
DTYPES = ("i1", "u1", "i2", "i8", "u8", ">i4", ">i8")
KINDS = [list, tuple, *(lambda lengths, dtype=dtype: numpy.array(lengths, dtype) for dtype in DTYPES)]


def outcome(model, lengths):
    Xr = Ragged(X, lengths)
    Y, backprop = model.begin_update(Xr)
    dX = backprop(Y)
    return [Y.dataXd if isinstance(Y, Ragged) else Y, dX.dataXd]


@pytest.mark.parametrize("name", CONSUMERS)
def test_every_kind_of_lengths(name):
    model = CONSUMERS[name]().initialize()
    want = outcome(model, numpy.array([1, 3, 2], "int32"))
    for kind in KINDS:
        assert_same(outcome(model, kind([1, 3, 2])), want)


def test_a_list_becomes_an_array():
    for lengths in ([1, 5], (1, 5), []):
        assert Ragged(X, lengths).lengths.dtype == "int32"
    given = numpy.array([1, 5], "int64")
    assert Ragged(X, given).lengths is given


def test_a_padded_of_lists():
    data = X.reshape((3, 2, 5))
    Y = with_list(noop()).predict(Padded(data, [2, 2, 1], [3, 2], (1, 0)))
    assert Y.lengths.tolist() == [3, 2] and Y.indices.tolist() == [1, 0]
    want = LSTM(3, 5).initialize()
    assert_same(
        want.predict(Padded(data, [2, 2, 1], [3, 2], (1, 0))).data,
        want.predict(Padded(data, *(numpy.array(part, "i") for part in ([2, 2, 1], [3, 2], [1, 0])))).data,
    )


def test_lengths_are_looked_at_once():
    class Counted(numpy.ndarray):
        looks = 0

        def tolist(self):
            Counted.looks += 1
            return super().tolist()

    Xr = Ragged(X, numpy.array([1, 5], "int32").view(Counted))
    with_array(with_array(noop())).predict(Xr)
    with_array(noop()).predict(Xr.with_data(X[:, :2]))
    assert Counted.looks == 1
    with pytest.raises(ValueError, match="3 rows.*sum to 6"):
        with_array(noop()).predict(Xr.with_data(X[:3]))
