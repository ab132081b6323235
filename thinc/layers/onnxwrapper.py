"""ONNX graphs as layers."""

from pathlib import Path
from typing import Any, Callable, Optional, Sequence, Tuple, Union

from ..model import Model
from ..shims import OnnxShim
from ..types import ArgsKwargs
from ..util import convert_recursive, is_xp_array
from ._frameworks import as_arguments, wrapper


def OnnxWrapper(
    path_or_bytes: Union[str, Path, bytes, None] = None,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    *,
    providers: Optional[Sequence[Any]] = None,
    session_options: Any = None,
) -> Model[Any, Any]:
    """An ONNX graph as a layer, run by ONNX Runtime.  For inference only.

    path_or_bytes: a file or its content. Without it, the layer is a shell to load saved
        bytes into. Weights must be part of the file, not beside it.
    convert_inputs: (model, X, is_train) -> (ArgsKwargs of NumPy arrays, callback).
    convert_outputs: (model, (X, outputs), is_train) -> (Y, callback). The callbacks are
        never called. By default a list or tuple is passed as the inputs of the graph in
        their order, a dict by name; several outputs are a tuple.
    providers, session_options: as for onnxruntime.InferenceSession.

    The callback of a training pass raises NotImplementedError.

    >>> import onnx, onnxruntime
    >>> from thinc.export import to_onnx
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> exported = to_onnx(chain(Relu(4), Softmax(2)).initialize(X), "model.onnx", X)
    >>> OnnxWrapper("model.onnx").predict(X).shape
    (5, 2)
    """
    shim = OnnxShim(path_or_bytes, providers=providers, session_options=session_options)
    return wrapper(
        "onnx",
        forward,
        shim,
        convert_inputs or convert_onnx_default_inputs,
        convert_outputs or convert_onnx_default_outputs,
    )


def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    """Inputs to ONNX Runtime, through the graph, outputs back."""
    inputs, _ = model.attrs["convert_inputs"](model, X, is_train)
    outputs, refuse = model.shims[0](inputs, is_train)
    Y, _ = model.attrs["convert_outputs"](model, (X, outputs), is_train)
    return Y, refuse


def convert_onnx_default_inputs(model: Model, X: Any, is_train: bool) -> Tuple[ArgsKwargs, Callable]:
    """NumPy arrays, arranged as the inputs of the graph."""
    return as_arguments(X, model.ops.to_numpy, _unused)[0], _unused


def convert_onnx_default_outputs(model: Model, X_outputs: Any, is_train: bool) -> Tuple[Any, Callable]:
    """Arrays of the model's ops; texts stay in NumPy arrays."""
    _, outputs = X_outputs

    def to_ops(array: Any) -> Any:
        return array if array.dtype.kind in "OUS" else model.ops.asarray(array)

    return convert_recursive(is_xp_array, to_ops, outputs), _unused


def _unused(grads: Any) -> Any:
    return grads


__all__ = ["OnnxWrapper", "convert_onnx_default_inputs", "convert_onnx_default_outputs", "forward"]
