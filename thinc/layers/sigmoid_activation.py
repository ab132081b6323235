from typing import Callable, Tuple, cast

from ..config import registry
from ..model import Model
from ..types import FloatsXdT

__all__ = ["forward", "sigmoid_activation"]


@registry.layers("sigmoid_activation.v1")
def sigmoid_activation() -> Model[FloatsXdT, FloatsXdT]:
    """Y = 1 / (1 + exp(-X)), element by element.  X and Y have the same shape."""
    return Model("sigmoid_activation", forward)


def forward(model: Model[FloatsXdT, FloatsXdT], X: FloatsXdT, is_train: bool) -> Tuple[FloatsXdT, Callable]:
    ops = model.ops
    Y = ops.sigmoid(X, inplace=False)

    def backprop(dY: FloatsXdT) -> FloatsXdT:
        return cast(FloatsXdT, ops.backprop_sigmoid(dY, Y))

    return cast(FloatsXdT, Y), backprop
