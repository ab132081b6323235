"""What a corpus is: examples and their answers, how a part is held out, and the one check of labels at the door.

An entry of `registry.datasets` returns a `Corpus`, which reads nothing until it is asked to: a config can be checked,
and a trained model served, without the training data. Write your own in the same way, here or in a file for `--code`:

    @registry.datasets("my_corpus.v1")
    def my_corpus(path: str, dev_path: Optional[str] = None) -> Corpus:
        def rows(path: Path) -> List[Row]: ...
        return corpus_of_rows(rows, "class", "texts", parse_texts, path, dev_path)
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy

from .errors import DatasetError
from .textfiles import Source

MISSING = -1  # the class of an answer that is not known: neither trained on nor scored

# What an answer is:                     and Y of some examples:
#   "sequence"  a label for each word      an int32 array for each sentence
#   "class"     one label                  an int32 array
#   "several"   any number of labels       a float32 matrix of 0 and 1
#   "number"    a number                   a float32 matrix of one column
KINDS = ("sequence", "class", "several", "number")

Row = Tuple[Any, Any]  # an input and its answer, as text


@dataclass
class Examples:
    """Inputs and their answers, side by side.

    X, Y: inputs and answers, as many of one as of the other.

    >>> len(Examples(["meow", "woof"], numpy.array([0, 1])))
    2
    """

    X: Any
    Y: Any

    def __len__(self) -> int:
        return len(self.Y)


@dataclass
class Data:
    """A corpus that was read.

    train, dev: the two parts.  labels: names of the classes.  kind: of the answers.  held_out: how dev was chosen.

    >>> pets = Examples(["meow", "woof"], numpy.array([0, 1]))
    >>> Data(train=pets, dev=pets, labels=["cat", "dog"]).width
    2
    """

    train: Examples
    dev: Examples
    labels: List[str]
    kind: str = "class"  # one of KINDS
    held_out: str = ""  # how the held-out part was chosen, in a sentence; empty if it has files of its own

    @property
    def sequences(self) -> bool:
        """Whether each answer labels the items of a sequence."""
        return self.kind == "sequence"

    @property
    def width(self) -> int:
        """Outputs of a model: one for each label, or the number."""
        return 1 if self.kind == "number" else len(self.labels)

    def fingerprint(self) -> str:
        """A checksum of all inputs and answers."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.train, self.dev):
            for values in (part.X, part.Y):
                if isinstance(values, numpy.ndarray):
                    digest.update(numpy.ascontiguousarray(values).data)
                else:
                    for value in values:
                        digest.update(value.tobytes() if isinstance(value, numpy.ndarray) else repr(value).encode())
        return digest.hexdigest()


@dataclass
class Inputs:
    r"""Raw input to label. `items` has a None for each blank line, so that lines out equal lines in.

    lines, at, column: a CoNLL-U file, to be given back with a column filled.  shown: the words of each item worth
    showing.

    >>> parse_texts(Source("input.txt", b"meow\n\nwoof\n")).items
    ['meow', None, 'woof']
    """

    items: Any
    lines: List[str] = field(default_factory=list)  # of a CoNLL-U file, to be given back with the column filled
    at: List[List[int]] = field(default_factory=list)  # for each item, the line of each word
    column: int = 3  # of those lines
    shown: List[List[int]] = field(default_factory=list)  # for each item, the words worth showing, one a line


