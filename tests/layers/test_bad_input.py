"""The rarer kinds of input that layers take, and gradients they do not have. (cases/mistakes.py has the rest.)"""

import numpy
import pytest
from numpy.testing import assert_allclose

from thinc.api import (
    LSTM,
    CauchySimilarity,
    Dropout,
    Embed,
    Linear,
    Model,
    Padded,
    Ragged,
    Relu,
    Swish,
    add,
    compat,
    noop,
    remap_ids,
    siamese,
    tuplify,
    uniqued,
)
from thinc.layers import reduce_first, reduce_last, reduce_max, reduce_mean, reduce_sum, remap_ids_v2
from thinc.layers.lstm import PyTorchLSTM
from thinc.layers.softmax import Softmax_v2

X = numpy.random.RandomState(0).normal(size=(4, 3)).astype("f")
RAGGED = Ragged(X, numpy.array([1, 3], dtype="i"))
PADDED = Padded(X.reshape((2, 2, 3)), *numpy.array([[2, 2], [2, 2], [0, 1]], dtype="i"))
IDS = numpy.array([3, 1, 3], dtype="uint64")


def test_refused_without_torch():
    if not compat.has_torch:
        with pytest.raises(ImportError, match="torch"):
            PyTorchLSTM(2, 3)


def test_no_gradient_where_there_is_none():
    model = Softmax_v2(2, 3, normalize_outputs=False).initialize()
    _, backprop = model(X, is_train=False)
    with pytest.raises(ValueError, match="not supported for an unnormalized Softmax"):
        backprop(X[:, :2])
    model = LSTM(2, 3).initialize()
    _, backprop = model(PADDED, is_train=False)
    with pytest.raises(AssertionError, match="no backward pass after a prediction"):
        backprop(PADDED)


def test_gradient_of_an_activation_after_a_prediction():
    for layer in (Relu, Swish):
        model = layer(2, 3).initialize()
        results = []
        for is_train in (True, False):
            _, backprop = model(X, is_train=is_train)
            results.append(backprop(X[:, :2]))
        assert_allclose(*results, rtol=1e-6)


@pytest.mark.parametrize("data", [X, [X, X[:1]], RAGGED, PADDED], ids=type)
def test_dropout_masks_forwards_and_backwards(data):
    def arrays(data):
        if isinstance(data, Ragged):
            return [data.dataXd]
        elif isinstance(data, Padded):
            return [data.data]
        return data if isinstance(data, list) else [data]

    numpy.random.seed(0)
    model = Dropout(0.5)
    Y, backprop = model(data, is_train=True)
    dX = backprop(data)
    assert type(Y) is type(dX) is type(data)
    zeros = 0
    for x, y, dx in zip(arrays(data), arrays(Y), arrays(dX)):
        assert_allclose(y, dx)
        kept = y != 0
        assert_allclose(y[kept], 2 * x[kept], rtol=1e-6)
        zeros += (~kept).sum()
    assert 0 < zeros < sum(x.size for x in arrays(data))
    # Off in prediction, at rate 0, and on request.
    model.attrs["is_enabled"] = False
    Y, backprop = model(data, is_train=True)
    assert Y is data
    assert backprop(data) is data


def test_sums_of_other_types():
    wide = Model("wide", lambda model, X, is_train: (X.astype("d"), print))
    Y = add(noop(), noop(), wide).predict(X)
    assert Y.dtype == "float64"
    assert_allclose(Y, 3 * X.astype("d"))
    strings = Model("strings", lambda model, X, is_train: ("a", print))
    assert add(strings, strings).predict(X) == "aa"
    objects = Model("objects", lambda model, X, is_train: (print, print))
    assert add(objects, objects).predict(X) is print


def test_initialized_with_the_output_alone():
    wanted = numpy.zeros((4, 2), dtype="f")
    model = add(Linear(nI=3), Linear(nI=3)).initialize(Y=wanted)
    assert model.predict(X).shape == (4, 2)
    model = tuplify(Linear(2, 3), Linear(5, 3)).initialize()
    assert [Y.shape for Y in model.predict(X)] == [(4, 2), (4, 5)]
    model = siamese(Linear(2, 3), CauchySimilarity(2)).initialize()
    assert model.predict((X, X)).shape == (4,)
    model = LSTM(nI=3).initialize(Y=PADDED)
    assert model.get_dim("nO") == 3


def test_a_stored_scalar_is_no_reason_to_lose_a_gradient():
    model = Embed(2, 5).initialize()
    model.set_grad("E", 0.5)
    _, backprop = model(numpy.array([1, 1]), is_train=True)
    backprop(numpy.ones((2, 2), dtype="f"))
    expected = numpy.full((5, 2), 0.5)
    expected[1] += 2
    assert_allclose(model.get_grad("E"), expected)


def test_no_ids():
    empty = numpy.zeros((0, 2), dtype="uint64")
    Y, backprop = remap_ids_v2({3: 1}, column=0)(empty, is_train=True)
    assert Y.shape == (0, 1)
    assert backprop(Y).shape == (0, 2)
    assert remap_ids({3: 1}).predict([]).shape[0] == 0
    model = uniqued(Embed(2, 5, column=0)).initialize()
    Y, backprop = model(IDS.astype("i")[:, None], is_train=True)
    assert backprop(Y).shape == (3, 1)


@pytest.mark.parametrize("pool", [reduce_sum, reduce_mean, reduce_max, reduce_first, reduce_last])
def test_numbers_are_rows_of_one_column(pool):
    """The gradient of one-dimensional data is a column, as in the interface."""
    Xr = Ragged(numpy.ones(3, "f"), numpy.array([1, 2], "i"))
    Y, backprop = pool()(Xr, is_train=True)
    assert Y.shape == (2, 1)
    assert backprop(Y).dataXd.shape == (3, 1)
