"""A functional deep learning library: composable models, any array backend.

Importing the package loads the registry only; `thinc.api` holds everything else. So
`thinc.compat.enable_tensorflow()` can be called before the rest is imported.
"""

from .about import __version__
from .config import registry

__all__ = ["registry", "__version__"]
