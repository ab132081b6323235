"""Dimensions: B pairs, I in (nI)."""

from typing import Callable, Optional, Tuple

from ..config import registry
from ..model import Model
from ..model._shapes import holds
from ..types import Floats1d, Floats2d
from ..util import is_xp_array
from ._views import NO_ROWS, expect_pair, learn_dim, refusal

__all__ = ["CauchySimilarity", "forward", "init", "inverse"]

InT = Tuple[Floats2d, Floats2d]
OutT = Floats1d


@registry.layers("CauchySimilarity.v1")
def CauchySimilarity(nI: Optional[int] = None) -> Model[InT, OutT]:
    """Y = 1 / (1 + sum of W (X1 - X2)^2 over the row).

    X1, X2 (B, nI) -> Y (B,); W (nI,).
    Chen 2015, "Learning similarity functions with the Cauchy criterion" (Quora question
    pairs).

    nI: width of both inputs; `initialize` takes it from data.

    >>> X1, X2 = numpy.zeros((1, 3), dtype="f"), numpy.ones((1, 3), dtype="f")
    >>> model = CauchySimilarity().initialize((X1, X2))
    >>> model.predict((X1, X1)), model.predict((X1, X2)).round(3)
    (array([1.], dtype=float32), array([0.25], dtype=float32))
    """
    return Model("cauchy_similarity", forward, init=init, dims={"nI": nI, "nO": 1}, params={"W": None})


@holds(W=("nI",))
def forward(model: Model[InT, OutT], X1_X2: InT, is_train: bool) -> Tuple[OutT, Callable]:
    X1, X2 = expect_pair(X1_X2, "CauchySimilarity")
    W = model.get_param("W")
    if not (is_xp_array(X1) and is_xp_array(X2)):
        raise refusal("CauchySimilarity: expected two arrays", X1_X2)
    if X1.shape == X2.shape == NO_ROWS:
        X1 = X2 = X1.reshape((0, len(W)))
    if X1.shape != X2.shape or X1.shape[1:] != W.shape:
        raise ValueError(
            f"CauchySimilarity: expected two arrays (B, {len(W)}) of one shape, got {X1.shape} and {X2.shape}"
        )
    diff = X1 - X2
    square = diff**2
    similarity, backprop_inverse = inverse((W * square).sum(axis=1))

    def backprop(d_similarity: OutT) -> InT:
        d_total = backprop_inverse(d_similarity).reshape((-1, 1))
        model.inc_grad("W", (d_total * square).sum(axis=0))
        d_diff = (2 * W * d_total * diff).reshape(X1_X2[0].shape)
        return d_diff, -d_diff

    return similarity, backprop


def inverse(total: Floats1d) -> Tuple[Floats1d, Callable]:
    """1 / (1 + total), and the callback that turns its gradient into that of total."""
    Y = 1.0 / (1 + total)

    def backward(dY: Floats1d) -> Floats1d:
        return -dY * Y**2

    return Y, backward


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    if X is not None:
        learn_dim(model, "nI", X[0])
    model.set_param("W", model.ops.alloc1f(model.get_dim("nI")) + 1)
