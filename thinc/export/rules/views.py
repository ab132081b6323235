"""Sequences in one form or another, and the layers that change the form: the twin of thinc/layers/_views.py.

A view takes a value and returns it in the form that a layer wants, with a function that puts a result back.

Dimensions: N rows of all sequences, B sequences, T steps of the longest.
"""

from typing import Any, Callable, List, Optional, Tuple

from ...layers.list2array import forward as list2array_forward
from ...layers.list2padded import forward as list2padded_forward
from ...layers.list2ragged import forward as list2ragged_forward
from ...layers.map_list import forward as map_list_forward
from ...layers.padded2list import forward as padded2list_forward
from ...layers.ragged2list import forward as ragged2list_forward
from ...layers.with_array import forward as with_array_forward
from ...layers.with_array2d import forward as with_array2d_forward
from ...layers.with_flatten import forward as with_flatten_forward
from ...layers.with_flatten_v2 import forward as with_flatten_v2_forward
from ...layers.with_list import forward as with_list_forward
from ...layers.with_padded import forward as with_padded_forward
from ...layers.with_ragged import forward as with_ragged_forward
from ...layers.with_reshape import forward as with_reshape_forward
from ..graph import Layer, is_row_wise, onnx_rule
from ..values import Nested, PaddedSequences, Sequences, Tensor, Value, describe
from .sequences import as_matrix

View = Tuple[Any, Callable[[Any], Any]]


def same(Y: Any) -> Any:
    return Y


# Between the forms


def to_padded(layer: Layer, Xs: Sequences, indices: Optional[Tensor] = None) -> PaddedSequences:
    """Longest first, the later of equals first; or in the order of `indices`."""
    data = Xs.data
    B = Xs.lengths.shape[0]
    segment, position = layer.graph.rows(Xs.lengths)
    if indices is None:
        body = """
            n = Shape(lengths)
            keys = Add(Mul(lengths, Squeeze(n, [0])), Range(0, Squeeze(n, [0]), 1))
            sorted, indices = TopK(keys, n)
        """
        inputs = {"lengths": Xs.lengths}
        indices = layer.node("LongestFirst", body, inputs, indices=("int64", (B,)))
    body = """
        n = Shape(lengths)
        column = ScatterND(Mul(lengths, 0), Unsqueeze(indices, [1]), Range(0, Squeeze(n, [0]), 1))
        steps = ReduceMax(Concat <axis = 0> ([0], lengths))
        shape = Concat <axis = 0> (steps, n, Shape <start = 1> (X))
        cells = Concat <axis = 1> (Unsqueeze(position, [1]), Unsqueeze(Gather(column, segment), [1]))
        Y = ScatterND(Expand(CastLike(0, X), shape), cells, X)
        Y_lengths = Gather(lengths, indices)
    """
    inputs = {"X": data, "lengths": Xs.lengths, "segment": segment, "position": position, "indices": indices}
    Y, lengths = layer.node(
        "ToPadded", body, inputs, Y=(data.dtype, ("T", B, *data.shape[1:])), Y_lengths=("int64", (B,))
    )
    return PaddedSequences(Y, lengths, indices)


def to_list(layer: Layer, Xp: PaddedSequences, kind: str = "list") -> Sequences:
    """In the order that the sequences had in a list."""
    B = Xp.lengths.shape[0]
    body = """
        n = Shape(lengths)
        column = ScatterND(Mul(lengths, 0), Unsqueeze(indices, [1]), Range(0, Squeeze(n, [0]), 1))
        Y_lengths = Gather(lengths, column)
    """
    inputs = {"lengths": Xp.lengths, "indices": Xp.indices}
    column, lengths = layer.node("ListOrder", body, inputs, column=("int64", (B,)), Y_lengths=("int64", (B,)))
    segment, position = layer.graph.rows(lengths)
    body = """
        cells = Concat <axis = 1> (Unsqueeze(position, [1]), Unsqueeze(Gather(column, segment), [1]))
        Y = GatherND(X, cells)
    """
    inputs = {"X": Xp.data, "column": column, "segment": segment, "position": position}
    Y = layer.node("FromPadded", body, inputs, Y=(Xp.data.dtype, ("N", *Xp.data.shape[2:])))
    return Sequences(Y, lengths, kind)


def back_to_padded(layer: Layer, Ys: Sequences, given: Sequences, like: PaddedSequences) -> PaddedSequences:
    """The columns in the order of `like`, as long as the lengths have not changed."""
    return to_padded(layer, Ys, like.indices if Ys.lengths == given.lengths else None)


# Views


