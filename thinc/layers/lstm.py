"""Dimensions: T steps, B sequences, N rows of all sequences, I in (nI), O out (nO)."""

from typing import Any, Callable, Dict, List, Optional, Tuple, cast

from .. import compat
from ..backends import Ops
from ..config import registry
from ..initializers import glorot_uniform_init, zero_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats1d, Floats2d, Padded
from ..util import assert_pytorch_installed, partial
from ._views import expect_padded, learn_dim, refusal
from .dropout import check_rate
from .noop import noop
from .pytorchwrapper import PyTorchRNNWrapper
from .with_padded import with_padded

__all__ = ["LSTM", "PyTorchLSTM", "forward", "init"]


@registry.layers("LSTM.v1")
def LSTM(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    bi: bool = False,
    depth: int = 1,
    dropout: float = 0.0,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
) -> Model[Padded, Padded]:
    """Long short-term memory over each sequence.

    Padded X (T, B, nI) -> Padded Y (T, B, nO).
    f, i, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b), each gate with weights of
    its own; c' = f c + i g, h' = o tanh(c'), both starting at zero.
    With `bi`, a second LSTM runs from the end of each sequence, and each has nO // 2
    outputs; with `depth`, each layer reads the outputs of the one below.  `dropout`
    drops weights in training. All weights are in one parameter: per layer and direction
    the input weights of f, i, o, g (O, I), their biases (O,), then the recurrent
    weights (O, O) and their biases. Hochreiter & Schmidhuber 1997, "Long short-term
    memory".

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.

    >>> sequences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> model = with_padded(LSTM(nO=4, bi=True)).initialize(sequences)
    >>> [Y.shape for Y in model.predict(sequences)]
    [(5, 4), (2, 4)]
    """
    if depth == 0:
        raise ValueError("LSTM depth must be at least 1. Maybe we should make this a noop?")
    check_rate(dropout, "LSTM")
    return Model(
        "lstm",
        forward,
        init=partial(init, init_W or glorot_uniform_init, init_b or zero_init),
        dims={"nO": nO, "nI": nI, "depth": depth, "dirs": 1 + int(bi)},
        attrs={"registry_name": "LSTM.v1", "dropout_rate": dropout},
        params={"LSTM": None, "HC0": None},
    )


@registry.layers("PyTorchLSTM.v1")
def PyTorchLSTM(nO: int, nI: int, *, bi: bool = False, depth: int = 1, dropout: float = 0.0) -> Model[Padded, Padded]:
    """`torch.nn.LSTM` over each sequence.  Padded X (T, B, nI) -> Padded Y (T, B, nO).

    With `bi`, each direction has nO // 2 outputs; depth 0 passes X through.
    ImportError if torch is not installed.

    nO, nI: widths out and in.  dropout: rate between the layers, in training.

    >>> import torch
    >>> sequences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> [Y.shape for Y in PyTorchLSTM(nO=4, nI=3).predict(sequences)]
    [(5, 4), (2, 4)]
    """
    assert_pytorch_installed()
    if depth == 0:
        return cast(Model[Padded, Padded], noop())
    width = nO // 2 if bi else nO
    rnn = PyTorchRNNWrapper(compat.torch.nn.LSTM(nI, width, depth, bidirectional=bi, dropout=dropout))
    rnn.set_dim("nO", nO)
    rnn.set_dim("nI", nI)
    return with_padded(rnn)


def init(
    init_W: Callable, init_b: Callable, model: Model, X: Optional[Padded] = None, Y: Optional[Padded] = None
) -> None:
    learn_dim(model, "nI", X)
    learn_dim(model, "nO", Y)
    ops = model.ops
    nI, depth, dirs = (model.get_dim(name) for name in ("nI", "depth", "dirs"))
    nH = model.get_dim("nO") // dirs
    blocks: List[Any] = []
    for layer in range(depth):
        width = nI if layer == 0 else nH * dirs
        for _ in range(dirs):
            for columns in (width, nH):
                blocks.extend(init_W(ops, (nH, columns)) for _ in range(4))
                blocks.extend(init_b(ops, (nH,)) for _ in range(4))
    weights = ops.xp.concatenate([block.reshape((-1,)) for block in blocks])
    model.set_param("LSTM", weights)
    model.set_param("HC0", ops.alloc4f(2, depth, dirs, nH))


