"""Activations: values against closed forms, gradients against finite differences."""

import math

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from thinc.backends._kernels.activations import ACTIVATIONS as ROWS

from tests.checks import assert_ulp, numeric_gradient
from thinc.backends import NumpyOps, Ops

kernel_forward, kernel_backward = NumpyOps()._forward, NumpyOps()._backward

LINEAR = {"slope": 0.7, "offset": -0.2, "min_val": -2.0, "max_val": 3.0}
POINTS = [-30.0, -17.5, -6.5, -3.7, -2.2, -1.1, -0.3, -0.0, 0.0, 1e-3, 0.4, 1.7, 2.9]
POINTS += [4.9, 6.2, 17.1, 19.9, 20.0, 20.5, 30.0]


def logistic(x):
    return 1 / (1 + math.exp(-min(max(x, -20.0), 20.0)))


def clip(x, low, high):
    return min(max(x, low), high)


# name: (closed form, keyword arguments, what backprop reads)
ACTIVATIONS = {
    "relu": (lambda x: max(x, 0.0), {}, "Y"),
    "relu_k": (lambda x: clip(x, 0, 6), {}, "X"),
    "hard_sigmoid": (lambda x: clip(0.2 * x + 0.5, 0, 1), {}, "X"),
    "hard_tanh": (lambda x: clip(x, -1, 1), {}, "X"),
    "clipped_linear": (lambda x: clip(0.7 * x - 0.2, -2, 3), LINEAR, "X"),
    "sigmoid": (logistic, {}, "Y"),
    "swish": (lambda x: x * logistic(x), {}, "XY"),
    "hard_swish": (lambda x: x * clip(0.2 * x + 0.5, 0, 1), {}, "X"),
    "hard_swish_mobilenet": (lambda x: x * clip(x + 3, 0, 6) / 6, {}, "X"),
    "dish": (lambda x: 0.5 * x * (x / math.sqrt(1 + x * x) + 1), {}, "X"),
    "gelu": (lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)), {}, "X"),
    "gelu_approx": (lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), {}, "X"),
    "mish": (lambda x: x if x >= 20 else x * math.tanh(math.log1p(math.exp(x))), {}, "X"),
}
NAMES = list(ACTIVATIONS)
DTYPES = ["float32", "float64"]


