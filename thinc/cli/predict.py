"""`thinc predict`: labels for raw input."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy

from ..training import Corpus, DatasetError, Settled, TrainingError, predict_classes, settle
from ._command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the output folder of `thinc train`")
    parser.add_argument("input", type=Path, help="a text with one item a line, or what the corpus reads")


def load(folder: Path, overrides: Optional[Dict[str, Any]] = None) -> Tuple[Settled, List[str]]:
    """A model that `thinc train` saved: what its config describes, the weights loaded, and the labels."""
    for name in ("config.cfg", "labels.json", "model.bin"):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder} holds no trained model: there is no {name}")
    settled = settle(folder / "config.cfg", overrides or {})
    settled.model.from_disk(folder / "model.bin")
    return settled, json.loads((folder / "labels.json").read_text(encoding="utf8"))


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
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


COMMAND = Command("predict", "label raw input with a trained model", _add_arguments, run)

__all__ = ["COMMAND", "load", "predictions", "run"]
