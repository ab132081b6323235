"""gemm, affine and maxout: definitions and gradients."""

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@quick
@given(shape=st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 9)), dtype=st.sampled_from(DTYPES))
def test_maxout(ops, shape, dtype):
    N, nO, nP = shape
    # Few distinct values, so that there are ties.
    X = numpy.random.RandomState(0).randint(-3, 3, size=shape).astype(dtype)
    best, which = ops.maxout(X)
    assert best.dtype == dtype and which.dtype == "int32"
    numpy.testing.assert_array_equal(best, X.max(axis=2))
    numpy.testing.assert_array_equal(which, X.argmax(axis=2))
    dY = rows(N, nO, dtype=dtype)
    dX = ops.backprop_maxout(dY, which, nP)
    assert dX.dtype == dtype
    one_hot = which[:, :, None] == numpy.arange(nP)
    numpy.testing.assert_array_equal(dX, dY[:, :, None] * one_hot)


def test_maxout_refuses(ops):
    with pytest.raises(ValueError):
        ops.maxout(numpy.zeros((2, 3, 0), dtype="float32"))
    dY = numpy.zeros((1, 2), dtype="float32")
    with pytest.raises(IndexError, match="index 3 is out of bounds for maxout with size"):
        ops.backprop_maxout(dY, numpy.array([[0, 3]], dtype="int32"), 3)
    with pytest.raises(IndexError):
        ops.backprop_maxout(dY, numpy.array([[0, -1]], dtype="int32"), 3)
    with pytest.raises(ValueError):
        ops.backprop_maxout(dY, numpy.array([[0]], dtype="int32"), 3)
