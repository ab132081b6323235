"""The five wrappers for sequences, and the transfers between their containers."""

import copy

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.values import assert_same
from thinc.api import (
    LSTM,
    Embed,
    Linear,
    Mish,
    Model,
    NumpyOps,
    Padded,
    ParametricAttention,
    Ragged,
    chain,
    concatenate,
    list2array,
    list2padded,
    list2ragged,
    map_list,
    noop,
    padded2list,
    ragged2list,
    remap_ids,
    with_array,
    with_array2d,
    with_flatten_v2,
    with_list,
    with_padded,
    with_ragged,
)

ops = NumpyOps()
nI, nO = 5, 3

WRAPPERS = [with_array, with_array2d, with_list, with_ragged, with_padded]
TRANSFERS = [list2array, list2ragged, list2padded]

lengths_of_batches = st.lists(st.integers(0, 4), max_size=5)
dtypes = st.sampled_from(["float32", "float64", "int32", "uint64"])


def sequences(lengths, dtype="float32"):
    rng = numpy.random.RandomState(0)
    return [(10 * rng.rand(length, nI)).astype(dtype) for length in lengths]


def containers(Xs):
    found = [Xs]
    if Xs:
        found.append(Ragged(ops.flatten(Xs), ops.asarray1i([len(X) for X in Xs])))
        found.append(ops.list2padded(Xs))
    return found


@pytest.mark.parametrize("wrapper", WRAPPERS)
@settings(max_examples=30, deadline=None)
@given(lengths=lengths_of_batches, dtype=dtypes)
def test_noop_in_a_wrapper_changes_nothing(wrapper, lengths, dtype):
    for X in containers(sequences(lengths, dtype)):
        if any(lengths) or X == []:
            model = wrapper(noop()).initialize(X=X)
            Y, backprop = model(X, is_train=True)
            assert_same(Y, X)
            assert_same(backprop(X), X)
            assert_same(model.predict(X), X)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers_initialize_with_and_without_samples(wrapper):
    X = sequences((2, 0, 3))
    wrapper(noop()).initialize()
    for sample in containers(X):
        wrapper(noop()).initialize(X=sample)
        wrapper(noop()).initialize(X=sample, Y=sample)
    wrapper(Linear(nO, nI)).initialize(X=[], Y=[])


@pytest.mark.parametrize(
    "build",
    [
        lambda: with_array(Linear(nO, nI)),
        lambda: with_array(concatenate(Embed(nO, 7, column=0), Embed(2, 7, column=1))),
        lambda: with_array2d(Linear(nO, nI), pad=1),
        lambda: with_ragged(ParametricAttention(nI)),
        lambda: with_padded(LSTM(nO, nI)),
        lambda: with_list(map_list(Linear(nO, nI))),
    ],
)
def test_no_sequences_give_none(build):
    model = build().initialize()
    assert model.predict([]) == []
    Y, backprop = model(([]), is_train=True)
    assert Y == [] and backprop([]) == []


@settings(max_examples=30, deadline=None)
@given(lengths=lengths_of_batches)
def test_all_containers_give_the_same(lengths):
    """A row-wise layer, seen through any wrapper, is the layer on each sequence."""
    layer = Linear(nO, nI).initialize()
    Xs = sequences(lengths)
    wants = [layer(X, is_train=True) for X in Xs]
    dYs = [numpy.full((length, nO), 2, dtype="f") for length in lengths]
    models = [
        with_array2d(layer),
        with_list(map_list(layer)),
        with_ragged(with_array(layer)),
        with_padded(with_array2d(layer)),
    ]
    for model in models:
        for X, dY in zip(containers(Xs), containers(dYs)):
            Y, backprop = model(X, is_train=True)
            assert type(Y) is type(X)
            dX = backprop(dY)
            assert type(dX) is type(X)
            for got, (want, back), dYi in zip(zip(as_lists(Y), as_lists(dX)), wants, dYs):
                assert_same(got[0], want, tolerance=1e-5)
                assert_same(got[1], back(dYi), tolerance=1e-5)


def as_lists(X):
    if isinstance(X, Ragged):
        return ops.unflatten(X.dataXd, X.lengths)
    return ops.padded2list(X) if isinstance(X, Padded) else X


def test_ids_of_empty_sequences_stay_ids():
    X = [numpy.zeros((0, 2), dtype="int64")] * 2
    Y = with_array(Embed(nO, 7, column=0)).initialize().predict(X)
    assert [y.shape for y in Y] == [(0, nO), (0, nO)]
    assert list2ragged().predict(X).data.dtype == "int64"


def test_pad_keeps_sequences_apart():
    seen = []

    def forward(model, X, is_train):
        seen.append(X)
        return X, lambda dY: dY

    X = [numpy.ones((2, 1), "f"), numpy.ones((0, 1), "f"), numpy.ones((1, 1), "f")]
    Y, backprop = with_array(Model("", forward), pad=2)(X, is_train=True)
    assert seen[0].ravel().tolist() == [0, 0, 1, 1, 0, 0, 1, 0, 0]
    assert_same(Y, X)
    assert_same(backprop(X), X)


def test_with_array_chains_two_layers():
    model = with_array(Linear(2, nI), Mish(nO))
    assert model.attrs["pad"] == 0
    assert model.layers[0].name == "linear>>mish"
    X = sequences((2, 1))
    assert [y.shape for y in model.initialize(X=X).predict(X)] == [(2, nO), (1, nO)]


