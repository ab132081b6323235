"""Training from a DataLoader and from datasets against training from arrays: `python -m benchmarks.loaders`.

Needs torch and datasets. A line for each network, on batches of 128: the milliseconds of a step from arrays, and the
speed of the other loops as a share of it, with batches that `begin_update` reads and with those converted by
hand. What is lost by hand is the loader's own.
"""

import statistics
import sys
import time

import numpy

from thinc.api import Adam, CategoricalCrossentropy, Relu, Softmax, chain

BATCH, EXAMPLES, ROUNDS = 128, 6400, 7
WIDTHS = (128, 512, 1024)


def sources():
    import torch
    from datasets import Dataset
    from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

    random = numpy.random.RandomState(0)
    X, y = random.normal(size=(EXAMPLES, 784)).astype("f"), random.randint(10, size=EXAMPLES)
    tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    rows = Dataset.from_dict({"X": X, "y": y}).with_format("numpy")

    def arrays():
        order = random.permutation(EXAMPLES)
        for start in range(0, EXAMPLES, BATCH):
            chosen = order[start : start + BATCH]
            yield X[chosen], y[chosen]

    def loader():
        return DataLoader(tensors, batch_size=BATCH, shuffle=True)

    def sampler():
        return DataLoader(tensors, sampler=BatchSampler(RandomSampler(tensors), BATCH, False), batch_size=None)

    def dataset():
        return ((batch["X"], batch["y"]) for batch in rows.iter(BATCH))

    def by_hand(batches):
        return lambda: ((numpy.asarray(X), numpy.asarray(y)) for X, y in batches())

    loops = {"DataLoader": loader, "BatchSampler": sampler, "datasets": dataset}
    return {"arrays": arrays, **loops, **{f"{name} by hand": by_hand(loop) for name, loop in loops.items()}}


def epoch(batches, model, optimizer):
    loss = CategoricalCrossentropy()
    start = time.perf_counter()
    for X, y in batches:
        guesses, backprop = model.begin_update(X)
        backprop(loss(guesses, y)[0])
        model.finish_update(optimizer)
    return time.perf_counter() - start


def main():
    loops = sources()
    for width in WIDTHS:
        model = chain(Relu(width, 784), Relu(width, width), Softmax(10, width)).initialize()
        optimizer = Adam(0.001)
        seconds = {name: [] for name in loops}
        for _ in range(ROUNDS):
            for name, batches in loops.items():
                seconds[name].append(epoch(batches(), model, optimizer))
        best = {name: statistics.median(values) for name, values in seconds.items()}
        step = best.pop("arrays")
        shares = ", ".join(f"{name} {step / value:.2f}" for name, value in best.items())
        sys.stdout.write(f"784-{width}-{width}-10, {step / (EXAMPLES / BATCH) * 1e3:.2f} ms: {shares}\n")


if __name__ == "__main__":
    main()
