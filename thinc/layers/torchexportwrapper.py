"""Programs made by `torch.export` as layers: what TorchScript was for."""

from typing import TYPE_CHECKING, Any, Callable, Optional

from .. import compat
from ..model import Model
from ..shims import PyTorchGradScaler, TorchExportShim
from ._frameworks import forward, wrapper
from .pytorchwrapper import convert_pytorch_default_inputs, convert_pytorch_default_outputs
from .torchscriptwrapper import wrapped_shim

if TYPE_CHECKING:
    import torch


def TorchExportWrapper(
    program: Optional["torch.export.ExportedProgram"] = None,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    mixed_precision: bool = False,
    grad_scaler: Optional[PyTorchGradScaler] = None,
    device: Optional["torch.device"] = None,
) -> Model[Any, Any]:
    """A program of torch.export as a layer, saved with its code.

    Arguments as in PyTorchWrapper_v2. Without a program it is a shell to load saved
    bytes into. Training updates the parameters; the program stays in the mode, training
    or evaluation, that the module was exported in.

    convert_inputs, convert_outputs, mixed_precision, grad_scaler, device: see above.

    >>> import torch
    >>> program = torch.export.export(torch.nn.Linear(3, 4), (torch.ones(5, 3),))
    >>> TorchExportWrapper(program).predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    shim = TorchExportShim(program, mixed_precision=mixed_precision, grad_scaler=grad_scaler, device=device)
    return wrapper(
        "pytorch_export",
        forward,
        shim,
        convert_inputs or convert_pytorch_default_inputs,
        convert_outputs or convert_pytorch_default_outputs,
    )


def pytorch_to_torchexport_wrapper(model: Model, X: Any) -> Model[Any, Any]:
    """The exported form of a layer made by PyTorchWrapper, with its converters and
    settings.

    X is an example batch: the program is traced with it. No size of X may be 0 or 1,
    as torch takes those for constants; the program then accepts other sizes wherever
    the module does. The module is exported in evaluation mode.

    model: the layer.

    >>> import torch
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> pytorch_to_torchexport_wrapper(PyTorchWrapper(torch.nn.Linear(3, 4)), X).predict(X[:2]).shape
    (2, 4)
    """
    shim = wrapped_shim(model)
    torch = compat.torch
    inputs, _ = model.attrs["convert_inputs"](model, X, False)

    def sizes(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        return {axis: torch.export.Dim.AUTO for axis in range(value.ndim)}

    was_training = shim._model.training
    shim._model.eval()
    try:
        tree_map = torch.utils._pytree.tree_map
        program = torch.export.export(
            shim._model,
            inputs.args,
            inputs.kwargs,
            dynamic_shapes=(*tree_map(sizes, inputs.args), *tree_map(sizes, list(inputs.kwargs.values()))),
        )
    finally:
        shim._model.train(was_training)
    return TorchExportWrapper(
        program,
        convert_inputs=model.attrs["convert_inputs"],
        convert_outputs=model.attrs["convert_outputs"],
        mixed_precision=shim._mixed_precision,
        grad_scaler=shim._grad_scaler,
        device=shim.device,
    )


__all__ = ["TorchExportWrapper", "pytorch_to_torchexport_wrapper"]
