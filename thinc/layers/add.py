from typing import Any, Callable, Optional, Tuple, TypeVar, Union, cast

from ..config import registry
from ..model import Model
from ..model._tree import holds
from ..types import ArrayXd, ListXd, Padded, Ragged, XY_XY_OutT
from ..util import get_width
from ._sums import total
from ._views import learn_nI, says_nothing

__all__ = ["add", "forward", "init"]

InT = TypeVar("InT", bound=Any)
OutT = TypeVar("OutT", bound=Union[ArrayXd, ListXd, Ragged, Padded])


@registry.layers("add.v1")
def add(
    layer1: Model[InT, XY_XY_OutT], layer2: Model[InT, XY_XY_OutT], *layers: Model[InT, XY_XY_OutT]
) -> Model[InT, XY_XY_OutT]:
    """Y = f(X) + g(X) + ...; lists item by item, Ragged and Padded by their data.

    Where the first layer is a sum already, the others are added to that same object, unless they hold it.

    layer1, layer2, layers: f, g, …, of the same input and the same width out.

    >>> X = numpy.ones((2, 1), dtype="f")
    >>> add(noop(), noop()).predict(X)
    array([[2.],
           [2.]], dtype=float32)
    """
    if layer1._func is forward and not any(holds(layer, layer1) for layer in (layer2, *layers)):
        layer1.layers.extend((layer2, *layers))
        return layer1
    all_layers = (layer1, layer2, *layers)
    dims: dict = {"nO": None}
    if all(layer.has_dim("nI") is not False for layer in all_layers):
        dims["nI"] = None
    return Model("add", forward, init=init, dims=dims, layers=all_layers)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    layers = model._layers
    if not layers:
        return cast(OutT, X), _identity
    Ys, callbacks = zip(*[layer(X, is_train) for layer in layers])

    def backprop(dY: OutT) -> InT:
        return total([callback(dY) for callback in callbacks])

    return total(Ys), backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    """Every layer is given X, and Y if its nO is unset."""
    layers = model.layers
    learn_nI((model, *layers), X)
    for layer in layers:
        if says_nothing(Y) or layer.has_dim("nO") is not None:
            layer.initialize(X=X)
        else:
            layer.set_dim("nO", get_width(cast(Any, Y)))
            layer.initialize(X=X, Y=Y)
    if layers and layers[0].has_dim("nO"):
        model.set_dim("nO", layers[0].get_dim("nO"))
    elif layers and not says_nothing(X):
        model.set_dim("nO", get_width(layers[0].predict(X)))


def _identity(dY: Any) -> Any:
    return dY
