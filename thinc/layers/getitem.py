from typing import Any, Callable, Tuple

from ..model import Model
from ..util import is_xp_array
from ._views import refusal

__all__ = ["check_item", "forward", "get_item", "getitem"]


def getitem(index: int) -> Model[Any, Any]:
    """One item of a list or tuple of inputs: Y = X[index].

    The gradient is of X's kind and length: dY at `index`, zeros for the other arrays,
    and an empty list for items that are not arrays.  `with_getitem` keeps the other
    items instead.

    >>> getitem(1).predict(["first", "second"])
    'second'
    """
    return Model("getitem", forward, attrs={"index": index})


def forward(model: Model[Any, Any], X: Any, is_train: bool) -> Tuple[Any, Callable]:
    index = model.attrs["index"]
    if not isinstance(X, (list, tuple)):
        raise TypeError(f"{refusal('getitem: expected a list or tuple', X)}. For a part of an array use array_getitem.")
    check_item("getitem", X, index)

    def backprop(dY: Any) -> Any:
        dXs = [model.ops.alloc(item.shape, dtype=item.dtype) if is_xp_array(item) else [] for item in X]
        dXs[index] = dY
        return tuple(dXs) if isinstance(X, tuple) else dXs

    return X[index], backprop


def check_item(name: str, X: Any, index: int) -> None:
    """IndexError if there is no such item."""
    if not -len(X) <= index < len(X):
        raise IndexError(f"{name}: no item {index} in {len(X)} inputs")


get_item = getitem
