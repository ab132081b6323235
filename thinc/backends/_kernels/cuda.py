"""The CUDA kernels: one source of all headers and families, compiled by CuPy on the first launch, and how one is run.

CuPy keeps what NVRTC compiled in its cache on the disk. That cache does not see included files, so the files are joined
into the source first.
"""

import functools
import math
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy

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

# What a name ends with: of kernels that compute, of those that read and write 16 bits as well, of those that copy.
_FLOATS = {"float32": "f32", "float64": "f64"}
SUFFIXES = {
    "real": _FLOATS,
    "stored": {**_FLOATS, "float16": "f16", "bfloat16": "bf16"},
    "item": {**_FLOATS, "float16": "f16", "bfloat16": "bf16", "int32": "i32", "int64": "i64"},
}
_FIXED = {"int": "int32", "i64": "int64", "uint32_t": "uint32", "uint64_t": "uint64", "double": "float64"}
_DTYPES = {name: numpy.dtype(dtype) for name, dtype in _FIXED.items()}


class Unfit(Exception):
    """No kernel is for these arguments."""


class WrongDtype(Unfit, AssertionError):
    """An array, or its dtype, is not what the head says."""


class WrongShape(Unfit, ValueError):
    """A dimension has another size elsewhere, or is 0 where it must not."""


class Array(NamedTuple):
    """One array of a kernel."""

    type: str
    dims: List[str]
    at_least_1: List[str]


class Kernel(NamedTuple):
    """What the head of a kernel says: see kernels.cu."""

    kind: str  # real, stored or item; "" for one of no dtype
    a_warp_each: bool
    written: List[Array]
    read: List[Array]
    numbers: List[Tuple[str, str]]  # type and name


def source() -> str:
    """The whole source, no file included: headers once, the families for each dtype."""
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


@functools.cache
def activations() -> Dict[str, int]:
    """THE LIST of activations.hh: name -> number of parameters."""
    text = (_INCLUDE / "activations.hh").read_text(encoding="utf8")
    rows = re.findall(r"^\s*ROW\((\w+), \w+, (\d+), ", text, flags=re.M)
    return {name: int(n) for name, n in rows}


@functools.cache
def kernels() -> Dict[str, Kernel]:
    """All kernels by name, as their heads declare them."""
    text = "".join(path.read_text(encoding="utf8") for path in sorted(_HERE.glob("*.cu"))).replace("\\\n", "")
    heads = re.findall(r"(WARP_KERNEL\(|KERNEL\(|__global__ void )([\w#]+)\)?\(([^)]+/\*[^)]+)\)", text)
    found = {name: _declared(start, head) for start, name, head in heads}
    forward, backward = found.pop("name"), found.pop("backprop_##name")
    for name in activations():
        found[name], found[f"backprop_{name}"] = forward, backward
    return found


def _declared(start: str, head: str) -> Kernel:
    arrays: Dict[str, List[Array]] = {"": [], "const ": []}
    for const, dtype, dims in re.findall(r"(const )?(\w+) ?\* ?\w+ /\*(.+?)\*/", head):
        arrays[const].append(Array(dtype, re.findall(r"\w+", dims), re.findall(r"(\w+)\+", dims)))
    written, read = arrays.values()
    kinds = [array.type for array in written + read if array.type in SUFFIXES]
    kind = kinds[0] if kinds else "real" if "KERNEL" in start else ""
    return Kernel(kind, "WARP" in start, written, read, re.findall(r"(i64|double) (\w+)(?:,|$)", head))


@functools.cache
def module() -> Any:
    """The compiled source, of which CuPy compiles what is asked for."""
    import cupy

    return cupy.RawModule(code=source(), options=OPTIONS)


@functools.cache
def get_kernel(name: str) -> Callable:
    """A kernel to be called as kernel(grid, block, arguments)."""
    return module().get_function(name)


