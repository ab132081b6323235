from typing import Callable, List, Optional, Tuple, TypeVar

from ..config import registry
from ..model import Model
from ..types import Floats1d, Floats2d, Floats3d, Floats4d, FloatsXd, Padded, Ragged
from ..util._batches import batch_as_arrays
from ._sums import total
from ._views import first_rows

__all__ = ["forward", "init", "residual"]

InT = TypeVar(
    "InT",
    List[Floats1d],
    List[Floats2d],
    List[Floats3d],
    List[Floats4d],
    Ragged,
    Padded,
    FloatsXd,
    Floats1d,
    Floats2d,
    Floats3d,
    Floats4d,
)


@registry.layers("residual.v1")
def residual(layer: Model[InT, InT]) -> Model[InT, InT]:
    """Y = X + f(X); lists item by item, Ragged and Padded by their data.

    He et al. 2015, "Deep residual learning for image recognition".

    layer: f, as wide out as in.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> residual(Relu(3)).initialize(X).predict(X).shape
    (5, 3)
    """
    return Model(
        f"residual({layer.name})",
        forward,
        init=init,
        layers=[layer],
        dims={"nO": layer.maybe_get_dim("nO"), "nI": layer.maybe_get_dim("nI")},
    )


def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    Y, backprop_layer = model._layers[0](X, is_train)
    if type(first_rows(X)) is not type(first_rows(Y)):  # perhaps the layer read a batch of another package
        arrays = batch_as_arrays(X, model.ops)
        X = X if arrays is None else arrays

    def backprop(dY: InT) -> InT:
        return total((dY, backprop_layer(dY)))

    return total((X, Y)), backprop


def init(model: Model[InT, InT], X: Optional[InT] = None, Y: Optional[InT] = None) -> None:
    layer = model.layers[0]
    if layer.has_dim("nO") is None:
        layer.initialize(X=X, Y=Y)
    else:
        layer.initialize(X=X)
    for name in ("nO", "nI"):
        if layer.has_dim(name):
            model.set_dim(name, layer.get_dim(name))
