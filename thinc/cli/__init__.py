"""The command line: one module of this package for each command, and the table of them.

`main` turns every error into a line that says what is wrong, where, and a way out; EXIT_CODES says how it ends.
"""

import argparse
import errno
import os
import sys
import traceback
from typing import Dict, List, NoReturn, Optional, Sequence

from ..about import __version__
from ..training import ConfigProblem, DatasetError, TrainingError, load_run, one_line
from . import completion, config, demo, evaluate, export, info, plot, predict, summary, train
from ._command import CONFIGS, Command, ready_configs, split_overrides

COMMANDS: Dict[str, Command] = {
    command.name: command
    for command in (
        train.COMMAND,
        evaluate.COMMAND,
        predict.COMMAND,
        summary.COMMAND,
        plot.COMMAND,
        export.COMMAND,
        config.COMMAND,
        info.COMMAND,
        demo.COMMAND,
        completion.COMMAND,
    )
}

EXIT_CODES = {
    0: "done",
    1: "data, weights or the disk: the run failed",
    2: "the command or the config is wrong; nothing was written",
    70: "a bug of thinc",
    130: "interrupted (Ctrl-C)",
    141: "the reader of the output closed it",
    143: "stopped (SIGTERM)",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = next((word for word in words if word in COMMANDS), "")
    shows_traceback = "--traceback" in words
    try:
        code = _run([word for word in words if word != "--traceback"])
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except Exception as e:
        if shows_traceback:
            traceback.print_exc()
        code, text = _explain(e)
        _complain(f"thinc {name}: {text}" if name else f"thinc: {text}")
        return code


def _run(words: List[str]) -> int:
    words, overrides = split_overrides(words)
    parser = build_parser()
    if not words:
        parser.print_help()
        return 0
    args = parser.parse_args(words)
    command = COMMANDS[args.command]
    if overrides and not command.overrides:
        raise ConfigProblem(f"--{next(iter(overrides))}: this command takes no overrides")
    return int(command.run(args, overrides))


def _explain(error: Exception) -> "tuple[int, str]":
    """The exit code, and a sentence."""
    if isinstance(error, ConfigProblem):
        return 2, str(error)
    if isinstance(error, (DatasetError, TrainingError)):
        return 1, str(error)
    if isinstance(error, UnicodeEncodeError):
        _drop_output()
        shown = error.object[error.start : error.start + 1]
        return 1, (
            f"standard output is {error.encoding} and cannot show {shown!a}. "
            "Set PYTHONIOENCODING=utf-8, or write to a file"
        )
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF):
            _drop_output()
            return 1, f"the output cannot be written: {reason}"
        return 1, f"{error.filename}: {reason}" if error.filename is not None else reason
    if isinstance(error, MemoryError):
        return 1, f"out of memory: {one_line(error)}"
    if isinstance(error, ImportError):
        return 1, one_line(error)
    return 70, f"a bug of thinc: {type(error).__name__}: {one_line(error)} (--traceback shows where)"


def _complain(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):  # nobody reads it
        pass


def _drop_output() -> None:
    """Throw away what standard output still holds: at its end, Python would try to write it again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file
        pass


class _Parser(argparse.ArgumentParser):
    """One whose errors are a sentence like all others."""

    def error(self, message: str) -> NoReturn:
        message = message.replace("unrecognized arguments:", "unknown argument")
        hint = " Overrides have the form --section.key=value." if "unknown argument" in message else ""
        raise ConfigProblem(f"{message}.{hint} See {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands, with their help pages."""
    style = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="thinc",
        description="Train and use models that a config describes.",
        epilog=_epilog(["thinc train tagger --output runs/tagger", "thinc predict runs/tagger some_module.py"]),
        formatter_class=style,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"thinc {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    for command in COMMANDS.values():
        sub = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description or command.summary,
            epilog=_epilog(command.examples, command.overrides),
            formatter_class=style,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.add_argument("--traceback", action="store_true", help="after an error, show where in the code it happened")
    return parser


def _epilog(examples: Sequence[str], overrides: str = "") -> str:
    parts = []
    if overrides:
        parts.append(f"overrides:\n  --section.key=value   {overrides}")
    parts.append("examples:\n" + "\n".join(f"  {example}" for example in examples))
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    return "\n\n".join([*parts, f"exit codes:\n{codes}"])


__all__ = ["COMMANDS", "CONFIGS", "Command", "EXIT_CODES", "build_parser", "load_run", "main", "ready_configs"]
