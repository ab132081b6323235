"""The LSTM over packed sequences, readable: Hochreiter & Schmidhuber 1997, with the
forget gate of Gers, Schmidhuber & Cummins 2000.

Sequences are sorted by length and packed by time: first the rows of step 0, then those
of step 1, and so on. size_at_t[t] sequences are longer than t.

    size_at_t [3, 2]    rows  a0 b0 c0 | a1 b1

One step, with c_prev and h_prev from the step before, or the initial ones:

    f, i, o = sigmoid(Wx x + bx + Wh h_prev + bh)    g = tanh(likewise)
    c = f * c_prev + i * g                           h = o * tanh(c)

Dimensions: N rows, T steps, B sequences, I in, O width of one direction, D directions.
The gates of a row are stored unit by unit: (N, O, 4) in the order f, i, o, g.
"""

import math
import sys
from typing import Any, Callable, List, NamedTuple, Tuple

import numpy

from ..types import ArrayT, Floats1d, Floats2d, Floats3d, Ints1d, Xp
from ._arrays import as_floats
from ._quantized import SCALE_BYTES, int8_product, is_half


class LstmOps:
    """The LSTM, its two forward forms and its gradient."""

    xp: Xp

    def lstm_forward_training(
        self, params: Floats1d, H0: Floats3d, C0: Floats3d, X: Floats2d, size_at_t: Ints1d
    ) -> Tuple[Floats2d, Tuple]:
        """X (N, I), H0 and C0 (depth, D, O) -> Y (N, D * O) and the state for backprop.

        params: for each layer and direction Wx (4, O, I), bx (4, O), Wh (4, O, O) and
        bh (4, O), gates in the order f, i, o, g. The second direction runs backwards;
        the next layer reads both side by side. H0 initializes the cells and C0 the
        hidden states: the names are exchanged, kept so for existing models. Without
        training params may be of float16 or, with matrices of int8 rows (see
        _quantized.py) and biases of float32, bytes: Y is float32 then.

        >>> ops = NumpyOps()
        >>> layer = LSTM(nO=2, nI=3).initialize()
        >>> params, (H0, C0) = layer.get_param("LSTM"), layer.get_param("HC0")
        >>> X, size_at_t = ops.alloc2f(3, 3), ops.asarray1i([2, 1])  # a sequence of 2 steps, one of 1
        >>> Y, state = ops.lstm_forward_training(params, H0, C0, X, size_at_t)
        >>> Y.shape
        (3, 2)
        """
        return _forward(self._lstm_gates, params, H0, C0, X, size_at_t)

    def lstm_forward_inference(
        self, params: Floats1d, H0: Floats3d, C0: Floats3d, X: Floats2d, size_at_t: Ints1d
    ) -> Floats2d:
        """As lstm_forward_training, without the state.

        params, H0, C0, X, size_at_t: as there.

        >>> ops = NumpyOps()
        >>> layer = LSTM(nO=2, nI=3).initialize()
        >>> params, (H0, C0) = layer.get_param("LSTM"), layer.get_param("HC0")
        >>> X, size_at_t = ops.alloc2f(3, 3), ops.asarray1i([2, 1])  # a sequence of 2 steps, one of 1
        >>> ops.lstm_forward_inference(params, H0, C0, X, size_at_t).shape
        (3, 2)
        """
        return self.lstm_forward_training(params, H0, C0, X, size_at_t)[0]

    def backprop_lstm(
        self, dY: Floats2d, lengths: Ints1d, params: Floats1d, fwd_state: Tuple
    ) -> Tuple[Floats2d, Floats1d]:
        """dY (N, D * O) -> dX (N, I), d_params.  lengths is the size_at_t of forward.

        Backpropagation through time; the two biases of a gate get the same gradient.

        fwd_state: as `lstm_forward_training` gave it.

        >>> ops = NumpyOps()
        >>> layer = LSTM(nO=2, nI=3).initialize()
        >>> params, (H0, C0) = layer.get_param("LSTM"), layer.get_param("HC0")
        >>> X, size_at_t = ops.alloc2f(3, 3), ops.asarray1i([2, 1])  # a sequence of 2 steps, one of 1
        >>> Y, state = ops.lstm_forward_training(params, H0, C0, X, size_at_t)
        >>> dX, d_params = ops.backprop_lstm(Y, size_at_t, params, state)
        >>> dX.shape, d_params.shape == params.shape
        ((3, 3), True)
        """
        return _backward(self._backprop_lstm_gates, dY, lengths, params, fwd_state)

    # One time step of R sequences, gates gate by gate in A (R, 4 O), unit by unit in G: what a backend has of its own.

    def _lstm_gates(self, A: Any, b: Any, c_prev: Any, G: Any, C: Any, Y: Any) -> None:
        """Writes G (R, 4 O), C and Y (R, O)."""
        xp = _array_module(A)
        f, i, o, g = (A + b).reshape((len(A), 4, A.shape[1] // 4)).swapaxes(0, 1)
        f, i, o, g = sigmoid(f), sigmoid(i), sigmoid(o), xp.tanh(g)
        C[...] = f * c_prev + i * g
        Y[...] = o * xp.tanh(C)
        G[...] = xp.stack([f, i, o, g], axis=-1).reshape(G.shape)

    def _backprop_lstm_gates(self, dY: Any, G: Any, C: Any, c_prev: Any, dA: Any, dC: Any) -> None:
        """Writes dA (R, 4 O); dC (R, O) is that of the cells, and becomes that of the ones before."""
        dG: Any
        dG, dC[...] = backprop_lstm_gates(dY, dC, G, C, c_prev)
        dA[...] = dG.reshape((*dY.shape, 4)).swapaxes(1, 2).reshape(dA.shape)


class _Weights(NamedTuple):
    """One layer in one direction."""

    Wx: Any  # (4, O, I)
    bx: Any  # (4, O)
    Wh: Any  # (4, O, O)
    bh: Any  # (4, O)


class _Step(NamedTuple):
    """One time step in the order of a direction."""

    rows: slice
    size: int  # sequences in this step
    before: slice  # rows of the step before; empty in the first one
    size_before: int


def lstm_forward_training(
    params: Floats1d, c_init: Floats3d, h_init: Floats3d, X: Floats2d, lengths: Ints1d
) -> Tuple[Floats2d, Tuple]:
    """See LstmOps.lstm_forward_training.  lengths is size_at_t.

    The state holds outputs (depth, D, N, O), activated gates (depth, D, N, 4 * O),
    cells (depth, D, N, O), X, c_init and h_init.
    """
    return LstmOps().lstm_forward_training(params, c_init, h_init, X, lengths)


def backprop_lstm(dY: Floats2d, lengths: Ints1d, params: Floats1d, fwd_state: Tuple) -> Tuple[Floats2d, Floats1d]:
    """See LstmOps.backprop_lstm."""
    return LstmOps().backprop_lstm(dY, lengths, params, fwd_state)


def _forward(gates: Callable, params: Any, c_init: Any, h_init: Any, X: Any, lengths: Any) -> Tuple[Any, Tuple]:
    xp = _array_module(params)
    if c_init.shape != h_init.shape:
        raise AssertionError(f"lstm: H0 has shape {c_init.shape}, C0 has {h_init.shape}")
    if c_init.ndim != 3 or X.ndim != 2:
        raise ValueError(f"lstm: expected H0 (depth, directions, O) and X (N, I), got {c_init.shape} and {X.shape}")
    depth, n_dirs, nO = c_init.shape
    if is_half(params):
        params = params.astype("float32")
    dtype: Any = params.dtype
    if dtype != "int8":
        _check_floats("lstm", params)
    else:
        dtype = "float32"
        X, c_init, h_init = as_floats(X), as_floats(c_init), as_floats(h_init)
    inputs: Any = xp.asarray(X, dtype=dtype)
    c_init, h_init = xp.asarray(c_init, dtype=dtype), xp.asarray(h_init, dtype=dtype)
    N, nI = inputs.shape
    sizes = _check_sizes(lengths, N)
    weights = split_weights(params, depth, n_dirs, nO, nI)
    Y, C = xp.zeros((depth, n_dirs, N, nO), dtype=dtype), xp.zeros((depth, n_dirs, N, nO), dtype=dtype)
    G = xp.zeros((depth, n_dirs, N, nO * 4), dtype=dtype)
    for layer in range(depth):
        for d in range(n_dirs):
            W, y, g, c = weights[layer][d], Y[layer, d], G[layer, d], C[layer, d]
            A = _product(inputs, W.Wx)  # of all steps at once
            b = (W.bx + W.bh).reshape((-1,))
            for step in _steps(sizes, d):
                rows = step.rows
                a = A[rows] + _product(_before(y, h_init[layer, d], step), W.Wh)
                gates(a, b, _before(c, c_init[layer, d], step), g[rows], c[rows], y[rows])
        inputs = xp.concatenate(list(Y[layer]), axis=1)
    return inputs, (Y, G, C, X, c_init, h_init)


def _backward(backprop_gates: Callable, dY: Any, lengths: Any, params: Any, fwd_state: Tuple) -> Tuple[Any, Any]:
    xp = _array_module(params)
    _check_floats("backprop_lstm", params)
    Y, G, C, X, c_init, h_init = fwd_state
    depth, n_dirs, N, nO = Y.shape
    dtype = params.dtype
    X = xp.asarray(X, dtype=dtype)
    d_out: Any = xp.asarray(dY, dtype=dtype)
    if d_out.shape != (N, n_dirs * nO):
        raise ValueError(f"backprop_lstm: expected dY {(N, n_dirs * nO)}, got {d_out.shape}")
    sizes = _check_sizes(lengths, N)
    weights = split_weights(params, depth, n_dirs, nO, X.shape[1])
    d_params: Any = xp.zeros_like(params)
    d_weights = split_weights(d_params, depth, n_dirs, nO, X.shape[1])
    for layer in reversed(range(depth)):
        inputs = xp.concatenate(list(Y[layer - 1]), axis=1) if layer else X
        d_inputs = xp.zeros_like(inputs)
        for d in range(n_dirs):
            W, dW, y, g, c = weights[layer][d], d_weights[layer][d], Y[layer, d], G[layer, d], C[layer, d]
            Wh = W.Wh.reshape((4 * nO, nO))
            dA, h_before = xp.zeros((N, 4 * nO), dtype=dtype), xp.zeros((N, nO), dtype=dtype)
            # What the later steps say about the hidden states and cells of each sequence.
            dh = xp.zeros((max(sizes, default=0), nO), dtype=dtype)
            dc = xp.zeros_like(dh)
            for step in reversed(_steps(sizes, d)):
                rows, R = step.rows, step.size
                h_before[rows] = _before(y, h_init[layer, d], step)
                c_before = _before(c, c_init[layer, d], step)
                dy = d_out[rows, d * nO : (d + 1) * nO] + dh[:R]
                backprop_gates(dy, g[rows], c[rows], c_before, dA[rows], dc[:R])
                dh[:R] = dA[rows] @ Wh
            d_inputs += dA @ W.Wx.reshape((4 * nO, inputs.shape[1]))
            dW.Wx[...] = (dA.T @ inputs).reshape(dW.Wx.shape)
            dW.Wh[...] = (dA.T @ h_before).reshape(dW.Wh.shape)
            dW.bx[...] = dW.bh[...] = dA.sum(axis=0).reshape(dW.bx.shape)
        d_out = d_inputs
    return d_out, d_params


def _check_floats(name: str, params: Any) -> None:
    if params.dtype.kind in "biu":
        raise TypeError(f"{name}: expected params of floats, got {params.dtype}")


def _product(X: Any, W: Any) -> Any:
    """X (N, I), W (4, O, I) or of int8 rows -> (N, 4 O)."""
    W = W.reshape((W.shape[0] * W.shape[1], W.shape[2]))
    return int8_product(_array_module(X), X, W) if W.dtype == "int8" else X @ W.T


def backprop_lstm_gates(
    dYt3: Floats2d, dCt3: Floats2d, Gt3: Floats2d, Ct3: Floats2d, Ct2: Floats2d
) -> Tuple[Floats2d, Floats2d]:
    """One step backwards, from outputs and cells to the gates before activation.

    dYt3, dCt3, Ct3 and the cells of the step before, Ct2, are (N, O); the activated
    gates Gt3 are (N, 4 * O) or (N, O, 4). Returns dGt3 (N, 4 * O) and dCt2 (N, O).
    """
    xp = _array_module(dYt3)
    gates: Any = Gt3.reshape((*dYt3.shape, 4))
    f, i, o, g = (gates[..., gate] for gate in range(4))
    tanh_c = xp.tanh(Ct3)
    dc = dCt3 + dYt3 * o * dtanh(tanh_c)
    dG = xp.stack(
        [dc * Ct2 * dsigmoid(f), dc * g * dsigmoid(i), dYt3 * tanh_c * dsigmoid(o), dc * i * dtanh(g)], axis=-1
    )
    return dG.reshape((len(dYt3), 4 * dYt3.shape[1])), dc * f


def sigmoid(X: Any, out: Any = None) -> Any:
    """1 / (1 + e^-x), without clipping; written into out if given."""
    xp = _array_module(X)
    with numpy.errstate(over="ignore"):
        return xp.divide(1.0, 1.0 + xp.exp(-X), out=out)


def dsigmoid(Y: ArrayT) -> ArrayT:
    """The derivative of sigmoid, from its output."""
    values: Any = Y
    return values * (1.0 - values)


def dtanh(Y: ArrayT) -> ArrayT:
    """The derivative of tanh, from its output."""
    values: Any = Y
    return 1.0 - values**2


def _before(values: Any, init: Any, step: _Step) -> Any:
    """values (N, O) at the step before; the initial value for sequences that begin."""
    xp = _array_module(values)
    previous = xp.zeros((step.size, values.shape[1]), dtype=values.dtype)
    previous[:] = init
    n = min(step.size, step.size_before)
    previous[:n] = values[step.before][:n]
    return previous


def _steps(sizes: List[int], direction: int) -> List[_Step]:
    """The steps in the order in which a direction takes them: 1 is backwards."""
    ends = numpy.cumsum([0] + sizes).tolist()
    spans = [slice(start, end) for start, end in zip(ends, ends[1:])]
    if direction == 1:
        spans.reverse()
    before = [slice(0, 0)] + spans
    return [_Step(rows, _n(rows), previous, _n(previous)) for rows, previous in zip(spans, before)]


def _n(rows: slice) -> int:
    return rows.stop - rows.start


def _check_sizes(size_at_t: Any, n_rows: int) -> List[int]:
    if size_at_t.ndim != 1 or size_at_t.dtype.kind not in "iu":
        given = f"{size_at_t.dtype} of shape {size_at_t.shape}"
        raise ValueError(f"lstm: expected size_at_t to be a vector of integers, got {given}")
    sizes = [int(n) for n in size_at_t.tolist()]
    if sum(sizes) != n_rows:
        raise ValueError(f"lstm: size_at_t sums to {sum(sizes)} but X has {n_rows} rows")
    if any(later > earlier for earlier, later in zip(sizes, sizes[1:])):
        raise ValueError("lstm: size_at_t must not increase")
    if any(n < 0 for n in sizes):
        raise ValueError("lstm: size_at_t must not be negative")
    return sizes


def split_weights(params: Any, depth: int, n_dirs: int, nO: int, nI: int) -> List[List[_Weights]]:
    """Views into the flat parameters, by layer and direction; biases in int8 are copied."""
    offset = 0
    int8 = params.dtype == "int8"
    # Numbers that stand in a row of a matrix beside its own, and for each bias.
    beside, in_bias = (SCALE_BYTES, 4) if int8 else (0, 1)

    def piece(*shape: int) -> Any:
        nonlocal offset
        start, offset = offset, offset + math.prod(shape)
        return params[start:offset].reshape(shape)

    def matrix(columns: int) -> Any:
        return piece(4, nO, columns + beside)

    def bias() -> Any:
        numbers = piece(4, nO * in_bias)
        return numbers.copy().view("<f4").astype("float32") if int8 else numbers

    widths = [nI] + [nO * n_dirs] * (depth - 1)
    expected = sum(n_dirs * 4 * nO * (width + nO + 2 * (beside + in_bias)) for width in widths)
    if params.shape != (expected,):
        raise ValueError(
            f"lstm: expected {expected} parameters for depth {depth}, {n_dirs} "
            f"direction(s), width {nO} and input width {nI}, got {params.shape}"
        )
    return [[_Weights(matrix(width), bias(), matrix(nO), bias()) for _ in range(n_dirs)] for width in widths]


def _array_module(array: Any) -> Any:
    """numpy, or cupy for its arrays: these functions have no backend at hand."""
    return numpy if isinstance(array, numpy.ndarray) else sys.modules["cupy"]


__all__ = [
    "LstmOps",
    "backprop_lstm",
    "backprop_lstm_gates",
    "dsigmoid",
    "dtanh",
    "lstm_forward_training",
    "sigmoid",
    "split_weights",
]
