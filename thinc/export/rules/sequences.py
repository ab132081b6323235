"""Layers over sequences: windows, pooling, attention, the LSTM.

Rows of all sequences lie one after the other; `segment` (N,) says which sequence a row belongs to, `position` (N,)
which row of it it is. Nothing is padded but for the LSTM, and the work is linear in N.

ScatterND with a reduction would be the operator to add rows by sequence, but ONNX Runtime lets its threads run over
each other there. Instead neighbours are added two by two, which halves the rows, until each sequence has one left.

Dimensions: N rows of all sequences, B sequences, O width, W window.
"""

from typing import Dict, List

import numpy

from ...backends._lstm import split_weights as split_lstm_weights
from ...layers.expand_window import forward as expand_window_forward
from ...layers.lstm import forward as lstm_forward
from ...layers.parametricattention import forward as parametricattention_forward
from ...layers.parametricattention_v2 import KEY_TRANSFORM_REF
from ...layers.parametricattention_v2 import forward as parametricattention_v2_forward
from ...layers.reduce_first import forward as reduce_first_forward
from ...layers.reduce_last import forward as reduce_last_forward
from ...layers.reduce_max import forward as reduce_max_forward
from ...layers.reduce_mean import forward as reduce_mean_forward
from ...layers.reduce_sum import forward as reduce_sum_forward
from ..graph import Layer, onnx_rule
from ..values import PaddedSequences, Sequences, Tensor, Value, describe


def _reduce(combine: str, neutral: str) -> str:
    """X (N, O) -> `reduced`: a row for each sequence that has rows, and one more, which is `neutral`.

    In each round the even rows of a sequence take the row behind them, the last one perhaps `neutral`.
    """
    return f"""
        pad = Expand({neutral}, Concat <axis = 0> ([1], Shape <start = 1> (X)))
        rows = Concat <axis = 0> (X, pad)
        places = Concat <axis = 0> (position, [0])
        zero = Identity(0)
        two = Identity(2)
        first_axis = Identity([0])
        more = Greater(ReduceMax <keepdims = 0> (places), 0)
        reduced, ended = Loop <body = pairs (int64 round, bool go, FLOAT[M, O] data, int64[M] place)
            => (bool again, FLOAT[H, O] joined, int64[H] half) {{
            odd = Mod(place, two)
            is_even = Equal(odd, zero)
            found = NonZero(is_even)
            left = Squeeze(found, first_axis)
            size = Size(place)
            one = Div(two, two)
            last = Sub(size, one)
            behind = Add(left, one)
            next = Min(behind, last)
            place_next = Gather(place, next)
            belongs = Greater(place_next, zero)
            right = Where(belongs, next, last)
            data_left = Gather(data, left)
            data_right = Gather(data, right)
            joined = {combine}(data_left, data_right)
            place_left = Gather(place, left)
            half = Div(place_left, two)
            furthest = ReduceMax <keepdims = 0> (half)
            again = Greater(furthest, zero)
        }}> (, more, rows, places)
        filled = Greater(lengths, 0)
        rank = Sub(CumSum(Cast <to = 7> (filled), 0), 1)
    """


# X (N, O), lengths (B,), position (N,) -> sums (B, O): zeros where a sequence is empty.
SEGMENT_SUM = _reduce("Add", "0.0") + "sums = Gather(reduced, Where(filled, rank, Sub(Size(ended), 1)))"
# The same for the maximum. The number behind the last row makes a runtime refuse an empty sequence, as ops do.
SEGMENT_MAX = _reduce("Max", "Log(0.0)") + "Y = Gather(reduced, Where(filled, rank, Size(ended)))"


def sequences_of(layer: Layer, X: Value) -> Sequences:
    if not isinstance(X, Sequences):
        raise layer.refuse(f"expected sequences, got a {describe(X)}. Put list2ragged() before it")
    return X


def segment_inputs(layer: Layer, lengths: Tensor) -> Dict[str, Tensor]:
    """What SEGMENT_SUM and SEGMENT_MAX read beside X."""
    _, position = layer.graph.rows(lengths)
    return {"lengths": lengths, "position": position}


