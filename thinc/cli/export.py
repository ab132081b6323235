"""`thinc export`: a trained model for other runtimes."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict

import numpy

from ..export import Exported, ExportError, split_features, to_onnx
from ..training import TrainingError, load_run, select
from ._command import Command

SAMPLE = 32  # examples that the graph is tried with
FORMATS = ["onnx"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the output folder of `thinc train`")
    parser.add_argument("--format", choices=FORMATS, required=True, help="the kind of file")
    parser.add_argument("--output", type=Path, default=None, metavar="FILE", help="default: model.onnx in the folder")
    parser.add_argument("--opset", type=int, default=20, help="version of ONNX's operators; default: %(default)s")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    settled = load_run(args.model, overrides)
    settled.corpus.check()
    examples = settled.corpus.read().dev
    X, _ = select(examples, numpy.arange(min(SAMPLE, len(examples))))
    output = args.output or args.model / "model.onnx"
    metadata = {"config": settled.config.to_str(), "labels": json.dumps(settled.labels)}
    try:
        features, model = split_features(settled.model)
        if features is not None:
            X = features.predict(X)
        exported = to_onnx(model, output, X, opset=args.opset, metadata=metadata)
    except (ExportError, ImportError) as e:
        raise TrainingError(str(e)) from e
    show(exported)
    return 0


def show(exported: Exported) -> None:
    for kind, tensors in (("input", exported.inputs), ("output", exported.outputs)):
        for name, (dtype, shape) in tensors.items():
            print(f"{kind:<7} {name} {dtype} ({', '.join(map(str, shape))})")
    if exported.difference is None:
        print("Not tried: ONNX Runtime is not installed")
    else:
        print(f"Largest difference from the model on the sample: {exported.difference:.2g}")
    print(f"Saved in {' and '.join(str(path) for path in (exported.path, exported.data_path) if path)}")


COMMAND = Command(
    "export",
    "write a trained model as a file that other runtimes read",
    add_arguments,
    run,
    examples=("thinc export runs/tagger --format onnx",),
    overrides="of [corpus] alone",
)

__all__ = ["COMMAND", "run"]
