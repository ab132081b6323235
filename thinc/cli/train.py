"""`thinc train`: the loop of `thinc.training`, shown, saved and stopped."""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy

from ..training import (
    ConfigProblem,
    Console,
    Data,
    DatasetError,
    Logger,
    Progress,
    RunInfo,
    Settled,
    TrainingError,
    baseline,
    default_score,
    initialize,
    is_finished,
    known_scores,
    loss_name,
    one_line,
    save_checkpoint,
    save_run,
    select,
    settle_config,
    shown_score,
    train,
)
from ..training.code import run_code
from ..training.resume import resume
from ..training.run import CHECKPOINT, MODEL, clear, code_of, describe, describe_folder, peek_checkpoint
from ..util import write_atomically
from . import _workers
from ._command import Command, read_code, ready_configs, settle_named


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config",
        nargs="?",
        help=f"a config file, the folder of a run, or one that comes with thinc: {', '.join(ready_configs())}; "
        "with --resume it may be left out",
    )
    parser.add_argument("--output", type=Path, default=None, help="the folder where model, config and scores are saved")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    parser.add_argument("--overwrite", action="store_true", help="begin anew in an --output that holds a run")
    parser.add_argument("--code", type=Path, help="a Python file that registers layers, readers, …; kept in the run")
    parser.add_argument("--checkpoint-every", type=_steps, default=0, metavar="N", help="steps; by default each epoch")
    _workers.add_arguments(parser)


