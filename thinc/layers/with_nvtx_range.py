from functools import wraps
from typing import Any, Callable, Optional, Tuple, TypeVar

from ..model import Model
from ..util import use_nvtx_range

__all__ = ["with_nvtx_range"]

_ModelT = TypeVar("_ModelT", bound=Model)


def with_nvtx_range(
    layer: _ModelT, name: Optional[str] = None, *, forward_color: int = -1, backprop_color: int = -1
) -> _ModelT:
    """Mark both passes of a layer as NVTX ranges, which NVIDIA's profilers show.

    The layer itself is changed and returned.  The ranges are "{name} forward" and
    "{name} backprop"; without CuPy there are none.

    layer: to be marked.  name: of the ranges, by default the layer's.
    forward_color, backprop_color: of the ranges, as CuPy numbers them.

    >>> with_nvtx_range(Linear(2, 3), name="output")
    <Model 'linear': nO=2, nI=3, 0 parameters, 2 arrays not allocated>
    """
    layer_forward = layer._func
    name = layer.name if name is None else name

    @wraps(layer_forward)
    def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        with use_nvtx_range(f"{name} forward", forward_color):
            Y, backprop_layer = layer_forward(model, X, is_train=is_train)

        def backprop(dY: Any) -> Any:
            with use_nvtx_range(f"{name} backprop", backprop_color):
                return backprop_layer(dY)

        return Y, backprop

    forward.__wrapped__ = layer_forward  # type: ignore[attr-defined]  # for inspect.unwrap
    layer.replace_callbacks(forward, init=layer.init)
    return layer