def pooled(layer: Layer, name: str, body: str, X: Value, with_rows: bool) -> Tensor:
    """One row for each sequence."""
    Xs = sequences_of(layer, X)
    data = as_matrix(layer, Xs.data)
    inputs = {"X": data, "lengths": Xs.lengths}
    if with_rows:
        inputs.update(segment_inputs(layer, Xs.lengths))
    return layer.node(name, body, inputs, Y=(data.dtype, (Xs.lengths.shape[0], data.shape[1])))


def as_matrix(layer: Layer, X: Tensor) -> Tensor:
    """(N, ...) as (N, O)."""
    if len(X.shape) == 2:
        return X
    widths = [int(width) for width in X.shape[1:]]
    width = int(numpy.prod(widths))
    return layer.node(
        "Matrix",
        f"Y = Reshape <allowzero = 1> (X, Concat <axis = 0> (Shape <end = 1> (X), [{width}]))",
        {"X": X},
        Y=(X.dtype, (X.shape[0], width)),
    )


@onnx_rule(reduce_sum_forward)
def reduce_sum(layer: Layer, X: Value) -> Value:
    return pooled(layer, "ReduceSum", SEGMENT_SUM + "\nY = Identity(sums)", X, True)


@onnx_rule(reduce_mean_forward)
def reduce_mean(layer: Layer, X: Value) -> Value:
    body = SEGMENT_SUM + "\nY = Div(sums, Unsqueeze(CastLike(Max(lengths, 1), X), [1]))"
    return pooled(layer, "ReduceMean", body, X, True)


@onnx_rule(reduce_max_forward)
def reduce_max(layer: Layer, X: Value) -> Value:
    return pooled(layer, "ReduceMax", SEGMENT_MAX, X, True)


# A number behind the last row where there is none to take: a runtime refuses it, as we refuse an empty sequence.
PICK = "Y = Gather(X, Where(Greater(lengths, 0), {row}, Squeeze(Shape <end = 1> (X), [0])))"


@onnx_rule(reduce_first_forward)
def reduce_first(layer: Layer, X: Value) -> Value:
    return pooled(layer, "ReduceFirst", PICK.format(row="Sub(CumSum(lengths, 0), lengths)"), X, False)


@onnx_rule(reduce_last_forward)
def reduce_last(layer: Layer, X: Value) -> Value:
    return pooled(layer, "ReduceLast", PICK.format(row="Sub(CumSum(lengths, 0), 1)"), X, False)


@onnx_rule(expand_window_forward)
def expand_window(layer: Layer, X: Value) -> Value:
    W = int(layer.attrs["window_size"])
    data = X.data if isinstance(X, Sequences) else layer.array(X)
    inputs = {"X": data}
    names = [f"X{w}" for w in range(2 * W + 1)]
    lines = [f"framed = Pad(X, [{W}, 0, {W}, 0])", "n = Shape <end = 1> (X)"]
    if isinstance(X, Sequences):
        inputs["segment"], _ = layer.graph.rows(X.lengths)
        lines.append(f"framed_segment = Pad(segment, [{W}, {W}], -1)")
    for w, name in enumerate(names):
        rows = f"Slice(framed, [{w}], Add(n, [{w}]), [0])"
        if w == W:
            rows = "Identity(X)"
        elif isinstance(X, Sequences):
            # Zeros where the neighbour is of another sequence.
            same = f"Equal(Slice(framed_segment, [{w}], Add(n, [{w}]), [0]), segment)"
            rows = f"Where(Unsqueeze({same}, [1]), {rows}, CastLike(0, X))"
        lines.append(f"{name} = {rows}")
    lines.append(f"Y = Concat <axis = 1> ({', '.join(names)})")
    width = int(data.shape[1]) * (2 * W + 1)
    Y = layer.node("ExpandWindow", "\n".join(lines), inputs, Y=(data.dtype, (data.shape[0], width)))
    return X.with_data(Y) if isinstance(X, Sequences) else Y


# The softmax of each sequence; exponents are clipped, as in ops.softmax_sequences.
ATTENTION = f"""
    scores = MatMul(K, Unsqueeze(Q, [1]))
    X = Exp(Clip(scores, -20.0, 20.0))
    {SEGMENT_SUM}
    Y = Mul(V, Div(X, Gather(sums, segment)))
"""


