"""Rows of the layers that stand alone: dense, embedding, sequence and data layers.

N=7 rows, nI=5 in, nO=3 out, nP=2 pieces, nV=11 rows of a table; sequences of 3, 1, 2
and 5 rows.
"""

import functools
import inspect
from typing import Any, Callable, List, Tuple

import numpy

from thinc import layers
from thinc.layers import (
    LSTM,
    CauchySimilarity,
    Dropout,
    Embed,
    Gelu,
    HashEmbed,
    LayerNorm,
    Linear,
    Logistic,
    MultiSoftmax,
    ParametricAttention,
    ParametricAttention_v2,
    Sigmoid,
    Softmax,
    Softmax_v2,
    SparseLinear,
    SparseLinear_v2,
    array_getitem,
    expand_window,
    getitem,
    premap_ids,
    reduce_first,
    reduce_last,
    reduce_max,
    reduce_mean,
    reduce_sum,
    remap_ids,
    remap_ids_v2,
    sigmoid_activation,
    softmax_activation,
    strings2arrays,
)
from thinc.layers.array_getitem import floats_getitem, ints_getitem
from thinc.training.features import ngram_features, token_features, tokenize
from thinc.types import Padded, Ragged

from . import LayerCase

N, nI, nO, nP, nV = 7, 5, 3, 2, 11
LENGTHS = (3, 1, 2, 5)
WITH_EMPTY = (0, 3, 0, 2, 0)

LOGITS = "the callback takes the gradient of the logits; test_softmax checks it"
NO_FLOATS = "ids have no gradient"


def rows(n: int = N, width: int = nI) -> Callable[[Any], Any]:
    return lambda rng: rng.normal(size=(n, width))


def ragged(lengths: Tuple[int, ...] = LENGTHS, width: int = nI) -> Callable[[Any], Any]:
    def make(rng: Any) -> Ragged:
        data = rng.normal(size=(sum(lengths), width))
        return Ragged(data, numpy.array(lengths, dtype="int32"))

    return make


def padded(lengths: Tuple[int, ...] = LENGTHS, width: int = nI) -> Callable[[Any], Any]:
    """Sorted by falling length, time first, zeros behind each sequence."""

    def make(rng: Any) -> Padded:
        order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i), reverse=True)
        steps = max(lengths, default=0)
        data = numpy.zeros((steps, len(lengths), width))
        for column, i in enumerate(order):
            data[: lengths[i], column] = rng.normal(size=(lengths[i], width))
        size_at_t = [sum(length > t for length in lengths) for t in range(steps)]
        return Padded(
            data,
            numpy.array(size_at_t, dtype="int32"),
            numpy.array([lengths[i] for i in order], dtype="int32"),
            numpy.array(order, dtype="int32"),
        )

    return make


def ids(n: int = N, dtype: str = "int32") -> Callable[[Any], Any]:
    return lambda rng: rng.randint(0, nV, size=n).astype(dtype)


def columns(n: int = N, dtype: str = "int32") -> Callable[[Any], Any]:
    return lambda rng: rng.randint(0, nV, size=(n, 2)).astype(dtype)


def pair(rng: Any) -> Tuple[Any, Any]:
    return rng.normal(size=(N, nI)), rng.normal(size=(N, nI))


def features(lengths: Tuple[int, ...] = LENGTHS) -> Callable[[Any], Any]:
    def make(rng: Any) -> Tuple[Any, Any, Any]:
        K = sum(lengths)
        keys = rng.randint(0, 2**31, size=K).astype("uint64")
        return keys, rng.normal(size=K), numpy.array(lengths, dtype="int32")

    return make


def normal_init(ops: Any, shape: Any) -> Any:
    """For layers whose weights start at zero, where a swapped axis would not show."""
    return ops.asarray_f(numpy.random.RandomState(3).normal(size=shape))


def set_normal(build: Callable[[], Any]) -> Callable[[], Any]:
    """The same model, its own parameters normally distributed once initialized."""

    def make() -> Any:
        model = build()
        init = model.init

        def init_normal(model: Any, X: Any = None, Y: Any = None) -> None:
            init(model, X=X, Y=Y)
            for name in model.param_names:
                shape = model.get_param(name).shape
                model.set_param(name, normal_init(model.ops, shape))

        model.init = init_normal
        return model

    return make


# Those that dense() and its like make: an activation, then a norm and dropout.
DENSE = [
    layer
    for layer in (getattr(layers, name) for name in layers.__all__)
    if inspect.isfunction(layer) and "normalize" in inspect.signature(layer).parameters
]


