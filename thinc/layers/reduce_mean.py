from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ragged
from ._pool import pool_backprop, sequences

__all__ = ["forward", "reduce_mean"]

InT = Ragged
OutT = Floats2d


@registry.layers("reduce_mean.v1")
def reduce_mean() -> Model[InT, OutT]:
    """Mean over each sequence.

    X (T, O), lengths (B,) -> Y (B, O).  An empty sequence gives zeros.

    >>> X = Ragged(numpy.array([[1], [2], [3], [10]], dtype="f"), [3, 1])
    >>> reduce_mean().predict(X).ravel()
    array([ 2., 10.], dtype=float32)
    """
    return Model("reduce_mean", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    X, lengths = sequences(Xr, "reduce_mean")
    Y = ops.reduce_mean(X, lengths)

    def backprop_rows(dY: Floats2d) -> Floats2d:
        return ops.backprop_reduce_mean(dY, lengths)

    return Y, pool_backprop(Xr, Y, backprop_rows)
