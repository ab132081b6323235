"""Seeds, devices, conversions to and from other frameworks, small array helpers."""

import os
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial as _functools_partial
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, cast

import numpy

from .. import compat
from ..backends import CupyOps, MPSOps, get_ops, set_current_ops
from ..backends._losses import smoothed
from ..types import ArgsKwargs, ArrayXd, DTypes, FloatsXd, IntsXd, Padded, Ragged, Shape
from ._conversions import (
    assert_jax_installed,
    assert_mxnet_installed,
    assert_onnxruntime_installed,
    assert_pytorch_installed,
    assert_tensorflow_installed,
    get_torch_default_device,
    is_cupy_array,
    is_jax_array,
    is_mxnet_array,
    is_mxnet_gpu_array,
    is_numpy_array,
    is_tensorflow_array,
    is_tensorflow_gpu_array,
    is_torch_array,
    is_torch_cuda_array,
    is_torch_gpu_array,
    is_torch_mps_array,
    is_xp_array,
    jax2xp,
    mxnet2xp,
    tensorflow2xp,
    torch2xp,
    xp2jax,
    xp2mxnet,
    xp2tensorflow,
    xp2torch,
)
from ._files import write_atomically
from ._unpack import say, unpack
from ._validation import DATA_VALIDATION, DataValidationError, data_validation, validate_fwd_input_output, validates

if TYPE_CHECKING:
    import cupy

__all__ = [
    "ArrayInfo",
    "DATA_VALIDATION",
    "DataValidationError",
    "assert_jax_installed",
    "assert_mxnet_installed",
    "assert_onnxruntime_installed",
    "assert_pytorch_installed",
    "assert_tensorflow_installed",
    "convert_recursive",
    "copy_array",
    "data_validation",
    "fix_random_seed",
    "get_array_module",
    "get_torch_default_device",
    "get_width",
    "gpu_is_available",
    "has_cupy",
    "has_torch",
    "is_cupy_array",
    "is_jax_array",
    "is_mxnet_array",
    "is_mxnet_gpu_array",
    "is_numpy_array",
    "is_tensorflow_array",
    "is_tensorflow_gpu_array",
    "is_torch_array",
    "is_torch_cuda_array",
    "is_torch_gpu_array",
    "is_torch_mps_array",
    "is_xp_array",
    "iterate_recursive",
    "jax2xp",
    "make_tempfile",
    "mxnet2xp",
    "partial",
    "prefer_gpu",
    "require_cpu",
    "require_gpu",
    "say",
    "set_active_gpu",
    "tensorflow2xp",
    "to_categorical",
    "to_numpy",
    "torch2xp",
    "unpack",
    "use_nvtx_range",
    "validate_fwd_input_output",
    "validates",
    "write_atomically",
    "xp2jax",
    "xp2mxnet",
    "xp2tensorflow",
    "xp2torch",
]

has_cupy: bool
has_torch: bool

PartialT = TypeVar("PartialT")

# What is known of optional packages is asked of compat each time, because
# enable_tensorflow() and enable_mxnet() change it after this module is loaded.
_FROM_COMPAT = {
    "cupy": "cupy",
    "cupy_from_dlpack": "cupy_from_dlpack",
    "has_cupy": "has_cupy",
    "has_cupy_gpu": "has_cupy_gpu",
    "has_gpu": "has_gpu",
    "has_mxnet": "has_mxnet",
    "has_tensorflow": "has_tensorflow",
    "has_torch": "has_torch",
    "has_torch_cuda_gpu": "has_torch_cuda_gpu",
    "has_torch_gpu": "has_torch_gpu",
    "has_torch_mps": "has_torch_mps",
    "has_torch_mps_gpu": "has_torch_mps_gpu",
    "mx": "mxnet",
    "tf": "tensorflow",
    "torch": "torch",
}


