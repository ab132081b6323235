from typing import Callable, List, Optional, Sequence, Tuple, TypeVar

from ..model import Model
from ._views import refusal

__all__ = ["forward", "init", "map_list"]

InT = TypeVar("InT")
OutT = TypeVar("OutT")


def map_list(layer: Model[InT, OutT]) -> Model[List[InT], List[OutT]]:
    """Y = [f(X) for X in Xs].

    layer: f.

    >>> Xs = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> [Y.shape for Y in map_list(Linear(4)).initialize(Xs).predict(Xs)]
    [(5, 4), (2, 4)]
    """
    return Model("map_list", forward, layers=[layer], init=init)


def forward(
    model: Model[List[InT], List[OutT]], Xs: List[InT], is_train: bool
) -> Tuple[List[OutT], Callable[[List[OutT]], List[InT]]]:
    layer = model._layers[0]
    if not isinstance(Xs, Sequence):
        raise refusal("map_list: expected a list", Xs)
    Ys, callbacks = [], []
    for X in Xs:
        Y, callback = layer(X, is_train)
        Ys.append(Y)
        callbacks.append(callback)

    def backprop(dYs: List[OutT]) -> List[InT]:
        return [callback(dY) for callback, dY in zip(callbacks, dYs)]

    return Ys, backprop


def init(model: Model[List[InT], List[OutT]], X: Optional[List[InT]] = None, Y: Optional[List[OutT]] = None) -> None:
    model.layers[0].initialize(X=X[0] if X else None, Y=Y[0] if Y else None)
