"""`thinc summary`: the layers of a model as a table."""

import argparse
from pathlib import Path
from typing import Any, Dict

import numpy

from ..training import initialize, select, settle
from ._command import Command, config_path
from .predict import load

SAMPLE = 32  # examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the output folder of `thinc train`, or a config")
    parser.add_argument(
        "--sample",
        action="store_true",
        help=f"read the corpus and run {SAMPLE} examples: shapes, time and FLOPs of each layer",
    )


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    trained = Path(args.model).is_dir()
    settled = load(Path(args.model), overrides)[0] if trained else settle(config_path(args.model), overrides)
    X = None
    if args.sample:
        settled.corpus.check()
        data = settled.corpus.read()
        X, _ = select(data.train, numpy.arange(min(SAMPLE, len(data.train))))
        if not trained:
            initialize(settled.model, data, settled.settings.seed)
    print(settled.model.summary(X))
    return 0


COMMAND = Command("summary", "show the layers of a model, their shapes and sizes", add_arguments, run)
