"""The way from an op to its kernel: a compiled function is the method, and no way leads past the readable formula."""

import inspect
import re
from pathlib import Path

import numpy
import pytest

import thinc
from tests.cases.ops import CASES
from thinc.api import Adam, Linear, NumpyOps, Ops, registry, use_ops
from thinc.backends._kernels import norms
from thinc.backends._updates import Step

KERNELS = Path(norms.__file__).parent
COMPILED = {
    name: method
    for name, method in vars(NumpyOps).items()
    if getattr(method, "__module__", "").startswith("thinc.backends._kernels.")
}
# Those whose annotation promises None; scatter_add's does not, but the interface does.
IN_PLACE = {"scatter_add", "backprop_hash_embed", "backprop_sparse_linear"}
IN_PLACE |= {"optimizer_step", "update_all", "update_averages"}


def wrappers(text):
    """(name, parameters, body) of the methods in the text of a .pyx."""
    for found in re.finditer(r"^def (\w+)\(self,?((?:.|\n)*?)\):\n((?: .*\n|\n)*)", text, re.MULTILINE):
        name, parameters, body = found.groups()
        names = [p.split("=")[0].split()[-1] for p in parameters.split(",") if p.strip() not in ("", "*")]
        yield name, names, body


def faults(text):
    """What is wrong with the methods in the text of a .pyx."""
    for name, names, body in wrappers(text):
        method = {"forward": "_forward", "backward": "_backward"}.get(name, name)
        calls = re.findall(r"fallback\(\s*self, \"(\w+)\", ([^\n]*(?:\n[^\n]*)?)\)", body)
        if not calls:
            yield f"{name} has no fallback"
        for called, args in calls:
            missing = [n for n in names if not re.search(rf"\b{n}\b|arrays|left", args)]
            if called != method or (missing and name != "adam"):
                yield f"{name} falls back on {called} without {missing}"
        if name not in IN_PLACE and re.search(r"return None|return\n", body):
            yield f"{name} returns None"
        if not body.rstrip().rpartition("\n")[2].strip().startswith(("return", "raise")):
            yield f"{name} can end without an answer"


SOURCES = {path.name: path.read_text() for path in sorted(KERNELS.glob("*.pyx"))}


@pytest.mark.parametrize("source", SOURCES)
def test_every_wrapper_falls_back(source):
    assert list(faults(SOURCES[source])) == []


def test_every_compiled_method_was_read():
    read = {name for text in SOURCES.values() for name, _, _ in wrappers(text)}
    assert {method.__name__ for method in COMPILED.values()} <= read and len(COMPILED) > 45


@pytest.mark.parametrize(
    "fault, wrong, says",
    [
        ('return fallback(self, "layer_norm", (X, G, b, eps))', "return None", "has no fallback"),
        ('return fallback(self, "layer_norm", (X, G, b, eps))', "pass", "has no fallback"),
        ('"layer_norm", (X, G, b, eps)', '"layer_norm", (X, G, b)', "without ['eps']"),
        ('"layer_norm", (X,', '"softmax", (X,', "falls back on softmax"),
        ("    return Y, mu, rstd\n", "    Y\n", "without an answer"),
    ],
)
def test_a_forgotten_fallback_is_found(fault, wrong, says):
    assert fault in SOURCES["norms.pyx"]
    planted = SOURCES["norms.pyx"].replace(fault, wrong)
    assert any(says in found for found in faults(planted))


class Asked(Exception):
    pass


@pytest.mark.parametrize("name", sorted({case.name for case in CASES if case.name in COMPILED}))
def test_what_the_kernels_do_not_cover_reaches_the_readable_formula(name):
    """(of longdouble and int16 there is no kernel, and none of other shapes than those it is for)"""

    def readable(self, *args, **kwargs):
        raise Asked

    class Between(Ops):
        pass

    setattr(Between, name, readable)
    ops = type("Both", (NumpyOps, Between), {})(use_blis=False)
    case = next(case for case in CASES if case.name == name)
    others = {"f": "longdouble", "b": "int16"}  # by the letters of float32 and int8
    args = [
        numpy.array(["a"]) if name in ("hash", "ngrams") and isinstance(arg, numpy.ndarray) else
        arg.astype(others[arg.dtype.char]) if isinstance(arg, numpy.ndarray) and arg.dtype.char in others else arg
        for arg in case.args(numpy.random.RandomState(0), "float32")
    ]  # fmt: skip
    with pytest.raises(Asked):
        getattr(ops, name)(*args, **case.kwargs)


def test_classes_between_and_above_are_respected():
    class Loud(NumpyOps):
        def layer_norm(self, X, G, b, eps=1e-8):
            Y, mu, rstd = super().layer_norm(X, G, b, eps)
            return Y + 100, mu, rstd

    X, v = numpy.array([[1, 2, 4]], "float16"), numpy.ones(3, "float16")
    assert (Loud().layer_norm(X, v, v)[0] > 90).all()
    assert (Loud().layer_norm(X.astype("f"), v.astype("f"), v.astype("f"))[0] > 90).all()
    with pytest.raises(TypeError, match="no readable formula"):
        norms.layer_norm(object(), X, v, v)


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_signature_and_text_are_those_of_the_formula(name):
    mine, readable = COMPILED[name], getattr(Ops, name)
    assert mine.__doc__ == readable.__doc__
    parameters = [
        [(p.name, p.default) for p in inspect.signature(method).parameters.values()] for method in (mine, readable)
    ]
    assert parameters[0] == parameters[1]


