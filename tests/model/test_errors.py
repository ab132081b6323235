"""An error that a forward function raises says in which layer it happened."""

import numpy
import pytest

import thinc.model._errors
from tests.toy_models import linear, node, sequence
from thinc.api import Linear, Maxout, Relu, Softmax, chain, noop, residual, with_array
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
        assert notes_of(caught.value) == ["Layer: sequence.0.linear (nO=3, nI=5; input float32 array of shape (2, 6))"]
        assert "Layer" not in str(caught.value)
    model.layers[1].layers[0].set_param("W", numpy.ones((4, 9), dtype="f"))
    with pytest.raises(ValueError) as caught:
        model.predict(numpy.ones((2, 5), dtype="f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: sequence.1.sequence.0.linear (nO=4, nI=3; input")


def test_error_in_initialize_names_its_layer():
    with pytest.raises(ValueError) as caught:
        sequence(linear(3), linear()).initialize(numpy.ones((2, 5), dtype="f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: sequence.1.linear (nO unset, nI=3; input float32")


def test_error_keeps_its_type_text_and_notes(monkeypatch):
    def fail(error):
        def forward(model, X, is_train):
            raise error

        return sequence(Model("broken", forward))

    error = ValueError("some text")
    error.__notes__ = ["from the user"]
    with pytest.raises(ValueError) as caught:
        fail(error).predict(1)
    note = "Layer: sequence.0.broken (input object of type int)"
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
        (("a", 1), "tuple of 2, first: object of type str"),
        (None, "object of type NoneType"),
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


# -- Short paths


def test_path_is_short_and_by_position():
    body = chain(Relu(8, 5), residual(chain(Maxout(8, 8), noop())), Linear(3, 8))
    model = with_array(chain(*[noop() for _ in range(30)], body)).initialize()
    model.layers[0].layers[30].layers[1].layers[0].layers[0].set_param("b", None)
    model.layers[0].layers[30].layers[1].layers[0].layers[0]._params._params.clear()
    with pytest.raises(KeyError) as caught:
        model.predict(numpy.ones((2, 5), "f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: with_array.0.chain.30.chain.1.residual.0.chain.0.maxout (nO=8, nI=8, nP=")
    assert len(note) < 160


def test_a_long_path_is_cut():
    model = linear(2, 3).initialize()
    for _ in range(40):
        model = sequence(model)
    with pytest.raises(ValueError) as caught:
        model.predict(numpy.ones((2, 5), "f"))
    (note,) = notes_of(caught.value)
    assert note.startswith("Layer: sequence.0.sequence.0.") and ".....0." in note and ".0.linear (nO=2" in note
    assert len(note) < 250


def test_layers_nested_too_deep_say_so():
    model = noop()
    for _ in range(2000):
        model = node("outer", layers=[model])
        model._func = lambda model, X, is_train: model.layers[0](X, is_train)
    for run in (model.predict, model.begin_update):
        with pytest.raises(RecursionError) as caught:
            run(1)
        (note,) = notes_of(caught.value)
        assert "layers, one in another, are too many for Python's stack" in note


# -- What a forward function answers


@pytest.mark.parametrize("run", ["predict", "begin_update", "__call__"])
@pytest.mark.parametrize(
    "answer,said",
    [
        (numpy.ones((2, 3), "f"), "one float32 array of shape (2, 3)"),
        ((1, 2, 3), "a tuple of 3"),
        (None, "one object of type NoneType"),
        ((), "a tuple of 0"),
        ([1], "a list of 1"),
    ],
)
def test_forward_must_answer_a_pair(run, answer, said):
    model = sequence(Model("odd", lambda model, X, is_train: answer))
    with pytest.raises(ValueError, match="odd") as caught:
        getattr(model, run)(1, *[True] * (run == "__call__"))
    assert f"answered {said}, not the pair (Y, backprop)" in str(caught.value)
    assert notes_of(caught.value)[0].startswith("Layer: sequence.0.odd")


def test_a_list_is_a_pair_too():
    model = Model("list", lambda model, X, is_train: [X, lambda dY: dY])
    assert model.predict(1) == 1 and model(2, True)[0] == 2
    Y, backprop = model.begin_update(3)
    assert (Y, backprop(4)) == (3, 4)


# -- The backward pass

X = numpy.ones((7, 5), "f")


def backward_error(model, change, error=ValueError):
    Y, backprop = model.begin_update(X)
    with pytest.raises(error) as caught:
        backprop(change(Y))
    return caught.value


@pytest.mark.parametrize(
    "model,where",
    [
        (Linear(3, 5), "linear (nO=3, nI=5;"),
        (chain(Relu(4, 5), Linear(3, 4)), "chain.1.linear (nO=3, nI=4;"),
        (chain(Relu(4, 5), chain(Relu(4, 4), residual(noop())), Softmax(3, 4)), "chain.2.softmax (nO=3, nI=4;"),
    ],
    ids=["leaf", "chain", "nested"],
)
@pytest.mark.parametrize("shape", [(7, 4), (7, 2), (6, 3), (7, 3, 1), (3,)])
def test_gradient_of_a_wrong_shape(model, where, shape):
    error = backward_error(model.initialize(), lambda Y: numpy.ones(shape, "f"))
    (note,) = notes_of(error)
    assert note.startswith(f"Layer: {where} backward: dY float32 array of shape {shape}, but Y was float32 array of")
    assert "(7, 3); gradients added so far stay until Model.clear_gradients()" in note


def test_gradient_of_a_wrong_dtype():
    error = backward_error(chain(Relu(4, 5), Softmax(3, 4)).initialize(), lambda Y: Y.astype("float64"))
    assert (
        "chain.1.softmax (nO=3, nI=4; backward: dY float64 array of shape (7, 3), but Y was float32"
        in notes_of(error)[0]
    )


def test_no_gradient_where_one_is_needed():
    none = Model("none", lambda model, X, is_train: (X, lambda dY: None))
    error = backward_error(chain(Relu(4, 5), Linear(3, 4), none).initialize(), lambda Y: Y)
    assert "gradient of layer 'chain.1.linear' is None" in str(error) and "NoneType" not in str(error)
    error = backward_error(Linear(3, 5).initialize(), lambda Y: None)
    assert "gradient of layer 'linear' is None" in str(error)


def test_an_error_of_a_callback_keeps_its_type():
    def forward(model, X, is_train):
        def backprop(dY):
            assert model
            raise LookupError("mine")

        return X, backprop

    error = backward_error(sequence(linear(5, 5).initialize(), Model("own", forward)), lambda Y: Y, LookupError)
    assert str(error) == "'mine'" or str(error) == "mine"
    assert notes_of(error)[0].startswith("Layer: sequence.1.own (backward: dY float32 array of shape (7, 5);")


def test_callbacks_are_called_as_they_were():
    def backprop(*args, **kwargs):
        return args, kwargs

    _, callback = Model("free", lambda model, X, is_train: (X, backprop)).begin_update(X)
    assert callback() == ((), {}) and callback(1, 2) == ((1, 2), {}) and callback(dY=3) == ((), {"dY": 3})
    assert callback.__name__ == "backprop"


def test_gradients_of_a_failed_backward_are_cleared():
    model = chain(Linear(4, 5), Linear(3, 4)).initialize()
    Y, backprop = model.begin_update(X)
    model.layers[1].set_param("W", model.layers[1].get_param("W"))
    with pytest.raises(ValueError):
        backprop(numpy.ones((7, 4), "f"))
    assert model.get_gradients()
    model.clear_gradients()
    assert not model.get_gradients()
    backprop(Y)
    numpy.testing.assert_allclose(model.layers[1].get_grad("b"), Y.sum(axis=0), rtol=1e-5)


def test_the_output_is_not_kept_for_the_sake_of_errors():
    import weakref

    Y, backprop = Linear(3, 5).initialize().begin_update(X)
    gone = weakref.ref(Y)
    del Y
    assert gone() is None