def attention(layer: Layer, Xs: Sequences, keys: Tensor) -> Value:
    segment, _ = layer.graph.rows(Xs.lengths)
    Q = layer.param("Q")
    inputs = {"V": layer.array(Xs.data, Q.dtype), "K": keys, "Q": Q, "segment": segment}
    inputs.update(segment_inputs(layer, Xs.lengths))
    Y = layer.node("ParametricAttention", ATTENTION, inputs, Y=(Q.dtype, Xs.data.shape))
    return Xs.with_data(Y)


@onnx_rule(parametricattention_forward)
def parametric_attention(layer: Layer, X: Value) -> Value:
    Xs = sequences_of(layer, X)
    return attention(layer, Xs, layer.array(Xs.data, layer.param("Q").dtype))


@onnx_rule(parametricattention_v2_forward)
def parametric_attention_v2(layer: Layer, X: Value) -> Value:
    Xs = sequences_of(layer, X)
    keys = layer.run_model(layer.model.get_ref(KEY_TRANSFORM_REF), 0, Xs.data)
    return attention(layer, Xs, layer.array(keys))


# The LSTM


@onnx_rule(lstm_forward)
def lstm(layer: Layer, X: Value) -> Value:
    """One node with an ONNX LSTM for each layer: gates in the order i, o, f, g; ours are f, i, o, g.

    The first of HC0 starts the cells, the second the hidden states. A step and a sequence of zeros are added, since
    ONNX Runtime aborts the process on a batch of none.
    """
    if not isinstance(X, PaddedSequences):
        raise layer.refuse(f"expected Padded, got a {describe(X)}. Put with_padded(...) around it")
    model = layer.model
    start = model.ops.to_numpy(model.get_param("HC0"))
    _, depth, dirs, nH = start.shape
    weights = split_lstm_weights(model.ops.to_numpy(model.get_param("LSTM")), depth, dirs, nH, int(X.data.shape[2]))
    dtype = start.dtype.name
    inputs = {"X": layer.array(X.data, dtype), "lengths": X.lengths}
    lines = [
        "step = Expand(CastLike(0, X), Concat <axis = 0> ([1], Shape <start = 1> (X)))",
        "longer = Concat <axis = 0> (X, step)",
        "column = Expand(CastLike(0, X), Concat <axis = 0> (Shape <end = 1> (longer), [1], Shape <start = 2> (X)))",
        "steps = Concat <axis = 1> (longer, column)",
        "sizes = Cast <to = 6> (Concat <axis = 0> (lengths, [1]))",
        f"states = Concat <axis = 0> ([{dirs}], Shape(sizes), [{nH}])",
    ]
    order = [1, 2, 0, 3]
    below = "steps"
    for i, directions in enumerate(weights):
        inputs[f"W{i}"] = layer.constant(f"W{i}", [W.Wx[order].reshape(4 * nH, -1) for W in directions], dtype)
        inputs[f"R{i}"] = layer.constant(f"R{i}", [W.Wh[order].reshape(4 * nH, nH) for W in directions], dtype)
        biases = [numpy.concatenate([W.bx[order].ravel(), W.bh[order].ravel()]) for W in directions]
        inputs[f"B{i}"] = layer.constant(f"B{i}", biases, dtype)
        inputs[f"c{i}_0"] = layer.constant(f"c{i}_0", start[0, i][:, None], dtype)
        inputs[f"h{i}_0"] = layer.constant(f"h{i}_0", start[1, i][:, None], dtype)
        direction = "bidirectional" if dirs == 2 else "forward"
        lines += [
            f'Y{i} = LSTM <hidden_size = {nH}, direction = "{direction}"> '
            f"({below}, W{i}, R{i}, B{i}, sizes, Expand(h{i}_0, states), Expand(c{i}_0, states))",
            f"H{i} = Reshape(Transpose <perm = [0, 2, 1, 3]> (Y{i}), [0, 0, {dirs * nH}])",
        ]
        below = f"H{i}"
    lines.append(f"Y = Slice({below}, [0, 0], [-1, -1], [0, 1])")
    Y = layer.node("LSTM", "\n".join(lines), inputs, Y=(dtype, (*X.data.shape[:2], dirs * nH)))
    return X.with_data(Y)


__all__: List[str] = ["SEGMENT_SUM", "segment_inputs", "sequences_of"]
