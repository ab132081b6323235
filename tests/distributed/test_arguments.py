"""What is refused before any worker starts, and what importing does not do."""

import subprocess
import sys

import pytest

from tests.distributed.runs import make_config
from thinc.distributed import distributed_train
from thinc.distributed import loop as distributed_loop
from thinc.training import ConfigProblem, DatasetError

REFUSED = [
    ({"workers": 0}, "workers: expected a number of at least 1, or .least, most., got 0"),
    ({"workers": (3, 2)}, r"got \(3, 2\)"),
    ({"mode": "async"}, "mode: expected 'sync' or 'sharded', got 'async'"),
    ({"workers": 2, "shards": 3}, "shards: expected a power of two, such as 4, got 3"),
    ({"workers": 4, "shards": 2}, "shards: 2 parts are too few for 4 workers"),
    ({"mode": "sharded", "shards": 4}, "mode 'sharded' has no fixed order"),
    ({"quorum": 1}, "with mode 'sharded', got 1"),
    ({"mode": "sharded", "quorum": 3}, "quorum: expected 1 to 2, the number of workers, .* got 3"),
    ({"workers": (1, 2), "max_failures": 0}, "a change of their number is a restart"),
    ({"resume": True}, "nothing to resume in .*storage: it holds no folder ray"),
]


@pytest.mark.parametrize("arguments,message", REFUSED)
def test_arguments(tmp_path, arguments, message):
    with pytest.raises(ConfigProblem, match=message):
        distributed_train(make_config(tmp_path), storage=tmp_path / "storage", **arguments)
    assert not (tmp_path / "storage").exists()


def test_a_missing_config_and_a_missing_corpus(tmp_path):
    with pytest.raises(ConfigProblem, match="there is no config"):
        distributed_train(tmp_path / "no.cfg", storage=tmp_path / "storage")
    path = make_config(tmp_path)
    (tmp_path / "train.conllu").unlink()
    with pytest.raises(DatasetError, match="There is no file"):
        distributed_train(path, storage=tmp_path / "storage")


def test_a_missing_ray_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed_loop.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "thinc\[ray\]"'):
        distributed_train(make_config(tmp_path), storage=tmp_path / "storage")
    assert not (tmp_path / "storage").exists()


def test_importing_it_imports_neither_ray_nor_torch():
    code = "import sys, thinc.api, thinc.distributed; print(sorted({'ray', 'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
