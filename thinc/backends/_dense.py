"""Matrix products and what surrounds them in a dense layer.

Dimensions: N rows, I in, O out, P pieces.
"""

from typing import Any, Optional, Tuple, TypeVar, cast

import numpy

from ..types import Floats1d, Floats2d, Floats3d, FloatsXd, Ints1d, Ints2d, Xp

FloatsT = TypeVar("FloatsT", bound=Any)


class DenseOps:
    """gemm, affine, layer normalization, softmax."""

    xp: Xp

    def gemm(
        self, x: Floats2d, y: Floats2d, out: Optional[Floats2d] = None, trans1: bool = False, trans2: bool = False
    ) -> Floats2d:
        """x @ y, each transposed on request, in out if given."""
        check_matrices(x, y)
        a: Any = x.T if trans1 else x
        b: Any = y.T if trans2 else y
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"Shape mismatch for gemm: {a.shape}, {b.shape}")
        if out is None:
            return self.xp.dot(a, b)
        shape = (a.shape[0], b.shape[1])
        if out.shape != shape:
            raise ValueError(f"Shape mismatch for output matrix, was: {out.shape}, expected {shape}")
        # Not dot(out=), which refuses memory that is not contiguous.
        result: Any = out
        result[...] = self.xp.dot(a, b)
        return out

    def affine(self, X: Floats2d, W: Floats2d, b: Floats1d) -> Floats2d:
        """Y = X W^T + b.  X (N, I), W (O, I), b (O,) -> Y (N, O)."""
        Y: Any = self.gemm(X, W, trans2=True)
        Y += b
        return Y

    def sum_rows(self, dY: Floats2d) -> Floats1d:
        """The sum of all rows, (N, O) -> (O,): the gradient of a bias."""
        rows: Any = dY
        return rows.sum(axis=0, dtype=rows.dtype)

    def affine_maxout(self, X: Floats2d, W: Floats3d, b: Floats2d) -> Tuple[Floats2d, Ints2d]:
        """maxout(affine(X, W, b)).  X (N, I), W (O, P, I), b (O, P) -> (best, which).

        best and which are (N, O), as from maxout.  Goodfellow et al. 2013.
        """
        nO, nP, nI = W.shape
        weights: Any = W.reshape((nO * nP, nI))
        bias: Any = b.reshape((nO * nP,))
        Y: Any = self.affine(X, weights, bias)
        return self.maxout(Y.reshape((len(Y), nO, nP)))

    def affine_maxout_layer_norm(
        self,
        X: Floats2d,
        W: Floats3d,
        b: Floats2d,
        G: Floats1d,
        beta: Floats1d,
        eps: float = 1e-8,
        is_train: bool = True,
    ) -> Tuple[Floats2d, Optional[Floats2d], Optional[Ints2d], Floats1d, Floats1d]:
        """`affine_maxout`, and `layer_norm` of the best: (Y, best, which, mu, rstd).

        Without is_train best and which may be None: only a backward pass reads them.
        """
        best, which = self.affine_maxout(X, W, b)
        Y, mu, rstd = self.layer_norm(best, G, beta, eps)
        return Y, best, which, mu, rstd

    def maxout(self, X: Floats3d) -> Tuple[Floats2d, Ints2d]:
        """The largest piece and its number, the first of equals.

        X (N, O, P) -> best (N, O), which (N, O) int32.
        """
        if X.ndim != 3:
            raise ValueError(f"maxout: expected 3 dimensions, got {X.ndim}")
        if X.shape[2] == 0:
            raise ValueError(f"maxout: expected at least one piece, got shape {X.shape}")
        which: Any = X.argmax(axis=-1)
        best: Any = self.xp.take_along_axis(X, which[..., None], axis=-1)
        return best[..., 0], which.astype("int32")

    def backprop_maxout(self, dY: Floats2d, which: Ints2d, P: int) -> Floats3d:
        """The gradient goes to the piece that won.  dY (N, O) -> dX (N, O, P)."""
        if dY.shape != which.shape:
            raise ValueError(f"backprop_maxout: dY has shape {dY.shape}, which has {which.shape}")
        bad = (which < 0) | (which >= P)
        if bad.any():
            raise IndexError(f"index {int(which[bad][0])} is out of bounds for maxout with size {P}")
        gradient: Any = dY
        winner: Any = which
        won = winner[..., None] == self.xp.arange(P, dtype=winner.dtype)
        return self.xp.where(won, gradient[..., None], gradient.dtype.type(0))

    def layer_norm(
        self, X: Floats2d, G: Floats1d, b: Floats1d, eps: float = 1e-8
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        """Each row at mean 0 and variance 1, times G, plus b.  Ba, Kiros & Hinton 2016.

            mu = mean(x)    rstd = (mean((x - mu)^2) + eps)^-1/2
            Y = (x - mu) * rstd * G + b

        X (N, O), G (O,), b (O,) -> Y (N, O), mu (N,), rstd (N,).
        """
        _check_width("layer_norm", X, G)
        _check_width("layer_norm", X, b)
        with numpy.errstate(invalid="ignore"):
            mu = X.mean(axis=1, keepdims=True, dtype=X.dtype)
            var = ((X - mu) ** 2).mean(axis=1, keepdims=True, dtype=X.dtype) + eps
            rstd = 1.0 / self.xp.sqrt(var)
            Y = (X - mu) * rstd * G + b
        return Y, mu[:, 0], rstd[:, 0]

    def backprop_layer_norm(
        self, dY: Floats2d, X: Floats2d, G: Floats1d, mu: Floats1d, rstd: Floats1d
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        """-> dX (N, O), dG (O,), db (O,).

        xhat = (x - mu) * rstd    g = dY * G
        dX = rstd * (g - mean(g) - xhat * mean(g * xhat))
        """
        _check_width("backprop_layer_norm", X, G)
        if dY.shape != X.shape:
            raise ValueError(f"backprop_layer_norm: dY has shape {dY.shape}, X has {X.shape}")
        with numpy.errstate(invalid="ignore"):
            rstds: Any = self.xp.expand_dims(rstd, 1)
            Xhat: Any = (X - self.xp.expand_dims(mu, 1)) * rstds
            g: Any = dY * G
            mean_g = g.mean(axis=1, keepdims=True, dtype=X.dtype)
            mean_gx = (g * Xhat).mean(axis=1, keepdims=True, dtype=X.dtype)
            dX = rstds * (g - mean_g - Xhat * mean_gx)
        return dX, self.sum_rows(dY * Xhat), self.sum_rows(dY)

    def softmax(self, x: FloatsT, *, inplace: bool = False, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        """exp(x / temperature), normalized to sum 1 along the axis.

        Always a new array: inplace is accepted and ignored.
        """
        if temperature != 1.0:
            x = x / temperature
        if x.size == 0:
            return x.copy()
        with numpy.errstate(invalid="ignore"):
            # The largest exponent becomes 0, so that exp cannot overflow.
            Y = self.xp.exp(x - x.max(axis=axis, keepdims=True))
            Y /= Y.sum(axis=axis, keepdims=True)
        return Y

    def backprop_softmax(self, Y: FloatsT, dY: FloatsT, *, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        """dX = Y * (dY - sum(Y * dY)) / temperature.  Note the order: Y, then dY."""
        if Y.shape != dY.shape:
            raise ValueError(f"arrays have incompatible shapes: {Y.shape} and {dY.shape}")
        if temperature != 1.0:
            dY = dY / temperature
        dX = Y * dY
        dX -= Y * dX.sum(axis=axis, keepdims=True)
        return dX

    def backprop_cross_entropy(
        self, Y: Floats2d, classes: Ints1d, *, label_smoothing: float = 0.0, scale: float = 1.0
    ) -> Floats2d:
        """The gradient of cross-entropy for the input of the softmax that gave Y.

            dX = (Y - target) * scale
            target = 1 - s for the class of the row, s / (O - 1) for the others

        Y (N, O) in [0, 1], classes (N,) -> dX (N, O). A negative class is unknown: its
        row is 0. ValueError for a Y outside [0, 1], IndexError for a class of O or more.
        """
        N, O = Y.shape
        if classes.shape != (N,):
            raise ValueError(f"backprop_cross_entropy: expected classes ({N},), got {classes.shape}")
        if (Y < 0).any() or (Y > 1).any():
            raise ValueError("backprop_cross_entropy: expected Y in [0, 1]")
        if (classes >= O).any():
            raise IndexError(f"backprop_cross_entropy: class {int(classes.max())} is out of bounds for {O} classes")
        right, wrong = smoothed(label_smoothing, O)
        rows: Any = self.xp.arange(N)
        target: Any = self.xp.full((N, O), wrong, dtype=Y.dtype)
        target[rows, classes] = right
        dX: Any = (Y - target) * scale
        dX[classes < 0] = 0
        return dX

    def cosine_distance(self, Y: Floats2d, truths: Floats2d, *, scale: float = 1.0) -> Tuple[Floats2d, Floats1d]:
        """The gradient of -cos for the first of two rows, and the cosine of each pair.

            dY = (cos * y / |y|^2 - t / (|y| |t|)) * scale,  y = Y + 1e-8, t = truths + 1e-8

        Y, truths (N, O) -> dY (N, O), cos (N,).
        """
        # Off 0, where a row has no direction.
        y, t = Y + 1e-8, truths + 1e-8
        products = [self.xp.einsum("ij,ij->i", a, b) for a, b in ((y, t), (y, y), (t, t))]
        dots, squares, others = products
        norms = self.xp.sqrt(squares) * self.xp.sqrt(others)
        cosines = dots / norms
        dY: Any = y * (cosines / squares * scale)[:, None]
        dY -= t * (scale / norms)[:, None]
        return dY, cosines

    def l2_distance(self, Y: FloatsXd, truths: FloatsXd, *, scale: float = 1.0) -> Tuple[FloatsXd, float]:
        """dY = (Y - truths) * scale, and the sum of its squares."""
        dY: Any = cast(Any, Y) - truths
        dY *= scale
        return dY, self.xp.vdot(dY, dY)


def smoothed(label_smoothing: float, n_classes: int) -> Tuple[float, float]:
    """What the right class gets, and each of the others."""
    return 1.0 - label_smoothing, label_smoothing / max(n_classes - 1, 1)


def check_matrices(x: Any, y: Any) -> None:
    """gemm takes two matrices."""
    for name, array in (("x", x), ("y", y)):
        if array.ndim != 2:
            raise ValueError(f"Provided '{name}' array should be 2-dimensional, but found {array.ndim} dimension(s).")


def _check_width(op: str, X: Any, vector: Any) -> None:
    if X.ndim != 2 or vector.shape != (X.shape[1],):
        raise ValueError(f"{op}: expected X (N, O) and parameters (O,), got {X.shape} and {vector.shape}")


__all__ = ["DenseOps", "check_matrices"]