def test_with_array_learns_the_dims_of_its_layer():
    model = with_array(Linear(nO))
    assert model.has_dim("nI") is None
    model.initialize(X=sequences((2, 1)))
    assert model.get_dim("nI") == nI


@pytest.mark.parametrize("data", [numpy.ones((3, 2, 2), "f"), numpy.ones(3, "f")])
def test_with_array2d_sees_the_items_of_a_ragged_as_rows(data):
    X = Ragged(data, ops.asarray1i([1, 2]))
    width = data[0].size
    model = with_array2d(Linear(nO, width)).initialize(X=X)
    Y, backprop = model(X, is_train=True)
    assert Y.dataXd.shape == (3, nO)
    assert backprop(Y).dataXd.shape == data.shape


def test_with_ragged_takes_a_pair():
    X = sequences((2, 3))
    pair = (ops.flatten(X), ops.asarray1i([2, 3]))
    model = with_ragged(ParametricAttention(nI)).initialize(X=pair)
    Y, backprop = model(pair, is_train=True)
    assert isinstance(Y, tuple)
    assert_same(Y[0], ops.flatten(model.predict(X)), tolerance=1e-6)
    assert_same(backprop(pair)[1], pair[1])


def test_a_tuple_of_two_sequences_is_no_pair():
    X = tuple(sequences((2, 3)))
    assert_same(with_ragged(noop()).predict(X), list(X))


def test_with_padded_takes_arrays():
    X = numpy.random.RandomState(0).normal(size=(4, 2, nI)).astype("f")
    model = with_padded(LSTM(nO, nI)).initialize()
    Y, backprop = model(X, is_train=True)
    columns = [numpy.ascontiguousarray(X[:, 0]), numpy.ascontiguousarray(X[:, 1])]
    wants = model.predict(columns)
    for column in range(2):
        assert_same(Y[:, column], wants[column], tolerance=1e-5)
    assert backprop(Y).shape == X.shape
    Xp = ops.list2padded(columns)
    parts = (Xp.data, Xp.size_at_t, Xp.lengths, Xp.indices)
    Y, backprop = model(parts, is_train=True)
    assert_same(Y[0], model.predict(Xp).data)
    assert_same(backprop(Y)[1:], parts[1:])


@pytest.mark.parametrize("wrapper", [with_list, with_ragged])
def test_a_padded_in_another_order_comes_back_in_its_own(wrapper):
    """Equally long sequences may stand in any order, but a gradient must match."""
    canonical = ops.list2padded(sequences((2, 3, 2, 2)))
    order = [0, 2, 3, 1]
    X = Padded(canonical.data[:, order], canonical.size_at_t, canonical.lengths[order], canonical.indices[order])
    Y, backprop = wrapper(noop())(X, is_train=True)
    assert_same(Y, X)
    assert_same(backprop(X), X)
    Y, backprop = padded2list()(X, is_train=True)
    assert_same(backprop(Y), X)


def test_a_padded_of_other_lengths_is_made_anew():
    X = ops.list2padded(sequences((2, 3)))
    first_row = Model("", lambda model, Xs, is_train: ([X[:1] for X in Xs], None))
    Y = with_list(first_row).predict(X)
    assert Y.lengths.tolist() == [1, 1]
    X.indices = X.indices[::-1]
    X.data, X.lengths = X.data[:, ::-1], X.lengths[::-1]
    Y = with_list(Model("", lambda model, Xs, is_train: (Xs[:1] + Xs[:1], None)))
    assert Y.predict(X).lengths.tolist() == [2, 2]


@pytest.mark.parametrize("transfer", TRANSFERS)
@settings(max_examples=30, deadline=None)
@given(lengths=lengths_of_batches, dtype=dtypes)
def test_transfers_go_there_and_back(transfer, lengths, dtype):
    X = sequences(lengths, dtype)
    before = copy.deepcopy(X)
    Y, backprop = transfer()(X, is_train=True)
    assert_same(backprop(Y), before)
    if any(lengths):
        back = {Ragged: ragged2list, Padded: padded2list}.get(type(Y))
        if back is not None:
            Xs, backprop = back()(Y, is_train=True)
            assert_same(Xs, before)
            assert_same(backprop(Xs), Y)


def test_lists_of_items_with_more_dimensions():
    X = [numpy.ones((2, 3, 4), "f"), numpy.ones((1, 3, 4), "f")]
    Y, backprop = list2ragged()(X, is_train=True)
    assert Y.data_shape == (-1, 3, 4)
    assert Y.lengths.dtype == "int32"
    assert_same(backprop(Y), X)
    assert_same(ragged2list().predict(Y), X)


def test_with_flatten_v2_slices_an_array():
    model = with_flatten_v2(remap_ids({"a": 3}, default=1))
    Y, backprop = model([["a", "b"], [], ["a"]], is_train=True)
    assert_same(Y, [ops.asarray2i([[3], [1]]), ops.alloc2i(0, 1), ops.asarray2i([[3]])])
    assert backprop(Y) == [[], [], []]
    model = with_flatten_v2(chain(remap_ids({"a": 3}, default=1), Embed(nO, 5, column=0))).initialize()
    Y, backprop = model([["a", "b"], [], ["a"]], is_train=True)
    assert [y.shape for y in Y] == [(2, nO), (0, nO), (1, nO)]
    backprop([numpy.ones_like(y) for y in Y])
    assert model.layers[0].layers[1].layers[1].get_grad("E")[:, 0].tolist() == [0, 1, 0, 2, 0]
