from typing import Any, Callable, Optional, Tuple

from ..backends import Ops
from ..config import registry
from ..model import Model
from ..types import Padded
from ._sums import total
from ._views import expect_padded

__all__ = ["bidirectional", "forward", "init"]

InT = Padded
OutT = Padded


@registry.layers("bidirectional.v1")
def bidirectional(l2r: Model[InT, OutT], r2l: Optional[Model[InT, OutT]] = None) -> Model[InT, OutT]:
    """Y = [f(X) | reverse(g(reverse(X)))] along the last axis, sequence by sequence.

    `r2l` (g) defaults to a copy of `l2r` (f).
    Schuster & Paliwal 1997, "Bidirectional recurrent neural networks".

    >>> X = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> model = with_padded(bidirectional(LSTM(nO=4))).initialize(X)
    >>> [Y.shape for Y in model.predict(X)]
    [(5, 8), (2, 8)]
    """
    if r2l is None:
        r2l = l2r.copy()
    return Model(f"bi{l2r.name}", forward, layers=[l2r, r2l], init=init)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops: Any = model.ops
    l2r, r2l = model._layers
    expect_padded(X, "bidirectional")
    rows = _reversed_rows(ops, X)
    Y1, backprop_l2r = l2r(X, is_train)
    Y2, backprop_r2l = r2l(X.with_data(X.data[rows]), is_train)
    width = Y1.data.shape[-1]
    Y = Y1.with_data(ops.xp.concatenate((Y1.data, Y2.data[rows]), axis=-1))

    def backprop(dY: OutT) -> InT:
        data: Any = dY.data
        dX1 = backprop_l2r(dY.with_data(ops.as_contig(data[..., :width])))
        dX2 = backprop_r2l(dY.with_data(ops.as_contig(data[..., width:])[rows]))
        return total((dX1, dX2.with_data(dX2.data[rows])))

    return Y, backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    l2r, r2l = model.layers
    if Y is None:
        l2r.initialize(X=X)
        r2l.initialize(X=X)
    else:
        data: Any = Y.data
        half = data.shape[-1] // 2
        l2r.initialize(X=X, Y=Y.with_data(data[..., :half]))
        r2l.initialize(X=X, Y=Y.with_data(data[..., half:]))


def _reversed_rows(ops: Ops, Xp: Padded) -> Tuple[Any, Any]:
    """An index (T, B), (1, B) that turns every sequence round, not its padding.

    Applied twice it changes nothing, so it is its own way back.
    """
    xp = ops.xp
    steps, batch = Xp.data.shape[:2]
    step = xp.arange(steps).reshape((-1, 1))
    lengths = Xp.lengths.reshape((1, -1))
    rows = xp.where(step < lengths, lengths - 1 - step, step)
    return rows, xp.arange(batch).reshape((1, -1))
