"""Where the shared compatibility material is (specification vectors, real corpora), if it is here at all.

The package is tested without it; what needs it says so and skips.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("THINC_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "data"
SPEC = SHARED / "spec"

needs_shared = pytest.mark.skipif(not SPEC.is_dir(), reason="the shared specification vectors are not on this machine")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared corpora are not on this machine")


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"dtype", "shape", "data"}:
            data = value["data"]
            if "float" in value["dtype"]:
                data = [float(item) for item in data]
            return numpy.array(data, dtype=value["dtype"]).reshape(value["shape"])
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value


def vectors(name: str) -> Any:
    """The recorded numbers of one op family, arrays decoded; [] when absent."""
    path = SPEC / "vectors" / f"{name}.json"
    if not path.is_file():
        return []
    return _decode(json.loads(path.read_text(encoding="utf8")))