def _steps(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of steps of at least 1, got {text!r}")
    return int(text)


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    """Train a config; the exit code."""
    if getattr(args, "workers", None) is not None:  # (the demo has none)
        return _workers.run(args, overrides)
    settled = _settle(args, overrides)
    _check_output(args)
    data = _read(settled)
    _initialize(settled, data)
    progress = Progress()
    if args.resume:
        progress = resume(args.output, settled, data)
        if is_finished(progress, settled.settings):
            best = "" if progress.best_score is None else f", best {_shown(settled, data, progress.best_score)}"
            print(f"Nothing is left to do: {progress.epoch} epochs are done{best}. More: --training.max_epochs")
            return 0
    _announce(args.output, settled, data)
    keeper = None if args.output is None else _Keeper(args.output, settled, data, args.checkpoint_every, args.overwrite)
    stopped = _train(settled, data, progress, keeper)
    if stopped:
        where = f"Go on with: thinc train --resume --output {args.output}" if keeper else "Nothing was kept"
        print(f"Stopped in epoch {progress.epoch + 1}. {where}", file=sys.stderr)
        return 128 + stopped
    _conclude(args.output, settled, data, progress)
    return 0


def _settle(args: argparse.Namespace, overrides: Dict[str, Any]) -> Settled:
    code = read_code(args.code)
    if args.resume and args.overwrite:
        raise ConfigProblem("--resume goes on and --overwrite begins anew: keep one")
    if not args.resume:
        if args.config is None:
            raise ConfigProblem(f"which config? A file, or one of {', '.join(ready_configs())}")
        return settle_named(args.config, overrides, code)
    if args.output is None:
        raise ConfigProblem("--resume needs --output, the folder of the run to go on with")
    path = args.output / CHECKPOINT
    if not path.is_file():
        raise ConfigProblem(f"--resume: there is no run to go on with in {args.output}: it holds no {CHECKPOINT}")
    parts, _ = peek_checkpoint(path)
    code = code or code_of(parts)
    if args.config is not None:
        return settle_named(args.config, overrides, code)
    run_code(code)
    settled = settle_config(parts["config.cfg"].decode("utf-8"), f"the config in {path}", overrides)
    settled.code = code
    return settled


def _check_output(args: argparse.Namespace) -> None:
    output: Optional[Path] = args.output
    if output is None:
        if args.overwrite or args.checkpoint_every:
            raise ConfigProblem("--overwrite and --checkpoint-every need --output")
        return
    if output.exists() and not output.is_dir():
        raise ConfigProblem(f"--output {output} is a file, expected a folder")
    held = describe_folder(output)
    if held.startswith("a file "):
        raise ConfigProblem(f"{output} holds {held}, which is of no run and would be replaced: take another folder")
    if held and not args.resume and not args.overwrite:
        raise ConfigProblem(f"{output} holds {held}: --resume, --overwrite or another folder")


def _read(settled: Settled) -> Data:
    """The corpus, with a check that there is something to learn and to score."""
    settled.corpus.check()
    data = settled.corpus.read()
    for part, examples in (("training", data.train), ("held-out", data.dev)):
        if not len(examples):
            raise DatasetError(f"The {part} part of the corpus is empty")
    score = settled.settings.score
    if score and score not in known_scores(data):
        raise ConfigProblem(f"[training] score = {score!r}: this corpus has {', '.join(known_scores(data))}")
    if len(data.labels) == 1 and data.kind != "several":
        _warn(f"there is one label only, {data.labels[0]!r}: nothing to tell apart")
    return data


def _initialize(settled: Settled, data: Data) -> None:
    """Give the model its parameters, and see whether it gives what the answers need."""
    model = settled.model
    try:
        initialize(model, data, settled.settings.seed)
        X, _ = select(data.train, numpy.arange(min(len(data.train), 2)))
        guesses: Any = model.predict(X)
    except (ValueError, TypeError, LookupError, AttributeError) as e:
        raise ConfigProblem(f"[model] does not fit the corpus, or its layers each other: {explain(e)}") from e
    several = isinstance(guesses, list)
    if several != data.sequences:
        wanted = "a list with an array for each sentence" if data.sequences else "one array for all examples"
        raise ConfigProblem(f"[model] gives {type(guesses).__name__}, but this corpus needs {wanted}")
    width = (guesses[0] if several else guesses).shape[-1]
    if width != data.width:
        needed = "a number" if data.kind == "number" else f"{len(data.labels)} labels"
        raise ConfigProblem(f"[model] has {width} outputs, but the corpus has {needed}: leave nO of the last layer out")


def explain(error: BaseException) -> str:
    """The text of an error on one line, with the innermost layer that it passed through."""
    layer = [note for note in getattr(error, "__notes__", []) if note.startswith("Layer: ")]
    return one_line(error) + (f" (in the layer {layer[0].rpartition(' > ')[2]})" if layer else "")


def _announce(output: Optional[Path], settled: Settled, data: Data) -> None:
    n = n_parameters(settled.model)
    labels = "" if data.kind == "number" else f"{len(data.labels)} labels, "
    print(f"{len(data.train):,} training and {len(data.dev):,} held-out examples, {labels}{n:,} parameters")
    if data.held_out:
        print(data.held_out)
    if output is None:
        print("Nothing will be kept: there is no --output")
    sys.stdout.flush()


def _shown(settled: Settled, data: Data, score: float) -> str:
    return shown_score(settled.settings.score or default_score(data), score)


def _warn(text: str) -> None:
    print(f"Warning: {text}", file=sys.stderr, flush=True)


class _Keeper:
    """Writes what is kept of a run."""

    def __init__(self, output: Path, settled: Settled, data: Data, every: int, overwrite: bool) -> None:
        self.output, self.settled, self.data, self.every = output, settled, data, every
        self.about = {**describe(settled, data), "data": data.fingerprint().encode()}
        self.must_clear = overwrite

    def _begin(self) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        if self.must_clear:
            clear(self.output)
            self.must_clear = False

    def best(self, progress: Progress) -> None:
        """At the end of an epoch, with the averaged weights in the model."""
        self._begin()
        lines = [json.dumps(entry) for entry in progress.history]
        write_atomically(self.output / "metrics.jsonl", ("\n".join(lines) + "\n").encode())
        if progress.improved:
            save_run(self.output, self.settled.model, self.settled, self.data, progress)

    def checkpoint(self, progress: Progress, now: bool = False) -> None:
        """After a step."""
        if now or progress.step == 0 or (self.every and progress.step % self.every == 0):
            self._begin()
            save_checkpoint(self.output / CHECKPOINT, self.settled.model, self.settled.optimizer, progress, self.about)


def _train(settled: Settled, data: Data, progress: Progress, keeper: Optional[_Keeper]) -> int:
    """The loop. Returns the signal that stopped it, 0 if it ended."""
    settings, model = settled.settings, settled.model
    steps = -(-len(data.train) // settings.batch_size)
    loggers: List[Logger] = list({"console": Console(), **settled.loggers}.values())
    started: List[Logger] = []
    info = RunInfo(
        config=dict(settled.config),
        labels=data.labels,
        total=settings.max_epochs * steps,
        steps=steps,
        unit=settled.corpus.unit,
        loss_name=loss_name(settings.loss),
        score_name=settings.score or default_score(data),
        done=progress.epoch * steps + progress.step,
    )
    with StopFlag() as stop:
        try:
            for logger in loggers:
                logger.start(info)
                started.append(logger)
            for progress in train(model, settled.optimizer, data, settings, progress):  # noqa: B020  (the same object)
                if progress.score is not None:
                    if keeper is not None:
                        keeper.best(progress)
                    for logger in loggers:
                        logger.epoch(progress)
                    continue
                if progress.step:
                    for logger in loggers:
                        logger.step(progress)
                if keeper is not None:
                    keeper.checkpoint(progress, now=bool(stop.requested))
                if stop.requested and not is_finished(progress, settings):
                    return stop.requested
        except (ValueError, TypeError) as e:
            where = f"epoch {progress.epoch + 1}, step {progress.step + 1}"
            raise TrainingError(f"The model or the loss failed in {where}: {explain(e)}") from e
        finally:
            for logger in started:
                logger.end(progress)
    return 0


def _conclude(output: Optional[Path], settled: Settled, data: Data, progress: Progress) -> None:
    assert progress.best_score is not None
    name = settled.settings.score or default_score(data)
    print(
        f"Best {shown_score(name, progress.best_score)} in epoch {progress.best_epoch + 1}, "
        f"{progress.speed:,.0f} {settled.corpus.unit}/s"
    )
    if output is not None:
        sizes = [f"{name} {size(output / name)}" for name in (MODEL, CHECKPOINT)]
        print(f"Saved in {output}: {sizes[0]}; {sizes[1]}, which only --resume needs")
    compared = "r2" if data.kind == "number" else "accuracy"
    best = progress.history[progress.best_epoch].get(compared)
    lowest = baseline(data)
    if best is not None and best <= lowest < 1 and data.kind != "several":
        of = {"sequence": "each word's commonest label", "class": "the commonest label", "number": "the mean"}
        _warn(
            f"{shown_score(compared, best)} is no better than always answering {of[data.kind]} "
            f"({shown_score(compared, lowest)})"
        )


def size(path: Path) -> str:
    """E.g. 12.3 MB."""
    n = float(path.stat().st_size)
    return f"{n / 1e6:.1f} MB" if n >= 1e5 else f"{n / 1e3:.1f} kB"


class StopFlag:
    """The first Ctrl-C or SIGTERM asks for a stop after the step that is running; the second interrupts at once."""

    def __init__(self) -> None:
        self.requested = 0  # the signal
        self.previous: Dict[int, Any] = {}

    def __enter__(self) -> "StopFlag":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.previous[number] = signal.signal(number, self._handle)
            except ValueError:  # not in the main thread: nobody sends it a Ctrl-C
                pass
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, *_: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = int(number)


def n_parameters(model: Any) -> int:
    """The weights of a model, in numbers."""
    sizes = [node.get_param(name).size for node in model.walk() for name in node.param_names if node.has_param(name)]
    return sum(sizes)


COMMAND = Command(
    "train",
    "train a model",
    _add_arguments,
    run,
    "Train the model of a config, show loss, score and speed, keep the best, and stop when the score no longer rises.\n"
    "Ctrl-C and SIGTERM save a checkpoint first.",
    (
        "thinc train tagger --output runs/tagger",
        "thinc train textcat --corpus.path=train.csv --output runs/texts",
        "thinc train my.cfg --code my_layers.py --optimizer.learn_rate=0.002 --output runs/mine",
        "thinc train --resume --output runs/mine",
    ),
    "any value of the config, as JSON or text",
)

__all__ = ["COMMAND", "StopFlag", "explain", "n_parameters", "run", "size"]
