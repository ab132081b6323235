"""The backend of CUDA GPUs, on CuPy arrays."""

from typing import Any, Optional, Tuple

import numpy

from .. import compat
from ..config import registry
from ..types import DeviceTypes, Floats1d, Floats2d
from .ops import Ops


class _ImportedOnUse:
    """A class attribute holding an optional module, or None if it is not installed.

    `import thinc.api` must not import CuPy, so it is looked up on first use and then
    takes the place of this object.
    """

    def __init__(self, module: str):
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name

    def __get__(self, instance: Any, owner: Optional[type] = None) -> Any:
        module = getattr(compat, self.module)
        setattr(self.owner, self.name, module)
        return module


@registry.ops("CupyOps")
class CupyOps(Ops):
    """CuPy arrays on an NVIDIA GPU.  Without CuPy it can be made, but not used."""

    name = "cupy"
    xp: Any = _ImportedOnUse("cupy")
    _xp2: Any = _ImportedOnUse("cupyx")

    def __init__(
        self, device_type: DeviceTypes = "gpu", device_id: int = 0, **kwargs
    ) -> None:
        self.device_type = device_type
        self.device_id = device_id

    def to_numpy(self, data, *, byte_order=None):
        if not isinstance(data, numpy.ndarray):
            data = data.get()
        return super().to_numpy(data, byte_order=byte_order)

    def asarray(self, data, dtype=None):
        """A CuPy array.  Tensors already on the GPU share their memory with it."""
        cupy = self.xp
        if isinstance(data, cupy.ndarray):
            array = data
        elif hasattr(data, "__cuda_array_interface__"):
            # A torch tensor that takes part in a graph shares only when detached.
            array = cupy.asarray(data.detach() if hasattr(data, "detach") else data)
        elif _is_on_gpu(data):
            array = cupy.from_dlpack(data)
        else:
            if hasattr(data, "numpy"):
                data = data.numpy()
            array = cupy.array(data, dtype=dtype)
        return array if dtype is None else array.astype(dtype=dtype, copy=False)

    def gemm(
        self,
        x: Floats2d,
        y: Floats2d,
        out: Optional[Floats2d] = None,
        trans1: bool = False,
        trans2: bool = False,
    ) -> Floats2d:
        if isinstance(x, numpy.ndarray) or isinstance(y, numpy.ndarray):
            raise ValueError(
                "Encountered a numpy array when processing with cupy. "
                "Did you call model.ops.asarray on your data?"
            )
        return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)

    def adam(
        self,
        weights: Floats1d,
        gradient: Floats1d,
        mom1: Floats1d,
        mom2: Floats1d,
        beta1: float,
        beta2: float,
        eps: float,
        learn_rate: float,
        mod_rate: float = 1.0,
    ) -> Tuple[Floats1d, Floats1d, Floats1d, Floats1d]:
        """As in the base, but mod_rate is ignored and the gradient set to zero."""
        super().adam(weights, gradient, mom1, mom2, beta1, beta2, eps, learn_rate)
        gradient.fill(0)
        return weights, gradient, mom1, mom2


def _is_on_gpu(data: Any) -> bool:
    """Whether a tensor offers its memory through DLPack, on a CUDA device (type 2)."""
    return hasattr(data, "__dlpack_device__") and data.__dlpack_device__()[0] == 2


__all__ = ["CupyOps"]
