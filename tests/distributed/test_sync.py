"""Replicas by threads against one process."""

import numpy
import pytest

from tests.distributed.runs import by_threads, flat_weights, go, make_config, prepare, run_config, weights_of
from tests.distributed.threads import run
from thinc.distributed import Group, Sync
from thinc.training import TrainingError


def replicas(**settings):
    return lambda group, model, optimizer: Sync(group, model, **settings)


@pytest.mark.parametrize("n", [64, 61, 9])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_workers_equal_one_process(tmp_path, size, n):
    """64: even batches; 61: uneven ones; 9: the last batch has one example, so that some ranks have none."""
    path = make_config(tmp_path, n)
    alone, _, expected = run_config(path)
    results = by_threads(path, size, replicas())
    for model, _, progress in results:
        for a, b in zip(weights_of(model), weights_of(alone)):
            numpy.testing.assert_allclose(a, b, atol=1e-5)
        assert progress.items == expected.items
        assert progress.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-3)
    assert len({flat_weights(model).tobytes() for model, _, _ in results}) == 1


def test_a_batch_of_parts_without_weights_would_differ(tmp_path):
    """What the weights are for: the plain mean of uneven parts is another model."""
    path = make_config(tmp_path, 61)
    alone, _, _ = run_config(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thinc.distributed.sync.weight_of", lambda loss, n, of: (1 / 3, 1 / 3))
        ((model, _, _), *_) = by_threads(path, 3, replicas())
    assert numpy.abs(flat_weights(model) - flat_weights(alone)).max() > 1e-3


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_shards_give_the_same_bits_for_any_number_of_workers(tmp_path, dropout):
    path = make_config(tmp_path, 61, **{"model.*.embed.layer.*.mix.dropout": dropout, "training.max_epochs": 2})
    bits = set()
    for size in (1, 2, 3, 4):
        if dropout and size > 1:
            continue  # threads share one random state; processes do not: see test_ray
        for model, _, _ in by_threads(path, size, replicas(shards=4)):
            bits.add(flat_weights(model).tobytes())
    assert len(bits) == 1


def test_shards_equal_the_plain_loop(tmp_path):
    path = make_config(tmp_path, 61)
    alone, _, _ = run_config(path)
    model, _, _ = run_config(path, lambda m, o: Sync(Group(), m, shards=4))
    numpy.testing.assert_allclose(flat_weights(model), flat_weights(alone), atol=1e-5)
    assert flat_weights(model).tobytes() != flat_weights(alone).tobytes()  # another order of sums


def test_sparse_sums_have_the_bits_of_dense_ones(tmp_path, monkeypatch):
    path = make_config(tmp_path, 61)
    sparse = by_threads(path, 2, replicas())
    monkeypatch.setattr("thinc.distributed.group.pack", lambda array: array)
    dense = by_threads(path, 2, replicas())
    assert flat_weights(sparse[0][0]).tobytes() == flat_weights(dense[0][0]).tobytes()
    (_, _, a), (_, _, b) = sparse[0], dense[0]
    assert a.history[-1]["bytes_per_step"] < 0.9 * b.history[-1]["bytes_per_step"]


@pytest.mark.parametrize("where", ["gradient", "loss"])
def test_nan_on_one_rank_stops_all_and_names_it(tmp_path, where):
    path = make_config(tmp_path, 61)
    messages = []

    def make(group, model, optimizer):
        sync = Sync(group, model)
        part = sync._part

        def spoil(*args):
            part(*args)
            if group.rank == 1 and sync.steps == 5:
                sync.bucket.flat[3 if where == "gradient" else -2] = numpy.nan

        sync._part = spoil
        return sync

    prepared = [prepare(path) for _ in range(3)]

    def work(group):
        try:
            go(prepared[group.rank], lambda *args: make(group, *args))
        except TrainingError as e:
            messages.append(str(e))
            raise

    with pytest.raises(TrainingError):
        run(3, work)
    assert len(messages) == 3
    for message in messages:
        assert "epoch 1, step 6, on rank 1 of 3" in message


@pytest.mark.parametrize("shards", [0, -1, 3, 6])
def test_shards_are_a_power_of_two(tmp_path, shards):
    with pytest.raises(ValueError, match=f"expected a power of two, such as 4, got {shards}"):
        run_config(make_config(tmp_path), lambda m, o: Sync(Group(), m, shards=shards))
