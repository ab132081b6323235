from typing import Callable, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import List2d, Padded
from ._views import expect_arrays

__all__ = ["forward", "list2padded"]

InT = TypeVar("InT", bound=List2d)
OutT = Padded


@registry.layers("list2padded.v1")
def list2padded() -> Model[InT, OutT]:
    """B arrays (t_i, O) -> Padded with data (max t_i, B, O), longest first.

    >>> Xp = list2padded().predict([numpy.ones((1, 2), dtype="f"), numpy.ones((4, 2), dtype="f")])
    >>> Xp.data.shape, Xp.lengths, Xp.indices
    ((4, 2, 2), array([4, 1], dtype=int32), array([1, 0], dtype=int32))
    """
    return Model("list2padded", forward)


def forward(model: Model[InT, OutT], Xs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    expect_arrays(Xs, "list2padded")

    def backprop(dYp: OutT) -> InT:
        return cast(InT, ops.padded2list(dYp))

    return ops.list2padded(Xs), backprop
