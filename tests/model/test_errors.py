"""An error that a forward function raises says in which layer it happened."""

import numpy
import pytest

import thinc.model._errors
from tests.toy_models import linear, sequence
from thinc.model import Model
from thinc.model._errors import describe
from thinc.types import Padded, Ragged


def notes_of(error):
    return [note for note in error.__notes__ if note.startswith("Layer:")]


def test_error_names_its_layer():
    model = sequence(linear(3), sequence(linear(4)))
    model.initialize(numpy.ones((2, 5), dtype="f"))
    for run in (model.predict, model.begin_update, lambda X: model(X, False)):
        with pytest.raises(ValueError) as caught:
            run(numpy.ones((2, 6), dtype="f"))
        assert notes_of(caught.value) == ["Layer: sequence > linear (nO=3, nI=5; input float32 array of shape (2, 6))"]
        assert "Layer" not in str(caught.value)
    model.layers[1].layers[0].set_param("W", numpy.ones((4, 9), dtype="f"))
    with pytest.raises(ValueError) as caught:
        model.predict(numpy.ones((2, 5), dtype="f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: sequence > sequence > linear (nO=4, nI=3; input")


def test_error_in_initialize_names_its_layer():
    with pytest.raises(ValueError) as caught:
        sequence(linear(3), linear()).initialize(numpy.ones((2, 5), dtype="f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: sequence > linear (nO unset, nI=3; input float32")


def test_error_keeps_its_type_text_and_notes(monkeypatch):
    def fail(error):
        def forward(model, X, is_train):
            raise error

        return sequence(Model("broken", forward))

    error = ValueError("some text")
    error.__notes__ = ["from the user"]
    with pytest.raises(ValueError) as caught:
        fail(error).predict(1)
    note = "Layer: sequence > broken (input of type int)"
    assert caught.value is error
    assert str(error) == "some text"
    assert error.__notes__ == ["from the user", note]

    # As Python 3.10 does not print notes, there the text grows instead.
    monkeypatch.setattr(thinc.model._errors, "_SHOWS_NOTES", False)
    with pytest.raises(ValueError) as caught:
        fail(ValueError("some text")).predict(1)
    assert str(caught.value) == f"some text\n{note}"
    with pytest.raises(OSError) as caught:
        fail(OSError(2, "two arguments")).predict(1)
    assert caught.value.args == (2, "two arguments")


def test_error_that_takes_no_note_is_still_raised():
    class Closed(Exception):
        def __setattr__(self, name, value):
            raise AttributeError(name)

    def forward(model, X, is_train):
        raise Closed

    with pytest.raises(Closed):
        Model("broken", forward).predict(1)


@pytest.mark.parametrize(
    "X,text",
    [
        (numpy.zeros((2, 3), dtype="i"), "int32 array of shape (2, 3)"),
        ([], "list of 0"),
        (("a", 1), "tuple of 2, first: of type str"),
        (None, "of type NoneType"),
        (
            Ragged(numpy.zeros((3, 2), dtype="f"), numpy.array([1, 2], dtype="i")),
            "Ragged of 2 sequences, data: float32 array of shape (3, 2)",
        ),
        (
            Padded(numpy.zeros((2, 1, 3), dtype="f"), *numpy.ones((3, 1), dtype="i")),
            "Padded of 1 sequences, data: float32 array of shape (2, 1, 3)",
        ),
    ],
)
def test_describe(X, text):
    assert describe(X) == text
