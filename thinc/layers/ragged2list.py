from typing import Callable, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import ListXd, Ragged
from ._views import as_list, expect_ragged

__all__ = ["forward", "ragged2list"]

InT = Ragged
OutT = TypeVar("OutT", bound=ListXd)


@registry.layers("ragged2list.v1")
def ragged2list() -> Model[InT, OutT]:
    """Ragged with data (T, ...) -> B arrays (t_i, ...).

    >>> Ys = ragged2list().predict(Ragged(numpy.ones((5, 2), dtype="f"), [1, 4]))
    >>> [Y.shape for Y in Ys]
    [(1, 2), (4, 2)]
    """
    return Model("ragged2list", forward)


def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    expect_ragged(Xr, "ragged2list")
    Ys, restore = as_list(model.ops, Xr)

    def backprop(dYs: OutT) -> InT:
        return cast(Callable, restore)(dYs) if len(Xr) else Xr

    return cast(OutT, Ys), backprop
