import gc
import weakref

import numpy
import pytest

from tests.layers.values import assert_same
from thinc.api import Dropout, Linear, Model, Relu, Softmax, chain, clone, noop, registry

N, nI, nH, nO = 7, 5, 2, 3


@pytest.fixture
def X():
    return numpy.random.RandomState(0).normal(size=(N, nI)).astype("f")


def product(*layers):
    """The matrix and offset that a chain of Linear layers amounts to, in float64."""
    W, b = numpy.eye(layers[0].get_dim("nI")), numpy.zeros(layers[0].get_dim("nI"))
    for layer in layers:
        W_i = layer.get_param("W").astype("float64")
        W, b = W @ W_i.T, b @ W_i.T + layer.get_param("b")
    return W, b


def test_is_the_product_of_its_layers(X):
    model = chain(Linear(nH, nI), Linear(nH, nH), Linear(nO, nH)).initialize()
    W, b = product(*model.layers)
    dY = numpy.random.RandomState(1).normal(size=(N, nO)).astype("f")
    Y, backprop = model.begin_update(X)
    numpy.testing.assert_allclose(Y, X @ W + b, rtol=1e-4, atol=1e-5)
    numpy.testing.assert_allclose(backprop(dY), dY @ W.T, rtol=1e-4, atol=1e-5)


def test_training_and_predicting_agree(X):
    model = chain(Relu(nH, nI), Linear(nO, nH)).initialize()
    assert_same(model.predict(X), model.begin_update(X)[0])


def test_a_prediction_has_a_gradient_too(X):
    model = chain(Relu(nH, nI), Dropout(0.9), Linear(nO, nH)).initialize()
    dY = numpy.ones((N, nO), dtype="f")
    model.layers[1].attrs["is_enabled"] = False
    dX = model.begin_update(X)[1](dY)
    model.layers[1].attrs["is_enabled"] = True
    assert_same(model(X, is_train=False)[1](dY), dX)


def test_a_prediction_keeps_nothing_between_its_layers(X):
    alive = []

    class Array(numpy.ndarray):
        pass

    def forward(model, X, is_train):
        gc.collect()
        seen = sum(ref() is not None for ref in alive)
        Y = (X + 1).view(Array)
        alive.append(weakref.ref(Y))
        assert is_train or seen <= 1, "only the input of this layer is still needed"
        return Y, lambda dY, X=X: dY

    layers = [Model("step", forward) for _ in range(5)]
    chain(*layers).predict(X)
    assert len(alive) == 5


def test_infers_the_dims_between_layers(X):
    model = chain(Linear(nH), Relu(nH), Softmax())
    model.initialize(X=X, Y=numpy.zeros((N, nO), dtype="f"))
    dims = [(layer.get_dim("nI"), layer.get_dim("nO")) for layer in model.layers]
    assert dims == [(nI, nH), (nH, nH), (nH, nO)]
    assert (model.get_dim("nI"), model.get_dim("nO")) == (nI, nO)


def test_nested_chains_initialize_all_layers():
    called = []
    layers = [Linear(nH, nI), Linear(nH, nH), Linear(nO, nH)]
    for layer in layers:
        init = layer.init
        layer.init = lambda model, X=None, Y=None, init=init: (called.append(model), init(model, X=X, Y=Y))
    model = chain(layers[0], chain(*layers[1:])).initialize()
    assert set(map(id, called)) == set(map(id, layers))
    assert model.get_dim("nO") == nO


def test_dims_may_be_set_on_the_chain():
    model = chain(Linear(1), Dropout(), Linear(1, 1))
    model.set_dim("nO", 1)
    model.initialize(X=numpy.zeros((2, 3), "f"), Y=numpy.zeros((2, 1), "f"))
    assert model.get_dim("nI") == 3


def test_does_not_flatten():
    a, b, c = Linear(1), Linear(1), Linear(1)
    with Model.define_operators({">>": chain}):
        model = a >> b >> c
    assert model.name == "linear>>linear>>linear"
    assert [len(layer.layers) for layer in model.layers] == [2, 0]


def test_needs_two_layers():
    with pytest.raises(TypeError):
        chain(Linear())
    with pytest.raises(TypeError):
        registry.resolve({"m": {"@layers": "chain.v1", "*": {"a": Linear()}}})


def test_from_config():
    config = {
        "@layers": "chain.v1",
        "*": {"first": {"@layers": "Relu.v1", "nO": nH, "nI": nI}, "second": {"@layers": "Linear.v1", "nO": nO}},
    }
    model = registry.resolve({"model": config})["model"]
    assert model.name == "relu>>linear"
    assert model.get_dim("nI") == nI and model.get_dim("nO") == nO


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_clone(n, X):
    model = clone(Linear(nI, nI), n).initialize()
    nodes = list(model.walk())
    assert len({node.id for node in nodes}) == len(nodes) == (n + 1 if n > 1 else 1)
    layers = [node for node in nodes if node.name == "linear"]
    W, b = product(*layers) if layers else (numpy.eye(nI), 0)
    numpy.testing.assert_allclose(model.predict(X), X @ W + b, rtol=1e-4, atol=1e-5)


def test_clone_rejects_a_negative_number():
    with pytest.raises(TypeError, match="got -1"):
        clone(Linear(), -1)


def test_noop_is_the_identity():
    X = object()
    child = Linear()
    Y, backprop = noop(child)(X, is_train=True)
    assert Y is X and backprop(X) is X
    assert noop(child).initialize(X).layers == [child]


def counting():
    """A layer, and how often it was initialized and run."""
    counts = {"init": 0, "run": 0}

    def forward(model, X, is_train):
        counts["run"] += 1
        return X, lambda dY: dY

    def init(model, X=None, Y=None):
        counts["init"] += 1

    return Model("counting", forward, init=init), counts


@pytest.mark.parametrize("depth", [1, 3, 8, 9, 200])
@pytest.mark.parametrize("first", [True, False])
def test_chains_in_chains_are_initialized_in_linear_time(depth, first):
    layer, counts = counting()
    model = layer
    for _ in range(depth):
        model = chain(model, noop()) if first else chain(noop(), model)
    model.initialize(numpy.zeros((2, 3), "f"))
    assert counts == {"init": 1, "run": 1}


@pytest.mark.parametrize("depth, times", [(1, 2), (3, 8), (8, 256), (12, 4096), (13, 4096), (60, 4096)])
def test_without_samples_the_random_numbers_drawn_are_bounded(depth, times):
    layer, counts = counting()
    model = layer
    for _ in range(depth):
        model = chain(model, noop())
    model.initialize()
    assert counts == {"init": times, "run": 0}


def test_a_chain_in_a_chain_names_its_layers_in_errors():
    model = chain(chain(Linear(4, 3), Linear(2)), Linear(2))
    with pytest.raises(ValueError) as error:
        model.initialize(numpy.zeros((2, 5), "f"))
    (note,) = error.value.__notes__
    assert "0.chain.0.linear (nO=4, nI=3; input float32 array of shape (2, 5))" in note
