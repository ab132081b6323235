"""Corpora for the command line, by name in `registry.datasets`.

An entry returns a `Corpus`, which reads nothing until it is asked to: a config can be checked, and a trained model
served, without the training data. Write your own in the same way:

    @registry.datasets("my_corpus.v1")
    def my_corpus(path: str) -> Corpus: ...
"""

import ast
import csv
import gzip
import io
import keyword
import sysconfig
import tokenize
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy

from ..config import registry

MISSING = -1  # the class of an answer that is not known: neither trained on nor scored

Sentence = Tuple[List[str], List[Optional[str]]]


class DatasetError(ValueError):
    """A corpus that cannot be read, or holds nothing to learn from."""


@dataclass
class Examples:
    """Inputs and their answers, side by side. Answers are class numbers: an int32 array for each sequence if the task
    is to label the items of sequences, else one int32 array for all."""

    X: Any
    Y: Any

    def __len__(self) -> int:
        return len(self.Y)


@dataclass
class Data:
    """A corpus that was read."""

    train: Examples
    dev: Examples
    labels: List[str]
    sequences: bool  # each answer labels the items of a sequence


@dataclass
class Corpus:
    """Where examples come from, and how to show an answer."""

    read: Callable[[], Data]
    unit: str  # what speed is counted in: words, texts, images
    parse: Callable[[Path], Any]  # a file of raw input -> inputs of the model
    files: List[Path] = field(default_factory=list)  # what must be there

    def check(self) -> None:
        """DatasetError if a file is missing."""
        for path in self.files:
            if not path.is_file():
                raise DatasetError(f"There is no file {path}")