def _dense_rows() -> List[LayerCase]:
    cases = []
    for layer in DENSE:
        name = f"{layer.__name__}.v1"
        cases += [
            LayerCase(name, lambda layer=layer: layer(nO, nI, init_b=normal_init), rows()),
            LayerCase(name, lambda layer=layer: layer(nO, nI), rows(0), id="no rows"),
            LayerCase(
                name,
                lambda layer=layer: layer(nO, nI, init_b=normal_init, normalize=True, dropout=0.0),
                rows(),
                id="normalize",
            ),
        ]
    for layer in (Linear, Sigmoid):
        name = f"{layer.__name__}.v1"
        for n in (N, 1, 0):
            cases.append(
                LayerCase(
                    name,
                    lambda layer=layer: layer(nO, nI, init_W=normal_init, init_b=normal_init),
                    rows(n),
                    id=f"{n} rows",
                )
            )
    return cases


def _softmax_rows() -> List[LayerCase]:
    common = dict(differentiable=False, params_differentiable=False, note=LOGITS)
    inits = dict(init_W=normal_init, init_b=normal_init)
    return [
        LayerCase("Softmax.v1", lambda: Softmax(nO, nI, **inits), rows(), **common),
        LayerCase("Softmax.v2", lambda: Softmax_v2(nO, nI, **inits), rows(), **common),
        LayerCase(
            "Softmax.v2", lambda: Softmax_v2(nO, nI, temperature=2.0, **inits), rows(), id="temperature", **common
        ),
        LayerCase(
            "Softmax.v2",
            lambda: Softmax_v2(nO, nI, normalize_outputs=False, **inits),
            rows(),
            id="unnormalized",
            **common,
        ),
        LayerCase("MultiSoftmax.v1", set_normal(lambda: MultiSoftmax((2, 3), nI)), rows(), **common),
    ]


def _embedding_rows() -> List[LayerCase]:
    return [
        LayerCase("Embed.v1", lambda: Embed(nO, nV), ids(), differentiable=False, note=NO_FLOATS),
        LayerCase(
            "Embed.v1", lambda: Embed(nO, nV, column=1), columns(), id="column", differentiable=False, note=NO_FLOATS
        ),
        LayerCase("Embed.v1", lambda: Embed(nO, nV), ids(0), id="no ids", differentiable=False, note=NO_FLOATS),
        LayerCase(
            "HashEmbed.v1", lambda: HashEmbed(nO, nV, seed=2), ids(dtype="uint64"), differentiable=False, note=NO_FLOATS
        ),
        LayerCase(
            "Embed.v1", lambda: Embed(nO, nV, dropout=0.4), ids(), id="dropout", differentiable=False, note=NO_FLOATS
        ),
        LayerCase(
            "HashEmbed.v1",
            lambda: HashEmbed(nO, nV, seed=2, dropout=0.4),
            ids(),
            id="dropout",
            differentiable=False,
            note=NO_FLOATS,
        ),
        LayerCase(
            "HashEmbed.v1",
            lambda: HashEmbed(nO, nV, seed=2, column=1),
            columns(),
            id="column",
            differentiable=False,
            note=NO_FLOATS,
        ),
        LayerCase(
            "HashEmbed.v1",
            lambda: HashEmbed(nO, nV, seed=2),
            ids(0, dtype="uint64"),
            id="no ids",
            differentiable=False,
            note=NO_FLOATS,
        ),
        *(
            LayerCase(
                name,
                set_normal(lambda layer=layer, length=length: layer(nO, length)),
                features(lengths),
                id=f"length {length}, {len(lengths)} examples",
                differentiable=False,
                batch_consistent=False,
                note="keys have no gradient; test_sparselinear splits the batch",
            )
            for name, layer, length in (("SparseLinear.v1", SparseLinear, 16), ("SparseLinear.v2", SparseLinear_v2, 13))
            for lengths in (LENGTHS, WITH_EMPTY)
        ),
    ]


def _sequence_rows() -> List[LayerCase]:
    cases = []
    for pool in (reduce_sum, reduce_mean, reduce_max, reduce_first, reduce_last):
        name = f"{pool.__name__}.v1"
        cases.append(LayerCase(name, pool, ragged()))
        cases.append(LayerCase(name, pool, ragged((4,)), id="one sequence"))
        cases.append(LayerCase(name, pool, ragged(()), id="no sequences"))
        if pool in (reduce_sum, reduce_mean):
            cases.append(LayerCase(name, pool, ragged(WITH_EMPTY), id="empty sequences"))
    for window in (1, 2):
        cases += [
            LayerCase(
                "expand_window.v1",
                lambda window=window: expand_window(window),
                rows(),
                id=f"array {window}",
                batch_consistent=False,
                note="the rows of an array are one sequence",
            ),
            LayerCase(
                "expand_window.v1",
                lambda window=window: expand_window(window),
                ragged(WITH_EMPTY),
                id=f"ragged {window}",
            ),
        ]
    cases.append(LayerCase("expand_window.v1", expand_window, rows(0), id="no rows"))
    for lengths in (LENGTHS, WITH_EMPTY, ()):
        cases += [
            LayerCase(
                "ParametricAttention.v1",
                set_normal(lambda: ParametricAttention(nI)),
                ragged(lengths),
                id=f"lengths {lengths}",
            ),
            LayerCase(
                "ParametricAttention.v2",
                set_normal(lambda: ParametricAttention_v2(nO=nI)),
                ragged(lengths),
                id=f"lengths {lengths}",
            ),
            LayerCase(
                "ParametricAttention.v2",
                set_normal(lambda: ParametricAttention_v2(key_transform=Gelu(nI, nI))),
                ragged(lengths),
                id=f"transform, lengths {lengths}",
            ),
        ]
    # The initial state is a parameter without a gradient: it stays zero.
    lstm = functools.partial(LayerCase, "LSTM.v1", constants=("HC0",))
    for bi, depth in ((False, 1), (True, 1), (False, 2), (True, 2)):
        cases.append(
            lstm(
                lambda bi=bi, depth=depth: LSTM(2 * nO, nI, bi=bi, depth=depth, init_b=normal_init),
                padded(),
                id=f"bi={bi} depth={depth}",
            )
        )
    cases += [
        lstm(lambda: LSTM(nO, nI), padded((4,)), id="one sequence"),
        lstm(lambda: LSTM(nO, nI, dropout=0.3), padded(), id="dropout"),
        lstm(lambda: LSTM(nO, nI), padded((2, 0, 1)), id="empty one"),
        lstm(lambda: LSTM(nO, nI), padded(()), id="no sequences"),
    ]
    return cases


