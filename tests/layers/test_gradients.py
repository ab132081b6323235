"""The gradient of every row is the derivative of its output, by finite differences."""

import copy
from typing import Any, Callable, Tuple

import numpy
import pytest

from tests.cases import LayerCase
from tests.layers.rows import CASES
from tests.layers.values import cast, float_arrays
from thinc.api import Linear, Model, NumpyOps, Ops
from thinc.layers.linear import forward as linear_forward
from thinc.testing import check_gradients


def params_only(model: Any, X: Any) -> Model:
    """A layer that runs `model` on X whatever its input: its parameters are left."""

    def forward(outer: Model, ignored: Any, is_train: bool) -> Tuple[Any, Callable]:
        Y, backprop = model(copy.deepcopy(X), is_train)

        def backprop_ignored(dY: Any) -> Any:
            backprop(dY)
            return ignored

        return Y, backprop_ignored

    return Model("params_only", forward, layers=[model])


def initialized(case: LayerCase) -> Tuple[Any, Any]:
    """The model, and a batch for it in float64."""
    numpy.random.seed(0)
    X = case.inputs(numpy.random.RandomState(1))
    model = case.build()
    model.initialize(X=cast(copy.deepcopy(X), "float32"), Y=case.outputs(X))
    return model, X


@pytest.mark.parametrize("ops_class", [Ops, NumpyOps])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_is_the_derivative(case, ops_class):
    model, X = initialized(case)
    has_params = any(node.param_names for node in model.walk())
    for node in model.walk():
        node.ops = ops_class()
    if has_params and not case.params_differentiable:
        pytest.skip(case.note)
    if not case.differentiable:
        if not has_params:
            pytest.skip(case.note)
        model, X = params_only(model, X), numpy.zeros(1, dtype="int32")
    elif not float_arrays(X):
        pytest.skip("no floats in the input, so there is no derivative")
    check_gradients(model, X, h=case.h, tolerance=case.tolerance, constants=case.constants)


def bias_counts_half(model: Any, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    Y, backprop = linear_forward(model, X, is_train)

    def backprop_wrong(dY: Any) -> Any:
        dX = backprop(dY)
        model.set_grad("b", model.get_grad("b") / 2)
        return dX

    return Y, backprop_wrong


def no_derivative_of_relu(model: Any, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    Y, backprop = linear_forward(model, X, is_train)
    return model.ops.relu(Y), backprop


def rows_reversed(model: Any, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    Y, backprop = linear_forward(model, X, is_train)
    return Y, lambda dY: backprop(dY)[::-1]


def weights_transposed(model: Any, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    Y, backprop = linear_forward(model, X, is_train)

    def backprop_wrong(dY: Any) -> Any:
        dX = backprop(dY)
        model.set_grad("W", model.get_grad("W").T)
        return dX

    return Y, backprop_wrong


@pytest.mark.parametrize("forward", [bias_counts_half, no_derivative_of_relu, rows_reversed, weights_transposed])
def test_a_broken_layer_is_found(forward):
    """The test above can fail: a square Linear, where a swapped axis fits."""
    X = numpy.random.RandomState(0).normal(size=(5, 3))
    model = Linear(3, 3).initialize()
    check_gradients(model, X)
    model.replace_callbacks(forward)
    with pytest.raises(AssertionError, match="linear"):
        check_gradients(model, X)
