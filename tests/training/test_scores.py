"""Scores against scikit-learn, and against counts by hand."""

import numpy
import pytest

from thinc.training import Data, Examples, baseline, decode, default_score, score_answers
from thinc.training.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError

RNG = numpy.random.RandomState(0)
LABELS = ["a", "b", "c"]


def test_classes_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    gold, guess = RNG.randint(0, 3, 97), RNG.randint(0, 3, 97)
    scores = score_answers(guess, gold, LABELS, "class")
    names = numpy.array(LABELS)
    report = metrics.classification_report(names[gold], names[guess], output_dict=True)
    assert scores.values["accuracy"] == pytest.approx(report["accuracy"])
    for mine, theirs in (("precision", "precision"), ("recall", "recall"), ("f", "f1-score")):
        assert scores.values[f"macro_{mine}"] == pytest.approx(report["macro avg"][theirs])
        for label in LABELS:
            assert scores.labels[label][mine] == pytest.approx(report[label][theirs])
    matrix = metrics.confusion_matrix(gold, guess)
    assert {(a, b): n for a, b, n in scores.confusion} == {
        (LABELS[i], LABELS[j]): matrix[i, j] for i in range(3) for j in range(3) if i != j and matrix[i, j]
    }


def test_several_labels_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    gold, guess = RNG.randint(0, 2, (53, 3)), RNG.randint(0, 2, (53, 3))
    values = score_answers(guess, gold, LABELS, "several").values
    for name in ("micro", "macro"):
        wanted = metrics.precision_recall_fscore_support(gold, guess, average=name)
        got = [values[f"{name}_{key}"] for key in ("precision", "recall", "f")]
        assert got == pytest.approx(list(wanted[:3]))
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(gold, guess))


def test_numbers_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    gold, guess = RNG.normal(size=41), RNG.normal(size=41)
    values = score_answers(guess[:, None], gold[:, None], [], "number").values
    assert values["r2"] == pytest.approx(metrics.r2_score(gold, guess))
    assert values["mean_absolute_error"] == pytest.approx(metrics.mean_absolute_error(gold, guess))
    assert values["root_mean_squared_error"] == pytest.approx(metrics.mean_squared_error(gold, guess) ** 0.5)


BIO = ["B-X", "B-Y", "I-X", "I-Y", "O"]


@pytest.mark.parametrize(
    "wanted,given,right,n_given,n_wanted",
    [
        ("B-X I-X O B-Y", "B-X I-X O B-Y", 2, 2, 2),
        ("B-X I-X O B-Y", "B-X O O B-Y", 1, 2, 2),  # half a span is no span
        ("B-X B-X", "B-X I-X", 0, 1, 2),
        ("I-X I-X O", "B-X I-X O", 1, 1, 1),  # an I without a beginning begins
        ("B-X I-Y", "B-X B-Y", 2, 2, 2),  # an I of another kind begins
        ("O O", "B-X O", 0, 1, 0),
        ("O B-X", "O B-X", 1, 1, 1),  # up to the end
    ],
)
def test_spans_by_hand(wanted, given, right, n_given, n_wanted):
    numbers = [numpy.array([BIO.index(tag) for tag in tags.split()]) for tags in (wanted, given)]
    values = score_answers([numbers[1]], [numbers[0]], BIO, "sequence").values
    assert values["span_precision"] == pytest.approx(right / n_given if n_given else 0)
    assert values["span_recall"] == pytest.approx(right / n_wanted if n_wanted else 0)
    assert values["span_f"] == pytest.approx(2 * right / (n_given + n_wanted))


def test_answers_that_are_not_known_are_not_scored_and_unseen_labels_are_errors():
    gold, guess = [numpy.array([0, -1, 3])], [numpy.array([0, 1, 1])]
    scores = score_answers(guess, gold, LABELS, "sequence")
    assert scores.count == 2 and scores.values["accuracy"] == 0.5
    assert scores.confusion == [["(not in training)", "b", 1]]


def test_defaults_and_decoding():
    empty = Examples([], [])
    assert default_score(Data(empty, empty, BIO, "sequence")) == "span_f"
    assert default_score(Data(empty, empty, LABELS, "sequence")) == "accuracy"
    assert default_score(Data(empty, empty, LABELS, "several")) == "micro_f"
    assert default_score(Data(empty, empty, [], "number")) == "r2"
    p = numpy.array([[0.2, 0.7], [0.6, 0.4]])
    assert decode(p, "class").tolist() == [1, 0]
    assert decode([p], "sequence")[0].tolist() == [1, 0]
    assert decode(p, "several").tolist() == [[0, 1], [1, 0]]
    assert decode(p, "number") is p


def test_the_baseline_is_the_commonest_label():
    train, dev = Examples([0] * 5, numpy.array([1, 1, 1, 0, 2])), Examples([0] * 4, numpy.array([1, 0, 1, 3]))
    assert baseline(Data(train, dev, LABELS, "class")) == 0.5


def test_losses_are_what_their_names_say_and_have_the_gradients():
    """Against finite differences of the loss after its softmax or sigmoid."""
    x = RNG.normal(size=(5, 3))
    y = RNG.randint(0, 3, 5)

    def softmax(z):
        e = numpy.exp(z)
        return e / e.sum(axis=1, keepdims=True)

    p = softmax(x)
    loss = CrossEntropy()
    assert loss.get_loss(p, y) == pytest.approx(-numpy.log(p[range(5), y]).mean())
    check_gradient(lambda z: loss.get_loss(softmax(z), y), x, loss.get_grad(p.astype("f"), y))
    as_list = [p[:2].astype("f"), p[2:].astype("f")]
    assert loss.get_loss(as_list, [y[:2], y[2:]]) == pytest.approx(loss.get_loss(p, y), rel=1e-5)
    missing = numpy.array([y[0], -1, -1, -1, -1])
    assert loss.get_loss(p, missing) == pytest.approx(-numpy.log(p[0, y[0]]))
    assert not loss.get_grad(p.astype("f"), missing)[1:].any()

    truth = RNG.randint(0, 2, (5, 3)).astype("f")
    sigmoid = 1 / (1 + numpy.exp(-x))
    binary = BinaryCrossEntropy()
    expected = -(truth * numpy.log(sigmoid) + (1 - truth) * numpy.log(1 - sigmoid)).mean()
    assert binary.get_loss(sigmoid, truth) == pytest.approx(expected)
    # (the gradient adds up the labels of an example, the loss is a mean over them, too)
    check_gradient(lambda z: 3 * binary.get_loss(1 / (1 + numpy.exp(-z)), truth), x, binary.get_grad(sigmoid, truth))
    squares = MeanSquaredError()
    assert squares.get_loss(x, truth) == pytest.approx(((x - truth) ** 2).mean())
    check_gradient(lambda z: 3 * squares.get_loss(z, truth) / 2, x, squares.get_grad(x, truth))


def check_gradient(function, x, gradient, h=1e-5):
    for i in numpy.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        assert gradient[i] == pytest.approx((function(up) - function(down)) / (2 * h), abs=1e-5)
