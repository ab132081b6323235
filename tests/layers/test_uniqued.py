import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.values import assert_same
from thinc.api import Embed, HashEmbed, uniqued
from thinc.layers.array_getitem import ints_getitem

nO, nV = 3, 11


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(st.tuples(st.integers(0, nV - 1), st.integers(0, nV - 1)), max_size=20), column=st.integers(0, 1))
def test_equals_the_bare_layer(ids, column):
    X = numpy.array(ids, dtype="int32").reshape((-1, 2))
    dY = numpy.random.RandomState(0).normal(size=(len(X), nO)).astype("f")
    model = uniqued(Embed(nO, nV, column=column), column=column).initialize()
    bare = model.layers[0].copy()
    Y, backprop = model(X, is_train=True)
    want, backprop_bare = bare(X, is_train=True)
    assert_same(Y, want)
    backprop(dY)
    backprop_bare(dY)
    table, table_bare = model.layers[0].layers[1], bare.layers[1]
    if len(X):
        assert_same(table.get_grad("E"), table_bare.get_grad("E"), tolerance=1e-5)


def test_runs_the_layer_once_per_value():
    seen = []
    layer = HashEmbed(nO, nV, column=0)
    forward = layer._func
    layer.replace_callbacks(
        lambda model, X, is_train: (seen.append(len(X)), forward(model, X, is_train))[1], init=layer.init
    )
    model = uniqued(layer).initialize()
    model.predict(numpy.array([[4, 0], [2, 1], [4, 2], [4, 3]], dtype="uint64"))
    assert seen == [2]


def test_gradient_is_shared_out():
    """What a value is given by all its rows comes back in equal parts."""

    def forward(model, X, is_train):
        return X.astype("f"), lambda dY: dY

    model = uniqued(ints_getitem((slice(None), [0])))
    model.layers[0]._func = forward
    X = numpy.array([[1, 0], [2, 0], [1, 0]], dtype="int32")
    Y, backprop = model(X, is_train=True)
    dX = backprop(numpy.array([[1, 1], [5, 5], [3, 3]], dtype="f"))
    assert dX.tolist() == [[2, 2], [5, 5], [2, 2]]


def test_dims_are_those_of_the_layer():
    model = uniqued(Embed(nO, nV, column=0)).initialize()
    assert model.get_dim("nO") == nO
    with pytest.raises(ValueError):
        model.get_dim("nI")