@dataclass
class Corpus:
    r"""Where examples come from, and how to show an answer.

    read: reads everything.  unit: what speed is counted in.  parse: raw input of a kind -> `Inputs`.  files: what
    must be there.  rows: one file with answers.  kind: of the answers, one of "sequence", "class", "several",
    "number".

    >>> written = Path("pets.csv").write_text("text,category\nmeow,cat\nwoof,dog\npurr,cat\n")
    >>> corpus = registry.datasets.get("csv_text.v1")("pets.csv", dev_path="pets.csv")
    >>> corpus.kind, corpus.read().labels
    ('class', ['cat', 'dog'])
    """

    read: Callable[[], Data]
    unit: str  # what speed is counted in: words, texts, images
    parse: Callable[[Source, str], Inputs]  # raw input, and its kind if the user names one
    files: List[Path] = field(default_factory=list)  # what must be there
    rows: Optional[Callable[[Path], List[Row]]] = None  # one file with answers, for `evaluate RUN FILE`
    kind: str = "class"

    def check(self) -> None:
        """DatasetError if a file is missing."""
        for path in self.files:
            if not path.exists():
                raise DatasetError(f"There is no file {path}")

    def examples(self, path: Path, labels: List[str]) -> Examples:
        """The examples of one file, with the labels of a trained model."""
        if self.rows is None:
            raise DatasetError(f"{path}: this corpus scores its own held-out part alone, not a file")
        return encode(self.rows(path), labels, self.kind)


def corpus_of_rows(
    rows: Callable[[Path], List[Row]],
    kind: str,
    unit: str,
    parse: Callable[[Source, str], Inputs],
    path: str,
    dev_path: Optional[str] = None,
    held_out: float = 0.1,
    split_seed: int = 0,
    limit: int = 0,
) -> Corpus:
    r"""A corpus from a function that reads one file.

    dev_path: the held-out file; without it, a share of the training file is held out (see `hold_out`).
    limit: the first so many training examples alone, 0 for all.
    rows: a file -> (input, answer) pairs.  kind: of the answers.  unit: what they are called.  parse: raw input ->
    `Inputs`.  path: the training file.  held_out: the share.  split_seed: of the draw.

    >>> def rows(path):
    ...     return [tuple(line.split(": ")) for line in path.read_text().splitlines()]
    >>> written = Path("pets.txt").write_text("meow: cat\nwoof: dog\n")
    >>> corpus_of_rows(rows, "class", "texts", parse_texts, "pets.txt", "pets.txt").read().train
    Examples(X=['meow', 'woof'], Y=array([0, 1], dtype=int32))
    """
    if not 0 < held_out < 1:
        raise DatasetError(f"held_out is {held_out}, expected a share between 0 and 1")
    if limit < 0:
        raise DatasetError(f"limit is {limit}, expected a number of examples, 0 for all")
    files = [Path(path)] + ([Path(dev_path)] if dev_path else [])

    def read() -> Data:
        train = rows(files[0])
        if not train:
            raise DatasetError(f"{path}: there are no {unit} in it")
        if dev_path:
            dev, how = rows(files[1]), ""
            if not dev:
                raise DatasetError(f"{dev_path}: there are no {unit} in it")
        else:
            train, dev, how = hold_out(train, kind, held_out, split_seed)
        return make_data(train[: limit or None], dev, kind, str(path), how)

    return Corpus(read, unit, parse, files, rows, kind)


def hold_out(rows: List[Row], kind: str, share: float, seed: int) -> Tuple[List[Row], List[Row], str]:
    """Rows to train on, rows held out, and a sentence about it.

    Stratified: the rows are sorted by label (sentences by their commonest one), shuffled within, and every so-manyth
    is held out, so that each label has its share of both parts. What has a label of its own is trained on.

    rows: (input, answer) pairs.  kind: of the answers.  share: to hold out.  seed: of the draw.

    >>> train_rows, dev_rows, how = hold_out([(f"text {i}", "ab"[i % 2]) for i in range(10)], "class", 0.2, seed=0)
    >>> len(train_rows), sorted(label for _, label in dev_rows)
    (8, ['a', 'b'])
    """
    strata = [_stratum(answer, kind) for _, answer in rows]
    counts = Counter(strata)
    if kind == "several":  # a combination of labels that is there once is no label of its own
        strata = [stratum if counts[stratum] > 1 else () for stratum in strata]
        counts = Counter(strata)
    rng = numpy.random.RandomState(seed)
    shuffled = rng.permutation(len(rows))
    order = sorted(shuffled.tolist(), key=lambda i: strata[i])
    order = [i for i in order if counts[strata[i]] > 1]
    n_held = round(share * len(order)) if len(order) > 1 else 0
    n_held = min(max(n_held, 1), len(order) - 1) if len(order) > 1 else 0
    positions = ((numpy.arange(n_held) + rng.uniform()) * len(order) / max(n_held, 1)).astype("int64")
    held = {order[i] for i in positions.tolist()}
    if not held:
        raise DatasetError(
            f"{len(rows)} examples, no two with one label, are too few to hold some out: give --corpus.dev_path"
        )
    sentence = (
        f"held out: {len(held):,} of {len(rows):,} examples ({len(held) / len(rows):.0%}), drawn by label with "
        f"split_seed {seed}; a file of your own: --corpus.dev_path"
    )
    train = [row for i, row in enumerate(rows) if i not in held]
    return train, [rows[i] for i in sorted(held)], sentence


