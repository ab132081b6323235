"""Torch modules as layers."""

from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Tuple, cast

from ..config import registry
from ..model import Model
from ..shims import PyTorchGradScaler, PyTorchShim
from ..types import ArgsKwargs, Floats3d, Padded
from ..util import convert_recursive, is_torch_array, is_xp_array, partial, torch2xp, xp2torch
from ._frameworks import as_arguments, back, forward, wrapper

if TYPE_CHECKING:
    import torch


@registry.layers("PyTorchRNNWrapper.v1")
def PyTorchRNNWrapper(
    pytorch_model: Any, convert_inputs: Optional[Callable[..., Any]] = None, convert_outputs: Optional[Callable] = None
) -> Model[Padded, Padded]:
    """A recurrent torch module.  Padded -> Padded.

    The module gets data (T, B, nI) and returns (Y, state), as torch.nn.LSTM does. It
    sees the padding as steps of zeros.

    pytorch_model, convert_inputs, convert_outputs: as in `PyTorchWrapper`.

    >>> import torch
    >>> sequences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> model = with_padded(PyTorchRNNWrapper(torch.nn.LSTM(3, 4)))
    >>> [Y.shape for Y in model.predict(sequences)]
    [(5, 4), (2, 4)]
    """
    return cast(
        Model[Padded, Padded],
        PyTorchWrapper(
            pytorch_model,
            convert_inputs=convert_inputs or convert_rnn_inputs,
            convert_outputs=convert_outputs or convert_rnn_outputs,
        ),
    )


@registry.layers("PyTorchWrapper.v1")
def PyTorchWrapper(
    pytorch_model: Any, convert_inputs: Optional[Callable[..., Any]] = None, convert_outputs: Optional[Callable] = None
) -> Model[Any, Any]:
    """A torch module as a layer; its parameters are updated by our optimizers.

    convert_inputs: (model, X, is_train) -> (ArgsKwargs of tensors, callback from their
        gradients to that of X).
    convert_outputs: (model, (X, Y of torch), is_train) -> (Y, callback from dY to the
        ArgsKwargs of torch.autograd.backward).
    By default arrays are converted wherever they are in tuples, lists and dicts. A list
    or tuple is passed as several arguments, a dict as keywords.

    pytorch_model: the module.

    >>> import torch
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = chain(PyTorchWrapper(torch.nn.Linear(3, 4)), Softmax(2)).initialize(X)
    >>> Y, backprop = model.begin_update(X)
    >>> Y.shape, backprop(Y).shape
    ((5, 2), (5, 3))
    """
    return PyTorchWrapper_v3(pytorch_model, convert_inputs=convert_inputs, convert_outputs=convert_outputs)


