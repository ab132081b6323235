from typing import Any, Sequence, Tuple, TypeVar, Union

from ..model import Model
from ..types import ArrayXd, FloatsXd, IntsXd
from ..util import is_xp_array
from ._views import refusal

__all__ = ["array_getitem", "floats_getitem", "forward", "ints_getitem"]

AxisIndex = Union[int, slice, Sequence[int]]
Index = Union[AxisIndex, Tuple[AxisIndex, ...]]
ArrayTXd = TypeVar("ArrayTXd", bound=ArrayXd)


def array_getitem(index: Index) -> Model[ArrayTXd, ArrayTXd]:
    """Y = X[index]: whatever part of an array its index can name.

    An array without rows is passed through.

    >>> X = numpy.arange(6, dtype="f").reshape(2, 3)
    >>> array_getitem((slice(0, None), 1)).predict(X)
    array([1., 4.], dtype=float32)
    """
    return Model("array-getitem", forward, attrs={"index": index})


def floats_getitem(index: Index) -> Model[FloatsXd, FloatsXd]:
    """`array_getitem` for arrays of floats."""
    return Model("floats-getitem", forward, attrs={"index": index})


def ints_getitem(index: Index) -> Model[IntsXd, IntsXd]:
    """`array_getitem` for arrays of ints."""
    return Model("ints-getitem", forward, attrs={"index": index})


# Not annotated: X may be any array, and there is no such type to validate against.
def forward(model, X, is_train):  # type: ignore[no-untyped-def]  # see above
    index = model.attrs["index"]
    if not is_xp_array(X) or not X.ndim:
        raise refusal(f"{model.name}: expected an array", X)
    shape = X.shape
    dtype = X.dtype
    is_empty = len(X) == 0
    Y = X if is_empty else X[index]

    def backprop(dY: Any) -> Any:
        dX = model.ops.alloc(shape, dtype=dtype)
        if not is_empty:
            dX[index] = dY
        return dX

    return Y, backprop
