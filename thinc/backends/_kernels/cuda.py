"""The CUDA kernels: one source from the headers and kernels.cu, compiled by CuPy on the first launch.

CuPy keeps what NVRTC compiled in its cache on the disk. That cache does not see included files, so the headers are
joined into the source first.
"""

import re
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

_HERE = Path(__file__).resolve().parent
# The formulas: beside the package in a source tree, inside it in an installation.
_INCLUDE = next(
    folder for folder in (_HERE.parents[2] / "include" / "thinc", _HERE.parents[1] / "include") if folder.is_dir()
)

# The headers hold loops for the CPU, too, which NVRTC must not take for host code.
OPTIONS = ("--std=c++17", "-DTHINC_ISA=cuda", "-default-device")
THREADS = 128
# Enough to fill any GPU of today; the kernels stride over what is left.
MAX_BLOCKS = 1 << 15


def source() -> str:
    """The whole source, no file included: headers once, float_kernels.cu for each dtype."""
    return _joined(_HERE / "kernels.cu", set())


def _joined(path: Path, seen: set) -> str:
    seen.add(path)

    def include(match: "re.Match[str]") -> str:
        name = match.group(1).rpartition("/")[2]
        found = next(f / name for f in (_HERE, _INCLUDE) if (f / name).is_file())
        once = found.suffix == ".hh"
        return "" if once and found in seen else _joined(found, seen)

    text = path.read_text(encoding="utf8").replace("#pragma once\n", "")
    return re.sub(r'^#include "([^"]+)"\n', include, text, flags=re.M)


def activations() -> Dict[str, int]:
    """THE LIST of activations.hh: name -> number of parameters."""
    text = (_INCLUDE / "activations.hh").read_text(encoding="utf8")
    rows = re.findall(r"^\s*ROW\((\w+), \w+, (\d+), ", text, flags=re.M)
    return {name: int(n) for name, n in rows}


_kernels: Dict[str, Callable] = {}
_module: Any = None


def get_kernel(name: str) -> Callable:
    """A kernel to be called as kernel(grid, block, arguments)."""
    global _module
    kernel = _kernels.get(name)
    if kernel is None:
        if _module is None:
            import cupy

            _module = cupy.RawModule(code=source(), options=OPTIONS)
        kernel = _kernels[name] = _module.get_function(name)
    return kernel


def blocks_for(n: int, threads: int = THREADS) -> int:
    """How many blocks n elements get."""
    return max(min(-(-n // threads), MAX_BLOCKS), 1)


def launch(name: str, n: int, *args: Any) -> None:
    """Run a kernel over n elements, on the current stream; the host does not wait.

    Arguments: arrays (None: a null pointer), ints (int64) and floats (double).
    """
    if n > 0:
        run(name, blocks_for(n), THREADS, *args)


def run(name: str, blocks: int, threads: int, *args: Any) -> None:
    """The same with a given shape; the threads of a block must be a multiple of 32."""
    values: Tuple[Any, ...] = tuple(0 if arg is None else arg for arg in args)
    get_kernel(name)((blocks,), (threads,), values)
