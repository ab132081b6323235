from functools import wraps
from typing import Any, Callable, Optional, Tuple, TypeVar

from ..model import Model

__all__ = ["do_nothing", "with_debug"]

_ModelT = TypeVar("_ModelT", bound=Model)

# A lambda, since its name is part of the signature below.
do_nothing = lambda *args, **kwargs: None  # noqa: E731


def with_debug(
    layer: _ModelT,
    name: Optional[str] = None,
    *,
    on_init: Callable[[Model, Any, Any], None] = do_nothing,
    on_forward: Callable[[Model, Any, bool], None] = do_nothing,
    on_backprop: Callable[[Any], None] = do_nothing,
) -> _ModelT:
    """Call back before a layer is initialized, run, or run backwards; for debugging.

    The layer itself is changed and returned.  on_init(model, X, Y), on_forward(model,
    X, is_train), on_backprop(dY); `name` has no effect.

    layer: to be watched.

    >>> def on_forward(model, X, is_train):
    ...     print(model.name, X.shape)
    >>> Y = with_debug(Linear(2, 3), on_forward=on_forward).initialize().predict(numpy.ones((5, 3), dtype="f"))
    linear (5, 3)
    """
    layer_forward, layer_init = layer._func, layer.init

    @wraps(layer_forward)
    def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        on_forward(model, X, is_train)
        Y, backprop_layer = layer_forward(model, X, is_train=is_train)

        def backprop(dY: Any) -> Any:
            on_backprop(dY)
            return backprop_layer(dY)

        return Y, backprop

    forward.__wrapped__ = layer_forward  # type: ignore[attr-defined]  # for inspect.unwrap

    def init(model: Model, X: Any = None, Y: Any = None) -> None:
        on_init(model, X, Y)
        if layer_init is not None:
            layer_init(model, X=X, Y=Y)

    layer.replace_callbacks(forward, init=init)
    return layer
