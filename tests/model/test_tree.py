"""Models as trees: walking, editing, copying, moving, combining by operators."""

import threading

import numpy
import pytest

from tests.toy_models import forward, linear_init, names, node
from thinc.backends import NumpyOps, Ops
from thinc.model import Model, change_attr_values, context_operators, set_dropout_rate, wrap_model_recursive

# -- The tree


def diamond():
    a = node("a")
    b = node("b", layers=[a])
    return node("c", layers=[b, a, b]), b, a


@pytest.mark.parametrize("order,expected", [("bfs", "cba"), ("dfs_pre", "cba"), ("dfs_post", "abc")])
def test_walk(order, expected):
    assert names(diamond()[0].walk(order=order)) == expected


def test_walk_orders_differ():
    left = node("b", layers=[node("d"), node("e")])
    root = node("a", layers=[left, node("c")])
    assert names(root.walk()) == "abcde"
    assert names(root.walk(order="dfs_pre")) == "abdec"
    assert names(root.walk(order="dfs_post")) == "debca"


def test_walk_complains_at_the_call():
    with pytest.raises(ValueError, match="Invalid order"):
        node().walk(order="sideways")


def test_walk_a_cycle_and_a_deep_tree():
    a = node("a")
    b = node("b", layers=[a])
    a.layers.append(b)
    assert names(b.walk()) == "ba"
    assert names(b.walk(order="dfs_post")) == "ab"
    deep = node("x")
    for _ in range(3000):
        deep = node("x", layers=[deep])
    for order in ("bfs", "dfs_pre", "dfs_post"):
        assert len(list(deep.walk(order=order))) == 3001


def test_remove_node():
    root, b, a = diamond()
    root.set_ref("b", b)
    root.set_ref("unset", None)
    b.set_ref("a", a)
    layers = root.layers
    root.remove_node(b)
    assert root.layers is layers
    assert names(root.walk()) == "ca"
    assert root.has_ref("b") is None
    root.remove_node(a)
    assert names(root.walk()) == "c"


def test_replace_node_everywhere():
    root, b, a = diamond()
    root.set_ref("a", a)
    root.set_ref("unset", None)
    b.set_ref("a", a)
    wrapper = node("w", layers=[a])
    assert root.replace_node(a, wrapper) is True
    assert names(root.layers) == "bwb"
    assert b.layers == [wrapper]
    assert wrapper.layers == [a]
    assert root.get_ref("a") is wrapper
    assert b.get_ref("a") is wrapper
    assert root.replace_node(node(), wrapper) is False
    assert root.replace_node(root, wrapper) is True


def test_wrap_model_recursive():
    root, b, a = diamond()
    calls = []

    def wrapper(inner):
        calls.append(inner.name)
        return node(inner.name.upper(), layers=[inner])

    wrapped = wrap_model_recursive(root, wrapper)
    assert calls == ["c", "b", "a", "c"]
    assert names(wrapped.walk(order="dfs_pre")) == "CcBbAa"
    assert wrapped.layers == [root]


def test_attrs_over_the_tree():
    child = node("child", attrs={"dropout_rate": 0.0, "rate": 1})
    model = node("root", layers=[child])
    mapping = {"child": {"rate": 2, "unknown": 3}, "other": {"rate": 4}}
    assert change_attr_values(model, mapping) is model
    assert child.attrs == {"dropout_rate": 0.0, "rate": 2}
    assert set_dropout_rate(model, 0.5) is model
    assert child.attrs["dropout_rate"] == 0.5
    assert model.attrs == {}
    set_dropout_rate(model, 0.25, attrs=["rate"])
    assert child.attrs == {"dropout_rate": 0.5, "rate": 0.25}


# -- Copies


def test_copy():
    shim = numpy.zeros(3)  # anything with a copy method
    inner = node("inner", dims={"nO": 2}, params={"W": numpy.ones(2), "b": None}, attrs={"list": [1]}, shims=[shim])
    inner.set_grad("W", numpy.ones(2))
    outside = node("outside")
    model = Model(
        "model",
        forward,
        layers=[inner, inner],
        shims=[shim],
        init=linear_init,
        refs={"inner": inner, "unset": None, "outside": outside},
    )
    twin = model.copy()
    (first, second) = twin.layers
    assert first is second
    assert first is not inner
    assert twin._func is forward
    assert twin.init is linear_init
    assert twin.ops is model.ops
    assert len({model.id, inner.id, twin.id, first.id}) == 4
    assert first.get_param("W") is not inner.get_param("W")
    assert first.get_grad("W") is not inner.get_grad("W")
    assert list(first.get_param("W")) == list(first.get_grad("W")) == [1, 1]
    assert first.has_param("b") is None
    assert first.attrs["list"] is not inner.attrs["list"]
    assert first.get_dim("nO") == 2
    assert first.shims[0] is twin.shims[0]
    assert first.shims[0] is not shim
    # Refs into the tree come along, others cannot.
    assert twin.get_ref("inner") is first
    assert twin.has_ref("unset") is None
    assert twin.has_ref("outside") is None


def test_copy_of_a_model_frees_its_memory():
    # Nothing a model makes by itself points back at it: it goes with its last name.
    class Watched(Model):
        gone = False

        def __del__(self):
            Watched.gone = True

    model = Watched("watched", forward)
    del model
    assert Watched.gone


def test_to_cpu_converts_params_and_moves_shims():
    class Device:
        def to_device(self, device_type, device_id):
            self.device = (device_type, device_id)

    shim = Device()
    model = node(params={"W": numpy.ones(2, dtype="d"), "b": None}, shims=[shim], ops=Ops())
    model.set_grad("W", numpy.ones(2, dtype="d"))
    assert node(layers=[model]).to_cpu() is None
    assert isinstance(model.ops, NumpyOps)
    assert model.get_param("W").dtype == model.get_grad("W").dtype == "float32"
    assert shim.device == ("cpu", -1)


# -- Operators

ALL_OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "@": lambda a, b: a @ b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "&": lambda a, b: a & b,
    "^": lambda a, b: a ^ b,
    "|": lambda a, b: a | b,
}


@pytest.mark.parametrize("operator", ALL_OPERATORS)
def test_operator(operator):
    apply = ALL_OPERATORS[operator]
    model = node()
    with Model.define_operators({operator: lambda a, b: (a, b)}):
        assert apply(model, "anything") == (model, "anything")
        with pytest.raises(TypeError):
            apply("anything", model)
    with pytest.raises(TypeError, match="Undefined operator"):
        apply(model, model)


def test_operators_do_not_merge_and_come_back():
    model = node()
    with Model.define_operators({"+": lambda a, b: "+", "-": lambda a, b: "-"}):
        with Model.define_operators({"+": lambda a, b: "inner"}):
            assert model + 1 == "inner"
            with pytest.raises(TypeError):
                model - 1
        assert model + 1 == "+"
    with pytest.raises(RuntimeError):
        with Model.define_operators({"+": lambda a, b: None}):
            raise RuntimeError
    assert Model._context_operators.get() == {}
    assert Model._context_operators is context_operators


def test_operators_are_of_one_thread():
    seen = []
    with Model.define_operators({"+": lambda a, b: None}):
        thread = threading.Thread(target=lambda: seen.append(Model._context_operators.get()))
        thread.start()
        thread.join()
    assert seen == [{}]
