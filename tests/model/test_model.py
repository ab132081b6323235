"""The model: construction, names and their three states, running, training."""

import threading
from contextlib import contextmanager

import numpy
import pytest

from tests.toy_models import forward, linear, linear_init, node, sequence
from thinc.backends import NumpyOps, ParamServer, get_current_ops
from thinc.model import Model, empty_init
from thinc.types import Floats2d
from thinc.util import DataValidationError, data_validation, gpu_is_available

# -- Construction


def test_containers_are_copied():
    given = {"dims": {"nO": 1}, "attrs": {"a": 1}, "layers": [node()], "refs": {}}
    model = node(**given)
    model.attrs["b"] = 2
    model.layers.append(node())
    model.set_dim("nO", 1)
    assert given["attrs"] == {"a": 1}
    assert len(given["layers"]) == 1


def test_ids_are_counted_up_across_subclasses_and_threads():
    class Special(Model):
        pass

    first = node().id
    assert Special("special", forward).id == first + 1
    assert Model.global_id == first + 1
    found = []

    def make():
        found.extend(node().id for _ in range(50))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(first + 2, first + 202))


def test_no_other_attributes():
    model = node()
    with pytest.raises(AttributeError):
        model.spelled_wrong = 1
    for name in ("layers", "shims", "attrs"):
        with pytest.raises(AttributeError):
            setattr(model, name, [])
    assert not hasattr(model, "__dict__")
    assert list(Model.__slots__) == [
        *("name", "id", "ops", "_func", "init", "_params", "_dims", "_attrs", "_refs"),
        *("_layers", "_shims", "_has_params"),
    ]


def test_ops_default_to_the_current_ones():
    assert node().ops is get_current_ops()
    ops = NumpyOps()
    assert node(ops=ops).ops is ops


def test_generic_annotation():
    assert Model[Floats2d, Floats2d].__origin__ is Model


# -- Dims, params, gradients, refs


def test_dims_have_three_states():
    model = node(dims={"nO": 3, "nI": None})
    assert [model.has_dim(name) for name in ("nO", "nI", "nX")] == [True, None, False]
    assert [model.maybe_get_dim(name) for name in ("nO", "nI", "nX")] == [3, None, None]
    assert model.get_dim("nO") == 3
    assert model.dim_names == ("nO", "nI")
    with pytest.raises(ValueError, match="'nI' for model 'node': value unset"):
        model.get_dim("nI")
    with pytest.raises(KeyError):
        model.get_dim("nX")
    with pytest.raises(KeyError):
        model.set_dim("nX", 2)


def test_dim_zero_is_set():
    assert node(dims={"nO": 0}).get_dim("nO") == 0


def test_set_dim_protects_a_value_that_is_in_use():
    model = node(dims={"nO": 3}, params={"W": None})
    model.set_dim("nO", 3)
    text = "Attempt to change dimension 'nO' for model 'node' from 3 to 4"
    with pytest.raises(ValueError, match=text):
        model.set_dim("nO", 4)
    model.set_dim("nO", 4, force=True)
    model.set_param("W", numpy.zeros(4))
    with pytest.raises(ValueError, match="from 4 to 5"):
        model.set_dim("nO", 5, force=True)
    assert model.get_dim("nO") == 4


def test_params_have_three_states():
    W = numpy.ones((2, 3), dtype="f")
    model = node(params={"W": W, "b": None})
    assert [model.has_param(name) for name in ("W", "b", "x")] == [True, None, False]
    assert model.get_param("W") is W
    assert model.maybe_get_param("W") is W
    assert model.maybe_get_param("b") is None
    assert model.maybe_get_param("x") is None
    assert model.param_names == ("W", "b")
    model.set_param("new", W)
    assert model.param_names == ("W", "b", "new")
    for name in ("b", "x"):
        with pytest.raises(KeyError):
            model.get_param(name)


def test_unset_param_keeps_its_array():
    W = numpy.ones(2)
    model = node(params={"W": W})
    model.set_param("W", None)
    assert model.has_param("W") is None
    assert model.maybe_get_param("W") is None
    assert model.get_param("W") is W


def test_unset_param_says_what_is_missing():
    model = linear(nO=3)
    with pytest.raises(KeyError) as caught:
        model.predict(numpy.ones((2, 5), dtype="f"))
    text = str(caught.value)
    for part in ("'W'", "'linear'", "nO=3", "nI unset", "initialize"):
        assert part in text
    assert not text.startswith('"')


def test_gradients():
    model = node(params={"W": numpy.zeros(2)})
    assert model.has_grad("W") is False
    assert model.maybe_get_grad("W") is None
    assert model.grad_names == ()
    with pytest.raises(KeyError):
        model.get_grad("W")
    dW = numpy.ones(2)
    model.inc_grad("W", dW)
    model.inc_grad("W", dW)
    assert list(model.get_grad("W")) == [2, 2]
    assert list(dW) == [1, 1]
    assert model.has_grad("W") is True
    assert model.grad_names == ("W",)
    model.set_grad("W", dW)
    assert model.get_grad("W") is dW
    assert model.get_gradients() == {(model.id, "W"): (model.get_param("W"), dW)}


def test_params_come_from_a_proxy():
    class Proxy:
        def get_param(self, model_id, name):
            return (model_id, name)

    model = node(params={"W": numpy.zeros(2)})
    model._params = ParamServer(proxy=Proxy())
    assert model.get_param("W") == (model.id, "W")


