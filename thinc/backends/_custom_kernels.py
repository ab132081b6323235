"""The CUDA kernels by the names of the interface, for code that launches them itself.

CupyOps does not come by here. Unlike it these functions check values too (lengths, which piece, indices), for which
the host waits. X, dY, ... are CuPy arrays of float32 or float64; the launch is num_blocks blocks of threads_per_block.
"""

from collections import defaultdict  # noqa: F401  (part of the interface)
from functools import reduce  # noqa: F401
from pathlib import Path
from typing import Any, Callable, Optional, Tuple

import numpy

from .. import compat
from ._kernels import cuda

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
KERNELS = cupy.RawModule(code=KERNELS_SRC, options=cuda.OPTIONS) if cupy else None


class LazyKernel:
    """A kernel that is compiled on its first call: kernel(grid, block, arguments).

    name: one of KERNELS_LIST. Its arguments are those of kernels.cu.
    Raises ValueError at the call if there is no GPU to compile it for.
    """

    __slots__ = ["name", "_kernel", "_compile_callback"]

    def __init__(self, name: str, *, compile_callback: Optional[Callable] = None):
        self.name = name
        self._compile_callback = compile_callback
        self._kernel: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self._kernel is None:
            if self._compile_callback is not None:
                self._kernel = self._compile_callback()
            elif KERNELS is not None:
                self._kernel = KERNELS.get_function(_symbol(self.name))
            if self._kernel is None:
                raise ValueError(f"couldn't compile Cupy kernel '{self.name}'")
        self._kernel(*args, **kwargs)


def _symbol(name: str) -> str:
    """The C name of a kernel: "mish<float>" is mish_f32."""
    name, _, dtype = name.rstrip(">").partition("<")
    # The mean is a flag of the sum.
    name = name.replace("reduce_mean", "reduce_sum")
    return f"{name}_{_TYPES[dtype]}"


def compile_mmh() -> Any:
    """The kernel that hashes ids; None without a GPU."""
    return None if KERNELS is None else KERNELS.get_function("hash")


hash_data_kernel = LazyKernel("hash_data", compile_callback=compile_mmh)
for _name in KERNELS_LIST:
    _base, _, _dtype = _name.rstrip(">").partition("<")
    _ending = {"int": "int32", "long long": "int64"}.get(_dtype, _dtype)
    globals()[f"{_base}_kernel_{_ending}"] = LazyKernel(_name)


# ---- activations


def clipped_linear(
    X, *, inplace=False, slope=1.0, offset=0.0, min_val=0.0, max_val=1.0, threads_per_block=128, num_blocks=128
):
    params = (slope, offset, min_val, max_val)
    return _forward("clipped_linear", X, params, inplace, (num_blocks, threads_per_block))


def dish(X, *, inplace=False, threads_per_block=128, num_blocks=128):
    return _forward("dish", X, (), inplace, (num_blocks, threads_per_block))


def gelu(X, *, inplace=False, threshold=6.0, threads_per_block=128, num_blocks=128):
    """`threshold` is not needed: the formula is right everywhere."""
    return _forward("gelu", X, (), inplace, (num_blocks, threads_per_block))


def mish(X, *, inplace=False, threshold=5, threads_per_block=128, num_blocks=128):
    return _forward("mish", X, (threshold,), inplace, (num_blocks, threads_per_block))


def swish(X, *, inplace=False, threshold=17.0, threads_per_block=128, num_blocks=128):
    """`threshold` is not needed: the formula is right everywhere."""
    return _forward("swish", X, (), inplace, (num_blocks, threads_per_block))


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
    params = (slope, offset, min_val, max_val)
    launch = (num_blocks, threads_per_block)
    return _backward("clipped_linear", dY, X, None, params, inplace, launch)