def as_array(layer: Layer, X: Value) -> View:
    if isinstance(X, (Sequences, PaddedSequences)):
        pad = layer.attrs.get("pad", 0)
        return padded_rows(layer, X, pad) if pad and is_list(X) else (X.data, X.with_data)  # type: ignore[arg-type]  # (is_list tells)
    return layer.array(X), same


def as_array2d(layer: Layer, X: Value) -> View:
    if isinstance(X, PaddedSequences):
        data = X.data
        width = list(data.shape[2:])
        body = (
            f"Y = Reshape <allowzero = 1> (X, Concat <axis = 0> (Mul(ReduceProd(Shape <end = 2> (X)), [1]), {width}))"
        )
        rows = layer.node("StepRows", body, {"X": data}, Y=(data.dtype, ("TB", *width)))

        def restore(Y: Tensor) -> PaddedSequences:
            body = "Y = Reshape <allowzero = 1> (X, Concat <axis = 0> (Shape <end = 2> (like), Shape <start = 1> (X)))"
            shape = (*data.shape[:2], *Y.shape[1:])
            return X.with_data(layer.node("RowSteps", body, {"X": Y, "like": data}, Y=(Y.dtype, shape)))

        return rows, restore
    if isinstance(X, Sequences) and not is_list(X):
        return as_matrix(layer, X.data), X.with_data
    return as_array(layer, X)


def padded_rows(layer: Layer, X: Sequences, pad: int) -> View:
    """Rows of zeros before each sequence that has rows, and at the end; the way back leaves them out."""
    data = X.data
    segment, _ = layer.graph.rows(X.lengths)
    body = f"""
        filled = Cast <to = 7> (Greater(lengths, 0))
        before = Mul(Gather(CumSum(filled, 0), segment), {pad})
        place = Add(before, Range(0, Squeeze(Shape <end = 1> (X), [0]), 1))
        sequences = ReduceSum(filled)
        more = Mul(Add(sequences, Min(sequences, 1)), {pad})
        shape = Concat <axis = 0> (Add(Shape <end = 1> (X), more), Shape <start = 1> (X))
        Y = ScatterND(Expand(CastLike(0, X), shape), Unsqueeze(place, [1]), X)
    """
    inputs = {"X": data, "lengths": X.lengths, "segment": segment}
    rows, place = layer.node(
        "PadRows", body, inputs, Y=(data.dtype, ("P", *data.shape[1:])), place=("int64", data.shape[:1])
    )

    def restore(Y: Tensor) -> Sequences:
        inputs = {"X": Y, "place": place}
        shape = (data.shape[0], *Y.shape[1:])
        return X.with_data(layer.node("UnpadRows", "Y = Gather(X, place)", inputs, Y=(Y.dtype, shape)))

    return rows, restore


def is_list(X: Value) -> bool:
    return isinstance(X, Sequences) and X.kind == "list"


def as_list(layer: Layer, X: Value) -> View:
    if isinstance(X, PaddedSequences):
        Xs = to_list(layer, X)
        return Xs, lambda Ys: back_to_padded(layer, Ys, Xs, X)
    if isinstance(X, Sequences) and not is_list(X):
        return Sequences(X.data, X.lengths, "list"), lambda Ys: Sequences(Ys.data, X.lengths, X.kind)
    return X, same


def as_ragged(layer: Layer, X: Value) -> View:
    if isinstance(X, PaddedSequences):
        Xs = to_list(layer, X, "ragged")
        return Xs, lambda Ys: back_to_padded(layer, Ys, Xs, X)
    if isinstance(X, Sequences) and is_list(X):
        return Sequences(X.data, X.lengths, "ragged"), lambda Yr: Sequences(Yr.data, Yr.lengths, "list")
    if isinstance(X, Sequences):
        return X, same
    if _is_parts(X, 2):
        data, lengths = X  # type: ignore[misc]  # checked
        Xs = Sequences(data, layer.cast(lengths, "int64"), "ragged")
        return Xs, lambda Ys: (Ys.data, layer.cast(Ys.lengths, lengths.dtype))
    raise layer.refuse(f"expected sequences, got a {describe(X)}")


