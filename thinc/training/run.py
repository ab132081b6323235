"""A run: its folder, the file of the trained model that changes as a whole, and what to do with it.

    runs/en/model.bin       weights, config, labels, scores, version and the code of --code: a zip file with checksums
    runs/en/checkpoint.bin  what a run needs to go on
    runs/en/config.cfg, labels.json, scores.json, metrics.jsonl    for people; nothing is read from them

What is read is in one file, so old labels never meet new weights. A copy that differs from it is refused, since
somebody may have changed it in good faith.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import numpy

from ..about import __version__
from ..api import Config, Model
from ..util import write_atomically
from .archive import pack_archive, read_archive
from .code import Code, run_code
from .config_check import Settled, settle_config
from .datasets import Corpus, Data, Examples, Inputs
from .errors import DatasetError, TrainingError
from .loop import Progress, evaluate, predict_answers
from .scores import Scores, default_score
from .textfiles import Source

MODEL, CHECKPOINT = "model.bin", "checkpoint.bin"
COPIES = ("config.cfg", "labels.json")
OURS = (CHECKPOINT, "metrics.jsonl", "scores.json", *COPIES, MODEL)  # the model goes last
FORMAT = 1


@dataclass
class Run:
    """A trained model, with all that it needs to be used.

    model, labels, config, corpus: what was trained, on what.  kind: of the answers.  about: version, epoch, score.

    >>> corpus = Corpus(read=lambda: None, unit="texts", parse=parse_texts)
    >>> Run(Softmax(2, 3).initialize(), ["cat", "dog"], Config(), corpus, "class").predict(numpy.eye(3, dtype="f"))
    ['cat', 'cat', 'cat']
    """

    model: Model
    labels: List[str]
    config: Config
    corpus: Corpus
    kind: str  # of its answers: see thinc.training.datasets
    about: Dict[str, Any] = field(default_factory=dict)  # version, epoch, score

    def predict(self, inputs: Any, batch_size: int = 128) -> List[Any]:
        """The answer for each input: a label, a list of labels, a number; for sentences, a label for each word.

        Texts are given as str. A sentence is a list of words, or a str, whose words the tokenizer of the config finds.
        """
        if isinstance(inputs, (str, bytes)):
            raise TypeError("Run.predict: expected a list of texts, got one. Put it in a list: run.predict([text])")
        if self.kind == "sequence":
            inputs = [self.words(item) if isinstance(item, str) else list(item) for item in inputs]
        answers: List[Any] = []
        for start in range(0, len(inputs), batch_size):
            batch = inputs[start : start + batch_size]
            answers.extend(self._named(guess) for guess in self._answers(batch))
        return answers

    def words(self, text: str) -> List[str]:
        """The words of a raw text."""
        parsed = self.corpus.parse(Source("text", text.replace("\n", " ").encode("utf-8")), "text")
        return [word for words in parsed.items if words for word in words]

    def _answers(self, batch: Any) -> Any:
        try:
            guesses = predict_answers(self.model, batch, self.kind)
        except (ValueError, TypeError, LookupError) as e:
            raise DatasetError(f"The input does not fit the model: {e}") from e
        if len(guesses) != len(batch):
            raise TrainingError(f"The model gave {len(guesses)} answers for {len(batch)} inputs")
        return guesses

    def _named(self, guess: Any) -> Any:
        if self.kind == "number":
            return float(numpy.asarray(guess).reshape(()))
        if self.kind == "several":
            return [label for label, holds in zip(self.labels, guess) if holds]
        if self.kind == "sequence":
            return [self.labels[i] for i in guess]
        return self.labels[guess]

    def parse(self, path: Union[str, Path], kind: str = "") -> Inputs:
        """A file of raw input; "-" is standard input."""
        return self.corpus.parse(Source.read(path), kind)

    def evaluate(self, path: Union[str, Path]) -> Scores:
        """Score the model on a file with answers, of the kind that it was trained on."""
        return self.score(self.corpus.examples(Path(path), self.labels))

    def score(self, examples: Examples) -> Scores:
        """Score the model on examples."""
        return evaluate(self.model, examples, Data(examples, examples, self.labels, self.kind))


def save_run(folder: Path, model: Model, settled: Settled, data: Data, progress: Progress) -> None:
    r"""Write the model with all that belongs to it in one step; then the copies for people.

    folder: to write to.  model, settled, data, progress: as in `pack_run`.

    >>> import thinc.training
    >>> ready = Path(thinc.training.__file__).parent / "configs" / "textcat.cfg"
    >>> written = Path("pets.csv").write_text("text,category\nmeow,cat\nwoof,dog\npurr,cat\nwuff,dog\n")
    >>> settled = settle(ready, {"corpus.path": "pets.csv", "training.max_epochs": 3})
    >>> data = settled.corpus.read()
    >>> initialize(settled.model, data)
    >>> for progress in train(settled.model, settled.optimizer, data, settled.settings):
    ...     pass
    >>> Path("pets").mkdir()
    >>> save_run(Path("pets"), settled.model, settled, data, progress)
    >>> load("pets").predict(["meow", "woof"])
    ['cat', 'dog']
    """
    for name, content in pack_run(model, settled, data, progress).items():
        write_atomically(folder / name, content)


def pack_run(model: Model, settled: Settled, data: Data, progress: Progress) -> Dict[str, Any]:
    r"""The files that `save_run` writes, name -> bytes, in their order: the model goes first.

    model: trained.  settled: the config.  data: that it was trained on.  progress: where the run stands.

    >>> import thinc.training
    >>> ready = Path(thinc.training.__file__).parent / "configs" / "textcat.cfg"
    >>> written = Path("pets.csv").write_text("text,category\nmeow,cat\nwoof,dog\npurr,cat\nwuff,dog\n")
    >>> settled = settle(ready, {"corpus.path": "pets.csv"})
    >>> data = settled.corpus.read()
    >>> initialize(settled.model, data)
    >>> sorted(pack_run(settled.model, settled, data, Progress()))
    ['config.cfg', 'labels.json', 'model.bin']
    """
    about = {
        "format": FORMAT,
        "thinc": __version__,
        "kind": data.kind,
        "epoch": progress.epoch + 1,
        "score_name": settled.settings.score or default_score(data),
        "score": progress.score,
    }
    parts = {**describe(settled, data), "run.json": _to_json(about), "weights.bin": model.to_bytes()}
    files = {MODEL: pack_archive(parts), **{name: parts[name] for name in COPIES}}
    if progress.scores is not None:
        files["scores.json"] = _to_json(progress.scores.to_json())
    return files


def _write_copies(folder: Path, parts: Dict[str, bytes]) -> None:
    for name in COPIES:
        write_atomically(folder / name, parts[name])


def describe(settled: Settled, data: Data) -> Dict[str, bytes]:
    """The parts that say what a run is: config, labels, and the code of --code."""
    parts = {"config.cfg": settled.config.to_bytes(), "labels.json": _to_json(data.labels)}
    if settled.code is not None:
        parts["code.py"], parts["code.name"] = settled.code.text.encode("utf-8"), settled.code.name.encode("utf-8")
    return parts


def _to_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def code_of(parts: Dict[str, bytes]) -> Optional[Code]:
    """The code that was kept with a run."""
    if "code.py" not in parts:
        return None
    return Code(parts["code.name"].decode("utf-8"), parts["code.py"].decode("utf-8"))


def load_run(path: Union[str, Path], overrides: Optional[Dict[str, Any]] = None, code: Optional[Code] = None) -> Run:
    """What `thinc train --output` wrote: the folder, or its model.bin alone; `thinc.load` does the same.

    It runs the code that was given with --code: load runs of people whom you trust.

    overrides: of [corpus] alone, e.g. {"corpus.delimiter": ";"}: the model is what was trained.
    Raises TrainingError if the folder holds no trained model, or one that was damaged or changed.

    path: of the folder or its model.bin.  code: a file to run in place of the one of --code.

    >>> load_run("no/such/run")
    Traceback (most recent call last):
        ...
    thinc.training.errors.TrainingError: There is no run no/such/run
    """
    path = Path(path)
    file = path / MODEL if path.is_dir() else path
    parts = _read_model(path, file)
    _check_copies(file, parts)
    try:
        about, labels = json.loads(parts["run.json"]), json.loads(parts["labels.json"])
        text, weights = parts["config.cfg"].decode("utf-8"), parts["weights.bin"]
    except (KeyError, ValueError) as e:
        raise TrainingError(f"{file} is no file of a run: {e}") from None
    if about.get("format") != FORMAT:
        raise TrainingError(f"{file} was written by thinc {about.get('thinc')}, which this version cannot read")
    _check_labels(file, labels)
    run_code(code or code_of(parts))
    settled = settle_config(text, f"the config in {file}", overrides or {})
    try:
        settled.model.from_bytes(weights)
    except (ValueError, TypeError, LookupError) as e:
        raise TrainingError(f"{file}: the weights do not fit the model of its config: {e}") from e
    width = settled.model.maybe_get_dim("nO") if settled.model.has_dim("nO") else None
    if width is not None and labels and width != len(labels):
        raise TrainingError(f"{file}: {len(labels)} labels for a model with {width} outputs")
    return Run(settled.model, labels, settled.config, settled.corpus, about["kind"], about)


def _read_model(path: Path, file: Path) -> Dict[str, bytes]:
    if not path.exists():
        raise TrainingError(f"There is no run {path}")
    if not file.is_file():
        going = (path / CHECKPOINT).is_file()
        hint = "its first epoch has not ended: train on with --resume" if going else f"there is no {MODEL}"
        raise TrainingError(f"{path} holds no trained model: {hint}")
    try:
        parts = read_archive(file)
    except ValueError as e:
        raise TrainingError(str(e)) from None
    return parts


def _check_copies(file: Path, parts: Dict[str, bytes]) -> None:
    for name in COPIES:
        copy = file.parent / name
        if file.name == MODEL and copy.is_file() and copy.read_bytes() != parts.get(name):
            raise TrainingError(
                f"{copy} differs from the {name} within {file}, which counts. Remove it, or put the old one back"
            )


def _check_labels(file: Path, labels: Any) -> None:
    good = isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)
    if not good or len(set(labels)) != len(labels):
        raise TrainingError(f"{file}: its labels must be distinct texts, got {str(labels)[:60]}")


def read_about(folder: Path) -> Dict[str, Any]:
    """What is known of the trained model in a folder: epoch, score and the like. Writes the copies for people anew."""
    try:
        parts = _read_model(folder, folder / MODEL)
        about = dict(json.loads(parts["run.json"]))
        _write_copies(folder, parts)
    except (KeyError, ValueError) as e:
        raise TrainingError(f"{folder / MODEL} is no file of a run: {e}") from None
    return about


# The folder that a run writes


def describe_folder(folder: Path) -> str:
    """What a folder holds: "a run of 6 epochs (83.50 %)", or "" for none."""
    if (folder / CHECKPOINT).is_file():
        try:
            progress = peek_checkpoint(folder / CHECKPOINT)[1]
        except TrainingError:
            return "a run whose checkpoint is damaged"
        best = progress["best_score"]
        done = f"{progress['epoch']} epoch{'s' * (progress['epoch'] != 1)}"
        return f"a run of {done}" + (f" ({100 * best:.2f} %)" if best is not None else "")
    if (folder / MODEL).is_file():
        return "a trained model"
    found = [name for name in OURS if (folder / name).exists()]
    return f"a file {found[0]}" if found else ""


def clear(folder: Path) -> None:
    """Remove an old run, before the first file of the new one is written: the checkpoint first, the model last, so
    that what is left by a kill is of one run."""
    for name in OURS:
        (folder / name).unlink(missing_ok=True)


def peek_checkpoint(path: Path) -> Any:
    """The parts of a checkpoint, and its progress as a dict. TrainingError if it is damaged."""
    import srsly

    try:
        parts = read_archive(path)
        progress = srsly.msgpack_loads(parts["state"])["progress"]
        progress["epoch"], progress["best_score"], parts["config.cfg"], parts["labels.json"], parts["data"]
    except (ValueError, LookupError, TypeError) as e:
        raise TrainingError(f"{path} is not a checkpoint of thinc train: {e}") from None
    return parts, progress


__all__ = [
    "CHECKPOINT",
    "MODEL",
    "Run",
    "clear",
    "code_of",
    "describe",
    "describe_folder",
    "load_run",
    "pack_run",
    "peek_checkpoint",
    "read_about",
    "save_run",
]
