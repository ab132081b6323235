"""`thinc summary`: the layers of a model as a table."""

import argparse
from pathlib import Path
from typing import Any, Dict

import numpy

from ..training import Run, initialize, load_run, select
from ..training.config_check import describe_model
from ._command import Command, config_path, settle_named

SAMPLE = 32  # examples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the output folder of `thinc train`, or a config")
    parser.add_argument(
        "--sample",
        action="store_true",
        help=f"read the corpus and run {SAMPLE} examples: shapes, time and FLOPs of each layer",
    )


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    trained = load_run(args.model, overrides) if Path(args.model).is_dir() else None
    if not args.sample:
        model = trained.model if trained else describe_model(config_path(args.model), overrides, args.model)
        print(model.summary())
        return 0
    settled = trained or settle_named(args.model, overrides, None)
    settled.corpus.check()
    data = settled.corpus.read()
    if not isinstance(settled, Run):
        initialize(settled.model, data, settled.settings.seed)
    X, _ = select(data.train, numpy.arange(min(SAMPLE, len(data.train))))
    print(settled.model.summary(X))
    return 0


COMMAND = Command(
    "summary",
    "show the layers of a model, their shapes and sizes",
    add_arguments,
    run,
    examples=("thinc summary tagger --sample", "thinc summary runs/en"),
    overrides="any value of the config; of a run, [corpus] alone",
)
