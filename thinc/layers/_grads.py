"""Gradients of large tables, added where they belong."""

from typing import Any, Callable

from ..model import Model


def add_into_grad(model: Model, name: str, add: Callable[[Any], None]) -> None:
    """Let `add(dP)` add to the stored gradient in place; zeros if there is none.

    `inc_grad` would want an array of the parameter's size first: for an embedding
    table, millions of zeros around the few rows a batch touches.
    """
    param = model.get_param(name)
    stored = model.get_grad(name) if model.has_grad(name) else None
    if getattr(stored, "shape", None) == param.shape:
        add(stored)
        return
    dP = model.ops.alloc(param.shape, dtype=param.dtype)
    add(dP)
    if stored is not None:
        dP += stored  # somebody stored a scalar, usually 0.0
        model.set_grad(name, dP)
    elif model._params.proxy is None:
        model.set_grad(name, dP)
    else:
        model.inc_grad(name, dP)  # the gradients live elsewhere: send it there
