"""Mistakes, each on a line that ends by saying so: a checker reports these lines, all of them and no other."""

import numpy

from thinc.api import (
    Adam,
    HashEmbed,
    Linear,
    Maxout,
    Model,
    Ragged,
    Relu,
    Softmax,
    add,
    chain,
    concatenate,
    get_current_ops,
    reduce_max,
    reduce_mean,
    residual,
)
from thinc.types import Floats2d

X: Floats2d = numpy.zeros((2, 3), dtype="float32")
model = chain(Relu(8), Softmax())

chain(Relu(8), reduce_max())  # wrong: the second layer takes Ragged
chain(Relu(8), Relu(8), reduce_max())  # wrong: so does the third
chain(Relu(8), Relu(8), Relu(8), HashEmbed(8, 100))  # wrong: the fourth takes ids
add(Relu(8), reduce_max())  # wrong: two inputs
concatenate(Relu(8), Linear(8), reduce_mean())  # wrong: two inputs
residual(reduce_max())  # wrong: its output is no input
with Model.define_operators({">>": chain, "|": concatenate}):
    model >> reduce_max()  # wrong: takes Ragged
    Relu(8) | reduce_max()  # wrong: two inputs
other: Model[Ragged, Floats2d] = chain(Relu(8), Softmax())  # wrong: takes arrays
Relu("8")  # wrong: a width is an int
Maxout(8, pieces=3)  # wrong: no such argument
Adam("fast")  # wrong: no learning rate
model.predict([[1.0, 2.0, 3.0]])  # wrong: a list
model.predict(numpy.zeros(3))  # wrong: one dimension
model.predict(numpy.arange(6).reshape((2, 3)))  # wrong: integers
HashEmbed(8, 100).predict(numpy.zeros(3))  # wrong: floats as ids
model.begin_update(X).shape  # wrong: a pair  # noqa: B018
model.begin_update(X)[1]("gradient")  # wrong: no gradient
model.finish_update(0.01)  # wrong: no optimizer
model.set_param("W", "zeros")  # wrong: no array
model.set_dim("nO", "3")  # wrong: no int
model.predict(X).sort_rows()  # wrong: arrays have no such method
get_current_ops().alloc2f("2", 3)  # wrong: no int
