"""Checks a training config wholly before anything runs, and says where it is wrong: line, section, key, a way out."""

import configparser
import difflib
import inspect
import math
import re
import types
import typing
import warnings
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ..api import Config, ConfigValidationError, Model, Optimizer, registry
from ..loss import Loss
from .code import Code
from .datasets import Corpus
from .errors import ConfigProblem, DatasetError, Place
from .loggers import Logger
from .loop import Settings
from .scores import SCORES
from .textfiles import Source

SECTIONS: Dict[str, Any] = {"corpus": Corpus, "model": Model, "optimizer": Optimizer, "training": Settings}
OPTIONAL_SECTIONS = ("loggers",)
REGISTRIES = {"corpus": "datasets", "model": "layers", "optimizer": "optimizers", "training.loss": "losses"}

# What a number must be, whatever takes it: name -> (from, to).
BOUNDS: Dict[str, Tuple[float, float]] = {
    "dropout": (0, 1),
    "learn_rate": (0, 10),
    "initial_rate": (0, 10),
    **dict.fromkeys(("nO", "nI", "nP", "nV", "nB", "depth", "ngram_size", "length"), (1, math.inf)),
    **dict.fromkeys(("L2", "grad_clip", "eps", "window_size", "limit"), (0, math.inf)),
    **dict.fromkeys(("beta1", "beta2"), (0, 1)),
    "batch_size": (1, math.inf),
    "max_epochs": (1, math.inf),
    "patience": (0, math.inf),
    "seed": (0, 2**32 - 1),
    "split_seed": (0, 2**32 - 1),
}


class Problem(NamedTuple):
    """Something wrong at a key of a section, or with the section."""

    section: str
    key: str
    text: str


@dataclass
class Settled:
    """A config, complete with its defaults, and what it describes.

    config: complete.  corpus, model, optimizer, settings, loggers: what it describes.  code: the file of --code.

    >>> import thinc.training
    >>> ready = Path(thinc.training.__file__).parent / "configs" / "textcat.cfg"
    >>> settled = settle(ready, {"corpus.path": "pets.csv"})
    >>> settled.settings.batch_size, settled.corpus.unit
    (64, 'texts')
    """

    config: Config
    corpus: Corpus
    model: Model
    optimizer: Optimizer
    settings: Settings
    loggers: Dict[str, Logger] = field(default_factory=dict)
    code: Optional[Code] = None


def settle(path: Path, overrides: Dict[str, Any], name: str = "") -> Settled:
    """Read, check and resolve a config. Raises ConfigProblem with every problem found.

    name: what messages call it, by default its path.
    path: of the config.  overrides: values in place of the file's, such as {"training.seed": 1}.

    >>> settle(Path("no.cfg"), {})
    Traceback (most recent call last):
        ...
    thinc.training.errors.ConfigProblem: there is no config no.cfg
    """
    return settle_config(read_config(path), name or str(path), overrides)


def read_config(path: Path) -> str:
    """The text of a config's file."""
    try:
        return Source.read(path).text()
    except DatasetError as e:
        raise ConfigProblem(str(e).replace("There is no file", "there is no config")) from None


def settle_config(text: str, name: str, overrides: Dict[str, Any]) -> Settled:
    r"""The same for the text of a config.

    text: of the config.  name: for messages.  overrides: as there.

    >>> settle_config("[model]\n", "mine.cfg", {})
    Traceback (most recent call last):
        ...
    thinc.training.errors.ConfigProblem: 4 problems:
      mine.cfg: the section [corpus] is missing
      mine.cfg, line 1: [model] names no function: it needs a line such as @layers = "..."
      mine.cfg: the section [optimizer] is missing
      mine.cfg: the section [training] is missing
    """
    config, built = _build(_checked(text, name, overrides, find_problems), text, name, overrides)
    for section, kind in SECTIONS.items():
        if section != "training" and not isinstance(built[section], kind):
            found = type(built[section]).__name__
            raise ConfigProblem(f"{name}: [{section}] must describe a {kind.__name__}, but gives a {found}")
    for key, logger in built.get("loggers", {}).items():
        if not isinstance(logger, Logger):
            raise ConfigProblem(f"{name}: [loggers.{key}] must describe a Logger, but gives a {type(logger).__name__}")
    settings = Settings(**built["training"])
    return Settled(
        config, built["corpus"], built["model"], built["optimizer"], settings, dict(built.get("loggers", {}))
    )


