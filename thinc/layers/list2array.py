from typing import Callable, List, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import Array2d
from ._views import NUMPY_OPS, flatten, lengths_of

__all__ = ["NUMPY_OPS", "forward", "list2array"]

OutT = TypeVar("OutT", bound=Array2d)
InT = List[OutT]


@registry.layers("list2array.v1")
def list2array() -> Model[InT, OutT]:
    """All rows of all sequences.  B arrays (t_i, O) -> Y (T, O).

    >>> list2array().predict([numpy.array([[1], [2]], dtype="f"), numpy.array([[3]], dtype="f")])
    array([[1.],
           [2.],
           [3.]], dtype=float32)
    """
    return Model("list2array", forward)


def forward(model: Model[InT, OutT], Xs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    lengths = lengths_of(Xs)

    def backprop(dY: OutT) -> InT:
        return cast(InT, ops.unflatten(dY, lengths))

    return flatten(ops, Xs), backprop
