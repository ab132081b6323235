"""Losses against transcriptions that take one number at a time."""

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from thinc.api import CategoricalCrossentropy, CosineDistance, L2Distance, SequenceCategoricalCrossentropy, registry
from thinc.loss import Loss

NAMES = ["ant", "bee", "cat"]


def probabilities(n_rows, n_classes=3, seed=0):
    scores = numpy.random.RandomState(seed).uniform(0.1, 1, (n_rows, n_classes))
    return (scores / scores.sum(axis=1, keepdims=True)).astype("float32")


def cross_entropy_gradient(guesses, truths, names=None, missing=None, prefix=None, smoothing=0.0, normalize=True):
    """One row and one class at a time; truths are ids, names or None."""
    n_rows, n_classes = guesses.shape
    grad = [[0.0] * n_classes for _ in range(n_rows)]
    for i, truth in enumerate(truths):
        if truth is None or truth == missing:
            continue
        negated = isinstance(truth, str) and prefix and truth.startswith(prefix)
        if isinstance(truth, str):
            truth = names.index(truth[len(prefix) :] if negated else truth)
        for j in range(n_classes):
            if negated:
                grad[i][j] = float(guesses[i, j]) if j == truth else 0.0
                continue
            target = 1 - smoothing if j == truth else smoothing / (n_classes - 1)
            grad[i][j] = float(guesses[i, j]) - target
        if normalize:
            grad[i] = [g / n_rows for g in grad[i]]
    return numpy.array(grad, dtype="float32").reshape(guesses.shape)


def check_cross_entropy(loss, guesses, truths, expected):
    kept = guesses.copy()
    grad, value = loss(guesses, truths)
    assert grad.dtype == guesses.dtype
    assert_allclose(grad, expected, atol=1e-7)
    assert_allclose(value, sum(float(g) ** 2 for g in expected.ravel()), rtol=1e-5)
    assert_allclose(loss.get_grad(guesses, truths), grad)
    assert loss.get_loss(guesses, truths) == value
    assert_allclose(guesses, kept)


@settings(deadline=None)
@given(
    truths=st.lists(st.integers(0, 2), max_size=8),
    normalize=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 0.5]),
    as_list=st.booleans(),
)
def test_ids(truths, normalize, smoothing, as_list):
    guesses = probabilities(len(truths))
    loss = CategoricalCrossentropy(normalize=normalize, label_smoothing=smoothing)
    expected = cross_entropy_gradient(guesses, truths, normalize=normalize, smoothing=smoothing)
    given_truths = truths if as_list else numpy.array(truths, dtype="int32")
    check_cross_entropy(loss, guesses, given_truths, expected)


@settings(deadline=None)
@given(
    truths=st.lists(st.sampled_from([*NAMES, *["!" + name for name in NAMES], None]), max_size=8),
    normalize=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.2]),
)
def test_names_negated_and_missing(truths, normalize, smoothing):
    guesses = probabilities(len(truths))
    loss = CategoricalCrossentropy(names=NAMES, neg_prefix="!", normalize=normalize, label_smoothing=smoothing)
    expected = cross_entropy_gradient(guesses, truths, NAMES, prefix="!", normalize=normalize, smoothing=smoothing)
    check_cross_entropy(loss, guesses, truths, expected)


def test_missing_value_of_each_kind():
    guesses = probabilities(4)
    ids = [0, 2, 1, 2]
    expected = cross_entropy_gradient(guesses, ids, missing=2)
    loss = CategoricalCrossentropy(missing_value=2)
    check_cross_entropy(loss, guesses, ids, expected)
    check_cross_entropy(loss, guesses, numpy.array(ids), expected)
    check_cross_entropy(loss, guesses, numpy.eye(3, dtype="f")[ids], expected)
    names = CategoricalCrossentropy(names=NAMES, missing_value="cat")
    check_cross_entropy(names, guesses, [NAMES[i] for i in ids], expected)


def test_two_dimensional_truths():
    guesses = probabilities(2)
    truths = numpy.array([[0.0, 0.5, 0.5], [1, 0, 0]], dtype="f")
    expected = (guesses - truths) / 2
    check_cross_entropy(CategoricalCrossentropy(), guesses, truths, expected)
    # With names, -1 stands for an unknown truth of a class.
    unknown = numpy.array([[0.0, -1, 1], [1, 0, 0]], dtype="f")
    grad = CategoricalCrossentropy(names=NAMES).get_grad(guesses, unknown)
    assert_allclose(grad, (guesses - numpy.maximum(unknown, 0)) / 2, atol=1e-7)
    assert unknown[0, 1] == -1


