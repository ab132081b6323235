"""Readers of tagged words: CoNLL-U treebanks and columns; and raw text or such files to tag."""

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from ...api import Model, registry
from ..datasets import Corpus, Inputs, Row, clean_label, corpus_of_rows
from ..errors import DatasetError
from ..features import TOKEN_PATTERN
from ..textfiles import Source

CONLLU_COLUMNS = {"upos": 3, "xpos": 4, "feats": 5, "deprel": 7}
COLUMN_SUFFIXES = (".tsv", ".conll", ".iob", ".iob2", ".bio", ".annotated")


def sentences_of(source: Source, comments: bool) -> Iterator[List[Tuple[int, str]]]:
    """The lines between blank lines, with their numbers counted from 1."""
    block: List[Tuple[int, str]] = []
    for number, line in enumerate(source.lines(), 1):
        if not line.strip():
            if block:
                yield block
            block = []
        elif not (comments and line.startswith("#")):
            block.append((number, line))
    if block:
        yield block


def _conllu_words(source: Source) -> Iterator[List[Tuple[int, List[str]]]]:
    """Sentences of (line number, ten columns) of the words."""
    for block in sentences_of(source, comments=True):
        words = []
        for number, line in block:
            fields = line.split("\t")
            if len(fields) != 10:
                raise DatasetError(
                    f"{source.name}, line {number}: expected 10 columns divided by tabs, got {len(fields)}"
                )
            identity = fields[0]
            if identity.isdigit():
                if not fields[1].strip():
                    raise DatasetError(f"{source.name}, line {number}: the word is empty")
                words.append((number, fields))
            elif not identity.replace("-", "").replace(".", "").isdigit():
                raise DatasetError(
                    f"{source.name}, line {number}: expected the number of a word in the first column, got {identity!r}"
                )
        if words:
            yield words


def read_conllu(path: Path, column: int) -> List[Row]:
    """The sentences of a CoNLL-U file: words and one column, None for "_"."""
    rows: List[Row] = []
    for words in _conllu_words(Source.read(path)):
        tags = [None if f[column] == "_" else clean_label(f[column], path, number) for number, f in words]
        rows.append(([fields[1] for _, fields in words], tags))
    return rows


def read_columns(path: Path, word_column: int = 1, tag_column: int = 2, comments: bool = False) -> List[Row]:
    """The sentences of a file of columns: words and tags."""
    source, rows = Source.read(path), []
    for block in sentences_of(source, comments):
        split = [(number, _columns(source, number, line, max(word_column, tag_column))) for number, line in block]
        tags = [clean_label(fields[tag_column - 1], path, number) for number, fields in split]
        rows.append(([fields[word_column - 1] for _, fields in split], tags))
    return rows


def _columns(source: Source, number: int, line: str, needed: int) -> List[str]:
    fields = line.split("\t")
    if len(fields) < needed:
        raise DatasetError(
            f"{source.name}, line {number}: expected {needed} columns divided by tabs, got {len(fields)}"
        )
    return fields


def _split_words(text: str, tokenizer: Optional[Model]) -> List[str]:
    if tokenizer is None:
        return TOKEN_PATTERN.findall(text)
    (words,) = tokenizer.predict([text])
    return list(words)


