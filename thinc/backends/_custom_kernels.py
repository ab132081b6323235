"""The CUDA kernels by the names of the interface, for code that launches them itself.

Each is the op of CupyOps in a launch of num_blocks blocks of threads_per_block, and an error where no kernel takes the
arguments. Values are checked too (lengths, which piece, indices), for which the host waits. X, dY, ... are CuPy arrays
of float32 or float64.
"""

from collections import defaultdict  # noqa: F401  (part of the interface)
from functools import reduce  # noqa: F401
from pathlib import Path
from typing import Any, Callable, Optional, Tuple  # noqa: F401  (the last is part of the interface)

import numpy

from .. import compat
from ._kernels import cuda
from .cupy_ops import CupyOps

PWD = Path(__file__).parent
KERNELS_SRC = cuda.source()

_NAMES = (
    "backprop_clipped_linear backprop_dish backprop_gelu backprop_hard_swish backprop_hard_swish_mobilenet "
    "backprop_maxout backprop_mish backprop_reduce_max backprop_reduce_mean backprop_reduce_sum backprop_seq2col "
    "backprop_swish clipped_linear dish gather_add gelu maxout mish reduce_max reduce_sum seq2col swish"
).split()
_TYPES = {"double": "f64", "float": "f32", "int": "i32", "long long": "i64"}
KERNELS_LIST = [f"{name}<{t}>" for name in _NAMES for t in ("double", "float")]
KERNELS_LIST += [f"pad<{t}>" for t in ("double", "float", "int", "long long")]

has_cupy_gpu = compat.has_cupy_gpu
cupy = compat.cupy if has_cupy_gpu else None
KERNELS = cuda.module() if has_cupy_gpu else None


class _Launch(CupyOps):
    """Kernels in one launch shape, on arrays like this one."""

    _strict = True

    def __init__(self, array: Any, num_blocks: int, threads_per_block: int):
        super().__init__()
        if array.dtype.itemsize == 2:
            raise AssertionError("CUDA kernel can only handle float32 and float64")
        self.xp = numpy if isinstance(array, numpy.ndarray) else compat.cupy
        self._launch = (num_blocks, threads_per_block)


class LazyKernel:
    """A kernel that is compiled on its first call: kernel(grid, block, arguments).

    name: one of KERNELS_LIST. Its arguments are those of kernels.cu.
    Raises ValueError at the call if there is no GPU to compile it for.
    """

    __slots__ = ["name", "_kernel", "_compile_callback"]

    def __init__(self, name: str, *, compile_callback: Optional[Callable] = None):
        self.name = name
        self._compile_callback = compile_callback or (lambda: _compiled(_symbol(name)))
        self._kernel: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self._kernel is None:
            self._kernel = self._compile_callback()
            if self._kernel is None:
                raise ValueError(f"couldn't compile Cupy kernel '{self.name}'")
        self._kernel(*args, **kwargs)


def _symbol(name: str) -> str:
    """The C name of a kernel: "mish<float>" is mish_f32."""
    name, _, dtype = name.rstrip(">").partition("<")
    # The mean is a flag of the sum.
    name = name.replace("reduce_mean", "reduce_sum")
    return f"{name}_{_TYPES[dtype]}"


def _compiled(symbol: str) -> Any:
    return None if KERNELS is None else cuda.get_kernel(symbol)


def compile_mmh() -> Any:
    """The kernel that hashes ids; None without a GPU."""
    return _compiled("hash")


hash_data_kernel = LazyKernel("hash_data", compile_callback=compile_mmh)
for _name in KERNELS_LIST:
    _base, _, _dtype = _name.rstrip(">").partition("<")
    _ending = {"int": "int32", "long long": "int64"}.get(_dtype, _dtype)
    globals()[f"{_base}_kernel_{_ending}"] = LazyKernel(_name)


# ---- activations


def clipped_linear(
    X, *, inplace=False, slope=1.0, offset=0.0, min_val=0.0, max_val=1.0, threads_per_block=128, num_blocks=128
):
    return _Launch(X, num_blocks, threads_per_block)._forward(
        "clipped_linear", X, (slope, offset, min_val, max_val), inplace
    )


def dish(X, *, inplace=False, threads_per_block=128, num_blocks=128):
    return _Launch(X, num_blocks, threads_per_block)._forward("dish", X, (), inplace)


def gelu(X, *, inplace=False, threshold=6.0, threads_per_block=128, num_blocks=128):
    """`threshold` is not needed: the formula is right everywhere."""
    return _Launch(X, num_blocks, threads_per_block)._forward("gelu", X, (), inplace)


def mish(X, *, inplace=False, threshold=5, threads_per_block=128, num_blocks=128):
    return _Launch(X, num_blocks, threads_per_block)._forward("mish", X, (threshold,), inplace)


def swish(X, *, inplace=False, threshold=17.0, threads_per_block=128, num_blocks=128):
    """`threshold` is not needed: the formula is right everywhere."""
    return _Launch(X, num_blocks, threads_per_block)._forward("swish", X, (), inplace)


