"""Parameters of other frameworks. Importing this imports none of them."""

from .jax import JaxShim
from .mxnet import MXNetShim
from .onnx import OnnxShim
from .pytorch import PyTorchShim
from .pytorch_grad_scaler import PyTorchGradScaler
from .shim import Shim
from .tensorflow import TensorFlowShim, keras_model_fns, maybe_handshake_model
from .torchexport import TorchExportShim
from .torchscript import TorchScriptShim

__all__ = [
    "JaxShim",
    "MXNetShim",
    "OnnxShim",
    "PyTorchGradScaler",
    "PyTorchShim",
    "Shim",
    "TensorFlowShim",
    "TorchExportShim",
    "TorchScriptShim",
    "keras_model_fns",
    "maybe_handshake_model",
]
