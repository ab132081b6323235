"""What is done to n layers costs n, and a model is never put into itself."""

import sys
import time

import numpy
import pytest

from tests.toy_models import linear, node
from thinc.api import Linear, Model, Relu, add, chain, concatenate, noop, wrap_model_recursive
from thinc.model import _tree


def steps(run):
    """How many lines of thinc/model run: a measure that does not depend on the machine."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if "thinc" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
    return count


def flat(n):
    return node("root", layers=[node(str(i)) for i in range(n)])


def nested(n):
    model = node()
    for _ in range(n):
        model = node(layers=[model])
    return model


WORK = {
    "wrap_model_recursive": lambda model: wrap_model_recursive(model, lambda each: node("w", layers=[each])),
    "set_ref": lambda model: [model.set_ref(str(i), layer) for i, layer in enumerate(model.layers)],
    "replace_nodes": lambda model: model.replace_nodes({layer: node() for layer in model.layers}),
    "copy": lambda model: model.copy(),
    "to_dict": lambda model: model.to_dict(),
}


@pytest.mark.parametrize("tree", [flat, nested])
@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_n(name, tree):
    few, many = (steps(lambda n=n: WORK[name](tree(n))) for n in (100, 400))
    assert many < 4.6 * few


def test_a_thousand_layers_are_wrapped_in_no_time():
    model = flat(1000)
    start = time.perf_counter()
    wrapped = wrap_model_recursive(model, lambda each: node("w", layers=[each]))
    assert time.perf_counter() - start < 1.0  # (3.1 s when each was put in by itself)
    assert len(list(wrapped.walk())) == 2002
    assert all(layer.name == "w" for layer in model.layers)


def test_replace_nodes_is_replace_node_for_each():
    def tree():
        inner = node("b", layers=[node("c")], refs={})
        root = node("a", layers=[inner, inner, node("d")])
        root.set_ref("inner", inner)
        return root, inner

    made = []
    for at_once in (True, False):
        root, inner = tree()
        mapping = {each: node(each.name.upper(), layers=[each]) for each in [inner, root.layers[2], inner.layers[0]]}
        if at_once:
            root.replace_nodes(mapping)
        else:
            for old, new in mapping.items():
                assert root.replace_node(old, new)
        assert root.get_ref("inner") is root.layers[0] is root.layers[1]
        made.append([each.name for each in root.walk()])
    assert made[0] == made[1] == ["a", "B", "D", "b", "d", "C", "c"]


def test_a_wrapper_that_fails_changes_nothing():
    model = flat(3)

    def wrapper(each):
        if each.name == "1":
            raise ZeroDivisionError
        return node("w", layers=[each])

    with pytest.raises(ZeroDivisionError):
        wrap_model_recursive(model, wrapper)
    assert [layer.name for layer in model.layers] == ["0", "1", "2"]


@pytest.mark.parametrize("combine", [add, concatenate])
def test_a_sum_is_not_put_into_itself(combine):
    X = numpy.ones((2, 3), "f")
    model = combine(Linear(3, 3).initialize(), Linear(3, 3).initialize())
    for twice in (combine(model, model), combine(model, chain(model, noop()))):
        assert twice is not model and len(model.layers) == 2
        Y, backprop = twice.begin_update(X)
        assert backprop(Y).shape == X.shape
        parts = [layer.predict(X) for layer in twice.layers]
        expected = sum(parts) if combine is add else numpy.concatenate(parts, axis=1)
        numpy.testing.assert_allclose(Y, expected, rtol=1e-6)
    assert combine(model, noop()) is model  # as before
    assert not _tree.holds(noop(), model) and _tree.holds(twice, model.layers[0])


def test_finish_update_of_nothing_warns():
    class Optimizer:
        def __call__(self, key, weights, gradient):
            raise AssertionError

    for model in (linear(2, 3).initialize(), chain(Relu(2, 3), Linear(2, 2)).initialize()):
        with pytest.warns(UserWarning, match="changes nothing: none of its parameters has a gradient"):
            model.finish_update(Optimizer())
    for silent in (noop(), Linear(2, 3), Model("own", numpy.add)):
        silent.finish_update(Optimizer())


def test_moving_fails_as_a_whole():
    from thinc.api import NumpyOps

    class Small(NumpyOps):
        left = 1

        def asarray_f(self, data, *, dtype="float32"):
            if not self.left:
                raise MemoryError
            self.left -= 1
            return data + 1

    model = chain(Linear(2, 3), Linear(2, 2)).initialize()
    before = model.to_bytes()
    with pytest.raises(MemoryError):
        model._to_ops(Small())
    assert model.to_bytes() == before and not any(isinstance(each.ops, Small) for each in model.walk())
