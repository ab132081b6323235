"""Checks what is passed to a forward function against its annotations, on request.

Off by default. `with data_validation(True): model.initialize(X, Y)` turns it on for
one block of one thread or task.
"""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ContextManager, Dict, List, Union

from confection.validation import validate_type

from .._blocks import Blocks

DATA_VALIDATION: ContextVar[bool] = ContextVar("DATA_VALIDATION", default=False)

# A batch may hold thousands of items, all of one kind: the first few show it.
_MAX_ITEMS = 5


_blocks = Blocks(DATA_VALIDATION)


def data_validation(validation: bool) -> ContextManager[None]:
    """Turn the checks on or off inside a block; the old setting always comes back.

    validation: whether to check.

    >>> with data_validation(False):
    ...     model = Linear(2).initialize(numpy.ones((5, 3), dtype="f"))
    """
    return _blocks.set(validation)


def validates() -> bool:
    """Whether the checks are on."""
    return _blocks.get()


class DataValidationError(ValueError):
    """The data given to `Model.initialize` does not fit the forward function.

    name: the layer.  X, Y: the data.  errors: dicts of loc and msg.

    >>> with data_validation(True):
    ...     reduce_sum().initialize(numpy.ones((5, 3), dtype="f"))
    Traceback (most recent call last):
        ...
    thinc.util._validation.DataValidationError: ...
    """

    def __init__(
        self, name: str, X: Any, Y: Any, errors: Union[Sequence[Mapping[str, Any]], List[Dict[str, Any]]] = []
    ) -> None:
        from wasabi import table

        rows = []
        for error in errors:
            location = " -> ".join(str(part) for part in error.get("loc", ()))
            rows.append((location, error.get("msg")))
        lines = [f"\n\nData validation error in '{name}'", f"X: {type(X)} Y: {type(Y)}", table(rows) if rows else ""]
        super().__init__("\n".join(lines))


def validate_fwd_input_output(name: str, func: Callable[[Any, Any, bool], Any], X: Any, Y: Any) -> None:
    """Check X and Y against the annotations of the forward function `func`.

    `func` must take three arguments: model, X, is_train. X is checked against the
    annotation of the second, Y against the first part of the returned pair. None and
    missing annotations are not checked. Raises DataValidationError with all faults.
    """
    params = [
        param
        for param in inspect.signature(func).parameters.values()
        if param.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    if len(params) != 3:
        names = ", ".join(param.name for param in params)
        bad = f"Invalid forward function. Expected 3 arguments (model, X, is_train), got {len(params)} ({names})"
        raise DataValidationError(name, X, Y, [{"msg": bad}])
    errors = []
    annotation = params[1].annotation
    if X is not None and annotation is not inspect.Parameter.empty:
        message = validate_type(_shorten(X), _resolve(annotation, func))
        if message:
            errors.append({"loc": ("X",), "msg": message})
    annotation = inspect.signature(func).return_annotation
    if Y is not None and annotation is not inspect.Signature.empty:
        pair = (_shorten(Y), _backprop_stands_here)
        message = validate_type(pair, _resolve(annotation, func))
        if message:
            errors.append({"loc": ("Y",), "msg": message})
    if errors:
        raise DataValidationError(name, X, Y, errors)


def _shorten(data: Any) -> Any:
    if isinstance(data, list) and len(data) > _MAX_ITEMS:
        return data[:_MAX_ITEMS]
    return data


def _resolve(annotation: Any, func: Callable) -> Any:
    """The annotation with its names looked up; Any where one cannot be found."""
    namespace = getattr(inspect.unwrap(func), "__globals__", {})
    holder = type("Holder", (), {"__annotations__": {"it": annotation}})
    try:
        return typing.get_type_hints(holder, globalns=namespace)["it"]
    except (NameError, TypeError, SyntaxError):
        return Any


def _backprop_stands_here(dY: Any) -> Any:
    """Takes the place of the callback in the pair that a forward returns."""
    return dY
