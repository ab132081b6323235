"""Endurance: memory stays flat over many calls, and threads change no bit and leave nothing behind."""

import os
import re
import threading
from pathlib import Path

import numpy
import pytest

from thinc.api import Adam, HashEmbed, Maxout, Relu, Softmax, chain, concatenate, expand_window, residual, with_array

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc/self/status")


def resident():
    """In MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def tagger():
    window = residual(chain(expand_window(1), Maxout(32, 96, nP=2, normalize=True)))
    embed = concatenate(HashEmbed(16, 500, column=0), HashEmbed(16, 500, column=1))
    return with_array(chain(embed, window, Relu(32, 32, dropout=0.1), Softmax(5, 32))).initialize(
        [numpy.zeros((1, 2), dtype="uint64")]
    )


def texts(rng, longest=60):
    """One to three texts of random length."""
    return [rng.randint(0, 2**60, (rng.randint(1, longest), 2)).astype("uint64") for _ in range(rng.randint(1, 4))]


def growth(step, n):
    """Of the resident memory over n steps, after a tenth for warm-up."""
    for i in range(n + n // 10):
        if i == n // 10:
            before = resident()
        step()
    return resident() - before


@pytest.mark.parametrize(
    "n",
    [
        3_000,
        pytest.param(100_000, marks=pytest.mark.slow, id="ci"),
        pytest.param(1_000_000, marks=pytest.mark.slow, id="long"),
    ],
)
def test_predictions(n):
    model, rng = tagger(), numpy.random.RandomState(0)
    assert growth(lambda: model.predict(texts(rng)), n) <= 16


@pytest.mark.parametrize(
    "n",
    [
        100,
        pytest.param(2_000, marks=pytest.mark.slow, id="ci"),
        pytest.param(10_000, marks=pytest.mark.slow, id="long"),
    ],
)
def test_training(n):
    model, rng, optimizer = tagger(), numpy.random.RandomState(0), Adam(0.001)

    def step():
        batch = [text for _ in range(rng.randint(1, 5)) for text in texts(rng)]
        Y, backprop = model.begin_update(batch)
        backprop([y - 0.2 for y in Y])
        model.finish_update(optimizer)

    assert growth(step, n) <= 16


@pytest.mark.parametrize("n", [100, pytest.param(10_000, marks=pytest.mark.slow, id="ci")])
def test_eight_threads(n):
    """The bits of one."""
    model, rng = tagger(), numpy.random.RandomState(0)
    batches = [texts(rng) for _ in range(16)]
    expected = [model.predict(batch) for batch in batches]
    wrong = []

    def work(seed):
        for i in range(n):
            k = (i + seed) % 16
            for y, right in zip(model.predict(batches[k]), expected[k]):
                if not (y == right).all():
                    wrong.append((seed, i))

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_short_lived_threads():
    """200 of them, with large batches, leave at most 32 MB."""
    model, rng = tagger(), numpy.random.RandomState(0)
    batch = [rng.randint(0, 2**60, (2_000, 2)).astype("uint64") for _ in range(4)]

    def run():
        thread = threading.Thread(target=model.predict, args=[batch])
        thread.start()
        thread.join()

    run()
    before = resident()
    for _ in range(200):
        run()
    assert resident() - before <= 32
