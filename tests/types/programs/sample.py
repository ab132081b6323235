"""A program as users write them: models, layers of one's own, data, training, operators, without an error to strict
checkers."""

from typing import Callable, List, Tuple

import numpy

from thinc.api import (
    Adam,
    CategoricalCrossentropy,
    Config,
    Embed,
    HashEmbed,
    Linear,
    Maxout,
    Model,
    NumpyOps,
    Padded,
    Ragged,
    Relu,
    Softmax,
    add,
    chain,
    clone,
    concatenate,
    data_validation,
    expand_window,
    get_current_ops,
    list2ragged,
    reduce_max,
    reduce_mean,
    registry,
    residual,
    set_dropout_rate,
    tuplify,
    use_ops,
    warmup_linear,
    with_array,
)
from thinc.types import Floats1d, Floats2d, Ints1d, Ints2d

rng = numpy.random.default_rng(0)


# Data is arrays of NumPy, or of the backend.
def digits(n: int) -> Tuple[Floats2d, Ints1d]:
    X = rng.normal(size=(n, 8)).astype("float32")
    return X, (X[:, 0] > 0).astype("int32")


X, labels = digits(32)
Y: Floats2d = numpy.eye(2, dtype="float32")[labels]
ops = get_current_ops()
zeros: Floats2d = ops.alloc2f(3, 8, dtype=X.dtype)
ids: Ints1d = ops.asarray1i([1, 2, 3])

# Models have the input of their first layer and the output of their last.
model = chain(Maxout(32, nP=3, dropout=0.1), Relu(16), Softmax())
same: Model[Floats2d, Floats2d] = model
model.initialize(X, Y).predict(zeros)
deep = chain(clone(Relu(8, 8), 3), residual(Relu(8, 8)), add(Relu(8), Relu(8)), concatenate(Relu(4), Linear(4)))
pair: Model[Floats2d, Tuple[Floats2d, Floats2d]] = tuplify(Relu(8), Softmax())
embed = chain(HashEmbed(8, 100), expand_window(1), Maxout(8))
table: Model[Ints2d, Floats2d] = chain(Embed(8, 100, column=0), Relu(8))
texts: Model[List[Floats2d], Floats2d] = chain(list2ragged(), with_array(Linear(2, 3)), reduce_mean())
with Model.define_operators({">>": chain, "|": concatenate, "**": clone}):
    infix = (Relu(8) | Softmax(8)) >> Relu(8, 8) ** 2 >> Softmax()
answer: Floats2d = infix.initialize(X, Y).predict(X)
vectors: Floats2d = embed.initialize(ids).predict(ids)

# Training.
optimizer = Adam(warmup_linear(0.01, 10, 100), L2=[0.1, 0.2])
loss = CategoricalCrossentropy()
for _ in range(3):
    Yh, backprop = model.begin_update(X)
    dX: Floats2d = backprop((Yh - Y) / len(X))
    gradient, value = loss(Yh, labels)
    backprop(gradient)
    model.finish_update(optimizer)
    optimizer.step_schedules()
accuracy = float((model.predict(X).argmax(1) == labels).mean())
W: Floats2d = model.layers[1].get_param("W")
model.layers[1].set_param("W", W * 0.5)
width: int = model.get_dim("nO")
with model.use_params(optimizer.averages or {}):
    data = model.to_bytes()
copied = model.copy().from_bytes(data)
set_dropout_rate(copied, 0.2).to_disk("model.bin")
probabilities: Floats2d = copied.predict(X)
best: Floats1d = numpy.max(probabilities, axis=1)


# A layer of one's own.
def Scale(factor: float) -> Model[Floats2d, Floats2d]:
    return Model("scale", forward, attrs={"factor": factor}, dims={"nO": None})


def forward(
    layer: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> Tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    factor: float = layer.attrs["factor"]

    def backward(dY: Floats2d) -> Floats2d:
        return dY * factor

    return X * factor, backward


scaled = chain(Scale(0.5), model)
halves: Floats2d = scaled.predict(X)
for node in scaled.walk():
    names: Tuple[str, ...] = node.param_names


# Sequences, configs, registries.
@registry.layers("Scaled.v1")
def scaled_v1(factor: float) -> Model[Floats2d, Floats2d]:
    return chain(Scale(factor), Relu(4))


batch = Ragged(X, ops.asarray1i([16, 16]))
pooled: Floats2d = reduce_max().predict(batch[:1])
padded: Padded = ops.list2padded([X, X])
settings = registry.resolve(Config().from_str('[model]\n@layers = "Scaled.v1"\nfactor = 0.5'))
with use_ops("numpy"), data_validation(True):
    scaled_v1(2.0).initialize(X)
half = NumpyOps().xp.asarray(X)
