from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ragged
from ._pool import pool_backprop, sequences

__all__ = ["forward", "reduce_max"]

InT = Ragged
OutT = Floats2d


@registry.layers("reduce_max.v1")
def reduce_max() -> Model[InT, OutT]:
    """Maximum over each sequence.

    X (T, O), lengths (B,) -> Y (B, O).  Every length must be at least 1.

    >>> X = Ragged(numpy.array([[1], [5], [3], [10]], dtype="f"), [3, 1])
    >>> reduce_max().predict(X).ravel()
    array([ 5., 10.], dtype=float32)
    """
    return Model("reduce_max", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    X, lengths = sequences(Xr, "reduce_max")
    Y, which = ops.reduce_max(X, lengths)

    def backprop_rows(dY: Floats2d) -> Floats2d:
        return ops.backprop_reduce_max(dY, which, lengths)

    return Y, pool_backprop(Xr, Y, backprop_rows)
