"""What the wrappers of other frameworks share: arrays there, through the module, arrays back.

A batch is nested tuples, lists and dicts of arrays. Going in, it becomes the arguments of the module: a list or tuple
several of them, a dict keywords, anything else one.
"""

from typing import Any, Callable, Tuple, Type

from ..model import Model
from ..shims.shim import Shim
from ..types import ArgsKwargs
from ..util import convert_recursive, is_xp_array, partial

Convert = Callable[[Any], Any]


def wrapper(
    name: str,
    forward: Callable,
    shim: Shim,
    convert_inputs: Callable,
    convert_outputs: Callable,
    model_class: Type[Model] = Model,
    dims: Tuple[str, ...] = ("nI", "nO"),
) -> Model[Any, Any]:
    """The layer around a shim."""
    return model_class(
        name,
        forward,
        attrs={"convert_inputs": convert_inputs, "convert_outputs": convert_outputs},
        shims=[shim],
        dims=dict.fromkeys(dims),
    )


def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    """Inputs to the framework, through its module, outputs back."""
    attrs = model.attrs
    inputs, get_dX = attrs["convert_inputs"](model, X, is_train)
    outputs, backprop_module = model.shims[0](inputs, is_train)
    Y, get_d_outputs = attrs["convert_outputs"](model, (X, outputs), is_train)

    def backprop(dY: Any) -> Any:
        return get_dX(backprop_module(get_d_outputs(dY)))

    return Y, backprop


def as_arguments(X: Any, to_tensor: Convert, to_arrays: Convert) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    """X as the arguments of a module, and the way back of their gradients, in the structure of X."""
    converted = convert_recursive(is_xp_array, to_tensor, X)
    if isinstance(converted, ArgsKwargs):
        return converted, to_arrays
    if isinstance(converted, dict):
        return ArgsKwargs(args=(), kwargs=converted), partial(_keywords_back, to_arrays)
    if isinstance(converted, (tuple, list)):
        return ArgsKwargs(args=tuple(converted), kwargs={}), partial(_several_back, to_arrays)
    return ArgsKwargs(args=(converted,), kwargs={}), partial(_one_back, to_arrays)


def back(is_tensor: Callable[[Any], bool], to_array: Callable, model: Model) -> Convert:
    """What turns nested tensors into arrays of the model's ops."""
    return partial(convert_recursive, is_tensor, partial(to_array, ops=model.ops))


def _keywords_back(to_arrays: Convert, grads: ArgsKwargs) -> Any:
    return to_arrays(grads.kwargs)


def _several_back(to_arrays: Convert, grads: ArgsKwargs) -> Any:
    return tuple(to_arrays(grads.args))


def _one_back(to_arrays: Convert, grads: ArgsKwargs) -> Any:
    return to_arrays(grads.args[0])
