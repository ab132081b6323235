from typing import Callable, Optional

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
    init_W: Optional[Callable] = None,
    init_b: Optional[Callable] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, A = X W^T + b, Y = A Phi(A), Phi the normal distribution function.

    X (B, nI) -> Y (B, nO).  Hendrycks & Gimpel 2016, "Gaussian error linear units",
    https://arxiv.org/abs/1606.08415.
    """
    init_W = init_W or he_normal_init
    return dense("gelu", forward, nO, nI, init_W, init_b, dropout, normalize)
