"""Dimensions: N ids, O out (nO), V rows of the table (nV)."""

from typing import Any, Callable, Dict, Optional, Tuple, TypeVar, Union, cast, overload

import numpy

from ..backends import Ops
from ..config import registry
from ..initializers import uniform_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats2d, Ints1d, Ints2d
from ..util import is_xp_array, partial
from ._grads import add_into_grad
from ._views import learn_dim, refusal
from .array_getitem import ints_getitem
from .chain import chain
from .dropout import check_rate

__all__ = ["Embed", "as_ids", "forward", "init"]

InT = TypeVar("InT", bound=Union[Ints1d, Ints2d])
OutT = Floats2d


@overload
def Embed(
    nO: Optional[int] = None,
    nV: Optional[int] = None,
    *,
    column: None = None,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Ints1d, OutT]: ...
@overload
def Embed(
    nO: Optional[int] = None,
    nV: Optional[int] = None,
    *,
    column: int,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Ints2d, OutT]: ...
@registry.layers("Embed.v1")
def Embed(
    nO: Optional[int] = None,
    nV: Optional[int] = None,
    *,
    column: Optional[int] = None,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Any, OutT]:
    """One row of a table per id, Y = E[ids].  ids (N,) -> Y (N, nO); E (nV, nO).

    With `column`, ids are that column of a two-dimensional array.  Without nV the table
    gets as many rows as the ids of the first sample need.  IndexError for an id outside
    the table.  In training with `dropout`, all rows share one mask over the columns.

    nO, nV: width and number of rows.
    initializer: (ops, shape) -> E; by default uniform between -0.1 and 0.1.

    >>> words = numpy.array([3, 1, 3], dtype="i")
    >>> model = Embed(nO=4, nV=10).initialize()
    >>> vectors = model.predict(words)
    >>> vectors.shape, bool((vectors[0] == vectors[2]).all())
    ((3, 4), True)
    """
    attrs: Dict[str, Optional[float]] = {}
    if dropout is not None:
        check_rate(dropout, "Embed")
        attrs["dropout_rate"] = dropout
    model: Model[Any, OutT] = Model(
        "embed",
        forward,
        init=partial(init, initializer or uniform_init),
        attrs=attrs,
        dims={"nO": nO, "nV": nV},
        params={"E": None},
    )
    return of_column(model, column)


def of_column(model: Model, column: Optional[int]) -> Model:
    """The model, behind the choice of a column if there is one."""
    if column is not None:
        model = chain(ints_getitem((slice(0, None), column)), model)
    model.attrs["column"] = column
    return model


@holds(E=("nV", "nO"))
def forward(model: Model[Ints1d, OutT], ids: Ints1d, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    E: Any = model.get_param("E")
    ids = as_ids("Embed", ops, ids)
    Y: Any = ops.embed(E, ids if len(ids) else ids.reshape((-1,)))  # (of no rows one does not know the column)
    mask: Any = None
    rate = model.attrs.get("dropout_rate") if is_train else None
    if rate:
        check_rate(rate, "Embed")
        mask = ops.get_dropout_mask(Y.shape[-1:], rate)
        Y *= mask

    def backprop(dY: OutT) -> Ints1d:
        if len(ids):
            if mask is not None:
                dY = dY * mask
            rows = ids.reshape((-1,))

            def add(dE: Floats2d) -> None:
                ops.scatter_add(dE, rows, dY.reshape((-1, dE.shape[1])).astype(dE.dtype, copy=False))

            add_into_grad(model, "E", add)
        return cast(Ints1d, ops.alloc_i(ids.shape))

    return Y, backprop


def as_ids(name: str, ops: Ops, ids: Any) -> Any:
    """Ids as an array of integers, from a list too.  TypeError for floats and the like, unless there are none."""
    if type(ids) is numpy.ndarray and ids.ndim and ids.dtype.kind in "iu":  # the quick way of nearly all
        return ids
    if not is_xp_array(ids):
        if not isinstance(ids, (list, tuple)):
            raise refusal(f"{name}: expected ids (N,)", ids)
        ids = ops.asarray(ids) if len(ids) else ops.alloc1i(0)
    if not ids.ndim:
        raise ValueError(f"{name}: expected ids (N,), got an array without axes")
    if ids.dtype.kind not in "iu":
        if len(ids):
            raise TypeError(f"{name}: expected integers as ids, got {ids.dtype}. Use astype('int32') or array_getitem")
        ids = ids.astype("int32")
    return ids


def init(
    initializer: Callable, model: Model[Ints1d, OutT], X: Optional[Ints1d] = None, Y: Optional[OutT] = None
) -> None:
    learn_dim(model, "nO", Y)
    if X is not None and len(X) and model.has_dim("nV") is None:
        model.set_dim("nV", int(X.max()) + 1)
    shape = (model.get_dim("nV"), model.get_dim("nO"))
    model.set_param("E", initializer(model.ops, shape))
