"""Maxout with its layer normalization, which is one op."""

import numpy

from thinc.api import Maxout, Relu, chain, fix_random_seed


def model_and_data():
    fix_random_seed(0)
    model = Maxout(5, 7, 3, normalize=True).initialize()
    rng = numpy.random.default_rng(1)
    return model, rng.normal(size=(11, 7)).astype("f"), rng.normal(size=(11, 5))


def gradients(model, run):
    """dX and every gradient, then cleared."""
    dX = run()
    grads = [dX]
    for node in model.walk():
        for name in node.grad_names:
            grads.append(node.get_grad(name).copy())
            node.set_grad(name, node.get_grad(name) * 0)
    return grads


def test_is_the_chain_of_its_parts():
    model, X, dY = model_and_data()
    plain = chain(model.layers[0].copy(), model.layers[1].copy())
    dY = dY.astype("f")
    Y, backprop = model(X, True)
    expected, backprop_plain = plain(X, True)
    assert Y.tobytes() == expected.tobytes() == model.predict(X).tobytes()
    for got, wanted in zip(gradients(model, lambda: backprop(dY)), gradients(plain, lambda: backprop_plain(dY))):
        assert got.tobytes() == wanted.tobytes()


def test_the_callback_of_a_prediction_works():
    model, X, dY = model_and_data()
    dY = dY.astype("f")
    trained = gradients(model, lambda: model(X, True)[1](dY))
    predicted = gradients(model, lambda: model(X, False)[1](dY))
    for got, wanted in zip(predicted, trained):
        assert got.tobytes() == wanted.tobytes()


def test_layers_put_in_their_place_are_used():
    model, X, _ = model_and_data()
    model.layers[1] = Relu(5, 5).initialize()
    expected = chain(model.layers[0], model.layers[1]).predict(X)
    assert (model.predict(X) == expected).all()
