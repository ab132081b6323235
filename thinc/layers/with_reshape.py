from typing import Any, Callable, Optional, Tuple, TypeVar, cast

from ..config import registry
from ..model import Model
from ..types import Array2d, Array3d
from ..util import is_xp_array
from ._views import refusal

__all__ = ["forward", "init", "with_reshape"]

InT = TypeVar("InT", bound=Array3d)
OutT = TypeVar("OutT", bound=Array2d)


@registry.layers("with_reshape.v1")
def with_reshape(layer: Model[OutT, OutT]) -> Model[InT, InT]:
    """A layer for matrices, applied to all rows.  X (B, T, nI) -> Y (B, T, nO).

    layer: (N, nI) -> (N, nO), such as Linear.

    >>> X = numpy.ones((2, 5, 3), dtype="f")
    >>> with_reshape(Linear(4)).initialize(X).predict(X).shape
    (2, 5, 4)
    """
    return Model(f"with_reshape({layer.name})", forward, init=init, layers=[layer], dims={"nO": None, "nI": None})


def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    rows = _rows(X)
    shape = X.shape
    Y, backprop_layer = model._layers[0](rows, is_train)

    def backprop(dY: InT) -> InT:
        return cast(InT, backprop_layer(_rows(dY)).reshape(shape))

    return cast(InT, Y.reshape(shape[:2] + Y.shape[1:])), backprop


def init(model: Model[InT, InT], X: Optional[Array3d] = None, Y: Optional[Array3d] = None) -> None:
    layer = model.layers[0]
    layer.initialize(X=None if X is None else _rows(X), Y=None if Y is None else _rows(Y))
    for name in ("nO", "nI"):
        if layer.has_dim(name):
            model.set_dim(name, layer.get_dim(name))


def _rows(X: Any) -> Any:
    if not is_xp_array(X) or X.ndim != 3:
        raise refusal("with_reshape: expected an array (B, T, I)", X)
    batch, steps, width = X.shape
    return X.reshape((batch * steps, width))
