from typing import Any, Callable, Optional, Tuple

from ..config import registry
from ..model import Model
from ._views import refusal
from .getitem import check_item

__all__ = ["forward", "init", "with_getitem"]

InT = Tuple[Any, ...]
OutT = Tuple[Any, ...]


@registry.layers("with_getitem.v1")
def with_getitem(idx: int, layer: Model) -> Model[InT, OutT]:
    """A layer applied to one item of a tuple; the others pass through.

    idx: which item.  layer: f.

    >>> X = (numpy.ones((5, 3), dtype="f"), ["as", "it", "is"])
    >>> Y, words = with_getitem(0, Linear(4)).initialize(X).predict(X)
    >>> Y.shape, words
    ((5, 4), ['as', 'it', 'is'])
    """
    return Model(f"with_getitem({layer.name})", forward, init=init, layers=[layer], attrs={"idx": idx})


def forward(model: Model[InT, OutT], items: InT, is_train: bool) -> Tuple[OutT, Callable]:
    idx = model.attrs["idx"]
    if not isinstance(items, (list, tuple)):
        raise refusal("with_getitem: expected a tuple", items)
    check_item("with_getitem", items, idx)
    Y_i, backprop_item = model._layers[0](items[idx], is_train)

    def backprop(d_output: OutT) -> InT:
        return _replace(d_output, idx, backprop_item(d_output[idx]))

    return _replace(items, idx, Y_i), backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    idx = model.attrs["idx"]
    model.layers[0].initialize(X=None if X is None else X[idx], Y=None if Y is None else Y[idx])


def _replace(items: Any, idx: int, item: Any) -> Any:
    changed = list(items)
    changed[idx] = item
    return changed if isinstance(items, list) else tuple(changed)
