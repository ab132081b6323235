from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ragged
from ._pool import pool_backprop, sequences

__all__ = ["forward", "reduce_sum"]

InT = Ragged
OutT = Floats2d


@registry.layers("reduce_sum.v1")
def reduce_sum() -> Model[InT, OutT]:
    """Sum over each sequence.

    X (T, O), lengths (B,) -> Y (B, O).  An empty sequence gives zeros.

    >>> X = Ragged(numpy.array([[1], [2], [3], [10]], dtype="f"), [3, 1])
    >>> reduce_sum().predict(X).ravel()
    array([ 6., 10.], dtype=float32)
    """
    return Model("reduce_sum", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    X, lengths = sequences(Xr, "reduce_sum")
    Y = ops.reduce_sum(X, lengths)

    def backprop_rows(dY: Floats2d) -> Floats2d:
        return ops.backprop_reduce_sum(dY, lengths)

    return Y, pool_backprop(Xr, Y, backprop_rows)
