"""`thinc info`: what this installation is and what it found."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, TextIO, Tuple

import numpy

from ..about import __version__
from ._command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    show_info(sys.stdout)
    return 0


def show_info(file: TextIO) -> None:
    """What this installation is and what it found. Imports no optional framework."""
    import importlib.metadata
    import importlib.util
    import platform

    from ..backends._kernels import gemm, levels  # type: ignore[attr-defined]  # compiled

    rows: List[Tuple[str, str]] = [
        ("thinc", __version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("numpy", numpy.__version__),
        ("CPU level", f"{levels.isa_name()} (available: {', '.join(levels.isa_levels())})"),
        ("gemm engine", f"{gemm.engine_name()} (available: {', '.join(gemm.engines())})"),
        ("linked BLAS", gemm.linked_blas() or "none"),
        ("threads", f"{levels.get_num_threads()} (set_num_threads; {os.cpu_count()} cores)"),
    ]
    for package, name in (
        ("torch", "torch"),
        ("tensorflow", "tensorflow"),
        ("mxnet", "mxnet"),
        ("jax", "jax"),
        ("onnxruntime", "onnxruntime"),
        ("cupy", "cupy"),
        ("ray", "ray"),
    ):
        if importlib.util.find_spec(name) is None:
            rows.append((package, "not installed"))
        else:
            try:
                rows.append((package, importlib.metadata.version(package)))
            except importlib.metadata.PackageNotFoundError:
                rows.append((package, "installed"))
    rows.append(("GPU", "CUDA" if any(Path("/dev").glob("nvidia[0-9]*")) else "none found"))
    for name, value in rows:
        print(f"{name:<14}{value}", file=file)


COMMAND = Command(
    "info",
    "show version, CPU level, gemm engine, frameworks and devices",
    _add_arguments,
    run,
    examples=("thinc info",),
)

__all__ = ["COMMAND", "run", "show_info"]
