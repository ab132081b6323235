"""The backend of PyTorch models on Apple GPUs: arrays stay on the CPU."""

import sys
from typing import Optional, Type

from ..config import registry
from .numpy_ops import NumpyOps


def _apple_ops() -> Optional[Type[NumpyOps]]:
    """The class of the package thinc-apple-ops, where there is one."""
    if sys.platform != "darwin":
        return None
    try:
        from thinc_apple_ops import AppleOps
    except ImportError:
        return None
    return AppleOps


AppleOps = _apple_ops()
_CPUOps: Type[NumpyOps] = NumpyOps if AppleOps is None else AppleOps


@registry.ops("MPSOps")
class MPSOps(_CPUOps):  # type: ignore[valid-type, misc]  # base picked at run time
    """NumPy arrays, with PyTorch layers on the Metal GPU.

    The wrapped models choose their device by the name of this class.

    device_type, device_id, use_blis: as in `NumpyOps`.

    >>> MPSOps().name
    'mps'
    """

    name = "mps"
