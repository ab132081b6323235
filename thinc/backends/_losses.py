"""Gradients of losses, readable.

Dimensions: N rows, O columns.
"""

from typing import Any, Tuple, TypeVar, cast

from ..types import Floats1d, Floats2d, FloatsXd, Ints1d, Xp
from ._arrays import as_floats

FloatsT = TypeVar("FloatsT", bound=Any)


class LossOps:
    """Cross-entropy, cosine and L2 distance, log loss."""

    xp: Xp

    def backprop_cross_entropy(
        self, Y: Floats2d, classes: Ints1d, *, label_smoothing: float = 0.0, scale: float = 1.0
    ) -> Floats2d:
        """The gradient of cross-entropy for the input of the softmax that gave Y.

            dX = (Y - target) * scale
            target = 1 - s for the class of the row, s / (O - 1) for the others

        Y (N, O) in [0, 1], classes (N,) -> dX (N, O). A negative class is unknown: its
        row is 0. ValueError for a Y that is not in [0, 1], IndexError for a class of O or more.

        label_smoothing: s.  scale: of the gradient.

        >>> ops = NumpyOps()
        >>> Y = ops.asarray2f([[0.75, 0.25], [0.5, 0.5]])
        >>> ops.backprop_cross_entropy(Y, ops.asarray1i([0, -1]))
        array([[-0.25,  0.25],
               [ 0.  ,  0.  ]], dtype=float32)
        """
        N, O = Y.shape
        if classes.shape != (N,):
            raise ValueError(f"backprop_cross_entropy: expected classes ({N},), got {classes.shape}")
        if not ((Y >= 0) & (Y <= 1)).all():
            raise ValueError("backprop_cross_entropy: expected Y in [0, 1]")
        given: Any = classes
        if given.dtype.kind not in "iu":
            raise TypeError(f"backprop_cross_entropy: expected integer classes, got {classes.dtype}")
        if (classes >= O).any():
            raise IndexError(f"backprop_cross_entropy: class {int(classes.max())} is out of bounds for {O} classes")
        right, wrong = smoothed(label_smoothing, O)
        known: Any = self.xp.nonzero(classes >= 0)[0]
        Y = as_floats(Y)
        target: Any = self.xp.full((N, O), wrong, dtype=Y.dtype)
        target[known, classes[known]] = right
        dX: Any = (Y - target) * scale
        dX[classes < 0] = 0
        return dX

    def cosine_distance(self, Y: Floats2d, truths: Floats2d, *, scale: float = 1.0) -> Tuple[Floats2d, Floats1d]:
        """The gradient of -cos for the first of two rows, and the cosine of each pair.

            dY = (y (y . t) / |y|^2 - t) / (|y| |t|) * scale,  y = Y + 1e-8, t = truths + 1e-8

        Y, truths (N, O) -> dY (N, O), cos (N,).

        scale: of the gradient.

        >>> ops = NumpyOps()
        >>> dY, cos = ops.cosine_distance(ops.asarray2f([[1, 0]]), ops.asarray2f([[1, 1]]))
        >>> dY.round(3), cos.round(3)
        (array([[ 0.   , -0.707]], dtype=float32), array([0.707], dtype=float32))
        """
        if Y.ndim != 2 or Y.shape != truths.shape:
            raise ValueError(f"cosine_distance: expected two arrays (N, O), got {Y.shape} and {truths.shape}")
        Y, truths = as_floats(Y), as_floats(truths)
        # Off 0, where a row has no direction; in units of the largest, whose square may be infinite.
        y, t = cast(Any, Y) + 1e-8, cast(Any, truths) + 1e-8
        size = abs(y).max(axis=1, keepdims=True) if y.size else 1
        y = y / size
        t = t / (abs(t).max(axis=1, keepdims=True) if t.size else 1)
        dots, squares, others = (self.xp.einsum("ij,ij->i", a, b) for a, b in ((y, t), (y, y), (t, t)))
        norms = self.xp.sqrt(squares * others)
        dY: Any = (y * (dots / squares)[:, None] - t) * (scale / norms)[:, None] / size
        return dY, dots / norms

    def l2_distance(self, Y: FloatsXd, truths: FloatsXd, *, scale: float = 1.0) -> Tuple[FloatsXd, float]:
        """dY = (Y - truths) * scale, and the sum of its squares.

        scale: of the gradient.

        >>> ops = NumpyOps()
        >>> dY, loss = ops.l2_distance(ops.asarray1f([1, 2]), ops.asarray1f([1, 4]))
        >>> dY, float(loss)
        (array([ 0., -2.], dtype=float32), 4.0)
        """
        if Y.shape != truths.shape:
            raise ValueError(f"l2_distance: expected arrays of one shape, got {Y.shape} and {truths.shape}")
        dY: Any = as_floats(Y) - as_floats(truths)
        dY = dY * scale
        return dY, self.xp.vdot(dY, dY)

    def logloss(self, y_true: FloatsT, y_pred: FloatsT) -> float:
        """-(y log p + (1 - y) log(1 - p)), elementwise, away from log(0) by 1e-8.

        y_true, y_pred: shares, of one shape.

        >>> ops = NumpyOps()
        >>> ops.logloss(ops.asarray1f([1, 0]), ops.asarray1f([0.5, 0.5])).round(3)
        array([0.693, 0.693], dtype=float32)
        """
        log_yp = self.xp.log(y_pred + 1e-8)
        log_1p = self.xp.log((1.0 - y_pred) + 1e-8)
        return -(y_true * log_yp + (1.0 - y_true) * log_1p)


def smoothed(label_smoothing: float, n_classes: int) -> Tuple[float, float]:
    """What the right class gets, and each of the others."""
    return 1.0 - label_smoothing, label_smoothing / max(n_classes - 1, 1)


__all__ = ["LossOps", "smoothed"]
