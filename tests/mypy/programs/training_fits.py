"""A whole training program, as one would annotate it."""

from typing import List

from thinc.api import (
    Adam,
    CategoricalCrossentropy,
    Config,
    HashEmbed,
    Linear,
    Maxout,
    Model,
    Ragged,
    Relu,
    Softmax,
    chain,
    concatenate,
    expand_window,
    get_current_ops,
    list2ragged,
    reduce_mean,
    registry,
    residual,
    warmup_linear,
    with_array,
)
from thinc.types import Floats2d, Ints1d

ops = get_current_ops()
X: Floats2d = ops.alloc2f(4, 3)
Y: Ints1d = ops.asarray1i([0, 1, 0, 1])
hidden = chain(Relu(8, 3), Maxout(8, 8, normalize=True))
model: Model[Floats2d, Floats2d] = chain(hidden, Softmax(2, 8))
model.initialize(X=X)
optimizer = Adam(warmup_linear(0.01, 10, 100), L2=[0.1, 0.2])
loss = CategoricalCrossentropy()
for _ in range(3):
    guesses, backprop = model.begin_update(X)
    gradient, value = loss(guesses, Y)
    backprop(gradient)
    model.finish_update(optimizer)
    optimizer.step_schedules()
with model.use_params(optimizer.averages or {}):
    data: bytes = model.to_bytes()
model.from_bytes(data)
window = residual(chain(expand_window(1), Maxout(8, 24)))
embed: Model[Ints1d, Floats2d] = chain(HashEmbed(8, 100), window)
rows: Model[List[Floats2d], Ragged] = chain(list2ragged(), with_array(Linear(2, 3)))
pooled = chain(rows, reduce_mean())
settings = registry.resolve(Config().from_str("[a]\nb = 1"))
with Model.define_operators({">>": chain, "|": concatenate}):
    both = Relu(3, 3) >> Relu(3, 3)
