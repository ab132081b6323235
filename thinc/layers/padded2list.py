from typing import Callable, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import List2d, Padded
from ._views import as_list, expect_padded

__all__ = ["forward", "padded2list"]

InT = Padded
OutT = TypeVar("OutT", bound=List2d)


@registry.layers("padded2list.v1")
def padded2list() -> Model[InT, OutT]:
    """Padded with data (T, B, O) -> B arrays (t_i, O), in their original order.

    >>> sequences = [numpy.ones((1, 2), dtype="f"), numpy.ones((4, 2), dtype="f")]
    >>> [Y.shape for Y in chain(list2padded(), padded2list()).predict(sequences)]
    [(1, 2), (4, 2)]
    """
    return Model("padded2list", forward)


def forward(model: Model[InT, OutT], Xp: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    expect_padded(Xp, "padded2list")
    Ys, restore = as_list(model.ops, Xp)

    def backprop(dYs: OutT) -> InT:
        return cast(Callable, restore)(dYs) if len(Xp) else Xp

    return cast(OutT, Ys), backprop