def backprop(ops, name, dY, X, Y, **kwargs):
    saved = ACTIVATIONS[name][2]
    arrays = [array for key, array in (("X", X), ("Y", Y)) if key in saved]
    return getattr(ops, "backprop_" + name)(dY, *arrays, **kwargs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_forward_matches_closed_form(ops, name, dtype):
    function, kwargs, _ = ACTIVATIONS[name]
    X = numpy.array(POINTS, dtype=dtype)
    Y = getattr(ops, name)(X, **kwargs)
    assert Y.dtype == dtype
    want = numpy.array([function(float(x)) for x in X])
    # dish and gelu_approx cancel far below zero: nothing is left of 1 - 1.
    assert_ulp(Y, want, ulp=16, atol=8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_derivative(ops, name, dtype):
    function, kwargs, _ = ACTIVATIONS[name]
    # Clear of every kink: 0, +-1, +-2.5, +-3, 6, 20, and those of clipped_linear.
    X = numpy.array([x for x in POINTS if abs(x) > 1e-2], dtype=dtype)
    X = X[abs(X - 20) > 0.05]
    dY = numpy.linspace(-1, 2, X.size, dtype=dtype)
    dX = backprop(ops, name, dY, X, getattr(ops, name)(X, **kwargs), **kwargs)
    assert dX.dtype == dtype
    h = 1e-6
    slopes = [(function(float(x) + h) - function(float(x) - h)) / (2 * h) for x in X.tolist()]
    # 2e-6: what the difference quotient itself is worth, and swish's clipped sigmoid.
    numpy.testing.assert_allclose(dX, dY * numpy.array(slopes), rtol=2e-6, atol=4e-6)


@pytest.mark.parametrize("name", NAMES)
def test_inplace_writes_into_the_first_argument(ops, name):
    kwargs = ACTIVATIONS[name][1]
    X = numpy.array(POINTS, dtype="float32")
    want = getattr(ops, name)(X, **kwargs)
    buffer = X.copy()
    assert getattr(ops, name)(buffer, inplace=True, **kwargs) is buffer
    numpy.testing.assert_array_equal(buffer, want)
    dY = numpy.linspace(-1, 2, X.size, dtype="float32")
    want_dX = backprop(ops, name, dY, X, want, **kwargs)
    buffer, Y = dY.copy(), want.copy()
    result = backprop(ops, name, buffer, X, Y, inplace=True, **kwargs)
    # backprop_sigmoid, alone, gives its output the memory of Y.
    assert result is (Y if name == "sigmoid" else buffer)
    numpy.testing.assert_array_equal(result, want_dX)
    numpy.testing.assert_array_equal(X, numpy.array(POINTS, dtype="float32"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_any_layout_gives_the_same(ops, name, dtype):
    kwargs = ACTIVATIONS[name][1]
    X = numpy.random.RandomState(0).normal(scale=4, size=(7, 5)).astype(dtype)
    want = getattr(ops, name)(X, **kwargs)
    wide = numpy.zeros((14, 15), dtype=dtype)
    wide[::2, ::3] = X
    readonly = X.copy()
    readonly.flags.writeable = False
    for view in (wide[::2, ::3], numpy.asfortranarray(X), readonly):
        Y = getattr(ops, name)(view, **kwargs)
        numpy.testing.assert_array_equal(Y, want)
        dX = backprop(ops, name, view, X, want, **kwargs)
        numpy.testing.assert_array_equal(dX, backprop(ops, name, X, X, want, **kwargs))
    before = wide.copy()
    getattr(ops, name)(wide[::2, ::3], inplace=True, **kwargs)
    before[::2, ::3] = want
    numpy.testing.assert_array_equal(wide, before)
    with pytest.raises(ValueError):
        getattr(ops, name)(readonly, inplace=True, **kwargs)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=19), dtype=st.sampled_from(DTYPES))
def test_every_shape(ops, name, shape, dtype):
    function, kwargs, _ = ACTIVATIONS[name]
    X = numpy.random.RandomState(1).uniform(-8, 8, size=shape).astype(dtype)
    Y = getattr(ops, name)(X, **kwargs)
    assert Y.shape == shape and Y.dtype == dtype
    want = [function(float(x)) for x in X.ravel()]
    numpy.testing.assert_allclose(Y.ravel(), want, rtol=1e-5, atol=1e-6)
    dX = backprop(ops, name, X, X, Y, **kwargs)
    assert dX.shape == shape and dX.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_backward_refuses_other_shapes(ops, name):
    kwargs = ACTIVATIONS[name][1]
    X = numpy.ones((3, 2), dtype="float32")
    with pytest.raises(ValueError, match="incompatible shapes"):
        backprop(ops, name, numpy.ones((2, 2), dtype="float32"), X, X, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan(ops, name):
    X = numpy.array([1.0, numpy.nan, -1.0], dtype="float32")
    Y = getattr(ops, name)(X, **ACTIVATIONS[name][1])
    assert numpy.isnan(Y).tolist() == [False, True, False]


def test_relu_has_no_negative_zero(ops):
    X = numpy.array([-0.0, -1.0, numpy.inf, -numpy.inf], dtype="float32")
    Y = ops.relu(X)
    assert Y.tolist() == [0.0, 0.0, numpy.inf, 0.0]
    assert not numpy.signbit(Y).any()


def test_mish_threshold(ops):
    X = numpy.array([3.0, 5.0, 7.0])
    Y = ops.mish(X, threshold=5)
    assert Y[1:].tolist() == [5.0, 7.0] and Y[0] < 3.0
    dX = ops.backprop_mish(numpy.ones(3), X, threshold=5)
    assert dX[1:].tolist() == [1.0, 1.0] and dX[0] > 1.0
    # Raised far beyond where e^3x overflows, the formula still holds.
    X = numpy.array([90.0, 300.0, 700.0])
    numpy.testing.assert_array_equal(ops.mish(X, threshold=1e3), X)
    # x * (1 - tanh^2) is x times a rounding error there.
    dX = ops.backprop_mish(X, X, threshold=1e3)
    numpy.testing.assert_allclose(dX, X, rtol=1e-13)


def test_clipped_linear_falling_and_flat(ops):
    X = numpy.array([-2.0, 0.25, 2.0])
    params = {"slope": -1.0, "offset": 0.5}
    assert ops.clipped_linear(X, **params).tolist() == [1.0, 0.25, 0.0]
    dX = ops.backprop_clipped_linear(numpy.ones(3), X, **params)
    assert dX.tolist() == [0.0, -1.0, 0.0]
    flat = ops.backprop_clipped_linear(numpy.ones(3), X, slope=0.0, offset=0.5)
    assert flat.tolist() == [0.0, 0.0, 0.0]


def test_relu_k_takes_its_limit(ops):
    X = numpy.array([-1.0, 2.0, 5.0])
    assert ops.relu_k(X, 3.0).tolist() == [0.0, 2.0, 3.0]
    assert ops.backprop_relu_k(numpy.ones(3), X, 3.0).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_helpers(ops, dtype):
    X = numpy.linspace(-5, 5, 37).astype(dtype)
    assert_ulp(ops.erf(X), [math.erf(float(x)) for x in X], ulp=4, atol=2)
    assert_ulp(ops.sechsq(X), [math.cosh(float(x)) ** -2 for x in X], ulp=16)
    Y = ops.sigmoid(X)
    wide = Y.astype("float64")
    assert_ulp(ops.dsigmoid(Y), wide * (1 - wide), ulp=2, atol=1)
    T = numpy.tanh(X)
    assert_ulp(ops.dtanh(T), 1 - T.astype("float64") ** 2, ulp=2, atol=1)
    for name, array in (("dsigmoid", Y), ("dtanh", T)):
        want = getattr(ops, name)(array)
        buffer = array.copy()
        assert getattr(ops, name)(buffer, inplace=True) is buffer
        numpy.testing.assert_array_equal(buffer, want)


def test_sigmoid_is_clipped(ops):
    Y = ops.sigmoid(numpy.array([-1e30, -20.0, 20.0, 1e30]))
    assert Y[0] == Y[1] and Y[2] == Y[3] and 0 < Y[0] < 2.1e-9


def test_sigmoid_of_integers(ops):
    assert ops.sigmoid(numpy.array([0])).tolist() == [0.5]


def test_gaussian_helpers(ops):
    from thinc.backends.ops import gaussian_cdf, gaussian_pdf

    X = numpy.linspace(-3, 3, 11)
    want = [0.5 * math.erfc(-x / math.sqrt(2)) for x in X]
    numpy.testing.assert_allclose(gaussian_cdf(ops, X), want, rtol=1e-6, atol=1e-7)
    slope = numeric_gradient(lambda Z: gaussian_cdf(ops, Z), X, numpy.ones(11))
    numpy.testing.assert_allclose(gaussian_pdf(ops, X), slope, atol=1e-5)


# ---- the accuracy that the list in activations.hh states


def every_exponent(n):
    """n float32 numbers, evenly over all bit patterns of finite ones, and some where functions bend."""
    bits = numpy.linspace(0, 0x7F7FFFFF, n // 4).astype("uint32").view("float32")
    near = numpy.random.RandomState(0).uniform(-25, 25, size=n // 2).astype("float32")
    return numpy.concatenate([bits, -bits, near])


def truth_of(name, X):
    """Forward and derivative in float64, by the readable formula."""
    params = {"mish": (20.0,), "clipped_linear": (0.2, 0.5, 0.0, 1.0)}.get(name, ())
    wide, readable = X.astype("float64"), Ops()
    ones = numpy.ones_like(wide)
    if name == "tanh":
        Y = numpy.tanh(wide)
        return params, Y, 1 - Y**2
    Y = readable._forward(name, wide, params)
    if name == "erf":
        return params, Y, 2 / math.sqrt(math.pi) * numpy.exp(-(wide**2))
    reads = ROWS[name].reads
    return (
        params,
        Y,
        readable._backward(name, ones, wide if "X" in reads else None, Y if "Y" in reads else None, params),
    )


def assert_within(name, way, X, got, want, ulp, floor):
    limit = numpy.finfo(got.dtype)
    with numpy.errstate(over="ignore"):
        fits = abs(want) <= limit.max
    # A unit in the last place of the truth; below the smallest normal number they all are of one size.
    unit = numpy.ldexp(limit.eps, numpy.frexp(numpy.maximum(abs(want[fits]), limit.tiny))[1] - 1)
    error = abs(got[fits].astype("float64") - want[fits]) - floor * limit.eps
    with numpy.errstate(over="ignore"):
        worst = int((error / unit).argmax())
    assert error[worst] <= ulp * unit[worst], (
        f"{name} {way} at {X[fits][worst]!r}: {error[worst] / unit[worst]:.2f} units beside {floor} eps, {ulp} stated"
    )


def assert_accurate(name, n):
    row, X = ROWS[name], every_exponent(n)
    params, Y, slope = truth_of(name, X)
    got = kernel_forward(name, X, params, False)
    assert_within(name, "forward", X, got, Y, row.ulp, row.floor)
    saved = (X if "X" in row.reads else None, got if "Y" in row.reads else None)
    dX = kernel_backward(name, numpy.ones_like(X), *saved, params, False)
    # The gradient of 8.3 clips the sigmoid in one factor and not in the other: beyond, it grows with x in float64.
    near = abs(X) < (20 if name == "swish" else numpy.inf)
    assert_within(name, "backward", X[near], dX[near], slope[near], row.back_ulp, row.back_floor)


@pytest.mark.parametrize("name", ROWS)
def test_as_exact_as_stated(fast_ops, name):
    assert_accurate(name, 200_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_as_exact_as_stated_everywhere(fast_ops, name):
    assert_accurate(name, 20_000_000)


@pytest.mark.parametrize("name", ROWS)
def test_doubles_as_exact_as_stated(fast_ops, name):
    """The truth is of the same format here, and as inexact."""
    row = ROWS[name]
    X = numpy.random.RandomState(0).uniform(-20, 20, size=50_000)
    params, Y, slope = truth_of(name, X)
    got = kernel_forward(name, X, params, False)
    assert_within(name, "forward", X, got, Y, 2 * row.ulp + 8, 2 * row.floor + 2)
    saved = (X if "X" in row.reads else None, Y if "Y" in row.reads else None)
    dX = kernel_backward(name, numpy.ones_like(X), *saved, params, False)
    assert_within(name, "backward", X, dX, slope, 2 * row.back_ulp + 8, 2 * row.back_floor + 2)


def test_the_benchmark_reads_the_same_list():
    from benchmarks.plan import READS

    assert READS == {name: row.reads for name, row in ROWS.items()}
