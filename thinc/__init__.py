"""A functional deep learning library: composable models, any array backend.

Importing the package loads the registry only; `thinc.api` holds everything else. So
`thinc.compat.enable_tensorflow()` can be called before the rest is imported.
"""

import importlib
import os
from typing import Any

from .about import __version__
from .config import registry

__all__ = ["registry", "__version__"]


def __getattr__(name: str) -> Any:
    # Only here, since it loads NumPy and the kernels, or all.
    if name in ("get_num_threads", "release_memory", "set_num_threads"):
        from .backends._kernels import levels, memory  # type: ignore[attr-defined]  # (compiled)

        return getattr(memory if name == "release_memory" else levels, name)
    if name == "load":
        return importlib.import_module("thinc.training").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_include() -> str:
    """The folder of the C++ headers, for the include path of a compiler."""
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(here, "include")
    if os.path.isdir(installed):
        return installed
    return os.path.join(os.path.dirname(here), "include", "thinc")