def open_text(path: Path) -> io.TextIOBase:
    """A text file, decompressed if its name ends in .gz."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf8", newline="")  # type: ignore[return-value]  # text mode
    return open(path, encoding="utf8", newline="")


def _read_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.name.endswith(".gz") else data


# Tagged sentences


def _tagged(train: List[Sentence], dev: List[Sentence], source: str) -> Data:
    labels = sorted({tag for _, tags in train for tag in tags if tag is not None})
    if not labels:
        raise DatasetError(f"{source}: the training part has no labelled words")
    number: Dict[Optional[str], int] = {tag: i for i, tag in enumerate(labels)}

    def examples(sentences: List[Sentence]) -> Examples:
        X = [words for words, _ in sentences]
        # A tag that training never saw cannot be predicted, but counts as an error.
        unseen = len(labels)
        Y = [
            numpy.array([MISSING if t is None else number.get(t, unseen) for t in tags], "int32")
            for _, tags in sentences
        ]
        return Examples(X, Y)

    return Data(examples(train), examples(dev), labels, sequences=True)


def _parse_words(path: Path) -> List[List[str]]:
    with open_text(path) as file:
        return [line.split() for line in file if line.strip()]


def read_conllu(path: Path, column: int) -> List[Sentence]:
    """The sentences of a CoNLL-U file (https://universaldependencies.org/format.html): words and one column.

    Multiword tokens and empty nodes are left out; "_" is no label.
    """
    sentences: List[Sentence] = []
    words: List[str] = []
    tags: List[Optional[str]] = []
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\r\n")
            if not line.strip():
                if words:
                    sentences.append((words, tags))
                    words, tags = [], []
            elif not line.startswith("#"):
                fields = line.split("\t")
                if len(fields) != 10:
                    raise DatasetError(f"{path}, line {number}: expected 10 columns divided by tabs, got {len(fields)}")
                if fields[0].isdigit():
                    words.append(fields[1])
                    tags.append(None if fields[column] == "_" else fields[column])
    if words:
        sentences.append((words, tags))
    return sentences


CONLLU_COLUMNS = {"upos": 3, "xpos": 4, "feats": 5, "deprel": 7}


@registry.datasets("conllu.v1")
def conllu(path: str, dev_path: Optional[str] = None, tag: str = "upos", limit: int = 0) -> Corpus:
    """Words and tags from CoNLL-U treebanks, plain or .gz.

    path: the training file. dev_path: the held-out file; without it, every tenth sentence is held out.
    tag: upos, xpos, feats or deprel. limit: the first so many training sentences alone, 0 for all.
    """
    if tag not in CONLLU_COLUMNS:
        raise DatasetError(f"conllu: tag is {tag!r}, expected one of {', '.join(CONLLU_COLUMNS)}")
    column = CONLLU_COLUMNS[tag]
    files = [Path(path)] + ([Path(dev_path)] if dev_path else [])

    def read() -> Data:
        train = read_conllu(files[0], column)
        if dev_path:
            dev = read_conllu(files[1], column)
        else:
            dev = train[::10]
            train = [sentence for i, sentence in enumerate(train) if i % 10]
        return _tagged(train[: limit or None], dev, str(path))

    return Corpus(read, "words", _parse_words, files)


# Python source: names and their syntactic roles

_SKIPPED_FOLDERS = {"test", "tests", "idle_test", "lib2to3", "site-packages", "__pycache__"}
_CHUNK = 40  # words; logical lines are joined up to this size


class _Roles(ast.NodeVisitor):
    """(line, column) of names -> role, for what the syntax tree places exactly."""

    def __init__(self) -> None:
        self.at: Dict[Tuple[int, int], str] = {}
        self.scopes: List[set] = []

    def visit_FunctionDef(self, node: Any) -> None:
        for child in [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]:
            self.visit(child)
        arguments = node.args
        names = {a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs}
        names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
        names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.scopes.append(names)
        for child in node.body:
            self.visit(child)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> None:
        self.at[node.lineno, node.col_offset] = "argument"
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self.at[node.lineno, node.col_offset] = "keyword_argument"
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name):
            self.at[node.func.lineno, node.func.col_offset] = "call"
        elif isinstance(node.func, ast.Attribute):
            self.at[self._attribute(node.func)] = "method_call"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        written = isinstance(node.ctx, (ast.Store, ast.Del))
        self.at[self._attribute(node)] = "attribute_write" if written else "attribute"

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            local = bool(self.scopes) and node.id in self.scopes[-1]
            role = "local_read" if local else "global_read"
        else:
            role = "local_write" if self.scopes else "global_write"
        self.at[node.lineno, node.col_offset] = role

    @staticmethod
    def _attribute(node: ast.Attribute) -> Tuple[int, int]:
        # The name is the last thing in the node.
        return node.end_lineno or 0, (node.end_col_offset or 0) - len(node.attr.encode("utf8"))


def tag_python(source: str) -> List[Sentence]:
    """The words of Python source in chunks of logical lines; names have their syntactic role, other words None.

    Raises SyntaxError or tokenize.TokenError for what is not Python.
    """
    roles = _Roles()
    roles.visit(ast.parse(source))
    chunks: List[Sentence] = []
    words: List[str] = []
    tags: List[Optional[str]] = []
    previous = ""  # of this logical line: what a name after `def`, `class`, `import` is, the tree does not place
    importing = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):
            text = token.string
            tag = None
            if token.type == tokenize.NAME and not keyword.iskeyword(text):
                line, column = token.start
                place = (line, len(token.line[:column].encode("utf8")))
                if previous in ("def", "class"):
                    tag = "function" if previous == "def" else "class"
                elif importing:
                    tag = "import"
                else:
                    tag = roles.at.get(place)
            importing = importing or (text in ("import", "from") and not previous)
            previous = text
            words.append(text)
            tags.append(tag)
        elif token.type == tokenize.STRING:
            previous = "''"
            words.append(previous)
            tags.append(None)
        elif token.type == tokenize.NEWLINE:
            previous, importing = "", False
            if len(words) >= _CHUNK:
                chunks.append((words, tags))
                words, tags = [], []
    if words:
        chunks.append((words, tags))
    return chunks


@registry.datasets("python_source.v1")
def python_source(limit: int = 200) -> Corpus:
    """The standard library of the running Python: each name is tagged with its syntactic role, found with `ast`.

    Roles: function, class, argument, keyword_argument, call, method_call, attribute, attribute_write, import,
    local_read, local_write, global_read, global_write. The same word has many of them, so the labels need context.
    Files are taken in a fixed pseudo-random order and split by file, four to one; limit is their number, 0 for all.
    """
    root = Path(sysconfig.get_paths()["stdlib"])

    def read() -> Data:
        paths = [path for path in root.rglob("*.py") if not _SKIPPED_FOLDERS.intersection(path.relative_to(root).parts)]
        order = sorted(paths, key=lambda path: (zlib.crc32(path.relative_to(root).as_posix().encode()), path))
        parts: Tuple[List[Sentence], List[Sentence]] = ([], [])
        for i, path in enumerate(order[: limit or None]):
            try:
                with tokenize.open(path) as file:
                    chunks = tag_python(file.read())
            except (SyntaxError, ValueError, tokenize.TokenError, OSError):
                continue  # templates and the like
            parts[i % 5 == 0].extend(chunks)
        if not parts[0] or not parts[1]:
            raise DatasetError(f"python_source: found no Python source under {root}")
        return _tagged(*parts, source=str(root))

    def parse(path: Path) -> List[List[str]]:
        return [words for words, _ in tag_python(path.read_text(encoding="utf8"))]

    return Corpus(read, "words", parse)


# Texts with a label


@registry.datasets("csv_text.v1")
def csv_text(
    path: str, dev_path: Optional[str] = None, text_column: str = "text", label_column: str = "category"
) -> Corpus:
    """Texts and their labels from CSV files with a header line, plain or .gz.

    Without dev_path every tenth text is held out.
    """
    files = [Path(path)] + ([Path(dev_path)] if dev_path else [])

    def rows(path: Path) -> Iterator[Tuple[str, str]]:
        with open_text(path) as file:
            reader = csv.DictReader(file)
            for name in (text_column, label_column):
                if name not in (reader.fieldnames or ()):
                    raise DatasetError(
                        f"{path}: there is no column {name!r}; the header has {', '.join(reader.fieldnames or ())}"
                    )
            for row in reader:
                yield row[text_column], row[label_column]

    def read() -> Data:
        train = list(rows(files[0]))
        if dev_path:
            dev = list(rows(files[1]))
        else:
            dev = train[::10]
            train = [row for i, row in enumerate(train) if i % 10]
        return _classified(train, dev, str(path))

    def parse(path: Path) -> List[str]:
        with open_text(path) as file:
            return [line.strip() for line in file if line.strip()]

    return Corpus(read, "texts", parse, files)


def _classified(train: List[Tuple[Any, str]], dev: List[Tuple[Any, str]], source: str) -> Data:
    labels = sorted({label for _, label in train})
    if not labels:
        raise DatasetError(f"{source}: the training part is empty")
    number = {label: i for i, label in enumerate(labels)}

    def examples(rows: Iterable[Tuple[Any, str]]) -> Examples:
        rows = list(rows)
        Y = [number.get(label, len(labels)) for _, label in rows]
        return Examples([x for x, _ in rows], numpy.array(Y, dtype="int32"))

    return Data(examples(train), examples(dev), labels, sequences=False)


# Images


def read_idx(path: Path) -> numpy.ndarray:
    """An array of bytes in the IDX format of the MNIST files (LeCun, Cortes & Burges 1998), plain or .gz."""
    data = _read_bytes(path)
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise DatasetError(f"{path}: not an IDX file of bytes")
    n_dims = data[3]
    start = 4 + 4 * n_dims
    shape = numpy.frombuffer(data[4:start], dtype=">i4").astype("int64")
    if len(shape) != n_dims or len(data) != start + int(numpy.prod(shape)):
        raise DatasetError(f"{path}: expected {tuple(shape)} bytes after the header, got {len(data) - start}")
    return numpy.frombuffer(data, dtype="uint8", offset=start).reshape(shape)


def _pixels(images: numpy.ndarray) -> numpy.ndarray:
    return images.reshape((len(images), -1)).astype("float32") / 255.0


def _image_data(train: Tuple[Any, Any], dev: Tuple[Any, Any]) -> Data:
    labels = [str(i) for i in range(int(train[1].max()) + 1)]
    return Data(
        Examples(train[0], train[1].astype("int32")), Examples(dev[0], dev[1].astype("int32")), labels, sequences=False
    )


@registry.datasets("idx_images.v1")
def idx_images(path: str, labels_path: str, dev_path: str, dev_labels_path: str) -> Corpus:
    """Images of bytes with numbered classes, in the files that MNIST comes in.  Pixels are scaled to [0, 1]."""
    files = [Path(path), Path(labels_path), Path(dev_path), Path(dev_labels_path)]

    def read() -> Data:
        images, labels, dev_images, dev_labels = (read_idx(path) for path in files)
        for X, Y, source in ((images, labels, path), (dev_images, dev_labels, dev_path)):
            if len(X) != len(Y) or not len(X):
                raise DatasetError(f"{source}: {len(X)} images, but {len(Y)} labels")
        return _image_data((_pixels(images), labels), (_pixels(dev_images), dev_labels))

    return Corpus(read, "images", lambda path: _pixels(read_idx(path)), files)


@registry.datasets("digits.v1")
def digits() -> Corpus:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; every fifth is held out."""

    def read() -> Data:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise DatasetError('digits.v1 needs scikit-learn: pip install "thinc[datasets]"') from None
        images, labels = load_digits(return_X_y=True)
        X = (images / 16.0).astype("float32")
        held_out = numpy.arange(len(X)) % 5 == 0
        return _image_data((X[~held_out], labels[~held_out]), (X[held_out], labels[held_out]))

    def parse(path: Path) -> numpy.ndarray:
        return numpy.loadtxt(path, delimiter=",", ndmin=2).astype("float32") / 16.0

    return Corpus(read, "images", parse)


__all__ = [
    "MISSING",
    "Corpus",
    "Data",
    "DatasetError",
    "Examples",
    "conllu",
    "csv_text",
    "digits",
    "idx_images",
    "open_text",
    "python_source",
    "read_conllu",
    "read_idx",
    "tag_python",
]
