"""Layers of PyTorch and TensorFlow in one model: not efficient, but possible.

pip install "thinc[torch,tensorflow]"
python frankenmodel.py
"""

from typing import List

import numpy

from thinc.compat import enable_tensorflow

enable_tensorflow()

from thinc.api import Adam, Linear, PyTorchWrapper, TensorFlowWrapper, add, chain, fix_random_seed, logistic  # noqa: E402  (TensorFlow must be switched on first)

nI, nO = 16, 8


def create_pytorch_model():
    import torch

    return torch.nn.Sequential(torch.nn.Linear(nI, nO), torch.nn.ReLU())


def create_tensorflow_model():
    from tensorflow.keras.layers import Dense, Input
    from tensorflow.keras.models import Sequential

    return Sequential([Input((nI,)), Dense(nO, activation="relu")])


def main(steps: int = 200) -> List[float]:
    """Returns the squared error after each step: how well the bits of X are negated."""
    fix_random_seed(0)
    pt_model = PyTorchWrapper(create_pytorch_model())
    tf_model = TensorFlowWrapper(create_tensorflow_model())
    frankenmodel = chain(add(pt_model, tf_model), Linear(128), logistic())
    X = numpy.random.randint(0, 2, (64, nI)).astype("f")
    Y = numpy.repeat(1 - X, 128 // nI, axis=1)
    frankenmodel.initialize(X=X, Y=Y)
    optimizer = Adam(0.01)
    losses = []
    for _ in range(steps):
        Yh, backprop = frankenmodel.begin_update(X)
        backprop((Yh - Y) / len(Y))
        frankenmodel.finish_update(optimizer)
        losses.append(float(((Yh - Y) ** 2).sum()) / len(Y))
    print(f"squared error from {losses[0]:.2f} to {losses[-1]:.2f}")
    return losses


if __name__ == "__main__":
    main()
