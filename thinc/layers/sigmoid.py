from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import zero_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_unset as init

__all__ = ["Sigmoid", "forward", "init"]

forward = dense_forward("sigmoid", "Y", __name__)


@registry.layers("Sigmoid.v1")
def Sigmoid(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = 1 / (1 + exp(-A)), A = X W^T + b.  X (B, nI) -> Y (B, nO).

    Made for the output of a network: W starts at zero, so that every output starts at
    1/2.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default both zeros.

    >>> X = numpy.ones((2, 3), dtype="f")
    >>> Sigmoid(nO=1).initialize(X).predict(X)
    array([[0.5],
           [0.5]], dtype=float32)
    """
    init_W = init_W or zero_init
    return dense("sigmoid", forward, nO, nI, init_W, init_b, init=init)