def settle_blocks(text: str, name: str, overrides: Dict[str, Any]) -> Config:
    """A config of any sections, checked and complete with its defaults; that of a run as `settle_config` does it."""
    plain = parse_config(text, name)
    if {"corpus", "training"} & set(plain):
        return settle_config(text, name, overrides).config
    return _build(_checked(text, name, overrides, _problems_of_blocks), text, name, overrides)[0]


def _checked(text: str, name: str, overrides: Dict[str, Any], find: Callable[[Any], Iterator[Problem]]) -> Config:
    plain = parse_config(text, name)
    _check_overrides(plain, overrides)
    config = parse_config(text, name, overrides) if overrides else plain
    places = [_place(problem, text, name, overrides) for problem in find(config)]
    if places:
        raise ConfigProblem(places=places)
    return config


def _build(config: Config, text: str, name: str, overrides: Dict[str, Any]) -> Tuple[Config, Dict[str, Any]]:
    """The config with its defaults, and what it describes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = with_defaults(config)
            return config, registry.resolve(config)
    except (ConfigValidationError, ValueError, TypeError, LookupError, AttributeError, ImportError) as e:
        section = _failing_section(config)
        place = _place(Problem(section, "", f"[{section}] {one_line(e)}"), text, name, overrides)
        raise ConfigProblem(places=[place]) from e


def with_defaults(config: Config, validate: bool = True) -> Config:
    """The config with the defaults of its functions, and those of [training], written out."""
    config = registry.fill(config, validate=validate)
    for setting in fields(Settings):
        if "training" in config and setting.default is not NO_DEFAULT:
            config["training"].setdefault(setting.name, setting.default)
    return config


def describe_model(path: Path, overrides: Dict[str, Any], name: str = "") -> Model:
    """The model of a config, without parameters; its corpus need not be there."""
    config = parse_config(read_config(path), name or str(path), overrides)
    problems = list(_block_problems("model", config.get("model", {}), "layers"))
    if problems:
        raise ConfigProblem(f"{name or path}: {problems[0].text}")
    try:
        model = registry.resolve({"model": config["model"]})["model"]
    except (ValueError, TypeError, LookupError, AttributeError, ImportError) as e:
        raise ConfigProblem(f"{name or path}: [model] {one_line(e)}") from e
    return model


def one_line(error: BaseException) -> str:
    r"""The text of an error on one line.

    error: what was raised.

    >>> one_line(KeyError("no such\nlayer"))
    'no such layer'
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = " ".join(text.split()).replace("Config validation error ", "")
    return text or type(error).__name__


