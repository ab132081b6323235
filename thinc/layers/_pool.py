"""What the reduce_* layers share: one row per sequence, and the way back.

Dimensions: T rows of all sequences, B sequences, O width.
"""

from math import prod
from typing import Any, Callable, Tuple

from ..types import Floats2d, Ints1d, Ragged
from ..util import ArrayInfo


def sequences(Xr: Ragged, name: str) -> Tuple[Floats2d, Ints1d]:
    """The rows (T, O) and the lengths (B,).  TypeError for anything but a Ragged."""
    if not isinstance(Xr, Ragged):
        raise TypeError(
            f"{name}: expected Ragged, got {type(Xr).__name__}. "
            f"Put list2ragged() before it, or with_ragged(...) around it."
        )
    X: Any = Xr.data
    if not X.size:
        # Ragged.data forgets the width of an empty array; the next layer needs it.
        X = Xr.dataXd.reshape((0, prod(Xr.data_shape[1:])))
    return X, Xr.lengths


def pool_backprop(
    Xr: Ragged, Y: Floats2d, backprop_rows: Callable[[Floats2d], Floats2d]
) -> Callable[[Floats2d], Ragged]:
    """The layer's callback: dY must be like Y; the gradient gets the shape of Xr."""
    array_info = ArrayInfo.from_array(Y)
    lengths = Xr.lengths
    shape = Xr.dataXd.shape

    def backprop(dY: Floats2d) -> Ragged:
        array_info.check_consistency(dY)
        return Ragged(backprop_rows(dY).reshape(shape), lengths)

    return backprop
