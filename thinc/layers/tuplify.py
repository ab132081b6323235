from typing import Any, Callable, Optional, Tuple, TypeVar, overload

from ..config import registry
from ..model import Model
from ._sums import total

__all__ = ["init", "tuplify", "tuplify_forward"]

InT = TypeVar("InT")
OutT = Tuple[Any, ...]
Y1T = TypeVar("Y1T")
Y2T = TypeVar("Y2T")


@overload
def tuplify(layer1: Model[InT, Y1T], layer2: Model[InT, Y2T]) -> Model[InT, Tuple[Y1T, Y2T]]: ...
@overload
def tuplify(layer1: Model[InT, Any], layer2: Model[InT, Any], *layers: Model[InT, Any]) -> Model[InT, OutT]: ...
@registry.layers("tuplify.v1")
def tuplify(layer1: Model[InT, Any], layer2: Model[InT, Any], *layers: Model[InT, Any]) -> Model[InT, Any]:
    """Y = (f(X), g(X), ...).  The gradient is a tuple too.

    layer1, layer2, layers: f, g, …, all of the same input.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> [Y.shape for Y in tuplify(noop(), Linear(2)).initialize(X).predict(X)]
    [(5, 3), (5, 2)]
    """
    all_layers = (layer1, layer2, *layers)
    names = ", ".join(layer.name for layer in all_layers)
    return Model(f"tuple({names})", tuplify_forward, init=init, layers=all_layers, dims={"nI": None})


def tuplify_forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    Ys, callbacks = zip(*[layer(X, is_train) for layer in model._layers])

    def backprop(dYs: OutT) -> InT:
        return total([callback(dY) for callback, dY in zip(callbacks, dYs)])

    return Ys, backprop


forward = tuplify_forward


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    layers = model.layers
    if X is None and Y is None:
        for layer in layers:
            layer.initialize()
    for index, layer in enumerate(layers):
        if Y is not None and layer.has_dim("nO") is None:
            layer.initialize(X=X, Y=Y[index])
        else:
            layer.initialize(X=X)
    if layers[0].has_dim("nI"):
        model.set_dim("nI", layers[0].get_dim("nI"))
