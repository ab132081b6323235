"""The kinds of work with thinc: with this package and with the published one, whose interface is the same."""

import itertools
import os
from typing import Any, Callable, Dict, List

import numpy
from plan import READS
from work import lengths_of

import thinc.api
from thinc.api import (
    LSTM,
    Adam,
    CategoricalCrossentropy,
    CosineDistance,
    Embed,
    HashEmbed,
    L2Distance,
    LayerNorm,
    Linear,
    Maxout,
    NumpyOps,
    Relu,
    SequenceCategoricalCrossentropy,
    Softmax,
    SparseLinear,
    chain,
    clone,
    concatenate,
    expand_window,
    fix_random_seed,
    residual,
    set_current_ops,
    with_array,
)

# THINC_BENCH_BLIS=0: the published release over NumPy's BLAS instead of blis.
ops = NumpyOps(use_blis=os.environ.get("THINC_BENCH_BLIS", "1") == "1")
set_current_ops(ops)
fix_random_seed(0)
rng = numpy.random.RandomState(0)
WORDS = 24  # of a document

Run = Callable[[], Any]


def normal(*shape: int) -> numpy.ndarray:
    return rng.normal(size=shape).astype("f")


def over_fresh(function: Callable, *arrays: List[numpy.ndarray]) -> Run:
    """The branch predictor learns an input by heart: a few in turn."""
    inputs = itertools.cycle(list(zip(*arrays)))
    return lambda: function(*next(inputs))


def some(*shape: int) -> List[numpy.ndarray]:
    """Up to eight arrays that fit in the second cache together."""
    n = 2**18 // numpy.prod(shape)
    return [normal(*shape) for _ in range(min(max(n, 2), 8))]


def gemm_forward(m: int, k: int, n: int) -> Run:
    X, W = normal(m, k), normal(n, k)
    return lambda: ops.gemm(X, W, trans2=True)


def gemm_backward(m: int, k: int, n: int) -> Run:
    X, W, dY = normal(m, k), normal(n, k), normal(m, n)
    return lambda: (ops.gemm(dY, W), ops.gemm(dY, X, trans1=True))


def activation(name: str, rows: int, width: int) -> Run:
    op = getattr(ops, name)
    return over_fresh(op, some(rows, width))


def backprop_activation(name: str, rows: int, width: int) -> Run:
    op = getattr(ops, f"backprop_{name}")
    X, dY = some(rows, width), some(rows, width)
    Y = [getattr(ops, name)(x) for x in X]
    saved = {"X": (X,), "Y": (Y,), "XY": (X, Y)}[READS.get(name, "X")]
    return over_fresh(op, dY, *saved)


def layer_norm(rows: int, width: int) -> Run:
    model = LayerNorm(width).initialize()
    return over_fresh(model.predict, some(rows, width))


def backprop_layer_norm(rows: int, width: int) -> Run:
    model = LayerNorm(width).initialize()
    _, backprop = model(normal(rows, width), True)
    return over_fresh(backprop, some(rows, width))


def dropout(rows: int, width: int) -> Run:
    def run(X: numpy.ndarray) -> Any:
        mask = ops.get_dropout_mask(X.shape, 0.2)
        return X * mask

    return over_fresh(run, some(rows, width))


def maxout(rows: int, width: int, pieces: int) -> Run:
    return over_fresh(ops.maxout, some(rows, width, pieces))


def backprop_maxout(rows: int, width: int, pieces: int) -> Run:
    _, which = ops.maxout(normal(rows, width, pieces))
    return over_fresh(lambda dY: ops.backprop_maxout(dY, which, pieces), some(rows, width))


def _reduce(name: str) -> Callable[[int, int, int], Run]:
    def make(n: int, mean: int, width: int) -> Run:
        lengths = lengths_of(n, mean)
        op = getattr(ops, f"reduce_{name}")
        return over_fresh(lambda X: op(X, lengths), some(int(lengths.sum()), width))

    return make


