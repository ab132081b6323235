"""The command line: one module of this package for each command, and the table of them.

Exit codes: 0 done, 1 the run failed, 2 the command or the config is wrong (and nothing was written), 130 interrupted.
"""

import argparse
import sys
from typing import Dict, Optional, Sequence

from ..about import __version__
from ..training import ConfigProblem, DatasetError, TrainingError
from . import demo, evaluate, export, info, plot, predict, summary, train
from ._command import CONFIGS, Command, read_overrides, ready_configs
from .predict import load

COMMANDS: Dict[str, Command] = {
    command.name: command
    for command in (
        train.COMMAND,
        evaluate.COMMAND,
        predict.COMMAND,
        summary.COMMAND,
        plot.COMMAND,
        export.COMMAND,
        info.COMMAND,
        demo.COMMAND,
    )
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command; the exit code."""
    args, rest = _parser().parse_known_args(argv)
    try:
        return int(COMMANDS[args.command].run(args, read_overrides(rest)))
    except ConfigProblem as e:
        print(f"thinc {args.command}: {e}", file=sys.stderr)
        return 2
    except (DatasetError, TrainingError, OSError) as e:
        print(f"thinc {args.command}: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thinc", description="Train and use models that a config describes.")
    parser.add_argument("--version", action="version", version=f"thinc {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS.values():
        description = command.description or command.summary
        command.add_arguments(subparsers.add_parser(command.name, help=command.summary, description=description))
    return parser


__all__ = ["COMMANDS", "CONFIGS", "Command", "load", "main", "ready_configs"]
