"""Update steps, averages, clipping and dropout masks."""

import math

import numpy
import pytest

from thinc.api import NumpyOps, Ops
from thinc.backends._updates import Step

HYPER = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-3, "learn_rate": 0.05}


def step(w, g, m, v, beta1, beta2, eps, learn_rate):
    """One Adam step on one number."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return w - learn_rate * m / (math.sqrt(v) + eps), m, v


@pytest.mark.parametrize("n", [0, 1, 7, 64, 131])
def test_adam(ops, n):
    random = numpy.random.RandomState(0)
    w, g, m, v = (random.normal(size=n).astype("float32") for _ in range(4))
    v = abs(v)
    want = [step(*map(float, row), **HYPER) for row in zip(w, g, m, v)]
    arrays = (w, g, m, v)
    result = ops.adam(w, g, m, v, *HYPER.values())
    assert all(got is given for got, given in zip(result, arrays))
    want = numpy.array(want).reshape((n, 3))
    numpy.testing.assert_allclose(w, want[:, 0], rtol=1e-5, atol=1e-6)
    numpy.testing.assert_allclose(m, want[:, 1], rtol=1e-5, atol=1e-7)
    numpy.testing.assert_allclose(v, want[:, 2], rtol=1e-5, atol=1e-7)
    if ops.name == "numpy":
        assert not g.any()


def test_adam_refuses_other_shapes(ops):
    w = numpy.ones(3, dtype="float32")
    for position in range(3):
        others = [w.copy(), w.copy(), w.copy()]
        others[position] = numpy.ones(2, dtype="float32")
        with pytest.raises(ValueError, match="arrays have incompatible shapes"):
            ops.adam(w, *others, *HYPER.values())


@pytest.mark.parametrize("t", [0, 1, 90, 10**7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_update_averages(ops, t, dtype):
    random = numpy.random.RandomState(0)
    ema, weights = (random.normal(size=(3, 5)).astype(dtype) for _ in range(2))
    decay = min((1 + t) / (10 + t), 0.9999)
    want = decay * ema.astype("float64") + (1 - decay) * weights
    assert ops.update_averages(ema, weights, t) is None
    numpy.testing.assert_allclose(ema, want, rtol=1e-5, atol=1e-7)
    ops.update_averages(ema, weights, 10**6, max_decay=0.0)
    numpy.testing.assert_allclose(ema, weights, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_gradient(ops, dtype):
    gradient = numpy.array([[3.0, 0.0], [0.0, 4.0]], dtype=dtype)
    assert ops.clip_gradient(gradient, 6.0) is gradient
    assert gradient.tolist() == [[3.0, 0.0], [0.0, 4.0]]
    assert ops.clip_gradient(gradient, 1.0) is gradient
    numpy.testing.assert_allclose(gradient, [[0.6, 0.0], [0.0, 0.8]], rtol=1e-6)
    zeros = numpy.zeros((2, 3), dtype=dtype)
    assert not ops.clip_gradient(zeros, 0.0).any()
    wide = numpy.ones((4, 4), dtype=dtype)
    ops.clip_gradient(wide[::2, ::2], 1.0)
    numpy.testing.assert_allclose(wide[::2, ::2], 0.5)
    assert wide.sum() == 14.0


def test_dropout_mask(ops):
    shape = (50, 40)
    for drop in (None, 0.0, -1.0):
        mask = ops.get_dropout_mask(shape, drop)
        assert mask.dtype == "float32" and (mask == 1.0).all()
    assert not ops.get_dropout_mask(shape, 1.0).any()
    numpy.random.seed(0)
    mask = ops.get_dropout_mask(shape, 0.2)
    assert mask.shape == shape and mask.dtype == "float32"
    assert set(numpy.unique(mask)) == {0.0, numpy.float32(1.25)}
    assert mask.mean() == pytest.approx(1.0, abs=0.05)
    numpy.random.seed(0)
    numpy.testing.assert_array_equal(mask, ops.get_dropout_mask(shape, 0.2))


def test_logloss(ops):
    y, p = numpy.array([1.0, 0.0]), numpy.array([0.25, 0.25])
    want = [-math.log(0.25), -math.log(0.75)]
    numpy.testing.assert_allclose(ops.logloss(y, p), want, rtol=1e-6)


def test_moments_of_weights_without_gradient_fade_to_zero():
    """0.9 times the smallest number rounds to itself: without flushing it would stay, and every step be slow."""
    ops = NumpyOps()
    tiny = numpy.float32(1e-45)
    for step in (Step(1, 0.0, 0.0, 0.1, 0.9, 0.999, 1e-8, 0.0, 0.1), None):
        w = numpy.ones(40, dtype="f")
        g, m, v = (numpy.zeros(40, "f"), numpy.full(40, tiny, "f"), numpy.full(40, tiny, "f"))
        if step is None:
            ops.adam(w, g, m, v, 0.9, 0.999, 1e-8, 0.1)
        else:
            ops.optimizer_step(w, g, m, v, None, step)
        assert not m.any() and not v.any()
        assert (w == 1).all()
    # Elsewhere such numbers are what they were.
    assert tiny + tiny > tiny > 0
    assert ops.reduce_sum(numpy.full((2, 1), tiny), numpy.array([2], "i"))[0, 0] > 0


def test_a_table_of_one_row_is_left_alone_too():
    """A lazy step of a table whose only row has no gradient."""
    for ops in (Ops(), NumpyOps()):
        w, m, v = numpy.ones((1, 3), "f"), numpy.ones(3, "f"), numpy.ones(3, "f")
        step = Step(1, 0.0, 0.0, 0.1, 0.9, 0.999, 1e-8, 0.1, 0.1, lazy=True)
        ops.optimizer_step(w, numpy.zeros((1, 3), "f"), m, v, None, step)
        assert (w == 1).all() and (m == 1).all() and (v == 1).all()
