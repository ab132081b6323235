"""What users do wrong, and the words that answer: who, what was expected, what came.

One row for each mistake; tests/layers/test_mistakes.py makes them all. A new refusal gets a row here, not a test.
"""

from dataclasses import dataclass
from typing import Any, Callable, List, Tuple, Type

import numpy

from thinc.api import (
    LSTM,
    CategoricalCrossentropy,
    CauchySimilarity,
    CosineDistance,
    Dropout,
    Embed,
    HashEmbed,
    L2Distance,
    Linear,
    Padded,
    ParametricAttention,
    Ragged,
    SequenceCategoricalCrossentropy,
    SparseLinear_v2,
    bidirectional,
    chain,
    clone,
    concatenate,
    expand_window,
    list2ragged,
    noop,
    padded2list,
    premap_ids,
    ragged2list,
    reduce_first,
    reduce_last,
    reduce_max,
    reduce_mean,
    reduce_sum,
    remap_ids,
    uniqued,
    with_array,
    with_array2d,
    with_getitem,
    with_list,
    with_padded,
    with_ragged,
)
from thinc.layers import array_getitem, getitem, remap_ids_v2
from thinc.layers.softmax import Softmax_v2
from thinc.training.features import ngram_features


@dataclass(frozen=True)
class Mistake:
    what: str  # in words, for the one who reads the table
    make: Callable[[], Any]
    error: Type[Exception]
    words: Tuple[str, ...]  # all of them stand in the message

    def __str__(self) -> str:
        return self.what


X = numpy.random.RandomState(0).normal(size=(4, 3)).astype("f")
GUESSES = numpy.full((2, 4), 0.25, "f")


def i4(*numbers: int) -> Any:
    return numpy.array(numbers, "int32")


def padded(**changes: Any) -> Padded:
    parts = dict(data=X.reshape((2, 2, 3)), size_at_t=i4(2, 2), lengths=i4(2, 2), indices=i4(0, 1))
    return Padded(**{**parts, **changes})


def predict(model: Any, X: Any) -> Callable[[], Any]:
    return lambda: model.initialize().predict(X)


def embedded(ids: Any, **settings: Any) -> Callable[[], Any]:
    return predict(Embed(2, 7, **settings), ids)


def loss(ids: Any, guesses: Any = GUESSES, **settings: Any) -> Callable[[], Any]:
    return lambda: CategoricalCrossentropy(**settings)(guesses, ids)


def with_value(guesses: Any, row: int, value: float) -> Any:
    changed = guesses.copy()
    changed[row, 1] = value
    return changed


SETTINGS: List[Mistake] = [
    *(
        Mistake(
            f"{name} drops out at a rate of {rate}",
            lambda build=build, rate=rate: build(rate),
            ValueError,
            (name, "rate from 0", repr(rate)),
        )
        for name, build in (
            ("Dropout", Dropout),
            ("Embed", lambda rate: Embed(2, 7, dropout=rate)),
            ("HashEmbed", lambda rate: HashEmbed(2, 7, dropout=rate)),
            ("LSTM", lambda rate: LSTM(2, 3, dropout=rate)),
        )
        for rate in (float("nan"), -1, 1e9, "0.1")
    ),
    *(
        Mistake(
            f"HashEmbed has the seed {seed}",
            lambda seed=seed: HashEmbed(2, 7, seed=seed),
            ValueError,
            ("HashEmbed: expected a seed of 32 bits", repr(seed)),
        )
        for seed in (0.5, -1, 2**32)
    ),
    *(
        Mistake(
            f"a window of {size} rows",
            lambda size=size: expand_window(size),
            ValueError,
            ("expand_window: expected a window_size from 0", repr(size)),
        )
        for size in (10**9, -1, 1.5)
    ),
    *(
        Mistake(
            f"n-grams of {size} words",
            lambda size=size: ngram_features(size),
            ValueError,
            ("ngram_features: expected an ngram_size from 1", str(size)),
        )
        for size in (0, -3, 100000)
    ),
    Mistake("a softmax at temperature 0", lambda: Softmax_v2(2, 3, temperature=0.0), ValueError, ("temperature",)),
    Mistake("an LSTM of no layers", lambda: LSTM(2, 3, depth=0), ValueError, ("LSTM depth must be at least 1",)),
    Mistake("fewer copies than none", lambda: clone(Linear(), -1), TypeError, ("clone: expected n >= 0", "-1")),
    Mistake(
        "layers that do not fit",
        lambda: chain(Linear(4, 3), Linear(2, 5)),
        ValueError,
        ("nO=4", "nI=5", "'linear' (1)"),
    ),
]

