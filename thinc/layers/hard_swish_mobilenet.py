from typing import Any, Callable, Optional

from ..config import registry
from ..initializers import he_normal_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["HardSwishMobilenet", "forward", "init"]

forward = dense_forward("hard_swish_mobilenet", "A", __name__)


@registry.layers("HardSwishMobilenet.v1")
def HardSwishMobilenet(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A clip(A + 3, 0, 6) / 6.  X (B, nI) -> Y (B, nO).

    Howard et al. 2019, "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default He normal and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = HardSwishMobilenet(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([-0.333,  0.   ,  1.667], dtype=float32)
    """
    init_W = init_W or he_normal_init
    return dense("hardswishmobilenet", forward, nO, nI, init_W, init_b, dropout, normalize)