def test_convert_truths_gives_target_and_mask():
    guesses = probabilities(3)
    loss = CategoricalCrossentropy(names=NAMES, neg_prefix="!")
    target, mask = loss.convert_truths(["bee", "!cat", None], guesses)
    assert_allclose(target[:2], [[0, 1, 0], [0, 0, 0]])
    assert_allclose(mask, [[1, 1, 1], [0, 0, 1], [0, 0, 0]])
    target, mask = loss.convert_truths(["ant", "bee", "cat"], guesses)
    assert_allclose(target, numpy.eye(3))
    assert_allclose(mask, numpy.ones((3, 3)))


def test_the_gradient_is_that_of_softmax_and_cross_entropy():
    """d/dx -log softmax(x)[truth], by finite differences in float64."""
    scores = numpy.random.RandomState(3).normal(size=(4, 3))
    truths = [0, 2, 1, 1]

    def softmax(x):
        return [math.exp(v) / sum(math.exp(u) for u in x) for v in x]

    def cost(x):
        return sum(-math.log(softmax(row)[t]) for row, t in zip(x, truths))

    guesses = numpy.array([softmax(row) for row in scores])
    grad = CategoricalCrossentropy(normalize=False).get_grad(guesses, truths)
    h = 1e-6
    for index in numpy.ndindex(scores.shape):
        step = numpy.zeros_like(scores)
        step[index] = h
        slope = (cost(scores + step) - cost(scores - step)) / (2 * h)
        assert_allclose(grad[index], slope, atol=1e-8)


@pytest.mark.parametrize(
    "settings, guesses, truths, message",
    [
        ({}, [[0.5, 1.5]], [0], "guesses outside the"),
        ({}, [[0.5, -0.1]], [0], "guesses outside the"),
        ({}, [[0.5, 0.5]], [[2.0, 0.0]], "truth values outside the"),
        ({}, [[0.5, 0.5]], [0, 1], "mismatched shapes: (1, 2) vs (2, 2)"),
        ({}, [[0.5, 0.5]], ["ant"], "strings without names"),
        ({"names": NAMES}, [[0.5, 0.5]], [0], "got 3 names and guesses of shape (1, 2)"),
        ({"label_smoothing": 0.1}, [[0.5, 0.5]], [[1.0, 0.0]], "label_smoothing = 0.1"),
        ({"label_smoothing": 0.6}, [[0.5, 0.5]], [1], "less than 0.5, but found 0.6"),
        ({"label_smoothing": -0.1}, [[0.5, 0.5]], [1], "greater than or equal to 0"),
    ],
)
def test_what_cross_entropy_refuses(settings, guesses, truths, message):
    guesses = numpy.array(guesses, dtype="f")
    if isinstance(truths[0], list):
        truths = numpy.array(truths, dtype="f")
    with pytest.raises(ValueError) as caught:
        CategoricalCrossentropy(**settings).get_grad(guesses, truths)
    assert message in str(caught.value)


def test_unknown_name():
    loss = CategoricalCrossentropy(names=NAMES, neg_prefix="!")
    for truths in (["ant", "dog"], ["ant", "!dog"]):
        with pytest.raises(KeyError, match=r"no class 'dog' \(row 1\) among .*'ant'"):
            loss.get_grad(probabilities(2), truths)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 4), max_size=5),
    normalize=st.booleans(),
    kind=st.sampled_from(["ids", "arrays", "names", "one-hot"]),
)
def test_sequences(lengths, normalize, kind):
    rng = numpy.random.RandomState(1)
    guesses = [probabilities(n, seed=n) for n in lengths]
    ids = [rng.randint(0, 3, size=n) for n in lengths]
    truths = {
        "ids": [[int(i) for i in row] for row in ids],
        "arrays": ids,
        "names": [[NAMES[i] for i in row] for row in ids],
        "one-hot": [numpy.eye(3, dtype="f")[row] for row in ids],
    }[kind]
    loss = SequenceCategoricalCrossentropy(normalize=normalize, names=NAMES)
    grads, value = loss(guesses, truths)
    scale = len(lengths) if normalize and lengths else 1
    expected = [cross_entropy_gradient(yh, y.tolist(), normalize=False) / scale for yh, y in zip(guesses, ids)]
    assert len(grads) == len(expected)
    for grad, right in zip(grads, expected):
        assert grad.shape == right.shape
        assert_allclose(grad, right, atol=1e-7)
    total = sum(float((right.astype("d") ** 2).sum()) for right in expected)
    assert_allclose(value, total, rtol=1e-5)
    assert_allclose(loss.get_loss(guesses, truths), value)


