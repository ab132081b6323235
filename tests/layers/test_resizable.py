import numpy
import pytest

from tests.layers.values import assert_same
from thinc.api import Linear, Softmax, SparseLinear, SparseLinear_v2, chain, resizable
from thinc.layers.resizable import resize_linear_weighted, resize_model

N, nI, nO = 7, 5, 3


@pytest.mark.parametrize("layer", [Linear, Softmax])
def test_old_outputs_stay(layer):
    X = numpy.random.RandomState(0).normal(size=(N, nI)).astype("f")
    model = resizable(layer(nO, nI), resize_linear_weighted).initialize()
    old = model.layers[0]
    W, b = old.get_param("W").copy(), old.get_param("b").copy()
    assert resize_model(model, nO + 2) is model
    new = model.layers[0]
    assert new is not old and new.name == old.name
    assert new.attrs == old.attrs
    assert new.get_dim("nO") == nO + 2
    assert model.get_dim("nO") == nO
    assert_same(new.get_param("W")[:nO], W)
    assert_same(new.get_param("b")[:nO], b)
    assert not new.get_param("W")[nO:].any()
    Y, backprop = model(X, is_train=True)
    assert Y.shape == (N, nO + 2)
    assert backprop(Y).shape == X.shape


def test_new_rows_are_filled():
    layer = Linear(nO, nI).initialize()
    larger = resize_linear_weighted(layer, nO + 1, fill_defaults={"b": -9.0})
    assert larger.get_param("b").tolist() == [0.0] * nO + [-9.0]


def test_without_parameters_the_layer_itself_changes():
    layer = Linear()
    assert resize_linear_weighted(layer, 4) is layer
    assert layer.get_dim("nO") == 4
    assert resize_linear_weighted(layer, 4) is layer
    assert resize_linear_weighted(layer, 6) is layer
    assert layer.get_dim("nO") == 6


def test_does_not_shrink():
    with pytest.raises(ValueError, match="from 3 to 2"):
        resize_linear_weighted(Linear(nO, nI).initialize(), 2)


def test_is_for_layers_without_children():
    with pytest.raises(AssertionError, match="children"):
        resize_linear_weighted(chain(Linear(2), Linear(3)), 4)


def test_a_width_that_is_set_is_kept():
    X, Y = numpy.zeros((N, nI), "f"), numpy.zeros((N, nO + 1), "f")
    model = resizable(Linear(nO), resize_linear_weighted).initialize(X=X, Y=Y)
    assert model.layers[0].get_dim("nO") == nO


@pytest.mark.parametrize("layer", [SparseLinear, SparseLinear_v2])
def test_sparse_rows_stay(layer):
    length = 16
    old = layer(nO, length).initialize()
    W = numpy.random.RandomState(0).normal(size=nO * length).astype("f")
    old.set_param("W", W)
    keys = numpy.arange(6, dtype="uint64")
    X = (keys, numpy.ones(6, dtype="f"), numpy.array([4, 2], dtype="i"))
    new = resize_linear_weighted(old, nO + 2, fill_defaults={"b": -9.0})
    assert new.get_param("W").shape == ((nO + 2) * length,)
    assert_same(new.get_param("W")[: nO * length], W)
    assert not new.get_param("W")[nO * length :].any()
    assert new.get_param("b").tolist() == [0.0] * nO + [-9.0] * 2
    assert_same(new.predict(X)[:, :nO], old.predict(X))


def test_a_layer_without_parameters_may_shrink():
    model = resizable(Linear(12, nI), resize_linear_weighted)
    model.set_dim("nO", 0, force=True)
    resize_model(model, 10)
    assert model.layers[0].get_param("W").shape == (10, nI)
    with pytest.raises(ValueError, match="cannot shrink 'linear' from 10 to 4"):
        resize_model(model, 4)


def test_grows_from_no_outputs():
    layer = Linear(12, nI)
    layer.set_dim("nO", 0, force=True)
    assert resize_linear_weighted(layer.initialize(), 10).get_param("W").shape == (10, nI)
