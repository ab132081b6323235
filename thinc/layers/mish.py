from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import glorot_uniform_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["Mish", "forward", "init"]

forward = dense_forward("mish", "A", __name__)


@registry.layers("Mish.v1")
def Mish(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A tanh(log(1 + exp(A))).  X (B, nI) -> Y (B, nO).

    Misra 2019, "Mish: a self regularized non-monotonic activation function",
    https://arxiv.org/abs/1908.08681.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = Mish(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([-0.253,  0.   ,  1.944], dtype=float32)
    """
    init_W = init_W or glorot_uniform_init
    return dense("mish", forward, nO, nI, init_W, init_b, dropout, normalize)
