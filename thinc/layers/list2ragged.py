from typing import Callable, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import ListXd, Ragged
from ._views import list_as_ragged

__all__ = ["forward", "list2ragged"]

InT = TypeVar("InT", bound=ListXd)
OutT = Ragged


@registry.layers("list2ragged.v1")
def list2ragged() -> Model[InT, OutT]:
    """B arrays (t_i, ...) -> Ragged with data (T, ...) and lengths (B,) int32.

    >>> Xr = list2ragged().predict([numpy.ones((1, 2), dtype="f"), numpy.ones((4, 2), dtype="f")])
    >>> Xr.data.shape, Xr.lengths
    ((5, 2), array([1, 4], dtype=int32))
    """
    return Model("list2ragged", forward)


def forward(model: Model[InT, OutT], Xs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops

    def backprop(dYr: OutT) -> InT:
        return cast(InT, ops.unflatten(dYr.dataXd, dYr.lengths))

    return list_as_ragged(ops, Xs), backprop
