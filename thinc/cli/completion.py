"""`thinc completion`: what a shell needs to complete commands and options."""

import argparse
from typing import Any, Dict

from ..training import ConfigProblem
from ._command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="the shell to complete for")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    try:
        import shtab
    except ImportError:
        raise ConfigProblem('completion needs shtab: pip install "thinc[completion]"') from None
    from . import build_parser

    print(shtab.complete(build_parser(), shell=args.shell))
    return 0


COMMAND = Command(
    "completion",
    "print the script for a shell's completion",
    _add_arguments,
    run,
    examples=['eval "$(thinc completion bash)"'],
)

__all__ = ["COMMAND", "run"]
