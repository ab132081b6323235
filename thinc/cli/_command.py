"""What a command of the command line is, and how overrides are read."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List

from ..training import ConfigProblem

CONFIGS = Path(__file__).parent.parent / "training" / "configs"


@dataclass
class Command:
    """One command: each module of this package has one, and `thinc.cli.COMMANDS` lists them."""

    name: str
    summary: str  # for the list of commands
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Dict[str, Any]], int]  # arguments, overrides -> exit code
    description: str = ""  # for its own help page; the summary if empty


def ready_configs() -> List[str]:
    """The names of the configs in the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.cfg"))


def config_path(name: str) -> Path:
    path = Path(name)
    ready = CONFIGS / f"{name}.cfg"
    if not path.is_file() and ready.is_file():
        return ready
    return path


def read_overrides(words: List[str]) -> Dict[str, Any]:
    """--section.key=value or --section.key value -> {"section.key": value}; values are JSON where they can be."""
    overrides: Dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word[2:].partition("=")
        if not word.startswith("--") or "." not in name:
            raise ConfigProblem(f"unknown argument {word}. Overrides have the form --section.key=value")
        if not equals:
            if not queue:
                raise ConfigProblem(f"{word} has no value. Overrides have the form --section.key=value")
            value = queue.pop(0)
        try:
            overrides[name] = json.loads(value)
        except ValueError:
            overrides[name] = value
    return overrides


__all__ = ["CONFIGS", "Command", "config_path", "read_overrides", "ready_configs"]
