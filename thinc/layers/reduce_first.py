from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ragged
from ._pool import pool_backprop, sequences

__all__ = ["forward", "reduce_first"]

InT = Ragged
OutT = Floats2d


@registry.layers("reduce_first.v1")
def reduce_first() -> Model[InT, OutT]:
    """First row of each sequence.

    X (T, O), lengths (B,) -> Y (B, O).  Every length must be at least 1.

    >>> X = Ragged(numpy.array([[1], [2], [3], [10]], dtype="f"), [3, 1])
    >>> reduce_first().predict(X).ravel()
    array([ 1., 10.], dtype=float32)
    """
    return Model("reduce_first", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    ops = model.ops
    X, lengths = sequences(Xr, "reduce_first")
    Y, starts_ends = ops.reduce_first(X, lengths)

    def backprop_rows(dY: Floats2d) -> Floats2d:
        return ops.backprop_reduce_first(dY, starts_ends)

    return Y, pool_backprop(Xr, Y, backprop_rows)
