"""Ids of nodes: no two alike in a process, and an optimizer goes on with the model it came with."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from numpy.testing import assert_array_equal

from tests.shared import ROOT
from tests.toy_models import linear, node
from thinc.api import Adam, Linear, Model, Relu, Shim, chain, concatenate

X = numpy.random.RandomState(0).normal(size=(6, 4)).astype("f")


def trained(steps=3):
    numpy.random.seed(1)
    model = chain(Relu(5, 4), Linear(3, 5)).initialize()
    optimizer = Adam(0.1)
    for _ in range(steps):
        step(model, optimizer)
    return model, optimizer


def step(model, optimizer):
    Y, backprop = model.begin_update(X)
    backprop(Y - 1)
    model.finish_update(optimizer)
    return model.to_bytes()


def ids(*models):
    return [each.id for model in models for each in model.walk()]


def pickled(obj):
    return pickle.loads(pickle.dumps(obj))


MADE = {
    "pickle": pickled,
    "pickle 2": lambda obj: pickle.loads(pickle.dumps(obj, 2)),
    "python's pickle": lambda obj: pickle._loads(pickle._dumps(obj)),
    "deepcopy": copy.deepcopy,
    "copy": lambda model: model.copy(),
    "copy.copy": copy.copy,
}


@pytest.mark.parametrize("how", MADE)
def test_no_two_nodes_have_one_id(how):
    old = Linear(4, 4).initialize()
    new = MADE[how](old)
    third = MADE[how](old)
    both = concatenate(old, new, third)
    assert len(set(ids(both))) == 4
    Y, backprop = both.begin_update(X)
    backprop(Y)
    assert len(both.get_gradients()) == 6
    assert_array_equal(new.get_grad("W"), Y[:, 4:8].T @ X)


def test_a_model_of_another_process_takes_no_id_of_this_one(tmp_path):
    (tmp_path / "m").write_bytes(pickle.dumps(Linear(4, 4).initialize()))
    code = f"""
import pickle, thinc.api as t
new = t.Linear(4, 4)
model = t.concatenate(pickle.load(open({str(tmp_path / "m")!r}, "rb")), new).initialize()
assert len({{node.id for node in model.walk()}}) == 3
averages = {{(model.layers[1].id, "W"): model.layers[1].get_param("W") + 1}}
before = model.layers[0].get_param("W").copy()
with model.use_params(averages):
    assert (model.layers[0].get_param("W") == before).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("how", ["pickle", "pickle 2", "python's pickle", "deepcopy"])
@pytest.mark.parametrize("order", ["model first", "optimizer first"])
def test_a_pair_goes_on_with_the_same_bits(how, order):
    model, optimizer = trained()
    if order == "model first":
        model2, optimizer2 = MADE[how]((model, optimizer))
    else:
        optimizer2, model2 = MADE[how]((optimizer, model))
    assert not set(ids(model)) & set(ids(model2))
    assert {key[0] for key in optimizer2.mom1} == {each.id for each in model2.layers}
    for kept in (optimizer2.mom2, optimizer2.averages, optimizer2.nr_update):
        assert set(kept) == set(optimizer2.mom1)
    for _ in range(3):
        assert step(model2, optimizer2) == step(model, optimizer)
    with model.use_params(optimizer.averages), model2.use_params(optimizer2.averages):
        assert model.to_bytes() == model2.to_bytes()
    assert step(*MADE[how]((model2, optimizer2))) == step(model2, optimizer2) == step(model, optimizer)


CHILD = """
import pickle, sys
from tests.model.test_identity import *
Linear(1, 1), Linear(1, 1)
parts = [pickle.loads(part) for part in pickle.load(open(sys.argv[1], "rb"))]
model, optimizer = sorted(parts, key=lambda part: not isinstance(part, Model))
open(sys.argv[1], "wb").write(step(model, optimizer))
"""


@pytest.mark.parametrize("first", ["model", "optimizer"])
def test_two_pickles_in_another_process(first, tmp_path):
    model, optimizer = trained()
    parts = [pickle.dumps(model), pickle.dumps(optimizer)]
    (tmp_path / "parts").write_bytes(pickle.dumps(parts if first == "model" else parts[::-1]))
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "parts")], check=True, cwd=ROOT)
    assert (tmp_path / "parts").read_bytes() == step(model, optimizer)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_an_optimizer_alone_goes_on_with_the_model_it_was_made_for(how):
    model, optimizer = trained()
    copied = MADE[how](model)
    optimizer2 = MADE[how](optimizer)
    expected = step(copied.copy(), Adam(0.1))
    assert step(copied, optimizer2) == expected  # (unknown to it: a first step)
    data = model.to_bytes()
    after = step(model, optimizer)
    assert step(model.from_bytes(data), optimizer2) == after


