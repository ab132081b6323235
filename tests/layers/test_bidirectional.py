import numpy
import pytest

from tests.layers.values import assert_same
from thinc.api import LSTM, Linear, Model, NumpyOps, bidirectional, with_array2d

ops = NumpyOps()
nI, nH = 5, 3


@pytest.fixture
def X():
    rng = numpy.random.RandomState(0)
    return ops.list2padded([rng.normal(size=(n, nI)).astype("f") for n in (3, 1, 4, 0)])


def running_sum():
    """Y[t] = X[0] + ... + X[t] for each sequence: it knows first from last."""

    def forward(model, X, is_train):
        def backprop(dY):
            total = numpy.flip(numpy.flip(masked(dY).data, 0).cumsum(0), 0)
            return with_data(dY, total)

        return with_data(X, masked(X).data.cumsum(0)), backprop

    def masked(X):
        steps = numpy.arange(len(X.data)).reshape((-1, 1, 1))
        return with_data(X, X.data * (steps < X.lengths.reshape((1, -1, 1))))

    def with_data(X, data):
        return type(X)(data.astype("f"), X.size_at_t, X.lengths, X.indices)

    return Model("sum", forward)


def test_right_to_left_sees_each_sequence_reversed(X):
    Y, backprop = bidirectional(running_sum())(X, is_train=True)
    for x, y in zip(ops.padded2list(X), ops.padded2list(Y)):
        want = numpy.concatenate((x.cumsum(0), x[::-1].cumsum(0)[::-1]), axis=1)
        assert_same(y, want, tolerance=1e-6)
    dX = backprop(Y)
    for y, dx in zip(ops.padded2list(Y), ops.padded2list(dX)):
        l2r, r2l = y[:, :nI], y[:, nI:]
        want = l2r[::-1].cumsum(0)[::-1] + r2l.cumsum(0)
        assert_same(dx, want, tolerance=1e-5)


def test_two_lstms_are_a_bidirectional_lstm(X):
    both = LSTM(2 * nH, nI, bi=True).initialize()
    l2r, r2l = LSTM(nH, nI).initialize(), LSTM(nH, nI).initialize()
    params = both.get_param("LSTM")
    half = params.size // 2
    l2r.set_param("LSTM", params[:half].copy())
    r2l.set_param("LSTM", params[half:].copy())
    model = bidirectional(l2r, r2l)
    Y, backprop = model(X, is_train=True)
    want, backprop_want = both(X, is_train=True)
    for got, expected in zip(ops.padded2list(Y), ops.padded2list(want)):
        assert_same(got, expected, tolerance=1e-5)
    dX, dX_want = backprop(want), backprop_want(want)
    for got, expected in zip(ops.padded2list(dX), ops.padded2list(dX_want)):
        assert_same(got, expected, tolerance=1e-4)


def test_layers_may_have_different_widths(X):
    model = bidirectional(with_array2d(Linear(2)), with_array2d(Linear(3)))
    model.initialize(X=X)
    Y, backprop = model(X, is_train=True)
    assert Y.data.shape[-1] == 5
    assert backprop(Y).data.shape == X.data.shape


def test_second_layer_defaults_to_a_copy(X):
    model = bidirectional(with_array2d(Linear()))
    Y = ops.list2padded([numpy.zeros((n, 4), dtype="f") for n in (3, 1, 4, 0)])
    model.initialize(X=X, Y=Y)
    assert model.name == "biwith_array(linear)"
    assert model.layers[0] is not model.layers[1]
    assert [layer.get_dim("nO") for layer in model.layers] == [2, 2]