# ---- what another backend has in place of ours is asked

W, G = numpy.ones((3, 2), "f"), numpy.full((3, 2), 0.5, "f")


def counting(base, op):
    """A subclass of the backend that counts how often the op is asked."""

    def method(self, *args, **kwargs):
        self.asked += 1
        return getattr(super(cls, self), op)(*args, **kwargs)

    cls = type("Counting", (base,), {op: method, "asked": 0, "name": "counting"})
    return cls


@pytest.mark.parametrize("base", [NumpyOps, Ops])
@pytest.mark.parametrize("op", ["optimizer_step", "adam", "clip_gradient", "update_all"])
def test_a_registered_backend_is_asked_for_its_steps(base, op):
    cls = counting(base, op)
    registry.ops.register("Counting", func=cls)
    want, optimizer = Linear(2, 3), Adam(0.1)
    with use_ops("counting"):
        model = Linear(2, 3).initialize()
        assert type(model.ops) is cls
        model.set_grad("W", model.ops.asarray(numpy.ones((2, 3), "f")))
        want = NumpyOps().asarray(model.get_param("W")).copy()
        for _ in range(3):
            model.inc_grad("W", numpy.ones((2, 3), "f"))
            from thinc.api import get_current_ops

            ops = get_current_ops()
            before = ops.asked
            model.finish_update(optimizer)
            assert ops.asked > before
    assert (model.get_param("W") < want).all()


PRODUCTS = {
    "affine": (W, numpy.ones((4, 2), "f"), numpy.ones(4, "f")),
    "affine_maxout": (W, numpy.ones((4, 5, 2), "f"), numpy.ones((4, 5), "f")),
    "affine_maxout_layer_norm": (
        W,
        numpy.ones((4, 5, 2), "f"),
        numpy.ones((4, 5), "f"),
        *(numpy.ones(4, "f"), numpy.ones(4, "f")),
    ),
}


@pytest.mark.parametrize("op", PRODUCTS)
def test_a_backend_with_products_of_its_own_is_asked_for_them(op):
    ops = counting(NumpyOps, "gemm")()
    got, want = (getattr(o, op)(*PRODUCTS[op]) for o in (ops, NumpyOps()))
    assert ops.asked == 1
    for one, other in zip(got, want):
        numpy.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("op, args", [("hash_embed", ()), ("backprop_hash_embed", (numpy.ones((3, 2), "f"),))])
def test_a_backend_with_hashes_of_its_own_is_asked_for_them(op, args):
    ops = counting(NumpyOps, "hash")()
    getattr(ops, op)(numpy.ones((5, 2), "f"), *args, numpy.arange(3, dtype="uint64"), 1)
    assert ops.asked == 1


def test_replacing_a_method_later_is_noticed(monkeypatch):
    class Mine(NumpyOps):
        pass

    ops = Mine()
    ops.affine(*PRODUCTS["affine"])
    monkeypatch.setattr(NumpyOps, "gemm", lambda self, x, y, **kwargs: numpy.full((3, 4), 7.0))
    assert (ops.affine(*PRODUCTS["affine"]) == 8).all()


# ---- all gradients are checked before the first weight moves


@pytest.mark.parametrize("spoil", ["shape", "dtype", "read-only"])
@pytest.mark.parametrize("backend", ["numpy", "base"])
def test_a_step_of_all_or_none(spoil, backend):
    from thinc.api import Relu, Softmax, chain

    registry.ops.register("base", func=type("Base", (Ops,), {"name": "base"}))
    with use_ops(backend):
        model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        first, last = model.layers
        optimizer = Adam(0.1)
        for node in (first, last):
            for name in ("W", "b"):
                node.set_grad(name, numpy.ones_like(node.get_param(name)))
        bad = last.get_grad("b")
        if spoil == "shape":
            last._params._grads[last.id, "b"] = bad[:1]
        elif spoil == "dtype":
            last._params._grads[last.id, "b"] = bad.astype("int32")
        else:
            bad.flags.writeable = False
            last._params._grads[last.id, "b"] = bad
        before = model.to_bytes()
        with pytest.raises(ValueError, match="finish_update of layer 'softmax': b: .*Nothing was updated"):
            model.finish_update(optimizer)
        assert model.to_bytes() == before
        assert not optimizer.mom1 and not optimizer.nr_update
        assert first.get_grad("W").all()


def test_the_numbers_of_a_step_have_one_order():
    header = next(path for path in Path(thinc.get_include()).glob("*.hh") if "enum StepSetting" in path.read_text())
    listed = re.search(r"enum StepSetting \{(.*?)N_STEP_SETTINGS", header.read_text(), re.DOTALL).group(1)
    names = re.findall(r"\bSTEP_(\w+)", listed)
    assert names == ["KIND", "GRAD_SCALE", "L2", "LR", "B1", "B2", "EPS", "DECAY", "EMA"]
    assert Step._fields == (
        *("kind", "grad_clip", "L2", "learn_rate", "beta1", "beta2", "eps", "weight_decay", "rest"),
        "lazy",
    )
