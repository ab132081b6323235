"""The command line: `thinc train`, `evaluate`, `predict`, `info`, `demo`.

Exit codes: 0 done, 1 the run failed, 2 the command or the config is wrong (and nothing was written), 130 interrupted.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, TextIO, Tuple

import numpy
from tqdm import tqdm

from ..about import __version__
from ..training import (
    ConfigProblem,
    Corpus,
    DatasetError,
    Progress,
    Settled,
    TrainingError,
    count_items,
    evaluate,
    initialize,
    load_checkpoint,
    most_frequent_baseline,
    predict_classes,
    save_checkpoint,
    settle,
    tag_python,
    train,
    write_atomically,
)

CONFIGS = Path(__file__).parent.parent / "training" / "configs"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command; the exit code."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    try:
        overrides = _overrides(rest)
        return int(args.run(args, overrides))
    except ConfigProblem as e:
        print(f"thinc {args.command}: {e}", file=sys.stderr)
        return 2
    except (DatasetError, TrainingError, OSError) as e:
        print(f"thinc {args.command}: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thinc", description="Train and use models that a config describes.")
    parser.add_argument("--version", action="version", version=f"thinc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "train",
        help="train a model",
        description="Train the model of a config. Values are overridden by --section.key=value.",
    )
    command.add_argument("config", help=f"a config file, or one that comes with thinc: {', '.join(ready_configs())}")
    command.add_argument("--output", type=Path, default=None, help="where model, config and metrics are saved")
    command.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    command.add_argument("--checkpoint-every", type=int, default=0, metavar="N", help="steps; default: each epoch")
    command.set_defaults(run=_train)

    command = commands.add_parser("evaluate", help="score a trained model on the held-out part of its corpus")
    command.add_argument("model", type=Path, help="the output folder of `thinc train`")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("predict", help="label raw input with a trained model")
    command.add_argument("model", type=Path, help="the output folder of `thinc train`")
    command.add_argument("input", type=Path, help="a text with one item a line, or what the corpus reads")
    command.set_defaults(run=_predict)

    command = commands.add_parser("info", help="show version, CPU level, gemm engine, frameworks and devices")
    command.set_defaults(run=_info)

    command = commands.add_parser("demo", help="train a tagger on this Python's own source and show what it learnt")
    command.add_argument("--output", type=Path, default=Path("runs") / "demo", help="where it is saved: %(default)s")
    command.set_defaults(run=_demo)
    return parser


def ready_configs() -> List[str]:
    """The names of the configs in the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.cfg"))


def _overrides(words: List[str]) -> Dict[str, Any]:
    """--section.key=value or --section.key value -> {"section.key": value}; values are JSON where they can be."""
    overrides: Dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith("--") or "." not in name:
            raise ConfigProblem(f"unknown argument {word}. Overrides have the form --section.key=value")
        if not equals:
            if not queue:
                raise ConfigProblem(f"{word} has no value. Overrides have the form --section.key=value")
            value = queue.pop(0)
        try:
            overrides[name] = json.loads(value)
        except ValueError:
            overrides[name] = value
    return overrides


def _config_path(name: str) -> Path:
    path = Path(name)
    ready = CONFIGS / f"{name}.cfg"
    if not path.is_file() and ready.is_file():
        return ready
    return path


# train


