"""Wrappers for tuples, nested lists, arrays, devices and profilers; tuple layers."""

import contextlib

import numpy
import pytest

from tests.layers.values import assert_same
from thinc import compat
from thinc.api import (
    CauchySimilarity,
    Linear,
    Model,
    NumpyOps,
    Padded,
    Ragged,
    chain,
    map_list,
    noop,
    siamese,
    strings2arrays,
    tuplify,
    with_cpu,
    with_debug,
    with_flatten,
    with_flatten_v2,
    with_getitem,
    with_nvtx_range,
    with_reshape,
    with_signpost_interval,
)
from thinc.layers import with_nvtx_range as nvtx

N, nI, nO = 7, 5, 3


@pytest.fixture
def X():
    return numpy.random.RandomState(0).normal(size=(N, nI)).astype("f")


def test_tuplify_hands_on_the_object_itself():
    X = object()
    first, second = tuplify(noop(), noop()).predict(X)
    assert first is X and second is X


def test_tuplify_takes_a_target_for_each_layer(X):
    Y = (numpy.zeros((N, 2), "f"), numpy.zeros((N, 4), "f"))
    model = tuplify(Linear(), Linear()).initialize(X=X, Y=Y)
    assert [layer.get_dim("nO") for layer in model.layers] == [2, 4]
    assert model.get_dim("nI") == nI


def test_siamese_shares_its_layer(X):
    model = siamese(Linear(nO, nI), CauchySimilarity(nO))
    model.initialize(X=(X, X))
    numpy.testing.assert_allclose(model.predict((X, X)), 1)
    dX1, dX2 = model((X, 2 * X), is_train=True)[1](numpy.ones(N, "f"))
    assert_same(dX1, -dX2, tolerance=1e-6)


@pytest.mark.parametrize("idx", [0, 1, -1])
@pytest.mark.parametrize("kind", [tuple, list])
def test_with_getitem_replaces_one_item(idx, kind, X):
    items = kind([X, X + 1])
    model = with_getitem(idx, Linear(nO, nI)).initialize(X=items)
    Y, backprop = model(items, is_train=True)
    assert type(Y) is kind
    assert Y[idx].shape == (N, nO)
    assert Y[1 - idx % 2] is items[1 - idx % 2]
    dX = backprop(Y)
    assert type(dX) is kind
    assert [dx.shape for dx in dX] == [(N, nI), (N, nI)]


def test_with_reshape_has_the_gradient_of_its_rows():
    X = numpy.random.RandomState(0).normal(size=(2, 7, nI)).astype("f")
    model = with_reshape(Linear())
    model.initialize(X=X, Y=numpy.zeros((2, 7, nO), "f"))
    assert (model.get_dim("nI"), model.get_dim("nO")) == (nI, nO)
    Y, backprop = model(X, is_train=True)
    W = model.layers[0].get_param("W")
    numpy.testing.assert_allclose(Y, X @ W.T, rtol=1e-4, atol=1e-5)
    numpy.testing.assert_allclose(backprop(Y), Y @ W, rtol=1e-4, atol=1e-5)


def squares():
    """From a flat list of numbers to an array of rows, and back to a list."""

    def forward(model, X, is_train):
        Y = numpy.array([[x, x * x] for x in X], dtype="f").reshape((-1, 2))
        return Y, lambda dY: numpy.array([[dy[0] + 2 * x * dy[1]] for x, dy in zip(X, dY)])

    return Model("squares", forward)


def test_with_flatten_splits_rows():
    X = [[1, 2], [], [3]]
    Y, backprop = with_flatten(squares())(X, is_train=True)
    assert [y.tolist() for y in Y] == [[[1, 1], [2, 4]], [], [[3, 9]]]
    dX = backprop([numpy.ones_like(y) for y in Y])
    assert [dx.tolist() for dx in dX] == [[[3], [5]], [], [[7]]]


def test_with_flatten_v2_keeps_groups():
    X = [["a b".split(), ["c"]], [], [[]]]
    Y, backprop = with_flatten_v2(strings2arrays())(X, is_train=True)
    assert [[len(y) for y in group] for group in Y] == [[2, 1], [], [0]]
    model = with_flatten_v2(map_list(noop()))
    Y, backprop = model(X, is_train=True)
    assert Y == X and backprop(X) == X


