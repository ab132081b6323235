"""Rows of the ops: each call gives, in the fast formula, what the readable one gives.

N=7 rows, nI=5 in, nO=3 out, nP=2 pieces, nV=11 rows of a table; sequences of 3, 0, 1
and 4 rows where length 0 is allowed, else of 3, 1 and 4. Activations see 83 values,
which no vector width divides.
"""

from typing import Any, Callable, Dict, List, Tuple

import numpy
from thinc.backends._kernels.activations import ACTIVATIONS as STATED

from thinc.backends._lstm import split_weights
from thinc.backends._quantized import int8_lstm, to_int8_rows
from thinc.backends._updates import Step

from . import OpCase

N, nI, nO, nP, nV = 7, 5, 3, 2, 11
WITH_EMPTY = numpy.array([3, 0, 1, 4], dtype="int32")
NOT_EMPTY = numpy.array([3, 1, 4], dtype="int32")
T, B = 8, 3
LSTM_SHAPE = (2, 2, nO)  # depth, directions, width
SIZE_AT_T = numpy.array([4, 3, 3, 1], dtype="int32")

Args = Callable[[Any, str], Tuple]


def normal(*shape: int, scale: float = 1.0) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.normal(scale=scale, size=shape).astype(dtype)


def single(*shape: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.normal(size=shape).astype("float32")


def half(*shape: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.normal(size=shape).astype("float16")


def int8_rows(*shape: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: to_int8_rows(numpy, random.normal(size=shape))


def const(value: Any) -> Callable[[Any, str], Any]:
    return lambda random, dtype: value


def args(*makers: Callable[[Any, str], Any]) -> Args:
    return lambda random, dtype: tuple(maker(random, dtype) for maker in makers)


def ids(n: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.randint(0, 2**62, size=n).astype("uint64")


def indices(high: int, *shape: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.randint(0, high, size=shape).astype("int32")


def positive(*shape: int) -> Callable[[Any, str], Any]:
    return lambda random, dtype: random.uniform(0.1, 2, size=shape).astype(dtype)


def every_other_row(n: int, width: int) -> Callable[[Any, str], Any]:
    rows = numpy.arange(n)[:, None] % 2
    return lambda random, dtype: (rows * random.normal(size=(n, width))).astype(dtype)


def probabilities(*shape: int) -> Callable[[Any, str], Any]:
    def make(random: Any, dtype: str) -> Any:
        values = random.uniform(0.1, 1, size=shape)
        return (values / values.sum(axis=-1, keepdims=True)).astype(dtype)

    return make


# Activations, as exact as the list in activations.hh says. A gradient is some times as far off as its dY is large.

POINTS = normal(83, scale=5.0)
LINEAR = {"slope": 0.7, "offset": -0.2, "min_val": -2.0, "max_val": 3.0}
PIECEWISE = ["relu", "hard_sigmoid", "hard_tanh", "relu_k", "clipped_linear", "hard_swish", "hard_swish_mobilenet"]
SMOOTH = [name for name in STATED if name not in (*PIECEWISE, "tanh", "erf")]  # all others of the list


def _saved(name: str) -> Args:
    """dY and what the backward formula reads; Y is computed by the readable one."""

    def make(random: Any, dtype: str) -> Tuple:
        from thinc.backends import Ops

        dY, X = normal(83)(random, dtype), POINTS(random, dtype)
        Y = getattr(Ops(), name)(X)
        saved = {"X": X, "Y": Y}
        return (dY, *(saved[key] for key in (STATED[name].reads if name in STATED else "X")))

    return make


def _activation(name: str) -> List[OpCase]:
    kwargs = LINEAR if name == "clipped_linear" else {}
    row = STATED.get(name, STATED["clipped_linear"])
    return [
        OpCase(name, args(POINTS), kwargs=kwargs, ulp=row.ulp + 1, atol=max(row.floor, 0.5)),
        OpCase("backprop_" + name, _saved(name), kwargs=kwargs, ulp=row.back_ulp + 2, atol=4 * row.back_floor),
    ]


ACTIVATIONS: List[OpCase] = [
    *(case for name in SMOOTH + PIECEWISE for case in _activation(name)),
    OpCase("mish", args(POINTS), kwargs={"threshold": 5.0}, id="threshold", ulp=12),
    OpCase("erf", args(POINTS), ulp=6, atol=1),
    OpCase("sechsq", args(POINTS), ulp=32),
    OpCase("dsigmoid", args(positive(83)), ulp=4, atol=1),
    OpCase("dtanh", args(positive(83)), ulp=4, atol=1),
]

DENSE: List[OpCase] = [
    OpCase("gemm", args(normal(N, nI), normal(nI, nO)), atol=8),
    OpCase(
        "gemm", args(normal(nI, N), normal(nO, nI)), kwargs={"trans1": True, "trans2": True}, id="transposed", atol=8
    ),
    OpCase("affine", args(normal(N, nI), normal(nO, nI), normal(nO)), atol=8),
    OpCase("affine_maxout", args(normal(N, nI), normal(nO, nP, nI), normal(nO, nP)), atol=8),
    OpCase(
        "affine_maxout_layer_norm",
        args(*(normal(N, nI), normal(nO, nP, nI), normal(nO, nP)), *(normal(nO), normal(nO))),
        ulp=16,
        atol=64,
    ),
    OpCase("affine", args(normal(N, nI), half(nO, nI), normal(nO)), atol=8, id="half weights"),
    OpCase("affine_maxout", args(normal(N, nI), half(nO, nP, nI), normal(nO, nP)), atol=8, id="half weights"),
    OpCase(
        "affine_maxout_layer_norm",
        args(normal(N, nI), half(nO, nP, nI), normal(nO, nP), normal(nO), normal(nO)),
        ulp=16,
        atol=64,
        id="half weights",
    ),
    OpCase("affine", args(normal(N, nI), int8_rows(nO, nI), normal(nO)), ulp=0, id="int8 rows", result="float32"),
    OpCase(
        "affine_maxout",
        args(normal(N, nI), int8_rows(nO, nP, nI), normal(nO, nP)),
        ulp=0,
        id="int8 rows",
        result="float32",
    ),
    OpCase(
        "affine_maxout_layer_norm",
        args(normal(N, nI), int8_rows(nO, nP, nI), single(nO, nP), single(nO), single(nO)),
        ulp=16,
        atol=64,
        id="int8 rows",
        result="float32",
    ),
    OpCase(
        "backprop_cross_entropy",
        args(probabilities(N, nO), const(numpy.arange(N, dtype="i") % (nO + 1) - 1)),
        kwargs={"label_smoothing": 0.1, "scale": 0.25},
        ulp=4,
        atol=1,
    ),
    OpCase("cosine_distance", args(normal(N, nO), normal(N, nO)), kwargs={"scale": 0.25}, ulp=32, atol=16),
    OpCase("l2_distance", args(normal(N, nO), normal(N, nO)), kwargs={"scale": 0.25}, ulp=4, atol=8),
    OpCase("sum_rows", args(normal(N, nO)), atol=8),
    OpCase("maxout", args(normal(N, nO, nP)), exact=True),
    OpCase("maxout", args(normal(N, nO, 5)), exact=True, id="many pieces"),
    OpCase("backprop_maxout", args(normal(N, nO), indices(nP, N, nO), const(nP)), exact=True),
    OpCase("layer_norm", args(normal(N, nI), normal(nI), normal(nI)), ulp=16, atol=16),
    OpCase(
        "backprop_layer_norm", args(normal(N, nI), normal(N, nI), normal(nI), normal(N), positive(N)), ulp=16, atol=32
    ),
    OpCase("softmax", args(normal(N, nO, scale=4)), ulp=24),
    OpCase("softmax", args(normal(N, nO, scale=4)), kwargs={"temperature": 2.0}, id="temperature", ulp=24),
    OpCase("softmax", args(normal(N, nO)), kwargs={"axis": 0}, id="columns", ulp=24),
    OpCase("backprop_softmax", args(probabilities(N, nO), normal(N, nO)), atol=8),
]

SEQUENCES: List[OpCase] = [
    OpCase("seq2col", args(normal(T, nI), const(1)), exact=True),
    OpCase("seq2col", args(normal(T, nI), const(2)), kwargs={"lengths": WITH_EMPTY}, exact=True, id="lengths"),
    OpCase("backprop_seq2col", args(normal(T, 3 * nI), const(1)), atol=4),
    OpCase("backprop_seq2col", args(normal(T, 5 * nI), const(2)), kwargs={"lengths": WITH_EMPTY}, atol=4, id="lengths"),
    OpCase("windows", args(normal(T, nI), const(1)), exact=True),
    OpCase("windows", args(normal(T, nI), const(T + 2)), exact=True, id="wider than all"),
    OpCase("softmax_sequences", args(normal(T, nO), const(WITH_EMPTY)), ulp=24),
    OpCase("backprop_softmax_sequences", args(normal(T, nO), positive(T, nO), const(WITH_EMPTY)), atol=16),
    OpCase("reduce_sum", args(normal(T, nO), const(WITH_EMPTY)), atol=8),
    OpCase("reduce_mean", args(normal(T, nO), const(WITH_EMPTY)), atol=8),
    OpCase("reduce_max", args(normal(T, nO), const(NOT_EMPTY)), exact=True),
    OpCase("reduce_first", args(normal(T, nO), const(NOT_EMPTY)), exact=True),
    OpCase("reduce_last", args(normal(T, nO), const(NOT_EMPTY)), exact=True),
    OpCase("backprop_reduce_sum", args(normal(4, nO), const(WITH_EMPTY)), exact=True),
    OpCase("backprop_reduce_mean", args(normal(4, nO), const(WITH_EMPTY))),
    OpCase("backprop_reduce_max", args(normal(B, nO), indices(1, B, nO), const(NOT_EMPTY)), exact=True),
    OpCase("backprop_reduce_first", args(normal(B, nO), const(numpy.array([0, 3, 4, 8], dtype="int32"))), exact=True),
    OpCase("backprop_reduce_last", args(normal(B, nO), const(numpy.array([2, 3, 7]))), exact=True),
    # float32 always; sines of arguments up to N round differently by one unit.
    OpCase("position_encode", args(const(N), const(nI)), ulp=16, atol=2),
]

EMBEDDING: List[OpCase] = [
    OpCase("hash", args(ids(N), const(3)), exact=True),
    OpCase("ngrams", args(const(3), ids(N)), exact=True),
    OpCase("gather_add", args(normal(nV, nO), indices(nV, N, 4)), atol=8),
    OpCase("gather_add", args(half(nV, nO), indices(nV, N, 4)), atol=8, id="half table", result="float32"),
    OpCase("gather_add_int8", args(int8_rows(nV, nO), indices(nV, N, 4)), ulp=0, result="float32"),
    OpCase("embed", args(normal(nV, nO), indices(nV, N)), exact=True),
    OpCase("embed", args(half(nV, nO), indices(nV, N, 4)), ulp=0, id="half table", result="float32"),
    OpCase("embed", args(int8_rows(nV, nO), indices(nV, N)), ulp=0, id="int8 rows", result="float32"),
    OpCase("scatter_add", args(normal(nV, nO), indices(nV, 29), normal(29, nO)), atol=32, mutates=(0,)),
    OpCase(
        "scatter_add",
        args(normal(nV, nO), const(numpy.array([-1, 2, -1, 2], "int32")), normal(4, nO)),
        atol=8,
        mutates=(0,),
        id="missing",
    ),
    OpCase("hash_embed", args(normal(nV, nO), ids(N), const(3)), atol=8),
    OpCase("hash_embed", args(half(nV, nO), ids(N), const(3)), atol=8, id="half table", result="float32"),
    OpCase("hash_embed_int8", args(int8_rows(nV, nO), ids(N), const(3)), ulp=0, result="float32"),
    OpCase("backprop_hash_embed", args(normal(nV, nO), normal(N, nO), ids(N), const(3)), atol=16, mutates=(0,)),
    *(
        OpCase(
            "sparse_linear",
            args(ids(T), normal(T), const(WITH_EMPTY), normal(nO * 16), normal(nO), const(nO), const(16), const(v1)),
            atol=16,
            id=version,
        )
        for v1, version in ((True, "v1"), (False, "v2"))
    ),
    *(
        OpCase(
            "backprop_sparse_linear",
            args(
                normal(nO * 16),
                normal(nO),
                normal(4, nO),
                ids(T),
                normal(T),
                const(WITH_EMPTY),
                const(nO),
                const(16),
                const(v1),
            ),
            atol=16,
            mutates=(0, 1),
            id=version,
        )
        for v1, version in ((True, "v1"), (False, "v2"))
    ),
]


def _lstm_inputs(random: Any, dtype: str) -> Tuple:
    depth, dirs, width = LSTM_SHAPE
    n_params = dirs * 4 * width * (nI + width + 2)
    n_params += (depth - 1) * dirs * 4 * width * (dirs * width + width + 2)
    return (
        normal(n_params, scale=0.5)(random, dtype),
        normal(*LSTM_SHAPE)(random, dtype),
        normal(*LSTM_SHAPE)(random, dtype),
        normal(int(SIZE_AT_T.sum()), nI)(random, dtype),
        SIZE_AT_T,
    )


def _half_lstm(random: Any, dtype: str) -> Tuple:
    params, *inputs = _lstm_inputs(random, dtype)
    return (params.astype("float16"), *inputs)


def _int8_lstm(random: Any, dtype: str) -> Tuple:
    params, *inputs = _lstm_inputs(random, dtype)
    return (int8_lstm(numpy, split_weights(params, *LSTM_SHAPE, nI)), *inputs)


def _lstm_backprop(random: Any, dtype: str) -> Tuple:
    from thinc.backends import Ops

    inputs = _lstm_inputs(random, dtype)
    Y, state = Ops().lstm_forward_training(*inputs)
    return normal(*Y.shape)(random, dtype), SIZE_AT_T, inputs[0], state


LSTM: List[OpCase] = [
    OpCase("lstm_forward_training", _lstm_inputs, ulp=32, atol=32),
    OpCase("lstm_forward_inference", _lstm_inputs, ulp=32, atol=32),
    OpCase("lstm_forward_inference", _half_lstm, ulp=32, atol=32, id="half weights", result="float32"),
    OpCase("lstm_forward_inference", _int8_lstm, ulp=32, atol=32, id="int8 rows", result="float32"),
    OpCase("backprop_lstm", _lstm_backprop, ulp=32, atol=64),
]

no_array = const(None)

TRAINING: List[OpCase] = [
    OpCase(
        "adam",
        args(normal(83), normal(83), normal(83), positive(83), const(0.9), const(0.999), const(1e-8), const(0.01)),
        ulp=8,
        atol=4,
        mutates=(0, 2, 3),
    ),
    *(
        OpCase(
            "optimizer_step",
            args(
                *(normal(N, nO), normal(N, nO), moment1, moment2, average),
                const(Step(kind, clip, L2, 0.01, 0.9, 0.999, 1e-8, decay, 0.25)),
            ),
            id=f"kind {kind}, clip {clip}, L2 {L2}",
            ulp=8,
            atol=4,
            mutates=(0, 1, 2, 3, 4) if kind and average is not no_array else (0, 1),
        )
        for kind, clip, L2, decay, moment1, moment2, average in (
            (0, 0.0, 0.0, 0.0, no_array, no_array, no_array),
            (0, 0.5, 0.0, 1e-3, no_array, no_array, no_array),
            (1, 0.0, 0.1, 0.0, normal(N * nO), positive(N * nO), normal(N, nO)),
            (1, 0.5, 0.0, 1e-3, normal(N * nO), positive(N * nO), normal(N, nO)),
            (1, 0.5, 0.1, 0.0, normal(N * nO), positive(N * nO), normal(N, nO)),
            (2, 1e9, 0.0, 1e-3, normal(N * nO), positive(N * nO), normal(N, nO)),
        )
    ),
    *(
        OpCase(
            "optimizer_step",
            args(
                *(normal(N, nO), every_other_row(N, nO), normal(N * nO)),
                *(positive(N * nO), normal(N, nO)),
                const(Step(1, clip, L2, 0.01, 0.9, 0.999, 1e-8, 1e-3, 0.25, lazy=True)),
            ),
            id=f"lazy, clip {clip}, L2 {L2}",
            ulp=8,
            atol=4,
            mutates=(0, 1, 2, 3, 4),
        )
        for clip, L2 in ((0.0, 0.0), (0.5, 0.0), (0.5, 0.1))
    ),
    OpCase("update_averages", args(normal(N, nO), normal(N, nO), const(3)), atol=4, mutates=(0,)),
    OpCase("clip_gradient", args(normal(N, nO), const(0.5)), ulp=8, mutates=(0,)),
]


CASES: List[OpCase] = [*ACTIVATIONS, *DENSE, *SEQUENCES, *EMBEDDING, *LSTM, *TRAINING]

_ARRAYS = "moves or makes arrays; tests/backends/test_arrays.py"
EXEMPT: Dict[str, str] = {
    **dict.fromkeys(["flatten", "unflatten", "pad", "unpad", "tile"], _ARRAYS),
    **dict.fromkeys(["list2padded", "padded2list", "insert_into"], _ARRAYS),
    **dict.fromkeys(["minibatch", "multibatch", "as_contig", "to_numpy"], _ARRAYS),
    "cblas": "hands out C functions; tests/backends/test_c_interfaces.py",
    "get_dropout_mask": "random; tests/backends/test_updates.py",
    "update_all": "steps of all parameters; test_methods.py, tests/test_optimizers.py",
    "optimizer_steps": "many at once; test_cuda.py, tests/test_optimizers.py",
    "logloss": "has only the readable formula; tests/backends/test_updates.py",
}