def _backprop_reduce(name: str) -> Callable[[int, int, int], Run]:
    def make(n: int, mean: int, width: int) -> Run:
        lengths = lengths_of(n, mean)
        result = getattr(ops, f"reduce_{name}")(normal(int(lengths.sum()), width), lengths)
        op = getattr(ops, f"backprop_reduce_{name}")
        dYs = some(n, width)
        if name == "max":
            return over_fresh(lambda dY: op(dY, result[1], lengths), dYs)
        if name in ("first", "last"):
            return over_fresh(lambda dY: op(dY, result[1]), dYs)
        return over_fresh(lambda dY: op(dY, lengths), dYs)

    return make


def sequences(n: int, mean: int, width: int) -> List[numpy.ndarray]:
    return [normal(int(length), width) for length in lengths_of(n, mean)]


def seq2col(n: int, mean: int, width: int) -> Run:
    lengths = lengths_of(n, mean)
    X = some(int(lengths.sum()), width)
    return over_fresh(lambda x: ops.seq2col(x, 1, lengths=lengths), X)


def backprop_seq2col(n: int, mean: int, width: int) -> Run:
    lengths = lengths_of(n, mean)
    X = some(int(lengths.sum()), 3 * width)
    return over_fresh(lambda x: ops.backprop_seq2col(x, 1, lengths=lengths), X)


def pad(n: int, mean: int, width: int) -> Run:
    Xs = sequences(n, mean, width)
    return lambda: ops.pad(Xs)


def list2padded(n: int, mean: int, width: int) -> Run:
    Xs = sequences(n, mean, width)
    return lambda: ops.list2padded(Xs)


def padded2list(n: int, mean: int, width: int) -> Run:
    Xp = ops.list2padded(sequences(n, mean, width))
    return lambda: ops.padded2list(Xp)


def ids(*shape: int) -> numpy.ndarray:
    return numpy.random.RandomState(2).randint(0, 2**40, size=shape).astype("uint64")


def hash_(n: int) -> Run:
    keys = ids(n)
    return lambda: ops.hash(keys, 3)


def _predict(model: Any, X: Any) -> Run:
    return lambda: model.predict(X)


def _train(model: Any, X: Any) -> Run:
    """Forward and backward; the gradient stays where it is."""

    def run() -> None:
        Y, backprop = model(X, True)
        backprop(Y)

    return run


def hash_embed(n: int, width: int, rows: int) -> Run:
    return _predict(HashEmbed(width, rows, seed=1).initialize(), ids(n))


def train_hash_embed(n: int, width: int, rows: int) -> Run:
    return _train(HashEmbed(width, rows, seed=1).initialize(), ids(n))


def _rows(n: int, rows: int) -> numpy.ndarray:
    return numpy.random.RandomState(3).randint(0, rows, size=n).astype("i")


def embed(n: int, width: int, rows: int) -> Run:
    return _predict(Embed(width, rows).initialize(), _rows(n, rows))


def train_embed(n: int, width: int, rows: int) -> Run:
    return _train(Embed(width, rows).initialize(), _rows(n, rows))


def sparse_linear(n: int, keys: int, classes: int) -> Run:
    X = (ids(n * keys), numpy.ones(n * keys, dtype="f"), numpy.full(n, keys, dtype="i"))
    return _train(SparseLinear(classes, 2**14).initialize(), X)


def optimizer(n: int) -> Run:
    """Clip, Adam, average, zero; the gradient is filled again (timed on all sides)."""
    step = Adam(0.001, grad_clip=1.0, use_averages=True)
    weights, gradient, fresh = normal(n), numpy.zeros(n, dtype="f"), normal(n)
    key = (1, "W")

    def run() -> None:
        gradient[:] = fresh
        step(key, weights, gradient)

    return run


def lstm(n: int, length: int, width: int) -> Run:
    Xp = ops.list2padded([normal(length, width) for _ in range(n)])
    return _predict(LSTM(width, width).initialize(), Xp)


def train_lstm(n: int, length: int, width: int) -> Run:
    Xp = ops.list2padded([normal(length, width) for _ in range(n)])
    return _train(LSTM(width, width).initialize(), Xp)


def cross_entropy(n: int, classes: int) -> Run:
    guesses = ops.softmax(normal(n, classes))
    truths = _rows(n, classes)
    loss = CategoricalCrossentropy()
    return lambda: loss(guesses, truths)


