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

import warnings
from itertools import accumulate
from math import prod
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple

from ..backends import Ops
from ..backends.numpy_ops import NumpyOps
from ..model import Model, initializing
from ..types import Padded, Ragged
from ..util import get_width, is_xp_array

__all__ = [
    "NO_ROWS",
    "NUMPY_OPS",
    "View",
    "as_array",
    "as_array2d",
    "as_list",
    "as_padded",
    "as_ragged",
    "check_target",
    "copy_dims",
    "dims_of",
    "expect_arrays",
    "expect_list",
    "expect_padded",
    "expect_pair",
    "expect_ragged",
    "first_rows",
    "flatten",
    "flatten_nested",
    "init_through",
    "learn_dim",
    "lengths_of",
    "list_as_padded",
    "list_as_ragged",
    "map_data",
    "refusal",
    "regroup",
    "rows_of",
    "run_through",
    "says_nothing",
    "without_rows",
]

# For bookkeeping that never needs to be on a device.
NUMPY_OPS = NumpyOps()

# The shape of the rows of no sequences: no array says how wide they are.
NO_ROWS = (0, 0)

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
        if isinstance(dYseq, tuple) and isinstance(Y, (Ragged, Padded)):
            dY: Any = Y.with_data(dYseq[0])  # the parts beside it have no gradient
        else:
            dY = view(ops, dYseq, **settings)[0]
            if getattr(Y, "size", None) == getattr(dY, "size", None) == 0:
                dY = dY.reshape(Y.shape)  # no sequences, and so no array that tells the width
        return restore(backprop_layer(dY))

    return restore(Y), backprop


def init_through(view: Callable[..., View], model: Model, X: Any, Y: Any, **settings: Any) -> None:
    """Initialize the wrapped layer with samples seen through `view`."""
    layer = model.layers[0]
    X, Y = [None if says_nothing(seq) else view(layer.ops, seq, **settings)[0] for seq in (X, Y)]
    layer.initialize(X=X, Y=Y)


def says_nothing(sample: Any) -> bool:
    """Whether a sample tells no widths: there is none, or it has no sequences."""
    if isinstance(sample, Ragged):
        sample = sample.dataXd
    return (
        sample is None
        or getattr(sample, "shape", None) == NO_ROWS
        or (isinstance(sample, (list, tuple)) and not sample)
    )


def learn_nI(nodes: Iterable[Model], X: Any) -> None:
    """Set nI of all that have one to the width of a sample, if it has one."""
    if not says_nothing(X):
        for node in nodes:
            if node.has_dim("nI") is not False:
                node.set_dim("nI", get_width(X))


def learn_dim(model: Model, name: str, sample: Any) -> None:
    """Set a dim to the width of the sample, if it has one; ValueError if the dim is set to another."""
    if not says_nothing(sample):
        model.set_dim(name, get_width(sample))


def first_rows(X: Any) -> Any:
    """The array of a batch, or of its first sequence."""
    if isinstance(X, (list, tuple)) and len(X):
        X = X[0]
    if isinstance(X, Ragged):
        return X.dataXd
    return X.data if isinstance(X, Padded) else X


def check_target(layer: Model, nO: Optional[int], Y: Any) -> None:
    """Refuse a Y of floats that no output of the layer can be compared with. Ids of classes may be anything.

    A warning where the layer has weights already, and of lists: spaCy initializes components again with more labels,
    and a tok2vec with lists of any width. Layers within others are not asked, since a Y that is handed on to them is
    that of the whole.
    """
    rows = first_rows(Y)
    if not nO or getattr(rows, "ndim", 0) < 2 or rows.dtype.kind != "f" or rows.shape[-1] in (0, nO):
        return
    if initializing.get() > 1:
        return
    message = (
        f"initialize: Y has {rows.shape[-1]} columns, but layer '{layer.name}' gives nO={nO}. Make them equal, "
        "or leave nO unset to have it inferred."
    )
    if rows is Y and not any(node.has_param(name) for node in layer.walk() for name in node.param_names):
        raise ValueError(message)
    warnings.warn(message, stacklevel=4)


