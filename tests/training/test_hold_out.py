"""The held-out part: each label has its share of it, whatever the order of the file; one seed, one part."""

from collections import Counter

import numpy
import pytest

from thinc.training import DatasetError, hold_out

SIZES = {"A": 500, "B": 300, "C": 100, "D": 50, "E": 7, "F": 1}


def sorted_by_label():
    return [label for label, n in SIZES.items() for _ in range(n)]


def alternating():
    return ["AB"[i % 2] for i in range(1000)]


def period_of_ten():
    return ["X" if i % 10 == 0 else "Y" if i % 10 < 5 else "Z" for i in range(1000)]


def shuffled():
    return numpy.random.RandomState(7).permutation(sorted_by_label()).tolist()


@pytest.mark.parametrize("order", [sorted_by_label, alternating, period_of_ten, shuffled])
@pytest.mark.parametrize("kind", ["class", "sequence", "several"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_label_has_its_share(order, kind, seed):
    labels = order()
    answers = {"class": labels, "sequence": [[x, x, None] for x in labels], "several": [[x] for x in labels]}[kind]
    rows = [(i, answer) for i, answer in enumerate(answers)]
    train, dev, sentence = hold_out(rows, kind, 0.1, seed)
    assert sorted(i for i, _ in train + dev) == list(range(len(rows)))
    assert len(dev) == pytest.approx(0.1 * len(rows), abs=1)
    whole, held = Counter(labels), Counter(labels[i] for i, _ in dev)
    for label, n in whole.items():
        if n >= 50:
            assert abs(held[label] / len(dev) - n / len(rows)) < 0.02
        assert held[label] < n  # each is trained on
    assert f"held out: {len(dev)} of" in sentence.replace(",", "") and f"split_seed {seed}" in sentence
    assert hold_out(rows, kind, 0.1, seed)[1] == dev
    assert hold_out(rows, kind, 0.1, seed + 10)[1] != dev


def test_numbers_are_held_out_at_random():
    rows = [(i, float(i)) for i in range(200)]
    _, dev, _ = hold_out(rows, "number", 0.25, 0)
    assert len(dev) == 50 and 60 < numpy.mean([answer for _, answer in dev]) < 140


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_examples(n):
    train, dev, _ = hold_out([(i, "A") for i in range(n)], "class", 0.1, 0)
    assert len(dev) == 1 and len(train) == n - 1


@pytest.mark.parametrize("labels", [[], ["A"], ["A", "B"]])
def test_too_few_examples(labels):
    with pytest.raises(DatasetError, match="too few to hold some out"):
        hold_out(list(enumerate(labels)), "class", 0.1, 0)
