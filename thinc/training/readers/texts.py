"""Readers of texts with an answer: one label, several, or a number; from tables, JSON lines or folders."""

import csv
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ...api import registry
from ..datasets import Corpus, Inputs, Row, clean_label, clean_number, corpus_of_rows
from ..errors import DatasetError
from ..textfiles import Source

ANSWERS = {"label": "class", "labels": "several", "number": "number"}


def _kind(answers: str) -> str:
    if answers not in ANSWERS:
        raise DatasetError(f"answers is {answers!r}, expected one of {', '.join(ANSWERS)}")
    return ANSWERS[answers]


def read_table(
    source: Source, delimiter: str, encoding: str, needed: List[str]
) -> Iterator[Tuple[int, Dict[str, str]]]:
    """(line number, row) of a CSV file with a header. DatasetError for all that is no table."""
    lines = source.text(encoding).split("\n")
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
    header: List[str] = []
    start = 1
    try:
        for fields in reader:
            number, start = start, reader.line_num + 1
            if not any(field.strip() for field in fields) and len(fields) <= 1:
                continue
            if not header:
                header = fields
                _check_header(source, header, delimiter, needed)
            elif len(fields) != len(header):
                raise DatasetError(
                    f"{source.name}, line {number}: expected {len(header)} fields as in the header, got {len(fields)}. "
                    f"A text with a {delimiter!r} in it stands in quotes"
                )
            else:
                yield number, dict(zip(header, fields))
    except csv.Error as e:
        hint = " (is a quote not closed?)" if "end of data" in str(e) or "limit" in str(e) else ""
        raise DatasetError(f"{source.name}, line {start}: not a row of a table: {e}{hint}") from None
    if not header:
        raise DatasetError(f"{source.name} is empty, expected a table with a header")


