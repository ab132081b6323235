"""Configs as a JSON schema: what editors and other programs complete and check by."""

import inspect
import json
import typing
from dataclasses import MISSING, fields
from typing import Any, Callable, Dict, List

from ..api import Model, Optimizer, Schedule, registry
from ..loss import Loss
from ..types import Generator
from .config_check import BOUNDS, OPTIONAL_SECTIONS, REGISTRIES, SECTIONS, catalogues, is_union
from .loop import Settings
from .scores import SCORES

Schema = Dict[str, Any]

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", type(None): "null", list: "array"}
_BLOCKS = {Model: "layers", Optimizer: "optimizers", Loss: "losses", Schedule: "schedules", Generator: "schedules"}
_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[^}]+\}"}  # stands for any value


def config_schema() -> Schema:
    """The schema of training configs, with all functions that are registered by now.

    It describes what `Config().from_str` returns: sections as objects, the places below `*` as an object, too.
    """
    properties = {name: _ref(kind) for name, kind in REGISTRIES.items() if name in SECTIONS}
    properties["training"] = _settings()
    properties["loggers"] = {"type": "object", "additionalProperties": _ref("loggers")}
    assert set(properties) == {*SECTIONS, *OPTIONAL_SECTIONS}
    definitions: Schema = {}
    for kind in catalogues():
        functions = dict(sorted(getattr(registry, kind).get_all().items()))
        definitions[kind] = _one_of(kind, list(functions))
        definitions.update({f"{kind}.{name}": _call(kind, name, function) for name, function in functions.items()})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A training config of thinc",
        "type": "object",
        "properties": properties,
        "required": list(SECTIONS),
        "additionalProperties": False,
        "$defs": definitions,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_of(kind: str, names: List[str]) -> Schema:
    """A block that names one function of a registry: which other keys it may have depends on the name."""
    key = f"@{kind}"
    cases = [{"if": {"properties": {key: {"const": name}}}, "then": _ref(f"{kind}.{name}")} for name in names]
    return {"type": "object", "properties": {key: {"enum": names}}, "required": [key], "allOf": cases}


def _call(kind: str, name: str, function: Callable[..., Any]) -> Schema:
    """The keys of a block that names this function: its arguments."""
    properties: Schema = {f"@{kind}": {"const": name}}
    required: List[str] = []
    is_open = has_places = False
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            has_places = True
            value = _value(key, parameter.annotation)
            properties["*"] = {"anyOf": [{"type": "object", "additionalProperties": value}, _array_of(value)]}
        else:
            properties[key] = _value(key, parameter.annotation)
            if parameter.default is parameter.empty:
                required.append(key)
            else:
                _add_default(properties[key], parameter.default)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": is_open}
    if required and not has_places:  # (places may give them)
        schema["required"] = required
    description = (inspect.getdoc(function) or "").split("\n\n")[0]
    if description:
        schema["description"] = " ".join(description.split())
    return schema


def _settings() -> Schema:
    properties = {}
    for setting in fields(Settings):
        properties[setting.name] = _value(setting.name, setting.type)
        if setting.default is not MISSING:
            _add_default(properties[setting.name], setting.default)
    scores = sorted({name for names in SCORES.values() for name in names})
    properties["score"] = {**properties["score"], "examples": scores}
    required = [setting.name for setting in fields(Settings) if setting.default is MISSING]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(key: str, annotation: Any) -> Schema:
    """A value of an annotated argument; of anything that JSON has no name for, any value."""
    options = typing.get_args(annotation) if is_union(annotation) else (annotation,)
    schemas = [_option(key, option) for option in options]
    return {} if {} in schemas else {"anyOf": [*schemas, _VARIABLE]}


def _option(key: str, option: Any) -> Schema:
    origin = typing.get_origin(option)
    if origin is typing.Literal:
        return {"enum": list(typing.get_args(option))}
    if origin in (list, List):
        return _array_of(_value(key, *typing.get_args(option)[:1] or (Any,)))
    block = _BLOCKS.get(origin or option)
    if block is not None:
        return _ref(block)
    if option not in _TYPES:
        return {}
    schema: Schema = {"type": _TYPES[option]}
    if option in (int, float) and key in BOUNDS:
        low, high = BOUNDS[key]
        schema["minimum"] = low
        if high != float("inf"):
            schema["exclusiveMaximum" if key == "dropout" else "maximum"] = high
    return schema


def _array_of(value: Schema) -> Schema:
    return {"type": "array", "items": value}


def _add_default(schema: Schema, default: Any) -> None:
    try:
        schema["default"] = json.loads(json.dumps(default, allow_nan=False))
    except (TypeError, ValueError):  # a function, say
        pass


__all__ = ["config_schema"]
