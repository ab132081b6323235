"""What loggers are told, and what they write."""

import csv
import io
import json
import os
import signal
import sys
import threading
import types
from pathlib import Path

import pytest

from tests.newcomer import TAGGER, conllu
from thinc.api import registry
from thinc.cli import main
from thinc.training import Logger, shown_score
from thinc.training.loggers import Bar


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.conllu").write_text(conllu())
    return tmp_path


def train(block, *words):
    Path("run.cfg").write_text(f"{TAGGER}\n{block}\n")
    return main(["train", "run.cfg", "--output", "run", "--training.max_epochs=3", "--training.patience=0", *words])


def metrics():
    return [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]


def test_files(folder):
    json_block = '[loggers]\n[loggers.json]\n@loggers = "jsonl.v1"\npath = "log.jsonl"\n'
    blocks = json_block + '[loggers.table]\n@loggers = "csv.v1"\npath = "log.csv"'
    assert train(blocks) == 0
    assert main("train --resume --output run --training.max_epochs=5".split()) == 0
    written = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert written == metrics() and [entry["epoch"] for entry in written] == [1, 2, 3, 4, 5]
    with open("log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [entry["loss"] for entry in written]


def test_one_of_your_own_gets_every_call_and_takes_the_place_of_the_console(folder, capsys):
    calls = []

    @registry.loggers("recorder.v1")
    def recorder() -> Logger:
        return Recorder()

    class Recorder(Logger):
        def start(self, run):
            calls.append(("start", run.total, run.unit, run.score_name, run.loss_name))

        def step(self, progress):
            calls.append(("step", progress.epoch, progress.step))

        def epoch(self, progress):
            calls.append(("epoch", progress.epoch, progress.score is not None))

        def end(self, progress):
            calls.append(("end",))

    assert train('[loggers]\n[loggers.console]\n@loggers = "recorder.v1"') == 0
    steps = 36 // 4
    expected = [("start", 3 * steps, "words", "accuracy", "cross-entropy")]
    for epoch in range(3):
        expected += [("step", epoch, i + 1) for i in range(steps)] + [("epoch", epoch, True)]
    assert calls == [*expected, ("end",)]
    assert "epoch   1" not in capsys.readouterr().out


def test_loss_is_the_mean_over_steps_in_the_line_and_the_file(folder, capsys):
    assert train("") == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    for line, entry in zip(shown, metrics()):
        assert f"cross-entropy {entry['loss']:.4f}  accuracy {100 * entry['score']:.2f} %" in line
    assert metrics()[0]["loss"] < 1.6  # log(4) = 1.39 for guessing: not a sum over nine steps


class Fake(types.ModuleType):
    """A stand-in for a tracker, which writes down what it is asked."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_trackers(folder, monkeypatch, name):
    fake = Fake(name)
    monkeypatch.setitem(sys.modules, name, fake)
    assert train(f'[loggers]\n[loggers.tracker]\n@loggers = "{name}.v1"') == 0
    logged = [(args, kwargs) for call, args, kwargs in fake.calls if call in ("log", "log_metrics")]
    assert [kwargs["step"] for _, kwargs in logged] == [1, 2, 3]
    assert [args[0]["score"] for args, _ in logged] == [entry["score"] for entry in metrics()]
    assert fake.calls[-1][0] in ("end_run", "finish")


def test_tensorboard(folder):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train('[loggers]\n[loggers.board]\n@loggers = "tensorboard.v1"\npath = "board"') == 0
    events = EventAccumulator("board").Reload().Scalars("score")
    assert [event.step for event in events] == [1, 2, 3]
    assert [event.value for event in events] == pytest.approx([entry["score"] for entry in metrics()])


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_tracker_that_is_not_installed(folder, monkeypatch, capsys, name):
    for module in [module for module in sys.modules if module.partition(".")[0] == name] or [name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    assert train(f'[loggers]\n[loggers.tracker]\n@loggers = "{name}.v1"') == 1
    assert f"the logger needs the package {name}: pip install {name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "block,message",
    [
        ('[loggers]\n[loggers.x]\n@loggers = "jsonlines.v1"', "no such name is registered. Did you mean 'jsonl.v1'"),
        ('[loggers]\n[loggers.x]\n@loggers = "jsonl.v1"', "jsonl.v1 needs the argument path"),
        ("[loggers]\nx = 1", "expected a block [loggers.x] with @loggers"),
        (
            '[loggers]\n[loggers.x]\n@losses = "cross_entropy.v1"',
            "[loggers.x] must describe a Logger, but gives a CrossEntropy",
        ),
    ],
)
def test_wrong_blocks(folder, capsys, block, message):
    assert train(block) == 2
    assert message in capsys.readouterr().err


def test_shown_scores():
    assert shown_score("macro_f", 0.5) == "macro f 50.00 %" and shown_score("r2", 0.5) == "r2 0.5"
    assert shown_score("mean_absolute_error", 1.25) == "mean absolute error 1.25"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_is_killed_as_it_writes_stops_no_other():
    Bar(total=1, disable=False, file=io.StringIO()).close()
    child = os.fork()
    if not child:
        Bar.get_lock().acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    other = threading.Thread(target=lambda: Bar(total=1, disable=False, file=io.StringIO()).close(), daemon=True)
    other.start()
    other.join(timeout=20)
    assert not other.is_alive()
