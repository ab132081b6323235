"""`thinc config`: configs checked, completed, compared and described, for people and for editors."""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from ..api import Config
from ..training import ConfigProblem, run_code
from ..training.config_check import parse_config, read_config, settle_blocks, with_defaults
from ..training.config_schema import config_schema
from ..training.errors import Place
from ..util import write_atomically
from ._command import CONFIGS, Command, config_path, read_code, ready_configs

_ABSENT = object()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="check|fill|diff|schema", required=True)
    check = actions.add_parser("check", help="say what is wrong, with file, line and column", allow_abbrev=False)
    check.add_argument("--json", action="store_true", help="an array of problems on standard output, for editors")
    fill = actions.add_parser("fill", help="write all defaults out", allow_abbrev=False)
    diff = actions.add_parser("diff", help="the values in which two configs differ", allow_abbrev=False)
    schema = actions.add_parser("schema", help="a JSON schema of training configs, for editors", allow_abbrev=False)
    for action in (check, fill, diff):
        action.add_argument("config", help="a file, a run's folder or the name of one that comes with thinc")
    diff.add_argument("other", nargs="?", help="another one; default: the most similar that comes with thinc")
    for action in (fill, schema):
        action.add_argument("--output", type=Path, default=None, metavar="FILE", help="default: standard output")
    for action in (check, fill, schema):
        action.add_argument("--code", type=Path, default=None, metavar="FILE", help="Python that registers functions")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    if overrides and args.action not in ("check", "fill"):
        raise ConfigProblem(f"--{next(iter(overrides))}: config {args.action} takes no overrides")
    run_code(read_code(getattr(args, "code", None)))
    if args.action == "check":
        return _check(args, overrides)
    if args.action == "fill":
        filled = settle_blocks(read_config(config_path(args.config)), args.config, overrides)
        _write(filled.to_str() + "\n", args.output)
    elif args.action == "schema":
        _write(json.dumps(config_schema(), indent=1) + "\n", args.output)
    else:
        _diff(args.config, args.other)
    return 0


def _check(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    places: List[Place] = []
    path = config_path(args.config)
    try:
        settle_blocks(read_config(path), args.config, overrides)
    except ConfigProblem as e:
        places = e.places or [Place(args.config, 0, 0, str(e))]
    if args.json:
        print(json.dumps([place._asdict() for place in places], indent=1))
        return 2 if places else 0
    if places:
        lines = [f"{':'.join(map(str, place[:3] if place.line else place[:1]))}: {place.text}" for place in places]
        raise ConfigProblem("\n  ".join([f"{len(lines)} problems:"] * (len(lines) > 1) + lines))
    print(f"{args.config}: nothing is wrong")
    return 0


def _write(text: str, output: "Path | None") -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text.encode("utf-8"))


def _diff(name: str, other: "str | None") -> None:
    mine = _values(name)
    if other is None:
        candidates = [each for each in ready_configs() if config_path(name) != CONFIGS / f"{each}.cfg"]
        other = max(candidates, key=lambda each: _likeness(_values(each), mine))
        print(f"{other} -> {name}")
        before, after = _values(other), mine
    else:
        before, after = mine, _values(other)
    lines = list(_differences(before, after))
    print("\n".join(lines) if lines else "The same values.")


def _values(name: str) -> Dict[str, Any]:
    """{section.key: value} with the defaults, where the config is complete enough to have them."""
    config: Config = parse_config(read_config(config_path(name)), name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = with_defaults(config, validate=False)
    except Exception:  # of a function that is not registered: as it stands
        pass
    return dict(_flat(config))


def _likeness(one: Dict[str, Any], other: Dict[str, Any]) -> Tuple[bool, int]:
    """How alike two configs are: whether they read the same kind of data, then how many values they share."""
    reader = "corpus.@datasets"
    return one.get(reader) == other.get(reader), sum(other.get(key, _ABSENT) == one[key] for key in one)


def _flat(config: Dict[str, Any], above: str = "") -> Iterator[Tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _differences(before: Dict[str, Any], after: Dict[str, Any]) -> Iterator[str]:
    for key in {**before, **after}:
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if old is _ABSENT:
            yield f"+ {key} = {json.dumps(new)}"
        elif new is _ABSENT:
            yield f"- {key} = {json.dumps(old)}"
        elif old != new or type(old) is not type(new):
            yield f"  {key} = {json.dumps(old)} -> {json.dumps(new)}"


COMMAND = Command(
    "config",
    "check, complete, compare and describe configs",
    add_arguments,
    run,
    examples=(
        "thinc config check my.cfg --code mine.py",
        "thinc config fill tagger --training.max_epochs=9 --output my.cfg",
        "thinc config diff my.cfg",
        "thinc config schema --output thinc.schema.json",
    ),
    overrides="any value of the config, for check and fill",
)

__all__ = ["COMMAND", "run"]
