"""`NumpyOps`, the CPU backend: the readable formulas of `Ops` made fast.

Every method hands its arrays to a compiled kernel. A kernel that does not cover them (a dtype other than float32 and
float64, say) returns None, or False where it works in place, and the readable formula answers.

Over 500 lines: one method for each op that has a compiled function.
"""

from typing import Any, List, Optional, Tuple, TypeVar, Union

import numpy

from ..config import registry
from ..types import Array3d, DeviceTypes, Floats1d, Floats2d, Floats3d, FloatsXd, Ints1d, Ints2d, List2d, Padded, Shape
from ._activations import Params
from ._dense import smoothed
from ._kernels import elementwise, embedding, gemm, lstm, sequences  # type: ignore[attr-defined]  # compiled
from ._training import Step, average_decay
from .cblas import CBlas
from .ops import Ops

FloatsT = TypeVar("FloatsT", bound=Any)

# Masks up to this size take NumPy's own stream, number by number, which costs no more than keying a generator with one
# draw from it, and gives the masks that earlier versions gave for a seed.
SMALL_MASK = 64


@registry.ops("NumpyOps")
class NumpyOps(Ops):
    """Arrays of NumPy, kernels chosen for this CPU.  THINC_ISA and THINC_GEMM in the environment override the choice.

    use_blis=False takes NumPy's own matrix product, for any dtype.
    """

    name = "numpy"
    xp = numpy

    def __init__(self, device_type: DeviceTypes = "cpu", device_id: int = -1, *, use_blis: bool = True) -> None:
        self.device_type = device_type
        self.device_id = device_id
        self.use_blis = use_blis

    def cblas(self) -> CBlas:
        """The C functions of the fastest BLAS here, for code that is compiled against them."""
        return CBlas()

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        """A NumPy array of the data: itself if it is one, fetched if it lies on a device."""
        if isinstance(data, numpy.ndarray):
            array = data
        elif hasattr(data, "numpy"):  # torch, tensorflow
            array = data.numpy()
        elif not isinstance(data, dict) and hasattr(data, "get"):  # cupy
            array = data.get()
        else:
            return _new_array(data, dtype)
        return array if dtype is None else array.astype(dtype, copy=False)

    def alloc(self, shape: Shape, *, dtype: Any = "float32", zeros: bool = True) -> Any:
        return elementwise.alloc(shape, dtype, zeros)

    # Dense

    def gemm(  # type: ignore[override]  # keyword-only here, as in the interface
        self, x: Floats2d, y: Floats2d, *, out: Optional[Floats2d] = None, trans1: bool = False, trans2: bool = False
    ) -> Floats2d:
        if self.use_blis:
            return gemm.gemm(x, y, out, trans1, trans2)
        return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)

    def affine(self, X: Floats2d, W: Floats2d, b: Floats1d) -> Floats2d:
        if self.use_blis:
            return gemm.affine(X, W, b)
        return super().affine(X, W, b)

    def affine_maxout(self, X: Floats2d, W: Floats3d, b: Floats2d) -> Tuple[Floats2d, Ints2d]:
        if self.use_blis:
            return gemm.affine_maxout(X, W, b)
        return super().affine_maxout(X, W, b)

    def affine_maxout_layer_norm(
        self,
        X: Floats2d,
        W: Floats3d,
        b: Floats2d,
        G: Floats1d,
        beta: Floats1d,
        eps: float = 1e-8,
        is_train: bool = True,
    ) -> Tuple[Floats2d, Optional[Floats2d], Optional[Ints2d], Floats1d, Floats1d]:
        if self.use_blis:
            result = gemm.affine_maxout_layer_norm(X, W, b, G, beta, eps, is_train)
            if result is not None:
                return result
        return super().affine_maxout_layer_norm(X, W, b, G, beta, eps, is_train)

    def sum_rows(self, dY: Floats2d) -> Floats1d:
        sums = elementwise.sum_rows(dY)
        return super().sum_rows(dY) if sums is None else sums

    def maxout(self, X: Floats3d) -> Tuple[Floats2d, Ints2d]:
        result = sequences.maxout(X)
        return super().maxout(_array("maxout", X)) if result is None else result

    def backprop_maxout(self, dY: Floats2d, which: Ints2d, P: int) -> Floats3d:
        dX = sequences.backprop_maxout(dY, which, P)
        if dX is None:
            return super().backprop_maxout(_array("backprop_maxout", dY), which, P)
        return dX

    def layer_norm(
        self, X: Floats2d, G: Floats1d, b: Floats1d, eps: float = 1e-8
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        result = elementwise.layer_norm(X, G, b, eps)
        if result is None:
            return super().layer_norm(_array("layer_norm", X), G, b, eps)
        return result

    def backprop_layer_norm(
        self, dY: Floats2d, X: Floats2d, G: Floats1d, mu: Floats1d, rstd: Floats1d
    ) -> Tuple[Floats2d, Floats1d, Floats1d]:
        result = elementwise.backprop_layer_norm(dY, X, G, mu, rstd)
        if result is None:
            return super().backprop_layer_norm(dY, X, G, mu, rstd)
        return result

    def softmax(self, x: FloatsT, *, inplace: bool = False, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        if axis == -1 or axis == x.ndim - 1:
            Y = elementwise.softmax(x, temperature)
            if Y is not None:
                return Y
        return super().softmax(x, axis=axis, temperature=temperature)

    def backprop_softmax(self, Y: FloatsT, dY: FloatsT, *, axis: int = -1, temperature: float = 1.0) -> FloatsT:
        if axis == -1 or axis == Y.ndim - 1:
            dX = elementwise.backprop_softmax(Y, dY, temperature)
            if dX is not None:
                return dX
        return super().backprop_softmax(Y, dY, axis=axis, temperature=temperature)

    def backprop_cross_entropy(
        self, Y: Floats2d, classes: Ints1d, *, label_smoothing: float = 0.0, scale: float = 1.0
    ) -> Floats2d:
        right, wrong = smoothed(label_smoothing, Y.shape[-1])
        dX = elementwise.backprop_cross_entropy(Y, classes, right, wrong, scale)
        if dX is None:
            return super().backprop_cross_entropy(Y, classes, label_smoothing=label_smoothing, scale=scale)
        return dX

    def cosine_distance(self, Y: Floats2d, truths: Floats2d, *, scale: float = 1.0) -> Tuple[Floats2d, Floats1d]:
        result = elementwise.cosine_distance(Y, truths, scale)
        if result is None:
            return super().cosine_distance(Y, truths, scale=scale)
        return result

    def l2_distance(self, Y: FloatsXd, truths: FloatsXd, *, scale: float = 1.0) -> Tuple[FloatsXd, float]:
        result = elementwise.l2_distance(Y, truths, scale)
        if result is None:
            return super().l2_distance(Y, truths, scale=scale)
        return result

    # Activations

    def _forward(self, name: str, X: Any, params: Params = (), inplace: bool = False) -> Any:
        Y = elementwise.forward(name, X, params, inplace)
        if Y is None:
            return super()._forward(name, _array(name, X), params, inplace)
        return Y

    def _backward(
        self, name: str, dY: Any, X: Optional[Any], Y: Optional[Any], params: Params = (), inplace: bool = False
    ) -> Any:
        dX = elementwise.backward(name, dY, X, Y, params, inplace)
        if dX is None:
            dY = _array(f"backprop_{name}", dY)
            return super()._backward(name, dY, X, Y, params, inplace)
        return dX

    # Sequences

    def seq2col(self, seq: Floats2d, nW: int, *, lengths: Optional[Ints1d] = None) -> Floats2d:
        Y = sequences.seq2col(seq, nW, lengths)
        if Y is None:
            return super().seq2col(_array("seq2col", seq), nW, lengths=lengths)
        return Y

    def backprop_seq2col(self, dY: Floats2d, nW: int, *, lengths: Optional[Ints1d] = None) -> Floats2d:
        dX = sequences.backprop_seq2col(dY, nW, lengths)
        if dX is None:
            dY = _array("backprop_seq2col", dY)
            return super().backprop_seq2col(dY, nW, lengths=lengths)
        return dX

    def reduce_sum(self, X: Floats2d, lengths: Ints1d) -> Floats2d:
        Y = sequences.reduce_sum(X, lengths)
        return super().reduce_sum(_array("reduce_sum", X), lengths) if Y is None else Y

    def reduce_mean(self, X: Floats2d, lengths: Ints1d) -> Floats2d:
        Y = sequences.reduce_mean(X, lengths)
        if Y is None:
            return super().reduce_mean(_array("reduce_mean", X), lengths)
        return Y

    def reduce_max(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints2d]:
        result = sequences.reduce_max(X, lengths)
        if result is None:
            return super().reduce_max(_array("reduce_max", X), lengths)
        return result

    def backprop_reduce_sum(self, d_sums: Floats2d, lengths: Ints1d) -> Floats2d:
        dX = sequences.backprop_reduce_sum(d_sums, lengths)
        if dX is None:
            d_sums = _array("backprop_reduce_sum", d_sums)
            return super().backprop_reduce_sum(d_sums, lengths)
        return dX

    def backprop_reduce_mean(self, d_means: Floats2d, lengths: Ints1d) -> Floats2d:
        dX = sequences.backprop_reduce_mean(d_means, lengths)
        if dX is None:
            d_means = _array("backprop_reduce_mean", d_means)
            return super().backprop_reduce_mean(d_means, lengths)
        return dX

    def backprop_reduce_max(self, d_maxes: Floats2d, which: Ints2d, lengths: Ints1d) -> Floats2d:
        dX = sequences.backprop_reduce_max(d_maxes, which, lengths)
        if dX is None:
            d_maxes = _array("backprop_reduce_max", d_maxes)
            return super().backprop_reduce_max(d_maxes, which, lengths)
        return dX

    def reduce_first(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints1d]:
        result = sequences.reduce_first(X, lengths)
        if result is None:
            return super().reduce_first(_array("reduce_first", X), lengths)
        return result

    def reduce_last(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints1d]:
        result = sequences.reduce_last(X, lengths)
        if result is None:
            return super().reduce_last(_array("reduce_last", X), lengths)
        return result

    def backprop_reduce_first(self, d_firsts: Floats2d, starts_ends: Ints1d) -> Floats2d:
        dX = sequences.backprop_reduce_first(d_firsts, starts_ends)
        if dX is None:
            d_firsts = _array("backprop_reduce_first", d_firsts)
            return super().backprop_reduce_first(d_firsts, starts_ends)
        return dX

    def backprop_reduce_last(self, d_lasts: Floats2d, lasts: Ints1d) -> Floats2d:
        dX = sequences.backprop_reduce_last(d_lasts, lasts)
        if dX is None:
            d_lasts = _array("backprop_reduce_last", d_lasts)
            return super().backprop_reduce_last(d_lasts, lasts)
        return dX

    # Lists of sequences

    def pad(self, seqs: Union[List[Ints2d], List[Floats2d]], round_to=1) -> Array3d:
        arrays: Any = list(seqs)
        padded = sequences.pad(arrays, round_to)
        return super().pad(arrays, round_to) if padded is None else padded

    def list2padded(self, seqs: List2d) -> Padded:
        arrays: Any = list(seqs)
        result = sequences.list2padded(arrays)
        return super().list2padded(arrays) if result is None else Padded(*result)

    # Embeddings

    def hash(self, ids: Ints1d, seed: int) -> Ints2d:
        keys = embedding.hash(ids, seed)
        return super().hash(ids, seed) if keys is None else keys

    def ngrams(self, n: int, keys: Ints1d) -> Ints1d:
        hashes = embedding.ngrams(n, keys)
        return super().ngrams(n, keys) if hashes is None else hashes

    def gather_add(self, table: Floats2d, indices: Ints2d) -> Floats2d:
        Y = embedding.gather_add(table, indices)
        if Y is None:
            return super().gather_add(_array("gather_add", table), indices)
        return Y

    def scatter_add(self, table: FloatsXd, indices: Any, values: FloatsXd) -> FloatsXd:
        if not embedding.scatter_add(table, indices, values):
            super().scatter_add(_array("scatter_add", table), indices, values)
        return None  # type: ignore[return-value]  # the annotation is part of the interface

    def hash_embed(self, E: Floats2d, ids: Ints1d, seed: int) -> Floats2d:
        Y = embedding.hash_embed(E, ids, seed)
        return super().hash_embed(E, ids, seed) if Y is None else Y

    def backprop_hash_embed(self, dE: Floats2d, dY: Floats2d, ids: Ints1d, seed: int) -> None:
        if not embedding.backprop_hash_embed(dE, dY, ids, seed):
            super().backprop_hash_embed(dE, dY, ids, seed)

    def sparse_linear(
        self,
        keys: Ints1d,
        values: Floats1d,
        lengths: Ints1d,
        W: Floats1d,
        b: Floats1d,
        nO: int,
        length: int,
        v1_indexing: bool,
    ) -> Floats2d:
        args = (keys, values, lengths, W, b, nO, length, v1_indexing)
        scores = embedding.sparse_linear(*args)
        return super().sparse_linear(*args) if scores is None else scores

    def backprop_sparse_linear(
        self,
        dW: Floats1d,
        db: Floats1d,
        dY: Floats2d,
        keys: Ints1d,
        values: Floats1d,
        lengths: Ints1d,
        nO: int,
        length: int,
        v1_indexing: bool,
    ) -> None:
        args = (dW, db, dY, keys, values, lengths, nO, length, v1_indexing)
        if not embedding.backprop_sparse_linear(*args):
            super().backprop_sparse_linear(*args)

    # LSTM

    def lstm_forward_training(
        self, params: Floats1d, H0: Floats3d, C0: Floats3d, X: Floats2d, size_at_t: Ints1d
    ) -> Tuple[Floats2d, Tuple]:
        result = lstm.forward_training(params, H0, C0, X, size_at_t)
        if result is None:
            return super().lstm_forward_training(params, H0, C0, X, size_at_t)
        return result

    def lstm_forward_inference(
        self, params: Floats1d, H0: Floats3d, C0: Floats3d, X: Floats2d, size_at_t: Ints1d
    ) -> Floats2d:
        Y = lstm.forward_inference(params, H0, C0, X, size_at_t)
        if Y is None:
            return super().lstm_forward_inference(params, H0, C0, X, size_at_t)
        return Y

    def backprop_lstm(
        self, dY: Floats2d, lengths: Ints1d, params: Floats1d, fwd_state: Tuple
    ) -> Tuple[Floats2d, Floats1d]:
        result = lstm.backprop(dY, lengths, params, fwd_state)
        if result is None:
            return super().backprop_lstm(dY, lengths, params, fwd_state)
        return result

    # Training

    def get_dropout_mask(self, shape: Shape, drop: Optional[float]) -> FloatsXd:
        if drop is None or drop <= 0 or drop >= 1 or _size(shape) <= SMALL_MASK:
            return super().get_dropout_mask(shape, drop)
        seed = int(numpy.random.randint(0, 2**63, dtype="int64"))
        return elementwise.dropout_mask(shape, drop, seed)

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
        """As in `Ops`, and the gradient is set to zero; mod_rate is ignored, as it always was on this backend."""
        arrays = (weights, gradient, mom1, mom2)
        if not elementwise.adam(*arrays, beta1, beta2, eps, learn_rate):
            super().adam(*arrays, beta1, beta2, eps, learn_rate)
            gradient *= 0
        return arrays

    def optimizer_step(self, weights: Any, gradient: Any, mom1: Any, mom2: Any, average: Any, step: Step) -> None:
        arrays = (weights, gradient, mom1, mom2, average, step)
        if not elementwise.optimizer_step(*arrays):
            super().optimizer_step(*arrays)

    def update_averages(self, ema: FloatsT, weights: FloatsT, t: int, max_decay: float = 0.9999) -> None:
        decay = average_decay(t, max_decay)
        if not elementwise.update_averages(ema, weights, decay):
            super().update_averages(ema, weights, t, max_decay)

    def clip_gradient(self, gradient: FloatsT, threshold: float) -> FloatsT:
        if not elementwise.clip_gradient(gradient, threshold):
            return super().clip_gradient(gradient, threshold)
        return gradient


def cpu_clip_gradient(gradient: Floats1d, threshold: float) -> None:
    """Scale the gradient, in place, to an L2 norm of at most threshold."""
    NumpyOps().clip_gradient(gradient, threshold)


def add_gradient_noise(gradient: Floats1d, noise_level: float, timestep: int) -> None:
    """Add N(0, s) in place, s = noise_level / (1 + timestep)^0.55; nothing below s = 1e-6.  Neelakantan et al. 2015."""
    deviation = noise_level / (1 + timestep) ** 0.55
    if deviation >= 1e-6:
        gradient += numpy.random.normal(0.0, deviation, len(gradient))


def check_seq2col_lengths(ops: Ops, lengths: Optional[Ints1d], B: int) -> Ints1d:
    """The lengths, checked to be at least 0 and to sum to B; one sequence of B rows if there are none."""
    if lengths is None:
        return ops.asarray1i([B])
    if not (lengths >= 0).all():
        raise AssertionError("All sequence lengths must be >= 0")
    if int(lengths.sum()) != B:
        raise AssertionError("The lengths must sum up to the batch length")
    return lengths


has_blis = True  # a requirement of this package; the name is part of the interface


def _array(op: str, X: Any) -> Any:
    """X for the readable formula, which assumes an array."""
    if not isinstance(X, numpy.ndarray):
        raise TypeError(
            f"{op}: expected a numpy array, got {type(X).__module__}.{type(X).__name__}. Convert it with ops.asarray"
        )
    return X


def _new_array(data: Any, dtype: Any) -> Any:
    if isinstance(data, dict):
        raise TypeError("asarray: expected numbers or an array, got a dict")
    return numpy.array(data, dtype=dtype)


def _size(shape: Any) -> int:
    return int(numpy.prod(shape))


__all__ = ["NumpyOps", "add_gradient_noise", "check_seq2col_lengths", "cpu_clip_gradient", "has_blis"]
