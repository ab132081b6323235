"""The training loop: what it yields, when it stops, and that a checkpoint is all of its state."""

import random

import numpy
import pytest

from thinc.api import Adam, CategoricalCrossentropy, Relu, Softmax, chain
from thinc.training import (
    Progress,
    Settings,
    TrainingError,
    evaluate,
    initialize,
    load_checkpoint,
    predict_answers,
    save_checkpoint,
    shuffled_batches,
    train,
)
from thinc.training.datasets import Data, Examples


def make_data(n=53):
    rng = numpy.random.RandomState(0)
    X = rng.normal(size=(n, 5)).astype("float32")
    Y = (X[:, 0] > 0).astype("int32")
    return Data(Examples(X, Y), Examples(X[:20], Y[:20]), ["no", "yes"])


def make_run(**settings):
    data = make_data()
    model = chain(Relu(7, dropout=0.2), Softmax())
    settings = Settings(loss=CategoricalCrossentropy(), **{"batch_size": 8, "max_epochs": 4, "patience": 0, **settings})
    initialize(model, data, settings.seed)
    return model, Adam(0.02, L2=0.01), data, settings


def test_it_learns_and_tells():
    model, optimizer, data, settings = make_run(max_epochs=15)
    steps, scores = 0, []
    for progress in train(model, optimizer, data, settings):
        if progress.score is not None:
            scores.append(progress.score)
        elif progress.step:
            steps += 1
    assert steps == 15 * 7
    assert progress.items == 15 * 53
    assert len(scores) == 15 and max(scores) > 0.9
    assert progress.best_score == max(scores)
    assert progress.best_epoch == scores.index(max(scores))
    assert [entry["epoch"] for entry in progress.history] == list(range(1, 16))


def test_patience_ends_the_run():
    model, optimizer, data, settings = make_run(max_epochs=100, patience=3)
    optimizer.learn_rate = 0.0  # the score never rises
    *_, progress = train(model, optimizer, data, settings)
    assert progress.epoch == 4 and progress.best_epoch == 0


def test_the_score_is_that_of_the_averaged_weights():
    model, optimizer, data, settings = make_run(max_epochs=1)
    for progress in train(model, optimizer, data, settings):
        if progress.score is not None:
            key = (model.layers[-1].id, "W")
            assert model.layers[-1].get_param("W") is optimizer.averages[key]
            assert progress.score == evaluate(model, data.dev, data).values["accuracy"]
    assert model.layers[-1].get_param("W") is not optimizer.averages[key]


def test_a_loss_that_is_no_number_stops_the_run():
    model, optimizer, data, settings = make_run()
    settings.loss = lambda guesses, truths: (guesses * 0, float("nan"))
    with pytest.raises(TrainingError, match="became nan in epoch 1, step 1.*learning rate"):
        list(train(model, optimizer, data, settings))


def final_weights(model):
    return [node.get_param(name).copy() for node in model.walk() for name in node.param_names]


@pytest.mark.parametrize("stop", [0, 3, 6, 7, 9, 20])
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path, stop):
    """Stopped after any yield: in the middle of an epoch, at its score, at its end."""
    model, optimizer, data, settings = make_run()
    list(train(model, optimizer, data, settings))
    expected = final_weights(model)

    model, optimizer, data, settings = make_run()
    path = tmp_path / "checkpoint.bin"
    for i, progress in enumerate(train(model, optimizer, data, settings)):
        if progress.score is None:  # as the command does: between steps, with plain weights
            save_checkpoint(path, model, optimizer, progress)
            if i >= stop:
                break
    # As in another process: other ids, other random numbers drawn before.
    chain(Relu(3), Relu(3))
    model, optimizer, data, settings = make_run()
    numpy.random.seed(99)
    random.seed(99)
    progress = load_checkpoint(path, model, optimizer)
    list(train(model, optimizer, data, settings, progress))
    for got, wanted in zip(final_weights(model), expected):
        assert numpy.array_equal(got, wanted)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80"])
def test_junk_is_no_checkpoint(tmp_path, content):
    model, optimizer, *_ = make_run()
    path = tmp_path / "checkpoint.bin"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not a checkpoint of this model"):
        load_checkpoint(path, model, optimizer)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    model, optimizer, *_ = make_run()
    path = tmp_path / "checkpoint.bin"
    save_checkpoint(path, model, optimizer, Progress())
    other = chain(Relu(9), Softmax()).initialize(*(make_data().train.X, numpy.eye(2, dtype="f")))
    with pytest.raises(TrainingError, match="not a checkpoint of this model"):
        load_checkpoint(path, other, Adam())


def test_batches_hold_each_example_once_in_an_order_of_the_epoch():
    settings = Settings(loss=None, batch_size=8, seed=3)
    first, again, second = (shuffled_batches(53, settings, epoch) for epoch in (0, 0, 1))
    assert sorted(numpy.concatenate(first)) == list(range(53))
    assert [len(batch) for batch in first] == [8] * 6 + [5]
    assert all(numpy.array_equal(a, b) for a, b in zip(first, again))
    assert not numpy.array_equal(first[0], second[0])


def test_unknown_answers_are_not_scored():
    model, _, data, _ = make_run()
    guess = predict_answers(model, data.dev.X, "class")
    Y = guess.astype("int32")
    Y[:5] = -1
    Y[5] = 1 - Y[5]
    scores = evaluate(model, Examples(data.dev.X, Y), data, batch_size=7)
    assert scores.values["accuracy"] == pytest.approx(14 / 15) and scores.count == 15
    with pytest.raises(TrainingError, match="nothing to score"):
        evaluate(model, Examples(data.dev.X, Y * 0 - 1), data)
