from typing import Any, Callable, Tuple

import numpy

from ..backends import Ops
from ..config import registry
from ..model import Model
from ..types import Padded, Ragged
from ._views import dims_of

__all__ = ["forward", "init", "with_cpu"]


@registry.layers("with_cpu.v1")
def with_cpu(layer: Model, ops: Ops) -> Model:
    """A layer that stays on the CPU in a model on another device, that of `ops`.

    Inputs are fetched to the CPU, outputs sent to the device; so for gradients, the
    other way.

    layer: f, moved to the CPU.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = chain(with_cpu(Linear(4), ops=get_current_ops()), Relu(2)).initialize(X)
    >>> model.predict(X).shape
    (5, 2)
    """
    layer.to_cpu()
    return Model(
        f"with_cpu({layer.name})",
        forward,
        layers=[layer],
        ops=ops,  # type: ignore[arg-type]  # any backend will do
        init=init,
        dims=dims_of(layer),
    )


def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    ops = model.ops
    Y, backprop_layer = model._layers[0](_to_cpu(X), is_train)

    def backprop(dY: Any) -> Any:
        return _to_device(ops, backprop_layer(_to_cpu(dY)))

    return _to_device(ops, Y), backprop


def init(model: Model, X: Any, Y: Any) -> None:
    model.layers[0].initialize(X=_to_cpu(X), Y=_to_cpu(Y))


def _to_cpu(X: Any) -> Any:
    if isinstance(X, numpy.ndarray):
        return X
    elif isinstance(X, (tuple, list, Ragged, Padded)):
        return _map(_to_cpu, X)
    elif hasattr(X, "get") and hasattr(X, "shape"):
        return X.get()
    else:
        return X


def _to_device(ops: Ops, X: Any) -> Any:
    if isinstance(X, (tuple, list, Ragged, Padded)):
        return _map(lambda item: _to_device(ops, item), X)
    elif X is None:
        return None
    else:
        return ops.asarray(X)


def _map(move: Callable[[Any], Any], X: Any) -> Any:
    if isinstance(X, Ragged):
        return Ragged(move(X.dataXd), move(X.lengths))
    elif isinstance(X, Padded):
        parts = (X.data, X.size_at_t, X.lengths, X.indices)
        return Padded(*[move(part) for part in parts])
    items = [move(item) for item in X]
    return tuple(items) if isinstance(X, tuple) else items
