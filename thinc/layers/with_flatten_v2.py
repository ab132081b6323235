from typing import Any, Callable, List, Optional, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..util import is_xp_array
from ._views import flatten_nested, lengths_of, regroup

__all__ = ["forward", "init", "with_flatten_v2"]

InItemT = TypeVar("InItemT")
OutItemT = TypeVar("OutItemT")
ItemT = TypeVar("ItemT")

NestedT = List[List[ItemT]]
FlatT = List[ItemT]


@registry.layers("with_flatten.v2")
def with_flatten_v2(layer: Model[FlatT[InItemT], FlatT[OutItemT]]) -> Model[NestedT[InItemT], NestedT[OutItemT]]:
    """A layer from a flat list to a flat list or an array, applied to a list of lists.

    An array is given back in slices, one for each list.

    layer: list of items -> list or array.

    >>> model = with_flatten_v2(remap_ids_v2({"a": 1, "b": 2}))
    >>> [Y.ravel().tolist() for Y in model.predict([["a", "b"], ["b"]])]
    [[1, 2], [2]]
    """
    return Model(f"with_flatten({layer.name})", forward, layers=[layer], init=init)


def forward(
    model: Model[NestedT[InItemT], NestedT[OutItemT]], Xnest: NestedT[InItemT], is_train: bool
) -> Tuple[NestedT[OutItemT], Callable]:
    ops = model.ops
    lengths = lengths_of(Xnest)
    Y, backprop_layer = model._layers[0](flatten_nested(Xnest), is_train)

    def backprop(dYnest: NestedT[OutItemT]) -> NestedT[InItemT]:
        dY: Any = ops.flatten(cast(Any, dYnest)) if is_xp_array(Y) else flatten_nested(dYnest)
        return regroup(backprop_layer(dY), lengths)

    return regroup(Y, lengths), backprop


def init(
    model: Model[NestedT[InItemT], NestedT[OutItemT]],
    X: Optional[NestedT[InItemT]] = None,
    Y: Optional[NestedT[OutItemT]] = None,
) -> None:
    model.layers[0].initialize(
        X=flatten_nested(X) if X is not None else None, Y=model.ops.xp.hstack(Y) if Y is not None else None
    )
