"""gemm, affine and layer normalization: definitions and gradients."""

import numpy
import pytest

from tests.checks import numeric_gradient

DTYPES = ["float32", "float64"]


def rows(*shape, dtype="float64", seed=0):
    return numpy.random.RandomState(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1", [False, True])
@pytest.mark.parametrize("trans2", [False, True])
@pytest.mark.parametrize("N,K,O", [(0, 3, 2), (5, 0, 2), (5, 3, 0), (1, 1, 1), (7, 5, 3)])
def test_gemm(ops, N, K, O, trans1, trans2, dtype):  # noqa: E741
    A, B = rows(N, K, dtype=dtype), rows(K, O, dtype=dtype, seed=1)
    want = numpy.zeros((N, O))
    for k in range(K):
        want += numpy.outer(A[:, k], B[k]).astype("float64")
    x = numpy.ascontiguousarray(A.T) if trans1 else A
    y = numpy.ascontiguousarray(B.T) if trans2 else B
    Y = ops.gemm(x, y, trans1=trans1, trans2=trans2)
    assert Y.dtype == dtype
    numpy.testing.assert_allclose(Y, want, rtol=1e-5, atol=1e-5)
    out = numpy.full((N, O), numpy.nan, dtype=dtype)
    assert ops.gemm(x, y, out=out, trans1=trans1, trans2=trans2) is out
    numpy.testing.assert_array_equal(out, Y)
    wide = numpy.full((2 * N, 2 * O), 9, dtype=dtype)
    ops.gemm(x, y, out=wide[::2, ::2], trans1=trans1, trans2=trans2)
    numpy.testing.assert_allclose(wide[::2, ::2], Y, rtol=1e-5, atol=1e-6)
    assert (wide[1::2] == 9).all()


def test_gemm_refuses(ops):
    X = rows(2, 3, dtype="float32")
    with pytest.raises(ValueError, match="Provided 'x' array should be 2-dimensional, "):
        ops.gemm(X[0], X)
    with pytest.raises(ValueError, match=r"'y' array .* but found 3 dimension"):
        ops.gemm(X, X[None])
    with pytest.raises(ValueError, match="Shape mismatch"):
        ops.gemm(X, X)
    with pytest.raises(ValueError):
        ops.gemm(X, X, trans2=True, out=numpy.zeros((3, 2), dtype="float32"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_affine_and_maxout(ops, dtype):
    X, W, b = (rows(7, 5, dtype=dtype), rows(3, 2, 5, dtype=dtype), rows(3, 2, dtype=dtype))
    pieces = numpy.einsum("ni,opi->nop", X, W) + b
    Y = ops.affine(X, W[:, 0], b[:, 0])
    assert Y.dtype == dtype
    numpy.testing.assert_allclose(Y, pieces[:, :, 0], rtol=1e-4, atol=1e-5)
    best, which = ops.affine_maxout(X, W, b)
    assert best.dtype == dtype and which.dtype == "int32"
    numpy.testing.assert_allclose(best, pieces.max(axis=2), rtol=1e-4, atol=1e-5)
    numpy.testing.assert_array_equal(which, pieces.argmax(axis=2))
    best, which = ops.affine_maxout(X[:0], W, b)
    assert best.shape == which.shape == (0, 3)


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
