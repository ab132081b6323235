"""`thinc plot`: the curves of runs as a picture."""

import argparse
from pathlib import Path
from typing import Any, Dict

from ..inspection import plot_history
from ..training import ConfigProblem
from ._command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="output folders of `thinc train`")
    parser.add_argument(
        "--output", type=Path, default=Path("history.svg"), help="picture: .svg, .png; default: %(default)s"
    )
    parser.add_argument(
        "--keys", default="loss,score", help="what to show, by the names in metrics.jsonl; default: %(default)s"
    )


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    try:
        plot_history(*args.runs, keys=args.keys.split(","), path=args.output)
    except (ImportError, ValueError) as e:
        raise ConfigProblem(str(e)) from e
    print(f"Wrote {args.output}")
    return 0


COMMAND = Command(
    "plot",
    "draw the curves of one or several runs",
    add_arguments,
    run,
    examples=("thinc plot runs/en", "thinc plot runs/a runs/b --keys accuracy --output accuracy.svg"),
)