PARAMETERS: List[Mistake] = [
    Mistake(
        f"{name} gets {param} of shape {shape}",
        lambda build=build, param=param, shape=shape: build().set_param(param, numpy.zeros(shape, "f")),
        ValueError,
        (f"Parameter '{param}'", str(expected), f"got {shape}"),
    )
    for name, build, param, expected, shapes in (
        ("Linear(3, 5)", lambda: Linear(3, 5), "b", (3,), ((1,), (), (1, 3), (3, 1))),
        ("Linear(3, 5)", lambda: Linear(3, 5), "W", (3, 5), ((5, 3), (15,), (1, 5))),
        ("LSTM", lambda: LSTM(3, 5), "HC0", (2, 1, 1, 3), ((5, 1, 1, 3), (2, 1, 1, 3, 1), (2, 3))),
        ("SparseLinear", lambda: SparseLinear_v2(3, 64), "W", (192,), ((193,), (191,), (3, 64))),
        ("Embed", lambda: Embed(2, 7), "E", (7, 2), ((7, 3), (8, 2), (6, 2))),
        ("CauchySimilarity", lambda: CauchySimilarity(5), "W", (5,), ((1,), (5, 1))),
    )
    for shape in shapes
]

IDS: List[Mistake] = [
    Mistake("a negative id", embedded(i4(3, -1)), IndexError, ("index -1", "7 rows")),
    Mistake("an id of the size of the table", embedded(i4(7)), IndexError, ("index 7", "7 rows")),
    Mistake("an id of 64 bits", embedded(numpy.array([2**64 - 1], "u8")), IndexError, (str(2**64 - 1), "7 rows")),
    Mistake("a negative id in a column", embedded(numpy.array([[0, -2]]), column=1), IndexError, ("-2", "7 rows")),
    Mistake("floats as ids", embedded(X[0]), TypeError, ("Embed: expected integers as ids", "float32")),
    Mistake("flags as ids", embedded(X[0] > 0), TypeError, ("Embed: expected integers as ids", "bool")),
    Mistake("one id without an array", embedded(numpy.array(3)), ValueError, ("Embed: expected ids (N,)",)),
    Mistake(
        "floats to be hashed",
        predict(HashEmbed(2, 7, seed=1), X[0]),
        TypeError,
        ("HashEmbed: expected integers as ids", "float32"),
    ),
    Mistake("a column that is not there", embedded(i4(1, 2).reshape((1, 2)), column=5), IndexError, ("5", "size 2")),
    Mistake("a column of a vector", embedded(i4(1, 2), column=0), IndexError, ("1-dimensional",)),
    Mistake(
        "a column of a list", predict(remap_ids_v2({}, column=1), [1]), TypeError, ("column=1 needs a two-dim", "list")
    ),
    Mistake("no column of a matrix", predict(remap_ids_v2({}), X.astype("i")), TypeError, ("column=", "(4, 3)")),
    Mistake("no column of a matrix, premapped", predict(premap_ids({}), X.astype("i")), TypeError, ("column=",)),
    Mistake("no table", predict(remap_ids_v2(None), [1]), ValueError, ("'mapping table' not set",)),
    Mistake("names as ids", predict(premap_ids({1: 2}), ["a"]), TypeError, ("expected integers as ids", "str")),
    Mistake(
        "floats premapped", predict(premap_ids({1: 2}), X[0]), TypeError, ("premap_ids: expected integers as ids",)
    ),
    Mistake("nothing as an id", predict(premap_ids({1: 2}), [None]), TypeError, ("expected integers as ids", "None")),
    Mistake("an id of 65 bits", predict(premap_ids({1: 2}), [2**64 + 1]), OverflowError, ("64 bits", str(2**64 + 1))),
    Mistake(
        "a list to be uniqued", predict(uniqued(Embed(2, 7)), [[1, 2]]), TypeError, ("uniqued: expected X (N, C)",)
    ),
    Mistake("ids in a row to be uniqued", predict(uniqued(Embed(2, 7)), i4(1, 2)), TypeError, ("uniqued", "(2,)")),
    Mistake("an input that is not there", predict(getitem(2), [X, X]), IndexError, ("no item 2 in 2 inputs",)),
    Mistake("one before the first", predict(getitem(-3), [X, X]), IndexError, ("no item -3 in 2 inputs",)),
    Mistake("an item of an array", predict(getitem(0), X), TypeError, ("getitem: expected a list or tuple", "ndarray")),
    Mistake("a layer for an item too many", predict(with_getitem(2, noop()), (X, X)), IndexError, ("no item 2 in 2",)),
    Mistake("a layer for a row", predict(with_getitem(0, noop()), X), TypeError, ("with_getitem: expected a tuple",)),
    Mistake("a row that is not there", predict(array_getitem(9), X), IndexError, ("9", "size 4")),
]

