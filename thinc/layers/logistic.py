from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d

__all__ = ["Logistic", "forward", "logistic"]

InT = Floats2d
OutT = Floats2d


@registry.layers("Logistic.v1")
def Logistic() -> Model[InT, OutT]:
    """Y = 1 / (1 + exp(-X)), element by element.  X (B, I) -> Y (B, I).

    An older name of `sigmoid_activation`, for two-dimensional arrays.

    >>> Logistic().predict(numpy.array([[-2, 0, 2]], dtype="f")).round(3)
    array([[0.119, 0.5  , 0.881]], dtype=float32)
    """
    return Model("logistic", forward)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    Y = ops.sigmoid(X, inplace=False)

    def backprop(dY: OutT) -> InT:
        return ops.backprop_sigmoid(dY, Y)

    return Y, backprop


# The spelling of version 7, which the introduction still uses.
logistic = Logistic