def _stratum(answer: Any, kind: str) -> Any:
    if kind == "sequence":
        known = Counter(tag for tag in answer if tag is not None)
        return max(known, key=lambda tag: (known[tag], tag)) if known else ""
    return "" if kind == "number" else tuple(answer) if kind == "several" else answer


def clean_label(label: Any, path: Any, line: int) -> str:
    """The one check of labels: without blanks around, not empty, on one line. DatasetError names file and line."""
    if not isinstance(label, str):
        raise DatasetError(f"{path}, line {line}: expected a label, got {label!r}")
    stripped = label.strip()
    if not stripped:
        raise DatasetError(f"{path}, line {line}: there is no label. Give one, or leave the line out")
    if any(char in stripped for char in "\t\r\n\0"):
        raise DatasetError(f"{path}, line {line}: the label {stripped!r} has a tab or a line end in it")
    return stripped


def clean_number(value: Any, path: Any, line: int) -> float:
    """A finite number, or DatasetError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not numpy.isfinite(number):
        raise DatasetError(f"{path}, line {line}: expected a number as the answer, got {value!r}")
    return number


def make_data(train: List[Row], dev: List[Row], kind: str, source: str, held_out: str = "") -> Data:
    """Number the labels of the training rows and encode both parts. DatasetError if there is nothing to learn."""
    found: Dict[str, None] = {}
    for _, answer in train:
        if kind == "class":
            found[answer] = None
        elif kind != "number":
            found.update((label, None) for label in answer if label is not None)
    labels = sorted(found)
    if not labels and kind != "number":
        raise DatasetError(f"{source}: the training part has no labels: nothing to learn from")
    return Data(encode(train, labels, kind), encode(dev, labels, kind), labels, kind, held_out)


def encode(rows: List[Row], labels: List[str], kind: str) -> Examples:
    """Answers as arrays. A label that training never saw cannot be predicted, but counts as an error: it is class
    number len(labels), and of several labels it is left out."""
    number = {label: i for i, label in enumerate(labels)}
    unseen = len(labels)
    X = [x for x, _ in rows]
    if kind == "sequence":
        known: Any = {None: MISSING, **number}
        return Examples(X, [numpy.array([known.get(t, unseen) for t in tags], "int32") for _, tags in rows])
    if kind == "class":
        return Examples(X, numpy.array([number.get(label, unseen) for _, label in rows], "int32"))
    if kind == "number":
        return Examples(X, numpy.array([[value] for _, value in rows], "float32").reshape((-1, 1)))
    Y = numpy.zeros((len(rows), len(labels)), "float32")
    for i, (_, answer) in enumerate(rows):
        Y[i, [number[label] for label in answer if label in number]] = 1.0
    return Examples(X, Y)


__all__ = [
    "KINDS",
    "MISSING",
    "Corpus",
    "Data",
    "DatasetError",
    "Examples",
    "Inputs",
    "Row",
    "clean_label",
    "clean_number",
    "corpus_of_rows",
    "encode",
    "hold_out",
    "make_data",
]
