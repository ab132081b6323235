"""Owners by threads against one process."""

import threading
import time

import numpy
import pytest

from tests.distributed.runs import by_threads, flat_weights, go, make_config, prepare, run_config, weights_of
from tests.distributed.threads import run
from thinc.api import SGD, Adam, Linear, Model
from thinc.distributed import Group, LostWorker, Sharded
from thinc.distributed.bucket import Place
from thinc.distributed.sharded import Gradient, Owner
from thinc.training import TrainingError


def owners(**settings):
    return lambda group, model, optimizer: Sharded(group, model, optimizer, **settings)


@pytest.mark.parametrize("n", [64, 61, 9])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_quorum_of_all_equals_one_process(tmp_path, size, n):
    path = make_config(tmp_path, n, **{"optimizer.learn_rate": 0.003})
    alone, optimizer, expected = run_config(path)
    results = by_threads(path, size, owners())
    for model, theirs, progress in results:
        for a, b in zip(weights_of(model), weights_of(alone)):
            numpy.testing.assert_allclose(a, b, atol=1e-5)
        averages = zip(theirs.averages.values(), optimizer.averages.values())
        assert len(theirs.averages) == len(optimizer.averages) > 0
        assert sorted(map(float, theirs.nr_update.values())) == sorted(map(float, optimizer.nr_update.values()))
        assert {a.shape for a, _ in averages} == {b.shape for b in optimizer.averages.values()}
        assert progress.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-3)
        assert progress.history[-1]["score"] == pytest.approx(expected.history[-1]["score"])
        assert progress.history[-1]["dropped"] == 0
    assert len({flat_weights(model).tobytes() for model, _, _ in results}) == 1


def test_schedules_are_those_of_the_ranks(tmp_path):
    path = make_config(tmp_path)
    text = path.read_text().replace(
        "learn_rate = 0.01",
        '[optimizer.learn_rate]\n@schedules = "warmup_linear.v1"\ninitial_rate = 0.01\nwarmup_steps = 5\n'
        "total_steps = 40\n",
    )
    others = "L2 = 0.01\neps = 0.001\n"
    text = text.replace(others, "").replace('@optimizers = "Adam.v1"\n', f'@optimizers = "Adam.v1"\n{others}')
    path.write_text(text)
    alone, _, _ = run_config(path)
    for model, _, _ in by_threads(path, 2, owners()):
        numpy.testing.assert_allclose(flat_weights(model), flat_weights(alone), atol=1e-5)


def test_a_quorum_of_one_learns_as_much(tmp_path):
    path = make_config(tmp_path, 200, **{"training.max_epochs": 8})
    _, _, expected = run_config(path)
    (_, _, a), (_, _, b) = by_threads(path, 2, owners(quorum=1))
    assert a.history[-1]["score"] == b.history[-1]["score"]  # all have settled on the same weights
    assert abs(a.best_score - expected.best_score) < 0.05
    assert expected.best_score > 0.9
    assert a.history[-1]["stale"] == b.history[-1]["stale"]


def make_owner(quorum=1, size=2, max_staleness=1, timeout=0.3):
    settings = {"quorum": quorum, "max_staleness": max_staleness, "timeout": timeout, "mean": True}
    slots = [(Place(0, -1, "W"), 0, (2, 8))]
    optimizer = Adam(0.1, use_averages=False, grad_clip=0.0)
    return Owner(slots, numpy.zeros(16, dtype="f"), optimizer, size, **settings)


def gradient(rank=0, version=0, value=1.0, weight=0.5, flag=True):
    return Gradient(rank, version, numpy.full(16, value, dtype="f"), weight, numpy.array([flag]), {})


def test_old_gradients_are_dropped_and_counted():
    owner = make_owner(max_staleness=1)
    versions = [owner.push(gradient(version=v))[0] for v in (0, 0, 0, 2)]
    assert versions == [1, 2, 2, 3]  # the third is 2 updates old
    assert (owner.dropped, owner.stale) == (1, 2)


def test_a_quorum_waits_for_its_gradients_and_not_for_ever():
    owner = make_owner(quorum=2)
    start = time.monotonic()
    with pytest.raises(LostWorker, match="waited 0.3 s for a quorum of 2 gradients; 1 came"):
        owner.push(gradient())
    assert time.monotonic() - start < 3


def test_who_leaves_is_not_waited_for():
    owner = make_owner(quorum=2, timeout=5)
    thread = threading.Timer(0.05, owner.leave)
    thread.start()
    assert owner.push(gradient())[0] == 1
    thread.join()


def test_weights_of_a_quorum_make_a_mean():
    """Half of the batch in a quorum of one counts as a whole batch does: plain SGD shows it."""
    owner = make_owner()
    owner.optimizer = SGD(1.0, L2=0.0, grad_clip=0.0, use_averages=False)
    _, weights = owner.push(gradient(value=0.5, weight=0.5))
    assert weights.tolist() == [-1.0] * 16
    _, weights = owner.push(gradient(version=1, value=0.0, weight=0.0))  # a share without examples
    assert weights.tolist() == [-1.0] * 16
    _, weights = owner.push(gradient(version=2, value=9.0, flag=False))  # nothing used the parameter
    assert weights.tolist() == [-1.0] * 16


def test_nan_on_one_rank_stops_all_and_names_it(tmp_path):
    path = make_config(tmp_path, 61)
    messages = []

    class Spoiled(Sharded):
        def backward(self, model, optimizer, examples, loss, *args):
            if self.group.rank == 1 and self.steps == 3:
                return super().backward(model, optimizer, examples, Nan(loss), *args)
            return super().backward(model, optimizer, examples, loss, *args)

    class Nan:
        def __init__(self, loss):
            self.loss = loss

        def __call__(self, Yh, Y):
            return self.loss(Yh, Y)[0], float("nan")

    prepared = [prepare(path) for _ in range(2)]

    def work(group):
        try:
            go(prepared[group.rank], lambda *args: Spoiled(group, *args, timeout=5))
        except TrainingError as e:
            messages.append(str(e))
            raise

    start = time.monotonic()
    with pytest.raises(TrainingError):
        run(2, work)
    assert len(messages) == 2 and time.monotonic() - start < 4
    for message in messages:
        assert "epoch 1, step 4, on rank 1 of 2" in message


def test_shims_are_refused_by_name():
    class Wrapped:
        id = 1

    layer = Model("wrapped", None, shims=[Wrapped()])
    layer._layers.append(Linear(2, 2).initialize())
    with pytest.raises(ValueError, match="'wrapped' holds a Wrapped.*Use mode 'sync'"):
        Sharded(Group(), layer, Adam(0.1))


@pytest.mark.parametrize("quorum", [0, 2])
def test_a_quorum_that_never_comes_is_refused(quorum):
    with pytest.raises(ValueError, match=f"expected 1 to 1, the number of workers, got {quorum}"):
        Sharded(Group(), Linear(2, 2).initialize(), Adam(0.1), quorum=quorum)
