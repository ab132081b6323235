from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import he_normal_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["Gelu", "forward", "init"]

forward = dense_forward("gelu", "A", __name__)


@registry.layers("Gelu.v1")
def Gelu(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A Phi(A), Phi the normal distribution function.

    X (B, nI) -> Y (B, nO).  Hendrycks & Gimpel 2016, "Gaussian error linear units",
    https://arxiv.org/abs/1606.08415.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default He normal and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = Gelu(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([-0.046,  0.   ,  1.954], dtype=float32)
    """
    init_W = init_W or he_normal_init
    return dense("gelu", forward, nO, nI, init_W, init_b, dropout, normalize)
