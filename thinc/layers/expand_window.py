"""Dimensions: T rows, I in, W window size; out I * (2W + 1)."""

from numbers import Integral
from typing import Any, Callable, List, Tuple, TypeVar, Union, cast

from ..config import registry
from ..model import Model
from ..types import Floats2d, LengthsError, Ragged
from ..util import is_xp_array
from ._views import refusal, rows_of

__all__ = ["expand_window", "forward"]

# Far beyond any use: a larger number is a mistake, and fills the memory with columns of zeros.
MAX_WINDOW = 10_000

# Forward functions that read the windows of `ops.windows`, and hand them to no other layer.
READERS: List[Callable] = []

InT = TypeVar("InT", Floats2d, Ragged)


@registry.layers("expand_window.v1")
def expand_window(window_size: int = 1) -> Model[InT, InT]:
    """Each row with its neighbours.  X (T, I) -> Y (T, I * (2 window_size + 1)).

    Y[t] = [X[t - W], ..., X[t], ..., X[t + W]], zeros where there is no such row.  In a
    Ragged the windows end at the borders of the sequences.

    window_size: W, the neighbours on each side.

    >>> expand_window(1).predict(numpy.array([[1], [2], [3]], dtype="f"))
    array([[0., 1., 2.],
           [1., 2., 3.],
           [2., 3., 0.]], dtype=float32)
    """
    if not (isinstance(window_size, Integral) and 0 <= window_size <= MAX_WINDOW):
        raise ValueError(f"expand_window: expected a window_size from 0 to {MAX_WINDOW}, got {window_size!r}")
    return Model("expand_window", forward, attrs={"window_size": window_size})


def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    if isinstance(X, Ragged):
        Y, backprop = _expand_ragged(model, X)
    elif is_xp_array(X):
        Y, backprop = expand_array(model, cast(Floats2d, X), model.ops.seq2col)
    else:
        raise refusal("expand_window: expected an array (T, I) or a Ragged", X)
    return cast(InT, Y), backprop


def expand_array(model: Model, X: Floats2d, window: Callable) -> Tuple[Any, Callable]:
    """The forward pass over one sequence, by `ops.seq2col` or `ops.windows`."""
    ops = model.ops
    nW = model.attrs["window_size"]
    Y = window(ops.as_contig(X), nW)

    def backprop(dY: Floats2d) -> Floats2d:
        return ops.backprop_seq2col(ops.as_contig(dY), nW)

    return Y, backprop


def _expand_ragged(model: Model[InT, InT], Xr: Ragged) -> Tuple[Union[Floats2d, Ragged], Callable]:
    ops = model.ops
    nW = model.attrs["window_size"]
    lengths = Xr.check().lengths

    def run(window: Callable, Ar: Ragged) -> Ragged:
        A = ops.as_contig(rows_of(Ar))
        try:
            return Xr.with_data(window(A, nW, lengths=lengths))
        except AssertionError:  # as the op says it
            total = int(lengths.sum())
            raise LengthsError(f"expand_window: expected {total} rows, as the lengths sum to, got {A.shape}") from None

    def backprop(dYr: Ragged) -> Ragged:
        return run(ops.backprop_seq2col, dYr)

    return run(ops.seq2col, Xr), backprop
