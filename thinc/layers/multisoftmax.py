from typing import Callable, Optional, Tuple

from ..config import registry
from ..initializers import zero_init
from ..model import Model
from ..types import Floats2d
from ._dense import holds_affine
from ._views import learn_dim
from .linear import forward as affine

__all__ = ["MultiSoftmax", "forward", "init"]

InT = Floats2d
OutT = Floats2d


@registry.layers("MultiSoftmax.v1")
def MultiSoftmax(nOs: Tuple[int, ...], nI: Optional[int] = None) -> Model[InT, OutT]:
    """Several softmax outputs side by side, one linear map.

    X (B, nI) -> Y (B, sum(nOs)).
    A = X W^T + b; the first nOs[0] columns of Y are the softmax of those columns of A,
    and so on. As in `Softmax`, the callback expects the gradient of A.

    nOs: how many classes each output has.  nI: width in; `initialize` takes it from data.

    >>> X = numpy.ones((1, 4), dtype="f")
    >>> MultiSoftmax((2, 3)).initialize(X).predict(X).round(2)
    array([[0.5 , 0.5 , 0.33, 0.33, 0.33]], dtype=float32)
    """
    return Model(
        "multisoftmax",
        forward,
        init=init,
        dims={"nO": sum(nOs), "nI": nI},
        attrs={"nOs": nOs},
        params={"W": None, "b": None},
    )


@holds_affine
def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    Y, backprop_A = affine(model, X, is_train)
    start = 0
    for width in model.attrs["nOs"]:
        group = slice(start, start + width)
        Y[:, group] = model.ops.softmax(Y[:, group])
        start += width
    return Y, backprop_A


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    learn_dim(model, "nI", X)
    nO, nI = model.get_dim("nO"), model.get_dim("nI")
    model.set_param("W", zero_init(model.ops, (nO, nI)))
    model.set_param("b", zero_init(model.ops, (nO,)))
