"""`thinc evaluate`: the score of a trained model."""

import argparse
from pathlib import Path
from typing import Any, Dict

from ..training import DatasetError, count_items, evaluate
from ._command import Command
from .predict import load


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the output folder of `thinc train`")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    settled, labels = load(args.model, overrides)
    settled.corpus.check()
    data = settled.corpus.read()
    if data.labels != labels:
        raise DatasetError(f"The corpus has other labels than the model: {data.labels} instead of {labels}")
    items = count_items(data.dev.Y, data)
    print(f"accuracy {100 * evaluate(settled.model, data.dev):.2f} % on {items} {settled.corpus.unit}")
    return 0


COMMAND = Command("evaluate", "score a trained model on the held-out part of its corpus", _add_arguments, run)

__all__ = ["COMMAND", "run"]
