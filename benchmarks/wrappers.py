"""What wrapping a module of another framework costs a prediction, in microseconds.

python -m benchmarks.wrappers       measures each framework that is installed
"""

import functools
import importlib.util
import time

import numpy

from tests.shims import models

X = models.batch()[0]


def microseconds(*functions, calls=100, rounds=40):
    """CPU time of one call of each: that of its best round, in which they take turns."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            start = time.thread_time()
            for _ in range(calls):
                function()
            best[i] = min(best[i], (time.thread_time() - start) / calls)
    return [1e6 * seconds for seconds in best]


def torch_pair():
    import torch

    net, tensor = models.torch_net().eval(), torch.from_numpy(X)

    def direct():
        with torch.no_grad():
            return net(tensor)

    return models.torch_model(), direct


def tensorflow_pair():
    model = models.tensorflow_model()
    net = model.shims[0]._model
    return model, lambda: net(X, training=False).numpy()


def mxnet_pair():
    model = models.mxnet_model()
    net, array = model.shims[0]._model, models.enable_mxnet().nd.array
    return model, lambda: net(array(X, dtype="float32")).asnumpy()


def jax_pair():
    import jax

    params = jax.tree_util.tree_map(jax.numpy.asarray, models.jax_params())
    compiled = jax.jit(models.jax_apply)
    return models.jax_model(), lambda: compiled(params, X).block_until_ready()


def main():
    pairs = {"torch": torch_pair, "tensorflow": tensorflow_pair, "mxnet": mxnet_pair, "jax": jax_pair}
    for name, pair in pairs.items():
        if importlib.util.find_spec(name) is None:
            print(f"{name:<12}not installed")
            continue
        model, direct = pair()
        assert numpy.isfinite(model.predict(X)).all()
        wrapped, alone = microseconds(functools.partial(model.predict, X), direct)
        print(f"{name:<12}wrapped {wrapped:8.1f}   alone {alone:8.1f}   overhead {wrapped - alone:6.1f} µs")


if __name__ == "__main__":
    main()
