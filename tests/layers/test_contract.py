"""What every layer promises, for every row: nobody has to ask for these tests."""

import copy
from typing import Any, Tuple

import numpy
import pytest

from tests.layers.rows import CASES, EXEMPT
from tests.layers.values import (
    as_rows,
    assert_same,
    assert_same_structure,
    float_arrays,
    gradients,
    initialized,
    noise,
    split,
)
from thinc.api import Model, NumpyOps, get_width, registry


class OpsWithoutDropout(NumpyOps):
    def get_dropout_mask(self, shape: Any, drop: Any) -> Any:
        assert not drop, "dropout in a prediction"
        return super().get_dropout_mask(shape, drop)


def train(model: Any, X: Any) -> Tuple[Any, Any]:
    """A forward pass with the same random numbers every time."""
    numpy.random.seed(0)
    return model(X, is_train=True)


def test_every_registered_layer_has_a_row():
    registered = {name for name in registry.layers.get_all() if "spacy" not in name}
    covered = {case.name for case in CASES}
    assert registered - covered - set(EXEMPT) == set()
    assert set(EXEMPT) - registered == set(), "exempt, but not registered"
    assert set(EXEMPT) & covered == set(), "exempt, but has a row"


def test_rows_have_names_of_their_own():
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output(case):
    """Training and predicting give the same kind of output, of the declared width."""
    model, X = initialized(case)
    Y = model.predict(X)
    Y_train, _ = train(model, X)
    if model.attrs.get("softmax_normalize") is not False:
        assert_same_structure(Y_train, Y)
    assert all(A.dtype == "float32" for A in float_arrays(Y))
    first = Y[0] if isinstance(Y, (list, tuple)) and len(Y) else Y
    if model.has_dim("nO") and getattr(first, "ndim", 2) > 1 and len(first):
        assert get_width(Y) == model.get_dim("nO")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_is_like_the_input(case):
    model, X = initialized(case)
    Y, backprop = train(model, X)
    dX = backprop(noise(Y, 2))
    if case.differentiable:
        assert_same_structure(dX, X)
    for node in model.walk():
        for name in node.grad_names:
            assert_same_structure(node.get_grad(name), node.get_param(name))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inputs_stay_as_they_are(case):
    model, X = initialized(case)
    X_before = copy.deepcopy(X)
    model.predict(X)
    assert_same(X, X_before)
    Y, backprop = train(model, X)
    dY = noise(Y, 2)
    dY_before = copy.deepcopy(dY)
    backprop(dY)
    assert_same(X, X_before)
    assert_same(dY, dY_before)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batch_equals_its_items(case):
    model, X = initialized(case)
    if not case.batch_consistent:
        pytest.skip(case.note)
    items = split(X)
    if not items:
        pytest.skip("an empty batch has no items")
    batch = as_rows(model.predict(X))
    singles = [as_rows(model.predict(item)) for item in items]
    for whole, parts in zip(batch, zip(*singles)):
        parts = [part for part in parts if part.size]
        assert_same(numpy.concatenate(parts), whole, tolerance=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_add(case):
    model, X = initialized(case)
    Y, backprop = train(model, X)
    dY = noise(Y, 2)
    dX = backprop(dY)
    once = gradients(model)
    Y, backprop = train(model, X)
    assert_same(backprop(dY), dX, tolerance=1e-6)
    twice = gradients(model)
    assert once.keys() == twice.keys()
    for key in once:
        assert_same(twice[key], 2 * once[key], tolerance=1e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_predictions_are_not_random(case):
    model, X = initialized(case)
    Y = copy.deepcopy(model.predict(X))
    for node in model.walk():
        node.ops = OpsWithoutDropout()
    numpy.random.seed(5)
    assert_same(model.predict(X), Y)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bytes_round_trip(case):
    model, X = initialized(case)
    loaded = case.build()
    data = model.to_bytes()
    loaded.from_bytes(data)
    assert loaded.to_bytes() == data
    assert_same(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_copy_is_independent(case):
    model, X = initialized(case)
    Y = copy.deepcopy(model.predict(X))
    copied = model.copy()
    assert isinstance(copied, Model)
    assert_same(copied.predict(X), Y)
    for node in copied.walk():
        for name in node.param_names:
            if node.has_param(name):
                node.get_param(name)[...] = 3
    assert_same(model.predict(X), Y)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float64(case):
    """Double precision in, double precision out, forward and backward."""
    model, _ = initialized(case)
    X = case.inputs(numpy.random.RandomState(1))
    if not float_arrays(X) and not any(node.param_names for node in model.walk()):
        pytest.skip("no precision goes in")
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                node.set_param(name, node.get_param(name).astype("float64"))
    assert all(A.dtype == "float64" for A in float_arrays(model.predict(X)))
    Y, backprop = train(model, X)
    dX = backprop(noise(Y, 2))
    assert all(A.dtype == "float64" for A in float_arrays(Y))
    if case.differentiable:
        assert all(A.dtype == "float64" for A in float_arrays(dX))
    assert all(grad.dtype == "float64" for grad in gradients(model).values())
