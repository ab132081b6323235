from typing import Callable, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d

__all__ = ["forward", "softmax_activation"]

InT = Floats2d
OutT = Floats2d


@registry.layers("softmax_activation.v1")
def softmax_activation() -> Model[InT, OutT]:
    """Y = exp(X) / sum of exp(X) over the row.  X (B, I) -> Y (B, I).

    Unlike `Softmax`, its backward pass applies the derivative of the softmax.

    >>> softmax_activation().predict(numpy.array([[0, 1, 2]], dtype="f")).round(3)
    array([[0.09 , 0.245, 0.665]], dtype=float32)
    """
    return Model("softmax_activation", forward)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    Y = ops.softmax(X, inplace=False)

    def backprop(dY: OutT) -> InT:
        return ops.backprop_softmax(Y, dY, axis=-1)

    return Y, backprop
