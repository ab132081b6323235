"""Wrapped models, small enough to be built in several processes, and what is asked of
all of them.

Dimensions: N = 7 rows, nI = 5 inputs, nO = 3 outputs.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

from thinc.api import Adam, JaxWrapper, Linear, OnnxWrapper, chain, fix_random_seed

ROOT = Path(__file__).resolve().parent.parent.parent
nI, nO = 5, 3


def batch(rows=7, seed=0):
    """X, and a Y that is a smooth function of it."""
    rng = numpy.random.RandomState(seed)
    X = rng.uniform(-1, 1, (rows, nI)).astype("float32")
    return X, numpy.tanh(X @ rng.uniform(-1, 1, (nI, nO))).astype("float32")


def torch_net():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(nI, 16), torch.nn.Tanh(), torch.nn.Linear(16, nO))


def torch_model():
    from thinc.api import PyTorchWrapper

    return PyTorchWrapper(torch_net())


def torchscript_shell():
    from thinc.api import TorchScriptWrapper_v1

    return TorchScriptWrapper_v1()


def torchexport_shell():
    from thinc.api import TorchExportWrapper

    return TorchExportWrapper()


def enable_tensorflow():
    """The Keras to use. It is imported for the whole process."""
    import warnings

    import thinc.api

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thinc.api.enable_tensorflow()
        import tensorflow

        return tensorflow.keras


def keras_net(keras=None):
    keras = keras or enable_tensorflow()
    layers = keras.layers
    return keras.Sequential([layers.Input((nI,)), layers.Dense(16, activation="tanh"), layers.Dense(nO)])


def tensorflow_model():
    from thinc.api import TensorFlowWrapper

    return TensorFlowWrapper(keras_net())


def enable_mxnet():
    import warnings

    import thinc.api

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thinc.api.enable_mxnet()
        import mxnet

        return mxnet


def mxnet_net():
    mx = enable_mxnet()
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(16, activation="tanh", in_units=nI), mx.gluon.nn.Dense(nO, in_units=16))
    net.initialize()
    return net


def mxnet_model():
    from thinc.api import MXNetWrapper

    return MXNetWrapper(mxnet_net())


def jax_params():
    rng = numpy.random.RandomState(0)
    return {
        "hidden": {"W": rng.normal(0, 0.5, (nI, 16)).astype("float32"), "b": numpy.zeros(16, dtype="float32")},
        "output": [rng.normal(0, 0.5, (16, nO)).astype("float32"), numpy.zeros(nO, dtype="float32")],
        "version": numpy.array([1], dtype="int32"),
    }


def jax_apply(params, X):
    import jax.numpy as jnp

    hidden = jnp.tanh(X @ params["hidden"]["W"] + params["hidden"]["b"])
    return hidden @ params["output"][0] + params["output"][1]


def jax_model():
    return JaxWrapper(jax_apply, jax_params())


def onnx_shell():
    return OnnxWrapper()


def torch_and_tensorflow():
    from thinc.api import add, logistic

    model = chain(add(torch_model(), tensorflow_model()), Linear(128), logistic())
    X, Y = batch()
    return model.initialize(X, numpy.zeros((len(X), 128), dtype="float32"))


def torch_and_jax():
    from thinc.api import concatenate

    model = chain(concatenate(torch_model(), jax_model()), Linear(nO))
    return model.initialize(*batch())


# What is asked of every wrapper


def train(model, X, Y, steps=60, rate=0.01):
    """The squared errors."""
    fix_random_seed(0)
    optimizer = Adam(rate)
    losses = []
    for _ in range(steps):
        Yh, backprop = model.begin_update(X)
        dY = (Yh - Y) / len(Y)
        backprop(dY)
        model.finish_update(optimizer)
        losses.append(float((dY**2).sum()))
    return losses


def reload_elsewhere(builder, model, X, tmp_path):
    """The prediction of a process that builds the model anew and loads its bytes."""
    model.to_disk(tmp_path / "model")
    numpy.save(tmp_path / "X.npy", X)
    code = f"""
import numpy, warnings
from tests.shims import models
warnings.simplefilter("ignore")
model = models.{builder}()
model.from_disk({str(tmp_path / "model")!r})
numpy.save({str(tmp_path / "Y.npy")!r}, model.predict(numpy.load({str(tmp_path / "X.npy")!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return numpy.load(tmp_path / "Y.npy")


def assert_threads_agree(model, threads=50):
    """Fifty threads that predict at once get what one gets."""
    inputs = [batch(rows=1 + i % 7, seed=i)[0] for i in range(threads)]
    alone = [model.predict(X) for X in inputs]
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(4):
            for Y, expected in zip(pool.map(model.predict, inputs), alone):
                numpy.testing.assert_allclose(Y, expected, atol=1e-6)
