"""Layers made of layers, and those that pick out parts: what they do is mostly done while the graph is written."""

from typing import Any, List, Sequence

import numpy

from ...layers.add import forward as add_forward
from ...layers.array_getitem import forward as array_getitem_forward
from ...layers.bidirectional import forward as bidirectional_forward
from ...layers.chain import IN_SERIES
from ...layers.concatenate import forward as concatenate_forward
from ...layers.getitem import forward as getitem_forward
from ...layers.residual import forward as residual_forward
from ...layers.resizable import forward as resizable_forward
from ...layers.siamese import forward as siamese_forward
from ...layers.tuplify import tuplify_forward
from ...layers.uniqued import forward as uniqued_forward
from ...layers.with_cpu import forward as with_cpu_forward
from ...layers.with_getitem import forward as with_getitem_forward
from ...model import Model
from ..graph import Layer, onnx_rule
from ..values import PaddedSequences, Sequences, Tensor, Value, describe


@onnx_rule(*IN_SERIES, row_wise=True)
def chain(layer: Layer, X: Value) -> Value:
    for i in range(len(layer.model.layers)):
        X = layer.run(i, X)
    return X


@onnx_rule(resizable_forward, with_cpu_forward, row_wise=True)
def only_child(layer: Layer, X: Value) -> Value:
    return layer.run(0, X)


def outputs(layer: Layer, X: Value) -> List[Any]:
    """What each child makes of the same input."""
    return [layer.run(i, X) for i in range(len(layer.model.layers))]


@onnx_rule(add_forward, row_wise=True)
def add(layer: Layer, X: Value) -> Value:
    Ys = outputs(layer, X)
    return total(layer, Ys) if Ys else X


@onnx_rule(residual_forward, row_wise=True)
def residual(layer: Layer, X: Value) -> Value:
    return total(layer, [X, layer.run(0, X)])


def total(layer: Layer, values: Sequence[Value]) -> Value:
    """The sum of arrays; of sequences that of their data, in the form of the first."""
    first = values[0]
    if isinstance(first, tuple):
        return tuple(total(layer, group) for group in zip(*values))  # type: ignore[arg-type]  # all are tuples
    terms = unified(layer, values)
    if len(terms) == 1:
        return first
    shape = max((term.shape for term in terms), key=len)
    return like_first(first, layer.plain("Sum", terms, (terms[0].dtype, shape)))


@onnx_rule(concatenate_forward, row_wise=True)
def concatenate(layer: Layer, X: Value) -> Value:
    Ys = outputs(layer, X)
    parts = unified(layer, Ys)
    widths = [part.shape[-1] for part in parts]
    width = sum(widths) if all(isinstance(width, int) for width in widths) else "C"  # type: ignore[arg-type]  # (all are int here)
    return like_first(Ys[0], layer.plain("Concat", parts, (parts[0].dtype, (*parts[0].shape[:-1], width)), axis=-1))


def unified(layer: Layer, values: Sequence[Value]) -> List[Tensor]:
    """The arrays or the data of sequences, in one dtype."""
    arrays = []
    for value in values:
        if isinstance(value, (Sequences, PaddedSequences)):
            value = value.data
        arrays.append(layer.array(value))
    dtype = numpy.result_type(*[array.dtype for array in arrays]).name
    return [layer.cast(array, dtype) for array in arrays]


def like_first(first: Value, data: Tensor) -> Value:
    return first.with_data(data) if isinstance(first, (Sequences, PaddedSequences)) else data


@onnx_rule(tuplify_forward)
def tuplify(layer: Layer, X: Value) -> Value:
    return tuple(outputs(layer, X))


@onnx_rule(siamese_forward)
def siamese(layer: Layer, X: Value) -> Value:
    X1, X2 = X  # type: ignore[misc]  # a pair, as the sample was
    return layer.run(1, (layer.run(0, X1), layer.run(0, X2)))


@onnx_rule(bidirectional_forward)
def bidirectional(layer: Layer, X: Value) -> Value:
    """The second child reads each sequence from its end; padding stays where it is."""
    if not isinstance(X, PaddedSequences):
        raise layer.refuse(f"expected Padded, got a {describe(X)}")

    def reverse(data: Tensor) -> Tensor:
        body = "Y = ReverseSequence <batch_axis = 1, time_axis = 0> (X, lengths)"
        return layer.node("Reverse", body, {"X": data, "lengths": X.lengths}, Y=(data.dtype, data.shape))

    there = layer.run(0, X)
    back = layer.run(1, X.with_data(reverse(X.data)))
    parts = [there.data, reverse(back.data)]
    width = int(parts[0].shape[-1]) + int(parts[1].shape[-1])
    return there.with_data(layer.plain("Concat", parts, (parts[0].dtype, (*parts[0].shape[:-1], width)), axis=-1))


