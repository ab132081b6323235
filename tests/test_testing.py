"""check_gradients itself: every kind of batch, what it refuses, and what it leaves as it was."""

import random

import numpy
import pytest

from thinc.api import ArgsKwargs, Dropout, Linear, Model, NumpyOps, Padded, Ragged, chain, with_array2d, with_padded
from thinc.testing import check_gradients
from thinc.types import Pairs
from thinc.util import convert_recursive, is_xp_array

ROWS = numpy.random.RandomState(0).normal(size=(5, 3))
LENGTHS = numpy.array([2, 3], dtype="i")


def scale_arrays(data, factor):
    """Every array of floats in any container times the factor."""

    def scaled(array):
        return array * factor if array.dtype.kind == "f" else array

    if isinstance(data, Ragged):
        return Ragged(scaled(data.dataXd), data.lengths)
    elif isinstance(data, Padded):
        return Padded(scaled(data.data), data.size_at_t, data.lengths, data.indices)
    elif isinstance(data, Pairs):
        one = scale_arrays(data.one, factor)
        return Pairs(one, scale_arrays(data.two, factor))
    return convert_recursive(is_xp_array, scaled, data)


def scaling(forward_factor, backward_factor):
    def forward(model, X, is_train):
        return scale_arrays(X, forward_factor), lambda dY: scale_arrays(dY, backward_factor)

    return Model("scaling", forward)


BATCHES = {
    "array": ROWS,
    "list": [ROWS, ROWS[:2]],
    "tuple": (ROWS, ROWS[:1]),
    "dict": {"a": ROWS, "b": [ROWS[:2]]},
    "ragged": Ragged(ROWS, LENGTHS),
    "padded": NumpyOps().list2padded([ROWS[:2], ROWS[2:]]),
    "pairs": Pairs(ROWS, ROWS[:2]),
    "arguments": ArgsKwargs((ROWS,), {"mask": ROWS[:2], "flag": True}),
    "with ids": (ROWS, numpy.arange(3)),
    "nested": [Ragged(ROWS, LENGTHS), (ROWS, {"k": Pairs(ROWS, ROWS)})],
}


@pytest.mark.parametrize("kind", BATCHES)
def test_every_kind_of_batch(kind):
    check_gradients(scaling(3, 3), BATCHES[kind])
    with pytest.raises(AssertionError, match="the input of layer 'scaling' is wrong"):
        check_gradients(scaling(3, 2.999), BATCHES[kind])


def test_given_gradient():
    model = scaling(2, 2)
    check_gradients(model, ROWS, dY=numpy.ones_like(ROWS))
    with pytest.raises(AssertionError, match=r"to have shape \(5, 3\), got \(3, 5\)"):
        check_gradients(model, ROWS, dY=numpy.ones((3, 5)))
    with pytest.raises(AssertionError, match="to have 1 arrays, got 2"):
        check_gradients(model, ROWS, dY=[ROWS, ROWS])


def test_nan_is_not_right():
    with pytest.raises(AssertionError):
        check_gradients(scaling(1, float("nan")), ROWS)


def test_output_without_floats():
    model = Model("ids", lambda model, X, is_train: (X.astype("i"), lambda dY: dY))
    with pytest.raises(ValueError, match="output of 'ids' to have arrays of floats"):
        check_gradients(model, ROWS)


def test_parameters_without_a_gradient():
    def forward(model, X, is_train):
        return X * model.get_param("s"), lambda dY: dY * model.get_param("s")

    model = Model("untrained", forward, params={"s": numpy.ones(3, dtype="f")})
    with pytest.raises(AssertionError, match="parameter 's' of layer 'untrained'"):
        check_gradients(model, ROWS)
    check_gradients(model, ROWS, constants=["s"])


def test_dropout_takes_the_same_mask_each_time():
    check_gradients(chain(Linear(4, 3), Dropout(0.5)).initialize(), ROWS)


def test_padding_is_left_out():
    model = with_padded(with_array2d(Linear(4, 3))).initialize()
    check_gradients(model, [ROWS[:1], ROWS])


def test_everything_is_as_before():
    model = Linear(4, 3).initialize()
    gradient = numpy.ones((4, 3), dtype="f")
    model.set_grad("W", gradient)
    before = {name: model.get_param(name) for name in ("W", "b")}
    states = random.getstate(), numpy.random.get_state()[1].tolist()
    for dY in (None, numpy.ones((2, 2))):  # the second fails
        try:
            check_gradients(model, ROWS, dY=dY)
        except AssertionError:
            assert dY is not None
        for name, array in before.items():
            assert model.get_param(name) is array
            assert array.dtype == "float32"
        assert numpy.array_equal(model.get_grad("W"), gradient)
        assert not model.has_grad("b")
        assert states == (random.getstate(), numpy.random.get_state()[1].tolist())