def backprop_clipped_linear(
    dY,
    X,
    *,
    slope: float = 1.0,
    offset: float = 0.0,
    min_val: float = 0.0,
    max_val: float = 1.0,
    inplace: bool = False,
    threads_per_block=128,
    num_blocks=128,
):
    return _Launch(dY, num_blocks, threads_per_block)._backward(
        "clipped_linear", dY, X, None, (slope, offset, min_val, max_val), inplace
    )


def backprop_dish(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("dish", dY, X, None, (), inplace)


def backprop_gelu(dY, X, *, inplace: bool = False, threshold=6.0, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("gelu", dY, X, None, (), inplace)


def backprop_hard_swish(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("hard_swish", dY, X, None, (), inplace)


def backprop_hard_swish_mobilenet(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("hard_swish_mobilenet", dY, X, None, (), inplace)


def backprop_mish(dY, X, *, inplace: bool = False, threshold=5, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("mish", dY, X, None, (threshold,), inplace)


def backprop_swish(dY, X, Y, *, inplace=False, threshold=17.0, threads_per_block=128, num_blocks=128):
    return _Launch(dY, num_blocks, threads_per_block)._backward("swish", dY, X, Y, (), inplace)


# ---- windows, maxout, padding


def seq2col(seq, nW, *, lengths=None, threads_per_block=128, num_blocks=128):
    check_seq2col_lengths(lengths, len(seq))
    return _Launch(seq, num_blocks, threads_per_block).seq2col(seq, nW, lengths=lengths)


def backprop_seq2col(dY, nW, *, lengths=None, threads_per_block=128, num_blocks=128):
    check_seq2col_lengths(lengths, len(dY))
    return _Launch(dY, num_blocks, threads_per_block).backprop_seq2col(dY, nW, lengths=lengths)


def maxout(X, *, threads_per_block=128, num_blocks=128):
    return _Launch(X, num_blocks, threads_per_block).maxout(X)


def backprop_maxout(dY, which, P, *, threads_per_block=128, num_blocks=128):
    _check_which("maxout", which, dY.shape, P)
    return _Launch(dY, num_blocks, threads_per_block).backprop_maxout(dY, which, P)


def pad(seqs, round_to=1, *, threads_per_block=128, num_blocks=128):
    if round_to < 1:
        raise ValueError(f"Rounding for padding must at least be 1, was: {round_to}")
    if not seqs:
        raise ValueError("Cannot pad empty sequence")
    if len({(seq.dtype, seq.shape[1:]) for seq in seqs}) != 1:
        raise ValueError("Cannot pad sequences of different dtypes or widths")
    return _Launch(seqs[0], num_blocks, threads_per_block).pad(seqs, round_to)


# ---- reductions


def reduce_sum(X, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, len(X), 0)
    return _Launch(X, num_blocks, threads_per_block).reduce_sum(X, lengths)


def reduce_mean(X, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, len(X), 0)
    return _Launch(X, num_blocks, threads_per_block).reduce_mean(X, lengths)


def reduce_max(X, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, len(X), 1)
    return _Launch(X, num_blocks, threads_per_block).reduce_max(X, lengths)


def backprop_reduce_sum(d_sums, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, None, 0)
    return _Launch(d_sums, num_blocks, threads_per_block).backprop_reduce_sum(d_sums, lengths)


def backprop_reduce_mean(d_means, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, None, 0)
    return _Launch(d_means, num_blocks, threads_per_block).backprop_reduce_mean(d_means, lengths)


def backprop_reduce_max(d_maxes, which, lengths, *, threads_per_block=128, num_blocks=128):
    _check_lengths(lengths, None, 1)
    _check_which("reduce_max", which, d_maxes.shape, lengths.reshape((-1, 1)))
    return _Launch(d_maxes, num_blocks, threads_per_block).backprop_reduce_max(d_maxes, which, lengths)


# ---- embeddings


def gather_add(table, indices, *, threads_per_block=128, num_blocks=128):
    if ((indices < 0) | (indices >= len(table))).any():
        raise IndexError(f"gather_add: an index is out of bounds for a table of {len(table)} rows")
    return _Launch(table, num_blocks, threads_per_block).gather_add(table, indices)


def hash(ids, seed, *, threads_per_block=128, num_blocks=128):
    return _Launch(ids, num_blocks, threads_per_block).hash(ids, seed)


# ---- checks


def check_seq2col_lengths(lengths, B):
    """The lengths, checked to be int32, at least 0, and to sum to B; None is one sequence."""
    if lengths is not None:
        _check_lengths(lengths, B, 0)
    return lengths


def _check_lengths(lengths: Any, n_rows: Optional[int], minimum: int) -> None:
    if lengths.dtype != "int32":
        raise AssertionError("lengths should be encoded as 32-bit integers")
    if (lengths < minimum).any():
        raise ValueError(f"all sequence lengths must be >= {minimum}")
    if n_rows is not None and int(lengths.sum()) != n_rows:
        raise IndexError("lengths must sum up to the batch size")


def _check_which(name: str, which: Any, shape: Any, size: Any) -> None:
    if which.dtype != "int32":
        raise AssertionError(f"{name}: which should be encoded as 32-bit integers")
    if which.shape != shape:
        raise ValueError(f"array has incorrect shape, expected: {shape}, was: {which.shape}")
    bad = (which < 0) | (which >= size)
    if bad.any():
        raise IndexError(f"index {int(which[bad][0])} is out of bounds for {name} with size {size}")