def _size_of_weights(dims: Dict[str, int]) -> int:
    nH, depth, dirs = _width(dims), dims["depth"], dims["dirs"]
    columns = dims["nI"] + (depth - 1) * nH * dirs  # that the layers read, together
    return dirs * 4 * nH * (columns + depth * (nH + 2))


def _width(dims: Dict[str, int]) -> int:
    """Of one direction."""
    return dims["nO"] // dims["dirs"]


@holds(LSTM=(_size_of_weights,), HC0=(lambda dims: 2, "depth", "dirs", _width))
def forward(model: Model[Padded, Padded], Xp: Padded, is_train: bool) -> Tuple[Padded, Callable]:
    expect_padded(Xp, "LSTM")
    if Xp.data.ndim != 3:
        raise refusal("LSTM: expected Padded of data (T, B, I)", Xp)
    ops = model.ops
    weights = cast(Floats1d, model.get_param("LSTM"))
    HC0 = model.get_param("HC0")
    nO = HC0.shape[2] * HC0.shape[3]
    if not Xp.data.size:
        return _empty(ops, Xp, nO)
    # The rows that are steps of sequences, not padding: N of them, in time-major order.
    size_at_t = Xp.size_at_t
    T, B = Xp.data.shape[:2]
    if getattr(size_at_t, "shape", None) != (T,):
        raise ValueError(f"LSTM: expected size_at_t of {T} steps, as data has, got {str(size_at_t)[:50]}")
    steps: Any = slice(None)  # no row is padding
    if size_at_t[-1] < B:
        steps = ops.xp.flatnonzero(ops.xp.arange(B) < size_at_t.reshape((-1, 1)))

    def packed(padded: Any) -> Floats2d:
        if padded.shape[:2] != (T, B):
            raise ValueError(f"LSTM: expected a gradient of shape ({T}, {B}, {nO}), got {padded.shape}")
        return padded.reshape((T * B, padded.shape[2]))[steps]

    def padded(rows: Floats2d) -> Padded:
        width = rows.shape[1]
        if len(rows) == T * B:
            return Xp.with_data(rows.reshape((T, B, width)))
        data = ops.alloc2f(T * B, width, dtype=rows.dtype)
        data[steps] = rows
        return Xp.with_data(data.reshape((T, B, width)))

    X = packed(Xp.data)
    if not is_train:
        Y = ops.lstm_forward_inference(weights, HC0[0], HC0[1], X, size_at_t)
        return padded(Y), _refuse_backprop
    mask: Any = None
    rate = model.attrs["dropout_rate"]
    if rate:
        check_rate(rate, "LSTM")
        mask = ops.get_dropout_mask(weights.shape, rate)
        weights = weights * mask
    Y, state = ops.lstm_forward_training(weights, HC0[0], HC0[1], X, size_at_t)

    def backprop(dYp: Padded) -> Padded:
        dY = packed(dYp.data)
        dX, d_weights = ops.backprop_lstm(dY, size_at_t, weights, state)
        model.inc_grad("LSTM", d_weights if mask is None else d_weights * mask)
        return padded(dX)

    return padded(Y), backprop


def _empty(ops: Ops, Xp: Padded, nO: int) -> Tuple[Padded, Callable]:
    T, B, nI = Xp.data.shape

    def like(width: int) -> Padded:
        return Xp.with_data(ops.alloc((T, B, width), dtype=Xp.data.dtype))

    def backprop(dYp: Padded) -> Padded:
        return like(nI)

    return like(nO), backprop


def _refuse_backprop(dYp: Padded) -> Padded:
    raise AssertionError("LSTM: no backward pass after a prediction. Call the model with is_train=True.")