def blocks_for(n: int, threads: int = THREADS) -> int:
    """How many blocks n elements get."""
    return max(min(-(-n // threads), MAX_BLOCKS), 1)


def run(
    xp: Any, name: str, *read: Any, into: Any = (), dtype: Any = None, grid: Any = None, total: Any = None, **sizes: Any
) -> Any:
    """Run a kernel on arrays of module xp, on the current stream; the host does not wait. Returns what it has written.

    read: the arrays it reads, None for one that is not there. into: those it writes, if they are not to be new.
    sizes: numbers, and the dimensions that no array has; a number that is not given is 0. grid: (blocks, threads a
    block), else as many threads as the first array has elements, or total. Raises Unfit where the head says otherwise.
    """
    kernel = kernels()[name]
    for declared, array in [*zip(kernel.written, into), *zip(kernel.read, read)]:
        if array is not None:
            if not isinstance(array, xp.ndarray):
                raise WrongDtype(f"{name}: expected an array of {xp.__name__}, got {type(array)}")
            if declared.type == kernel.kind:
                dtype = expected = dtype or array.dtype
            else:
                expected = _DTYPES[declared.type]
            if array.dtype != expected:
                raise WrongDtype(f"{name}: expected an array of {expected}, got one of {array.dtype}")
            _fit(declared, array.shape, sizes)
    suffix = _suffix(kernel.kind, dtype)
    for array in into:
        if array is not None and not array.flags.c_contiguous:
            raise WrongShape(f"{name}: what is written in place must be contiguous")
    outputs = into or [
        xp.empty(_flat([sizes[dim] for dim in declared.dims]), dtype=_DTYPES.get(declared.type, dtype))
        for declared in kernel.written
    ]
    if total is None:
        total = math.prod(outputs[0].shape[:-1]) * 32 if kernel.a_warp_each else outputs[0].size
    if total > 0:
        arguments = [0 if array is None else array for array in outputs]
        arguments += [0 if array is None else xp.ascontiguousarray(array) for array in read]
        for kind, number in kernel.numbers:
            value = sizes.get(number, 0)
            value = math.prod(value) if isinstance(value, tuple) else value
            arguments.append(float(value) if kind == "double" else int(value))
        blocks, threads = grid or (blocks_for(total, THREADS), THREADS)
        get_kernel(name + suffix)((blocks,), (threads,), tuple(arguments))
    return None if into else outputs[0] if len(outputs) == 1 else tuple(outputs)


def _fit(declared: Array, shape: Tuple[int, ...], sizes: Dict[str, Any]) -> None:
    """Takes the sizes of new dimensions from an array, and compares those of known ones."""
    dims = declared.dims
    got: Sequence[Any] = shape
    if dims[0] == "n":
        leading = max(len(shape) - len(dims) + 1, 0)
        got = (shape[:leading], *shape[leading:])
    if len(got) != len(dims) or not all(sizes.setdefault(dim, size) == size for dim, size in zip(dims, got)):
        expected = _flat([sizes.get(dim, dim) for dim in dims])
        raise WrongShape(f"array has incorrect shape, expected: {expected}, was: {shape}")
    for dim in declared.at_least_1:
        if sizes[dim] == 0:
            raise WrongShape(f"expected {dim} of {dims} to be at least 1, got {shape}")


def _flat(sizes: List[Any]) -> Tuple[Any, ...]:
    """A shape; its first part may be several dimensions."""
    return (*sizes[0], *sizes[1:]) if isinstance(sizes[0], tuple) else tuple(sizes)


@functools.cache
def _suffix(kind: str, dtype: Any) -> str:
    """What the name of a kernel ends with."""
    suffixes = SUFFIXES.get(kind, {dtype and dtype.name: ""})
    if dtype and dtype.name not in suffixes:
        raise WrongDtype("CUDA kernel can only handle " + " and ".join(suffixes))
    return "_" + suffixes[dtype.name] if kind else ""
