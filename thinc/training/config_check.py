"""Checks a training config wholly before anything runs, and says where it is wrong: section, key, value, way out."""

import difflib
import inspect
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

from ..api import Config, ConfigValidationError, Model, Optimizer, registry
from ..loss import Loss
from .datasets import Corpus
from .loop import Settings

SECTIONS: Dict[str, Any] = {"corpus": Corpus, "model": Model, "optimizer": Optimizer, "training": Settings}


class ConfigProblem(ValueError):
    """A config, or a command, that cannot be carried out as it stands."""


@dataclass
class Settled:
    """A config, complete with its defaults, and what it describes."""

    config: Config
    corpus: Corpus
    model: Model
    optimizer: Optimizer
    settings: Settings


def settle(path: Path, overrides: Dict[str, Any]) -> Settled:
    """Read, check and resolve a config. Raises ConfigProblem with every problem found."""
    if not path.is_file():
        raise ConfigProblem(f"there is no config {path}")
    try:
        config = Config().from_disk(path, overrides=overrides)
        problems = list(find_problems(config))
        if problems:
            raise ConfigProblem(f"{path}:\n" + "\n".join(f"  {problem}" for problem in problems))
        config = registry.fill(config)
        built = registry.resolve(config)
    except ConfigProblem:
        raise
    except ConfigValidationError as e:
        raise ConfigProblem(f"{path}: {e}") from e
    except UnicodeDecodeError as e:
        raise ConfigProblem(f"{path} is not a text: {e}") from e
    except (ValueError, TypeError, LookupError) as e:  # from a function that a block names
        raise ConfigProblem(f"{path}: [{_failing_section(config)}] {e}") from e
    for name, kind in SECTIONS.items():
        if name != "training" and not isinstance(built[name], kind):
            raise ConfigProblem(
                f"{path}: [{name}] must describe a {kind.__name__}, but gives a {type(built[name]).__name__}"
            )
    settings = Settings(**built["training"])
    return Settled(config, built["corpus"], built["model"], built["optimizer"], settings)


def _failing_section(config: Dict[str, Any], above: str = "") -> str:
    """The innermost block that cannot be built by itself."""
    for key, block in config.items():
        if isinstance(block, dict):
            name = f"{above}{key}"
            try:
                registry.resolve({"block": block})
            except Exception:
                return _failing_section(block, f"{name}.") or name
    return ""


def find_problems(config: Dict[str, Any]) -> Iterator[str]:
    """A line for each thing that is wrong with sections, keys and names; types are the registry's to check."""
    for name in config:
        if name not in SECTIONS:
            yield f"[{name}] is not a section of a training config.{_did_you_mean(name, SECTIONS)}"
    for name in SECTIONS:
        if name not in config:
            yield f"the section [{name}] is missing"
        elif not isinstance(config[name], dict):
            yield f"[{name}] must be a section"
        elif name == "training":
            yield from _settings_problems(config[name])
        else:
            yield from _block_problems(name, config[name], required=True)


def _settings_problems(block: Dict[str, Any]) -> Iterator[str]:
    known = {f.name: f for f in fields(Settings)}
    for key, value in block.items():
        kind = known[key].type if key in known else None
        if kind is None:
            yield f"[training] {key} = {value!r}: unknown key.{_did_you_mean(key, known)}"
        elif kind is int and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            yield f"[training] {key} = {value!r}: expected a number of at least 0"
        elif key in ("batch_size", "max_epochs") and value == 0:
            yield f"[training] {key} = {value!r}: expected a number of at least 1"
        elif kind is Loss:
            if isinstance(value, dict):
                yield from _block_problems(f"training.{key}", value, required=True)
            else:
                yield f"[training] {key} = {value!r}: expected a block [training.{key}] with @losses"
    for name, setting in known.items():
        if name not in block and setting.default is NO_DEFAULT:
            yield f"[training] needs {name}, a block [training.{name}] with @losses"


def _block_problems(section: str, block: Dict[str, Any], required: bool = False) -> Iterator[str]:
    names = [key for key in block if key.startswith("@")]
    if not names:
        if required:
            yield f'[{section}] names no function: it needs a line such as @{_REGISTRY[section]} = "..."'
    elif len(names) > 1:
        yield f"[{section}] names {len(names)} functions, {' and '.join(names)}: keep one"
    else:
        yield from _call_problems(section, names[0], block)
    for key, value in block.items():
        if isinstance(value, dict):
            yield from _block_problems(f"{section}.{key}", value)


_REGISTRY = {"corpus": "datasets", "model": "layers", "optimizer": "optimizers", "training.loss": "losses"}


def _call_problems(section: str, at_name: str, block: Dict[str, Any]) -> Iterator[str]:
    kind, name = at_name[1:], block[at_name]
    catalogues = [n for n in vars(registry) if not n.startswith("_") and hasattr(getattr(registry, n), "get_all")]
    if kind not in catalogues:
        yield f"[{section}] {at_name} = {name!r}: there is no registry {kind!r}.{_did_you_mean(kind, catalogues)}"
        return
    if not registry.has(kind, name):
        known = getattr(registry, kind).get_all()
        yield f"[{section}] {at_name} = {name!r}: no such name is registered.{_did_you_mean(str(name), known)}"
        return
    parameters = inspect.signature(registry.get(kind, name)).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    for key, value in block.items():
        if key.startswith("@") or key == "*":
            continue
        if key not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
            yield f"[{section}] {key} = {_brief(value)}: {name} has no such argument.{_did_you_mean(key, parameters)}"
    for key, parameter in parameters.items():
        positional = "*" in block
        if (
            parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            and key not in block
            and not positional
        ):
            yield f"[{section}] {name} needs the argument {key}"


def _brief(value: Any) -> str:
    return "{...}" if isinstance(value, dict) else repr(value)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close: List[str] = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sorted(known)[:20])}"


__all__ = ["ConfigProblem", "Settled", "find_problems", "settle"]