BATCHES: List[Mistake] = [
    *(
        Mistake(
            f"{name} of rows that are no Ragged, but {words}",
            predict(build(), given),
            TypeError,
            (f"{name}: expected Ragged, got {words}",),
        )
        for name, build in (
            ("reduce_sum", reduce_sum),
            ("reduce_mean", reduce_mean),
            ("reduce_max", reduce_max),
            ("reduce_first", reduce_first),
            ("reduce_last", reduce_last),
            ("ragged2list", ragged2list),
            ("ParametricAttention", lambda: ParametricAttention(3)),
        )
        for given, words in ((X, "ndarray of shape (4, 3)"), ([X], "list of ndarray"), (None, "None"))
    ),
    *(
        Mistake(
            f"lengths {lengths} for 4 rows, in {name}",
            lambda build=build, lengths=lengths: build().initialize().predict(Ragged(X, lengths)),
            ValueError,
            ("4 rows", f"sum to {total}"),
        )
        for lengths, total in ((i4(1, 2), 3), ([3, 2], 5), (numpy.array([9], "uint8"), 9), (i4(), 0))
        for name, build in (
            ("reduce_sum", reduce_sum),
            ("reduce_mean", reduce_mean),
            ("reduce_max", reduce_max),
            ("reduce_first", reduce_first),
            ("reduce_last", reduce_last),
            ("ragged2list", ragged2list),
            ("expand_window", expand_window),
            ("attention", lambda: ParametricAttention(3)),
            ("with_array", lambda: with_array(noop())),
            ("with_array2d", lambda: with_array2d(noop())),
            ("with_list", lambda: with_list(noop())),
            ("with_padded", lambda: with_padded(noop())),
            ("with_ragged", lambda: with_ragged(noop())),
        )
    ),
    Mistake(
        "negative lengths", predict(reduce_sum(), Ragged(X, i4(-1, 5))), ValueError, ("lengths of at least 0", "-1")
    ),
    Mistake("floats as lengths", predict(reduce_sum(), Ragged(X, X[:, 0])), TypeError, ("lengths", "float32")),
    Mistake("a list of floats as lengths", lambda: Ragged(X, [1.0, 3.0]), TypeError, ("lengths", "[1.0, 3.0]")),
    Mistake("a number as lengths", predict(reduce_sum(), Ragged(X, 4)), TypeError, ("lengths", "int")),
    Mistake("a matrix as lengths", predict(reduce_sum(), Ragged(X, i4(4)[None])), TypeError, ("lengths", "2 dim")),
    *(
        Mistake(
            f"a Padded whose {name}, in {layer}",
            lambda build=build, changes=changes: build().predict(padded(**changes)),
            ValueError,
            words,
        )
        for name, changes, words in (
            ("indices name one sequence twice", {"indices": i4(0, 0)}, ("indices", "[0, 0]")),
            ("indices name a third", {"indices": i4(0, 2)}, ("indices", "[0, 2]")),
            ("indices are negative", {"indices": i4(0, -1)}, ("indices", "[0, -1]")),
            ("lengths are too long", {"lengths": i4(3, 2)}, ("2 lengths of 0 to 2", "[3, 2]")),
            ("lengths are negative", {"lengths": i4(2, -1)}, ("2 lengths of 0 to 2", "[2, -1]")),
            ("lengths are too few", {"lengths": i4(2)}, ("2 lengths of 0 to 2", "[2]")),
        )
        for layer, build in (
            ("padded2list", padded2list),
            ("with_list", lambda: with_list(noop())),
            ("with_ragged", lambda: with_ragged(noop())),
        )
    ),
    *[
        Mistake(
            f"an LSTM of a Padded whose size_at_t is {sizes}",
            predict(LSTM(2, 3), padded(data=numpy.ones((5, 2, 3), "f"), size_at_t=sizes)),
            ValueError,
            ("LSTM: expected size_at_t of 5 steps",),
        )
        for sizes in (None, numpy.array([], "i"), numpy.array([5, 5], "i"), numpy.array([2], "i"))  # (5 + 5: all rows)
    ],
    Mistake("an LSTM of a matrix", predict(LSTM(2, 3), X), TypeError, ("LSTM: expected Padded, got ndarray",)),
    Mistake("padded2list of a list", predict(padded2list(), [X]), TypeError, ("padded2list: expected Padded", "list")),
    Mistake(
        "vectors side by side",
        predict(concatenate(noop(), noop()), X[0]),
        ValueError,
        ("concatenate", "two or more dimensions", "(3,)"),
    ),
    Mistake(
        "vectors of two widths compared",
        predict(CauchySimilarity(3), (X, X[:, :2])),
        ValueError,
        ("CauchySimilarity", "(4, 3)", "(4, 2)"),
    ),
    Mistake(
        "vectors of one column compared",
        predict(CauchySimilarity(3), (X[:, :1], X[:, :1])),
        ValueError,
        ("CauchySimilarity", "(B, 3)", "(4, 1)"),
    ),
    *(
        Mistake(
            f"a Y of 4 columns for {name} of 3",
            lambda build=build, Y=Y: build().initialize(X=X, Y=Y),
            UserWarning if name == "lists" else ValueError,  # (in the tests warnings are errors)
            words,
        )
        for name, build, Y, words in (
            ("a chain", lambda: chain(Linear(5), Softmax_v2(3)), GUESSES, ("Y has 4 columns", "nO=3")),
            ("a chain that ends in a chain", lambda: chain(Linear(5), chain(Linear(5), Linear(3))), GUESSES, ("nO=3",)),
            ("a layer", lambda: Linear(3), GUESSES, ("'nO'", "from 3 to 4")),
            ("a softmax", lambda: Softmax_v2(3), GUESSES, ("Y has 4 columns", "'softmax' gives nO=3")),
            (
                "lists",
                lambda: chain(with_array(Linear(5)), with_array(Softmax_v2(3))),
                [GUESSES],
                ("4 columns", "nO=3"),
            ),
        )
    ),
    Mistake(
        "a batch without sequences as the sample",
        lambda: chain(list2ragged(), reduce_mean(), Linear(2)).initialize(X=[]),
        ValueError,
        ("'nI'", "unset"),
    ),
    Mistake("no list to a table", predict(remap_ids({}), 3), TypeError, ("remap_ids", "sequence", "int")),
    Mistake("a matrix backwards", predict(bidirectional(noop()), X), TypeError, ("bidirectional: expected Padded",)),
]

