from typing import Callable, Optional

from ..config import registry
from ..initializers import he_normal_init
from ..model import Model
from ..types import Floats2d
from ._dense import dense, dense_forward
from ._dense import init_dense as init

__all__ = ["HardSwish", "forward", "init"]

forward = dense_forward("hard_swish", "A", __name__)


@registry.layers("HardSwish.v1")
def HardSwish(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable] = None,
    init_b: Optional[Callable] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A clip(0.2 A + 0.5, 0, 1).

    X (B, nI) -> Y (B, nO).  Swish with the sigmoid replaced by three straight lines.
    """
    init_W = init_W or he_normal_init
    return dense("hardswish", forward, nO, nI, init_W, init_b, dropout, normalize)
