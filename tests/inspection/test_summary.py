"""The summary of every registered layer against what hooks see, and FLOPs against counts by hand."""

import copy
import time

import numpy
import pytest

from tests.cases import LayerCase
from tests.layers.rows import CASES
from tests.layers.values import initialized
from thinc.api import (
    LSTM,
    HashEmbed,
    Linear,
    Maxout,
    Model,
    ParametricAttention,
    Ragged,
    Relu,
    Softmax,
    SparseLinear_v2,
    chain,
    clone,
    concatenate,
    expand_window,
    list2ragged,
    reduce_sum,
    residual,
    with_array,
    with_debug,
    with_padded,
)
from thinc.inspection import flops_rule
from thinc.model._observe import places, shape_of


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sizes_are_those_of_the_tree(case: LayerCase):
    model, _ = initialized(case)
    arrays = [node.get_param(name) for node in model.walk() for name in node.param_names if node.has_param(name)]
    summary = model.summary()
    assert summary.n_params == sum(array.size for array in arrays)
    assert summary.n_bytes == sum(array.nbytes for array in arrays)
    assert len(summary) >= len(list(model.walk()))
    assert len(repr(model)) <= 120


@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapes_are_those_that_hooks_see(case: LayerCase):
    model, X = initialized(case)
    numpy.random.seed(0)
    before = model.predict(copy.deepcopy(X))
    forwards = {id(node): node._func for node in model.walk()}
    numpy.random.seed(0)
    rows = {row.path: row for row in model.summary(X)}
    assert {id(node): node._func for node in model.walk()} == forwards, "the layers are left as they were"
    seen: dict = {}
    for place in places(model):
        if place.repeated:
            continue

        def note(node, X, is_train, path=place.path):
            seen.setdefault(path, shape_of(X))

        with_debug(place.node, on_forward=note)
    numpy.random.seed(0)
    after = model.predict(X)
    assert shape_of(after) == shape_of(before) == rows["model"].output
    for path, shape in seen.items():
        # (a fused pair of layers is shown as two, of which a hook at the second makes two as well)
        assert rows[path].input == shape, path
    assert {path for path, row in rows.items() if row.calls and not row.repeated} == set(seen)


def test_shapes_in_words():
    X = numpy.zeros((5, 3), "f4")
    assert shape_of(X) == "(5, 3)"
    assert shape_of(X.astype("f8")) == "float64 (5, 3)"
    assert shape_of(X[:, 0]) == "(5,)"
    assert shape_of(Ragged(X, numpy.array([2, 3], "i"))) == "Ragged[2] (5, 3)"
    assert shape_of([X, X[:2]]) == "list[2] of (*, 3)"
    assert shape_of([X, X[:, :1]]) == "list[2] of (5, 3)"
    assert shape_of(["a", "b"]) == "list[2] of str"
    assert shape_of([]) == "list[0]"
    assert shape_of((X, X)) == "((5, 3), (5, 3))"


def _dense():
    X = numpy.zeros((7, 5), "f4")
    model = chain(Relu(11), Softmax(3)).initialize(X, numpy.zeros((7, 3), "f4"))
    return model, X, 2 * 7 * 5 * 11 + 2 * 7 * 11 * 3


def _maxout_window():
    X = [numpy.zeros((4, 6), "f4"), numpy.zeros((3, 6), "f4")]
    window = residual(chain(expand_window(1), Maxout(6, nP=3, normalize=True)))
    model = with_array(clone(window, 2)).initialize(X)
    return model, X, 2 * (2 * 7 * 18 * 6 * 3)


def _lstm():
    X = [numpy.zeros((4, 5), "f4"), numpy.zeros((2, 5), "f4")]
    model = with_padded(LSTM(6, 5, bi=True)).initialize(X)
    return model, X, 6 * 2 * (2 * (4 * 3 * 5 + 4 * 3 * 3))


def _attention():
    X = [numpy.zeros((4, 5), "f4"), numpy.zeros((2, 5), "f4")]
    model = chain(list2ragged(), ParametricAttention(5), reduce_sum(), Linear(2, 5)).initialize(X)
    return model, X, 4 * 6 * 5 + 2 * 2 * 5 * 2


def _sparse():
    X = (numpy.arange(9, dtype="u8"), numpy.ones(9, "f4"), numpy.array([4, 5], "i"))
    return SparseLinear_v2(3, 64).initialize(X), X, 4 * 9 * 3


@pytest.mark.parametrize("make", [_dense, _maxout_window, _lstm, _attention, _sparse])
def test_flops_are_counted_as_by_hand(make):
    model, X, expected = make()
    assert model.summary(X).flops == expected


def test_flops_of_own_layers():
    def forward(model, X, is_train):
        return X, lambda dY: dY

    @flops_rule(forward)
    def count(model, X):
        return 5 * len(X)

    model = chain(Model("own", forward), Linear(3, 2).initialize())
    assert model.summary(numpy.zeros((7, 2), "f4")).flops == 5 * 7 + 2 * 7 * 2 * 3


def test_shared_layers_count_once_and_work_twice():
    shared = Linear(4, 4).initialize()
    X = numpy.zeros((3, 4), "f4")
    model = concatenate(shared, chain(shared, Relu(4, 4).initialize()))
    summary = model.summary(X)
    assert summary.n_params == 2 * 20
    assert [row.repeated for row in summary] == [False, False, False, True, False]
    assert [row.calls for row in summary] == [1, 1, 1, 1, 1]
    assert summary.flops == 3 * 2 * 3 * 16


def test_text_and_html():
    model = chain(concatenate(HashEmbed(4, 7, column=0), HashEmbed(4, 11, column=1)), Linear(3))
    assert "not allocated" in str(model.summary())
    X = numpy.zeros((5, 2), "u8")
    model.initialize(X)
    lines = str(model.summary(X)).splitlines()
    names = [line.split("  ")[0] for line in lines[2:-2]]
    assert names == ["chain", "├─ concatenate", "│", "│", "└─ linear"] or names[0] == "chain"
    assert lines[2].startswith("chain") and "uint64 (5, 2)" in lines[2]
    assert any(line.startswith("└─ linear") for line in lines)
    assert lines[-1].startswith(f"{len(model.summary())} layers, {4 * 7 + 4 * 11 + 27} parameters, ")
    html = model._repr_html_()
    assert html.count("<tr>") == len(model.summary()) + 1
    assert "<script" not in Model("<script>alert(1)</script>", lambda *a: None)._repr_html_()


def test_an_error_leaves_the_model_as_it_was():
    model = chain(Relu(4, 3), Linear(2, 4)).initialize()
    forwards = [node._func for node in model.walk()]
    with pytest.raises(ValueError):
        model.summary(numpy.zeros((2, 5), "f4"))
    assert [node._func for node in model.walk()] == forwards


def test_deep_and_wide_models_are_quick():
    model = Linear(4, 4)
    for _ in range(300):
        model = residual(model)
    start = time.perf_counter()
    assert len(chain(model, *(Linear(4, 4) for _ in range(300))).summary()) == 602
    str(model.summary())
    assert time.perf_counter() - start < 5