LOSSES: List[Mistake] = [
    Mistake("a class below 0", loss(numpy.array([1, -1])), IndexError, ("class -1", "row 1", "4 classes")),
    Mistake("a class below 0 in a list", loss([-4, 1]), IndexError, ("class -4", "row 0", "4 classes")),
    Mistake("a class too high", loss(numpy.array([1, 4])), IndexError, ("class 4", "row 1", "4 classes")),
    Mistake("a class of 64 bits", loss(numpy.array([1, 2**64 - 1], "u8")), IndexError, (str(2**64 - 1), "row 1")),
    Mistake("floats as classes", loss(numpy.array([0.0, 1.0], "f")), TypeError, ("integers", "float32")),
    Mistake("a list of floats as classes", loss([0, 1.5]), TypeError, ("1.5", "row 1")),
    Mistake("a class below 0, smoothed", loss([-1, 1], label_smoothing=0.1), IndexError, ("class -1", "row 0")),
    Mistake(
        "a class below 0 in a sequence",
        lambda: SequenceCategoricalCrossentropy()([GUESSES], [numpy.array([0, -1])]),
        IndexError,
        ("class -1", "row 1"),
    ),
    Mistake("an unknown name", loss(["a", "z"], names=list("abcd")), KeyError, ("'z'", "row 1")),
    Mistake("names without a list of them", loss(["a", "b"]), ValueError, ("names",)),
    *(
        Mistake(f"a guess of {value}", loss([0, 1], with_value(GUESSES, 1, value)), ValueError, words)
        for value, words in (
            (float("nan"), ("guesses outside the [0,1]", "row 1 is NaN")),
            (float("inf"), ("guesses outside the [0,1]", "inf")),
            (1.5, ("guesses outside the [0,1]", "1.5")),
            (-0.5, ("guesses outside the [0,1]", "-0.5")),
        )
    ),
    Mistake(
        "a guess of NaN against probabilities",
        loss(GUESSES, with_value(GUESSES, 1, float("nan"))),
        ValueError,
        ("guesses", "row 1", "NaN"),
    ),
    *(
        Mistake(
            f"{name} of a guess of {value}",
            lambda make=make, value=value: make()(with_value(X, 2, value), X),
            ValueError,
            (name, "row 2", "not finite"),
        )
        for name, make in (("L2Distance", L2Distance), ("CosineDistance", CosineDistance))
        for value in (float("nan"), float("inf"))
    ),
    *(
        Mistake(
            f"{name} of two shapes",
            lambda make=make: make()(X, X[:2]),
            ValueError,
            ("mismatched shapes", "(4, 3)", "(2, 3)"),
        )
        for name, make in (("L2Distance", L2Distance), ("CosineDistance", CosineDistance))
    ),
]

MISTAKES: List[Mistake] = [*SETTINGS, *PARAMETERS, *IDS, *BATCHES, *LOSSES]