def as_padded(layer: Layer, X: Value) -> View:
    if isinstance(X, PaddedSequences):
        return X, same
    if isinstance(X, Sequences):
        return to_padded(layer, X), lambda Yp: Sequences(to_list(layer, Yp).data, X.lengths, X.kind)
    if _is_parts(X, 4):
        data, size_at_t, lengths, indices = X  # type: ignore[misc]  # checked
        Xp = PaddedSequences(data, layer.cast(lengths, "int64"), layer.cast(indices, "int64"))
        return Xp, lambda Yp: (Yp.data, size_at_t, layer.cast(Yp.lengths, lengths.dtype), indices)
    if isinstance(X, Tensor) and len(X.shape) == 3:
        body = """
            n = Shape <start = 1, end = 2> (X)
            lengths = Expand(Shape <end = 1> (X), n)
            indices = Range(0, Squeeze(n, [0]), 1)
        """
        declared = ("int64", (X.shape[1],))
        lengths, indices = layer.node("FullLengths", body, {"X": X}, lengths=declared, indices=declared)
        return PaddedSequences(X, lengths, indices), lambda Yp: Yp.data
    raise layer.refuse(f"expected sequences, got a {describe(X)}")


def _is_parts(X: Value, n: int) -> bool:
    """Whether a tuple holds the arrays of a Ragged (2) or Padded (4)."""
    return isinstance(X, tuple) and len(X) == n and isinstance(X[-1], Tensor) and len(X[-1].shape) == 1


def through(view: Callable[[Layer, Value], View]) -> Callable[[Layer, Value], Value]:
    """The rule of a wrapper: its layer sees the input through the view."""

    def rule(layer: Layer, X: Value) -> Value:
        inner, restore = view(layer, X)
        return restore(layer.run(0, inner))

    return rule


onnx_rule(with_array_forward)(through(as_array))
onnx_rule(with_array2d_forward)(through(as_array2d))
onnx_rule(with_list_forward)(through(as_list))
onnx_rule(with_ragged_forward)(through(as_ragged))
onnx_rule(with_padded_forward)(through(as_padded))


# Layers that change the form


@onnx_rule(list2array_forward)
def list2array(layer: Layer, X: Value) -> Value:
    return _expect_list(layer, X).data


@onnx_rule(list2ragged_forward)
def list2ragged(layer: Layer, X: Value) -> Value:
    Xs = _expect_list(layer, X)
    return Sequences(Xs.data, Xs.lengths, "ragged")


@onnx_rule(list2padded_forward)
def list2padded(layer: Layer, X: Value) -> Value:
    return to_padded(layer, _expect_list(layer, X))


@onnx_rule(ragged2list_forward, padded2list_forward)
def to_list_rule(layer: Layer, X: Value) -> Value:
    return as_list(layer, X)[0]


def _expect_list(layer: Layer, X: Value) -> Sequences:
    if not isinstance(X, Sequences) or X.kind != "list":
        raise layer.refuse(f"expected a list of arrays, got a {describe(X)}")
    return X


@onnx_rule(map_list_forward)
def map_list(layer: Layer, X: Value) -> Value:
    """One array after the other is all of them at once, where a row of the result depends on its row alone."""
    Xs = _expect_list(layer, X)
    if not is_row_wise(layer.model.layers[0]):
        raise layer.refuse("its layer looks at more than one row at a time. Use with_array, with_ragged or with_padded")
    return Xs.with_data(layer.array(layer.run(0, Xs.data)))


@onnx_rule(with_flatten_forward, with_flatten_v2_forward)
def with_flatten(layer: Layer, X: Value) -> Value:
    """The items of all sequences as one list; of numbers that is an array."""
    if isinstance(X, Nested):
        Y = layer.run(0, X.items)
        if isinstance(Y, Tensor):
            return Sequences(Y, X.groups, "list")
        return Nested(_expect_list(layer, Y), X.groups)
    Xs = _expect_list(layer, X)
    if len(Xs.data.shape) != 1:
        raise layer.refuse("the rows of arrays become a list here, which a graph has no form for. Use with_array")
    return Xs.with_data(layer.array(layer.run(0, Xs.data)))


@onnx_rule(with_reshape_forward)
def with_reshape(layer: Layer, X: Value) -> Value:
    """(B, T, I) -> (B * T, I) -> (B, T, O)."""
    cube = layer.array(X)
    body = "Y = Reshape <allowzero = 1> (X, Concat <axis = 0> (ReduceProd(Shape <end = 2> (X)), Shape <start = 2> (X)))"
    rows = layer.node("StepRows", body, {"X": cube}, Y=(cube.dtype, ("TB", cube.shape[2])))
    Y = layer.array(layer.run(0, rows))
    body = "Y = Reshape <allowzero = 1> (X, Concat <axis = 0> (Shape <end = 2> (like), Shape <start = 1> (X)))"
    return layer.node("RowSteps", body, {"X": Y, "like": cube}, Y=(Y.dtype, (*cube.shape[:2], *Y.shape[1:])))


__all__: List[str] = []
