"""Runs on a real Ray of this machine, started once: what only processes show. .ci/distributed runs them.

A run of workers costs 2 s of CPU time for each of its processes, 3 of which are Ray's own, and 3 s more for each where
it imports torch. So a run checks several things, and sums go through Ray where a test does not ask for gloo.
"""

import importlib.util
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest

import thinc
from tests.distributed.runs import flat_weights, make_config, run_config, weights_of
from tests.shared import DATA
from thinc.api import Config
from thinc.cli import CONFIGS
from thinc.distributed import Group, Sync, distributed_train, loop
from thinc.training import ConfigProblem, TrainingError, read_archive, settle

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's about itself
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.skipif(not os.environ.get("THINC_TEST_RAY"), reason="THINC_TEST_RAY=1 starts a Ray"),
]
CHECKPOINT = "checkpoint.bin"
ROOT = Path(__file__).resolve().parents[2]
N = 61  # 8 batches, of which the last has 5 examples


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    import ray

    environment = {
        "HOME": str(tmp_path_factory.mktemp("home")),  # Ray keeps a token there
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAY_worker_niceness": "0",  # (15, else: what runs beside the tests would stop them)
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # a process for each run: of machines that are taken away
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
        yield ray
        ray.shutdown()


@pytest.fixture(autouse=True)
def way(request, monkeypatch):
    """How gradients are summed: by gloo, for which alone torch is imported, or by Ray."""
    if getattr(request, "param", "ray") == "gloo":
        pytest.importorskip("torch")
    else:
        monkeypatch.setattr(loop, "_has_torch", lambda: False)


def trained(folder, path):
    """The weights of the model that a run wrote at its best epoch."""
    model = settle(path, {}).model
    return model.from_bytes(read_archive(folder / "model.bin")["weights.bin"])


def last_weights(folder, path):
    """The weights at the end: of the newest checkpoint."""
    import srsly

    parts = read_archive(max(checkpoints(folder)))
    assert srsly.msgpack_loads(parts["state"])["progress"]["step"] == 0
    return flat_weights(settle(path, {}).model.from_bytes(parts["model"]))


def with_dropout(folder, **overrides):
    return make_config(folder, N, **{"model.*.embed.layer.*.mix.dropout": 0.2, **overrides})


def alone(path, shards):
    model, _, progress = run_config(path, lambda m, o: Sync(Group(), m, shards=shards))
    return flat_weights(model), progress


@pytest.mark.parametrize("way", ["gloo"], indirect=True)
def test_two_workers_equal_one(cluster, tmp_path, way):
    """32 steps, of which every eighth has an uneven share."""
    path = make_config(tmp_path, N)
    interrupt = signal.getsignal(signal.SIGINT)
    model, _, expected = run_config(path)
    progress = distributed_train(path, workers=2, storage=tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is interrupt  # Ray's own would end this process
    numpy.testing.assert_allclose(last_weights(tmp_path / "run", path), flat_weights(model), atol=1e-5)
    assert progress.epoch == 4 and progress.items == expected.items
    assert progress.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-3)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines == progress.history
    assert lines[0]["workers"] == 2 and lines[0]["bytes_per_step"] > 1000 and lines[0]["exchange_share"] > 0
    assert trained(tmp_path / "run", path).predict([["word1", "word2"]])[0].shape == (2, 5)


def test_four_workers_have_the_bits_of_one(cluster, tmp_path):
    """With dropout: the masks, too, are the same for any number."""
    path = with_dropout(tmp_path)
    expected, _ = alone(path, 4)
    distributed_train(path, workers=4, shards=4, storage=tmp_path / "run")
    assert last_weights(tmp_path / "run", path).tobytes() == expected.tobytes()


def test_a_killed_worker_changes_no_bit_and_one_that_hangs_is_an_error(cluster, tmp_path):
    """Two workers, of which one is killed after the first checkpoint, and one is stopped (SIGSTOP: it neither answers
    nor dies) after the next."""
    path = with_dropout(tmp_path, **{"training.max_epochs": 1000})
    run = tmp_path / "run"
    times, stopped = {}, []

    def disturb():
        wait_for(lambda: checkpoints(run))
        pids = worker_pids()
        os.kill(pids[-1], signal.SIGKILL)
        times["killed"] = time.monotonic()
        wait_for(lambda: len(worker_pids()) == 2 and not set(worker_pids()) & set(pids))
        before = checkpoints(run)
        wait_for(lambda: checkpoints(run) - before)
        times["back"] = time.monotonic()
        stopped.append(worker_pids()[-1])
        os.kill(stopped[0], signal.SIGSTOP)

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    try:
        with pytest.raises(TrainingError, match="failed 2 times"):
            distributed_train(path, workers=2, shards=4, storage=run, timeout=10, max_failures=1)
        ended = time.monotonic()
    finally:
        for pid in stopped:
            if os.path.exists(f"/proc/{pid}"):
                os.kill(pid, signal.SIGKILL)
    assert stopped, "nobody was stopped: the run ended before"
    assert times["back"] - times["killed"] < 60 and ended - times["back"] < 60
    path = with_dropout(tmp_path, **{"training.max_epochs": newest_progress(run)["epoch"]})
    expected, _ = alone(path, 4)
    assert last_weights(run, path).tobytes() == expected.tobytes()


def worker_pids(driver=None):
    """The processes that run our loop: of a Ray that this process started, or another driver."""
    ours = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if b"RayTrainWorker" in file.read() and parent(parent(int(name))) == (driver or os.getpid()):
                    ours.append(int(name))
        except OSError:  # it has ended
            continue
    return sorted(ours)


def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


# As if it were not installed, for the workers, too.
NO_TORCH = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *args: None if name == "torch" else find(name, *args)
"""
DRIVER = """
import importlib.util
import sys
from thinc.distributed import distributed_train
assert importlib.util.find_spec("torch") is None
path, storage = sys.argv[1:]
distributed_train(path, workers=2, shards=8, storage=storage)
"""


def test_a_killed_driver_is_resumed_with_the_same_bits(cluster, tmp_path):
    """A driver with a Ray of its own, without torch, is killed after its first checkpoint. An elastic run of 1 to 8
    workers goes on with what there is, which is 4."""
    path = with_dropout(tmp_path, **{"training.max_epochs": 200, "training.patience": 0})
    run = tmp_path / "run"
    (tmp_path / "sitecustomize.py").write_text(NO_TORCH)
    command = [sys.executable, "-c", DRIVER, str(path), str(run)]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    try:
        wait_for(lambda: checkpoints(run), driver)
        pids = worker_pids(driver.pid)
    finally:
        driver.kill()
        driver.wait()
    assert len(pids) == 2
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))  # Ray ends with its driver
    before = newest_progress(run)
    assert 0 < before["epoch"] < 200
    path = with_dropout(tmp_path, **{"training.max_epochs": before["epoch"] + 3})
    expected, done = alone(path, 8)
    progress = distributed_train(path, workers=(1, 8), shards=8, storage=run, resume=True)
    assert progress.epoch == done.epoch and progress.items == done.items
    assert [entry["workers"] for entry in progress.history][:: len(progress.history) - 1] == [2, 4]
    assert last_weights(run, path).tobytes() == expected.tobytes()


def read(path):
    return path.read_text(encoding="utf8") if path.exists() else ""


def newest_progress(folder):
    import srsly

    return srsly.msgpack_loads(read_archive(max(checkpoints(folder)))["state"])["progress"]


def checkpoints(folder):
    """Those that count, as all ranks have told of them; another may be half a file."""
    counted = read(folder / "ray" / "checkpoint_manager_snapshot.json")
    return {path for path in (folder / "ray").glob(f"*/{CHECKPOINT}") if path.parent.name in counted}


def wait_for(condition, process=None, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s"
        assert process is None or process.poll() is None, "the driver ended"
        time.sleep(0.05)


def test_cpus_that_others_use_are_not_waited_for_for_ever(cluster, tmp_path):
    @cluster.remote(num_cpus=2)
    class Busy:
        def ready(self):
            return True

    busy = Busy.remote()
    assert cluster.get(busy.ready.remote())
    start = time.monotonic()
    with pytest.raises(TrainingError, match="workers failed"):
        distributed_train(make_config(tmp_path, N), workers=4, storage=tmp_path / "run", timeout=2, max_failures=1)
    assert time.monotonic() - start < 60
    cluster.kill(busy)


def test_nan_on_a_worker_ends_the_run_at_once_and_names_the_rank(cluster, tmp_path):
    """A decay without bounds: no restart, whose end would be the same. The loss, or the gradients, tell."""
    path = make_config(tmp_path, N, **{"optimizer.L2": 1e38, "optimizer.grad_clip": 0.0})
    with pytest.raises(TrainingError, match=r"rank \d failed in epoch 1, step \d+: .*(finite|NaN)|on rank .* of 2"):
        distributed_train(path, workers=2, mode="sharded", storage=tmp_path / "run")


def test_a_killed_controller_is_said(cluster, tmp_path):
    """That which leads the workers has nobody who would start it again."""
    path = make_config(tmp_path, N, **{"training.max_epochs": 10_000, "training.patience": 0})
    run = tmp_path / "run"

    def kill():
        wait_for(lambda: checkpoints(run))
        for folder in Path("/proc").glob("[0-9]*"):
            if read(folder / "cmdline").startswith("ray::TrainController"):
                os.kill(int(folder.name), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(TrainingError, match="Ray lost what led the workers: The actor died.* resume=True from"):
        distributed_train(path, workers=1, storage=run)
    killer.join()


def test_a_wrong_model_is_not_tried_again(cluster, tmp_path):
    """The output is too narrow for the labels: the message comes from a worker, after one attempt."""
    path = make_config(tmp_path, N, **{"model.*.output.layer.nO": 2})
    with pytest.raises(TrainingError, match=r"gives nO=2 numbers, the corpus asks for 5"):
        distributed_train(path, workers=1, storage=tmp_path / "run")


def test_more_workers_than_cpus_are_refused_at_once(cluster, tmp_path):
    start = time.monotonic()
    with pytest.raises(ConfigProblem, match="9 workers need 9 CPUs, but the cluster has 4"):
        distributed_train(make_config(tmp_path), workers=9, storage=tmp_path / "run")
    assert time.monotonic() - start < 5 and not (tmp_path / "run").exists()


def test_an_address_where_nobody_listens():
    """In a process of its own, as this one has a Ray."""
    code = """
from thinc.distributed.loop import _ray
from thinc.training import TrainingError
try:
    with _ray("127.0.0.1:1", 1, 5.0):
        pass
except TrainingError as e:
    print(e)
"""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "There is no Ray at '127.0.0.1:1'" in done.stdout
    assert time.monotonic() - start < 60


def one_process(path):
    """The best score of the plain loop."""
    return run_config(path)[2].best_score


@pytest.mark.parametrize("corpus", ["python", "treebank"])
def test_a_quorum_of_one_is_as_good_as_one_process(cluster, tmp_path, corpus):
    """Two workers that wait for nobody, and whose gradients may be stale: within half a point."""
    config = Config().from_disk(CONFIGS / "tagger.cfg")
    config["training"]["max_epochs"] = 2
    if corpus == "python":
        config["corpus"]["limit"] = 60
    else:
        if not DATA.is_dir():
            pytest.skip("needs ud_english_ewt")
        folder = DATA / "ud_english_ewt"
        config["corpus"] = {
            "@datasets": "conllu.v1",
            "path": str(folder / "en_ewt-ud-train.conllu.gz"),
            "dev_path": str(folder / "en_ewt-ud-dev.conllu.gz"),
            "limit": 2000,
        }
    config.to_disk(tmp_path / "config.cfg")
    expected = one_process(tmp_path / "config.cfg")
    progress = distributed_train(
        tmp_path / "config.cfg", workers=2, mode="sharded", quorum=1, storage=tmp_path / "run", timeout=120
    )
    assert progress.best_score > expected - 0.005
    assert progress.history[-1]["dropped"] >= 0 and progress.history[-1]["stale"] > 0


def test_the_tutorial_runs(cluster, monkeypatch):
    """Its cells, on the Ray that is there: one worker and two on the source of the Python that runs them, then the
    example, which learns. It comes last: the actors of the example keep their CPUs."""
    monkeypatch.chdir(ROOT / "docs" / "tutorials")
    monkeypatch.setattr(cluster, "shutdown", lambda: None)
    page = runpy.run_path(str(ROOT / "docs" / "check.py"))["run"](Path("parallel-training.md"))
    assert sorted(page["runs"]) == [1, 2]
    one, two = ([w.tobytes() for w in weights_of(thinc.load(page["folder"] / name).model)] for name in ("1", "2"))
    assert one == two
    untrained, *_, last = page["scores"]  # which of two epochs is better is chance where gradients are dropped
    assert untrained < 0.3 and last > 0.85