def backprop_dish(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("dish", dY, X, None, (), inplace, launch)


def backprop_gelu(dY, X, *, inplace: bool = False, threshold=6.0, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("gelu", dY, X, None, (), inplace, launch)


def backprop_hard_swish(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("hard_swish", dY, X, None, (), inplace, launch)


def backprop_hard_swish_mobilenet(dY, X, *, inplace: bool = False, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("hard_swish_mobilenet", dY, X, None, (), inplace, launch)


def backprop_mish(dY, X, *, inplace: bool = False, threshold=5, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("mish", dY, X, None, (threshold,), inplace, launch)


def backprop_swish(dY, X, Y, *, inplace=False, threshold=17.0, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backward("swish", dY, X, Y, (), inplace, launch)


# ---- windows, maxout, padding


def seq2col(seq, nW, *, lengths=None, threads_per_block=128, num_blocks=128):
    suffix, (seq,) = _floats(seq)
    T, I = seq.shape
    lengths = check_seq2col_lengths(lengths, T) if lengths is not None else [T]
    ends = _ends(seq, lengths)
    Y = _empty(seq, (T, (2 * nW + 1) * I))
    args = (Y, seq, ends, len(ends), T, I, nW)
    cuda.run(f"seq2col_{suffix}", num_blocks, threads_per_block, *args)
    return Y


def backprop_seq2col(dY, nW, *, lengths=None, threads_per_block=128, num_blocks=128):
    suffix, (dY,) = _floats(dY)
    T, I = dY.shape[0], dY.shape[1] // (2 * nW + 1)
    lengths = check_seq2col_lengths(lengths, T) if lengths is not None else [T]
    ends = _ends(dY, lengths)
    dX = _empty(dY, (T, I))
    args = (dX, dY, ends, len(ends), T, I, nW)
    cuda.run(f"backprop_seq2col_{suffix}", num_blocks, threads_per_block, *args)
    return dX


def maxout(X, *, threads_per_block=128, num_blocks=128):
    suffix, (X,) = _floats(X)
    N, O, P = X.shape
    best, which = _empty(X, (N, O)), _empty(X, (N, O), "int32")
    args = (best, which, X, N * O, P)
    cuda.run(f"maxout_{suffix}", num_blocks, threads_per_block, *args)
    return best, which


def backprop_maxout(dY, which, P, *, threads_per_block=128, num_blocks=128):
    suffix, (dY,) = _floats(dY)
    which = _check_which(which, dY.shape, P)
    dX = _empty(dY, dY.shape + (P,))
    args = (dX, dY, which, dY.size, P)
    cuda.run(f"backprop_maxout_{suffix}", num_blocks, threads_per_block, *args)
    return dX


def pad(seqs, round_to=1, *, threads_per_block=128, num_blocks=128):
    if round_to < 1:
        raise ValueError(f"Rounding for padding must at least be 1, was: {round_to}")
    if not seqs:
        raise ValueError("Cannot pad empty sequence")
    if len({(seq.dtype, seq.shape[1:]) for seq in seqs}) != 1:
        raise ValueError("Cannot pad sequences of different dtypes or widths")
    suffix = _PADDED.get(seqs[0].dtype.name)
    if suffix is None:
        raise AssertionError("CUDA padding can handle float32, float64, int32 and int64")
    xp = _array_module(seqs[0])
    seqs = [xp.ascontiguousarray(seq) for seq in seqs]
    steps = max(len(seq) for seq in seqs)
    steps += -steps % round_to
    Y = _empty(seqs[0], (len(seqs), steps) + seqs[0].shape[1:])
    pointers = xp.asarray([_pointer(seq) for seq in seqs], dtype="uint64")
    lengths = xp.asarray([len(seq) for seq in seqs], dtype="int32")
    width = int(numpy.prod(Y.shape[2:]))
    args = (Y, pointers, lengths, len(seqs), steps, width)
    cuda.run(f"pad_{suffix}", num_blocks, threads_per_block, *args)
    return Y


_PADDED = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}


# ---- reductions


def reduce_sum(X, lengths, *, threads_per_block=128, num_blocks=128):
    return _reduce("reduce_sum", X, lengths, 0, (0,), (num_blocks, threads_per_block))[0]


def reduce_mean(X, lengths, *, threads_per_block=128, num_blocks=128):
    return _reduce("reduce_sum", X, lengths, 0, (1,), (num_blocks, threads_per_block))[0]


def reduce_max(X, lengths, *, threads_per_block=128, num_blocks=128):
    return _reduce("reduce_max", X, lengths, 1, (), (num_blocks, threads_per_block))


def backprop_reduce_sum(d_sums, lengths, *, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backprop_reduce("reduce_sum", (d_sums,), lengths, 0, (0,), launch)


def backprop_reduce_mean(d_means, lengths, *, threads_per_block=128, num_blocks=128):
    launch = (num_blocks, threads_per_block)
    return _backprop_reduce("reduce_sum", (d_means,), lengths, 0, (1,), launch)


def backprop_reduce_max(d_maxes, which, lengths, *, threads_per_block=128, num_blocks=128):
    if which.shape != d_maxes.shape:
        raise _wrong_shape(d_maxes.shape, which.shape)
    if which.dtype != "int32":
        raise AssertionError("backprop_reduce_max: which must be int32")
    bad = (which < 0) | (which >= lengths.reshape((-1, 1)))
    if bad.any():
        raise IndexError(f"backprop_reduce_max: index {int(which[bad][0])} is out of range")
    launch = (num_blocks, threads_per_block)
    return _backprop_reduce("reduce_max", (d_maxes, which), lengths, 1, (), launch)


# ---- embeddings


def gather_add(table, indices, *, threads_per_block=128, num_blocks=128):
    suffix, (table,) = _floats(table)
    (V, O), (B, K) = table.shape, indices.shape
    if ((indices < 0) | (indices >= V)).any():
        raise IndexError(f"gather_add: an index is out of bounds for a table of {V} rows")
    indices = _array_module(table).ascontiguousarray(indices, dtype="int32")
    Y = _empty(table, (B, O))
    args = (Y, table, indices, V, O, B, K)
    cuda.run(f"gather_add_{suffix}", num_blocks, threads_per_block, *args)
    return Y


def hash(ids, seed, *, threads_per_block=128, num_blocks=128):
    keys = _empty(ids, (len(ids), 4), "uint32")
    ids = _array_module(ids).ascontiguousarray(ids, dtype="uint64")
    cuda.run("hash", num_blocks, threads_per_block, keys, ids, seed, len(ids))
    return keys


# ---- checks and launches


def check_seq2col_lengths(lengths, B):
    """The lengths, checked to be int32, at least 0, and to sum to B."""
    _check_lengths(lengths, B, 0)
    return lengths


def _floats(*arrays: Any) -> Tuple[str, Any]:
    dtype = arrays[0].dtype
    if dtype not in ("float32", "float64") or any(a.dtype != dtype for a in arrays):
        raise AssertionError("CUDA kernel can only handle float32 and float64")
    contiguous = [_array_module(a).ascontiguousarray(a) for a in arrays]
    return ("f32" if dtype == "float32" else "f64"), contiguous


def _forward(name: str, X: Any, params: Tuple, inplace: bool, launch: Tuple) -> Any:
    suffix, (source,) = _floats(X)
    Y = source if inplace else _empty(source, source.shape)
    numbers = [float(p) for p in params] + [0.0] * (4 - len(params))
    cuda.run(f"{name}_{suffix}", *launch, Y, source, *numbers, source.size)
    return _given_back(X, Y) if inplace else Y


def _backward(name: str, dY: Any, X: Any, Y: Any, params: Tuple, inplace: bool, launch: Tuple) -> Any:
    saved = [array for array in (X, Y) if array is not None]
    for array in saved:
        if array.shape != dY.shape:
            raise _wrong_shape(dY.shape, array.shape)
    suffix, (source, *rest) = _floats(dY, *saved)
    y = rest[1] if Y is not None else None
    dX = source if inplace else _empty(source, source.shape)
    numbers = [float(p) for p in params] + [0.0] * (4 - len(params))
    arrays = (dX, source, rest[0], y)
    cuda.run(f"backprop_{name}_{suffix}", *launch, *arrays, *numbers, source.size)
    return _given_back(dY, dX) if inplace else dX


def _given_back(array: Any, result: Any) -> Any:
    """The caller's array; a strided one has been worked on as a copy."""
    if result is not array:
        array[...] = result
    return array


def _reduce(name: str, X: Any, lengths: Any, minimum: int, flags: Tuple, launch: Tuple) -> Tuple:
    suffix, (X,) = _floats(X)
    T, O = X.shape
    _check_lengths(lengths, T, minimum)
    outputs = [_empty(X, (len(lengths), O))]
    if name == "reduce_max":
        outputs.append(_empty(X, (len(lengths), O), "int32"))
    args = (*outputs, X, _ends(X, lengths), len(lengths), O, *flags)
    cuda.run(f"{name}_{suffix}", *launch, *args)
    return tuple(outputs)


def _backprop_reduce(name: str, arrays: Tuple, lengths: Any, minimum: int, flags: Tuple, launch: Tuple) -> Any:
    suffix, (d_out,) = _floats(arrays[0])
    rest = [_array_module(a).ascontiguousarray(a) for a in arrays[1:]]
    B, O = d_out.shape
    T = int(lengths.sum())
    _check_lengths(lengths, T, minimum)
    if len(lengths) != B:
        raise _wrong_shape((len(lengths), O), d_out.shape)
    dX = _empty(d_out, (T, O))
    args = (dX, d_out, *rest, _ends(d_out, lengths), B, T, O, *flags)
    cuda.run(f"backprop_{name}_{suffix}", *launch, *args)
    return dX


def _check_lengths(lengths: Any, n_rows: int, minimum: int) -> None:
    if lengths.dtype != "int32":
        raise AssertionError("lengths should be encoded as 32-bit integers")
    if (lengths < minimum).any():
        raise ValueError(f"all sequence lengths must be >= {minimum}")
    if int(lengths.sum()) != n_rows:
        raise IndexError("lengths must sum up to the batch size")


def _check_which(which: Any, shape: Tuple, P: int) -> Any:
    if which.dtype != "int32":
        raise AssertionError("maximum index should be encoded as 32-bit integers")
    if which.shape != shape:
        raise _wrong_shape(shape, which.shape)
    bad = (which < 0) | (which >= P)
    if bad.any():
        raise IndexError(f"index {int(which[bad][0])} is out of bounds for maxout with size {P}")
    return _array_module(which).ascontiguousarray(which)


def _wrong_shape(expected: Tuple, got: Tuple) -> ValueError:
    return ValueError(f"array has incorrect shape, expected: {expected}, was: {got}")


def _ends(like: Any, lengths: Any) -> Any:
    xp = _array_module(like)
    return xp.cumsum(xp.asarray(lengths), dtype="int64")


def _empty(like: Any, shape: Tuple, dtype: Any = None) -> Any:
    return _array_module(like).empty(shape, dtype=dtype or like.dtype)


def _array_module(array: Any) -> Any:
    return numpy if isinstance(array, numpy.ndarray) else compat.cupy


def _pointer(array: Any) -> int:
    interface = getattr(array, "__cuda_array_interface__", None)
    return int((interface or array.__array_interface__)["data"][0])