def _data_rows() -> List[LayerCase]:
    common = dict(differentiable=False, note=NO_FLOATS)
    table = {2: 5, 3: 1, 7: 0}
    return [
        LayerCase(
            "remap_ids.v1", lambda: remap_ids({"a": 3, 1: 7}, default=9), lambda rng: ["a", 1, 5.0, "b"], **common
        ),
        LayerCase("remap_ids.v2", lambda: remap_ids_v2(table), ids(), **common),
        LayerCase("remap_ids.v2", lambda: remap_ids_v2(table, 4, column=1), columns(), id="column", **common),
        LayerCase("premap_ids.v1", lambda: premap_ids(table), ids(), **common),
        LayerCase(
            "premap_ids.v1", lambda: premap_ids(table, 4, column=1), columns(dtype="uint64"), id="column", **common
        ),
        LayerCase("token_features.v1", token_features, lambda rng: [["Hello", "", "wörld"], [], ["x"]], **common),
        LayerCase(
            "tokenize.v1",
            tokenize,
            lambda rng: ["Hello, wörld!", "x"],
            batch_consistent=False,
            differentiable=False,
            note="its output is words, not arrays",
        ),
        LayerCase(
            "ngram_features.v1",
            ngram_features,
            lambda rng: ["Hello, wörld!", "", "x"],
            batch_consistent=False,
            differentiable=False,
            note="keys of all texts in one array; tests/test_features.py",
        ),
        LayerCase("strings2arrays.v1", strings2arrays, lambda rng: [["hello", "", "wörld"], [], ["x"]], **common),
        LayerCase("array_getitem.array_getitem", lambda: array_getitem((slice(None), slice(1, 3))), rows()),
        LayerCase(
            "array_getitem.floats_getitem",
            lambda: floats_getitem(2),
            rows(),
            batch_consistent=False,
            note="picks one row of the batch",
        ),
        LayerCase("array_getitem.ints_getitem", lambda: ints_getitem((slice(None), 1)), columns(), **common),
        LayerCase("getitem.getitem", lambda: getitem(1), pair),
        LayerCase("getitem.getitem", lambda: getitem(-2), pair, id="negative"),
    ]


CASES: List[LayerCase] = [
    *_dense_rows(),
    *_softmax_rows(),
    LayerCase("LayerNorm.v1", set_normal(lambda: LayerNorm(nI)), rows()),
    LayerCase("LayerNorm.v1", lambda: LayerNorm(nI), rows(1), id="one row"),
    LayerCase("LayerNorm.v1", lambda: LayerNorm(nI), rows(0), id="no rows"),
    LayerCase("Dropout.v1", lambda: Dropout(0.0), rows(), id="rate 0"),
    LayerCase("Dropout.v1", lambda: Dropout(0.3), rows(), id="array"),
    LayerCase("Dropout.v1", lambda: Dropout(0.3), ragged(), id="ragged"),
    LayerCase("Dropout.v1", lambda: Dropout(0.3), padded(), id="padded"),
    LayerCase("CauchySimilarity.v1", set_normal(lambda: CauchySimilarity(nI)), pair),
    LayerCase("sigmoid_activation.v1", sigmoid_activation, rows()),
    LayerCase(
        "sigmoid_activation.v1", sigmoid_activation, lambda rng: rng.normal(size=(N, nI, 2)), id="three dimensions"
    ),
    LayerCase("Logistic.v1", Logistic, rows()),
    LayerCase("softmax_activation.v1", softmax_activation, rows()),
    *_embedding_rows(),
    *_sequence_rows(),
    *_data_rows(),
]
