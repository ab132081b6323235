"""The readable formula of each activation and of its gradient, and their methods.

    forward   Y  = f(X)             inplace: written into X
    backward  dX = dY * f'(X)       inplace: written into dY

A formula is registered by name; every activation goes through the hooks `_forward`
and `_backward`, which are all a faster backend overrides. `params` is a tuple of floats
in the order of the method's signature. What a backward formula reads stands in its
signature: X, Y or both.

    name                  params                              backward reads
    relu                                                      Y
    clipped_linear        slope, offset, min_val, max_val     X
    swish                                                     X, Y
    hard_swish                                                X
    hard_swish_mobilenet                                      X
    dish                                                      X
    gelu                                                      X
    gelu_approx                                               X
    mish                  threshold                           X
    sigmoid                                                   Y
    dsigmoid, dtanh, erf, sechsq                              no backward

Over 500 lines: two short methods for each activation, each with an example.
"""

import math
from typing import Any, Callable, Dict, Optional, Tuple

import numpy

from ..types import Floats2d, FloatsXd, FloatsXdT, Shape, Xp
from ._arrays import as_floats

Params = Tuple[float, ...]

_FORMULAS: Dict[str, Callable[..., Any]] = {}

# Beyond 20, sigmoid and tanh are 1 in float32; clipping keeps exp in range.
_CLIP = 20.0
# From here on 1 + x^2 is x^2 in every dtype, and no square overflows.
_FAR = 1e18