def test_map_list_learns_from_the_first_item(X):
    model = map_list(Linear()).initialize(X=[X], Y=[numpy.zeros((N, nO), "f")])
    assert model.layers[0].get_dim("nO") == nO
    map_list(Linear(nO, nI)).initialize(X=[], Y=[])


class DeviceArray:
    """An array elsewhere, as CuPy has it: with shape and get()."""

    def __init__(self, data):
        self.data, self.shape, self.size = data, data.shape, data.size

    def get(self):
        return self.data

    def reshape(self, *shape):
        return DeviceArray(self.data.reshape(*shape))


class DeviceOps(NumpyOps):
    def asarray(self, data, *, dtype=None):
        return DeviceArray(super().asarray(data, dtype=dtype))


def test_with_cpu_moves_both_ways(X):
    trained = []

    def forward(model, inputs, is_train):
        trained.append(is_train)
        assert isinstance(inputs[0], numpy.ndarray)
        assert isinstance(inputs[1][0].data, numpy.ndarray)
        return inputs, lambda dY: dY

    lengths = DeviceArray(numpy.array([N], dtype="i"))
    layer = Model("cpu", forward)
    model = with_cpu(layer, DeviceOps())
    parts = [DeviceArray(X)] + [lengths] * 3
    batch = (DeviceArray(X), [Ragged(*parts[:2]), Padded(*parts)], None)
    (first, (second, third), none), backprop = model(batch, is_train=True)
    assert isinstance(first, DeviceArray) and none is None
    assert isinstance(second.lengths, DeviceArray)
    assert isinstance(third.indices, DeviceArray)
    assert_same(backprop(batch)[0].get(), X)
    model.predict(batch)
    assert trained == [True, False], "a prediction is no training"


def test_with_debug_calls_back(X):
    seen = []
    layer = Linear(nO, nI)
    model = with_debug(
        layer,
        on_init=lambda *args: seen.append(args),
        on_forward=lambda *args: seen.append(args),
        on_backprop=lambda *args: seen.append(args),
    )
    assert model is layer
    model.initialize(X=X)
    Y, backprop = model(X, is_train=True)
    backprop(Y)
    assert seen == [(model, X, None), (model, X, True), (Y,)]
    assert with_debug(Linear(nO, nI), "name").initialize().predict(X).shape == (N, nO)


def test_a_copy_of_a_debugged_layer_has_its_own_parameters(X):
    model = with_debug(Linear(nO, nI)).initialize()
    copied = model.copy()
    copied.get_param("W")[...] = 0
    assert not copied.predict(X).any()
    assert model.predict(X).any()


def test_with_nvtx_range_marks_both_passes(X, monkeypatch):
    seen = []

    def use_range(message, color=-1):
        seen.append((message, color))
        return contextlib.nullcontext()

    assert callable(nvtx)
    monkeypatch.setitem(with_nvtx_range.__globals__, "use_nvtx_range", use_range)
    layer = Linear(nO, nI)
    model = with_nvtx_range(layer, forward_color=1, backprop_color=2).initialize()
    assert model is layer
    Y, backprop = model(X, is_train=True)
    backprop(Y)
    assert seen == [("linear forward", 1), ("linear backprop", 2)]


class Signposter:
    def __init__(self):
        self.seen = []

    @contextlib.contextmanager
    def use_interval(self, message):
        self.seen.append(message)
        yield


def test_with_signpost_interval_marks_everything(X, monkeypatch):
    monkeypatch.setattr(compat, "has_os_signpost", True)
    signposter = Signposter()
    model = with_signpost_interval(chain(Linear(2), Linear(nO)), signposter, "m")
    model.initialize(X=X)
    Y, backprop = model(X, is_train=True)
    backprop(Y)
    assert signposter.seen == ["m init", "m forward", "m backprop"]


def test_with_signpost_interval_needs_its_package(monkeypatch):
    monkeypatch.setattr(compat, "has_os_signpost", False)
    with pytest.raises(ValueError, match="requires the 'os_signpost' package"):
        with_signpost_interval(Linear(), Signposter())
