from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, TypeVar

from .. import compat
from ..model import Model

if TYPE_CHECKING:
    import os_signpost  # type: ignore[import-not-found]  # macOS only

__all__ = ["with_signpost_interval"]

_ModelT = TypeVar("_ModelT", bound=Model)


def with_signpost_interval(layer: _ModelT, signposter: "os_signpost.Signposter", name: Optional[str] = None) -> _ModelT:
    """Mark what a layer does as intervals that Apple's Instruments show.

    The layer itself is changed and returned.  The intervals are "{name} init", "{name}
    forward" and "{name} backprop".

    layer: to be marked.  signposter: of os_signpost.  name: of the intervals, by default the layer's.
    ValueError without os_signpost.

    >>> from os_signpost import Signposter
    >>> with_signpost_interval(Linear(2, 3), Signposter("app", Signposter.Category.DynamicTracing))
    <Model 'linear': nO=2, nI=3, 0 parameters, 2 arrays not allocated>
    """
    if not compat.has_os_signpost:
        raise ValueError("with_signpost_interval layer requires the 'os_signpost' package")
    layer_forward, layer_init = layer._func, layer.init
    name = layer.name if name is None else name

    @wraps(layer_forward)
    def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        with signposter.use_interval(f"{name} forward"):
            Y, backprop_layer = layer_forward(model, X, is_train=is_train)

        def backprop(dY: Any) -> Any:
            with signposter.use_interval(f"{name} backprop"):
                return backprop_layer(dY)

        return Y, backprop

    forward.__wrapped__ = layer_forward  # type: ignore[attr-defined]  # for inspect.unwrap

    def init(model: Model, X: Any = None, Y: Any = None) -> None:
        if layer_init is not None:
            with signposter.use_interval(f"{name} init"):
                layer_init(model, X=X, Y=Y)

    layer.replace_callbacks(forward, init=init)
    return layer
