"""A backend with an operation of your own, for layers that need it.

python custom_ops.py
"""

from typing import Any, Callable, Tuple

import numpy

from thinc.api import Linear, Model, NumpyOps, chain, get_current_ops, set_current_ops
from thinc.types import Floats2d


class CustomOps(NumpyOps):
    name = "custom"

    def signed_log(self, X: Floats2d) -> Floats2d:
        """Y = sign(X) log(1 + |X|): tames large values, keeps small ones."""
        return self.xp.sign(X) * self.xp.log1p(abs(X))

    def backprop_signed_log(self, dY: Floats2d, X: Floats2d) -> Floats2d:
        return dY / (1 + abs(X))


def SignedLog() -> Model[Floats2d, Floats2d]:
    return Model("signed_log", forward)


def forward(model: Model, X: Floats2d, is_train: bool) -> Tuple[Floats2d, Callable]:
    ops: Any = model.ops

    def backprop(dY: Floats2d) -> Floats2d:
        return ops.backprop_signed_log(dY, X)

    return ops.signed_log(X), backprop


def main() -> Model:
    """A model made while the backend is set uses it ever after."""
    previous = get_current_ops()
    set_current_ops(CustomOps())
    try:
        model = chain(Linear(2, 3), SignedLog())
    finally:
        set_current_ops(previous)
    X = numpy.array([[1, 10, 1000]], dtype="f")
    Y, backprop = model.initialize().begin_update(X)
    dX = backprop(numpy.ones_like(Y))
    print(f"{model.ops.name}: X {X} -> Y {Y}, dX {dX}")
    return model


if __name__ == "__main__":
    main()
