"""A batch of sequences seen in one particular form, with its way back.

A view takes a batch in any of its forms (list, Ragged, Padded, array) and returns it in
the form that a layer wants, with a function that puts a result of that form into the
form the batch had. `None` in place of that function says that the batch had the wanted
form already.

    X, restore = as_list(ops, Xseq)
    Y, backprop = layer(X, is_train)
    Yseq = restore(Y)

The same view serves both directions: the gradient of Yseq is viewed as the gradient of
Y, and the gradient of X is restored as that of Xseq.
"""

from itertools import accumulate
from math import prod
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ..backends import Ops
from ..backends.numpy_ops import NumpyOps
from ..model import Model
from ..types import Padded, Ragged

__all__ = [
    "NUMPY_OPS",
    "View",
    "as_array",
    "as_array2d",
    "as_list",
    "as_padded",
    "as_ragged",
    "copy_dims",
    "dims_of",
    "flatten",
    "flatten_nested",
    "init_through",
    "lengths_of",
    "list_as_padded",
    "regroup",
    "run_through",
    "says_nothing",
]

# For bookkeeping that never needs to be on a device.
NUMPY_OPS = NumpyOps()

View = Tuple[Any, Optional[Callable[[Any], Any]]]


def run_through(
    view: Callable[..., View], model: Model, Xseq: Any, is_train: bool, **settings: Any
) -> Tuple[Any, Callable]:
    """The forward pass of a wrapper: its layer sees the input through `view`."""
    layer = model._layers[0]
    if isinstance(Xseq, (list, tuple)) and not Xseq:
        # No sequences have no width either, so there is nothing a layer could be given.
        return [], _nothing
    ops = layer.ops
    X, restore = view(ops, Xseq, **settings)
    Y, backprop_layer = layer(X, is_train)
    if restore is None:
        return Y, backprop_layer

    def backprop(dYseq: Any) -> Any:
        return restore(backprop_layer(view(ops, dYseq, **settings)[0]))

    return restore(Y), backprop


def init_through(view: Callable[..., View], model: Model, X: Any, Y: Any, **settings: Any) -> None:
    """Initialize the wrapped layer with samples seen through `view`."""
    layer = model.layers[0]
    X, Y = [None if says_nothing(seq) else view(layer.ops, seq, **settings)[0] for seq in (X, Y)]
    layer.initialize(X=X, Y=Y)


def says_nothing(sample: Any) -> bool:
    """Whether a sample tells no widths: there is none, or it has no sequences."""
    return sample is None or (isinstance(sample, (list, tuple)) and not sample)


def dims_of(layer: Model) -> dict:
    """The dims of a layer as they are now, unset ones included."""
    return {name: layer.maybe_get_dim(name) for name in layer.dim_names}


def copy_dims(model: Model) -> None:
    """Take over what the wrapped layer has learnt about its dims."""
    for name, value in dims_of(model.layers[0]).items():
        if value is not None and model.has_dim(name) is not False:
            model.set_dim(name, value)


def as_array(ops: Ops, seq: Any, pad: int = 0) -> View:
    """All rows as one array; the data of Padded stays 3-d, (T, B, O)."""
    if isinstance(seq, Ragged):
        lengths = seq.lengths
        return seq.dataXd, lambda Y: Ragged(Y, lengths)
    elif isinstance(seq, Padded):
        return seq.data, lambda Y: _with_data(seq, Y)
    elif isinstance(seq, (list, tuple)):
        return _list_as_array(ops, seq, pad)
    else:
        return seq, None


def as_array2d(ops: Ops, seq: Any, pad: int = 0) -> View:
    """All rows as one matrix: (T, O) of Ragged, (T * B, O) of Padded."""
    if isinstance(seq, Ragged):
        # Not seq.data, which forgets the width of a batch without rows.
        lengths, X = seq.lengths, seq.dataXd
        return X.reshape((len(X), prod(X.shape[1:]))), lambda Y: Ragged(Y, lengths)
    elif isinstance(seq, Padded):
        steps, batch = seq.data.shape[:2]
        return (
            seq.data.reshape((steps * batch,) + seq.data.shape[2:]),
            lambda Y: _with_data(seq, Y.reshape((steps, batch) + Y.shape[1:])),
        )
    elif isinstance(seq, (list, tuple)):
        return _list_as_array(ops, seq, pad)
    else:
        return seq, None


def as_list(ops: Ops, seq: Any) -> View:
    """One array per sequence."""
    if isinstance(seq, Padded):
        return ops.padded2list(seq), lambda Ys: list_as_padded(ops, Ys, like=seq)
    elif isinstance(seq, Ragged):
        lengths = seq.lengths
        Xs = ops.unflatten(seq.dataXd, lengths)
        return Xs, lambda Ys: Ragged(flatten(ops, Ys), lengths)
    else:
        return seq, None


