from typing import Any, Callable, Optional, Sequence, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import ArrayXd, ListXd
from ._views import expect_list, flatten_nested, lengths_of, regroup

__all__ = ["forward", "init", "with_flatten"]

ItemT = TypeVar("ItemT")
InT = Sequence[Sequence[ItemT]]
OutT = ListXd
InnerInT = Sequence[ItemT]
InnerOutT = ArrayXd


@registry.layers("with_flatten.v1")
def with_flatten(layer: Model[InnerInT[Any], InnerOutT]) -> Model[InT[Any], OutT]:
    """A layer from a flat list to an array, applied to a list of sequences.

    All items of all sequences go in as one list; the rows that come out are given back
    per sequence.

    layer: list of items -> array, one row for each.

    >>> model = with_flatten(remap_ids_v2({"a": 1, "b": 2}))
    >>> [Y.ravel().tolist() for Y in model.predict([["a", "b"], ["b"]])]
    [[1, 2], [2]]
    """
    return Model(f"with_flatten({layer.name})", forward, layers=[layer], init=init)


def forward(model: Model[InT, OutT], Xnest: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    lengths = lengths_of(Xnest)
    Y, backprop_layer = model._layers[0](flatten_nested(Xnest), is_train)

    def backprop(dYs: OutT) -> Any:
        expect_list(dYs, "with_flatten")
        return _split(ops, backprop_layer(ops.flatten(dYs)), lengths)

    return cast(OutT, _split(ops, Y, lengths)), backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    model.layers[0].initialize(
        X=flatten_nested(X) if X is not None else None, Y=model.ops.xp.hstack(Y) if Y is not None else None
    )


def _split(ops: Any, flat: Any, lengths: Any) -> Any:
    """Rows or items per sequence; a gradient of [] or None stays what it is."""
    if flat is None or isinstance(flat, (list, tuple)):
        return regroup(flat, lengths) if flat else flat
    return ops.unflatten(flat, lengths)
