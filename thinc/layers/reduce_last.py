from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ragged
from ._pool import pool_backprop, sequences

__all__ = ["forward", "reduce_last"]

InT = Ragged
OutT = Floats2d


@registry.layers("reduce_last.v1")
def reduce_last() -> Model[InT, OutT]:
    """Last row of each sequence.

    X (T, O), lengths (B,) -> Y (B, O).  Every length must be at least 1.

    >>> X = Ragged(numpy.array([[1], [2], [3], [10]], dtype="f"), [3, 1])
    >>> reduce_last().predict(X).ravel()
    array([ 3., 10.], dtype=float32)
    """
    return Model("reduce_last", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    ops = model.ops
    X, lengths = sequences(Xr, "reduce_last")
    Y, lasts = ops.reduce_last(X, lengths)

    def backprop_rows(dY: Floats2d) -> Floats2d:
        return ops.backprop_reduce_last(dY, lasts)

    return Y, pool_backprop(Xr, Y, backprop_rows)
