"""Backends: one interface (`Ops`) over arrays, several implementations of it.

The backend in use is a context variable: a new thread or an empty context starts
without one and falls back to the CPU default on first use.
"""

import contextlib
import importlib
import sys
import threading
from contextvars import ContextVar
from typing import Any, ContextManager, Dict, Optional, cast

import numpy

from .. import _incidental, compat
from .._blocks import Blocks
from ..config import registry
from . import _cupy_allocators
from ._kernels.levels import get_num_threads, set_num_threads  # type: ignore[import-not-found]  # noqa: F401
from ._kernels.memory import release_memory  # type: ignore[import-not-found]  # noqa: F401
from ._param_server import ParamServer
from .cupy_ops import CupyOps
from .mps_ops import AppleOps, MPSOps
from .numpy_ops import NumpyOps
from .ops import Ops

context_ops: ContextVar[Optional[Ops]] = ContextVar("context_ops", default=None)
# One dict for all contexts, unless a context sets its own.
context_pools: ContextVar[dict] = ContextVar(
    "context_pools",
    default={},  # noqa: B039
)

_thread_state = threading.local()


def set_gpu_allocator(allocator: str) -> None:
    """Route CuPy's memory through another framework: "pytorch" or "tensorflow".

    Both then draw from one pool, instead of each holding memory the other needs.

    allocator: its name.  ValueError for another.

    >>> import cupy, torch
    >>> set_gpu_allocator("pytorch")
    """
    if allocator == "pytorch":
        use_pytorch_for_gpu_memory()
    elif allocator == "tensorflow":
        use_tensorflow_for_gpu_memory()
    else:
        raise ValueError(
            f"Invalid 'gpu_allocator' argument: '{allocator}'. Available allocators are: 'pytorch', 'tensorflow'"
        )


def use_pytorch_for_gpu_memory() -> None:
    """Let CuPy allocate through PyTorch.  Does nothing unless a GPU is in use.

    >>> import cupy, torch
    >>> use_pytorch_for_gpu_memory()
    """
    _cupy_allocators.require_torch()
    if isinstance(get_current_ops(), CupyOps):
        _use_pool("pytorch", _cupy_allocators.cupy_pytorch_allocator)


def use_tensorflow_for_gpu_memory() -> None:
    """Let CuPy allocate through TensorFlow.

    >>> import cupy, tensorflow
    >>> use_tensorflow_for_gpu_memory()
    """
    _cupy_allocators.require_tensorflow()
    _use_pool("tensorflow", _cupy_allocators.cupy_tensorflow_allocator)


def _use_pool(name: str, allocator: Any) -> None:
    cupy = compat.require_cupy(f"Sharing GPU memory with {name}")
    pools = context_pools.get()
    if name not in pools:
        pools[name] = cupy.cuda.MemoryPool(allocator=allocator)
    cupy.cuda.set_allocator(pools[name].malloc)


def get_ops(name: str, **kwargs: Any) -> Ops:
    """A new backend instance: "cpu", "numpy", "cupy", "mps" or a registered name.

    "cpu" takes the best registered CPU backend: one for big-endian machines, then
    Apple's, then numpy.  Keyword arguments go to the constructor.

    name: of the backend.  kwargs: for its constructor.

    >>> get_ops("cpu").asarray1f([1, 2])
    array([1., 2.], dtype=float32)
    """
    if name == "cpu":
        # Importing these packages registers their backends.
        for plugin in ("thinc_apple_ops", "thinc_bigendian_ops"):
            with contextlib.suppress(ImportError):
                importlib.import_module(plugin)
    registered = cast(Any, registry.ops).get_all().values()
    by_name: Dict[str, Any] = {cls.name: cls for cls in registered}
    candidates = ("bigendian", "apple", "numpy") if name == "cpu" else (name,)
    for candidate in candidates:
        if candidate in by_name:
            return by_name[candidate](**kwargs)
    raise ValueError(f"Invalid backend: {name}")


def get_array_ops(arr: Any) -> Ops:
    """The backend an array belongs to: cupy for cupy arrays, else numpy."""
    if type(arr) is not numpy.ndarray:
        cupy = sys.modules.get("cupy")
        if cupy is not None and isinstance(arr, cupy.ndarray):
            return CupyOps()
    return NumpyOps()


def use_ops(name: str, **kwargs: Any) -> ContextManager[None]:
    """Use a backend, by its name, inside a `with` block.

    name: of the backend.  kwargs: for its constructor.

    >>> with use_ops("numpy", use_blis=False):
    ...     Linear(2, 3).ops.use_blis
    False
    """
    get_current_ops()  # (one to come back to)
    return _blocks.set(get_ops(name, **kwargs))


def get_current_ops() -> Ops:
    """The backend of this context; the default CPU backend if none was set.

    >>> with use_ops("numpy"):
    ...     get_current_ops().name
    'numpy'
    """
    ops = _blocks.get()
    if ops is None:
        ops = get_ops("cpu")
        set_current_ops(ops)
    return ops


def set_current_ops(ops: Ops) -> None:
    """Set the backend of this context.

    ops: an instance.

    >>> set_current_ops(get_ops("cpu"))
    """
    _blocks.leave_ended()
    _assign_ops(ops)


def _assign_ops(ops: Ops) -> None:
    context_ops.set(ops)
    _get_thread_state().ops = ops


_blocks = Blocks(context_ops, _assign_ops)


def contextvars_eq_thread_ops() -> bool:
    """Whether context and thread agree on the type of the backend.

    They do not where every cell runs in a fresh context, as in some notebooks.
    """
    return type(context_ops.get()) is type(_get_thread_state().ops)


def _get_thread_state() -> Any:
    """This thread's record of the backend set last, created on first use."""
    if not hasattr(_thread_state, "ops"):
        _thread_state.ops = None
    return _thread_state


def __getattr__(name: str) -> Any:
    # Asking whether cupy is there imports it, so it is asked only when needed.
    if name == "has_cupy":
        return compat.has_cupy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "set_current_ops",
    "get_current_ops",
    "use_ops",
    "ParamServer",
    "Ops",
    "AppleOps",
    "CupyOps",
    "MPSOps",
    "NumpyOps",
    "has_cupy",
]

_incidental.serve("thinc")