@onnx_rule(uniqued_forward)
def uniqued(layer: Layer, X: Value) -> Value:
    """The layer sees the first row of each value of the column."""
    rows = layer.array(X)
    column = layer.attrs["column"]
    body = f"""
        keys = Cast <to = 7> (Gather <axis = 1> (X, {column}))
        values, first, inverse, counts = Unique <sorted = 1> (keys)
        Y = Gather(X, first)
    """
    declared = (rows.dtype, ("U", *rows.shape[1:]))
    once, inverse = layer.node("Uniqued", body, {"X": rows}, Y=declared, inverse=("int64", rows.shape[:1]))
    Y = layer.array(layer.run(0, once))
    return layer.plain("Gather", [Y, inverse], (Y.dtype, (rows.shape[0], *Y.shape[1:])))


# Parts


@onnx_rule(getitem_forward)
def getitem(layer: Layer, X: Value) -> Value:
    index = layer.attrs["index"]
    if isinstance(X, tuple):
        return X[index]
    if not isinstance(X, Sequences):
        raise layer.refuse(f"expected a list or tuple, got a {describe(X)}")
    body = f"""
        length = Gather(lengths, [{index}])
        start = Sub(Gather(CumSum(lengths, 0), [{index}]), length)
        Y = Slice(X, start, Add(start, length), [0])
    """
    inputs = {"X": X.data, "lengths": X.lengths}
    return layer.node("GetItem", body, inputs, Y=(X.data.dtype, ("L", *X.data.shape[1:])))


@onnx_rule(with_getitem_forward)
def with_getitem(layer: Layer, X: Value) -> Value:
    if not isinstance(X, tuple):
        raise layer.refuse(f"expected a tuple, got a {describe(X)}")
    items = list(X)
    items[layer.attrs["idx"]] = layer.run(0, items[layer.attrs["idx"]])
    return tuple(items)


def _keeps_rows(model: Model) -> bool:
    index = model.attrs["index"]
    first = index[0] if isinstance(index, tuple) and index else index
    return isinstance(first, slice) and first.start in (None, 0) and first.stop is None and first.step in (None, 1)


@onnx_rule(array_getitem_forward, row_wise=_keeps_rows)
def array_getitem(layer: Layer, X: Value) -> Value:
    """One operator for each axis that the index names, from the last to the first."""
    array = layer.array(X)
    index = layer.attrs["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    kinds = "".join(_kind_of_index(layer, part) for part in parts)
    if kinds.count("a") > 1 or ("a" in kinds and "i" in kinds and "s" in kinds.strip("s")):
        raise layer.refuse(f"its index {index} names rows and columns together. Use two layers, one for each axis")
    if len(parts) > len(array.shape):
        raise layer.refuse(f"its index {index} has more parts than an array of {len(array.shape)} dimensions")
    lines, shape = ["X0 = Identity(X)"], list(array.shape)
    for axis in reversed(range(len(parts))):
        part, before = parts[axis], f"X{len(lines) - 1}"
        if kinds[axis] == "s":
            step = 1 if part.step is None else int(part.step)
            first, last = (0, 2**62) if step > 0 else (-1, -(2**62))
            bounds = [first if part.start is None else int(part.start), last if part.stop is None else int(part.stop)]
            call = f"Slice({before}, [{bounds[0]}], [{bounds[1]}], [{axis}], [{step}])"
            known = shape[axis]
            shape[axis] = len(range(*part.indices(known))) if isinstance(known, int) else f"S{axis}"
            if part == slice(None):
                shape[axis], call = known, f"Identity({before})"
        elif kinds[axis] == "i":
            call = f"Gather <axis = {axis}> ({before}, {int(part)})"
            del shape[axis]
        else:
            items = [int(item) for item in part]
            call = f"Gather <axis = {axis}> ({before}, {items})"
            shape[axis] = len(items)
        lines.append(f"X{len(lines)} = {call}")
    lines.append(f"Y = Identity(X{len(lines) - 1})")
    return layer.node("ArrayGetItem", "\n".join(lines), {"X": array}, Y=(array.dtype, tuple(shape)))


def _kind_of_index(layer: Layer, part: Any) -> str:
    """s for a slice, i for a number, a for a list of numbers."""
    if isinstance(part, slice):
        return "s"
    numbers = numpy.asarray(part)
    if part is None or part is Ellipsis or numbers.dtype.kind not in "iu" or numbers.ndim > 1 or not numbers.size:
        raise layer.refuse(f"{part!r} in its index is neither a slice nor a number nor a list of numbers")
    return "i" if numbers.ndim == 0 else "a"


__all__: List[str] = []
