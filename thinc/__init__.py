"""A functional deep learning library: composable models, any array backend.

Importing the package loads the registry only; `thinc.api` holds everything else. So
`thinc.compat.enable_tensorflow()` can be called before the rest is imported.
"""

import os

from .about import __version__
from .config import registry

__all__ = ["registry", "__version__"]


def get_include() -> str:
    """The folder of the C++ headers, for the include path of a compiler."""
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(here, "include")
    if os.path.isdir(installed):
        return installed
    return os.path.join(os.path.dirname(here), "include", "thinc")
