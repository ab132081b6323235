"""How numbers are compared: in units of the last place, and by finite differences."""

import numpy


def assert_ulp(got, truth, ulp, atol=0.0):
    """got is within `ulp` units of the last place of the float64 truth.

    atol: for results of cancellation, so many units in the last place of the largest
    value are allowed besides.
    """
    got, truth = numpy.asarray(got), numpy.asarray(truth)
    assert got.shape == truth.shape
    if got.size == 0:
        return
    finite = numpy.isfinite(truth)
    numpy.testing.assert_array_equal(got[~finite].astype("float64"), truth[~finite].astype("float64"))
    want = truth[finite].astype("float64")
    if want.size == 0:
        return
    limit = numpy.finfo(got.dtype)
    unit = numpy.maximum(abs(want) * limit.eps, limit.tiny)
    allowed = ulp * unit + atol * limit.eps * abs(want).max()
    error = abs(got[finite].astype("float64") - want)
    worst = int((error - allowed).argmax())
    assert (error <= allowed).all(), (
        f"got {got[finite][worst]!r}, truth {want[worst]!r}: "
        f"{error[worst] / unit[worst]:.1f} units in the last place, {ulp} allowed"
    )


def numeric_gradient(function, X, dY, h=1e-6):
    """The gradient of sum(dY * function(X)) at every element of X, in float64.

    By central differences; for small arrays.
    """
    X = numpy.array(X, dtype="float64")
    dX = numpy.zeros_like(X)
    for index in numpy.ndindex(X.shape):
        original = X[index]
        X[index] = original + h
        above = numpy.sum(dY * function(X))
        X[index] = original - h
        below = numpy.sum(dY * function(X))
        X[index] = original
        dX[index] = (above - below) / (2 * h)
    return dX