@pytest.mark.parametrize("optimizer_first", [False, True])
def test_a_pair_of_an_earlier_release(optimizer_first):
    """As written before ids were restored anew: plain numbers in both."""
    model, optimizer = trained()
    names = [name for name in optimizer.__slots__ if name != "__weakref__"]
    optimizer2 = Adam(0.1)
    nodes = [Model.__new__(Model) for _ in model.walk()]
    fill = [lambda: optimizer2.__setstate__((None, {name: getattr(optimizer, name) for name in names}))]
    for made, old in zip(nodes, model.walk()):
        state = (None, {name: getattr(old, name) for name in Model.__slots__})
        fill.append(lambda made=made, state=state: made.__setstate__(state))
    for each in fill if optimizer_first else fill[::-1]:
        each()
    known = {made.id for made in nodes}
    assert not known & set(ids(model))
    for name in ("mom1", "mom2", "averages", "nr_update"):
        assert {key[0] for key in getattr(optimizer2, name)} == {made.id for made in nodes[1:]}
        assert len(getattr(optimizer2, name)) == len(getattr(optimizer, name))
    (mom1,) = [value for key, value in optimizer2.mom1.items() if key == (nodes[1].id, "W")]
    assert mom1 is optimizer.mom1[model.layers[0].id, "W"]


def test_layers_shared_and_refs_stay_so():
    inner = linear(2, 3).initialize()
    model = node("root", layers=[inner, node("mid", layers=[inner])], refs={"inner": inner, "unset": None})
    for how in ("pickle", "python's pickle", "deepcopy"):
        twin, again = MADE[how]((model, inner))
        assert twin.layers[0] is twin.layers[1].layers[0] is twin.get_ref("inner") is again
        assert again is not inner and twin.has_ref("unset") is None


class Own(Model):
    def __init__(self, *args):
        super().__init__(*args)
        self.extra = [self]


class Copies(Model):
    def __deepcopy__(self, memo):
        return self


def test_subclasses():
    own = Own("own", numpy.add)
    for how in ("pickle", "python's pickle", "deepcopy"):
        twin = MADE[how](own)
        assert twin.extra[0] is twin and twin.id != own.id and twin.name == "own"
    kept = Copies("kept", numpy.add)
    assert copy.deepcopy(node(layers=[kept])).layers[0] is kept


class Weights(Shim):
    """One vector that the optimizer updates."""

    def finish_update(self, optimizer):
        optimizer((self.id, "w"), self._model, numpy.ones(3, "f"))


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_shims(how):
    shim = Weights(numpy.zeros(3, "f"))
    model, optimizer = node(shims=[shim]), Adam(0.1)
    assert shim.id not in ids(model) and shim.copy().id != shim.id
    model.finish_update(optimizer)
    for swap in (1, -1):
        twin, optimizer2 = MADE[how]((model, optimizer)[::swap])[::swap]
        (shim2,) = twin.shims
        assert shim2.id != shim.id and set(optimizer2.mom1) == {(shim2.id, "w")}


@pytest.mark.parametrize("depth", [100, 3000])
def test_deep_trees(depth):
    model = linear(2, 2).initialize()
    inner = model
    for _ in range(depth):
        model = node(layers=[model])
    made = {"copy", "deepcopy", "pickle"} | ({"python's pickle"} if depth == 100 else set())
    for how in made:
        twin = MADE[how]((model, inner) if how != "copy" else model)
        twin, last = twin if how != "copy" else (twin, list(twin.walk())[-1])
        walked = list(twin.walk())
        assert len(walked) == depth + 1 and walked[-1] is last
        assert_array_equal(last.get_param("W"), inner.get_param("W"))
    assert model.to_bytes() == twin.to_bytes()


def test_many_threads_make_no_two_alike():
    model = chain(Relu(5, 4), Linear(3, 5)).initialize()
    with ThreadPoolExecutor(8) as pool:
        twins = list(pool.map(lambda i: MADE[("pickle", "deepcopy", "copy")[i % 3]](model), range(90)))
    assert len(set(ids(model, *twins))) == 91 * 3
