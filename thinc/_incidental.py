"""Names that modules of release 8.3 had only because they imported them.

Code in the wild takes some of them from there: `from thinc.layers.relu import Dropout`.
Here every module serves all of them, on request; nothing is imported before that.
"""

import importlib
import sys
from typing import Any

_HOMES = {
    "typing": "Any Callable Container Dict Generic Iterator List Mapping Optional Sequence Set Sized Tuple Type TypeVar"
    " Union cast overload",
    "thinc._array_types": "Array1d Array2d Array3d Array4d ArrayXd DTypes DTypesFloat DTypesInt FloatsXd IntsXd"
    " List2d ListXd Shape",
    "thinc.types": "Batchable Floats1d Floats2d Floats3d Floats4d Generator Ints1d Ints2d Ints3d Ints4d Padded Ragged"
    " SizedGenerator",
    "thinc.util": "ArrayInfo assert_pytorch_installed assert_tensorflow_installed convert_recursive copy_array"
    " get_array_module get_torch_default_device get_width is_cupy_array is_mxnet_gpu_array is_numpy_array"
    " is_tensorflow_gpu_array is_torch_cuda_array is_xp_array make_tempfile mxnet2xp partial require_cpu"
    " tensorflow2xp to_numpy torch2xp",
    "thinc.compat": "cublas cupy cupyx h5py has_cupy has_os_signpost has_torch_amp os_signpost tensorflow",
    "thinc.backends": "CupyOps NumpyOps Ops get_current_ops",
    "thinc.backends._cupy_allocators": "cupy_pytorch_allocator cupy_tensorflow_allocator",
    "thinc.backends._lstm": "backprop_lstm lstm_forward_training",
    "thinc.backends.cblas": "CBlas",
    "thinc.initializers": "zero_init",
    "thinc.optimizers": "Optimizer",
    "thinc.shims": "Shim",
    "thinc.layers": "Dropout LayerNorm chain",
    "thinc.layers.array_getitem": "ints_getitem",
    "thinc.layers.chain": "InT OutT",
    "abc": "abstractmethod",
    "confection.validation": "Schema ValidationError validate_type",
    "contextvars": "ContextVar",
    "ctypes": "c_uint64",
    "io": "BytesIO",
    "packaging.version": "Version",
    "pathlib": "Path",
    "wasabi": "table",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
# Under another name there.
_RENAMED = {"mx": ("thinc.compat", "mxnet"), "tf": ("thinc.compat", "tensorflow"), "types": ("thinc", "types")}


def serve(package: str) -> None:
    """Let the modules of a package, as far as they are loaded, answer for these names."""
    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            _serve(module)


def _serve(module: Any) -> None:
    own = vars(module).get("__getattr__")
    if getattr(own, "__module__", None) == __name__:
        return  # served already

    def __getattr__(name: str) -> Any:
        if name in _HOME and _HOME[name] != module.__name__:
            return getattr(importlib.import_module(_HOME[name]), name)
        if name in _RENAMED:
            home, name = _RENAMED[name]
            return getattr(importlib.import_module(home), name)
        if own is not None:
            return own(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    module.__getattr__ = __getattr__
