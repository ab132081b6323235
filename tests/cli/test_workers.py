"""`thinc train --workers`: what is refused, and that everything reaches `distributed_train`."""

from pathlib import Path

import pytest

from thinc.cli import _workers, main
from thinc.training import Progress

REFUSED = [
    (["--workers", "2"], "--workers needs --output"),
    (["--workers", "0", "--output", "run"], "workers: expected a number of at least 1"),
    (["--workers", "2", "--mode", "sharded", "--shards", "4", "--output", "run"], "mode 'sharded' has no fixed order"),
    (["--workers", "4", "--shards", "2", "--output", "run"], "shards: 2 parts are too few for 4 workers"),
    (["--workers", "2", "--resume", "--output", "run"], "nothing to resume"),
]


@pytest.mark.parametrize("words,message", REFUSED)
def test_what_cannot_be_carried_out(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "tagger", *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("run").exists()


def test_workers_are_a_number_or_a_range(capsys):
    assert main(["train", "tagger", "--workers", "few"]) == 2
    assert "expected a number such as 4, or LEAST-MOST such as 1-4, got 'few'" in capsys.readouterr().err


def test_arguments_arrive(monkeypatch, tmp_path, capsys):
    got = {}

    def fake(config, **arguments):
        got.update(arguments, config=config)
        return Progress(best_score=0.5, best_epoch=2)

    monkeypatch.setattr(_workers, "distributed_train", fake)
    words = "--workers 1-4 --mode sharded --quorum 1 --address auto --resume --checkpoint-every 7".split()
    assert main(["train", "tagger", *words, "--output", str(tmp_path), "--training.max_epochs=3"]) == 0
    assert got["config"].name == "tagger.cfg" and got["workers"] == (1, 4) and got["mode"] == "sharded"
    assert (got["quorum"], got["address"], got["resume"], got["checkpoint_every"]) == (1, "auto", True, 7)
    assert got["overrides"] == {"training.max_epochs": 3} and got["storage"] == tmp_path
    assert "Best score 50.00 % in epoch 3" in capsys.readouterr().out


def test_a_missing_ray_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("thinc.distributed.loop.importlib.util.find_spec", lambda name: None)
    assert main(["train", "tagger", "--workers", "2", "--output", str(tmp_path / "run")]) == 2
    assert 'pip install "thinc[ray]"' in capsys.readouterr().err
