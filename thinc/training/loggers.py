"""Loggers: what a run tells, and whom. Each is named in a block of the section [loggers] of a config:

    [loggers]

    [loggers.file]
    @loggers = "jsonl.v1"
    path = "metrics.jsonl"

A logger of your own is a `Logger` with the methods that you need, registered in `registry.loggers`. The packages of
the trackers are imported when a run starts that names them.
"""

import csv
import json
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

from tqdm.auto import tqdm

from ..api import registry
from .loop import Progress


class Bar(tqdm):
    """A bar of tqdm, without what it does for others than threads.

    Its usual lock is shared with forked processes: one that is killed while it writes would stop all others for ever.
    """

    _lock = threading.RLock()
    monitor_interval = 0  # no thread beside the one that trains


@dataclass
class RunInfo:
    """What a logger is told when a run starts.

    config, labels: of the run.  total, steps: of the whole, of an epoch.  unit, loss_name, score_name: words for
    messages.  done: steps of a run that goes on.  summary: figures to show.

    >>> RunInfo({}, ["cat", "dog"], total=100, steps=10, unit="texts", loss_name="loss", score_name="accuracy").done
    0
    """

    config: Dict[str, Any]
    labels: List[str]
    total: int  # steps of the whole run
    steps: int  # of one epoch
    unit: str  # words, texts, images
    loss_name: str
    score_name: str
    done: int = 0  # steps, of a run that goes on
    summary: Dict[str, Any] = field(default_factory=dict)


class Logger:
    """The callbacks of a run; each does nothing until it is overridden.

    >>> class Best(Logger):
    ...     def end(self, progress):
    ...         print(f"best: {progress.best_score}")
    >>> Best().end(Progress(best_score=0.9))
    best: 0.9
    """

    def start(self, run: RunInfo) -> None:
        """Before the first step."""

    def step(self, progress: Progress) -> None:
        """After each step."""

    def epoch(self, progress: Progress) -> None:
        """After each epoch, with its scores."""

    def end(self, progress: Progress) -> None:
        """After the last step, also of a run that was stopped or failed."""


def shown_score(name: str, value: float) -> str:
    """A share as a percentage, an error as a number.

    name: of the score.  value: what it is.

    >>> shown_score("accuracy", 0.9512), shown_score("mean_absolute_error", 0.25)
    ('accuracy 95.12 %', 'mean absolute error 0.25')
    """
    word = name.replace("_", " ")
    return f"{word} {value:.4g}" if name == "r2" or "error" in name else f"{word} {100 * value:.2f} %"


class Console(Logger):
    """A line for each epoch; on a terminal, and in a notebook, a bar below them.

    >>> console = Console()
    >>> labels = ["cat", "dog"]
    >>> console.start(RunInfo({}, labels, total=1, steps=1, unit="texts", loss_name="loss", score_name="accuracy"))
    >>> console.epoch(Progress(loss=0.5, step=1, score=0.75))
    epoch   1  loss 0.5000  accuracy 75.00 %  0 texts/s
    >>> console.end(Progress())
    """

    bar: Any = None

    def start(self, run: RunInfo) -> None:
        self.run = run
        self.bar = Bar(
            total=run.total,
            initial=run.done,
            unit="step",
            disable=None,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}|{postfix[0]}",
            postfix=[""],
        )

    def step(self, progress: Progress) -> None:
        if self.bar.disable:
            return
        width = self.bar.ncols or 80
        # What fits: a bar that is all words shows no progress.
        words = [f" epoch {progress.epoch + 1}", f" {self.run.loss_name} {progress.mean_loss:.3g}"]
        rate, left = self.bar.format_dict["rate"], self.bar.total - self.bar.n
        if rate:
            words.insert(0, f" {Bar.format_interval(left / rate)} left")
        words.append(f" {progress.speed:,.0f} {self.run.unit}/s")
        while len(words) > 1 and sum(map(len, words)) + len(words) + 16 > width:
            words.pop()
        self.bar.postfix[0] = ",".join(words)
        self.bar.update()

    def epoch(self, progress: Progress) -> None:
        assert progress.score is not None
        line = (
            f"epoch {progress.epoch + 1:>3}  {self.run.loss_name} {progress.mean_loss:.4f}  "
            f"{shown_score(self.run.score_name, progress.score)}  {progress.speed:,.0f} {self.run.unit}/s"
        )
        Bar.write(line)
        sys.stdout.flush()

    def end(self, progress: Progress) -> None:
        if self.bar is not None:
            self.bar.close()


