import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.values import assert_same
from thinc.api import Linear, Model, NumpyOps, Ragged, chain, concatenate, list2ragged, noop, with_array, with_array2d

ops = NumpyOps()
N, nI = 7, 5


@pytest.fixture
def X():
    return numpy.random.RandomState(0).normal(size=(N, nI)).astype("f")


def test_is_one_layer_with_all_weights(X):
    """Side by side, Linear layers are the Linear layer with their weights stacked."""
    layers = [Linear(width, nI) for width in (3, 1, 2)]
    model = concatenate(*layers).initialize(X=X)
    W = numpy.concatenate([layer.get_param("W") for layer in layers])
    Y, backprop = model.begin_update(X)
    numpy.testing.assert_allclose(Y, X @ W.T, rtol=1e-4, atol=1e-5)
    dY = numpy.random.RandomState(1).normal(size=(N, 6)).astype("f")
    numpy.testing.assert_allclose(backprop(dY), dY @ W, rtol=1e-4, atol=1e-5)
    d_W = numpy.concatenate([layer.get_grad("W") for layer in layers])
    numpy.testing.assert_allclose(d_W, dY.T @ X, rtol=1e-4, atol=1e-5)
    assert model.get_dim("nO") == 6


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 4), max_size=5))
def test_all_containers_give_the_same(lengths):
    rng = numpy.random.RandomState(0)
    Xs = [rng.normal(size=(length, nI)).astype("f") for length in lengths]
    dYs = [rng.normal(size=(length, 5)).astype("f") for length in lengths]
    a, b = Linear(3, nI).initialize(), Linear(2, nI).initialize()
    model = concatenate(with_array2d(a), with_array2d(b))
    plain = concatenate(a, b)
    Y, backprop = model(Xs, is_train=True)
    wants = [plain(X, is_train=True) for X in Xs]
    assert len(Y) == len(Xs)
    for got, (want, _) in zip(Y, wants):
        assert_same(got, want, tolerance=1e-5)
    for got, dY, (_, back) in zip(backprop(dYs), dYs, wants):
        assert_same(got, back(dY), tolerance=1e-5)
    Xr = Ragged(ops.flatten(Xs), ops.asarray1i(lengths))
    Yr, backprop_ragged = model(Xr, is_train=True) if lengths else (None, None)
    if lengths and sum(lengths):
        assert_same(Yr.dataXd, ops.flatten(Y), tolerance=1e-5)
        dXr = backprop_ragged(Ragged(ops.flatten(dYs), Yr.lengths))
        assert_same(dXr.dataXd, ops.flatten(backprop(dYs)), tolerance=1e-5)
        Yp, backprop_padded = model(ops.list2padded(Xs), is_train=True)
        for got, want in zip(ops.padded2list(Yp), Y):
            assert_same(got, want, tolerance=1e-5)
        dXp = backprop_padded(ops.list2padded(dYs))
        for got, want in zip(ops.padded2list(dXp), backprop(dYs)):
            assert_same(got, want, tolerance=1e-5)


def test_layers_may_return_different_containers(X):
    """The first decides; each is given the gradient of what it returned."""
    to_list = chain(with_array(Linear(3, nI)), noop())
    to_ragged = chain(list2ragged(), with_array(Linear(2, nI)))
    model = concatenate(to_list, to_ragged).initialize(X=[X, X])
    Y, backprop = model([X, X], is_train=True)
    assert [y.shape for y in Y] == [(N, 5), (N, 5)]
    assert [dX.shape for dX in backprop(Y)] == [(N, nI), (N, nI)]
    turned = concatenate(to_ragged, to_list)
    Y, backprop = turned([X, X], is_train=True)
    assert isinstance(Y, Ragged)
    assert [dX.shape for dX in backprop(Y)] == [(N, nI), (N, nI)]


def test_every_layer_is_given_contiguous_columns(X):
    seen = []

    def forward(model, X, is_train):
        return X.copy(), lambda dY: seen.append(dY.flags["C_CONTIGUOUS"]) or dY

    model = concatenate(Model("a", forward), Model("b", forward))
    Y, backprop = model(X, is_train=True)
    assert_same(backprop(Y), 2 * X)
    assert seen == [True, True]


def test_few_layers():
    layer = Linear()
    assert concatenate().name == "noop"
    assert concatenate(layer) is layer


def test_extends_a_concatenation():
    a, b, c = Linear(), Linear(), Linear()
    with Model.define_operators({"|": concatenate}):
        model = a | b | c
    assert model.layers == [a, b, c]
    assert model.name == "linear|linear"


def test_keeps_widths_that_are_set(X):
    Y = numpy.zeros((N, 4), dtype="f")
    model = chain(concatenate(Linear(3), Linear(2)), Linear()).initialize(X=X, Y=Y)
    assert model.layers[0].get_dim("nO") == 5
    assert model.get_dim("nO") == 4


def test_rejects_what_has_no_last_axis():
    with pytest.raises(ValueError, match="two or more dimensions"):
        concatenate(noop(), noop()).predict(numpy.arange(3))


def test_rejects_sequences_of_different_lengths(X):
    shorter = Model("shorter", lambda model, X, is_train: ([x[1:] for x in X], None))
    with pytest.raises(ValueError, match="different lengths"):
        concatenate(noop(), shorter).predict([X])
