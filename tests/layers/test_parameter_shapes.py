"""A parameter of another shape than the dims say never gets into a layer, whichever layer it is."""

import math

import numpy
import pytest

from tests.layers.rows import CASES
from tests.layers.values import initialized
from thinc.api import LSTM, Embed, Linear, Model, SparseLinear_v2, chain, resizable
from thinc.layers.resizable import resize_linear_weighted, resize_model

WITH_PARAMS = [
    case
    for case in CASES
    if any(node.param_names for node in case.build().walk()) and not case.name.startswith("with_")
]


def other_shapes(shape):
    """Shapes that could broadcast against this one, or whose bytes a kernel could take for it."""
    yield from ((), (1,), (*shape, 1), (1, *shape), (0, *shape[1:]), (shape[0] + 1, *shape[1:]))
    yield (*shape[:-1], shape[-1] + 1)
    if len(shape) > 1:
        yield shape[::-1]
        yield (math.prod(shape),)


@pytest.mark.parametrize("case", WITH_PARAMS, ids=str)
def test_refuses_a_parameter_of_another_shape(case):
    model, _ = initialized(case)
    for node in model.walk():
        for name in filter(node.has_param, node.param_names):
            old = node.get_param(name)
            for shape in set(other_shapes(old.shape)) - {old.shape}:
                with pytest.raises(ValueError) as caught:
                    node.set_param(name, numpy.zeros(shape, old.dtype))
                assert f"Parameter '{name}' of layer '{node.name}'" in str(caught.value)
                assert str(old.shape) in str(caught.value), "what was expected"
                assert f"got {shape}" in str(caught.value)
                assert node.get_param(name) is old
            node.set_param(name, old.copy())


def test_states_the_shapes_of_every_layer_with_parameters():
    silent = {
        node.name
        for case in CASES
        for node in case.build().walk()
        if node.param_names and set(node.param_names) != set(getattr(node._func, "param_shapes", ()))
    }
    assert silent == set()


def test_says_what_the_dims_are():
    with pytest.raises(ValueError, match=r"expected shape \(3,\) as its dims say \(nO=3, nI=5\), got \(3, 1\)"):
        Linear(3, 5).set_param("b", numpy.zeros((3, 1), "f"))
    with pytest.raises(ValueError, match=r"expected shape \(any, 5\)"):
        Linear(None, 5).set_param("W", numpy.zeros((3, 4), "f"))
    with pytest.raises(ValueError, match=r"expected shape \(192,\)"):
        SparseLinear_v2(3, 64).set_param("W", numpy.zeros(193, "f"))
    with pytest.raises(ValueError, match=r"expected shape \(2, 1, 1, 3\)"):
        LSTM(3, 5).set_param("HC0", numpy.zeros((5, 1, 1, 3), "f"))
    with pytest.raises(ValueError, match=r"expected shape \(11, 3\)"):
        Embed(3, 11).set_param("E", numpy.zeros((11, 4), "f"))


def test_takes_any_shape_where_no_dim_is_set_or_nothing_is_stated():
    Linear().set_param("W", numpy.zeros((3, 4), "f"))
    Model("mine", lambda model, X, is_train: (X, None), params={"W": numpy.zeros((3, 4), "f")}, dims={"nO": 2})


def test_a_resized_layer_is_checked_by_its_new_dims():
    model = resizable(Linear(2, 5), resize_linear_weighted).initialize()
    resize_model(model, 4)
    layer = model.layers[0]
    layer.set_param("b", numpy.zeros(4, "f"))
    with pytest.raises(ValueError, match=r"expected shape \(4,\)"):
        layer.set_param("b", numpy.zeros(2, "f"))


def test_parameters_that_come_from_bytes_and_averages_are_checked():
    model = chain(Linear(3, 5), Linear(2, 3)).initialize()
    message = model.to_dict()
    message["params"][1]["b"] = numpy.zeros((3, 1), "f")
    with pytest.raises(ValueError, match="Parameter 'b'|param.*'b'"):
        model.from_dict(message)
    linear = model.layers[0]
    with pytest.raises(ValueError, match="Parameter 'b'"):
        with model.use_params({(linear.id, "b"): numpy.zeros(1, "f")}):
            pass