class JsonLines(Logger):
    """The figures of each epoch as a line of JSON, written at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, run: RunInfo) -> None:
        self.file = open(self.path, "a" if run.done else "w", encoding="utf-8")

    def epoch(self, progress: Progress) -> None:
        self.file.write(json.dumps(progress.history[-1]) + "\n")
        self.file.flush()

    def end(self, progress: Progress) -> None:
        self.file.close()


class CsvLines(JsonLines):
    """The figures of each epoch as a row of CSV, behind a header."""

    def start(self, run: RunInfo) -> None:
        self.header = not run.done
        self.file = open(self.path, "a" if run.done else "w", encoding="utf-8", newline="")

    def epoch(self, progress: Progress) -> None:
        entry = progress.history[-1]
        writer = csv.DictWriter(self.file, entry)
        if self.header:
            writer.writeheader()
            self.header = False
        writer.writerow(entry)
        self.file.flush()


def _figures(progress: Progress) -> Dict[str, float]:
    return {name: value for name, value in progress.history[-1].items() if name != "epoch"}


def _import(name: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise ImportError(f"the logger needs the package {package}: pip install {package} ({e})") from e


class TensorBoard(Logger):
    """Curves for TensorBoard."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, run: RunInfo) -> None:
        events = _import("tensorboard.summary.writer.event_file_writer", "tensorboard")
        self.events = _import("tensorboard.compat.proto.event_pb2", "tensorboard")
        self.summaries = _import("tensorboard.compat.proto.summary_pb2", "tensorboard")
        self.writer = events.EventFileWriter(str(self.path))

    def epoch(self, progress: Progress) -> None:
        import time

        values = [self.summaries.Summary.Value(tag=tag, simple_value=v) for tag, v in _figures(progress).items()]
        summary = self.summaries.Summary(value=values)
        self.writer.add_event(self.events.Event(wall_time=time.time(), step=progress.epoch + 1, summary=summary))
        self.writer.flush()

    def end(self, progress: Progress) -> None:
        self.writer.close()


class MLflow(Logger):
    """A run of MLflow."""

    def __init__(self, experiment: Optional[str], tracking_uri: Optional[str]) -> None:
        self.experiment, self.tracking_uri = experiment, tracking_uri

    def start(self, run: RunInfo) -> None:
        self.mlflow = _import("mlflow", "mlflow")
        if self.tracking_uri is not None:
            self.mlflow.set_tracking_uri(self.tracking_uri)
        if self.experiment is not None:
            self.mlflow.set_experiment(self.experiment)
        self.mlflow.start_run()
        self.mlflow.log_dict(run.config, "config.json")

    def epoch(self, progress: Progress) -> None:
        self.mlflow.log_metrics(_figures(progress), step=progress.epoch + 1)

    def end(self, progress: Progress) -> None:
        self.mlflow.end_run()


class WandB(Logger):
    """A run of Weights & Biases."""

    def __init__(self, project: str, mode: Optional[str]) -> None:
        self.project, self.mode = project, mode

    def start(self, run: RunInfo) -> None:
        wandb = _import("wandb", "wandb")
        self.run = wandb.init(project=self.project, mode=self.mode, config=run.config)

    def epoch(self, progress: Progress) -> None:
        self.run.log(_figures(progress), step=progress.epoch + 1)

    def end(self, progress: Progress) -> None:
        self.run.finish()


@registry.loggers("console.v1")
def console_logger() -> Logger:
    return Console()


@registry.loggers("jsonl.v1")
def jsonl_logger(path: str) -> Logger:
    return JsonLines(Path(path))


@registry.loggers("csv.v1")
def csv_logger(path: str) -> Logger:
    return CsvLines(Path(path))


@registry.loggers("tensorboard.v1")
def tensorboard_logger(path: str = "runs") -> Logger:
    return TensorBoard(Path(path))


@registry.loggers("mlflow.v1")
def mlflow_logger(experiment: Optional[str] = None, tracking_uri: Optional[str] = None) -> Logger:
    return MLflow(experiment, tracking_uri)


@registry.loggers("wandb.v1")
def wandb_logger(project: str = "thinc", mode: Optional[str] = None) -> Logger:
    return WandB(project, mode)


__all__ = [
    "Console",
    "CsvLines",
    "JsonLines",
    "Logger",
    "MLflow",
    "RunInfo",
    "TensorBoard",
    "WandB",
    "console_logger",
    "csv_logger",
    "jsonl_logger",
    "mlflow_logger",
    "shown_score",
    "tensorboard_logger",
    "wandb_logger",
]
