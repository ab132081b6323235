"""Gluon blocks of MXNet as layers."""

from typing import Any, Callable, Optional, Tuple, Type

from ..config import registry
from ..model import Model
from ..shims import MXNetShim
from ..types import ArgsKwargs
from ..util import convert_recursive, is_mxnet_array, is_xp_array, mxnet2xp, partial, xp2mxnet


@registry.layers("MXNetWrapper.v1")
def MXNetWrapper(
    mxnet_model: Any,
    convert_inputs: Optional[Callable] = None,
    convert_outputs: Optional[Callable] = None,
    model_class: Type[Model] = Model,
    model_name: str = "mxnet",
) -> Model[Any, Any]:
    """A gluon block as a layer; its parameters are updated by our optimizers.

    convert_inputs and convert_outputs as in PyTorchWrapper; the gradients of the output
    go to mxnet.autograd.backward as `head_grads`. Needs `enable_mxnet()` before it runs.
    """
    return model_class(
        model_name,
        forward,
        attrs={
            "convert_inputs": convert_inputs or convert_mxnet_default_inputs,
            "convert_outputs": convert_outputs or convert_mxnet_default_outputs,
        },
        shims=[MXNetShim(mxnet_model)],
    )


def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    """Inputs to MXNet, through the block, outputs back."""
    inputs, get_dX = model.attrs["convert_inputs"](model, X, is_train)
    mx_output, mx_backprop = model.shims[0](inputs, is_train)
    Y, get_d_output = model.attrs["convert_outputs"](model, (X, mx_output), is_train)

    def backprop(dY: Any) -> Any:
        return get_dX(mx_backprop(get_d_output(dY)))

    return Y, backprop


def convert_mxnet_default_inputs(
    model: Model, X: Any, is_train: bool
) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    """Arrays to NDArrays, arranged as the arguments of the block."""

    def to_mxnet(array: Any) -> Any:
        # Ids and masks have no gradient.
        return xp2mxnet(array, requires_grad=is_train and array.dtype.kind == "f")

    converted = convert_recursive(is_xp_array, to_mxnet, X)

    def to_arrays(grads: Any) -> Any:
        return convert_recursive(is_mxnet_array, partial(mxnet2xp, ops=model.ops), grads)

    if isinstance(converted, ArgsKwargs):
        return converted, to_arrays
    if isinstance(converted, dict):
        return ArgsKwargs(args=(), kwargs=converted), lambda d: to_arrays(d.kwargs)
    if isinstance(converted, (tuple, list)):
        inputs = ArgsKwargs(args=tuple(converted), kwargs={})
        return inputs, lambda d: tuple(to_arrays(d.args))
    inputs = ArgsKwargs(args=(converted,), kwargs={})
    return inputs, lambda d: to_arrays(d.args[0])


def convert_mxnet_default_outputs(model: Model, X_Ymxnet: Any, is_train: bool):
    """NDArrays to arrays, in the structure the block gave them."""
    _, Ymxnet = X_Ymxnet
    Y = convert_recursive(is_mxnet_array, partial(mxnet2xp, ops=model.ops), Ymxnet)

    def get_d_output(dY: Any) -> ArgsKwargs:
        dYmxnet = convert_recursive(is_xp_array, xp2mxnet, dY)
        several = isinstance(Ymxnet, (tuple, list))
        heads = list(Ymxnet) if several else [Ymxnet]
        head_grads = list(dYmxnet) if several else [dYmxnet]
        return ArgsKwargs(args=(heads,), kwargs={"head_grads": head_grads})

    return Y, get_d_output


__all__ = ["MXNetWrapper", "convert_mxnet_default_inputs", "convert_mxnet_default_outputs", "forward"]
