"""Checks of data against the annotations of forward functions."""

from concurrent.futures import ThreadPoolExecutor
from typing import List, Tuple

import numpy
import pytest

from thinc.api import DataValidationError, Linear, Ragged, chain, data_validation, reduce_mean, with_array
from thinc.model import Model
from thinc.types import Floats2d, Ints1d
from thinc.util import DATA_VALIDATION, validate_fwd_input_output

X = numpy.zeros((2, 3), dtype="f")
LISTS = [X, X[:1]]


def takes_floats(model: Model, X: Floats2d, is_train: bool) -> Tuple[Ints1d, object]: ...


def takes_lists(model: Model, X: List[Floats2d], is_train: bool): ...


def takes_anything(model, X, is_train): ...


def names_unknown_types(model: Model, X: "Missing", is_train: bool) -> "Gone": ...  # noqa: F821


def takes_two(model, X): ...


def faults(error: DataValidationError) -> List[str]:
    """The first column of the table; a long message goes on in lines without it."""
    lines = str(error).splitlines()[4:]
    return [line[0] for line in lines if line and line[0] != " "]


@pytest.mark.parametrize(
    "function, X, Y",
    [
        (takes_floats, X, None),
        (takes_floats, None, numpy.zeros(3, dtype="i")),
        (takes_lists, LISTS, None),
        (takes_lists, [], "anything"),
        (takes_anything, object(), object()),
        (names_unknown_types, object(), object()),
    ],
)
def test_what_fits_is_let_through(function, X, Y):
    validate_fwd_input_output("layer", function, X, Y)


@pytest.mark.parametrize(
    "function, X, Y, where",
    [
        (takes_floats, X.astype("i"), None, "X"),
        (takes_floats, X[0], None, "X"),
        (takes_floats, LISTS, None, "X"),
        (takes_lists, X, None, "X"),
        (takes_lists, [X, X[0]], None, "X"),
        (takes_floats, X, X, "Y"),
    ],
)
def test_what_does_not_fit_is_named(function, X, Y, where):
    with pytest.raises(DataValidationError) as caught:
        validate_fwd_input_output("my layer", function, X, Y)
    lines = str(caught.value).splitlines()
    assert "Data validation error in 'my layer'" in str(caught.value)
    assert f"X: {type(X)} Y: {type(Y)}" in lines
    assert faults(caught.value) == [where]


def test_both_faults_are_shown():
    with pytest.raises(DataValidationError) as caught:
        validate_fwd_input_output("layer", takes_floats, X[0], X)
    assert faults(caught.value) == ["X", "Y"]


def test_wrong_number_of_arguments():
    with pytest.raises(DataValidationError, match=r"got 2 \(model, X\)"):
        validate_fwd_input_output("layer", takes_two, X, None)


def test_only_the_first_items_of_a_long_list_are_looked_at():
    validate_fwd_input_output("layer", takes_lists, [X] * 5 + [None], None)
    with pytest.raises(DataValidationError):
        validate_fwd_input_output("layer", takes_lists, [X] * 4 + [None], None)


def test_initialize_checks_on_request():
    model = chain(with_array(Linear(2)), reduce_mean())
    ragged = Ragged(X, numpy.array([1, 1], dtype="i"))
    wrong = {"not": "a batch"}
    with data_validation(True):
        with pytest.raises(DataValidationError, match="with_array"):
            model.initialize(X=wrong)
        with data_validation(False), pytest.raises(Exception) as caught:
            model.initialize(X=wrong)
        assert not isinstance(caught.value, DataValidationError)
        model.initialize(X=ragged)
    assert model.predict(ragged).shape == (2, 2)


def test_the_setting_comes_back_after_an_error():
    assert not DATA_VALIDATION.get()
    with pytest.raises(ZeroDivisionError), data_validation(True):
        raise ZeroDivisionError
    assert not DATA_VALIDATION.get()


def test_other_threads_keep_their_setting():
    with data_validation(True), ThreadPoolExecutor(1) as pool:
        assert pool.submit(DATA_VALIDATION.get).result() is False
        assert DATA_VALIDATION.get()
