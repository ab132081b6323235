"""A Flax module as a layer: an MLP in JAX between layers of ours, trained by our optimizer.

python examples/jax_mlp.py
"""

import flax.linen as nn
import jax
import numpy

from thinc.api import Adam, JaxWrapper, LayerNorm, Softmax, chain, fix_random_seed, registry, to_categorical
from thinc.training import evaluate


class MLP(nn.Module):
    """Two dense layers, by Flax."""

    width: int = 64

    @nn.compact
    def __call__(self, X):
        return nn.Dense(self.width)(nn.gelu(nn.Dense(self.width)(X)))


def build_model(nI: int, nO: int):
    mlp = MLP()
    params = mlp.init(jax.random.PRNGKey(0), numpy.zeros((1, nI), dtype="float32"))
    return chain(LayerNorm(nI), JaxWrapper(mlp.apply, params), Softmax(nO, mlp.width))


def main(epochs: int = 10) -> float:
    fix_random_seed(0)
    data = registry.datasets.get("digits.v1")().read()
    model = build_model(data.train.X.shape[1], len(data.labels)).initialize()
    optimizer = Adam(0.003)
    for epoch in range(epochs):
        batches = model.ops.multibatch(64, data.train.X, data.train.Y, shuffle=True)
        for X, Y in batches:
            Yh, backprop = model.begin_update(X)
            backprop((Yh - to_categorical(Y, len(data.labels))) / len(X))
            model.finish_update(optimizer)
        print(f"epoch {epoch + 1}: accuracy {100 * accuracy(model, data):.2f} %")
    return accuracy(model, data)


def accuracy(model, data) -> float:
    return evaluate(model, data.dev, data).values["accuracy"]


if __name__ == "__main__":
    main()
