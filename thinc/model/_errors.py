"""Says where in a model an error happened, and what was missing there.

Nothing here runs while all goes well: `Model` calls it from its `except` clauses.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from ..types import Padded, Ragged
from ..util._batches import batch_as_arrays

if TYPE_CHECKING:
    from . import Model

_HEAD = "Layer: "
_LONG = 32  # characters of a name
_SHOWN = 6  # parts of a long path, at either end
# Before 3.11 the interpreter does not print the notes of an exception.
_SHOWS_NOTES = sys.version_info >= (3, 11)


class MissingError(KeyError):
    """A KeyError whose text is a sentence, shown as such and not in quotes."""

    def __str__(self) -> str:
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


def note_layer(error: Exception, model: "Model", X: Any) -> None:
    """Note on `error` that it passed through `model`, which was given `X`.

    The innermost layer describes itself and its input; each layer around it then puts
    its name and the place of the inner one in front: "Layer: chain.1.linear (nO=3,
    nI=5; input ...)". Type and text of the error stay as they are.
    """
    try:
        path = getattr(error, "_thinc_path", None)
        if path is None:
            _set_note(error, [model], f"input {describe(X)}")
        else:
            path.insert(0, model)
            _set_note(error, path, error._thinc_given)  # type: ignore[attr-defined]  # set with the path
    except Exception:
        # Whatever is odd about this error or this input, the error itself counts.
        return


def refused_batch(error: Exception, model: "Model", X: Any) -> Optional[Any]:
    """The batch as arrays, if the model refused it since it is of torch, pandas, Arrow or datasets; else None.

    Asked after the refusal, so that arrays pay nothing for it, and layers that take such batches get them.
    """
    if not isinstance(error, (TypeError, ValueError, AttributeError)) or hasattr(error, "_thinc_path"):
        return None
    if isinstance(X, dict) and isinstance(error, ValueError):
        return None  # a layer that takes dicts has said what is wrong with this one
    try:
        return batch_as_arrays(X, model.ops)
    except TypeError as refusal:
        note_layer(refusal, model, X)
        raise refusal from None


def _set_note(error: Exception, path: List["Model"], given: str) -> None:
    """Write the note for a path from the outermost layer to the innermost."""
    dims = describe_dims(path[-1])
    if isinstance(error, RecursionError):
        given += (
            f"; {len(path)} layers, one in another, are too many for Python's stack: put them into one chain, "
            "or raise the limit by sys.setrecursionlimit"
        )
    note = f"{_HEAD}{describe_path(path)} ({f'{dims}; {given}' if dims else given})"
    notes = [each for each in getattr(error, "__notes__", []) if not each.startswith(_HEAD)]
    error.__notes__ = [*notes, note]  # type: ignore[attr-defined]  # new in 3.11
    error._thinc_path, error._thinc_given = path, given.partition("; ")[0]  # type: ignore[attr-defined]  # (any exception takes them)
    if not _SHOWS_NOTES:
        _append_to_text(error, note)


def _append_to_text(error: Exception, note: str) -> None:
    if len(error.args) == 1 and isinstance(error.args[0], str):
        text = error.args[0].partition(f"\n{_HEAD}")[0]
        error.args = (f"{text}\n{note}",)


def describe_path(path: Sequence["Model"]) -> str:
    """E.g. "tagger.1.chain.0.linear": short names, and between them the places among the layers."""
    parts = [short_name(path[0])]
    for outer, inner in zip(path, path[1:]):
        places = [str(i) for i, layer in enumerate(outer._layers) if layer is inner]
        parts.append(".".join([*places[:1], short_name(inner)]))
    if len(parts) > 2 * _SHOWN:
        parts[_SHOWN:-_SHOWN] = ["..."]
    return ".".join(parts)


def short_name(model: "Model") -> str:
    """The name; of a layer that is named after its parts, the name of the function that made it."""
    if len(model.name) <= _LONG and not any(part in model.name for part in (">>", "|", "(")):
        return model.name
    module = getattr(getattr(model._func, "func", model._func), "__module__", None) or ""
    kind = module.rpartition(".")[2]
    return kind if module.startswith("thinc.layers.") else model.name[: _LONG - 3] + "..."


# -- What a forward function answers, and the way back


def check_answer(answer: Any, model: "Model") -> Tuple[Any, Callable]:
    """The pair (Y, backprop) that a forward function answered with; ValueError for anything else."""
    if isinstance(answer, (tuple, list)) and len(answer) == 2:
        return answer  # type: ignore[return-value]  # a pair, as it is
    got = (
        f"a {type(answer).__name__} of {len(answer)}"
        if isinstance(answer, (tuple, list))
        else f"one {describe(answer)}"
    )
    raise ValueError(
        f"The forward function of layer '{short_name(model)}' answered {got}, not the pair (Y, backprop). "
        "Let it return the output and the function that computes the gradient of its input"
    )


def note_backward(error: Exception, root: "Model", dY: Any, shape: Optional[Tuple[int, ...]], dtype: Any) -> None:
    """Note the innermost layer that the traceback of a failed callback shows.

    root: the tree whose callback was given dY, for an output of this shape and dtype. ValueError instead of `error` if
    that layer was given None.
    """
    try:
        if getattr(error, "_thinc_path", None) is not None:  # a forward pass inside: it said where
            return
        model, given = _failed(error, root, dY)
        path = find_path(root, model)
        said = f"backward: dY {describe(given)}"
        if shape is not None and (getattr(dY, "shape", shape) != shape or getattr(dY, "dtype", dtype) != dtype):
            said += f", but Y was {dtype} array of shape {tuple(shape)}"
        _set_note(error, path, f"{said}; gradients added so far stay until Model.clear_gradients()")
        none = given is None and isinstance(error, (AttributeError, TypeError, ValueError))
        where = describe_path(path)
    except Exception:
        return
    if none:
        raise ValueError(
            f"The gradient of layer '{where}' is None: the backprop of the layer behind it, or the caller, gave none. "
            "A backprop must return the gradient of its input"
        ) from error


def _failed(error: Exception, root: "Model", dY: Any) -> Tuple["Model", Any]:
    """The layer whose callback was running when the error was raised, and what that was given."""
    from . import Model

    model, given = root, dY
    trace = error.__traceback__
    while trace is not None:
        code, values = trace.tb_frame.f_code, trace.tb_frame.f_locals
        if "model" in code.co_freevars and code.co_argcount == 1 and isinstance(values.get("model"), Model):
            model, given = values["model"], values.get(code.co_varnames[0])
        trace = trace.tb_next
    return model, given


def find_path(root: "Model", inner: "Model") -> List["Model"]:
    """The shortest way from a tree to one of its layers."""
    ways: Dict[int, List[Model]] = {id(root): [root]}
    for node in root.walk():
        if node is inner:
            return ways[id(node)]
        for layer in node._layers:
            ways.setdefault(id(layer), [*ways[id(node)], layer])
    return [root, inner]


def warn_of_no_gradient(model: "Model") -> None:
    """Warn, and not raise: a first batch of nothing but empty texts, as spaCy may draw it, gives no gradients."""
    if any(node.has_param(name) for node in model.walk() for name in node.param_names):
        warnings.warn(
            f"finish_update of '{short_name(model)}' changes nothing: none of its parameters has a gradient. Call "
            "the callback that begin_update returns with the gradient of the output first",
            stacklevel=3,
        )


def describe_dims(model: "Model") -> str:
    """E.g. "nO=3, nI unset"."""
    parts = []
    for name in model.dim_names:
        value = model.maybe_get_dim(name)
        parts.append(f"{name} unset" if value is None else f"{name}={value}")
    return ", ".join(parts)


def describe(X: Any, levels: int = 3) -> str:
    """The kind of a batch in a few words, e.g. "float32 array of shape (7, 5)"."""
    if isinstance(X, Ragged):
        return f"Ragged of {len(X)} sequences, data: {describe(X.data)}"
    if isinstance(X, Padded):
        return f"Padded of {len(X)} sequences, data: {describe(X.data)}"
    if isinstance(X, (list, tuple)):
        kind = f"{type(X).__name__} of {len(X)}"
        return f"{kind}, first: {describe(X[0], levels - 1)}" if X and levels else kind
    shape, dtype = getattr(X, "shape", None), getattr(X, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{dtype} array of shape {tuple(shape)}"
    return f"object of type {type(X).__name__}"
