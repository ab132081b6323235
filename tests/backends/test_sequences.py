"""Windows, reductions, maxout and softmax over sequences."""

import math

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checks import numeric_gradient

DTYPES = ["float32", "float64"]
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
lengths_with_zeros = st.lists(st.integers(0, 5), max_size=6)
lengths_from_one = st.lists(st.integers(1, 5), max_size=6)


def ints(values):
    return numpy.array(values, dtype="int32")


def rows(n, width, dtype="float64", seed=0):
    return numpy.random.RandomState(seed).normal(size=(n, width)).astype(dtype)


def cut(X, lengths):
    ends = numpy.cumsum(lengths).astype(int)
    return [X[end - n : end] for n, end in zip(lengths, ends)]


# Windows


def window_of(X, lengths, nW):
    """Row by row, from the definition."""
    out = []
    for seq in cut(X, lengths):
        for i in range(len(seq)):
            row = []
            for j in range(i - nW, i + nW + 1):
                inside = 0 <= j < len(seq)
                row.extend(seq[j] if inside else [0.0] * X.shape[1])
            out.append(row)
    return numpy.array(out).reshape((len(X), X.shape[1] * (2 * nW + 1)))


@quick
@given(lengths=lengths_with_zeros, nW=st.integers(0, 4), width=st.integers(0, 5), dtype=st.sampled_from(DTYPES))
def test_seq2col_follows_its_definition(ops, lengths, nW, width, dtype):
    X = rows(sum(lengths), width, dtype)
    cols = ops.seq2col(X, nW, lengths=ints(lengths))
    assert cols.dtype == dtype
    numpy.testing.assert_array_equal(cols, window_of(X, lengths, nW))
    numpy.testing.assert_array_equal(ops.seq2col(X, nW), window_of(X, [len(X)], nW).astype(dtype))
    dY = rows(len(X), width * (2 * nW + 1), dtype, seed=1)
    dX = ops.backprop_seq2col(dY, nW, lengths=ints(lengths))
    assert dX.dtype == dtype and dX.shape == X.shape
    # The operation is linear, so its gradient is the transpose: <dY, AX> = <A'dY, X>.
    numpy.testing.assert_allclose(numpy.sum(dY * cols), numpy.sum(dX * X), rtol=1e-4, atol=1e-4)


def test_backprop_seq2col_is_the_gradient(ops):
    lengths = ints([3, 0, 2, 1])
    X, dY = rows(6, 2), rows(6, 10, seed=1)
    want = numeric_gradient(lambda Z: ops.seq2col(Z, 2, lengths=lengths), X, dY)
    dX = ops.backprop_seq2col(dY, 2, lengths=lengths)
    numpy.testing.assert_allclose(dX, want, atol=1e-8)


def test_seq2col_refuses(ops):
    X = rows(3, 2, "float32")
    with pytest.raises(AssertionError, match="must be >= 0"):
        ops.seq2col(X, 1, lengths=ints([4, -1]))
    with pytest.raises(AssertionError, match="must sum up to the batch length"):
        ops.seq2col(X, 1, lengths=ints([2]))
    with pytest.raises(AssertionError, match="must sum up to the batch length"):
        ops.backprop_seq2col(rows(3, 6, "float32"), 1, lengths=ints([2, 2]))
    with pytest.raises(ValueError):
        ops.seq2col(X[0], 1)
    with pytest.raises(ValueError):
        ops.seq2col(X, -1)
    with pytest.raises(ValueError, match="multiple"):
        ops.backprop_seq2col(rows(3, 7, "float32"), 1)


# Reductions


@quick
@given(lengths=lengths_with_zeros, width=st.integers(0, 4), dtype=st.sampled_from(DTYPES))
def test_sum_and_mean(ops, lengths, width, dtype):
    X = rows(sum(lengths), width, dtype)
    L = ints(lengths)
    shape = (len(lengths), width)
    sums = [seq.sum(axis=0) for seq in cut(X.astype("float64"), lengths)]
    means = [total / max(n, 1) for total, n in zip(sums, lengths)]
    for name, want in (("sum", sums), ("mean", means)):
        Y = getattr(ops, "reduce_" + name)(X, L)
        assert Y.dtype == dtype
        want = numpy.array(want).reshape(shape)
        numpy.testing.assert_allclose(Y, want, rtol=1e-5, atol=1e-6)
    dY = rows(*shape, dtype, seed=1)
    spread = numpy.repeat(dY, lengths, axis=0)
    share = spread / numpy.repeat(lengths, lengths).reshape((-1, 1))
    dX = ops.backprop_reduce_sum(dY, L)
    assert dX.dtype == dtype
    numpy.testing.assert_array_equal(dX, spread)
    dX = ops.backprop_reduce_mean(dY, L)
    assert dX.dtype == dtype
    numpy.testing.assert_allclose(dX, share, rtol=1e-6)