def parse_words(
    source: Source, kind: str, tokenizer: Optional[Model], word_column: int = 1, comments: bool = False, column: int = 3
) -> Inputs:
    r"""Sentences to tag: CoNLL-U or columns by the name of the file, else raw text of a sentence a line.

    kind: "text", "conllu" or "columns", whatever the name. column: the one of CoNLL-U that is predicted.
    source: the file.  tokenizer: finds the words of raw text.  word_column: of columns.  comments: whether lines of
    columns may begin with #.

    >>> parse_words(Source("pets.tsv", b"the\tDET\ncat\tNOUN\n"), "columns", None).items
    [['the', 'cat']]
    """
    known = {".conllu": "conllu", **dict.fromkeys(COLUMN_SUFFIXES, "columns")}
    refused = {".csv": "table", ".jsonl": "JSON", ".json": "JSON"}
    if not kind and source.suffix in refused:
        raise DatasetError(
            f"{source.name}: a tagger does not read a {refused[source.suffix]} file. With --as text, each line is one"
        )
    kind = kind or known.get(source.suffix, "text")
    if kind == "conllu":
        words = list(_conllu_words(source))
        return Inputs(
            [[fields[1] for _, fields in sentence] for sentence in words],
            lines=source.lines(),
            at=[[number - 1 for number, _ in sentence] for sentence in words],
            column=column,
        )
    if kind == "columns":
        return Inputs(
            [
                [_columns(source, number, line, word_column)[word_column - 1] for number, line in block]
                for block in sentences_of(source, comments)
            ]
        )
    if kind != "text":
        raise DatasetError(f"{source.name}: a tagger reads text, conllu or columns, not {kind}")
    lines = source.lines()
    for number, line in enumerate(lines, 1):
        if line.count("\t") == 9 and line[:1].isdigit():
            raise DatasetError(f"{source.name}, line {number}: this looks like CoNLL-U. Say so: --as conllu")
    return Inputs([_split_words(line, tokenizer) or None for line in lines])


@registry.datasets("conllu.v1")
def conllu(
    path: str,
    dev_path: Optional[str] = None,
    tag: str = "upos",
    limit: int = 0,
    held_out: float = 0.1,
    split_seed: int = 0,
    tokenizer: Optional[Model] = None,
) -> Corpus:
    """Words and tags from CoNLL-U treebanks, plain or .gz.

    Grammar (https://universaldependencies.org/format.html): ten columns divided by tabs, a blank line after each
    sentence, comments behind "#". The first column is a number; multiword tokens (1-2) and empty nodes (1.1) are left
    out; "_" is no label.

    path: the training file. dev_path: the held-out file; without it, a share `held_out` of the sentences is held out.
    tag: upos, xpos, feats or deprel. limit: the first so many training sentences alone, 0 for all.
    tokenizer: a layer from texts to words, for raw text; without it, words and punctuation marks.
    """
    if tag not in CONLLU_COLUMNS:
        raise DatasetError(f"conllu: tag is {tag!r}, expected one of {', '.join(CONLLU_COLUMNS)}")
    column = CONLLU_COLUMNS[tag]

    def parse(source: Source, kind: str) -> Inputs:
        return parse_words(source, kind, tokenizer, column=column)

    def rows(path: Path) -> List[Row]:
        return read_conllu(path, column)

    return corpus_of_rows(rows, "sequence", "words", parse, path, dev_path, held_out, split_seed, limit)


@registry.datasets("columns.v1")
def columns(
    path: str,
    dev_path: Optional[str] = None,
    word_column: int = 1,
    tag_column: int = 2,
    comments: bool = False,
    limit: int = 0,
    held_out: float = 0.1,
    split_seed: int = 0,
    tokenizer: Optional[Model] = None,
) -> Corpus:
    """Words and tags in columns divided by tabs, such as BIO tags of named entities, plain or .gz.

    Grammar: a word a line, `word<TAB>tag` or more columns; a blank line after each sentence. Each word has a tag.
    word_column, tag_column: counted from 1. comments: whether lines that begin with "#" are comments; if not, they
    are words. If all tags are O, B-… and I-…, spans are scored, too. The other arguments are those of conllu.v1.
    """
    for name, value in (("word_column", word_column), ("tag_column", tag_column)):
        if value < 1:
            raise DatasetError(f"columns: {name} is {value}, expected a number from 1")

    def parse(source: Source, kind: str) -> Inputs:
        return parse_words(source, kind, tokenizer, word_column, comments)

    def rows(path: Path) -> List[Row]:
        return read_columns(path, word_column, tag_column, comments)

    return corpus_of_rows(rows, "sequence", "words", parse, path, dev_path, held_out, split_seed, limit)


__all__ = ["columns", "conllu", "parse_words", "read_columns", "read_conllu"]