def formula(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the readable formula of an activation or of its gradient."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _FORMULAS[name] = function
        return function

    return register


# Formulas


@formula("relu")
def _relu(xp, X):
    return xp.where(X <= 0, X.dtype.type(0), X)


@formula("backprop_relu")
def _backprop_relu(xp, dY, Y):
    return xp.where(Y > 0, dY, dY.dtype.type(0))


@formula("clipped_linear")
def _clipped_linear(xp, X, slope, offset, min_val, max_val):
    return xp.clip(X * slope + offset, min_val, max_val)


@formula("backprop_clipped_linear")
def _backprop_clipped_linear(xp, dY, X, slope, offset, min_val, max_val):
    if slope == 0.0:
        return xp.zeros_like(dY)
    low, high = sorted([(min_val - offset) / slope, (max_val - offset) / slope])
    return xp.where((low < X) & (X < high), dY * slope, dY.dtype.type(0))


@formula("sigmoid")
def _sigmoid(xp, X):
    return 1.0 / (1.0 + xp.exp(-xp.clip(X, -_CLIP, _CLIP)))


@formula("backprop_sigmoid")
def _backprop_sigmoid(xp, dY, Y):
    return dY * Y * (1.0 - Y)


@formula("dsigmoid")
def _dsigmoid(xp, Y):
    return Y * (1.0 - Y)


@formula("dtanh")
def _dtanh(xp, Y):
    return 1.0 - Y**2


@formula("sechsq")
def _sechsq(xp, X):
    return (1.0 / xp.cosh(xp.clip(X, -_CLIP, _CLIP))) ** 2


# swish(x) = x * sigmoid(x).  Ramachandran, Zoph & Le 2017.
@formula("swish")
def _swish(xp, X):
    return X * _sigmoid(xp, X)


@formula("backprop_swish")
def _backprop_swish(xp, dY, X, Y):
    s = _sigmoid(xp, X)
    return dY * (s + Y * (1.0 - s))


# hard_swish(x) = x * clip(0.2 x + 0.5, 0, 1).
@formula("hard_swish")
def _hard_swish(xp, X):
    return xp.maximum(X, -2.5) * xp.clip(X * 0.2 + 0.5, 0.0, 1.0)


@formula("backprop_hard_swish")
def _backprop_hard_swish(xp, dY, X):
    slope = xp.where(X > 2.5, 1.0, X * 0.4 + 0.5).astype(dY.dtype)
    return xp.where(X < -2.5, dY.dtype.type(0), dY * slope)


# hard_swish_mobilenet(x) = x * relu6(x + 3) / 6.  Howard et al. 2019.
@formula("hard_swish_mobilenet")
def _hard_swish_mobilenet(xp, X):
    return xp.maximum(X, -3.0) * (xp.clip(X + 3.0, 0.0, 6.0) / 6.0)


@formula("backprop_hard_swish_mobilenet")
def _backprop_hard_swish_mobilenet(xp, dY, X):
    slope = xp.where(X > 3.0, 1.0, (X * 2.0 + 3.0) / 6.0).astype(dY.dtype)
    return xp.where(X < -3.0, dY.dtype.type(0), dY * slope)


# dish(x) = x/2 * u where u = 1 + x / sqrt(1 + x^2): an algebraic swish.
@formula("dish")
def _dish(xp, X):
    return 0.5 * xp.maximum(X, -_FAR) * _twice_gate(xp, X)


@formula("backprop_dish")
def _backprop_dish(xp, dY, X):
    u = _twice_gate(xp, X)
    return dY * (0.5 * u * (u * (3.0 - u) - 1.0))


def _twice_gate(xp, X):
    # For r = sqrt(1 + x^2) is 1 - |x| / r = 1 / (r (r + |x|)), which does not cancel. Beyond _FAR it stays as it is.
    a = xp.minimum(abs(X), _FAR)
    r = xp.sqrt(1.0 + a * a)
    return xp.where(X < 0, 1.0 / (r * (r + a)), 1.0 + a / r)


# gelu(x) = x * Phi(x).  Hendrycks & Gimpel 2016.
@formula("gelu")
def _gelu(xp, X):
    return xp.maximum(X, -40.0) * _normal_cdf(xp, X)


@formula("backprop_gelu")
def _backprop_gelu(xp, dY, X):
    x = xp.clip(X, -40.0, 40.0)  # the density is 0 beyond
    density = xp.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    return dY * (_normal_cdf(xp, X) + x * density)


# gelu_approx(x) = x/2 * (1 + tanh(u)) = x / (1 + e^-2u), u = sqrt(2/pi) * (x + 0.044715 x^3); same paper.
# Beyond 25 the gate is 0 or 1 in every dtype.
@formula("gelu_approx")
def _gelu_approx(xp, X):
    return xp.maximum(X, -25.0) / (1.0 + _minus_2u(xp, X))


@formula("backprop_gelu_approx")
def _backprop_gelu_approx(xp, dY, X):
    e = _minus_2u(xp, X)
    x = xp.clip(X, -25.0, 25.0)
    du = math.sqrt(8.0 / math.pi) * (1.0 + 3.0 * 0.044715 * x**2)
    # The derivative of the gate 1 / (1 + e) is du / (e + 2 + 1/e).
    return dY * (1.0 / (1.0 + e) + x * du / (e + 2.0 + 1.0 / e))


def _minus_2u(xp, X):
    x = xp.clip(X, -25.0, 25.0)
    return xp.exp(-math.sqrt(8.0 / math.pi) * (x + 0.044715 * x**3))


# mish(x) = x * tanh(log(1 + e^x)), and x itself from the threshold on.  Misra 2019.
@formula("mish")
def _mish(xp, X, threshold):
    return xp.where(X >= threshold, X, xp.maximum(X, -1000.0) * xp.tanh(_softplus(xp, X)))


@formula("backprop_mish")
def _backprop_mish(xp, dY, X, threshold):
    tanh_s = xp.tanh(_softplus(xp, X))
    # The derivative of softplus is the sigmoid, here without clipping.
    slope = tanh_s + xp.maximum(X, -1000.0) * xp.exp(-_softplus(xp, -X)) * (1.0 - tanh_s**2)
    return xp.where(X >= threshold, dY, dY * slope)


@formula("erf")
def _erf(xp, X):
    return _c_function(xp, "erf", X)


def _normal_cdf(xp, X):
    # Through erfc, as 1 + erf cancels where X is far below zero.
    return 0.5 * _c_function(xp, "erfc", X * -math.sqrt(0.5))


def _softplus(xp, X):
    """log(1 + e^x), without overflow."""
    return xp.logaddexp(X, X.dtype.type(0))


def _c_function(xp, name, X):
    """A function of C's math.h that array modules lack, on every element."""
    if xp is numpy:
        function = numpy.frompyfunc(getattr(math, name), 1, 1)
        return numpy.asarray(function(X)).astype(X.dtype)
    return xp.ElementwiseKernel("T x", "T y", f"y = {name}(x)", f"thinc_{name}")(X)


class ActivationOps:
    """Activations, their gradients, and what these are made of.

    The gradient of each takes the arrays named in its signature: the output Y for relu
    and sigmoid, input and output for swish, else the input X.
    """

    xp: Xp

    def _forward(self, name: str, X: FloatsXd, params: Params = (), inplace: bool = False) -> Any:
        """Y = f(X).  Hook: a backend overrides this one for all activations."""
        with numpy.errstate(over="ignore", invalid="ignore", divide="ignore"):
            Y = _FORMULAS[name](self.xp, as_floats(X), *params)
        return _store(X, Y) if inplace else Y

    def _backward(
        self,
        name: str,
        dY: FloatsXd,
        X: Optional[FloatsXd],
        Y: Optional[FloatsXd],
        params: Params = (),
        inplace: bool = False,
    ) -> Any:
        """dX = dY * f'(X).  Hook, as above; X or Y is None if it is not needed."""
        saved = [array for array in (X, Y) if array is not None]
        for array in saved:
            if array.shape != dY.shape:
                raise ValueError(f"arrays have incompatible shapes: {dY.shape} and {array.shape}")
        with numpy.errstate(over="ignore", invalid="ignore", divide="ignore"):
            dX = _FORMULAS["backprop_" + name](self.xp, as_floats(dY), *map(as_floats, saved), *params)
        return _store(dY, dX) if inplace else dX

    def relu(self, X: Floats2d, inplace: bool = False) -> Floats2d:
        """max(x, 0).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.relu(ops.asarray1f([-2, 0, 2])).round(3)
        array([0., 0., 2.], dtype=float32)
        """
        return self._forward("relu", X, (), inplace)

    def backprop_relu(self, dY: Floats2d, Y: Floats2d, inplace: bool = False) -> Floats2d:
        """dX = dY times 1 where Y is above 0, else 0.

        dY: the gradient of the output.  Y: what came out.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_relu(dY, ops.relu(X)).round(3)
        array([0., 1., 1.], dtype=float32)
        """
        return self._backward("relu", dY, None, Y, (), inplace)

    def clipped_linear(
        self,
        X: FloatsXdT,
        slope: float = 1.0,
        offset: float = 0.0,
        min_val: float = 0.0,
        max_val: float = 1.0,
        inplace: bool = False,
    ) -> FloatsXdT:
        """min(max(slope * x + offset, min_val), max_val).

        X: any array of floats.  slope, offset, min_val, max_val: the line and its ends.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.clipped_linear(ops.asarray1f([-2, 0, 2]), slope=0.5).round(3)
        array([0., 0., 1.], dtype=float32)
        """
        params = (slope, offset, min_val, max_val)
        return self._forward("clipped_linear", X, params, inplace)

    def backprop_clipped_linear(
        self,
        dY: FloatsXdT,
        X: FloatsXdT,
        slope: float = 1.0,
        offset: float = 0.0,
        min_val: float = 0.0,
        max_val: float = 1.0,
        inplace: bool = False,
    ) -> FloatsXdT:
        """dX = dY times slope where the line is between its ends, else 0.

        dY: the gradient of the output.  X: what went in.  slope, offset, min_val, max_val: as there.
        inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_clipped_linear(dY, X).round(3)
        array([0., 1., 0.], dtype=float32)
        """
        params = (slope, offset, min_val, max_val)
        return self._backward("clipped_linear", dY, X, None, params, inplace)

    def relu_k(self, X: FloatsXdT, n: float = 6.0, inplace: bool = False) -> FloatsXdT:
        """min(max(x, 0), n).

        X: any array of floats.  n: the largest value.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.relu_k(ops.asarray1f([-2, 0, 2]), n=1).round(3)
        array([0., 0., 1.], dtype=float32)
        """
        return self.clipped_linear(X, max_val=n, inplace=inplace)

    def backprop_relu_k(self, dY: FloatsXdT, X: FloatsXdT, n: float = 6.0, inplace: bool = False) -> FloatsXdT:
        """dX = dY times 1 where 0 < x < n, else 0.

        dY: the gradient of the output.  X: what went in.  n: as there.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_relu_k(dY, X).round(3)
        array([0., 1., 1.], dtype=float32)
        """
        return self.backprop_clipped_linear(dY, X, max_val=n, inplace=inplace)

    def hard_sigmoid(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """min(max(0.2 x + 0.5, 0), 1).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.hard_sigmoid(ops.asarray1f([-2, 0, 2])).round(3)
        array([0.1, 0.5, 0.9], dtype=float32)
        """
        return self.clipped_linear(X, slope=0.2, offset=0.5, inplace=inplace)

    def backprop_hard_sigmoid(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times 0.2 where |x| < 2.5, else 0.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_hard_sigmoid(dY, X).round(3)
        array([0.2, 0.2, 0.2], dtype=float32)
        """
        return self.backprop_clipped_linear(dY, X, slope=0.2, offset=0.5, inplace=inplace)

    def hard_tanh(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """min(max(x, -1), 1).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.hard_tanh(ops.asarray1f([-2, 0, 2])).round(3)
        array([-1.,  0.,  1.], dtype=float32)
        """
        return self.clipped_linear(X, min_val=-1.0, max_val=1.0, inplace=inplace)

    def backprop_hard_tanh(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times 1 where |x| < 1, else 0.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_hard_tanh(dY, X).round(3)
        array([0., 1., 0.], dtype=float32)
        """
        return self.backprop_clipped_linear(dY, X, min_val=-1.0, max_val=1.0, inplace=inplace)

    def swish(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """x * sigmoid(x).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.swish(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.238,  0.   ,  1.762], dtype=float32)
        """
        return self._forward("swish", X, (), inplace)

    def backprop_swish(self, dY: FloatsXdT, X: FloatsXdT, Y: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `swish`, from X and Y.

        dY: the gradient of the output.  X: what went in.  Y: what came out.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_swish(dY, X, ops.swish(X)).round(3)
        array([-0.091,  0.74 ,  1.091], dtype=float32)
        """
        return self._backward("swish", dY, X, Y, (), inplace)

    def hard_swish(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """x * hard_sigmoid(x).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.hard_swish(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.2,  0. ,  1.8], dtype=float32)
        """
        return self._forward("hard_swish", X, (), inplace)

    def backprop_hard_swish(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `hard_swish` at X.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_hard_swish(dY, X).round(3)
        array([-0.3,  0.7,  1.3], dtype=float32)
        """
        return self._backward("hard_swish", dY, X, None, (), inplace)

    def hard_swish_mobilenet(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """x * relu_k(x + 3, 6) / 6.

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.hard_swish_mobilenet(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.333,  0.   ,  1.667], dtype=float32)
        """
        return self._forward("hard_swish_mobilenet", X, (), inplace)

    def backprop_hard_swish_mobilenet(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `hard_swish_mobilenet` at X.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_hard_swish_mobilenet(dY, X).round(3)
        array([-0.167,  0.667,  1.167], dtype=float32)
        """
        return self._backward("hard_swish_mobilenet", dY, X, None, (), inplace)

    def dish(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """x/2 * (x / sqrt(1 + x^2) + 1).

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.dish(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.106,  0.   ,  1.894], dtype=float32)
        """
        return self._forward("dish", X, (), inplace)

    def backprop_dish(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `dish` at X.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_dish(dY, X).round(3)
        array([-0.037,  0.902,  1.037], dtype=float32)
        """
        return self._backward("dish", dY, X, None, (), inplace)

    def gelu(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """x * Phi(x), Phi the distribution function of the standard normal.

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.gelu(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.046,  0.   ,  1.954], dtype=float32)
        """
        return self._forward("gelu", X, (), inplace)

    def backprop_gelu(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `gelu` at X.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_gelu(dY, X).round(3)
        array([-0.085,  0.867,  1.085], dtype=float32)
        """
        return self._backward("gelu", dY, X, None, (), inplace)

    def gelu_approx(self, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """gelu with Phi approximated by a tanh.

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.gelu_approx(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.045,  0.   ,  1.955], dtype=float32)
        """
        return self._forward("gelu_approx", X, (), inplace)

    def backprop_gelu_approx(self, dY: FloatsXdT, X: FloatsXdT, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `gelu_approx` at X.

        dY: the gradient of the output.  X: what went in.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_gelu_approx(dY, X).round(3)
        array([-0.086,  0.867,  1.086], dtype=float32)
        """
        return self._backward("gelu_approx", dY, X, None, (), inplace)

    def mish(self, X: FloatsXdT, threshold: float = 20.0, inplace: bool = False) -> FloatsXdT:
        """x * tanh(log(1 + e^x)); x itself where x >= threshold.

        X: any array of floats.  inplace: write over X.  threshold: where it is straight.

        >>> ops = NumpyOps()
        >>> ops.mish(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.253,  0.   ,  1.944], dtype=float32)
        """
        return self._forward("mish", X, (threshold,), inplace)

    def backprop_mish(self, dY: FloatsXdT, X: Floats2d, threshold: float = 20.0, inplace: bool = False) -> FloatsXdT:
        """dX = dY times the derivative of `mish` at X.

        dY: the gradient of the output.  X: what went in.  threshold: as there.  inplace: write over dY.

        >>> ops = NumpyOps()
        >>> dY, X = ops.asarray1f([1, 1, 1]), ops.asarray1f([-2, 0.5, 2])
        >>> ops.backprop_mish(dY, X).round(3)
        array([-0.108,  0.886,  1.069], dtype=float32)
        """
        return self._backward("mish", dY, X, None, (threshold,), inplace)

    def sigmoid(self, X: FloatsXdT, *, inplace: bool = False) -> FloatsXdT:
        """1 / (1 + e^-x), x clipped to [-20, 20].

        X: any array of floats.  inplace: write over X.

        >>> ops = NumpyOps()
        >>> ops.sigmoid(ops.asarray1f([-2, 0, 2])).round(3)
        array([0.119, 0.5  , 0.881], dtype=float32)
        """
        return self._forward("sigmoid", X, (), inplace)

    def backprop_sigmoid(self, dY: FloatsXdT, Y: FloatsXdT, *, inplace: bool = False) -> FloatsXdT:
        """dY * y * (1 - y).  In place it is Y, not dY, that is overwritten.

        dY: the gradient of the output.  Y: what came out.  inplace: write over Y.

        >>> ops = NumpyOps()
        >>> Y = ops.sigmoid(ops.asarray1f([-2, 0, 2]))
        >>> ops.backprop_sigmoid(ops.asarray1f([1, 1, 1]), Y).round(3)
        array([0.105, 0.25 , 0.105], dtype=float32)
        """
        dX = self._backward("sigmoid", dY, None, Y, (), False)
        return _store(Y, dX) if inplace else dX

    def dsigmoid(self, Y: FloatsXdT, *, inplace: bool = False) -> FloatsXdT:
        """The derivative of sigmoid, from its output: y * (1 - y).

        Y: what came out.  inplace: write over Y.

        >>> ops = NumpyOps()
        >>> ops.dsigmoid(ops.asarray1f([0.1, 0.5, 0.9])).round(3)
        array([0.09, 0.25, 0.09], dtype=float32)
        """
        return self._forward("dsigmoid", Y, (), inplace)

    def dtanh(self, Y: FloatsXdT, *, inplace: bool = False) -> FloatsXdT:
        """The derivative of tanh, from its output: 1 - y^2.

        Y: what came out.  inplace: write over Y.

        >>> ops = NumpyOps()
        >>> ops.dtanh(ops.asarray1f([-0.5, 0, 0.5])).round(3)
        array([0.75, 1.  , 0.75], dtype=float32)
        """
        return self._forward("dtanh", Y, (), inplace)

    def erf(self, X: FloatsXdT) -> FloatsXdT:
        """The error function.

        X: any array of floats.

        >>> ops = NumpyOps()
        >>> ops.erf(ops.asarray1f([-2, 0, 2])).round(3)
        array([-0.995,  0.   ,  0.995], dtype=float32)
        """
        return self._forward("erf", X)

    def sechsq(self, X: FloatsXdT) -> FloatsXdT:
        """1 / cosh(x)^2, x clipped to [-20, 20].

        X: any array of floats.

        >>> ops = NumpyOps()
        >>> ops.sechsq(ops.asarray1f([-2, 0, 2])).round(3)
        array([0.071, 1.   , 0.071], dtype=float32)
        """
        return self._forward("sechsq", X)

    # Dropout

    def get_dropout_mask(self, shape: Shape, drop: Optional[float]) -> FloatsXd:
        """float32: 0 with probability drop, else 1 / (1 - drop), so that the mean is 1.

        Draws from the global random state of the array module.

        shape: of the mask.  drop: None for 0.

        >>> NumpyOps().get_dropout_mask((6,), 0.5)
        array([2., 2., 2., 2., 0., 2.], dtype=float32)
        """
        if drop is not None and drop != drop:
            raise ValueError("get_dropout_mask: expected a rate, got NaN")
        if drop is None or drop <= 0:
            return self.xp.ones(shape, dtype="f")
        if drop >= 1.0:
            return self.xp.zeros(shape, dtype="f")
        coinflips = self.xp.random.uniform(0.0, 1.0, shape)
        return self.xp.asarray((coinflips >= drop) / (1.0 - drop), dtype="f")


def _store(target: Any, value: Any) -> Any:
    target[...] = value
    return target


__all__ = ["ActivationOps", "formula"]
