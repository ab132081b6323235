"""The backend of CUDA GPUs, on CuPy arrays.

What has a kernel goes to `_kernels.cuda`, which compares dtypes and shapes with the kernel's head; what it refuses goes
to the readable formula. Nothing here waits for the GPU, except where an output's size depends on lengths that lie
there. So values are not checked: an index out of range counts as no row.
"""

import functools
import math
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, cast

import numpy

from .. import compat
from ..config import registry
from ..types import DeviceTypes, Padded
from ._kernels import cuda
from ._losses import smoothed
from ._updates import Step, Update, average_decay
from .ops import Ops

# Elements of a parameter that one block updates.
_CHUNK = 1 << 14
# Rows that one thread adds up when columns are summed.
_ROWS_A_PART = 64

_FLOATS = (numpy.dtype("float32"), numpy.dtype("float64"))

MethodT = TypeVar("MethodT", bound=Callable)


def _or_readable(method: MethodT) -> MethodT:
    """The method where a kernel takes its arguments, else the readable formula of its name."""

    @functools.wraps(method)
    def op(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except cuda.Unfit:
            if self._strict:
                raise
        return getattr(Ops, method.__name__)(self, *args, **kwargs)

    return cast(MethodT, op)


class _ImportedOnUse:
    """A class attribute holding an optional module, or None if it is not installed.

    `import thinc.api` must not import CuPy, so it is looked up on first use and then
    takes the place of this object.
    """

    def __init__(self, module: str):
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name

    def __get__(self, instance: Any, owner: Optional[type] = None) -> Any:
        module = getattr(compat, self.module)
        setattr(self.owner, self.name, module)
        return module


@registry.ops("CupyOps")
class CupyOps(Ops):
    """CuPy arrays on an NVIDIA GPU.  Without CuPy it can be made, but not used.

    deterministic: let gradients of table rows be added in order, slowly; else rows that
    occur several times are added in any order, and may differ in the last bits.

    device_type, device_id: "gpu" and its number.  kwargs: those of `Ops`.

    >>> import cupy
    >>> CupyOps().relu(cupy.array([[-1.0, 0.0, 2.0]], dtype="f"))
    array([[0., 0., 2.]], dtype=float32)
    """

    name = "cupy"
    xp: Any = _ImportedOnUse("cupy")
    _xp2: Any = _ImportedOnUse("cupyx")
    deterministic = False
    # For _custom_kernels: what no kernel takes is an error; the blocks, and the threads of a block.
    _strict = False
    _launch: Optional[Tuple[int, int]] = None

    def __init__(self, device_type: DeviceTypes = "gpu", device_id: int = 0, **kwargs) -> None:
        self.device_type = device_type
        self.device_id = device_id

    def _run(self, name: str, *read: Any, **settings: Any) -> Any:
        return cuda.run(self.xp, name, *read, **{"grid": self._launch, **settings})

    # Conversion

    def to_numpy(self, data, *, byte_order=None):
        if not isinstance(data, numpy.ndarray):
            data = data.get()
        return super().to_numpy(data, byte_order=byte_order)

    def asarray(self, data, dtype=None):
        """A CuPy array.  Tensors already on the GPU share their memory with it."""
        cupy = self.xp
        if isinstance(data, cupy.ndarray):
            array = data
        elif hasattr(data, "__cuda_array_interface__"):
            # A torch tensor that takes part in a graph shares only when detached.
            array = cupy.asarray(data.detach() if hasattr(data, "detach") else data)
        elif _is_on_gpu(data):
            array = cupy.from_dlpack(data)
        else:
            if hasattr(data, "numpy"):
                data = data.numpy()
            array = cupy.array(data, dtype=dtype)
        return array if dtype is None else array.astype(dtype=dtype, copy=False)

    # Lists

    @_or_readable
    def pad(self, seqs, round_to=1):
        steps = max(map(len, seqs), default=0)
        _need(len(seqs) > 0 and round_to >= 1)
        return self._side_by_side("pad", seqs, L=steps + -steps % round_to)

    @_or_readable
    def list2padded(self, seqs):
        _need(len(seqs) > 0 and _ndim(seqs[0]) > 1)
        order = sorted(range(len(seqs)), key=lambda i: (len(seqs[i]), i), reverse=True)
        seqs = [seqs[i] for i in order]
        data = self._side_by_side("list2padded", seqs, L=len(seqs[0]))
        counts = numpy.array([len(seq) for seq in seqs], dtype="int32")
        sizes = (counts > numpy.arange(len(data))[:, None]).sum(axis=1)
        return Padded(data, self.asarray1i(sizes), self.asarray1i(counts), self.asarray1i(order))

    def _side_by_side(self, name, seqs, L):
        first = seqs[0]
        _need(all(seq.dtype == first.dtype and seq.shape[1:] == first.shape[1:] for seq in seqs))
        arrays = [self.xp.ascontiguousarray(seq) for seq in seqs]
        pointers = self.xp.asarray([_pointer(array) for array in arrays], dtype="uint64")
        lengths = self.xp.asarray([len(array) for array in arrays], dtype="int32")
        Y = self._run(name, pointers, lengths, dtype=first.dtype, L=L, O=math.prod(first.shape[1:]))
        return Y.reshape(Y.shape[:2] + first.shape[1:])

    # Dense

    def gemm(self, x, y, out=None, trans1=False, trans2=False):
        if self.xp is not numpy and (isinstance(x, numpy.ndarray) or isinstance(y, numpy.ndarray)):
            raise ValueError(
                "Encountered a numpy array when processing with cupy. Did you call model.ops.asarray on your data?"
            )
        return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)

    @_or_readable
    def sum_rows(self, dY):
        return self._sum_rows(dY)

    def _sum_rows(self, X, H=None, mu=None, rstd=None):
        """The column sums of X, or of X times H normalized; in parts, then of those."""
        parts = max(-(-len(X) // _ROWS_A_PART), 1)
        sums = self._run("sum_rows", X, H, mu, rstd, parts=parts)
        return sums[0] if parts == 1 else self._sum_rows(sums)

    @_or_readable
    def affine_maxout(self, X, W, b):
        return self._run("biased_maxout", self._pieces(X, W, b), b)

    @_or_readable
    def affine_maxout_layer_norm(self, X, W, b, G, beta, eps=1e-8, is_train=True):
        return self._run("normalized_maxout", self._pieces(X, W, b), b, G, beta, eps=eps)

    def _pieces(self, X, W, b):
        """X (N, I), W (O, P, I) -> (N, O, P)."""
        _need(_ndim(X) == 2 and _ndim(W) == 3 and X.shape[1] == W.shape[2] and X.dtype == W.dtype)
        O, P, I = W.shape
        return self.gemm(X, W.reshape((O * P, I)), trans2=True).reshape((len(X), O, P))

    @_or_readable
    def maxout(self, X):
        _need(_ndim(X) == 3)
        return self._run("maxout", X)

    @_or_readable
    def backprop_maxout(self, dY, which, P):
        return self._run("backprop_maxout", dY, which, P=P)

    # Norms

    @_or_readable
    def layer_norm(self, X, G, b, eps=1e-8):
        return self._run("layer_norm", X, G, b, eps=eps)

    @_or_readable
    def backprop_layer_norm(self, dY, X, G, mu, rstd):
        dX = self._run("backprop_layer_norm", dY, X, G, mu, rstd)
        return dX, self._sum_rows(dY, X, mu, rstd), self._sum_rows(dY)

    @_or_readable
    def softmax(self, x, *, inplace=False, axis=-1, temperature=1.0):
        _need(axis in (-1, _ndim(x) - 1))
        return self._run("softmax", x, inverse_temperature=1.0 / temperature)

    @_or_readable
    def backprop_softmax(self, Y, dY, *, axis=-1, temperature=1.0):
        _need(axis in (-1, _ndim(Y) - 1))
        return self._run("backprop_softmax", Y, dY, inverse_temperature=1.0 / temperature)

    # Losses

    @_or_readable
    def backprop_cross_entropy(self, Y, classes, *, label_smoothing=0.0, scale=1.0):
        _need(_ndim(Y) == 2 and bool(((Y >= 0) & (Y <= 1)).all()))
        right, wrong = smoothed(label_smoothing, Y.shape[1])
        classes = self.xp.ascontiguousarray(classes, dtype="int32")
        return self._run("backprop_cross_entropy", Y, classes, right=right, wrong=wrong, scale=scale)

    # Activations

    @_or_readable
    def _forward(self, name, X, params=(), inplace=False):
        return self._map(name, (X,), params, inplace)

    @_or_readable
    def _backward(self, name, dY, X, Y, params=(), inplace=False):
        return self._map(f"backprop_{name}", (dY, X, Y), params, inplace)

    def _map(self, name, arrays, params, inplace):
        """In place the first array is written; a strided one is worked on as a copy."""
        _need(name in cuda.kernels())
        numbers = {f"p{i}": param for i, param in enumerate(params)}
        if not inplace:
            return self._run(name, *arrays, **numbers)
        source = self.xp.ascontiguousarray(arrays[0])
        self._run(name, source, *arrays[1:], into=[source], **numbers)
        if source is not arrays[0]:
            arrays[0][...] = source
        return arrays[0]

    @_or_readable
    def get_dropout_mask(self, shape, drop):
        _need(drop is not None and 0 < drop < 1)
        # One draw from NumPy's generator: fix_random_seed makes runs repeatable.
        seed = int(numpy.random.randint(0, 2**63, dtype="int64"))
        mask = self.xp.empty(shape, dtype="f")
        self._run("dropout_mask", into=[mask], drop=drop, seed=seed)
        return mask

    # Sequences

    @_or_readable
    def seq2col(self, seq, nW, *, lengths=None):
        _need(_ndim(seq) == 2 and nW >= 0)
        windows = 2 * nW + 1
        Y = self._run("seq2col", seq, self._ends(lengths, len(seq)), windows=windows)
        return Y.reshape((len(seq), windows * seq.shape[1]))

    @_or_readable
    def backprop_seq2col(self, dY, nW, *, lengths=None):
        windows = 2 * nW + 1
        _need(_ndim(dY) == 2 and nW >= 0 and dY.shape[1] % windows == 0)
        dY = dY.reshape((len(dY), windows, dY.shape[1] // windows))
        return self._run("backprop_seq2col", dY, self._ends(lengths, len(dY)))

    @_or_readable
    def reduce_sum(self, X, lengths):
        return self._run("reduce_sum", X, self._ends(lengths))

    @_or_readable
    def reduce_mean(self, X, lengths):
        return self._run("reduce_sum", X, self._ends(lengths), mean=1)

    @_or_readable
    def reduce_max(self, X, lengths):
        return self._run("reduce_max", X, self._ends(lengths))

    @_or_readable
    def backprop_reduce_sum(self, d_sums, lengths):
        return self._backprop_reduce("backprop_reduce_sum", lengths, d_sums)

    @_or_readable
    def backprop_reduce_mean(self, d_means, lengths):
        return self._backprop_reduce("backprop_reduce_sum", lengths, d_means, mean=1)

    @_or_readable
    def backprop_reduce_max(self, d_maxes, which, lengths):
        return self._backprop_reduce("backprop_reduce_max", lengths, d_maxes, which)

    def _backprop_reduce(self, name, lengths, *arrays, **numbers):
        ends = self._ends(lengths)
        return self._run(name, *arrays, ends, rows=int(ends[-1]) if len(ends) else 0, **numbers)

    def _ends(self, lengths, rows=None):
        """The running sums of the lengths; one sequence without."""
        if lengths is None:
            return self.xp.asarray([rows], dtype="int64")
        _need(_ndim(lengths) == 1 and lengths.dtype.kind in "iu")
        return self.xp.cumsum(self.xp.asarray(lengths), dtype="int64")

    # LSTM

    @_or_readable
    def _lstm_gates(self, A, b, c_prev, G, C, Y):
        self._run("lstm_gates", A, b, c_prev, into=[G, C, Y], O=Y.shape[1])

    @_or_readable
    def _backprop_lstm_gates(self, dY, G, C, c_prev, dA, dC):
        self._run("backprop_lstm_gates", dY, G, C, c_prev, into=[dA, dC], O=dC.shape[1])

    # Embeddings

    @_or_readable
    def hash(self, ids, seed):
        _need(0 <= seed <= 0xFFFFFFFF)
        return self._run("hash", self._ids(ids), seed=seed, four=4)

    @_or_readable
    def ngrams(self, n, keys):
        _need(1 <= n <= len(keys))
        return self._run("ngrams", self._ids(keys), n=n, count=len(keys) - n + 1)

    @_or_readable
    def gather_add(self, table, indices):
        _need(_ndim(indices) == 2 and indices.dtype.kind in "iu")
        return self._run("gather_add", table, self.xp.ascontiguousarray(indices, dtype="int32"))

    @_or_readable
    def scatter_add(self, table, indices, values):
        self._add_rows("scatter_add", table, indices, values)

    @_or_readable
    def hash_embed(self, E, ids, seed):
        return self._run("hash_embed", E, self._ids(ids), seed=seed)

    @_or_readable
    def backprop_hash_embed(self, dE, dY, ids, seed):
        self._add_rows("backprop_hash_embed", dE, dY, self._ids(ids), seed=seed)

    def _add_rows(self, name, table, *read, **numbers):
        _need(_ndim(table) == 2)
        lanes = min(len(read[0]), 1) if self.deterministic else len(read[0])
        self._run(name, *read, into=[table], lanes=lanes, total=lanes * table.shape[1], **numbers)

    def _ids(self, ids):
        _need(isinstance(ids, self.xp.ndarray) and ids.dtype.kind in "iu")
        return ids.astype("uint64", copy=False)

    # Updates

    def adam(self, weights, gradient, mom1, mom2, beta1, beta2, eps, learn_rate, mod_rate=1.0):
        """As in the base, but mod_rate is ignored and the gradient set to zero."""
        arrays = weights, gradient, mom1, mom2
        try:
            self._run("adam", into=arrays, beta1=beta1, beta2=beta2, eps=eps, learn_rate=learn_rate)
        except cuda.Unfit:
            super().adam(*arrays, beta1, beta2, eps, learn_rate)
            gradient.fill(0)
        return arrays

    @_or_readable
    def update_averages(self, ema, weights, t, max_decay=0.9999):
        self._run("update_averages", weights, into=[ema], rest=1.0 - average_decay(t, max_decay))

    @_or_readable
    def clip_gradient(self, gradient, threshold):
        _need(gradient.size > 0)
        self._run("clip", self._sum_squares(gradient), into=[gradient], threshold=threshold)
        return gradient

    @_or_readable
    def optimizer_step(self, weights: Any, gradient: Any, mom1: Any, mom2: Any, average: Any, step: Step) -> None:
        _need(not step.lazy)
        arrays = [weights, gradient, _like(mom1, weights), _like(mom2, weights), average]
        sums = self._sum_squares(gradient, weights, step.L2) if step.grad_clip else None
        self._run("optimizer_step", sums, into=arrays, **step._asdict())

    def optimizer_steps(self, updates: List[Update]) -> None:
        """Two launches for all parameters of a dtype: their norms, and the steps."""
        chunked: Dict[Any, List[Update]] = {}
        taken = set()
        for update in updates:
            weights, step = update[0], update[5]
            fits = weights.dtype in _FLOATS and id(weights) not in taken and not step.lazy
            for array in update[:5]:
                if fits and array is not None:
                    alike = array.size == weights.size and array.dtype == weights.dtype
                    fits = alike and isinstance(array, self.xp.ndarray) and array.flags.c_contiguous
            if fits:
                taken.add(id(weights))
                chunked.setdefault(weights.dtype, []).append(update)
            else:
                self.optimizer_step(*update)
        for dtype, group in chunked.items():
            self._step_chunks(dtype, group)

    def _step_chunks(self, dtype: Any, updates: List[Update]) -> None:
        sizes = [update[0].size for update in updates]
        chunks = [(i, start) for i, size in enumerate(sizes) for start in range(0, size, _CHUNK)]
        where = [[0 if array is None else _pointer(array) for array in update[:5]] for update in updates]
        numbers = [update[5][:-1] for update in updates]
        tables = [
            self.xp.asarray(table, dtype=dtype_)
            for table, dtype_ in ((where, "uint64"), (sizes, "int64"), (numbers, "float64"), (chunks, "int64"))
        ]
        firsts = self.xp.asarray(numpy.cumsum([0, *(-(-size // _CHUNK) for size in sizes)]), dtype="int64")
        shape = {"grid": (min(len(chunks), cuda.MAX_BLOCKS), 256), "chunk_size": _CHUNK, "dtype": dtype}
        clips = any(update[5].grad_clip for update in updates)
        sums = self._run("sum_squares_of_chunks", *tables, **shape) if clips else None
        self._run("optimizer_steps", *tables, firsts, sums, total=len(chunks), **shape)

    def _sum_squares(self, g, w=None, L2=0.0):
        """The squares of g + L2 w, summed by each block: the norm stays on the GPU."""
        blocks = min(cuda.blocks_for(g.size, 256), 64)
        return self._run("sum_squares", g, w, grid=(blocks, 256), blocks=blocks, L2=L2)


def _need(condition: bool) -> None:
    if not condition:
        raise cuda.Unfit


def _ndim(array: Any) -> int:
    return getattr(array, "ndim", -1)  # of what is no array


def _like(moments: Any, weights: Any) -> Any:
    """Flat moments in the shape of the weights."""
    if moments is None:
        return None
    _need(moments.size == weights.size and moments.flags.c_contiguous)
    return moments.reshape(weights.shape)


def _pointer(array: Any) -> int:
    """Where the array's data is."""
    interface = getattr(array, "__cuda_array_interface__", None)
    return int((interface or array.__array_interface__)["data"][0])


def _is_on_gpu(data: Any) -> bool:
    """Whether a tensor offers its memory through DLPack, on a CUDA device (type 2)."""
    return hasattr(data, "__dlpack_device__") and data.__dlpack_device__()[0] == 2


def __getattr__(name: str) -> Any:
    if name == "adam_kernel":  # the kernel of float32; None without a GPU
        return cuda.get_kernel("adam_f32") if compat.has_cupy_gpu else None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CupyOps"]
