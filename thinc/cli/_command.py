"""What a command of the command line is, and what they share: overrides, names of configs, --code."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ..training import Code, ConfigProblem, Settled, did_you_mean, run_code, settle

CONFIGS = Path(__file__).parent.parent / "training" / "configs"


@dataclass
class Command:
    """One command: each module of this package has one, and `thinc.cli.COMMANDS` lists them."""

    name: str
    summary: str  # for the list of commands
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Dict[str, Any]], int]  # arguments, overrides -> exit code
    description: str = ""  # for its own help page; the summary if empty
    examples: Sequence[str] = ()
    overrides: str = ""  # which --section.key=value it takes; none if empty


def ready_configs() -> List[str]:
    """The names of the configs in the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.cfg"))


def config_path(name: str) -> Path:
    """A config of the package, a file, or the config of a run's folder. ConfigProblem if there is no such.

    A name of the package goes first: a folder of data may well hold a file "labels". Write ./labels for the file.
    """
    path, ready = Path(name), ready_configs()
    if name in ready:
        return CONFIGS / f"{name}.cfg"
    if path.is_dir() and (path / "config.cfg").is_file():
        return path / "config.cfg"
    if path.exists() and not path.is_dir():
        return path
    hint = did_you_mean(name, ready).replace("Known:", "Those that come with thinc:")
    raise ConfigProblem(f"there is no config {name}, neither a file nor one that comes with thinc.{hint}")


def settle_named(name: str, overrides: Dict[str, Any], code: Optional[Code]) -> Settled:
    """Run the code, then settle the config of that name."""
    run_code(code)
    settled = settle(config_path(name), overrides, name)
    settled.code = code
    return settled


def split_overrides(words: Sequence[str]) -> Tuple[List[str], Dict[str, Any]]:
    """The other words, and {"section.key": value} of --section.key=value or --section.key value.

    Values are JSON where they can be, else text.
    """
    others: List[str] = []
    overrides: Dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith("--") or "." not in name:
            others.append(word)
            continue
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise ConfigProblem(f"{word} has no value. Overrides have the form --section.key=value")
            value = queue.pop(0)
        if name in overrides:
            raise ConfigProblem(f"--{name} is given twice: keep one")
        overrides[name] = _value(value)
    return others, overrides


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda word: word)
    except (ValueError, RecursionError):
        return text


def read_code(path: Optional[Path]) -> Optional[Code]:
    """The file of --code."""
    return None if path is None else Code.read(path)


__all__ = ["CONFIGS", "Command", "config_path", "read_code", "ready_configs", "settle_named", "split_overrides"]