@quick
@given(lengths=lengths_from_one, width=st.integers(0, 4), dtype=st.sampled_from(DTYPES))
def test_max_first_last(ops, lengths, width, dtype):
    # Few distinct values, so that there are ties.
    X = numpy.round(rows(sum(lengths), width, dtype))
    L = ints(lengths)
    shape = (len(lengths), width)
    dY = rows(*shape, dtype, seed=1)
    seqs = cut(X, lengths)
    starts = numpy.cumsum([0] + lengths)[:-1].astype(int)

    Y, which = ops.reduce_max(X, L)
    want = numpy.array([seq.argmax(axis=0) for seq in seqs], dtype="int32")
    assert Y.dtype == dtype and which.dtype == "int32"
    numpy.testing.assert_array_equal(which, want.reshape(shape))
    best = numpy.array([seq.max(axis=0) for seq in seqs]).reshape(shape)
    numpy.testing.assert_array_equal(Y, best)
    want_dX = numpy.zeros_like(X)
    for start, pieces, d in zip(starts, which, dY):
        want_dX[start + pieces, numpy.arange(width)] = d
    dX = ops.backprop_reduce_max(dY, which, L)
    assert dX.dtype == dtype
    numpy.testing.assert_array_equal(dX, want_dX)

    ends = starts + lengths - 1 if lengths else starts
    for name, index in (("first", starts), ("last", ends)):
        Y, record = getattr(ops, "reduce_" + name)(X, L)
        assert Y.dtype == dtype
        numpy.testing.assert_array_equal(Y, X[index])
        dX = getattr(ops, "backprop_reduce_" + name)(dY, record)
        want_dX = numpy.zeros_like(X)
        want_dX[index] = dY
        assert dX.dtype == dtype
        numpy.testing.assert_array_equal(dX, want_dX)


def test_reductions_return_what_backprop_needs(ops):
    X = rows(6, 3, "float32")
    assert ops.reduce_first(X, ints([2, 4]))[1].tolist() == [0, 2, 6]
    assert ops.reduce_last(X, ints([2, 4]))[1].tolist() == [1, 5]


@pytest.mark.parametrize("name", ["sum", "mean", "max", "first", "last"])
def test_reductions_refuse_wrong_lengths(ops, name):
    reduce = getattr(ops, "reduce_" + name)
    X = rows(4, 3, "float32")
    for lengths in ([2, 3], [2, 1]):
        with pytest.raises(IndexError, match="lengths must sum up to the number of row"):
            reduce(X, ints(lengths))
    with pytest.raises(ValueError, match="all sequence lengths must be >"):
        reduce(X, ints([5, -1]))
    with pytest.raises(ValueError):
        reduce(X[0], ints([3]))
    if name in ("max", "first", "last"):
        with pytest.raises(ValueError, match="all sequence lengths must be > 0"):
            reduce(X, ints([4, 0]))


def test_backprops_refuse_wrong_arguments(ops):
    dY = rows(2, 3, "float32")
    which = numpy.zeros((2, 3), dtype="int32")
    for name in ("sum", "mean"):
        backprop = getattr(ops, "backprop_reduce_" + name)
        with pytest.raises(ValueError, match="lengths must be"):
            backprop(dY, ints([1, -2]))
        with pytest.raises(ValueError):
            backprop(dY, ints([1, 2, 3]))
    with pytest.raises(ValueError, match="lengths must be"):
        ops.backprop_reduce_max(dY, which, ints([1, 0]))
    with pytest.raises(ValueError):
        ops.backprop_reduce_max(dY, which, ints([1, 2, 3]))
    for bad in (2, -1):
        which[1, 2] = bad
        with pytest.raises(IndexError):
            ops.backprop_reduce_max(dY, which, ints([1, 2]))
    with pytest.raises(ValueError, match="starts_ends must not have size 1"):
        ops.backprop_reduce_first(dY, ints([0]))
    with pytest.raises(ValueError):
        ops.backprop_reduce_first(dY, ints([0, 1, 2, 3]))
    with pytest.raises(ValueError):
        ops.backprop_reduce_last(dY, numpy.array([1, 2, 3]))


def test_reductions_take_any_layout(ops):
    wide = rows(12, 9, "float32")
    view = wide[::2, ::3]
    frozen = view.copy()
    frozen.flags.writeable = False
    L = ints([2, 1, 3])
    for name in ("sum", "mean", "max", "first", "last"):
        reduce = getattr(ops, "reduce_" + name)
        want = reduce(view.copy(), L)
        for X in (view, frozen, numpy.asfortranarray(view)):
            for got, expected in zip(reduce(X, L), want):
                numpy.testing.assert_array_equal(got, expected)


# Softmax


def test_softmax_sequences(ops):
    L = ints([2, 0, 3])
    X, dY = rows(5, 3), rows(5, 3, seed=1)
    Y = ops.softmax_sequences(X, L)
    want = [numpy.exp(seq) / numpy.exp(seq).sum(axis=0) for seq in cut(X, L)]
    numpy.testing.assert_allclose(Y, numpy.concatenate(want))
    dX = ops.backprop_softmax_sequences(dY, Y, L)
    want_dX = numeric_gradient(lambda Z: ops.softmax_sequences(Z, L), X, dY)
    numpy.testing.assert_allclose(dX, want_dX, atol=1e-8)
    with pytest.raises(NotImplementedError, match="only supports 2d. Got: 3"):
        ops.softmax_sequences(numpy.zeros((1, 1, 1)), ints([1]))
    with pytest.raises((ValueError, IndexError)):
        ops.softmax_sequences(X, ints([2, 2]))


# Positions


@pytest.mark.parametrize("N,D", [(0, 4), (3, 1), (3, 2), (4, 5), (7, 8), (2, 0)])
def test_position_encode(ops, N, D):
    Y = ops.position_encode(N, D, period=100)
    assert Y.shape == (N, D) and Y.dtype == "float32"
    for n in range(N):
        for j in range(D):
            even = j - j % 2
            if j == D - 1 and D % 2:
                even = max(D - 3, 0)
            angle = n / 100 ** (2 * even / D)
            want = math.cos(angle) if j % 2 else math.sin(angle)
            assert Y[n, j] == pytest.approx(want, abs=1e-6)
    out = numpy.full((N, D), 9.0, dtype="float32")
    assert ops.position_encode(N, D, period=100, out=out) is out
    numpy.testing.assert_array_equal(out, Y)
    with pytest.raises(AssertionError):
        ops.position_encode(N + 1, D, out=out)
