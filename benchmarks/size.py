"""The cost of work on models of n layers, side by side and one in another: `python -m benchmarks.size`.

Milliseconds of the CPU for each n, and how they grow with n at the end: 1 is linear, 2 quadratic.
"""

import copy
import math
import pickle
import sys
import time

import numpy

from thinc.api import Linear, Model, chain, noop, wrap_model_recursive


def forward(model, X, is_train):
    return X, lambda dY: dY


def flat(n):
    return Model("flat", forward, layers=[noop() for _ in range(n)])


def nested(n):
    model = noop()
    for _ in range(n):
        model = Model("nested", forward, layers=[model])
    return model


def nested_chain(n):
    model = Linear(4, 4)
    for _ in range(n):
        model = chain(model, noop())
    return model


def set_refs(model):
    for i, layer in enumerate(model.layers):
        model.set_ref(str(i), layer)


def replace_each(model):
    for layer in list(model.layers):
        model.replace_node(layer, noop())


X = numpy.zeros((2, 4), "f")
SIZES = (100, 200, 400, 800)
SMALL = (20, 40, 80)  # deep in Python's stack
WORK = [
    ("wrap_model_recursive", flat, SIZES, lambda m: wrap_model_recursive(m, lambda x: Model("w", forward, layers=[x]))),
    ("set_ref of each layer", flat, SIZES, set_refs),
    ("replace_node of each layer", flat, SIZES, replace_each),
    ("replace_nodes, all at once", flat, SIZES, lambda m: m.replace_nodes({x: noop() for x in m.layers})),
    ("copy", nested, SIZES, lambda m: m.copy()),
    ("deepcopy", nested, SIZES, copy.deepcopy),
    ("pickle", nested, SIZES, lambda m: pickle.loads(pickle.dumps(m))),
    ("to_bytes and from_bytes", nested, SIZES, lambda m: m.from_bytes(m.to_bytes())),
    ("initialize of nested chains", nested_chain, SMALL, lambda m: m.initialize(X)),
]


def milliseconds(make, work, n):
    best = math.inf
    for _ in range(3):
        model = make(n)
        start = time.process_time()
        work(model)
        best = min(best, time.process_time() - start)
    return best * 1e3


def main():
    for name, make, sizes, work in WORK:
        times = [milliseconds(make, work, n) for n in sizes]
        growth = math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
        measured = "  ".join(f"{n}: {ms:.2f}" for n, ms in zip(sizes, times))
        sys.stdout.write(f"{name:30} {measured}  grows like n^{growth:.1f}\n")


if __name__ == "__main__":
    main()
