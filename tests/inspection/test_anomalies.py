"""`trace` and `detect_anomaly` name the layer in which a NaN or inf was planted, forward and backward."""

import threading

import numpy
import pytest

from thinc.api import (
    Linear,
    Maxout,
    Mish,
    Model,
    Relu,
    Softmax,
    chain,
    concatenate,
    list2ragged,
    reduce_mean,
    residual,
    with_array,
)
from thinc.inspection import detect_anomaly, trace


def spoiler(direction, value):
    """A layer that passes on what it is given, but for one number."""

    def forward(model, X, is_train):
        Y = X.copy()
        if direction == "forward":
            Y[0, 0] = value

        def backprop(dY):
            dX = dY.copy()
            if direction == "backward":
                dX[0, 0] = value
            return dX

        return Y, backprop

    return Model(f"spoiler-{direction}", forward)


def model_with(layer, place):
    """One of ten models, with the layer in one of two places."""
    here, there = (layer, None) if place % 2 == 0 else (None, layer)
    first = chain(Linear(4, 4), here) if here else Linear(4, 4)
    last = chain(there, Linear(4, 4)) if there else Linear(4, 4)
    models = [
        lambda: chain(first, Relu(4, 4), last),
        lambda: chain(residual(first), last),
        lambda: chain(concatenate(first, Mish(4, 4)), Linear(4, 8), last),
        lambda: chain(Maxout(4, 4, nP=2, normalize=True), first, last),
        lambda: chain(residual(chain(first, Relu(4, 4))), residual(last)),
    ]
    return models[place // 2]()


@pytest.mark.parametrize("place", range(10))
@pytest.mark.parametrize("direction, value", [("forward", numpy.nan), ("backward", numpy.inf)])
def test_the_planted_layer_is_named(place, direction, value):
    model = model_with(spoiler(direction, value), place).initialize()
    X = numpy.random.RandomState(0).normal(size=(3, 4)).astype("f4")
    found = trace(model, X)
    assert found.first_bad is not None and found.first_bad.name == f"spoiler-{direction}"
    assert found.direction == direction
    assert f"spoiler-{direction}" in str(found).splitlines()[-1]
    with pytest.raises(FloatingPointError, match=f"spoiler-{direction}.*{direction}"):
        with detect_anomaly(model):
            Y, backprop = model.begin_update(X)
            backprop(numpy.ones_like(Y))


def test_numbers_of_a_trace():
    X = numpy.array([[3.0, 4.0]], "f4")
    model = chain(Linear(2, 2), Relu(2, 2)).initialize()
    for layer in model.layers:
        layer.set_param("W", numpy.eye(2, dtype="f4"))
    rows = trace(model, X, dY=numpy.array([[1.0, 0.0]], "f4")).rows
    assert [row.name for row in rows][1:] == ["linear", "relu"]
    assert [row.path for row in rows] == ["model", "layers.0", "layers.1"]
    assert rows[1].X.norm == rows[1].Y.norm == rows[2].Y.norm == pytest.approx(5.0)
    assert rows[1].X.largest == 4.0
    assert rows[2].dY.norm == rows[1].dX.norm == 1.0
    assert rows[1].grads["W"].norm == pytest.approx(5.0)
    assert rows[1].grads["b"].norm == 1.0


def test_gradients_are_as_before():
    model = chain(Relu(3, 2), Linear(2, 3)).initialize()
    X = numpy.ones((4, 2), "f4")
    trace(model, X)
    assert not any(node.grad_names for node in model.walk())
    Y, backprop = model.begin_update(X)
    backprop(numpy.ones_like(Y))
    kept = [node.get_grad(name).copy() for node in model.walk() for name in node.grad_names]
    trace(model, X)
    now = [node.get_grad(name) for node in model.walk() for name in node.grad_names]
    for left, right in zip(kept, now):
        numpy.testing.assert_array_equal(left, right)


def test_sequences():
    model = chain(with_array(Relu(3, 2)), list2ragged(), reduce_mean(), Softmax(2, 3)).initialize()
    good, bad = numpy.ones((2, 2), "f4"), numpy.full((3, 2), 3e38, "f4")
    assert trace(model, [good, good]).first_bad is None
    model.layers[0].layers[0].set_param("W", numpy.full((3, 2), 10, "f4"))
    found = trace(model, [good, bad], backward=False)
    assert found.first_bad.name == "relu" and found.first_bad.Y.inf == 9
    assert found._repr_html_().count("<tr>") == len(found.rows) + 1


def test_a_nan_in_the_data_is_of_no_layer():
    model = Linear(2, 2).initialize()
    X = numpy.full((1, 2), numpy.nan, "f4")
    assert trace(model, X).first_bad is None
    with detect_anomaly(model):
        model.predict(X)


def test_without_a_model_every_model_is_watched():
    methods = [vars(Model)[name] for name in ("__call__", "begin_update", "predict")]
    X = numpy.ones((1, 2), "f4")
    for direction in ("forward", "backward"):
        good = chain(Relu(3, 2), Linear(2, 3)).initialize()
        model = chain(Linear(2, 2), spoiler(direction, numpy.nan), Linear(2, 2)).initialize()
        with pytest.raises(FloatingPointError, match=rf"layers\.1 .*made {direction}"):
            with detect_anomaly():
                good.predict(X)
                Y, backprop = model.begin_update(X)
                backprop(Y)
    assert [vars(Model)[name] for name in ("__call__", "begin_update", "predict")] == methods


def test_blocks_without_a_model_end_in_any_order():
    """One in another thread, and one inside: what ends first changes nothing for the rest."""
    model = chain(spoiler("forward", numpy.nan), Linear(2, 2)).initialize()
    X = numpy.ones((1, 2), "f4")
    method = vars(Model)["predict"]
    opened, closed = threading.Event(), threading.Event()

    def other():
        with detect_anomaly():
            opened.set()
            closed.wait()

    thread = threading.Thread(target=other)
    with detect_anomaly():
        thread.start()
        opened.wait()
        with detect_anomaly():
            pass
        with pytest.raises(FloatingPointError):
            model.predict(X)
    model.predict(X)  # this thread is not watched any more
    closed.set()
    thread.join()
    assert vars(Model)["predict"] is method


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="expected a Model, .* got int"):
        with detect_anomaly(3):
            pass


def test_other_threads_are_not_watched():
    model = chain(spoiler("forward", numpy.nan), Linear(2, 2)).initialize()
    results = []
    with detect_anomaly(model):
        thread = threading.Thread(target=lambda: results.append(model.predict(numpy.ones((1, 2), "f4"))))
        thread.start()
        thread.join()
    assert len(results) == 1
