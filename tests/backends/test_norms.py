"""Layer normalization, softmax and sums of rows: definitions and gradients."""

import math

import numpy
import pytest

from tests.checks import numeric_gradient

DTYPES = ["float32", "float64"]


def rows(*shape, dtype="float64", seed=0):
    return numpy.random.RandomState(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_rows(ops, dtype):
    X = rows(7, 3, dtype=dtype)
    got = ops.sum_rows(X)
    assert got.dtype == dtype
    numpy.testing.assert_allclose(got, X.astype("float64").sum(axis=0), rtol=1e-5)
    assert ops.sum_rows(X[:0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_layer_norm(ops, dtype):
    X, G, b = (rows(7, 5, dtype=dtype), rows(5, dtype=dtype), rows(5, dtype=dtype, seed=1))
    X += 3
    Y, mu, rstd = ops.layer_norm(X, G, b)
    wide = X.astype("float64")
    deviation = numpy.sqrt(wide.var(axis=1) + 1e-8)
    want = (wide - wide.mean(axis=1)[:, None]) / deviation[:, None] * G + b
    assert Y.dtype == mu.dtype == rstd.dtype == dtype
    assert mu.shape == rstd.shape == (7,)
    numpy.testing.assert_allclose(Y, want, rtol=1e-4, atol=1e-5)
    numpy.testing.assert_allclose(mu, wide.mean(axis=1), rtol=1e-5)
    numpy.testing.assert_allclose(rstd, 1 / deviation, rtol=1e-4)
    assert ops.layer_norm(X[:0], G, b)[0].shape == (0, 5)


def test_layer_norm_of_equal_values(ops):
    X, G, b = numpy.full((2, 5), 4.0), numpy.ones(5), rows(5)
    Y, mu, rstd = ops.layer_norm(X, G, b)
    numpy.testing.assert_allclose(Y, numpy.tile(b, (2, 1)))
    numpy.testing.assert_allclose(rstd, 1e4)
    assert ops.layer_norm(X, G, b, eps=1.0)[2].tolist() == [1.0, 1.0]


def test_backprop_layer_norm_is_the_gradient(ops):
    X, G, b, dY = rows(7, 5), rows(5, seed=1), rows(5, seed=2), rows(7, 5, seed=3)
    _, mu, rstd = ops.layer_norm(X, G, b)
    dX, dG, db = ops.backprop_layer_norm(dY, X, G, mu, rstd)

    def of_X(Z):
        return ops.layer_norm(Z, G, b)[0]

    def of_G(Z):
        return ops.layer_norm(X, Z, b)[0]

    numpy.testing.assert_allclose(dX, numeric_gradient(of_X, X, dY), atol=1e-7)
    numpy.testing.assert_allclose(dG, numeric_gradient(of_G, G, dY), atol=1e-7)
    numpy.testing.assert_allclose(db, dY.sum(axis=0))


def test_layer_norm_refuses(ops):
    X, G = rows(2, 3, dtype="float32"), rows(3, dtype="float32")
    with pytest.raises(ValueError):
        ops.layer_norm(X, G[:2], G)
    with pytest.raises(ValueError):
        ops.layer_norm(X, G, G[:2])
    with pytest.raises(ValueError):
        ops.backprop_layer_norm(X[:1], X, G, G[:2], G[:2])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(ops, axis, temperature, dtype):
    X = rows(4, 3, dtype=dtype) * 5
    Y = ops.softmax(X, axis=axis, temperature=temperature)
    E = numpy.vectorize(math.exp)(X.astype("float64") / temperature)
    assert Y.dtype == dtype
    numpy.testing.assert_allclose(Y, E / E.sum(axis=axis, keepdims=True), rtol=1e-5)
    X64, dY = X.astype("float64"), rows(4, 3, seed=1)

    def softmax(Z):
        return ops.softmax(Z, axis=axis, temperature=temperature)

    dX = ops.backprop_softmax(softmax(X64), dY, axis=axis, temperature=temperature)
    numpy.testing.assert_allclose(dX, numeric_gradient(softmax, X64, dY), atol=1e-7)


def test_softmax_does_not_overflow_and_never_writes(ops):
    X = numpy.array([[1e4, 0.0], [-1e4, -1e4]], dtype="float32")
    before = X.copy()
    Y = ops.softmax(X, inplace=True)
    assert Y.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert Y is not X
    numpy.testing.assert_array_equal(X, before)
    assert ops.softmax(numpy.zeros((0, 3))).shape == (0, 3)
    assert ops.softmax(numpy.zeros((3, 0))).shape == (3, 0)
    with pytest.raises(ValueError):
        ops.backprop_softmax(X, X[:1])
