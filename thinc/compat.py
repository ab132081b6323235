"""Optional packages, found on first use.

Importing this module imports none of them. The first time a name such as `torch` or
`has_torch_cuda_gpu` is asked for, its package is imported and all names of that package
are set; from then on they are plain module attributes. A package that is absent reads
as None, its flags as False, its version as 0.0.0.

Read these names through the module when they are needed (`compat.has_tensorflow`), not
into a copy at import time: TensorFlow and MXNet can be switched on at any moment. To
ask whether an object is a torch tensor, look into `sys.modules` first: what was never
imported has no tensors.
"""

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List

if TYPE_CHECKING:
    from packaging.version import Version

cupy: Any
cupyx: Any
cublas: Any
cupy_version: "Version"
cupy_from_dlpack: Any
has_cupy: bool
has_cupy_gpu: bool
torch: Any
torch_version: "Version"
has_torch: bool
has_torch_cuda_gpu: bool
has_torch_gpu: bool
has_torch_mps: bool
has_torch_mps_gpu: bool
has_torch_amp: bool
h5py: Any
jax: Any
has_jax: bool
onnxruntime: Any
has_onnxruntime: bool
srsly: Any
os_signpost: Any
has_os_signpost: bool
has_gpu: bool

# These two change global state when imported, so they wait for an explicit call.
tensorflow: Any = None
has_tensorflow: bool = False
has_tensorflow_gpu: bool = False
mxnet: Any = None
has_mxnet: bool = False


def _find_cupy() -> Dict[str, Any]:
    from packaging.version import Version

    try:
        import cupy
        import cupyx
    except ImportError:
        return {
            "cupy": None,
            "cupyx": None,
            "cublas": None,
            "cupy_version": Version("0.0.0"),
            "cupy_from_dlpack": None,
            "has_cupy": False,
            "has_cupy_gpu": False,
        }
    try:
        from cupy import cublas
    except ImportError:
        cublas = None
    try:
        # Raises without a driver; with one it is also 0 if all devices are hidden.
        has_device = cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        has_device = False
    version = Version(cupy.__version__)
    return {
        "cupy": cupy,
        "cupyx": cupyx,
        "cublas": cublas,
        "cupy_version": version,
        "cupy_from_dlpack": (cupy.from_dlpack if version.major >= 10 else cupy.fromDlpack),
        "has_cupy": True,
        "has_cupy_gpu": has_device,
    }


# The seed of a torch that was not imported yet when fix_random_seed was called.
torch_seed: Any = None


def _find_torch() -> Dict[str, Any]:
    from packaging.version import Version

    loaded = "torch" in sys.modules
    try:
        import torch
    except ImportError:
        return {
            "torch": None,
            "torch_version": Version("0.0.0"),
            "has_torch": False,
            "has_torch_cuda_gpu": False,
            "has_torch_gpu": False,
            "has_torch_mps": False,
            "has_torch_mps_gpu": False,
            "has_torch_amp": False,
        }
    if torch_seed is not None and not loaded:
        torch.manual_seed(torch_seed)
    version = Version(str(torch.__version__))
    has_cuda = torch.cuda.device_count() != 0
    mps = getattr(torch.backends, "mps", None)
    return {
        "torch": torch,
        "torch_version": version,
        "has_torch": True,
        "has_torch_cuda_gpu": has_cuda,
        "has_torch_gpu": has_cuda,
        "has_torch_mps": mps is not None and mps.is_built(),
        "has_torch_mps_gpu": mps is not None and mps.is_available(),
        # Mixed precision needs a CUDA device and the gradient scaler ops of 1.9.
        "has_torch_amp": version >= Version("1.9.0") and torch.cuda.is_available(),
    }


def _find_h5py() -> Dict[str, Any]:
    try:
        import h5py
    except ImportError:
        h5py = None
    return {"h5py": h5py}


def _find_jax() -> Dict[str, Any]:
    try:
        import jax
        import jax.numpy
    except ImportError:
        jax = None
    return {"jax": jax, "has_jax": jax is not None}


def _find_onnxruntime() -> Dict[str, Any]:
    try:
        import onnxruntime
    except ImportError:
        onnxruntime = None
    return {"onnxruntime": onnxruntime, "has_onnxruntime": onnxruntime is not None}


def _find_srsly() -> Dict[str, Any]:
    # Always installed, but importing it imports cupy where that is installed, too.
    import srsly

    return {"srsly": srsly}


def _find_os_signpost() -> Dict[str, Any]:
    try:
        import os_signpost
    except ImportError:
        os_signpost = None
    return {"os_signpost": os_signpost, "has_os_signpost": os_signpost is not None}


