"""Matrix products and what surrounds them in a dense layer.

Dimensions: N rows, I in, O out, P pieces.
"""

from typing import Any, Optional, Tuple

from ..types import Floats1d, Floats2d, Floats3d, Ints2d, Xp
from ._arrays import as_floats
from ._norms import NormOps
from ._quantized import int8_product, is_int8_rows, widened


class DenseOps(NormOps):
    """gemm, affine, maxout, and the fused forms of a layer."""

    xp: Xp

    def gemm(
        self, x: Floats2d, y: Floats2d, out: Optional[Floats2d] = None, trans1: bool = False, trans2: bool = False
    ) -> Floats2d:
        """x @ y, each transposed on request, in out if given.

        x, y: matrices.  out: to write to.  trans1, trans2: whether to transpose x, y.

        >>> ops = NumpyOps()
        >>> ops.gemm(ops.asarray2f([[1, 2]]), ops.asarray2f([[3, 4]]), trans2=True)
        array([[11.]], dtype=float32)
        """
        check_matrices(x, y)
        a, b = as_floats(x), as_floats(y)
        a, b = (a.T if trans1 else a), (b.T if trans2 else b)
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
        """Y = X W^T + b.  X (N, I), W (O, I), b (O,) -> Y (N, O).

        W may be of float16 or int8 rows, here and in the ops below: see _quantized.py.

        >>> ops = NumpyOps()
        >>> ops.affine(ops.asarray2f([[1, 2]]), ops.asarray2f([[1, 0], [0, 1], [1, 1]]), ops.asarray1f([0, 0, 10]))
        array([[ 1.,  2., 13.]], dtype=float32)
        """
        Y: Any
        if W.ndim == X.ndim == 2 and is_int8_rows(W, X.shape[1]):
            Y = int8_product(self.xp, as_floats(X), W)
        else:
            Y = self.gemm(X, widened(W, X), trans2=True)
        Y += b
        return Y

    def affine_maxout(self, X: Floats2d, W: Floats3d, b: Floats2d) -> Tuple[Floats2d, Ints2d]:
        """maxout(affine(X, W, b)).  X (N, I), W (O, P, I), b (O, P) -> (best, which).

        best and which are (N, O), as from maxout.  Goodfellow et al. 2013.

        >>> ops = NumpyOps()
        >>> W = ops.asarray3f([[[1, 0], [0, 1]]])  # one output of two pieces
        >>> ops.affine_maxout(ops.asarray2f([[1, 2], [4, 3]]), W, ops.alloc2f(1, 2))
        (array([[2.],
               [4.]], dtype=float32), array([[1],
               [0]], dtype=int32))
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
        G, beta, eps: of the norm.  X, W, b: of the rest.

        >>> ops = NumpyOps()
        >>> W = ops.asarray3f([[[1, 0], [0, 1]], [[2, 0], [0, 2]]])
        >>> Y, *kept = ops.affine_maxout_layer_norm(
        ...     ops.asarray2f([[1, 2]]), W, ops.alloc2f(2, 2), ops.asarray1f([1, 1]), ops.alloc1f(2)
        ... )
        >>> Y.round(3)
        array([[-1.,  1.]], dtype=float32)
        """
        best, which = self.affine_maxout(X, W, b)
        Y, mu, rstd = self.layer_norm(best, G, beta, eps)
        return Y, best, which, mu, rstd

    def maxout(self, X: Floats3d) -> Tuple[Floats2d, Ints2d]:
        """The largest piece and its number, the first of equals.

        X (N, O, P) -> best (N, O), which (N, O) int32.

        >>> ops = NumpyOps()
        >>> ops.maxout(ops.asarray3f([[[1, 5], [4, 2]]]))
        (array([[5., 4.]], dtype=float32), array([[1, 0]], dtype=int32))
        """
        if X.ndim != 3:
            raise ValueError(f"maxout: expected 3 dimensions, got {X.ndim}")
        if X.shape[2] == 0:
            raise ValueError(f"maxout: expected at least one piece, got shape {X.shape}")
        which: Any = X.argmax(axis=-1)
        best: Any = self.xp.take_along_axis(X, which[..., None], axis=-1)
        return best[..., 0], which.astype("int32")

    def backprop_maxout(self, dY: Floats2d, which: Ints2d, P: int) -> Floats3d:
        """The gradient goes to the piece that won.  dY (N, O) -> dX (N, O, P).

        P: the number of pieces.  which: as `maxout` gave it.

        >>> ops = NumpyOps()
        >>> ops.backprop_maxout(ops.asarray2f([[7, 8]]), ops.asarray2i([[1, 0]]), P=2)
        array([[[0., 7.],
                [8., 0.]]], dtype=float32)
        """
        if dY.shape != which.shape:
            raise ValueError(f"backprop_maxout: dY has shape {dY.shape}, which has {which.shape}")
        bad = (which < 0) | (which >= P)
        if bad.any():
            raise IndexError(f"index {int(which[bad][0])} is out of bounds for maxout with size {P}")
        gradient: Any = dY
        winner: Any = which
        if winner.dtype.kind not in "iu":
            raise TypeError(f"backprop_maxout: expected integers in which, got {winner.dtype}")
        won = winner[..., None] == self.xp.arange(P, dtype=winner.dtype)
        return self.xp.where(won, gradient[..., None], gradient.dtype.type(0))


def check_matrices(x: Any, y: Any) -> None:
    """gemm takes two matrices."""
    for name, array in (("x", x), ("y", y)):
        if array.ndim != 2:
            raise ValueError(f"Provided '{name}' array should be 2-dimensional, but found {array.ndim} dimension(s).")


__all__ = ["DenseOps", "check_matrices"]