def sequence_cross_entropy(n: int, mean: int, classes: int) -> Run:
    guesses = [ops.softmax(normal(int(i), classes)) for i in lengths_of(n, mean)]
    names = [f"tag{i}" for i in range(classes)]
    truths = [[names[j] for j in _rows(len(yh), classes)] for yh in guesses]
    loss = SequenceCategoricalCrossentropy(names=names)
    return lambda: loss(guesses, truths)


def l2_distance(n: int, width: int) -> Run:
    guesses, truths = normal(n, width), normal(n, width)
    loss = L2Distance()
    return lambda: loss(guesses, truths)


def cosine_distance(n: int, width: int) -> Run:
    guesses, truths = normal(n, width), normal(n, width)
    loss = CosineDistance()
    return lambda: loss(guesses, truths)


def tagger(width: int = 96) -> Any:
    tables = [HashEmbed(width, rows, column=i, seed=i) for i, rows in enumerate((5000, 1000, 2500, 2500))]
    mix = Maxout(width, 4 * width, 3, normalize=True)
    window = chain(expand_window(1), Maxout(width, 3 * width, 3, normalize=True))
    encode = chain(concatenate(*tables), mix, clone(residual(window), 4))
    return chain(with_array(encode, pad=4), with_array(Softmax(17, width))).initialize()


def documents(n: int) -> List[numpy.ndarray]:
    return [ids(int(length), 4) for length in lengths_of(n, WORDS)]


def tagger_predict(n: int) -> Run:
    return _predict(tagger(), documents(n))


def tagger_train(n: int) -> Run:
    model, X = tagger(), documents(n)
    truths = [numpy.eye(17, dtype="f")[_rows(len(x), 17)] for x in X]
    step = Adam(0.001)

    def run() -> None:
        Y, backprop = model.begin_update(X)
        backprop([y - t for y, t in zip(Y, truths)])
        model.finish_update(step)

    return run


def perceptron(rows: int) -> Run:
    model = chain(Relu(768, 384), Relu(768, 768), Linear(384, 768)).initialize()
    return _predict(model, normal(rows, 384))


def quantized_perceptron(kind: str, rows: int) -> Any:
    if not hasattr(thinc.api, "quantize"):
        return None  # the published release
    model = chain(Relu(768, 384), Relu(768, 768), Linear(384, 768)).initialize()
    return _predict(thinc.api.quantize(model, kind), normal(rows, 384))


def quantized_linear(kind: str, rows: int, nI: int, nO: int) -> Any:
    if not hasattr(thinc.api, "quantize"):
        return None
    model = Linear(nO, nI).initialize()
    return _predict(model if kind == "float32" else thinc.api.quantize(model, kind), normal(rows, nI))


def linear_call(rows: int, width: int) -> Run:
    return _predict(Linear(width, width).initialize(), normal(rows, width))


def chain_call(rows: int, width: int) -> Run:
    layers = [Linear(width, width) for _ in range(10)]
    return _predict(chain(*layers).initialize(), normal(rows, width))


def finish_update(width: int) -> Run:
    """Both parameters of a small layer."""
    model = Linear(width, width).initialize()
    step = Adam(0.001)
    W, b = numpy.ones((width, width), dtype="f"), numpy.ones(width, dtype="f")
    model.inc_grad("W", W)
    model.inc_grad("b", b)
    return lambda: model.finish_update(step)


REDUCTIONS = ("sum", "mean", "max", "first", "last")
KINDS: Dict[str, Callable[..., Run]] = {
    **{
        function.__name__.rstrip("_"): function
        for function in (
            gemm_forward,
            gemm_backward,
            activation,
            backprop_activation,
            layer_norm,
            backprop_layer_norm,
            dropout,
            maxout,
            backprop_maxout,
            seq2col,
            backprop_seq2col,
            pad,
            list2padded,
            padded2list,
            hash_,
            hash_embed,
            train_hash_embed,
            embed,
            train_embed,
            sparse_linear,
            optimizer,
            lstm,
            train_lstm,
            cross_entropy,
            sequence_cross_entropy,
            l2_distance,
            cosine_distance,
            tagger_predict,
            tagger_train,
            perceptron,
            quantized_perceptron,
            quantized_linear,
            linear_call,
            chain_call,
            finish_update,
        )
    },
    **{f"reduce_{name}": _reduce(name) for name in REDUCTIONS},
    **{f"backprop_reduce_{name}": _backprop_reduce(name) for name in REDUCTIONS},
}
