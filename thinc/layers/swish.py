from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import he_normal_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["Swish", "forward", "init"]

forward = dense_forward("swish", "AY", __name__)


@registry.layers("Swish.v1")
def Swish(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A sigmoid(A).  X (B, nI) -> Y (B, nO).

    Ramachandran, Zoph & Le 2017, "Searching for activation functions",
    https://arxiv.org/abs/1710.05941.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default He normal and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = Swish(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([-0.238,  0.   ,  1.762], dtype=float32)
    """
    init_W = init_W or he_normal_init
    return dense("swish", forward, nO, nI, init_W, init_b, dropout, normalize)
