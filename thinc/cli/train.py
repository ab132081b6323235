"""`thinc train`: the loop of `thinc.training`, shown, saved and stopped."""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, Dict, Optional

from tqdm import tqdm

from ..training import (
    ConfigProblem,
    DatasetError,
    Progress,
    initialize,
    load_checkpoint,
    save_checkpoint,
    settle,
    train,
    write_atomically,
)
from . import _workers
from ._command import Command, config_path, ready_configs


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", help=f"a config file, or one that comes with thinc: {', '.join(ready_configs())}")
    parser.add_argument("--output", type=Path, default=None, help="where model, config and metrics are saved")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    parser.add_argument("--checkpoint-every", type=int, default=0, metavar="N", help="steps; default: each epoch")
    _workers.add_arguments(parser)


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    if getattr(args, "workers", None) is not None:  # (the demo has none)
        return _workers.run(args, overrides)
    settled = settle(config_path(args.config), overrides)
    if args.resume and not args.output:
        raise ConfigProblem("--resume needs --output, the folder of the run to go on with")
    corpus, model, optimizer, settings = (settled.corpus, settled.model, settled.optimizer, settled.settings)
    corpus.check()
    data = corpus.read()
    for part, examples in (("training", data.train), ("held-out", data.dev)):
        if not len(examples):
            raise DatasetError(f"The {part} part of the corpus is empty")
    initialize(model, data, settings.seed)
    progress = Progress()
    output: Optional[Path] = args.output
    if output is not None:
        if args.resume:
            progress = load_checkpoint(output / "checkpoint.bin", model, optimizer)
        output.mkdir(parents=True, exist_ok=True)
        write_atomically(output / "config.cfg", settled.config.to_bytes())
        write_atomically(output / "labels.json", json.dumps(data.labels).encode())
    print(
        f"{len(data.train)} training and {len(data.dev)} held-out examples, {len(data.labels)} labels, "
        f"{_n_parameters(model)} parameters"
    )
    stop = StopFlag()
    steps = -(-len(data.train) // settings.batch_size)
    with (
        stop,
        tqdm(
            total=settings.max_epochs * steps, initial=progress.epoch * steps + progress.step, unit="step", disable=None
        ) as bar,
    ):
        for progress in train(model, optimizer, data, settings, progress):  # noqa: B020  (the same object)
            if progress.score is not None:
                if output is not None:
                    _keep(output, model, progress)
                bar.write(
                    f"epoch {progress.epoch + 1:>3}   loss {progress.loss:>10.4f}   accuracy "
                    f"{100 * progress.score:6.2f} %   {progress.speed:>9,.0f} {corpus.unit}/s"
                )
                continue
            if progress.step:
                bar.update()
                bar.set_postfix_str(
                    f"loss {progress.loss / progress.step:.4g}, best {max(progress.best_score, 0):.4f}, "
                    f"{progress.speed:,.0f} {corpus.unit}/s",
                    refresh=False,
                )
            due = args.checkpoint_every and progress.step % args.checkpoint_every == 0
            if output is not None and (progress.step == 0 or due or stop.requested):
                save_checkpoint(output / "checkpoint.bin", model, optimizer, progress)
            if stop.requested:
                where = f" The run can go on with --resume --output {output}" if output else ""
                print(f"Stopped in epoch {progress.epoch + 1}.{where}", file=sys.stderr)
                return 130
    print(
        f"Best accuracy {100 * progress.best_score:.2f} % in epoch {progress.best_epoch + 1}, "
        f"{progress.speed:,.0f} {corpus.unit}/s"
    )
    if output is not None:
        print(f"Saved in {output}")
    return 0


def _keep(output: Path, model: Any, progress: Progress) -> None:
    lines = [json.dumps(entry) for entry in progress.history]
    write_atomically(output / "metrics.jsonl", ("\n".join(lines) + "\n").encode())
    if progress.best_epoch == progress.epoch:
        write_atomically(output / "model.bin", model.to_bytes())


class StopFlag:
    """The first Ctrl-C asks for a stop after the step that is running; the second interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self.previous: Any = None

    def __enter__(self) -> "StopFlag":
        try:
            self.previous = signal.signal(signal.SIGINT, self._handle)
        except ValueError:  # not in the main thread: nobody sends it a Ctrl-C
            self.previous = None
        return self

    def __exit__(self, *_: Any) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)

    def _handle(self, *_: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def _n_parameters(model: Any) -> int:
    sizes = [node.get_param(name).size for node in model.walk() for name in node.param_names if node.has_param(name)]
    return sum(sizes)


COMMAND = Command(
    "train",
    "train a model",
    _add_arguments,
    run,
    "Train the model of a config. Values are overridden by --section.key=value.",
)

__all__ = ["COMMAND", "StopFlag", "run"]
