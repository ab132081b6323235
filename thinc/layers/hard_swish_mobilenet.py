from typing import Callable, Optional

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
    init_W: Optional[Callable] = None,
    init_b: Optional[Callable] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A clip(A + 3, 0, 6) / 6.  X (B, nI) -> Y (B, nO).

    Howard et al. 2019, "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244.
    """
    init_W = init_W or he_normal_init
    return dense("hardswishmobilenet", forward, nO, nI, init_W, init_b, dropout, normalize)
