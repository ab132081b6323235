"""Normalization of rows: layer norm and softmax, readable.

Dimensions: N rows, O columns.
"""

from typing import Any, Tuple, TypeVar

import numpy

from ..types import Floats1d, Floats2d, Xp
from ._arrays import as_floats

FloatsT = TypeVar("FloatsT", bound=Any)


class NormOps:
    """layer_norm, softmax, their gradients, and sums of rows."""

    xp: Xp

    def layer_norm(
        self, X: Floats2d, G: Floats1d, b: Floats1d, eps: float = 1e-8
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        """Each row at mean 0 and variance 1, times G, plus b.  Ba, Kiros & Hinton 2016.

            mu = mean(x)    rstd = (mean((x - mu)^2) + eps)^-1/2
            Y = (x - mu) * rstd * G + b

        X (N, O), G (O,), b (O,) -> Y (N, O), mu (N,), rstd (N,).

        >>> ops = NumpyOps()
        >>> Y, mu, rstd = ops.layer_norm(ops.asarray2f([[1, 2, 3]]), ops.asarray1f([1, 1, 1]), ops.alloc1f(3))
        >>> Y.round(3), mu
        (array([[-1.225,  0.   ,  1.225]], dtype=float32), array([2.], dtype=float32))
        """
        _check_width("layer_norm", X, G)
        _check_width("layer_norm", X, b)
        with numpy.errstate(invalid="ignore", divide="ignore"):
            X, G, b = as_floats(X), as_floats(G), as_floats(b)
            mu = X.mean(axis=1, keepdims=True)
            var = ((X - mu) ** 2).mean(axis=1, keepdims=True) + eps
            rstd = 1.0 / self.xp.sqrt(var)
            Y = (X - mu) * rstd * G + b
        return Y, mu[:, 0], rstd[:, 0]

    def backprop_layer_norm(
        self, dY: Floats2d, X: Floats2d, G: Floats1d, mu: Floats1d, rstd: Floats1d
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        """-> dX (N, O), dG (O,), db (O,).

        xhat = (x - mu) * rstd    g = dY * G
        dX = rstd * (g - mean(g) - xhat * mean(g * xhat))

        dY, X: of the output and the input.  mu, rstd: as `layer_norm` gave them.

        >>> ops = NumpyOps()
        >>> X, G = ops.asarray2f([[1, 2, 3]]), ops.asarray1f([1, 1, 1])
        >>> Y, mu, rstd = ops.layer_norm(X, G, ops.alloc1f(3))
        >>> dX, dG, db = ops.backprop_layer_norm(ops.asarray2f([[1, 0, 0]]), X, G, mu, rstd)
        >>> dX.round(3), db
        (array([[ 0.204, -0.408,  0.204]], dtype=float32), array([1., 0., 0.], dtype=float32))
        """
        _check_width("backprop_layer_norm", X, G)
        if dY.shape != X.shape:
            raise ValueError(f"backprop_layer_norm: dY has shape {dY.shape}, X has {X.shape}")
        if not mu.shape == rstd.shape == X.shape[:1]:
            raise ValueError(
                f"backprop_layer_norm: expected mu and rstd {X.shape[:1]}, got {mu.shape} and {rstd.shape}"
            )
        with numpy.errstate(invalid="ignore"):
            dY, X, G, mu, rstd = map(as_floats, (dY, X, G, mu, rstd))
            rstds: Any = self.xp.expand_dims(rstd, 1)
            Xhat: Any = (X - self.xp.expand_dims(mu, 1)) * rstds
            g: Any = dY * G
            mean_g = g.mean(axis=1, keepdims=True)
            mean_gx = (g * Xhat).mean(axis=1, keepdims=True)
            dX = rstds * (g - mean_g - Xhat * mean_gx)
        return dX, self.sum_rows(dY * Xhat), self.sum_rows(dY)

    def sum_rows(self, dY: Floats2d) -> Floats1d:
        """The sum of all rows, (N, O) -> (O,): the gradient of a bias.

        dY: a matrix.

        >>> ops = NumpyOps()
        >>> ops.sum_rows(ops.asarray2f([[1, 2], [3, 4]]))
        array([4., 6.], dtype=float32)
        """
        rows: Any = as_floats(dY)
        return rows.sum(axis=0)

    def softmax(self, x: FloatsT, *, inplace: bool = False, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        """exp(x / temperature), normalized to sum 1 along the axis.

        Always a new array: inplace is accepted and ignored.
        axis: along which.  temperature: above 1 evens out.

        >>> ops = NumpyOps()
        >>> ops.softmax(ops.asarray2f([[0, 1, 2]])).round(3)
        array([[0.09 , 0.245, 0.665]], dtype=float32)
        """
        if x.size == 0:
            return x.copy()
        x = as_floats(x)
        with numpy.errstate(invalid="ignore", divide="ignore", over="ignore"):
            # The largest exponent becomes 0 before the temperature divides, so that exp cannot overflow.
            x = x - (x.max if temperature > 0 else x.min)(axis=axis, keepdims=True)
            Y = self.xp.exp(x if temperature == 1.0 else x / temperature)
            Y /= Y.sum(axis=axis, keepdims=True)
        return Y

    def backprop_softmax(self, Y: FloatsT, dY: FloatsT, *, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        """dX = Y * (dY - sum(Y * dY)) / temperature.  Note the order: Y, then dY.

        Y: what came out.  dY: its gradient.  axis, temperature: as in `softmax`.

        >>> ops = NumpyOps()
        >>> Y = ops.softmax(ops.asarray2f([[0, 1, 2]]))
        >>> ops.backprop_softmax(Y, ops.asarray2f([[1, 0, 0]])).round(3)
        array([[ 0.082, -0.022, -0.06 ]], dtype=float32)
        """
        if Y.shape != dY.shape:
            raise ValueError(f"arrays have incompatible shapes: {Y.shape} and {dY.shape}")
        Y, dY = as_floats(Y), as_floats(dY)
        if temperature != 1.0:
            dY = dY / temperature
        dX = Y * dY
        dX -= Y * dX.sum(axis=axis, keepdims=True)
        return dX


def _check_width(op: str, X: Any, vector: Any) -> None:
    if X.ndim != 2 or vector.shape != (X.shape[1],):
        raise ValueError(f"{op}: expected X (N, O) and parameters (O,), got {X.shape} and {vector.shape}")


__all__ = ["NormOps"]
