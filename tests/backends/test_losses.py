"""Gradients of losses: definitions, and what is refused. The losses themselves: tests/test_loss.py."""

import math

import numpy
import pytest

from tests.checks import numeric_gradient

DTYPES = ["float32", "float64"]


def rows(*shape, dtype="float64", seed=0):
    return numpy.random.RandomState(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_backprop_cross_entropy_is_the_gradient_behind_softmax(ops, dtype, smoothing):
    X, classes = rows(5, 3), numpy.array([2, 0, -1, 1, 1], dtype="int32")
    targets = numpy.full((5, 3), smoothing / 2)
    targets[numpy.arange(5), classes] = 1 - smoothing
    targets[2] = 0

    def loss(Z):
        E = numpy.exp(Z)
        return -(targets * numpy.log(E / E.sum(axis=1, keepdims=True))).sum(axis=1)

    Y = (numpy.exp(X) / numpy.exp(X).sum(axis=1, keepdims=True)).astype(dtype)
    dX = ops.backprop_cross_entropy(Y, classes, label_smoothing=smoothing, scale=0.5)
    assert dX.dtype == dtype
    numpy.testing.assert_allclose(dX, numeric_gradient(loss, X, numpy.full(5, 0.5)), atol=1e-6)
    assert not dX[2].any()


def test_backprop_cross_entropy_refuses(ops):
    Y = numpy.full((2, 4), 0.25, dtype="float32")
    with pytest.raises(IndexError, match="class 4 is out of bounds for 4 classes"):
        ops.backprop_cross_entropy(Y, numpy.array([0, 4], dtype="int32"))
    with pytest.raises(ValueError):
        ops.backprop_cross_entropy(Y, numpy.array([0], dtype="int32"))
    for value in (1.25, -0.25, numpy.inf, numpy.nan):
        Y[1, 2] = value
        with pytest.raises(ValueError, match=r"Y in \[0, 1\]"):
            ops.backprop_cross_entropy(Y, numpy.array([0, 1], dtype="int32"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_l2_distance(ops, dtype):
    Y, truths = rows(5, 3, dtype=dtype), rows(5, 3, dtype=dtype, seed=1)
    dY, loss = ops.l2_distance(Y, truths, scale=0.5)
    assert dY.dtype == dtype
    numpy.testing.assert_allclose(dY, (Y - truths) * 0.5)
    assert loss == pytest.approx(math.fsum(((Y - truths) * 0.5).astype("float64").reshape(-1) ** 2), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cosine_distance(ops, dtype):
    Y, truths = rows(5, 3), rows(5, 3, seed=1)

    def cosine(Z):
        return numpy.array([y @ t / math.sqrt(y @ y * (t @ t)) for y, t in zip(Z, truths)])

    dY, cosines = ops.cosine_distance(Y.astype(dtype), truths.astype(dtype), scale=2.0)
    assert dY.dtype == dtype
    numpy.testing.assert_allclose(cosines, cosine(Y), rtol=1e-5)
    numpy.testing.assert_allclose(dY, numeric_gradient(cosine, Y, numpy.full(5, -2.0)), atol=2e-6)
