"""TorchScript modules as layers."""

from typing import TYPE_CHECKING, Any, Callable, Optional

from .. import compat
from ..model import Model
from ..shims import PyTorchGradScaler, PyTorchShim, TorchScriptShim
from ._frameworks import forward, wrapper
from .pytorchwrapper import convert_pytorch_default_inputs, convert_pytorch_default_outputs

if TYPE_CHECKING:
    import torch


def TorchScriptWrapper_v1(
    torchscript_model: Optional["torch.jit.ScriptModule"] = None,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    mixed_precision: bool = False,
    grad_scaler: Optional[PyTorchGradScaler] = None,
    device: Optional["torch.device"] = None,
) -> Model[Any, Any]:
    """A TorchScript module as a layer, saved with its code.

    Arguments as in PyTorchWrapper_v2. Without a module it is a shell to load saved
    bytes into.

    torchscript_model: the module.  convert_inputs, convert_outputs, mixed_precision, grad_scaler, device: see above.

    >>> import torch
    >>> module = torch.jit.trace(torch.nn.Linear(3, 4), torch.ones(5, 3))
    >>> TorchScriptWrapper_v1(module).predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    shim = TorchScriptShim(
        model=torchscript_model, mixed_precision=mixed_precision, grad_scaler=grad_scaler, device=device
    )
    return wrapper(
        "pytorch_script",
        forward,
        shim,
        convert_inputs or convert_pytorch_default_inputs,
        convert_outputs or convert_pytorch_default_outputs,
    )


def pytorch_to_torchscript_wrapper(model: Model) -> Model:
    """The TorchScript form of a layer made by PyTorchWrapper, with its converters and
    settings.

    model: the layer.

    >>> import torch
    >>> model = pytorch_to_torchscript_wrapper(PyTorchWrapper(torch.nn.Linear(3, 4)))
    >>> model.predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    shim = wrapped_shim(model)
    return TorchScriptWrapper_v1(
        compat.torch.jit.script(shim._model),
        convert_inputs=model.attrs["convert_inputs"],
        convert_outputs=model.attrs["convert_outputs"],
        mixed_precision=shim._mixed_precision,
        grad_scaler=shim._grad_scaler,
        device=shim.device,
    )


def wrapped_shim(model: Model) -> PyTorchShim:
    """The shim of a layer made by PyTorchWrapper; ValueError for any other layer."""
    if not model.shims or not isinstance(model.shims[0], PyTorchShim):
        found = type(model.shims[0]).__name__ if model.shims else "no shim at all"
        raise ValueError(
            f"Expected PyTorchShim when converting a PyTorch wrapper, but the layer '{model.name}' has {found}"
        )
    module = model.shims[0]._model
    if not isinstance(module, compat.torch.nn.Module):
        raise ValueError(f"PyTorchShim does not wrap a PyTorch module, but a {type(module).__name__}")
    return model.shims[0]


__all__ = ["TorchScriptWrapper_v1", "pytorch_to_torchscript_wrapper"]
