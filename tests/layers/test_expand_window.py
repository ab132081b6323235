"""An expand_window before a Maxout, whose windows share memory."""

import copy
import pickle

import numpy
import pytest

from thinc.api import (
    LayerNorm,
    Linear,
    Maxout,
    Model,
    NumpyOps,
    Ragged,
    Relu,
    chain,
    expand_window,
    fix_random_seed,
    quantize,
    residual,
    use_ops,
)
from thinc.inspection import detect_anomaly
from thinc.layers.chain import forward as chain_forward
from thinc.layers.chain import forward_windows

I, O = 5, 7  # noqa: E741
MAXOUTS = {
    "maxout": lambda nI: Maxout(O, nI, 3),
    "normalized": lambda nI: Maxout(O, nI, 3, normalize=True),
    "dropout": lambda nI: Maxout(O, nI, 2, normalize=True, dropout=0.0),
    "first of several": lambda nI: chain(Maxout(O, nI, 3), LayerNorm(O), Relu(O, O)),
}


def rows(T, dtype="float32", seed=0):
    return numpy.random.RandomState(seed).normal(size=(T, I)).astype(dtype)


def built(maxout, nW, dtype="float32"):
    fix_random_seed(0)
    model = chain(expand_window(nW), MAXOUTS[maxout](I * (2 * nW + 1))).initialize()
    assert model._func is forward_windows
    for node in model.walk():
        for name in node.param_names:
            W = node.get_param(name)
            node.set_param(name, numpy.random.RandomState(1).normal(size=W.shape).astype(dtype))
    return model


def by_columns(model):
    """The same layers, with windows from seq2col."""
    plain = model.copy()
    plain.replace_callbacks(chain_forward, init=plain.init)
    return plain


def trained(model, X, is_train=True):
    """Y, dX and all gradients."""
    Y, backprop = model(X, is_train)
    dX = backprop(numpy.random.RandomState(2).normal(size=Y.shape).astype(Y.dtype))
    return [Y, dX, *(node.get_grad(name) for node in model.walk() for name in node.grad_names)]


def assert_same_bits(got, expected):
    assert [numpy.asarray(part).tobytes() for part in got] == [numpy.asarray(part).tobytes() for part in expected]
    assert len(expected) > 3 and all(part.dtype == expected[0].dtype for part in got)


def handed_on(model, X):
    """What the layer behind expand_window is given."""
    given = []
    reader = model.layers[1]
    call = type(reader).predict

    class Watched(Model):
        __slots__ = ()

        def predict(self, X):
            given.append(X)
            return call(self, X)

    reader.__class__ = Watched
    model.predict(X)
    return given[0]


@pytest.mark.parametrize("maxout", MAXOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nW", [0, 1, 2, 5])
def test_has_the_bits_of_windows_that_are_copied(ops, maxout, dtype, nW):
    with use_ops("numpy"):
        model = built(maxout, nW, dtype)
    for node in model.walk():
        node.ops = ops
    for T in (0, 1, 2, 3, 131):
        wide = numpy.repeat(rows(2 * T, dtype), 2, axis=1)
        for X in (rows(T, dtype), numpy.asfortranarray(rows(T, dtype)), wide[::2, ::2], wide[:T, 1 : I + 1]):
            before = X.tobytes()
            for is_train in (True, False):
                assert_same_bits(trained(model.copy(), X, is_train), trained(by_columns(model), X, is_train))
            assert model.predict(X).tobytes() == by_columns(model).predict(X).tobytes() and X.tobytes() == before


@pytest.mark.parametrize("kind", ["float16", "int8"])
@pytest.mark.parametrize("maxout", MAXOUTS)
def test_quantized(fast_ops, maxout, kind):
    model = quantize(built(maxout, 2), kind)
    for T in (0, 1, 2, 131):
        assert model.predict(rows(T)).tobytes() == by_columns(model).predict(rows(T)).tobytes()
    assert numpy.shares_memory(*handed_on(model, rows(9))[:2])
    with pytest.raises(ValueError, match="quantized"):
        model.begin_update(rows(3))


def test_the_windows_share_memory_and_cannot_be_written():
    windows = handed_on(built("maxout", 1), rows(9))
    assert windows.strides == (I * 4, 4) and not windows.flags.writeable
    assert (windows == NumpyOps().seq2col(rows(9), 1)).all()


def test_nobody_else_gets_them():
    class Products(NumpyOps):
        def gemm(self, x, y, out=None, trans1=False, trans2=False):
            assert x.flags.c_contiguous and x.flags.writeable
            return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)

    X = rows(9)
    assert handed_on(chain(expand_window(1), Linear(O, 3 * I)).initialize(), X).flags.writeable
    assert handed_on(chain(expand_window(1), residual(Maxout(3 * I, 3 * I))).initialize(), X).flags.writeable
    model = built("normalized", 1)
    expected = model.predict(X)
    for node in model.walk():
        node.ops = Products()
    assert handed_on(model, X).flags.writeable
    numpy.testing.assert_allclose(model.predict(X), expected, rtol=1e-4, atol=1e-5)
    replaced = built("normalized", 1)
    replaced.layers[1].layers[0] = Linear(O, 3 * I).initialize()
    assert handed_on(replaced, X).flags.writeable
    replaced.layers[:] = [expand_window(1)]
    assert replaced.predict(X).flags.writeable


def test_other_batches_and_mistakes_go_the_plain_way():
    model = built("maxout", 1)
    X, lengths = rows(9), numpy.array([4, 5], "i")
    ragged = Ragged(X, lengths)
    with pytest.raises(Exception) as error:
        model.predict(ragged)
    with pytest.raises(type(error.value)) as plain:
        by_columns(model).predict(ragged)
    assert str(error.value) == str(plain.value)
    for wrong in (X[0], X[None], X.astype("O"), [X], "text", X.astype("i"), X[:, :4]):
        with pytest.raises(Exception) as error:
            model.predict(wrong)
        with pytest.raises(type(error.value)) as plain:
            by_columns(model).predict(wrong)
        assert str(error.value) == str(plain.value)
        assert getattr(error.value, "__notes__", []) == getattr(plain.value, "__notes__", [])


def test_copies_and_hooks():
    model, X = built("normalized", 1), rows(9)
    expected = trained(model, X)
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.copy()):
        for node in same.walk():
            for name in node.grad_names:
                node.set_grad(name, node.get_grad(name) * 0)
        assert same._func is forward_windows
        assert_same_bits(trained(same, X), expected)
    with detect_anomaly(model):
        assert model.predict(X).tobytes() == expected[0].tobytes()
    with detect_anomaly():
        assert model.predict(X).tobytes() == expected[0].tobytes()
    model.layers[1].layers[0].get_param("W")[4, 2] = numpy.nan
    for watched in (detect_anomaly(model), detect_anomaly()):
        with watched, pytest.raises(Exception, match="(?i)maxout.*nan"):
            model.predict(X)