def _find_gpu() -> Dict[str, Any]:
    module = sys.modules[__name__]
    # Only macOS has MPS: elsewhere there is no need to import torch for the answer.
    has_mps = sys.platform == "darwin" and module.has_torch_mps_gpu
    return {"has_gpu": module.has_cupy_gpu or has_mps}


_FINDERS: Dict[str, Callable[[], Dict[str, Any]]] = {
    **dict.fromkeys(
        ("cupy", "cupyx", "cublas", "cupy_version", "cupy_from_dlpack", "has_cupy", "has_cupy_gpu"), _find_cupy
    ),
    **dict.fromkeys(
        (
            "torch",
            "torch_version",
            "has_torch",
            "has_torch_cuda_gpu",
            "has_torch_gpu",
            "has_torch_mps",
            "has_torch_mps_gpu",
            "has_torch_amp",
        ),
        _find_torch,
    ),
    "h5py": _find_h5py,
    **dict.fromkeys(("jax", "has_jax"), _find_jax),
    **dict.fromkeys(("onnxruntime", "has_onnxruntime"), _find_onnxruntime),
    "srsly": _find_srsly,
    **dict.fromkeys(("os_signpost", "has_os_signpost"), _find_os_signpost),
    "has_gpu": _find_gpu,
}


def __getattr__(name: str) -> Any:
    finder = _FINDERS.get(name)
    if finder is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # A name that was set by hand (in a test, say) is not overwritten by its siblings.
    for key, value in finder().items():
        globals().setdefault(key, value)
    return globals()[name]


def __dir__() -> List[str]:
    return sorted({*globals(), *_FINDERS})


def require_cupy(what: str) -> Any:
    """The module, or an ImportError that says what needs it and how to get it."""
    cupy = __getattr__("cupy")
    if cupy is None:
        raise ImportError(f'{what} needs CuPy: pip install "thinc[cuda12x]"')
    return cupy


def enable_tensorflow() -> None:
    """Import TensorFlow and let the library use it. Works at any time, also twice.

    ImportError if it is not installed.

    >>> import tensorflow
    >>> enable_tensorflow()
    """
    _warn_deprecated("TensorFlow", "TensorFlowWrapper")
    import tensorflow as tf

    has_device = len(tf.config.list_physical_devices("GPU")) > 0
    globals().update(tensorflow=tf, has_tensorflow=True, has_tensorflow_gpu=has_device)


def enable_mxnet() -> None:
    """Import MXNet and let the library use it. Works at any time, also twice.

    ImportError if it is not installed.

    >>> import mxnet
    >>> enable_mxnet()
    """
    _warn_deprecated("MXNet", "MXNetWrapper")
    with _old_numpy_names():
        import mxnet as mx

    globals().update(mxnet=mx, has_mxnet=True)


def _warn_deprecated(framework: str, wrapper: str) -> None:
    warnings.warn(
        f"{framework} support is deprecated. To keep it for good, copy {wrapper} and its shim into your own package.",
        DeprecationWarning,
        stacklevel=3,
    )


@contextmanager
def _old_numpy_names() -> Iterator[None]:
    """Lend NumPy the names it has dropped since the last MXNet release read them.

    Names that NumPy has are left alone. All are taken back at the end but `bool`, which
    MXNet looks up again while it runs.
    """
    import numpy

    aliases: Dict[str, Any] = {
        "bool": bool,
        "int": int,
        "float": float,
        "object": object,
        "complex": complex,
        "str": str,
        "PZERO": 0.0,
        "NZERO": -0.0,
        "NINF": -numpy.inf,
        **dict.fromkeys(("PINF", "infty", "Inf", "Infinity"), numpy.inf),
        **dict.fromkeys(("NaN", "NAN"), numpy.nan),
        "alltrue": numpy.all,
        "sometrue": numpy.any,
        "product": numpy.prod,
        "cumproduct": numpy.cumprod,
        "in1d": numpy.isin,
        "row_stack": numpy.vstack,
        "trapz": getattr(numpy, "trapezoid", None),
        "round_": numpy.round,
        "msort": lambda a: numpy.sort(a, axis=0),
        **dict.fromkeys("fv ipmt irr mirr nper npv pmt ppmt pv rate".split(), _dropped_by_numpy),
    }
    lent = []
    with warnings.catch_warnings():
        # Merely asking for some of these names warns, in the versions that have them.
        warnings.simplefilter("ignore")
        missing = [name for name in aliases if not hasattr(numpy, name)]
    try:
        for name in missing:
            setattr(numpy, name, aliases[name])
            lent.append(name)
        yield
    finally:
        for name in lent:
            if name != "bool":
                delattr(numpy, name)


def _dropped_by_numpy(*args: Any, **kwargs: Any) -> None:
    raise NotImplementedError("NumPy no longer has financial functions")


__all__ = ["cupy", "cupyx", "torch", "tensorflow", "mxnet", "h5py", "os_signpost", "require_cupy"]
