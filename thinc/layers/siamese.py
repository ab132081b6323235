from typing import Callable, Optional, Tuple, TypeVar

from ..config import registry
from ..model import Model
from ..types import ArrayXd
from ..util import get_width
from ._views import expect_pair

__all__ = ["forward", "init", "siamese"]

LayerT = TypeVar("LayerT")
SimT = TypeVar("SimT")
InT = Tuple[LayerT, LayerT]
OutT = TypeVar("OutT", bound=ArrayXd)


@registry.layers("siamese.v1")
def siamese(layer: Model[LayerT, SimT], similarity: Model[Tuple[SimT, SimT], OutT]) -> Model[InT, OutT]:
    """Y = similarity(f(X1), f(X2)), with one f for both.

    nI of `layer` and nO of `similarity` must be set. Bromley et al. 1993, "Signature
    verification using a siamese time delay neural network".

    layer: f.  similarity: of the pair (f(X1), f(X2)).

    >>> X1, X2 = numpy.zeros((2, 3), dtype="f"), numpy.ones((2, 3), dtype="f")
    >>> model = siamese(Linear(4, 3), CauchySimilarity(4)).initialize((X1, X2))
    >>> model.predict((X1, X1))
    array([1., 1.], dtype=float32)
    """
    return Model(
        f"siamese({layer.name}, {similarity.name})",
        forward,
        init=init,
        layers=[layer, similarity],
        dims={"nI": layer.get_dim("nI"), "nO": similarity.get_dim("nO")},
    )


def forward(model: Model[InT, OutT], X1_X2: InT, is_train: bool) -> Tuple[OutT, Callable]:
    layer, similarity = model._layers
    X1, X2 = expect_pair(X1_X2, "siamese")
    vec1, backprop_vec1 = layer(X1, is_train)
    vec2, backprop_vec2 = layer(X2, is_train)
    Y, backprop_similarity = similarity((vec1, vec2), is_train)

    def backprop(dY: OutT) -> InT:
        d_vec1, d_vec2 = backprop_similarity(dY)
        return backprop_vec1(d_vec1), backprop_vec2(d_vec2)

    return Y, backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    layer, similarity = model.layers
    if X is None:
        layer.initialize()
        similarity.initialize(Y=Y)
    else:
        layer.set_dim("nI", get_width(X[1]))
        layer.initialize(X=X[0])
        similarity.initialize(X=(layer.predict(X[0]), layer.predict(X[1])), Y=Y)
    model.set_dim("nI", layer.get_dim("nI"))
    model.set_dim("nO", similarity.get_dim("nO"))
