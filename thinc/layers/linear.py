from typing import Any, Callable, Optional, Tuple

from ..config import registry
from ..initializers import glorot_uniform_init
from ..model import Model
from ..types import Floats2d
from ._dense import backprop_affine, dense, holds_affine
from ._dense import init_dense as init
from ._views import without_rows

__all__ = ["Linear", "forward", "init"]

InT = Floats2d
OutT = Floats2d


@registry.layers("Linear.v1")
def Linear(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
) -> Model[InT, OutT]:
    """Y = X W^T + b.  X (B, nI) -> Y (B, nO).

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = Linear(nO=2).initialize(X)
    >>> model
    <Model 'linear': nO=2, nI=3, 8 parameters>
    >>> model.predict(X).shape
    (5, 2)
    """
    return dense("linear", forward, nO, nI, init_W or glorot_uniform_init, init_b)


@holds_affine
def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    W = model.get_param("W")
    try:
        Y = ops.affine(X, W, model.get_param("b"))
    except ValueError:
        return without_rows(forward, model, X, is_train)

    def backprop(dY: OutT) -> InT:
        return backprop_affine(model, ops, dY, X, W)

    return Y, backprop