def test_refs_have_three_states():
    child = node("child")
    model = node(layers=[child], refs={"child": child, "other": None})
    known = [model.has_ref(name) for name in ("child", "other", "x")]
    assert known == [True, None, False]
    assert model.get_ref("child") is child
    assert model.maybe_get_ref("other") is None
    assert model.ref_names == ("child", "other")
    with pytest.raises(ValueError):
        model.get_ref("other")
    with pytest.raises(KeyError):
        model.get_ref("x")


def test_set_ref_wants_a_node_of_the_tree():
    child = node("child")
    model = node(layers=[child])
    model.set_ref("child", child)
    model.set_ref("self", model)
    model.set_ref("none", None)
    assert model.ref_names == ("child", "self", "none")
    with pytest.raises(ValueError, match="node not in tree"):
        child.set_ref("parent", model)


# -- Running


def test_running():
    calls = []

    def forward(model, X, *, is_train):
        calls.append(is_train)
        return X + 1, lambda dY: dY + 2

    model = Model("plus", forward)
    assert model.predict(1) == 2
    Y, backprop = model.begin_update(1)
    assert (Y, backprop(1)) == (2, 3)
    assert model(1, False)[0] == 2
    assert model(1, is_train=True)[0] == 2
    assert calls == [False, True, False, True]
    with pytest.raises(TypeError):
        model(1)


def test_initialize():
    X, Y = numpy.ones((7, 5), dtype="f"), numpy.ones((7, 3), dtype="f")
    model = linear()
    assert model.initialize(X, Y) is model
    assert model.get_param("W").shape == (3, 5)
    plain = node()
    assert plain.initialize() is plain
    assert plain.init(plain, X=1) is plain
    assert empty_init(plain, 1, 2, a=3) is plain


def test_replace_callbacks():
    model = linear()
    model.replace_callbacks(forward)
    assert model.init is None
    assert model.initialize(1, 2) is model
    assert model.predict("x") == "x"
    model.replace_callbacks(forward, init=linear_init)
    assert model.init is linear_init


def test_data_validation():
    model = linear()
    wrong = numpy.ones((7, 5), dtype="d")
    with data_validation(True):
        with pytest.raises(DataValidationError):
            model.initialize(wrong)
        model.initialize(wrong.astype("f"), numpy.ones((7, 3), dtype="f"))


def test_finish_update_updates_shims_first():
    calls = []

    class FakeShim:
        def finish_update(self, optimizer):
            calls.append("shim")

    def optimizer(key, param, grad):
        calls.append(key)
        grad *= 0
        return param - 1, grad

    inner = node("inner", params={"W": numpy.ones(2), "b": numpy.ones(2)})
    model = node("outer", layers=[inner, inner], shims=[FakeShim()])
    inner.set_grad("W", numpy.ones(2))
    assert model.finish_update(optimizer) is None
    assert calls == ["shim", (inner.id, "W")]
    assert list(inner.get_param("W")) == [0, 0]
    assert list(inner.get_param("b")) == [1, 1]
    assert list(inner.get_grad("W")) == [0, 0]


def test_training_lowers_the_loss():
    rng = numpy.random.default_rng(0)
    X = rng.normal(size=(11, 5)).astype("f")
    Y = X @ rng.normal(size=(5, 3)).astype("f")
    model = sequence(linear(3), linear(3)).initialize(X, Y)

    def sgd(key, param, grad):
        param -= 0.002 * grad
        grad *= 0
        return param, grad

    losses = []
    for _ in range(10):
        guess, backprop = model.begin_update(X)
        losses.append(float(((guess - Y) ** 2).sum()))
        assert backprop(guess - Y).shape == X.shape
        model.finish_update(sgd)
    assert losses[-1] < losses[0]


class Averages:
    """A shim that only records who uses its parameters."""

    def __init__(self):
        self.log = []

    @contextmanager
    def use_params(self, params):
        self.log.append("enter")
        try:
            yield
        finally:
            self.log.append("exit")


def test_use_params_restores():
    shim = Averages()
    inner = node(params={"W": numpy.zeros(2)}, shims=[shim])
    model = node(layers=[inner, inner], params={"b": numpy.zeros(1)})
    W, b = inner.get_param("W"), model.get_param("b")
    other = {(inner.id, "W"): numpy.ones(2), (0, "unknown"): numpy.ones(1)}
    with model.use_params(other):
        assert inner.get_param("W") is other[(inner.id, "W")]
        assert model.get_param("b") is b
        assert shim.log == ["enter"]
    assert inner.get_param("W") is W
    with pytest.raises(RuntimeError):
        with model.use_params(other):
            raise RuntimeError
    assert inner.get_param("W") is W
    assert shim.log == ["enter", "exit"] * 2


def test_use_params_of_an_unset_param():
    first = node(params={"W": numpy.zeros(2)})
    second = node(params={"W": None})
    model = node(layers=[first, second])
    W = first.get_param("W")
    params = {(first.id, "W"): W + 1, (second.id, "W"): W + 1}
    with pytest.raises(KeyError):
        with model.use_params(params):
            raise AssertionError("not reached")
    assert first.get_param("W") is W


@pytest.mark.skipif(gpu_is_available(), reason="there is a GPU")
def test_moving_to_a_gpu_that_is_not_there():
    model = linear(3, 2)
    with pytest.raises(ImportError, match="moving 'linear' to a GPU needs CuPy"):
        model.to_gpu(0)
