from typing import Callable, Tuple, cast

from ..config import registry
from ..model import Model
from ..types import FloatsXdT

__all__ = ["forward", "sigmoid_activation"]


@registry.layers("sigmoid_activation.v1")
def sigmoid_activation() -> Model[FloatsXdT, FloatsXdT]:
    """Y = 1 / (1 + exp(-X)), element by element.  X and Y have the same shape.

    >>> sigmoid_activation().predict(numpy.array([-2, 0, 2], dtype="f")).round(3)
    array([0.119, 0.5  , 0.881], dtype=float32)
    """
    return Model("sigmoid_activation", forward)


def forward(model: Model[FloatsXdT, FloatsXdT], X: FloatsXdT, is_train: bool) -> Tuple[FloatsXdT, Callable]:
    ops = model.ops
    Y = ops.sigmoid(X, inplace=False)

    def backprop(dY: FloatsXdT) -> FloatsXdT:
        return cast(FloatsXdT, ops.backprop_sigmoid(dY, Y))

    return cast(FloatsXdT, Y), backprop