def __getattr__(name: str) -> Any:
    if name in _FROM_COMPAT:
        return getattr(compat, _FROM_COMPAT[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ------------------------------------------------------------------ kinds of arrays


def get_array_module(arr: Any) -> Any:
    """The module that made this array: numpy or cupy. ValueError for anything else.

    arr: an array.

    >>> get_array_module(numpy.zeros(3)).__name__
    'numpy'
    """
    if isinstance(arr, numpy.ndarray):
        return numpy
    if is_cupy_array(arr):
        return compat.cupy
    raise ValueError(
        "Only numpy and cupy arrays are supported, but found "
        f"{type(arr)} instead. If get_array_module module wasn't called directly, "
        "this might indicate a bug in Thinc."
    )


def to_numpy(data: Any) -> numpy.ndarray:
    """The data as a numpy array; a numpy array is returned as it is.

    data: of NumPy, CuPy, torch, TensorFlow or MXNet, or a list of numbers.

    >>> to_numpy([1, 2])
    array([1, 2])
    """
    if isinstance(data, numpy.ndarray):
        return data
    if is_cupy_array(data):
        return data.get()
    return numpy.array(data)


def copy_array(dst: ArrayXd, src: ArrayXd) -> None:
    """Copy src into the memory of dst, with numpy's rules of broadcasting.

    Each may be on the CPU or on the GPU.
    """
    if is_cupy_array(dst):
        target: Any = dst
        target[...] = src if is_cupy_array(src) else compat.cupy.asarray(src)
    elif isinstance(dst, numpy.ndarray):
        numpy.copyto(dst, to_numpy(src))
    else:
        raise ValueError(f"copy_array: expected to copy into a numpy or cupy array, got {type(dst)}")


def get_width(X: Union[ArrayXd, Ragged, Padded, Sequence[ArrayXd]], *, dim: int = -1) -> int:
    """The width of a batch, as layers infer nI and nO from it.

    Array (..., n) -> n; 1-d array of ids -> highest id + 1; list -> of its first
    item (0 if empty). Raises ValueError for other objects.

    X: the batch.  dim: which axis of an array.

    >>> get_width(numpy.zeros((5, 3))), get_width(numpy.array([0, 7])), get_width([numpy.zeros((2, 4))])
    (3, 8, 4)
    """
    if isinstance(X, (Ragged, Padded)):
        # The data of a Ragged without rows is (0, 0), whatever its width.
        X = X.data if X.data.size else getattr(X, "dataXd", X.data)
    if isinstance(X, (list, tuple)):
        return get_width(X[0], dim=dim) if len(X) else 0
    shape = getattr(X, "shape", None)
    if shape is None:
        raise ValueError(
            "Cannot get width of object: has neither shape nor __getitem__. "
            f"Expected an array, Ragged, Padded, list or tuple, got {type(X)}"
        )
    if len(shape) == 0:
        return 0
    if len(shape) == 1:
        return int(cast(Any, X).max()) + 1
    return int(shape[dim])


def to_categorical(Y: IntsXd, n_classes: Optional[int] = None, *, label_smoothing: float = 0.0) -> FloatsXd:
    """One-hot rows: ids (...) -> float32 (..., n_classes).

    With label_smoothing s the right class gets 1 - s and each other s / (n - 1)
    (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567). s must leave the right
    class ahead: s < (n - 1) / n.
    Y: the ids.  n_classes: by default the highest id + 1.

    >>> to_categorical(numpy.array([0, 2]), n_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    xp = get_array_module(Y)
    if Y.dtype == bool:
        Y = Y.astype("uint8")
    if n_classes is None:
        n_classes = int(Y.max()) + 1
    check_smoothing(label_smoothing, n_classes)
    right, wrong = smoothed(label_smoothing, n_classes)
    rows = xp.full((Y.size, n_classes), wrong, dtype="float32")
    rows[xp.arange(Y.size), Y.reshape((-1,))] = right
    return rows.reshape(Y.shape + (n_classes,))


def check_smoothing(label_smoothing: float, n_classes: int) -> None:
    """ValueError unless the right class stays ahead of the others."""
    if label_smoothing < 0.0:
        raise ValueError(f"Label-smoothing parameter has to be greater than or equal to 0, but found {label_smoothing}")
    if label_smoothing == 0.0:
        if n_classes == 0:
            raise ValueError("n_classes should be at least 1")
        return
    if n_classes <= 1:
        raise ValueError(
            f"n_classes should be greater than 1 when label smoothing is enabled, but {n_classes} was provided."
        )
    limit = (n_classes - 1) / n_classes
    if label_smoothing >= limit:
        raise ValueError(
            f"For {n_classes} classes label_smoothing parameter has to be less "
            f"than {limit}, but found {label_smoothing}."
        )


# --------------------------------------------------------------------- nested data


def convert_recursive(is_match: Callable[[Any], bool], convert_item: Callable[[Any], Any], obj: Any) -> Any:
    """Rebuild nested ArgsKwargs, dicts, lists and tuples, converting each match.

    A match is not looked into. Anything else is kept as it is.
    """
    if is_match(obj):
        return convert_item(obj)
    if isinstance(obj, ArgsKwargs):
        items = convert_recursive(is_match, convert_item, list(obj.items()))
        return ArgsKwargs.from_items(items)
    if isinstance(obj, dict):
        return {
            convert_recursive(is_match, convert_item, key): convert_recursive(is_match, convert_item, value)
            for key, value in obj.items()
        }
    if isinstance(obj, list):
        return [convert_recursive(is_match, convert_item, item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(convert_recursive(is_match, convert_item, item) for item in obj)
    return obj


def iterate_recursive(is_match: Callable[[Any], bool], obj: Any) -> Any:
    """Yield each match in the order in which convert_recursive meets them."""
    if is_match(obj):
        yield obj
    elif isinstance(obj, ArgsKwargs):
        yield from iterate_recursive(is_match, list(obj.items()))
    elif isinstance(obj, dict):
        for key, value in obj.items():
            yield from iterate_recursive(is_match, key)
            yield from iterate_recursive(is_match, value)
    elif isinstance(obj, (list, tuple)):
        for item in obj:
            yield from iterate_recursive(is_match, item)


def partial(func: Callable[..., PartialT], *args: Any, **kwargs: Any) -> Callable[..., PartialT]:
    """functools.partial that keeps the docstring of the function."""
    wrapped = _functools_partial(func, *args, **kwargs)
    wrapped.__doc__ = func.__doc__
    return wrapped


@dataclass
class ArrayInfo:
    """Shape and dtype of an output, to check the gradient that comes back for it."""

    shape: Shape
    dtype: DTypes

    @classmethod
    def from_array(cls, arr: ArrayXd) -> "ArrayInfo":
        return cls(shape=arr.shape, dtype=cast(DTypes, arr.dtype))

    def check_consistency(self, arr: ArrayXd) -> None:
        """Raise ValueError if the array has another shape or dtype."""
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch in backprop. Y: {self.shape}, dY: {arr.shape}")
        if arr.dtype != self.dtype:
            raise ValueError(f"Type mismatch in backprop. Y: {self.dtype}, dY: {arr.dtype}")


@contextmanager
def make_tempfile(mode: str = "r") -> Iterator[Any]:
    """An open temporary file, closed and removed after the block."""
    file = tempfile.NamedTemporaryFile(mode=mode, delete=False)
    try:
        yield file
    finally:
        try:
            file.close()
        finally:
            os.remove(file.name)


@contextmanager
def use_nvtx_range(message: str, id_color: int = -1) -> Iterator[None]:
    """Mark the block in NVIDIA's profilers; without a CUDA GPU it does nothing."""
    if not compat.has_cupy_gpu:
        yield
        return
    nvtx = compat.cupy.cuda.nvtx
    nvtx.RangePush(message, id_color)
    thread = threading.get_ident()
    try:
        yield
    finally:
        if threading.get_ident() == thread:  # (ranges are a stack of each thread)
            nvtx.RangePop()


# --------------------------------------------------------------- seeds and devices


def fix_random_seed(seed: int = 0) -> None:
    """Seed random, numpy, torch, and cupy where it is installed.

    A torch that was not imported yet is not imported here, which takes seconds: it is seeded when a layer first needs
    it. Import it before to have it seeded at once.

    seed: any integer.

    >>> fix_random_seed(1)
    >>> first = numpy.random.uniform()
    >>> fix_random_seed(1)
    >>> first == numpy.random.uniform()
    True
    """
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    uses_torch = "torch" in sys.modules and compat.has_torch
    if uses_torch:
        compat.torch.manual_seed(seed % 0xFFFF_FFFF_FFFF_FFFF)
    else:
        compat.torch_seed = seed % 0xFFFF_FFFF_FFFF_FFFF
    if compat.has_cupy_gpu:
        compat.cupy.random.seed(seed % 2**32)
        if uses_torch and compat.has_torch_cuda_gpu:
            torch = compat.torch
            torch.cuda.manual_seed_all(seed % 0xFFFF_FFFF_FFFF_FFFF)
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.benchmark = False


def gpu_is_available() -> bool:
    """Whether a CUDA GPU (through CuPy) or a Metal GPU (through torch) is here."""
    return compat.has_gpu


def require_cpu() -> bool:
    """Use the CPU from here on. Returns True.

    >>> require_cpu(), get_current_ops().device_type
    (True, 'cpu')
    """
    set_current_ops(get_ops("cpu"))
    return True


def prefer_gpu(gpu_id: int = 0) -> bool:
    """Use a GPU from here on if there is one. Returns whether there is.

    gpu_id: which one.

    >>> device = "GPU" if prefer_gpu() else "CPU"
    """
    return require_gpu(gpu_id=gpu_id) if gpu_is_available() else False


def require_gpu(gpu_id: int = 0) -> bool:
    """Use a GPU from here on. Returns True; ValueError if there is none.

    gpu_id: which one.

    >>> import cupy
    >>> require_gpu()
    True
    """
    if sys.platform == "darwin":
        if not compat.has_torch_mps:
            raise ValueError("Cannot use GPU, installed PyTorch does not support MPS (or PyTorch is not installed)")
        if not compat.has_torch_mps_gpu:
            raise ValueError("Cannot use GPU, no Metal device found")
        set_current_ops(MPSOps())
        return True
    if not compat.has_cupy:
        raise ValueError("Cannot use GPU, CuPy is not installed: pip install cupy-cuda12x")
    if not compat.has_cupy_gpu:
        raise ValueError("No GPU devices detected")
    set_current_ops(CupyOps(device_id=gpu_id))
    set_active_gpu(gpu_id)
    return True


def set_active_gpu(gpu_id: int) -> "cupy.cuda.Device":
    """Make this the current device of CuPy and torch. ValueError without a GPU.

    gpu_id: which one.

    >>> import cupy
    >>> set_active_gpu(0)
    <CUDA Device 0>
    """
    if not compat.has_cupy_gpu:
        raise ValueError("No CUDA GPU devices detected")
    device = compat.cupy.cuda.Device(gpu_id)
    device.use()
    if compat.has_torch_cuda_gpu:
        compat.torch.cuda.set_device(gpu_id)
    return device
