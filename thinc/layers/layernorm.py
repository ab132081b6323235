from typing import Callable, Optional, Tuple

from ..config import registry
from ..model import Model
from ..model._shapes import holds
from ..types import Floats1d, Floats2d
from ._views import learn_dim, says_nothing, without_rows

__all__ = ["LayerNorm", "forward", "init"]

InT = Floats2d


@registry.layers("LayerNorm.v1")
def LayerNorm(nI: Optional[int] = None) -> Model[InT, InT]:
    """Each row to mean 0 and variance 1, then scaled and shifted.

    X (B, nI) -> Y (B, nI).
    Y = (X - mean) / sqrt(variance + 1e-8) * G + b, mean and population variance of each
    row. Ba, Kiros & Hinton 2016, "Layer normalization",
    https://arxiv.org/abs/1607.06450.

    nI: width of the rows; `initialize` takes it from data.

    >>> X = numpy.array([[1, 2, 3], [10, 20, 30]], dtype="f")
    >>> LayerNorm().initialize(X).predict(X).round(3)
    array([[-1.225,  0.   ,  1.225],
           [-1.225,  0.   ,  1.225]], dtype=float32)
    """
    return Model("layernorm", forward, init=init, dims={"nI": nI, "nO": nI}, params={"G": None, "b": None})


@holds(G=("nI",), b=("nI",))
def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    G, b = model.get_param("G"), model.get_param("b")
    try:
        Y, mu, rstd = model.ops.layer_norm(X, G, b)
    except ValueError:
        return without_rows(forward, model, X, is_train)
    return Y, make_backprop(model, X, mu, rstd)


def make_backprop(model: Model[InT, InT], X: InT, mu: Floats1d, rstd: Floats1d) -> Callable:
    """The backward pass from what the forward pass keeps."""
    ops = model.ops
    G = model.get_param("G")

    def backprop(dY: InT) -> InT:
        dX, dG, db = ops.backprop_layer_norm(dY, X, G, mu, rstd)
        model.inc_grad("b", db)
        model.inc_grad("G", dG)
        return dX

    return backprop


def init(model: Model[InT, InT], X: Optional[InT] = None, Y: Optional[InT] = None) -> None:
    sample = Y if says_nothing(X) else X
    learn_dim(model, "nI", sample)
    learn_dim(model, "nO", sample)
    nI = model.get_dim("nI")
    model.set_dim("nO", nI)
    model.set_param("G", model.ops.alloc1f(nI) + 1)
    model.set_param("b", model.ops.alloc1f(nI))