def test_sequences_that_differ_in_kind():
    guesses = [probabilities(2), probabilities(1).astype("float64")]
    loss = SequenceCategoricalCrossentropy(normalize=False)
    grads = loss.get_grad(guesses, [[0, 1], numpy.array([2])])
    assert [grad.dtype for grad in grads] == ["float32", "float64"]
    assert_allclose(grads[1], guesses[1] - [[0, 0, 1]])
    with pytest.raises(ValueError, match="must be same length, got 2 and 1"):
        loss(guesses, [[0, 1]])
    # A fault in one sequence is not hidden by another that makes up for it.
    with pytest.raises(ValueError, match="mismatched shapes"):
        loss([probabilities(2), probabilities(2)], [[0], [1, 2, 0]])


def test_l2_distance():
    guesses = numpy.array([[1, 2], [8, 9]])
    truths = numpy.array([[1, 2], [10, 5]])
    assert L2Distance(normalize=False)(guesses, truths)[1] == 20
    grad, value = L2Distance()(guesses, truths)
    assert_allclose(grad, [[0, 0], [-1, 2]])
    assert value == 5 == L2Distance().get_loss(guesses, truths)
    empty = numpy.zeros((0, 2), dtype="f")
    assert L2Distance()(empty, empty)[1] == 0
    with pytest.raises(ValueError, match="mismatched shapes"):
        L2Distance()(guesses, truths[:1])


def one_cosine(yh, y):
    dot = sum(a * b for a, b in zip(yh, y))
    return dot / math.sqrt(sum(a * a for a in yh)) / math.sqrt(sum(b * b for b in y))


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n_rows=st.integers(1, 5), normalize=st.booleans())
def test_cosine_distance(seed, n_rows, normalize):
    rng = numpy.random.RandomState(seed)
    guesses, truths = rng.normal(size=(2, n_rows, 4))
    loss = CosineDistance(normalize=normalize)
    scale = n_rows if normalize else 1
    cosines = [one_cosine(yh, y) for yh, y in zip(guesses, truths)]
    assert_allclose(loss.get_similarity(guesses, truths).ravel(), cosines, atol=1e-6)
    grad, value = loss(guesses, truths)
    assert_allclose(value, sum(1 - cos for cos in cosines) / scale, atol=1e-6)
    h = 1e-6
    for i, j in numpy.ndindex(guesses.shape):
        step = numpy.zeros(4)
        step[j] = h
        up, down = guesses[i] + step, guesses[i] - step
        slope = -(one_cosine(up, truths[i]) - one_cosine(down, truths[i])) / (2 * h)
        assert_allclose(grad[i, j], slope / scale, rtol=1e-4, atol=1e-5)


def test_cosine_distance_ignores_rows_of_zeros_on_request():
    guesses = numpy.array([[1.0, 2], [3, 4]])
    truths = numpy.array([[0.0, 0], [1, -1]])
    loss = CosineDistance(ignore_zeros=True, normalize=False)
    grad, value = loss(guesses, truths)
    assert_allclose(grad[0], 0)
    assert_allclose(value, 1 - one_cosine([3, 4], [1, -1]), atol=1e-6)
    assert numpy.isfinite(CosineDistance().get_grad(guesses, truths)).all()
    for method in (loss.get_grad, loss.get_loss, loss.get_similarity):
        with pytest.raises(ValueError, match="mismatched shapes"):
            method(guesses, truths[:1])


def test_base_class_says_nothing():
    assert Loss(anything=1)([1], [2]) == (None, None)


FULL = {"normalize": False, "names": NAMES, "missing_value": "cat", "neg_prefix": "!"}


@pytest.mark.parametrize(
    "name, settings",
    [
        ("CategoricalCrossentropy.v1", {k: FULL[k] for k in list(FULL)[:3]}),
        ("CategoricalCrossentropy.v2", FULL),
        ("CategoricalCrossentropy.v3", {**FULL, "label_smoothing": 0.1}),
        ("SequenceCategoricalCrossentropy.v1", {k: FULL[k] for k in list(FULL)[:2]}),
        ("SequenceCategoricalCrossentropy.v2", {k: FULL[k] for k in ("normalize", "names", "neg_prefix")}),
        ("SequenceCategoricalCrossentropy.v3", {**FULL, "label_smoothing": 0.1}),
        ("L2Distance.v1", {"normalize": False}),
        ("CosineDistance.v1", {"normalize": False, "ignore_zeros": True}),
    ],
)
def test_registered_losses_take_their_settings(name, settings):
    loss = registry.resolve({"loss": {"@losses": name, **settings}})["loss"]
    assert loss.normalize is False
    inner = getattr(loss, "cc", loss)
    for key in set(settings) - {"normalize"}:
        assert getattr(inner, key) == settings[key]