def as_ragged(ops: Ops, seq: Any) -> View:
    """A Ragged of a Padded, a list, or a pair (data, lengths)."""
    if isinstance(seq, Ragged):
        return seq, None
    elif isinstance(seq, Padded):
        Xs = ops.padded2list(seq)
        return _list_as_ragged(ops, Xs), lambda Yr: list_as_padded(ops, _ragged_as_list(ops, Yr), like=seq)
    elif _is_parts(seq, 2):
        return Ragged(*seq), lambda Yr: (Yr.dataXd, Yr.lengths)
    else:
        return _list_as_ragged(ops, seq), lambda Yr: _ragged_as_list(ops, Yr)


def as_padded(ops: Ops, seq: Any) -> View:
    """A Padded of a Ragged, a list, its own four arrays, or a full array (T, B, O)."""
    if isinstance(seq, Padded):
        return seq, None
    elif isinstance(seq, Ragged):
        lengths = seq.lengths
        return (
            ops.list2padded(_ragged_as_list(ops, seq)),
            lambda Yp: Ragged(flatten(ops, ops.padded2list(Yp)), lengths),
        )
    elif _is_parts(seq, 4):
        return (Padded(*seq), lambda Yp: (Yp.data, Yp.size_at_t, Yp.lengths, Yp.indices))
    elif getattr(seq, "ndim", None) == 3:
        steps, batch = seq.shape[:2]
        size_at_t = ops.asarray1i([batch] * steps)
        lengths = ops.asarray1i([steps] * batch)
        indices = ops.asarray1i(list(range(batch)))
        return Padded(seq, size_at_t, lengths, indices), lambda Yp: Yp.data
    else:
        return ops.list2padded(seq), ops.padded2list


def flatten(ops: Ops, Xs: Sequence[Any], pad: int = 0) -> Any:
    """All items on top of each other; items without rows keep their type too."""
    X = ops.flatten(Xs, pad=pad)
    if len(Xs) and X.dtype != Xs[0].dtype and not X.size:
        # ops.flatten gives floats for nothing, which would make ids of no use as an
        # index.
        X = X.astype(Xs[0].dtype)
    return X


def lengths_of(Xs: Sequence[Any]) -> Any:
    """How to unflatten Xs again; a plain list, since backends want it on the host."""
    return [len(X) for X in Xs]


def flatten_nested(nested: Sequence[Sequence[Any]]) -> List[Any]:
    """All items of all sequences in one list."""
    return [item for items in nested for item in items]


def regroup(flat: Sequence[Any], lengths: List[int]) -> List[Any]:
    """The inverse of `flatten_nested`: a list of `lengths[i]` items per sequence."""
    ends = list(accumulate(lengths))
    return [list(flat[start:end]) for start, end in zip([0, *ends], ends)]


def list_as_padded(ops: Ops, Ys: List[Any], like: Padded) -> Padded:
    """The way back from `ops.padded2list(like)`: the columns in the order of `like`.

    Any order of equally long sequences is a valid Padded, but only that of `like` has
    its row for row, which is what a gradient must have.  If lengths have changed the
    order is the backend's.
    """
    Yp = ops.list2padded(Ys)
    ours, theirs = ops.to_numpy(Yp.indices), ops.to_numpy(like.indices)
    if ours.shape != theirs.shape or (ours == theirs).all():
        return Yp
    place = NUMPY_OPS.alloc1i(len(ours))
    place[ours] = NUMPY_OPS.asarray1i(list(range(len(ours))))
    columns = place[theirs]
    if (ops.to_numpy(Yp.lengths)[columns] != ops.to_numpy(like.lengths)).any():
        return Yp
    data = ops.as_contig(Yp.data[:, ops.asarray1i(columns)])
    return Padded(data, Yp.size_at_t, like.lengths, like.indices)


def _list_as_array(ops: Ops, Xs: Sequence[Any], pad: int) -> View:
    lengths = lengths_of(Xs)
    return flatten(ops, Xs, pad), lambda Y: ops.unflatten(Y, lengths, pad=pad)


def _list_as_ragged(ops: Ops, Xs: Sequence[Any]) -> Ragged:
    return Ragged(flatten(ops, Xs), ops.asarray1i(lengths_of(Xs)))


def _ragged_as_list(ops: Ops, Xr: Ragged) -> Any:
    return ops.unflatten(Xr.dataXd, Xr.lengths)


def _with_data(like: Padded, data: Any) -> Padded:
    return Padded(data, like.size_at_t, like.lengths, like.indices)


def _is_parts(seq: Any, n: int) -> bool:
    """Whether a tuple holds the arrays of a Ragged (2) or Padded (4)."""
    return isinstance(seq, tuple) and len(seq) == n and seq[-1].ndim == 1


def _nothing(dYseq: Any) -> List[Any]:
    return []
