"""The LSTM: against a step-by-step loop over single sequences, and exact gradients."""

import math

import numpy
import pytest

from tests.checks import numeric_gradient

# (depth, directions, width of a direction, input width, lengths, longest first)
SHAPES = [
    (1, 1, 2, 3, [3, 2, 1]),
    (1, 1, 1, 2, [1]),
    (1, 2, 2, 3, [4, 4, 1]),
    (2, 1, 3, 2, [2, 1]),
    (2, 2, 2, 3, [3, 1, 1]),
    (3, 2, 1, 1, [2, 2]),
]


def size_at_t(lengths):
    sizes = [sum(n > t for n in lengths) for t in range(max(lengths, default=0))]
    return numpy.array(sizes, dtype="int32")


def n_params(depth, dirs, nO, nI):
    widths = [nI] + [nO * dirs] * (depth - 1)
    return sum(dirs * 4 * nO * (width + nO + 2) for width in widths)


def problem(depth, dirs, nO, nI, lengths, dtype="float64", seed=0):
    random = numpy.random.RandomState(seed)
    params = random.normal(scale=0.5, size=n_params(depth, dirs, nO, nI))
    H0, C0 = random.normal(size=(2, depth, dirs, nO))
    X = random.normal(size=(sum(lengths), nI))
    arrays = (params, H0, C0, X)
    return [a.astype(dtype) for a in arrays] + [size_at_t(lengths)]


def packed_rows(lengths):
    """For each sequence, its rows among the packed ones."""
    starts = numpy.cumsum([0] + size_at_t(lengths).tolist())
    return [[int(starts[t]) + i for t in range(n)] for i, n in enumerate(lengths)]


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def reference(params, H0, C0, X, lengths):
    """One sequence at a time, one step at a time.  H0 starts the cells."""
    depth, dirs, nO = H0.shape
    offset = 0
    for layer in range(depth):
        outputs = []
        for d in range(dirs):
            blocks = []
            for shape in ((4, nO, X.shape[1]), (4, nO), (4, nO, nO), (4, nO)):
                n = math.prod(shape)
                blocks.append(params[offset : offset + n].reshape(shape))
                offset += n
            Wx, bx, Wh, bh = blocks
            Y = numpy.zeros((len(X), nO))
            for rows in packed_rows(lengths):
                c, h = H0[layer, d], C0[layer, d]
                for row in rows if d == 0 else reversed(rows):
                    a = Wx @ X[row] + bx + Wh @ h + bh
                    f, i, o = sigmoid(a[:3])
                    c = f * c + i * numpy.tanh(a[3])
                    h = o * numpy.tanh(c)
                    Y[row] = h
            outputs.append(Y)
        X = numpy.concatenate(outputs, axis=1)
    return X


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype,rtol", [("float32", 1e-4), ("float64", 1e-10)])
def test_forward(ops, shape, dtype, rtol):
    args = problem(*shape, dtype=dtype)
    wide = [a.astype("float64") for a in args[:4]]
    want = reference(*wide, shape[-1])
    Y, state = ops.lstm_forward_training(*args)
    assert Y.dtype == dtype
    numpy.testing.assert_allclose(Y, want, rtol=rtol, atol=rtol / 10)
    numpy.testing.assert_allclose(ops.lstm_forward_inference(*args), want, rtol=rtol, atol=rtol / 10)
    depth, dirs, nO, _, lengths = shape
    N = sum(lengths)
    assert state[0].shape == (depth, dirs, N, nO)
    assert state[1].shape == (depth, dirs, N, 4 * nO)
    assert state[2].shape == (depth, dirs, N, nO)
    numpy.testing.assert_array_equal(numpy.concatenate(list(state[0][-1]), axis=1), Y)


@pytest.mark.parametrize("shape", SHAPES)
def test_backprop_is_the_gradient(ops, shape):
    params, H0, C0, X, sizes = problem(*shape)
    Y, state = ops.lstm_forward_training(params, H0, C0, X, sizes)
    dY = numpy.random.RandomState(1).normal(size=Y.shape)
    before = dY.copy()
    dX, d_params = ops.backprop_lstm(dY, sizes, params, state)
    numpy.testing.assert_array_equal(dY, before)

    def of_X(Z):
        return ops.lstm_forward_inference(params, H0, C0, Z, sizes)

    def of_params(Z):
        return ops.lstm_forward_inference(Z, H0, C0, X, sizes)

    assert dX.shape == X.shape and d_params.shape == params.shape
    numpy.testing.assert_allclose(dX, numeric_gradient(of_X, X, dY), atol=1e-8)
    numpy.testing.assert_allclose(d_params, numeric_gradient(of_params, params, dY), atol=1e-8)


def test_backprop_float32(ops):
    shape = SHAPES[4]
    exact = problem(*shape)
    args = [a.astype("float32") for a in exact[:4]] + [exact[4]]
    Y, state = ops.lstm_forward_training(*exact)
    dY = numpy.random.RandomState(1).normal(size=Y.shape)
    want = ops.backprop_lstm(dY, exact[4], exact[0], state)
    _, state = ops.lstm_forward_training(*args)
    got = ops.backprop_lstm(dY.astype("float32"), args[4], args[0], state)
    for narrow, wide in zip(got, want):
        assert narrow.dtype == "float32"
        numpy.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=1e-4)


def test_other_dtypes_become_that_of_the_parameters(ops):
    params, H0, C0, X, sizes = problem(*SHAPES[0], dtype="float32")
    want = ops.lstm_forward_inference(params, H0, C0, X, sizes)
    wide = [a.astype("float64") for a in (H0, C0, X)]
    Y, state = ops.lstm_forward_training(params, *wide, sizes.astype("int64"))
    assert Y.dtype == "float32"
    numpy.testing.assert_allclose(Y, want, rtol=1e-6)
    dX, d_params = ops.backprop_lstm(Y.astype("float64"), sizes, params, state)
    assert dX.dtype == d_params.dtype == "float32"


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_no_rows(ops, steps):
    params, H0, C0, X, _ = problem(2, 2, 2, 3, [], dtype="float32")
    sizes = numpy.zeros(steps, "int32")
    Y, state = ops.lstm_forward_training(params, H0, C0, X, sizes)
    assert Y.shape == (0, 4)
    dX, d_params = ops.backprop_lstm(Y, sizes, params, state)
    assert dX.shape == (0, 3) and not d_params.any()


def test_refuses(ops):
    params, H0, C0, X, sizes = problem(*SHAPES[0], dtype="float32")
    run = ops.lstm_forward_training
    with pytest.raises(AssertionError):
        run(params, H0, C0[:, :, :1], X, sizes)
    with pytest.raises(ValueError):
        run(params[:-1], H0, C0, X, sizes)
    with pytest.raises(ValueError):
        run(params, H0, C0, X[:-1], sizes)
    with pytest.raises(ValueError):
        run(params, H0, C0, X, sizes[::-1].copy())


def test_a_step_downhill_lowers_the_error(ops):
    params, H0, C0, X, sizes = problem(*SHAPES[2], dtype="float32")
    target = numpy.random.RandomState(2).normal(size=(sum([4, 4, 1]), 4))
    losses = []
    for _ in range(2):
        Y, state = ops.lstm_forward_training(params, H0, C0, X, sizes)
        losses.append(((Y - target) ** 2).sum())
        dY = (Y - target).astype("float32")
        params = params - 0.001 * ops.backprop_lstm(dY, sizes, params, state)[1]
    assert losses[1] < losses[0]
