"""`thinc predict`: labels for raw input."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

from ..training import ConfigProblem, Inputs, Run, load_run
from ._command import Command, read_code

KINDS = ("text", "conllu", "columns", "csv", "jsonl")
# Of [corpus], what says how raw input is read; anything else cannot act here.
READING = ("text_column", "text_field", "delimiter", "encoding", "word_column", "comments")
BATCH = 128


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the output folder of `thinc train`, or its model.bin")
    parser.add_argument("input", nargs="*", default=["-"], help="files, or - for standard input, which is the default")
    parser.add_argument(
        "--as", dest="kind", choices=KINDS, default="", help="what the input is, whatever its name says"
    )
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="write JSON, an object a line")
    formats.add_argument("--conllu", action="store_true", help="write CoNLL-U (taggers)")
    parser.add_argument("--code", type=Path, help="instead of the file that was given in training")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    """Label files; the exit code."""
    for key in overrides:
        section, _, name = key.rpartition(".")
        if section != "corpus" or name not in READING:
            raise ConfigProblem(
                f"--{key}: cannot act here, the model is as it was trained. What can: --corpus.{', '.join(READING)}"
            )
    loaded = load_run(args.run, overrides, read_code(args.code))
    if args.conllu and loaded.kind != "sequence":
        raise ConfigProblem("--conllu: this model labels whole inputs, not words. Take --json")
    write = json_lines if args.json else conllu_lines if args.conllu else text_lines
    for path in args.input:
        for line in write(loaded, loaded.parse(path, args.kind)):
            sys.stdout.write(line + "\n")
    return 0


def _answered(run: Run, inputs: Inputs) -> Iterator[Any]:
    """(number, item, answer) of each item; the answer is None for a blank line."""
    items = inputs.items
    for start in range(0, len(items), BATCH):
        block = items[start : start + BATCH]
        present = [i for i, item in enumerate(block) if item is not None]
        given = block if len(present) == len(block) else [block[i] for i in present]
        answers = dict(zip(present, run.predict(given)))
        for i, item in enumerate(block):
            yield start + i, item, answers.get(i)


def text_lines(run: Run, inputs: Inputs) -> Iterator[str]:
    """word/TAG for sentences (word, tab, tag for what is shown word by word), else the answer and the text."""
    for number, item, answer in _answered(run, inputs):
        if answer is None:
            yield ""
        elif run.kind == "sequence" and inputs.shown:
            yield from (f"{item[i]}\t{answer[i]}" for i in inputs.shown[number])
        elif run.kind == "sequence":
            yield " ".join(f"{word}/{tag}" for word, tag in zip(item, answer))
        else:
            shown = ", ".join(answer) if run.kind == "several" else f"{answer:g}" if run.kind == "number" else answer
            yield f"{shown}\t{' '.join(item.split())}" if isinstance(item, str) else shown


def json_lines(run: Run, inputs: Inputs) -> Iterator[str]:
    """An object for each item: words and tags, or text and its answer."""
    key = {"sequence": "tags", "class": "label", "several": "labels", "number": "number"}[run.kind]
    for number, item, answer in _answered(run, inputs):
        if run.kind == "sequence":
            found: Dict[str, Any] = {"words": item or [], key: answer or []}
            if inputs.shown:
                found = {name: [values[i] for i in inputs.shown[number]] for name, values in found.items()}
        else:
            found = {"text": item or ""} if isinstance(item, str) or item is None else {}
            found[key] = answer
        yield json.dumps(found, ensure_ascii=False)


def conllu_lines(run: Run, inputs: Inputs) -> Iterator[str]:
    """CoNLL-U: the lines that came with their column filled, or new ones."""
    if inputs.lines:
        lines = list(inputs.lines)
        for number, _, answer in _answered(run, inputs):
            for at, tag in zip(inputs.at[number], answer):
                fields = lines[at].split("\t")
                fields[inputs.column] = tag
                lines[at] = "\t".join(fields)
        yield from lines
        return
    for _, item, answer in _answered(run, inputs):
        for i, (word, tag) in enumerate(zip(item or [], answer or []), 1):
            row: List[str] = [str(i), word, *["_"] * 8]
            row[inputs.column] = tag
            yield "\t".join(row)
        yield ""


COMMAND = Command(
    "predict",
    "label raw input with a trained model",
    _add_arguments,
    run,
    "Label files or standard input. The kind of a file is seen by its name: .conllu, .tsv, .conll, .csv, .jsonl, .py;\n"
    "anything else is text with an item a line. Each line gives a line, a blank one a blank one.",
    (
        "echo 'Hello, world' | thinc predict runs/en",
        "thinc predict runs/en raw.txt --json",
        "thinc predict runs/en test.conllu --conllu > tagged.conllu",
        "thinc predict runs/texts new.csv --corpus.delimiter=';'",
    ),
    f"of [corpus], how input is read: {', '.join(READING)}",
)

__all__ = ["COMMAND", "conllu_lines", "json_lines", "run", "text_lines"]