def _train(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    settled = settle(_config_path(args.config), overrides)
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
    stop = _StopFlag()
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


class _StopFlag:
    """The first Ctrl-C asks for a stop after the step that is running; the second interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self.previous: Any = None

    def __enter__(self) -> "_StopFlag":
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


# evaluate, predict


def load(folder: Path, overrides: Optional[Dict[str, Any]] = None) -> Tuple[Settled, List[str]]:
    """A model that `thinc train` saved: what its config describes, the weights loaded, and the labels."""
    for name in ("config.cfg", "labels.json", "model.bin"):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder} holds no trained model: there is no {name}")
    settled = settle(folder / "config.cfg", overrides or {})
    settled.model.from_disk(folder / "model.bin")
    return settled, json.loads((folder / "labels.json").read_text(encoding="utf8"))


def _evaluate(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    settled, labels = load(args.model, overrides)
    settled.corpus.check()
    data = settled.corpus.read()
    if data.labels != labels:
        raise DatasetError(f"The corpus has other labels than the model: {data.labels} instead of {labels}")
    items = count_items(data.dev.Y, data)
    print(f"accuracy {100 * evaluate(settled.model, data.dev):.2f} % on {items} {settled.corpus.unit}")
    return 0


def _predict(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    settled, labels = load(args.model, overrides)
    if not args.input.is_file():
        raise DatasetError(f"There is no file {args.input}")
    for line in predictions(settled.corpus, settled.model, labels, args.input):
        print(line)
    return 0


def predictions(corpus: Corpus, model: Any, labels: List[str], path: Path) -> Iterator[str]:
    """A line for each item of a file of raw input: word/TAG for sequences of words, else the label and the item."""
    X = corpus.parse(path)
    for start in range(0, len(X), 128):
        batch = X[start : start + 128]
        for item, guess in zip(batch, predict_classes(model, batch)):
            if isinstance(item, list):
                yield " ".join(f"{word}/{labels[i]}" for word, i in zip(item, guess))
            elif isinstance(item, numpy.ndarray):
                yield labels[guess]
            else:
                yield f"{labels[guess]}\t{item}"


# demo

DEMO_SOURCE = """\
import statistics

def summary(self, prices, digits=2):
    middle = statistics.median(prices)
    self.count = len(prices)
    return round(middle, ndigits=digits)
"""


def _demo(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    """Train the config `tagger`; compare with what knows each word's most frequent tag alone; tag a sample."""
    start = time.perf_counter()
    train_args = argparse.Namespace(config="tagger", output=args.output, resume=False, checkpoint_every=0)
    code = _train(train_args, overrides)
    if code:
        return code
    settled, labels = load(args.output)
    data = settled.corpus.read()
    baseline = most_frequent_baseline(data)
    score = evaluate(settled.model, data.dev)
    print(
        f"\nEach name in Python source has a role. On {len(data.dev)} held-out pieces of source:\n"
        f"  each word's most frequent role  {100 * baseline:6.2f} %\n"
        f"  the tagger                      {100 * score:6.2f} %\n"
    )
    ((words, roles),) = tag_python(DEMO_SOURCE)
    (guess,) = predict_classes(settled.model, [words])
    for word, role, i in zip(words, roles, guess):
        if role is not None:
            print(f"  {word:<10} {labels[i]:<18}" + ("" if labels[i] == role else f" (it is: {role})"))
    print(f"\n{time.perf_counter() - start:.0f} s in all. Tag your own: thinc predict {args.output} FILE.py")
    return 0


# info


def _info(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    show_info(sys.stdout)
    return 0


def show_info(file: TextIO) -> None:
    """What this installation is and what it found. Imports no optional framework."""
    import importlib.metadata
    import importlib.util
    import platform

    from ..backends._kernels import elementwise, gemm  # type: ignore[attr-defined]  # compiled

    rows: List[Tuple[str, str]] = [
        ("thinc", __version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("numpy", numpy.__version__),
        ("CPU level", f"{elementwise.isa_name()} (available: {', '.join(elementwise.isa_levels())})"),
        ("gemm engine", f"{gemm.engine_name()} (available: {', '.join(gemm.engines())})"),
        ("linked BLAS", gemm.linked_blas() or "none"),
        ("threads", f"{elementwise.get_num_threads()} (set_num_threads; {os.cpu_count()} cores)"),
    ]
    for package, name in (
        ("torch", "torch"),
        ("tensorflow", "tensorflow"),
        ("mxnet", "mxnet"),
        ("jax", "jax"),
        ("onnxruntime", "onnxruntime"),
        ("cupy", "cupy"),
        ("ray", "ray"),
    ):
        if importlib.util.find_spec(name) is None:
            rows.append((package, "not installed"))
        else:
            try:
                rows.append((package, importlib.metadata.version(package)))
            except importlib.metadata.PackageNotFoundError:
                rows.append((package, "installed"))
    rows.append(("GPU", "CUDA" if any(Path("/dev").glob("nvidia[0-9]*")) else "none found"))
    for name, value in rows:
        print(f"{name:<14}{value}", file=file)


__all__ = ["load", "main", "predictions", "ready_configs", "show_info"]
