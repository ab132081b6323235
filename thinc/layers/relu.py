from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import glorot_uniform_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["Relu", "forward", "init"]

forward = dense_forward("relu", "Y", __name__)


@registry.layers("Relu.v1")
def Relu(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = max(0, X W^T + b).  X (B, nI) -> Y (B, nO).

    Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> X = numpy.random.uniform(-1, 1, (5, 3)).astype("f")
    >>> model = Relu(4).initialize(X)
    >>> Y = model.predict(X)
    >>> Y.shape, bool((Y >= 0).all())
    ((5, 4), True)
    """
    init_W = init_W or glorot_uniform_init
    return dense("relu", forward, nO, nI, init_W, init_b, dropout, normalize)