def parse_config(text: str, name: str, overrides: Optional[Dict[str, Any]] = None) -> Config:
    """The config of a text. Raises ConfigProblem, which calls it by its name."""
    source = "the overrides" if overrides else name
    if not text.strip():
        raise ConfigProblem(f"{name} is empty, expected a config with the sections {', '.join(SECTIONS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # e.g. about single quotes, which would stay in the value
            return Config().from_str(text, overrides=overrides or {})
    except configparser.Error as e:
        raise _unreadable(source, one_line(e)) from None
    except KeyError as e:
        raise ConfigProblem(f"{source}: a section lies below one that is missing: {one_line(e)!r}") from None
    except (ValueError, TypeError, LookupError, AttributeError, UnboundLocalError, RecursionError, Warning) as e:
        raise _unreadable(source, one_line(e)) from None


def _unreadable(source: str, text: str) -> ConfigProblem:
    """A parser's message, with the line where ours have it."""
    line = re.search(r"\[?line:? *(\d+)\]?:?", text)
    text = re.sub(r"(While reading from )?'<string>'( \[line +\d+\]:)?|file: '<string>', line: \d+", "", text)
    number = int(line[1]) if line else 0
    return ConfigProblem(places=[Place(source, number, min(number, 1), f"not a config: {' '.join(text.split())}")])


def _check_overrides(config: Config, overrides: Dict[str, Any]) -> None:
    sections = {name: block for name, block in _blocks(config)}
    for dotted in overrides:
        section = dotted.rpartition(".")[0]
        if section not in sections:
            hint = did_you_mean(section, sections)
            raise ConfigProblem(f"--{dotted}: the config has no section [{section}].{hint}")


def _blocks(config: Dict[str, Any], above: str = "") -> Iterator[Tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield f"{above}{key}", value
            yield from _blocks(value, f"{above}{key}.")


def _place(problem: Problem, text: str, name: str, overrides: Dict[str, Any]) -> Place:
    """A problem with where it comes from: an override, or a line of the file."""
    section, key, what = problem
    for dotted in overrides:
        if dotted == f"{section}.{key}" or (not key and dotted.startswith(f"{section}.")):
            return Place(f"--{dotted}", 0, 0, what)
    number = column = 0
    current = ""
    for i, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            current = stripped[1:-1]
        elif not (key and current == section and stripped.partition("=")[0].strip() == key):
            continue
        if current == section:
            number, column = i, 1 + len(line) - len(line.lstrip())
            if not stripped.startswith("["):
                break
    return Place(name, number, column, what)


def _failing_section(config: Dict[str, Any], above: str = "") -> str:
    """The innermost block that cannot be built by itself."""
    for key, block in config.items():
        if isinstance(block, dict):
            name = f"{above}{key}"
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    registry.resolve({"block": block})
            except Exception:
                return _failing_section(block, f"{name}.") or name
    return ""


def find_problems(config: Dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with sections, keys, names and plain values."""
    for name in config:
        if name not in SECTIONS and name not in OPTIONAL_SECTIONS:
            hint = did_you_mean(name, [*SECTIONS, *OPTIONAL_SECTIONS])
            yield Problem(name, "", f"[{name}] is not a section of a training config.{hint}")
    for name in SECTIONS:
        if name not in config:
            yield Problem(name, "", f"the section [{name}] is missing")
        elif not isinstance(config[name], dict):
            yield Problem(name, "", f"[{name}] must be a section")
        elif name == "training":
            yield from _settings_problems(config[name])
        else:
            yield from _block_problems(name, config[name], REGISTRIES[name])
    for name, block in config.get("loggers", {}).items():
        if isinstance(block, dict):
            yield from _block_problems(f"loggers.{name}", block, "loggers")
        else:
            yield Problem("loggers", name, f"[loggers] {name}: expected a block [loggers.{name}] with @loggers")


def _problems_of_blocks(config: Dict[str, Any]) -> Iterator[Problem]:
    for name, block in config.items():
        if isinstance(block, dict):
            yield from _block_problems(name, block)


def _settings_problems(block: Dict[str, Any]) -> Iterator[Problem]:
    known = {f.name: f for f in fields(Settings)}
    scores = sorted({name for names in SCORES.values() for name in names})
    for key, value in block.items():
        kind = known[key].type if key in known else None
        if kind is None:
            hint = did_you_mean(key, known)
            yield Problem("training", key, f"[training] {key} = {_brief(value)}: unknown key.{hint}")
        elif kind is Loss:
            if isinstance(value, dict):
                yield from _block_problems(f"training.{key}", value, "losses")
            else:
                yield Problem("training", key, f"[training] {key}: expected a block [training.{key}] with @losses")
        elif key == "score" and value and value not in scores:
            hint = did_you_mean(str(value), scores)
            yield Problem("training", key, f"[training] score = {value!r}: there is no such score.{hint}")
        else:
            yield from _value_problems("training", key, value, kind)
    for name, setting in known.items():
        if name not in block and setting.default is NO_DEFAULT:
            yield Problem("training", "", f"[training] needs {name}, a block [training.{name}] with @losses")


def catalogues() -> List[str]:
    """The names of the registries."""
    return [name for name in vars(registry) if not name.startswith("_") and hasattr(getattr(registry, name), "get_all")]


def _block_problems(section: str, block: Dict[str, Any], needed: str = "") -> Iterator[Problem]:
    names = [key for key in block if key.startswith("@")]
    if not names:
        if needed:
            text = f'[{section}] names no function: it needs a line such as @{needed} = "..."'
            yield Problem(section, "", text)
    elif len(names) > 1:
        yield Problem(section, names[1], f"[{section}] names {len(names)} functions, {' and '.join(names)}: keep one")
    else:
        yield from _call_problems(section, names[0], block)
    for key, value in block.items():
        if key == "*" and isinstance(value, dict):  # positional arguments: a block each, or plain values
            for place, argument in value.items():
                if isinstance(argument, dict):
                    yield from _block_problems(f"{section}.*.{place}", argument, names[0][1:] if names else "layers")
        elif isinstance(value, dict):
            yield from _block_problems(f"{section}.{key}", value)


def _call_problems(section: str, at_name: str, block: Dict[str, Any]) -> Iterator[Problem]:
    kind, name = at_name[1:], block[at_name]
    if kind not in catalogues():
        hint = did_you_mean(kind, catalogues())
        yield Problem(section, at_name, f"[{section}] {at_name} = {name!r}: there is no registry {kind!r}.{hint}")
        return
    if not isinstance(name, str) or not registry.has(kind, name):
        hint = did_you_mean(str(name), getattr(registry, kind).get_all())
        text = f"[{section}] {at_name} = {name!r}: no such name is registered.{hint}"
        yield Problem(section, at_name, text)
        return
    parameters = inspect.signature(registry.get(kind, name)).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    for key, value in block.items():
        if key.startswith("@") or key == "*":
            continue
        if key in parameters:
            yield from _value_problems(section, key, value, parameters[key].annotation)
        elif inspect.Parameter.VAR_KEYWORD not in kinds:
            hint = did_you_mean(key, parameters)
            yield Problem(section, key, f"[{section}] {key} = {_brief(value)}: {name} has no such argument.{hint}")
    for key, parameter in parameters.items():
        if (
            parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            and key not in block
            and "*" not in block
        ):
            way = f": --{section}.{key}=…" if section == "corpus" else ""
            yield Problem(section, "", f"[{section}] {name} needs the argument {key}{way}")


_PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _value_problems(section: str, key: str, value: Any, annotation: Any) -> Iterator[Problem]:
    """A plain value that is of another type than the argument, or out of bounds."""
    if isinstance(value, dict):
        return
    expected = ""
    options = typing.get_args(annotation) if is_union(annotation) else (annotation,)
    plain = [option for option in options if option in _PLAIN]
    others = [option for option in options if option not in _PLAIN and option is not type(None)]
    if plain and not others:
        fits = any(_is_a(value, option) for option in plain) or (value is None and type(None) in options)
        if not fits:
            expected = " or ".join(_PLAIN[option] for option in plain)
    if not expected and isinstance(value, (int, float)) and not isinstance(value, bool) and str not in options:
        low, high = BOUNDS.get(key, (-math.inf, math.inf))
        if not low <= value <= high or not math.isfinite(value) or (key == "dropout" and value == 1):
            expected = f"a number of at least {low:g}" if math.isinf(high) else f"a number from {low:g} to {high:g}"
            expected = "a finite number" if math.isinf(low) else expected
    if expected:
        yield Problem(section, key, f"[{section}] {key} = {_brief(value)}: expected {expected}")


def is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _is_a(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _brief(value: Any) -> str:
    return "{...}" if isinstance(value, dict) else repr(value)[:60]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion, or what there is.

    name: what was written.  known: what there is.

    >>> did_you_mean("learn_rat", ["learn_rate", "beta1"])
    " Did you mean 'learn_rate'?"
    """
    known = list(known)
    close: List[str] = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sorted(known)[:20])}"


__all__ = [
    "BOUNDS",
    "OPTIONAL_SECTIONS",
    "REGISTRIES",
    "SECTIONS",
    "ConfigProblem",
    "Problem",
    "Settled",
    "catalogues",
    "describe_model",
    "did_you_mean",
    "find_problems",
    "is_union",
    "one_line",
    "parse_config",
    "read_config",
    "settle",
    "settle_blocks",
    "settle_config",
    "with_defaults",
]
