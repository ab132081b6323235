"""The backend of CUDA GPUs, on CuPy arrays.

What has a kernel goes to `_kernels.cuda`, for float32 and float64; the rest takes the readable formulas. Nothing here
waits for the GPU, except where an output's size depends on lengths that lie there. So values are not checked: an
index out of range counts as no row. Shapes and dtypes are.

Over 500 lines: one method for each op that has a kernel.
"""

from typing import Any, Dict, List, Optional, Tuple

import numpy

from .. import compat
from ..config import registry
from ..types import DeviceTypes, Floats1d, Floats2d, Padded
from . import _cuda_lstm
from ._kernels import cuda
from ._losses import smoothed
from ._updates import Step, Update, average_decay
from .ops import Ops

_SUFFIX = {"float32": "f32", "float64": "f64"}
# Kernels that move or map elements read and write 16 bits as well, and compute in float.
_STORED = {**_SUFFIX, "float16": "f16", "bfloat16": "bf16"}
_PADDED = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64"}
# Elements of a parameter that one block updates.
_CHUNK = 1 << 14
# Rows that one thread adds up when columns are summed.
_ROWS_A_PART = 64


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

    def __init__(self, device_type: DeviceTypes = "gpu", device_id: int = 0, **kwargs) -> None:
        self.device_type = device_type
        self.device_id = device_id

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

    def pad(self, seqs, round_to=1):
        arrays = [self.xp.ascontiguousarray(seq) for seq in seqs]
        suffix = self._padded_suffix(arrays)
        if suffix is None or round_to < 1:
            return super().pad(arrays, round_to)
        first = arrays[0]
        steps = max(len(array) for array in arrays)
        steps += -steps % round_to
        Y = self.xp.empty((len(arrays), steps) + first.shape[1:], dtype=first.dtype)
        width = int(numpy.prod(first.shape[1:]))
        pointers = self.xp.asarray([_pointer(a) for a in arrays], dtype="uint64")
        lengths = self.xp.asarray([len(a) for a in arrays], dtype="int32")
        cuda.launch(f"pad_{suffix}", Y.size, Y, pointers, lengths, len(arrays), steps, width)
        return Y

    def list2padded(self, seqs):
        arrays = [self.xp.ascontiguousarray(seq) for seq in seqs]
        suffix = self._padded_suffix(arrays)
        if suffix is None or arrays[0].ndim < 2:
            return super().list2padded(arrays)
        order = sorted(range(len(arrays)), key=lambda i: (len(arrays[i]), i), reverse=True)
        arrays = [arrays[i] for i in order]
        first, steps = arrays[0], len(arrays[0])
        counts = numpy.array([len(a) for a in arrays], dtype="int32")
        sizes = (counts > numpy.arange(steps)[:, None]).sum(axis=1)
        data = self.xp.empty((steps, len(arrays)) + first.shape[1:], dtype=first.dtype)
        pointers = self.xp.asarray([_pointer(a) for a in arrays], dtype="uint64")
        lengths = self.asarray1i(counts)
        width = int(numpy.prod(first.shape[1:]))
        name = f"list2padded_{suffix}"
        cuda.launch(name, data.size, data, pointers, lengths, len(arrays), steps, width)
        return Padded(data, self.asarray1i(sizes), lengths, self.asarray1i(order))

    def _padded_suffix(self, arrays):
        """Of the kernels that pad these arrays; None if they are not alike."""
        first = arrays[0] if arrays else None
        alike = all(a.dtype == first.dtype and a.shape[1:] == first.shape[1:] for a in arrays)
        return _PADDED.get(first.dtype.name) if arrays and alike else None

    # Dense

    def gemm(
        self, x: Floats2d, y: Floats2d, out: Optional[Floats2d] = None, trans1: bool = False, trans2: bool = False
    ) -> Floats2d:
        if self.xp is not numpy and (isinstance(x, numpy.ndarray) or isinstance(y, numpy.ndarray)):
            raise ValueError(
                "Encountered a numpy array when processing with cupy. Did you call model.ops.asarray on your data?"
            )
        return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)

    def sum_rows(self, dY):
        suffix = self._suffix(dY)
        if suffix is None or dY.ndim != 2:
            return super().sum_rows(dY)
        return self._sum_rows(suffix, self.xp.ascontiguousarray(dY), None, None, None)

    def _sum_rows(self, suffix, X, H, mu, rstd):
        """The column sums of X, or of X times H normalized; in parts, then of those."""
        N, O = X.shape
        parts = max(-(-N // _ROWS_A_PART), 1)
        sums = self.xp.empty((parts, O), dtype=X.dtype)
        name = f"sum_rows_{suffix}"
        cuda.launch(name, sums.size, sums, X, H, mu, rstd, parts, N, O)
        if parts == 1:
            return sums[0]
        return self._sum_rows(suffix, sums, None, None, None)

    def affine_maxout(self, X, W, b):
        suffix = self._suffix(X, W, b)
        if suffix is None or not _are_pieces(X, W, b) or not W.shape[1]:
            return super().affine_maxout(X, W, b)
        (N, _), (O, P, I) = X.shape, W.shape
        Z = self.gemm(X, W.reshape((O * P, I)), trans2=True)
        best = self.xp.empty((N, O), dtype=X.dtype)
        which = self.xp.empty((N, O), dtype="int32")
        (b,) = self._contiguous(b)
        cuda.launch(f"biased_maxout_{suffix}", N * O, best, which, Z, b, N, O, P)
        return best, which

    def affine_maxout_layer_norm(self, X, W, b, G, beta, eps=1e-8, is_train=True):
        suffix = self._suffix(X, W, b, G, beta)
        fits = _are_pieces(X, W, b) and G.shape == beta.shape == W.shape[:1]
        if suffix is None or not fits or not W.shape[1]:
            return super().affine_maxout_layer_norm(X, W, b, G, beta, eps)
        (N, _), (O, P, I) = X.shape, W.shape
        Z = self.gemm(X, W.reshape((O * P, I)), trans2=True)
        Y, best = (self.xp.empty((N, O), dtype=X.dtype) for _ in range(2))
        which = self.xp.empty((N, O), dtype="int32")
        mu, rstd = (self.xp.empty(N, dtype=X.dtype) for _ in range(2))
        arrays = (Y, best, which, mu, rstd, Z, *self._contiguous(b, G, beta))
        cuda.launch(f"normalized_maxout_{suffix}", N * 32, *arrays, eps, N, O, P)
        return Y, best, which, mu, rstd

    def maxout(self, X):
        suffix = self._suffix(X)
        if suffix is None or X.ndim != 3 or X.shape[2] == 0:
            return super().maxout(X)
        N, O, P = X.shape
        best = self.xp.empty((N, O), dtype=X.dtype)
        which = self.xp.empty((N, O), dtype="int32")
        X = self.xp.ascontiguousarray(X)
        cuda.launch(f"maxout_{suffix}", N * O, best, which, X, N * O, P)
        return best, which

    def backprop_maxout(self, dY, which, P):
        suffix = self._suffix(dY)
        if suffix is None or dY.shape != which.shape or which.dtype != "int32":
            return super().backprop_maxout(dY, which, P)
        dX = self.xp.empty(dY.shape + (P,), dtype=dY.dtype)
        arrays = self._contiguous(dY, which)
        cuda.launch(f"backprop_maxout_{suffix}", dX.size, dX, *arrays, dY.size, P)
        return dX

    def layer_norm(self, X, G, b, eps=1e-8):
        suffix = self._suffix(X, G, b)
        if suffix is None or not _are_rows(X, G, b):
            return super().layer_norm(X, G, b, eps)
        N, I = X.shape
        arrays = self._contiguous(X, G, b)
        Y = self.xp.empty_like(arrays[0])
        mu, rstd = (self.xp.empty(N, dtype=X.dtype) for _ in range(2))
        cuda.launch(f"layer_norm_{suffix}", N * 32, Y, mu, rstd, *arrays, eps, N, I)
        return Y, mu, rstd

    def backprop_layer_norm(self, dY, X, G, mu, rstd):
        suffix = self._suffix(dY, X, G, mu, rstd)
        if suffix is None or dY.shape != X.shape or not _are_rows(X, G):
            return super().backprop_layer_norm(dY, X, G, mu, rstd)
        N, I = X.shape
        dY, X, G, mu, rstd = self._contiguous(dY, X, G, mu, rstd)
        dX = self.xp.empty_like(X)
        name = f"backprop_layer_norm_{suffix}"
        cuda.launch(name, N * 32, dX, dY, X, G, mu, rstd, N, I)
        dG = self._sum_rows(suffix, dY, X, mu, rstd)
        return dX, dG, self._sum_rows(suffix, dY, None, None, None)

    def softmax(self, x, *, inplace=False, axis=-1, temperature=1.0):
        suffix = self._suffix(x)
        if suffix is None or axis not in (-1, x.ndim - 1) or not x.size:
            return super().softmax(x, axis=axis, temperature=temperature)
        (x,) = self._contiguous(x)
        Y = self.xp.empty_like(x)
        N, O = x.size // x.shape[-1], x.shape[-1]
        cuda.launch(f"softmax_{suffix}", N * 32, Y, x, 1.0 / temperature, N, O)
        return Y

    def backprop_softmax(self, Y, dY, *, axis=-1, temperature=1.0):
        suffix = self._suffix(Y, dY)
        last = axis in (-1, Y.ndim - 1)
        if suffix is None or Y.shape != dY.shape or not last or not Y.size:
            return super().backprop_softmax(Y, dY, axis=axis, temperature=temperature)
        Y, dY = self._contiguous(Y, dY)
        dX = self.xp.empty_like(Y)
        N, O = Y.size // Y.shape[-1], Y.shape[-1]
        name = f"backprop_softmax_{suffix}"
        cuda.launch(name, N * 32, dX, Y, dY, 1.0 / temperature, N, O)
        return dX

    def backprop_cross_entropy(self, Y, classes, *, label_smoothing=0.0, scale=1.0):
        suffix = self._suffix(Y)
        if suffix is None or Y.ndim != 2 or classes.shape != Y.shape[:1]:
            return super().backprop_cross_entropy(Y, classes, label_smoothing=label_smoothing, scale=scale)
        numbers = (*smoothed(label_smoothing, Y.shape[1]), float(scale))
        classes = self.xp.ascontiguousarray(classes, dtype="int32")
        (Y,) = self._contiguous(Y)
        dX = self.xp.empty_like(Y)
        name = f"backprop_cross_entropy_{suffix}"
        cuda.launch(name, Y.size, dX, Y, classes, *numbers, *Y.shape)
        return dX

    # Activations

    def _forward(self, name, X, params=(), inplace=False):
        suffix = self._stored_suffix(X)
        if suffix is None or name not in _activations():
            return super()._forward(name, X, params, inplace)
        (source,) = self._contiguous(X)
        Y = source if inplace and source is X else self.xp.empty_like(source)
        numbers = [float(p) for p in params] + [0.0] * (4 - len(params))
        cuda.launch(f"{name}_{suffix}", X.size, Y, source, *numbers, X.size)
        if inplace and Y is not X:
            X[...] = Y
            return X
        return Y

    def _backward(self, name, dY, X, Y, params=(), inplace=False):
        saved = [array for array in (X, Y) if array is not None]
        suffix = self._stored_suffix(dY, *saved)
        alike = all(array.shape == dY.shape for array in saved)
        if suffix is None or not alike or name not in _activations():
            return super()._backward(name, dY, X, Y, params, inplace)
        (source,) = self._contiguous(dY)
        X, Y = (None if array is None else self._contiguous(array)[0] for array in (X, Y))
        dX = source if inplace and source is dY else self.xp.empty_like(source)
        numbers = [float(p) for p in params] + [0.0] * (4 - len(params))
        arrays = (dX, source, X, Y)
        cuda.launch(f"backprop_{name}_{suffix}", dY.size, *arrays, *numbers, dY.size)
        if inplace and dX is not dY:
            dY[...] = dX
            return dY
        return dX

    # Sequences

    def seq2col(self, seq, nW, *, lengths=None):
        suffix = self._suffix(seq)
        if suffix is None or seq.ndim != 2 or nW < 0:
            return super().seq2col(seq, nW, lengths=lengths)
        T, I = seq.shape
        Y = self.xp.empty((T, (2 * nW + 1) * I), dtype=seq.dtype)
        ends, B = self._ends(lengths, T)
        (seq,) = self._contiguous(seq)
        cuda.launch(f"seq2col_{suffix}", Y.size, Y, seq, ends, B, T, I, nW)
        return Y

    def backprop_seq2col(self, dY, nW, *, lengths=None):
        suffix = self._suffix(dY)
        if suffix is None or dY.ndim != 2 or nW < 0 or dY.shape[1] % (2 * nW + 1):
            return super().backprop_seq2col(dY, nW, lengths=lengths)
        T, I = dY.shape[0], dY.shape[1] // (2 * nW + 1)
        dX = self.xp.empty((T, I), dtype=dY.dtype)
        ends, B = self._ends(lengths, T)
        (dY,) = self._contiguous(dY)
        cuda.launch(f"backprop_seq2col_{suffix}", dX.size, dX, dY, ends, B, T, I, nW)
        return dX

    def reduce_sum(self, X, lengths):
        Y = self._reduce("reduce_sum", X, lengths, 0)
        return super().reduce_sum(X, lengths) if Y is None else Y

    def reduce_mean(self, X, lengths):
        Y = self._reduce("reduce_sum", X, lengths, 1)
        return super().reduce_mean(X, lengths) if Y is None else Y

    def _reduce(self, name, X, lengths, *flags):
        suffix = self._suffix(X)
        if suffix is None or X.ndim != 2 or not _are_lengths(lengths):
            return None
        ends, B = self._ends(lengths, None)
        Y = self.xp.empty((B, X.shape[1]), dtype=X.dtype)
        (X,) = self._contiguous(X)
        cuda.launch(f"{name}_{suffix}", Y.size, Y, X, ends, B, X.shape[1], *flags)
        return Y

    def backprop_reduce_sum(self, d_sums, lengths):
        dX = self._backprop_reduce("backprop_reduce_sum", (d_sums,), lengths, 0)
        return super().backprop_reduce_sum(d_sums, lengths) if dX is None else dX

    def backprop_reduce_mean(self, d_means, lengths):
        dX = self._backprop_reduce("backprop_reduce_sum", (d_means,), lengths, 1)
        return super().backprop_reduce_mean(d_means, lengths) if dX is None else dX

    def _backprop_reduce(self, name, arrays, lengths, *flags):
        d_out = arrays[0]
        suffix = self._suffix(d_out)
        if suffix is None or d_out.ndim != 2 or not _are_lengths(lengths):
            return None
        if len(d_out) != len(lengths):
            return None
        ends, B = self._ends(lengths, None)
        T, O = int(ends[-1]) if B else 0, d_out.shape[1]
        dX = self.xp.empty((T, O), dtype=d_out.dtype)
        arrays = self._contiguous(*arrays)
        cuda.launch(f"{name}_{suffix}", dX.size, dX, *arrays, ends, B, T, O, *flags)
        return dX

    def reduce_max(self, X, lengths):
        suffix = self._suffix(X)
        if suffix is None or X.ndim != 2 or not _are_lengths(lengths):
            return super().reduce_max(X, lengths)
        ends, B = self._ends(lengths, None)
        Y = self.xp.empty((B, X.shape[1]), dtype=X.dtype)
        which = self.xp.empty(Y.shape, dtype="int32")
        (X,) = self._contiguous(X)
        name = f"reduce_max_{suffix}"
        cuda.launch(name, Y.size, Y, which, X, ends, B, X.shape[1])
        return Y, which

    def backprop_reduce_max(self, d_maxes, which, lengths):
        dX = None
        if which.dtype == "int32" and which.shape == d_maxes.shape:
            arrays = (d_maxes, which)
            dX = self._backprop_reduce("backprop_reduce_max", arrays, lengths)
        if dX is None:
            return super().backprop_reduce_max(d_maxes, which, lengths)
        return dX

    def lstm_forward_training(self, params, H0, C0, X, size_at_t):
        if self._suffix(params, H0, C0, X) is None:
            return super().lstm_forward_training(params, H0, C0, X, size_at_t)
        return _cuda_lstm.forward(self, params, H0, C0, X, size_at_t)

    def backprop_lstm(self, dY, lengths, params, fwd_state):
        if self._suffix(dY, params, fwd_state[0]) is None:
            return super().backprop_lstm(dY, lengths, params, fwd_state)
        return _cuda_lstm.backward(self, dY, lengths, params, fwd_state)

    # Embeddings

    def hash(self, ids, seed):
        if not _are_ids(ids) or not 0 <= seed <= 0xFFFFFFFF:
            return super().hash(ids, seed)
        keys = self.xp.empty((len(ids), 4), dtype="uint32")
        cuda.launch("hash", len(ids), keys, self._as_ids(ids), seed, len(ids))
        return keys

    def ngrams(self, n, keys):
        if not _are_ids(keys) or not 1 <= n <= len(keys):
            return super().ngrams(n, keys)
        count = len(keys) - n + 1
        hashes = self.xp.empty(count, dtype="uint64")
        cuda.launch("ngrams", count, hashes, self._as_ids(keys), n, len(keys))
        return hashes

    def gather_add(self, table, indices):
        suffix = self._stored_suffix(table)
        if suffix is None or table.ndim != 2 or indices.ndim != 2:
            return super().gather_add(table, indices)
        if indices.dtype.kind not in "iu":
            return super().gather_add(table, indices)
        (V, O), (B, K) = table.shape, indices.shape
        Y = self.xp.empty((B, O), dtype=table.dtype)
        rows = self.xp.ascontiguousarray(indices, dtype="int32")
        (table,) = self._contiguous(table)
        cuda.launch(f"gather_add_{suffix}", Y.size, Y, table, rows, V, O, B, K)
        return Y

    def scatter_add(self, table, indices, values):
        suffix = self._suffix(table, values)
        fits = table.ndim == 2 and indices.ndim == 1 and indices.dtype == "int32"
        if suffix is None or not fits or values.shape != indices.shape + table.shape[1:]:
            return super().scatter_add(table, indices, values)
        if not table.flags.c_contiguous:
            return super().scatter_add(table, indices, values)
        (V, O), N = table.shape, len(indices)
        lanes = min(N, 1) if self.deterministic else N
        arrays = (table, *self._contiguous(indices, values))
        cuda.launch(f"scatter_add_{suffix}", lanes * O, *arrays, V, O, N, lanes)
        return None

    def hash_embed(self, E, ids, seed):
        suffix = self._stored_suffix(E)
        if suffix is None or not _are_ids(ids) or not len(E):
            return super().hash_embed(E, ids, seed)
        (V, O), N = E.shape, len(ids)
        Y = self.xp.empty((N, O), dtype=E.dtype)
        (E,) = self._contiguous(E)
        name = f"hash_embed_{suffix}"
        cuda.launch(name, Y.size, Y, E, self._as_ids(ids), seed, N, O, V)
        return Y

    def backprop_hash_embed(self, dE, dY, ids, seed):
        suffix = self._suffix(dE, dY)
        fits = _are_ids(ids) and len(dE) and dY.shape == (len(ids), dE.shape[1])
        if suffix is None or not fits or not dE.flags.c_contiguous:
            return super().backprop_hash_embed(dE, dY, ids, seed)
        (V, O), N = dE.shape, len(ids)
        lanes = min(N, 1) if self.deterministic else N
        arrays = (dE, self._contiguous(dY)[0], self._as_ids(ids))
        name = f"backprop_hash_embed_{suffix}"
        cuda.launch(name, lanes * O, *arrays, seed, N, O, V, lanes)

    # Training

    def get_dropout_mask(self, shape, drop):
        if drop is None or drop <= 0 or drop >= 1:
            return super().get_dropout_mask(shape, drop)
        # One draw from NumPy's generator: fix_random_seed makes runs repeatable.
        seed = int(numpy.random.randint(0, 2**63, dtype="int64"))
        mask = self.xp.empty(shape, dtype="f")
        cuda.launch("dropout_mask_f32", mask.size, mask, float(drop), seed, mask.size)
        return mask

    def adam(
        self,
        weights: Floats1d,
        gradient: Floats1d,
        mom1: Floats1d,
        mom2: Floats1d,
        beta1: float,
        beta2: float,
        eps: float,
        learn_rate: float,
        mod_rate: float = 1.0,
    ) -> Tuple[Floats1d, Floats1d, Floats1d, Floats1d]:
        """As in the base, but mod_rate is ignored and the gradient set to zero."""
        arrays: List[Any] = [weights, gradient, mom1, mom2]
        suffix = self._suffix(*arrays)
        numbers = (float(beta1), float(beta2), float(eps), float(learn_rate))
        alike = all(array.shape == weights.shape for array in arrays)
        if suffix is None or not alike or not _in_place(*arrays):
            super().adam(weights, gradient, mom1, mom2, *numbers)
            gradient.fill(0)
        else:
            n = arrays[0].size
            cuda.launch(f"adam_{suffix}", n, *arrays, *numbers, n)
        return weights, gradient, mom1, mom2

    def update_averages(self, ema, weights, t, max_decay=0.9999):
        suffix = self._suffix(ema, weights)
        if suffix is None or ema.shape != weights.shape or not _in_place(ema, weights):
            return super().update_averages(ema, weights, t, max_decay)
        rest = 1.0 - average_decay(t, max_decay)
        cuda.launch(f"update_averages_{suffix}", ema.size, ema, weights, rest, ema.size)

    def clip_gradient(self, gradient, threshold):
        suffix = self._suffix(gradient)
        if suffix is None or not _in_place(gradient) or not gradient.size:
            return super().clip_gradient(gradient, threshold)
        sums = self._sum_squares(suffix, gradient, 0.0, None)
        n = gradient.size
        cuda.launch(f"clip_{suffix}", n, gradient, sums, len(sums), float(threshold), n)
        return gradient

    def optimizer_step(self, weights: Any, gradient: Any, mom1: Any, mom2: Any, average: Any, step: Step) -> None:
        arrays = [weights, gradient, mom1, mom2, average]
        given = [array for array in arrays if array is not None]
        suffix = self._suffix(*given)
        sizes = {array.size for array in given}
        if suffix is None or len(sizes) > 1 or not _in_place(*given) or step.lazy:
            return super().optimizer_step(*arrays, step)  # type: ignore[call-arg]
        if gradient.shape != weights.shape:
            return super().optimizer_step(*arrays, step)  # type: ignore[call-arg]
        sums = None
        if step.grad_clip:
            sums = self._sum_squares(suffix, gradient, step.L2, weights)
        numbers = (0 if sums is None else len(sums), *step[:-1], weights.size)
        cuda.launch(f"optimizer_step_{suffix}", weights.size, *arrays, sums, *numbers)

    def optimizer_steps(self, updates: List[Update]) -> None:
        """Two launches for all parameters of a dtype: their norms, and the steps."""
        chunked: Dict[str, List[Update]] = {}
        taken = set()
        for update in updates:
            given = [array for array in update[:5] if array is not None]
            suffix = self._suffix(*given)
            alike = len({array.size for array in given}) == 1 and _in_place(*given)
            single = id(update[0]) in taken or update[5].lazy
            if suffix is None or not alike or single:
                self.optimizer_step(*update)
            else:
                taken.add(id(update[0]))
                chunked.setdefault(suffix, []).append(update)
        for suffix, group in chunked.items():
            self._step_chunks(suffix, group)

    def _step_chunks(self, suffix: str, updates: List[Update]) -> None:
        sizes = [update[0].size for update in updates]
        counts = [-(-size // _CHUNK) for size in sizes]
        chunks = [(i, start) for i, size in enumerate(sizes) for start in range(0, size, _CHUNK)]
        where = [[0 if array is None else _pointer(array) for array in update[:5]] for update in updates]
        asarray = self.xp.asarray
        arrays = asarray(where, dtype="uint64")
        numbers = asarray([update[5][:-1] for update in updates], dtype="float64")
        tables = (arrays, asarray(sizes, dtype="int64"), numbers)
        table = asarray(chunks, dtype="int64")
        firsts = asarray(numpy.cumsum([0, *counts]), dtype="int64")
        sums = None
        blocks = min(len(chunks), cuda.MAX_BLOCKS)
        end = (len(chunks), _CHUNK)
        if any(update[5].grad_clip for update in updates):
            sums = self.xp.empty(len(chunks), dtype="float64")
            name = f"sum_squares_of_chunks_{suffix}"
            cuda.run(name, blocks, 256, sums, *tables, table, *end)
        name = f"optimizer_steps_{suffix}"
        cuda.run(name, blocks, 256, *tables, table, firsts, sums, *end)

    def _sum_squares(self, suffix, g, L2, w):
        """The squares of g + L2 w, summed by each block: the norm stays on the GPU."""
        blocks = min(cuda.blocks_for(g.size, 256), 64)
        sums = self.xp.empty(blocks, dtype="float64")
        cuda.run(f"sum_squares_{suffix}", blocks, 256, sums, g, float(L2), w, g.size)
        return sums

    # What the methods above ask

    def _suffix(self, *arrays: Any) -> Optional[str]:
        """Of the kernels for these arrays; None if they are not all of one such dtype."""
        return _SUFFIX.get(self._dtype(arrays))

    def _stored_suffix(self, *arrays: Any) -> Optional[str]:
        """The same of the kernels that take 16 bits, too."""
        return _STORED.get(self._dtype(arrays))

    def _dtype(self, arrays: Tuple[Any, ...]) -> str:
        """Its name; "" if it is not one of them all, or one is no array of ours."""
        dtype = arrays[0].dtype
        for array in arrays:
            if not isinstance(array, self.xp.ndarray) or array.dtype != dtype:
                return ""
        return dtype.name

    def _contiguous(self, *arrays: Any) -> List[Any]:
        return [self.xp.ascontiguousarray(array) for array in arrays]

    def _ends(self, lengths: Any, rows: Optional[int]) -> Tuple[Any, int]:
        """The running sums of the lengths, and their number; one sequence without."""
        if lengths is None:
            return self.xp.asarray([rows], dtype="int64"), 1
        return self.xp.cumsum(lengths, dtype="int64"), len(lengths)

    def _as_ids(self, ids: Any) -> Any:
        return self.xp.ascontiguousarray(ids.astype("uint64", copy=False))


_LIST: dict = {}


def _activations() -> dict:
    if not _LIST:
        _LIST.update(cuda.activations())
    return _LIST


def _are_rows(X: Any, *vectors: Any) -> bool:
    return X.ndim == 2 and all(v.shape == (X.shape[1],) for v in vectors)


def _are_pieces(X: Any, W: Any, b: Any) -> bool:
    return X.ndim == 2 and W.ndim == 3 and b.shape == W.shape[:2] and X.shape[1] == W.shape[2]


def _are_lengths(lengths: Any) -> bool:
    return lengths.ndim == 1 and lengths.dtype.kind in "iu"


def _are_ids(ids: Any) -> bool:
    return getattr(ids, "ndim", None) == 1 and ids.dtype.kind in "iu"


def _in_place(*arrays: Any) -> bool:
    return all(array.flags.c_contiguous for array in arrays)


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
