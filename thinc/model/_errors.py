"""Says where in a model an error happened, and what was missing there.

Nothing here runs while all goes well: `Model` calls it from its `except` clauses.
"""

import sys
from typing import TYPE_CHECKING, Any, List

from ..types import Padded, Ragged

if TYPE_CHECKING:
    from . import Model

_HEAD = "Layer: "
# Before 3.11 the interpreter does not print the notes of an exception.
_SHOWS_NOTES = sys.version_info >= (3, 11)


class MissingError(KeyError):
    """A KeyError whose text is a sentence, shown as such and not in quotes."""

    def __str__(self) -> str:
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


def note_layer(error: Exception, model: "Model", X: Any) -> None:
    """Note on `error` that it passed through `model`, which was given `X`.

    The innermost layer describes itself and its input; each layer around it then puts
    its name in front: "Layer: chain > residual > linear (nO=3, nI=5; input ...)". Type
    and text of the error stay as they are.
    """
    try:
        notes: List[str] = getattr(error, "__notes__", [])
        for i, note in enumerate(notes):
            if note.startswith(_HEAD):
                notes[i] = f"{_HEAD}{model.name} > {note[len(_HEAD) :]}"
                break
        else:
            i = len(notes)
            dims = describe_dims(model)
            given = f"input {describe(X)}"
            inside = f"{dims}; {given}" if dims else given
            notes = [*notes, f"{_HEAD}{model.name} ({inside})"]
            error.__notes__ = notes  # type: ignore[attr-defined]  # new in 3.11
        if not _SHOWS_NOTES:
            _append_to_text(error, notes[i])
    except Exception:
        # Whatever is odd about this error or this input, the error itself counts.
        return


def _append_to_text(error: Exception, note: str) -> None:
    if len(error.args) == 1 and isinstance(error.args[0], str):
        text = error.args[0].partition(f"\n{_HEAD}")[0]
        error.args = (f"{text}\n{note}",)


def describe_dims(model: "Model") -> str:
    """E.g. "nO=3, nI unset"."""
    parts = []
    for name in model.dim_names:
        value = model.maybe_get_dim(name)
        parts.append(f"{name} unset" if value is None else f"{name}={value}")
    return ", ".join(parts)


def describe(X: Any) -> str:
    """The kind of a batch in a few words, e.g. "float32 array of shape (7, 5)"."""
    if isinstance(X, Ragged):
        return f"Ragged of {len(X)} sequences, data: {describe(X.data)}"
    if isinstance(X, Padded):
        return f"Padded of {len(X)} sequences, data: {describe(X.data)}"
    if isinstance(X, (list, tuple)):
        kind = f"{type(X).__name__} of {len(X)}"
        return f"{kind}, first: {describe(X[0])}" if X else kind
    shape, dtype = getattr(X, "shape", None), getattr(X, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{dtype} array of shape {tuple(shape)}"
    return f"of type {type(X).__name__}"