@registry.layers("PyTorchWrapper.v2")
def PyTorchWrapper_v2(
    pytorch_model: Any,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    mixed_precision: bool = False,
    grad_scaler: Optional[PyTorchGradScaler] = None,
    device: Optional["torch.device"] = None,
) -> Model[Any, Any]:
    """As PyTorchWrapper; mixed_precision runs the forward pass in float16 on CUDA.

    pytorch_model, convert_inputs, convert_outputs: as there.  grad_scaler: of such a run, by default a
    `PyTorchGradScaler`.  device: of the module, by default that of the current backend.

    >>> import torch
    >>> PyTorchWrapper_v2(torch.nn.Linear(3, 4)).predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    return PyTorchWrapper_v3(
        pytorch_model,
        convert_inputs=convert_inputs,
        convert_outputs=convert_outputs,
        mixed_precision=mixed_precision,
        grad_scaler=grad_scaler,
        device=device,
    )


@registry.layers("PyTorchWrapper.v3")
def PyTorchWrapper_v3(
    pytorch_model: "torch.nn.Module",
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    mixed_precision: bool = False,
    grad_scaler: Optional[PyTorchGradScaler] = None,
    device: Optional["torch.device"] = None,
    serialize_model: Optional[Callable[[Any], bytes]] = None,
    deserialize_model: Optional[Callable[[Any, bytes, "torch.device"], Any]] = None,
) -> Model[Any, Any]:
    """As PyTorchWrapper_v2, with functions for saving and loading the module instead of
    its state dict: module -> bytes, and (module, bytes, device) -> module.
    pytorch_model, convert_inputs, convert_outputs, mixed_precision, grad_scaler, device: as there.
    serialize_model, deserialize_model: these functions.

    >>> import torch
    >>> def save(module):
    ...     return module.weight.detach().numpy().tobytes()
    >>> model = PyTorchWrapper_v3(torch.nn.Linear(3, 2, bias=False), serialize_model=save)
    >>> len(model.shims[0].to_bytes()) > 6 * 4
    True
    """
    shim = PyTorchShim(
        pytorch_model,
        mixed_precision=mixed_precision,
        grad_scaler=grad_scaler,
        device=device,
        serialize_model=serialize_model,
        deserialize_model=deserialize_model,
    )
    return wrapper(
        "pytorch",
        forward,
        shim,
        convert_inputs or convert_pytorch_default_inputs,
        convert_outputs or convert_pytorch_default_outputs,
    )


# Default conversions


def _device(model: Model) -> Any:
    shim: Any = model.shims[0]
    return shim.device


def convert_pytorch_default_inputs(
    model: Model, X: Any, is_train: bool
) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    """Arrays to tensors, arranged as the arguments of the module."""
    device = _device(model)

    def to_torch(array: Any) -> Any:
        # Ids and masks have no gradient.
        needs_grad = is_train and array.dtype.kind == "f"
        return xp2torch(array, requires_grad=needs_grad, device=device)

    return as_arguments(X, to_torch, back(is_torch_array, torch2xp, model))


def convert_pytorch_default_outputs(
    model: Model, X_Ytorch: Any, is_train: bool
) -> Tuple[Any, Callable[[Any], ArgsKwargs]]:
    """Tensors to arrays, in the structure the module gave them."""
    _, Ytorch = X_Ytorch
    Y = back(is_torch_array, torch2xp, model)(Ytorch)

    def get_d_output(dY: Any) -> ArgsKwargs:
        dYtorch = convert_recursive(is_xp_array, partial(xp2torch, device=_device(model)), dY)
        outputs, grads = [], []
        for output, grad in _pairs(Ytorch, dYtorch):
            # Ids and masks, and what no parameter or input reached, have no gradient.
            if output.requires_grad:
                outputs.append(output)
                grads.append(grad.to(output.dtype))
        return ArgsKwargs(args=(tuple(outputs),), kwargs={"grad_tensors": grads})

    return Y, get_d_output


def _pairs(output: Any, grad: Any) -> Iterator[Tuple[Any, Any]]:
    """The tensors of an output and their gradients. None, or a missing key of a dict,
    stands for no gradient."""
    if output is None or grad is None:
        return
    if isinstance(output, dict):
        for key, value in output.items():
            yield from _pairs(value, grad.get(key))
    elif isinstance(output, (tuple, list)):
        if len(output) != len(grad):
            raise ValueError(
                f"PyTorchWrapper: the module gave {len(output)} outputs, but there are "
                f"{len(grad)} gradients. Use None where there is no gradient"
            )
        for value, d_value in zip(output, grad):
            yield from _pairs(value, d_value)
    elif is_torch_array(output):
        yield output, grad


# Conversions of recurrent modules


def convert_rnn_inputs(model: Model, Xp: Padded, is_train: bool) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Padded]]:
    """Padded to the arguments (data, initial state None)."""
    device = _device(model)
    data = xp2torch(Xp.data, requires_grad=True, device=device)

    def get_dX(grads: ArgsKwargs) -> Padded:
        dX = cast(Floats3d, torch2xp(grads.args[0], ops=model.ops))
        return Xp.with_data(dX)

    return ArgsKwargs(args=(data, None), kwargs={}), get_dX


def convert_rnn_outputs(
    model: Model, inputs_outputs: Tuple[Any, Any], is_train: bool
) -> Tuple[Padded, Callable[[Padded], ArgsKwargs]]:
    """(Y, state) to Padded; the state is dropped."""
    Xp, (Ytorch, _) = inputs_outputs
    Y = cast(Floats3d, torch2xp(Ytorch, ops=model.ops))

    def get_d_output(dYp: Padded) -> ArgsKwargs:
        dY = xp2torch(dYp.data, device=_device(model))
        return ArgsKwargs(args=(Ytorch,), kwargs={"grad_tensors": dY})

    return Xp.with_data(Y), get_d_output


__all__ = [
    "PyTorchRNNWrapper",
    "PyTorchWrapper",
    "PyTorchWrapper_v2",
    "PyTorchWrapper_v3",
    "convert_pytorch_default_inputs",
    "convert_pytorch_default_outputs",
    "convert_rnn_inputs",
    "convert_rnn_outputs",
    "forward",
]
