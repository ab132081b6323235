"""`NumpyOps`, the CPU backend: the readable formulas of `Ops` made fast.

Its methods are compiled functions, over the kernels. What these do not cover the readable formula answers:

    arrays of one float dtype, 32 or 64 bits    by the kernels, in any layout, alignment and byte order
    weights in float16 or int8 rows, float32    likewise: see _quantized.py
    others, and mixtures of them                in NumPy's arithmetic, by the readable formula
    matrix products of others, or mixtures      ValueError: which dtypes, how to convert (use_blis=False takes them)
    no NumPy array, or one of no numbers        TypeError: what was expected, what came, how to convert
"""

from typing import Any, Optional

import numpy

from ..config import registry
from ..types import DeviceTypes, Floats1d, Ints1d
from ._kernels import activations, dense, embedding, lists, losses, lstm, memory, norms, sequences, updates  # type: ignore[attr-defined]  # compiled
from .cblas import CBlas
from .ops import Ops


@registry.ops("NumpyOps")
class NumpyOps(Ops):
    """Arrays of NumPy, kernels chosen for this CPU.  THINC_ISA and THINC_GEMM in the environment override the choice.

    use_blis=False takes NumPy's own matrix product, for any dtype.

    device_type, device_id: "cpu" and -1.

    >>> ops = NumpyOps()
    >>> ops.relu(ops.asarray1f([-1, 0, 2]))
    array([0., 0., 2.], dtype=float32)
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

    alloc = memory.alloc

    # Dense

    gemm = dense.gemm
    affine = dense.affine
    affine_maxout = dense.affine_maxout
    affine_maxout_layer_norm = dense.affine_maxout_layer_norm
    maxout = dense.maxout
    backprop_maxout = dense.backprop_maxout

    # Norms and losses

    layer_norm = norms.layer_norm
    backprop_layer_norm = norms.backprop_layer_norm
    sum_rows = norms.sum_rows
    softmax = norms.softmax
    backprop_softmax = norms.backprop_softmax
    backprop_cross_entropy = losses.backprop_cross_entropy
    cosine_distance = losses.cosine_distance
    l2_distance = losses.l2_distance

    # Activations

    _forward = activations.forward
    _backward = activations.backward
    get_dropout_mask = activations.get_dropout_mask

    # Sequences

    seq2col = sequences.seq2col
    backprop_seq2col = sequences.backprop_seq2col
    windows = sequences.windows
    softmax_sequences = sequences.softmax_sequences
    backprop_softmax_sequences = sequences.backprop_softmax_sequences
    reduce_sum = sequences.reduce_sum
    reduce_mean = sequences.reduce_mean
    reduce_max = sequences.reduce_max
    reduce_first = sequences.reduce_first
    reduce_last = sequences.reduce_last
    backprop_reduce_sum = sequences.backprop_reduce_sum
    backprop_reduce_mean = sequences.backprop_reduce_mean
    backprop_reduce_max = sequences.backprop_reduce_max
    backprop_reduce_first = sequences.backprop_reduce_first
    backprop_reduce_last = sequences.backprop_reduce_last
    flatten = lists.flatten
    unflatten = lists.unflatten
    pad = lists.pad
    unpad = lists.unpad
    list2padded = lists.list2padded
    lstm_forward_training = lstm.lstm_forward_training
    lstm_forward_inference = lstm.lstm_forward_inference
    backprop_lstm = lstm.backprop_lstm

    # Embeddings

    hash = embedding.hash
    ngrams = embedding.ngrams
    gather_add = embedding.gather_add
    gather_add_int8 = embedding.gather_add_int8
    embed = embedding.embed
    scatter_add = embedding.scatter_add
    hash_embed = embedding.hash_embed
    hash_embed_int8 = embedding.hash_embed_int8
    backprop_hash_embed = embedding.backprop_hash_embed
    sparse_linear = embedding.sparse_linear
    backprop_sparse_linear = embedding.backprop_sparse_linear

    # Updates

    adam = updates.adam
    optimizer_step = updates.optimizer_step
    update_all = updates.update_all
    update_averages = updates.update_averages
    clip_gradient = updates.clip_gradient


for _name, _method in vars(NumpyOps).items():
    if hasattr(Ops, _name) and not getattr(_method, "__doc__", None):
        _method.__doc__ = getattr(Ops, _name).__doc__


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


def _new_array(data: Any, dtype: Any) -> Any:
    if isinstance(data, dict):
        raise TypeError("asarray: expected numbers or an array, got a dict")
    return numpy.array(data, dtype=dtype)


__all__ = ["NumpyOps", "add_gradient_noise", "check_seq2col_lengths", "cpu_clip_gradient", "has_blis"]
