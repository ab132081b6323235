"""What the reduce_* layers share: one row per sequence, and the way back.

Dimensions: T rows of all sequences, B sequences, O width.
"""

from typing import Callable, Tuple

from ..types import Floats2d, Ints1d, Ragged
from ..util import ArrayInfo
from ._views import expect_ragged, rows_of


def sequences(Xr: Ragged, name: str) -> Tuple[Floats2d, Ints1d]:
    """The rows (T, O) and the lengths (B,).  TypeError for anything but a Ragged."""
    expect_ragged(Xr, name)
    return rows_of(Xr.check()), Xr.lengths


def pool_backprop(
    Xr: Ragged, Y: Floats2d, backprop_rows: Callable[[Floats2d], Floats2d]
) -> Callable[[Floats2d], Ragged]:
    """The layer's callback: dY must be like Y; the gradient is a matrix if Xr has items without width."""
    array_info = ArrayInfo.from_array(Y)
    shape = Xr.dataXd.shape

    def backprop(dY: Floats2d) -> Ragged:
        array_info.check_consistency(dY)
        dX = backprop_rows(dY)
        return Xr.with_data(dX if len(shape) < 2 else dX.reshape(shape))

    return backprop