def _check_header(source: Source, header: List[str], delimiter: str, needed: List[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise DatasetError(f"{source.name}, line 1: the header has {name!r} twice")
    for name in needed:
        if name not in header:
            others = [d for d in ",;\t|" if d != delimiter and len(header) == 1 and d in header[0]]
            hint = f" Is the delimiter {others[0]!r}? --corpus.delimiter={others[0]!r}" if others else ""
            raise DatasetError(
                f"{source.name}, line 1: there is no column {name!r}; the header has {', '.join(header)}.{hint}"
            )


def read_json_lines(source: Source) -> Iterator[Tuple[int, Dict[str, Any]]]:
    """(line number, object) of a file with one JSON object a line; blank lines are left out."""

    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    for number, line in enumerate(source.lines(), 1):
        if line.strip():
            try:
                value = json.loads(line, object_pairs_hook=once, parse_constant=refuse)
            except (ValueError, RecursionError) as e:
                raise DatasetError(f"{source.name}, line {number}: not a line of JSON: {e}") from None
            if not isinstance(value, dict):
                raise DatasetError(f"{source.name}, line {number}: expected a JSON object, got {line.strip()[:40]}")
            yield number, value


def _json_text(source: Source, number: int, value: Dict[str, Any], field: str) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        raise DatasetError(f"{source.name}, line {number}: expected a text under {field!r}, got {text!r}")
    return text


def parse_texts(
    source: Source, kind: str = "", text_column: str = "text", delimiter: str = ",", encoding: str = "utf-8"
) -> Inputs:
    r"""Texts to label: the column of a .csv or .tsv, the field of a .jsonl, else each line.

    kind: "text", "csv" or "jsonl", whatever the name. A blank line is no text, and gives a blank line.
    source: the file.  text_column, delimiter, encoding: of a table.

    >>> parse_texts(Source("pets.csv", b"text,category\nmeow,cat\n")).items
    ['meow']
    """
    known = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl"}
    refused = {".conllu": "CoNLL-U", ".json": "JSON", ".zip": "zip"}
    if not kind and source.suffix in refused:
        raise DatasetError(
            f"{source.name}: texts are not read from a {refused[source.suffix]} file. With --as text, each line is one"
        )
    kind = kind or known.get(source.suffix, "text")
    if kind == "csv":
        return Inputs([row[text_column] for _, row in read_table(source, delimiter, encoding, [text_column])])
    if kind == "jsonl":
        return Inputs([_json_text(source, n, value, text_column) for n, value in read_json_lines(source)])
    if kind != "text":
        raise DatasetError(f"{source.name}: texts are read from text, csv or jsonl, not from {kind}")
    return Inputs([line.strip() or None for line in source.lines(encoding)])


@registry.datasets("csv_text.v1")
def csv_text(
    path: str,
    dev_path: Optional[str] = None,
    text_column: str = "text",
    label_column: str = "category",
    answers: str = "label",
    label_separator: str = "|",
    delimiter: str = ",",
    encoding: str = "utf-8",
    limit: int = 0,
    held_out: float = 0.1,
    split_seed: int = 0,
) -> Corpus:
    """Texts and their answers from CSV files, plain or .gz.

    Grammar (RFC 4180): a header line of distinct names; then rows of as many fields as the header has; a field with
    the delimiter, a quote or a line end in it stands in quotes, a quote within is doubled. Each row has an answer.

    answers: "label"; "labels", divided by label_separator, or none; "number". delimiter: one character, such as ";".
    encoding: utf-8 (a byte order mark is skipped) or another that Python knows. dev_path: the held-out file; without
    it, a share `held_out` of the rows is held out, by label. limit: the first so many training rows alone, 0 for all.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DatasetError(f"csv_text: delimiter is {delimiter!r}, expected one character")
    kind = _kind(answers)

    def rows(path: Path) -> List[Row]:
        found: List[Row] = []
        for n, row in read_table(Source.read(path), delimiter, encoding, [text_column, label_column]):
            answer: Any = row[label_column]
            if kind == "number":
                answer = clean_number(answer, path, n)
            elif kind == "several":
                parts = [part for part in answer.split(label_separator) if part.strip()]
                answer = sorted({clean_label(part, path, n) for part in parts})
            else:
                answer = clean_label(answer, path, n)
            found.append((row[text_column], answer))
        return found

    def parse(source: Source, kind: str) -> Inputs:
        return parse_texts(source, kind, text_column, delimiter, encoding)

    return corpus_of_rows(rows, kind, "texts", parse, path, dev_path, held_out, split_seed, limit)


@registry.datasets("jsonl_text.v1")
def jsonl_text(
    path: str,
    dev_path: Optional[str] = None,
    text_field: str = "text",
    label_field: str = "label",
    answers: str = "label",
    limit: int = 0,
    held_out: float = 0.1,
    split_seed: int = 0,
) -> Corpus:
    """Texts and their answers from JSON lines, plain or .gz.

    Grammar: one JSON object a line, no key twice; blank lines are left out. Under text_field stands a text, under
    label_field a text (answers = "label"), a list of texts or nothing ("labels"), or a number ("number"). The other
    arguments are those of csv_text.v1.
    """
    kind = _kind(answers)

    def rows(path: Path) -> List[Row]:
        source = Source.read(path)
        found: List[Row] = []
        for n, value in read_json_lines(source):
            answer = value.get(label_field, [] if kind == "several" else None)
            if kind == "number":
                if not isinstance(answer, (int, float)):
                    raise DatasetError(f"{path}, line {n}: expected a number under {label_field!r}, got {answer!r}")
                answer = clean_number(answer, path, n)
            elif kind == "several":
                if not isinstance(answer, list):
                    raise DatasetError(f"{path}, line {n}: expected a list under {label_field!r}, got {answer!r}")
                answer = sorted({clean_label(label, path, n) for label in answer})
            else:
                answer = clean_label(answer, path, n)
            found.append((_json_text(source, n, value, text_field), answer))
        return found

    def parse(source: Source, kind: str) -> Inputs:
        return parse_texts(source, kind, text_field)

    return corpus_of_rows(rows, kind, "texts", parse, path, dev_path, held_out, split_seed, limit)


@registry.datasets("folders.v1")
def folders(
    path: str, dev_path: Optional[str] = None, limit: int = 0, held_out: float = 0.1, split_seed: int = 0
) -> Corpus:
    """Texts in folders: `path/LABEL/NAME.txt`, each file one text, each folder one label.

    Grammar: the folder holds folders alone, and they files that end in .txt; names that begin with "." are left out.
    """

    def visible(folder: Path) -> List[Path]:
        if not folder.is_dir():
            raise DatasetError(f"{folder} is no folder, expected one with a folder for each label")
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))

    def rows(path: Path) -> List[Row]:
        found: List[Row] = []
        for folder in visible(path):
            for file in visible(folder):
                if file.suffix != ".txt" or not file.is_file():
                    raise DatasetError(f"{file}: expected a file that ends in .txt")
                text = " ".join(line.strip() for line in Source.read(file).lines())
                found.append((text.strip(), clean_label(folder.name, folder, 0)))
        return found

    return corpus_of_rows(rows, "class", "texts", parse_texts, path, dev_path, held_out, split_seed, limit)


__all__ = ["csv_text", "folders", "jsonl_text", "parse_texts", "read_json_lines", "read_table"]
