"""Gluon blocks of MXNet as layers."""

from typing import Any, Callable, Optional, Tuple, Type

from ..config import registry
from ..model import Model
from ..shims import MXNetShim
from ..types import ArgsKwargs
from ..util import convert_recursive, is_mxnet_array, is_xp_array, mxnet2xp, xp2mxnet
from ._frameworks import as_arguments, back, forward, wrapper


@registry.layers("MXNetWrapper.v1")
def MXNetWrapper(
    mxnet_model: Any,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    model_class: Type[Model] = Model,
    model_name: str = "mxnet",
) -> Model[Any, Any]:
    """A gluon block as a layer; its parameters are updated by our optimizers.

    convert_inputs and convert_outputs as in PyTorchWrapper; the gradients of the output
    go to mxnet.autograd.backward as `head_grads`. Needs `enable_mxnet()` before it runs.

    mxnet_model: the block.  model_class: of the layer.  model_name: its name.

    >>> import mxnet
    >>> enable_mxnet()
    >>> block = mxnet.gluon.nn.Dense(4, in_units=3)
    >>> block.initialize()
    >>> MXNetWrapper(block).predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    return wrapper(
        model_name,
        forward,
        MXNetShim(mxnet_model),
        convert_inputs or convert_mxnet_default_inputs,
        convert_outputs or convert_mxnet_default_outputs,
        model_class,
        dims=(),
    )


def convert_mxnet_default_inputs(
    model: Model, X: Any, is_train: bool
) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    """Arrays to NDArrays, arranged as the arguments of the block."""

    def to_mxnet(array: Any) -> Any:
        # Ids and masks have no gradient.
        return xp2mxnet(array, requires_grad=is_train and array.dtype.kind == "f")

    return as_arguments(X, to_mxnet, back(is_mxnet_array, mxnet2xp, model))


def convert_mxnet_default_outputs(
    model: Model, X_Ymxnet: Any, is_train: bool
) -> Tuple[Any, Callable[[Any], ArgsKwargs]]:
    """NDArrays to arrays, in the structure the block gave them."""
    _, Ymxnet = X_Ymxnet
    Y = back(is_mxnet_array, mxnet2xp, model)(Ymxnet)

    def get_d_output(dY: Any) -> ArgsKwargs:
        dYmxnet = convert_recursive(is_xp_array, xp2mxnet, dY)
        several = isinstance(Ymxnet, (tuple, list))
        heads = list(Ymxnet) if several else [Ymxnet]
        head_grads = list(dYmxnet) if several else [dYmxnet]
        return ArgsKwargs(args=(heads,), kwargs={"head_grads": head_grads})

    return Y, get_d_output


__all__ = ["MXNetWrapper", "convert_mxnet_default_inputs", "convert_mxnet_default_outputs", "forward"]
