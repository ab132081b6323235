"""add, residual and the gradient of every fork: sums of batches of any kind."""

import copy

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.values import assert_same, cast
from thinc.api import (
    Linear,
    Model,
    NumpyOps,
    Ragged,
    add,
    chain,
    concatenate,
    getitem,
    noop,
    residual,
    tuplify,
    with_array,
    with_array2d,
)
from thinc.layers._sums import total

ops = NumpyOps()
N, nI, nO = 7, 5, 3


def batches(lengths):
    """The same sequences as a list, a Ragged and a Padded."""
    rng = numpy.random.RandomState(0)
    Xs = cast([rng.normal(size=(length, nI)) for length in lengths], "float32")
    return {"list": Xs, "ragged": Ragged(ops.flatten(Xs), ops.asarray1i(lengths)), "padded": ops.list2padded(Xs)}


def scale(factor):
    """A layer that multiplies arrays, and keeps its output for the backward pass."""

    def forward(model, X, is_train):
        Y = X * factor
        kept = Y.copy()

        def backprop(dY):
            assert_same(Y, kept)
            return dY * factor

        return Y, backprop

    return Model("scale", forward)


@pytest.mark.parametrize("kind", ["list", "ragged", "padded"])
@pytest.mark.parametrize("combine", [add, lambda a, b: residual(b)])
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_sequences_are_added_item_by_item(kind, combine, lengths):
    X = batches(lengths)[kind]
    before = copy.deepcopy(X)
    model = combine(noop(), with_array(scale(2)))
    Y, backprop = model(X, is_train=True)
    three = with_array(scale(3)).predict(X)
    assert_same(Y, three, tolerance=1e-6)
    assert_same(backprop(X), three, tolerance=1e-6)
    assert_same(X, before)


@pytest.mark.parametrize("first", [noop, lambda: scale(1)])
def test_nothing_is_added_in_foreign_memory(first):
    """noop hands out X itself; a wrapped framework its own memory."""
    X = numpy.ones((N, nI), dtype="f")
    X.flags.writeable = False
    model = add(first(), scale(2), scale(4))
    Y, backprop = model(X, is_train=True)
    assert_same(Y, 7 * X)
    dX = backprop(X)
    assert_same(dX, 7 * X)
    assert dX is not X


def test_add_extends_a_sum():
    a, b, c = Linear(), Linear(), Linear()
    model = add(a, b)
    assert add(model, c) is model
    assert model.layers == [a, b, c]
    other = add(c, model)
    assert other.layers == [c, model]


def test_add_without_layers_is_the_identity():
    model = add(Linear(), Linear())
    model._layers = []
    X = numpy.ones((N, nI), dtype="f")
    Y, backprop = model(X, is_train=True)
    assert_same(Y, X)
    assert_same(backprop(X), X)


def test_add_takes_its_width_from_what_comes_out():
    """A layer that declares no nO, such as a wrapped model of another framework."""
    X = numpy.ones((N, nI), dtype="f")
    model = add(scale(2), scale(3)).initialize(X=X)
    assert model.get_dim("nO") == nI


def test_add_in_the_middle_of_a_chain_keeps_its_width():
    X, Y = numpy.ones((N, nI), dtype="f"), numpy.ones((N, 2), dtype="f")
    model = chain(add(Linear(nO), Linear(nO)), Linear()).initialize(X=X, Y=Y)
    assert model.layers[0].get_dim("nO") == nO
    assert model.predict(X).shape == Y.shape


def test_residual_takes_over_the_dims():
    model = residual(Linear())
    assert model.has_dim("nO") is None and model.has_dim("nI") is None
    X = numpy.ones((N, nI), dtype="f")
    model.initialize(X=X, Y=X)
    assert model.get_dim("nO") == model.get_dim("nI") == nI


def test_gradients_that_are_none_are_left_out():
    texts = ["a", "b"]

    def featurize(model, X, is_train):
        return numpy.ones((len(X), nI), dtype="f"), lambda dY: []

    for combine in (add, concatenate, tuplify):
        model = combine(Model("a", featurize), Model("b", featurize))
        Y, backprop = model(texts, is_train=True)
        assert backprop(Y) == []


def test_gradients_of_several_inputs():
    X1 = numpy.ones((N, nI), dtype="f")
    X2 = 2 * X1
    model = concatenate(chain(getitem(0), scale(3)), chain(getitem(1), scale(5)))
    Y, backprop = model((X1, X2), is_train=True)
    assert_same(backprop(Y), (9 * X1, 25 * X2))


def test_total_of_different_numbers_of_items():
    X = numpy.ones((2, 3))
    with pytest.raises(ValueError, match=r"\[2, 1\]"):
        total([[X, X], [X]])


def test_total_of_things_that_cannot_be_added():
    first = object()
    assert total([first, object()]) is first
    assert total([None, first]) is first
    assert total([[], None]) == []


def test_sum_of_items_with_more_dimensions():
    data = numpy.arange(24, dtype="f").reshape((3, 2, 4))
    X = Ragged(data, ops.asarray1i([1, 2]))
    Y, backprop = residual(with_array2d(noop()))(X, is_train=True)
    assert_same(backprop(X).dataXd, 2 * data)
    assert_same(Y.data, 2 * X.data)
