from itertools import accumulate
from typing import Any, Callable, Optional, Sequence, Tuple, TypeVar, Union, cast

from ..backends import Ops
from ..config import registry
from ..model import Model
from ..model._tree import holds
from ..types import Array2d, Padded, Ragged, XY_XY_OutT
from ._sums import total
from ._views import NO_ROWS, NUMPY_OPS, as_array, learn_nI, lengths_of, refusal
from .noop import noop

__all__ = ["NUMPY_OPS", "concatenate", "forward", "init"]

InT = TypeVar("InT", bound=Any)
OutT = TypeVar("OutT", bound=Union[Array2d, Sequence[Array2d], Ragged, Padded])


@registry.layers("concatenate.v1")
def concatenate(*layers: Model[InT, XY_XY_OutT]) -> Model[InT, XY_XY_OutT]:
    """Y = [f(X) | g(X) | ...], side by side along the last axis.

    Lists, Ragged and Padded are joined sequence by sequence.  No layer gives noop(),
    one layer that layer; where the first is a concatenation already, the others are
    added to that object.

    layers: f, g, …, all of the same input.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> concatenate(Linear(2), Linear(4)).initialize(X).predict(X).shape
    (5, 6)
    """
    if not layers:
        return cast(Model[InT, XY_XY_OutT], noop())
    elif len(layers) == 1:
        return layers[0]
    elif layers[0]._func is forward and not any(holds(layer, layers[0]) for layer in layers[1:]):
        layers[0].layers.extend(layers[1:])
        return layers[0]
    dims: dict = {"nO": None}
    if all(layer.has_dim("nI") is not False for layer in layers):
        dims["nI"] = None
    name = "|".join(layer.name for layer in layers)
    return Model(name, forward, init=init, dims=dims, layers=layers)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    Ys, callbacks = zip(*[layer(X, is_train) for layer in model._layers])
    if isinstance(Ys[0], (list, tuple, Ragged, Padded)):
        return _join_sequences(model.ops, Ys, callbacks)
    else:
        return _join_arrays(model.ops, Ys, callbacks)


def _join_arrays(ops: Ops, Ys: Sequence[Any], callbacks: Sequence[Callable]) -> Tuple[Any, Callable]:
    if getattr(Ys[0], "ndim", 0) < 2:
        error = refusal("concatenate: expected layers to return arrays of two or more dimensions", Ys[0])
        raise ValueError(f"{error}. Give it a last axis of width 1.")
    if any(Y.shape == NO_ROWS for Y in Ys):
        # Some of the widths are unknown, and so is their sum.
        joined = Ys[0].reshape(NO_ROWS)
        return joined, lambda dY: total([callback(dY.reshape(Y.shape)) for callback, Y in zip(callbacks, Ys)])
    ends = list(accumulate(Y.shape[-1] for Y in Ys))

    def backprop(dY: Any) -> Any:
        return total(
            [callback(ops.as_contig(dY[..., start:end])) for callback, start, end in zip(callbacks, [0, *ends], ends)]
        )

    return ops.xp.concatenate(Ys, axis=-1), backprop


def _join_sequences(ops: Ops, Ys: Sequence[Any], callbacks: Sequence[Callable]) -> Tuple[Any, Callable]:
    """Every layer's rows side by side, in the container of the first layer's output."""
    if isinstance(Ys[0], (list, tuple)):
        if not Ys[0]:
            return [], lambda dY: total([callback([]) for callback in callbacks])
        lists = [Y for Y in Ys if isinstance(Y, (list, tuple))]
        lengths = [lengths_of(Y) for Y in lists]
        if any(other != lengths[0] for other in lengths[1:]):
            raise ValueError(
                f"concatenate: layers return sequences of different lengths {lengths}. "
                "All must keep the rows of their input."
            )
    rows, restores = zip(*[as_array(ops, Y) for Y in Ys])
    Y, backprop_rows = _join_arrays(ops, rows, [_through(*pair) for pair in zip(callbacks, restores)])

    def backprop(dY: Any) -> Any:
        return backprop_rows(as_array(ops, dY)[0])

    return restores[0](Y), backprop


def _through(callback: Callable, restore: Optional[Callable]) -> Callable:
    """The callback of a layer, given the gradient in the container of its output."""
    return callback if restore is None else lambda dY: callback(restore(dY))


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    """Every layer is given X, and Y if its nO is unset."""
    layers = model.layers
    learn_nI((model, *layers), X)
    for layer in layers:
        layer.initialize(X=X, Y=Y if layer.has_dim("nO") is None else None)
    if all(layer.has_dim("nO") for layer in layers):
        model.set_dim("nO", sum(layer.get_dim("nO") for layer in layers))
