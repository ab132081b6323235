"""Small models for tests of the model itself, independent of the library's layers."""

import numpy

from thinc.model import Model
from thinc.types import Floats2d


def forward(model, X, is_train):
    return X, lambda dY: dY


def node(name="node", **settings):
    return Model(name, forward, **settings)


def linear_forward(model: Model, X: Floats2d, is_train: bool):
    W = model.get_param("W")

    def backprop(dY):
        model.inc_grad("W", dY.T @ X)
        return dY @ W

    return X @ W.T, backprop


def linear_init(model, X=None, Y=None):
    if X is not None:
        model.set_dim("nI", X.shape[1])
    if Y is not None:
        model.set_dim("nO", Y.shape[1])
    shape = (model.get_dim("nO"), model.get_dim("nI"))
    model.set_param("W", numpy.ones(shape, dtype="f"))


def linear(nO=None, nI=None):
    dims = {"nO": nO, "nI": nI}
    return Model("linear", linear_forward, init=linear_init, dims=dims, params={"W": None})


def sequence(*layers):
    def forward(model, X, is_train):
        callbacks = []
        for layer in model.layers:
            X, backprop = layer(X, is_train)
            callbacks.append(backprop)

        def backprop_all(dY):
            for backprop in reversed(callbacks):
                dY = backprop(dY)
            return dY

        return X, backprop_all

    def init(model, X=None, Y=None):
        for layer in model.layers[:-1]:
            layer.initialize(X)
            X = layer.predict(X)
        model.layers[-1].initialize(X, Y)

    return Model("sequence", forward, init=init, layers=layers)


def names(nodes):
    return "".join(node.name for node in nodes)