def without_rows(forward: Callable, model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    """What to do about an error of `forward`: run it on no rows of the right width, if X is (0, 0); else raise it.

    That is what the rows of no sequences are, for lack of an array that could tell the width. For an `except`.
    """
    nI = model.maybe_get_dim("nI")
    if getattr(X, "shape", None) != NO_ROWS or not nI:
        raise  # the error that is being handled
    Y, backprop_layer = forward(model, X.reshape((0, nI)), is_train)

    def backprop(dY: Any) -> Any:
        return backprop_layer(dY.reshape(Y.shape)).reshape(NO_ROWS)

    return Y, backprop


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
        return seq.check().dataXd, seq.with_data
    elif isinstance(seq, Padded):
        expect_padded(seq, "with_array")
        return seq.data, seq.with_data
    elif isinstance(seq, (list, tuple)):
        return _list_as_array(ops, seq, pad)
    else:
        return seq, None


def as_array2d(ops: Ops, seq: Any, pad: int = 0) -> View:
    """All rows as one matrix: (T, O) of Ragged, (T * B, O) of Padded."""
    if isinstance(seq, Ragged):
        return rows_of(seq.check()), seq.with_data
    elif isinstance(seq, Padded):
        expect_padded(seq, "with_array2d")
        steps, batch = seq.data.shape[:2]
        return (
            seq.data.reshape((steps * batch,) + seq.data.shape[2:]),
            lambda Y: seq.with_data(Y.reshape((steps, batch) + Y.shape[1:])),
        )
    elif isinstance(seq, (list, tuple)):
        return _list_as_array(ops, seq, pad)
    else:
        return seq, None


def as_list(ops: Ops, seq: Any) -> View:
    """One array per sequence."""
    if isinstance(seq, Padded):
        return ops.padded2list(seq.check()), lambda Ys: list_as_padded(ops, Ys, like=seq)
    elif isinstance(seq, Ragged):
        return _ragged_as_list(ops, seq), lambda Ys: seq.with_data(flatten(ops, Ys))
    else:
        return seq, None


def as_ragged(ops: Ops, seq: Any) -> View:
    """A Ragged of a Padded, a list, or a pair (data, lengths)."""
    if isinstance(seq, Ragged):
        return seq.check(), None
    elif isinstance(seq, Padded):
        Xs = ops.padded2list(seq.check())
        return list_as_ragged(ops, Xs), lambda Yr: list_as_padded(ops, _ragged_as_list(ops, Yr), like=seq)
    elif _is_parts(seq, 2):
        return Ragged(*seq).check(), lambda Yr: (Yr.dataXd, Yr.lengths)
    else:
        return list_as_ragged(ops, seq), lambda Yr: _ragged_as_list(ops, Yr)


def as_padded(ops: Ops, seq: Any) -> View:
    """A Padded of a Ragged, a list, its own four arrays, or a full array (T, B, O)."""
    if isinstance(seq, Padded):
        return seq, None
    elif isinstance(seq, Ragged):
        return (
            ops.list2padded(_ragged_as_list(ops, seq)),
            lambda Yp: seq.with_data(flatten(ops, ops.padded2list(Yp.check()))),
        )
    elif _is_parts(seq, 4):
        return (Padded(*seq), lambda Yp: (Yp.data, Yp.size_at_t, Yp.lengths, Yp.indices))
    elif getattr(seq, "ndim", None) == 3:
        steps, batch = seq.shape[:2]
        size_at_t = ops.asarray1i([batch] * steps)
        lengths = ops.asarray1i([steps] * batch)
        indices = ops.asarray1i(list(range(batch)))
        return Padded(seq, size_at_t, lengths, indices), lambda Yp: Yp.data
    expect_arrays(seq, "with_padded")
    return ops.list2padded(seq), ops.padded2list


def flatten(ops: Ops, Xs: Sequence[Any], pad: int = 0) -> Any:
    """All items on top of each other; items without rows keep their type too."""
    X = ops.flatten(Xs, pad=pad)
    if len(Xs) and X.dtype != Xs[0].dtype and not X.size:
        # ops.flatten gives floats for nothing, which would make ids of no use as an
        # index.
        X = X.astype(Xs[0].dtype)
    return X


def rows_of(Xr: Ragged) -> Any:
    """Its rows as a matrix. (`Xr.data` forgets the width of a batch without rows, which the next layer needs.)"""
    X = Xr.dataXd
    return X if X.ndim == 2 else X.reshape((len(X), prod(X.shape[1:])))


def list_as_ragged(ops: Ops, Xs: Sequence[Any]) -> Ragged:
    """All rows one after the other, with the lengths beside them, int32."""
    lengths = lengths_of(Xs)
    return Ragged(flatten(ops, Xs), ops.asarray1i(lengths))


def map_data(function: Callable[[Any], Any], X: Any) -> Any:
    """`function` of every array of a batch of any kind; lengths and the like stay. A sequence gives a list."""
    if isinstance(X, Ragged):
        # (what is no array is the function's to refuse)
        return X.with_data(function(X.dataXd if is_xp_array(X.data) else X.data))
    elif isinstance(X, Padded):
        return X.with_data(function(X.data))
    elif isinstance(X, Sequence) and not isinstance(X, str):
        return [map_data(function, item) for item in X]
    return function(X)


def lengths_of(Xs: Sequence[Any]) -> Any:
    """How to unflatten Xs again; a plain list, since backends want it on the host."""
    try:
        return [len(X) for X in Xs]
    except TypeError:
        raise refusal("expected a list of sequences", Xs) from None


def refusal(expected: str, X: Any) -> TypeError:
    """The error of a layer that was given something it does not take; the layer is noted on it."""
    if isinstance(X, (list, tuple)) and X:
        return TypeError(f"{expected}, got {type(X).__name__} of {_kind(X[0])}")
    return TypeError(f"{expected}, got {_kind(X)}")


def _kind(X: Any) -> str:
    if X is None:
        return "None"
    if isinstance(X, (Ragged, Padded)):
        return f"{type(X).__name__} of {_kind(X.data)}"
    shape = getattr(X, "shape", None)
    return type(X).__name__ if shape is None else f"{type(X).__name__} of shape {tuple(shape)}"


def expect_ragged(Xr: Any, name: str) -> None:
    """TypeError for anything else."""
    if not isinstance(Xr, Ragged) or not is_xp_array(Xr.data):
        raise TypeError(
            f"{refusal(f'{name}: expected Ragged', Xr)}. Put list2ragged() before it, or with_ragged(...) around it."
        )


def expect_padded(Xp: Any, name: str) -> None:
    """TypeError for anything else."""
    if not isinstance(Xp, Padded) or not is_xp_array(Xp.data):
        raise TypeError(
            f"{refusal(f'{name}: expected Padded', Xp)}. Put list2padded() before it, or with_padded(...) around it."
        )


def expect_list(Xs: Any, name: str) -> None:
    """TypeError for what has no items."""
    if isinstance(Xs, str) or not hasattr(Xs, "__len__"):
        raise refusal(f"{name}: expected a list", Xs)


def expect_arrays(Xs: Any, name: str) -> None:
    """TypeError for anything but a sequence of arrays."""
    expect_list(Xs, name)
    if not all(map(is_xp_array, Xs)):
        raise refusal(f"{name}: expected a list of arrays", Xs)


def expect_pair(X: Any, name: str) -> Tuple[Any, Any]:
    """The two. TypeError for anything else."""
    if not isinstance(X, (list, tuple)) or len(X) != 2:
        raise refusal(f"{name}: expected a pair of inputs", X)
    return X[0], X[1]


def flatten_nested(nested: Sequence[Sequence[Any]]) -> List[Any]:
    """All items of all sequences in one list."""
    return [item for items in nested for item in items]


def regroup(flat: Any, lengths: List[int]) -> List[Any]:
    """The inverse of `flatten_nested`: a list of `lengths[i]` items per sequence, slices if `flat` is an array."""
    ends = list(accumulate(lengths))
    parts = [flat[start:end] for start, end in zip([0, *ends], ends)]
    return parts if is_xp_array(flat) else [list(part) for part in parts]


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
    return Padded(ops.as_contig(Yp.data[:, ops.asarray1i(columns)]), Yp.size_at_t, like.lengths, like.indices)


def _list_as_array(ops: Ops, Xs: Sequence[Any], pad: int) -> View:
    lengths = lengths_of(Xs)
    return flatten(ops, Xs, pad), lambda Y: ops.unflatten(Y, lengths, pad=pad)


def _ragged_as_list(ops: Ops, Xr: Ragged) -> Any:
    return ops.unflatten(Xr.check().dataXd, Xr.lengths)


def _is_parts(seq: Any, n: int) -> bool:
    """Whether a tuple holds the arrays of a Ragged (2) or Padded (4)."""
    return isinstance(seq, tuple) and len(seq) == n and getattr(seq[-1], "ndim", None) == 1


def _nothing(dYseq: Any) -> List[Any]:
    return []
