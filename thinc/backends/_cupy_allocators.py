"""Memory for CuPy, taken from another framework's allocator."""

from typing import Any

from .. import compat


def require_torch() -> Any:
    """The torch module.  ImportError with a way out if it is not installed."""
    if not compat.has_torch:
        raise ImportError('PyTorch support needs torch: pip install "thinc[torch]"')
    return compat.torch


def require_tensorflow() -> Any:
    """The tensorflow module.  ImportError with a way out if it is not installed."""
    if not compat.has_tensorflow:
        raise ImportError(
            "TensorFlow support needs tensorflow: pip install "
            '"thinc[tensorflow]", then thinc.compat.enable_tensorflow()'
        )
    return compat.tensorflow


def cupy_pytorch_allocator(size_in_bytes: int):
    """A cupy.cuda.MemoryPointer to memory owned by a torch tensor.

    At least 1024 bytes, so that empty arrays have an address of their own.
    """
    cupy = compat.cupy
    torch = require_torch()
    size_in_bytes = max(1024, size_in_bytes)
    # float32 rather than bytes: torch then aligns the memory for any dtype.
    tensor = torch.zeros((-(-size_in_bytes // 4),), dtype=torch.float32, device="cuda", requires_grad=False)
    memory = cupy.cuda.memory.UnownedMemory(tensor.data_ptr(), size_in_bytes, tensor)
    return cupy.cuda.memory.MemoryPointer(memory, 0)


def cupy_tensorflow_allocator(size_in_bytes: int):
    """A cupy.cuda.MemoryPointer to memory owned by a TensorFlow tensor."""
    cupy = compat.cupy
    tensorflow = require_tensorflow()
    size_in_bytes = max(1024, size_in_bytes)
    tensor = tensorflow.zeros((-(-size_in_bytes // 4),), dtype="float32")
    capsule = tensorflow.experimental.dlpack.to_dlpack(tensor)
    array = cupy.from_dlpack(capsule)
    memory = cupy.cuda.memory.UnownedMemory(array.data.ptr, size_in_bytes, array)
    return cupy.cuda.memory.MemoryPointer(memory, 0)
