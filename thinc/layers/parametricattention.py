"""Dimensions: T rows of all sequences, O width (nO)."""

from typing import Callable, Optional, Tuple

from ..backends import Ops
from ..backends._quantized import row_length
from ..config import registry
from ..initializers import uniform_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats1d, Floats2d, Ints1d, Ragged
from ._pool import sequences
from ._views import NO_ROWS, learn_dim, rows_of

__all__ = ["ParametricAttention", "forward", "init"]

InT = Ragged
OutT = Ragged


@registry.layers("ParametricAttention.v1")
def ParametricAttention(nO: Optional[int] = None) -> Model[InT, OutT]:
    """Weight each row by its importance in its sequence.

    Ragged X (T, nO) -> Ragged Y (T, nO).
    a = softmax of X . Q over each sequence, Y = a X; Q (nO,).  Sum the result
    (`reduce_sum`) to have one vector per sequence.
    Yang et al. 2016, "Hierarchical attention networks for document classification".

    nO: width; `initialize` takes it from data.

    >>> X = Ragged(numpy.ones((5, 3), dtype="f"), [4, 1])
    >>> model = ParametricAttention().initialize(X)
    >>> model.predict(X).data[:, 0]  # equal rows share the weight of their sequence
    array([0.25, 0.25, 0.25, 0.25, 1.  ], dtype=float32)
    """
    return Model("para-attn", forward, init=init, params={"Q": None}, dims={"nO": nO})


@holds(Q=("nO",))
def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    X, lengths = sequences(Xr, "ParametricAttention")
    Y, backprop_attention = attention(model.ops, model.get_param("Q"), X, X, lengths)

    def backprop(dYr: OutT) -> InT:
        dX, dK, dQ = backprop_attention(rows_of(dYr))
        dX += dK.reshape(dX.shape)
        model.inc_grad("Q", dQ)
        return Xr.with_data(dX)

    return Xr.with_data(Y), backprop


def attention(
    ops: Ops, Q: Floats1d, X: Floats2d, K: Floats2d, lengths: Ints1d
) -> Tuple[Floats2d, Callable[[Floats2d], Tuple[Floats2d, Floats2d, Floats1d]]]:
    """Weight the rows of X by the softmax of K . Q over each sequence.

    X, K (T, O), Q (O,) -> Y (T, O), and a callback: dY -> (dX, dK, dQ).
    """
    if K.shape == NO_ROWS:
        K = K.reshape((0, row_length(Q)))
    scores = ops.affine(K, Q.reshape((1, -1)), ops.alloc1f(1, dtype=K.dtype))
    weights = ops.softmax_sequences(scores, lengths)

    def backprop(dY: Floats2d) -> Tuple[Floats2d, Floats2d, Floats1d]:
        d_weights = (X * dY).sum(axis=1, keepdims=True)
        d_scores = ops.backprop_softmax_sequences(d_weights, weights, lengths)
        dQ = ops.gemm(K, d_scores, trans1=True).reshape((-1,))
        return dY * weights, d_scores * Q, dQ

    return X * weights, backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    learn_dim(model, "nO", X)
    model.set_param("Q", uniform_init(model.ops, (model.get_dim("nO"),)))
