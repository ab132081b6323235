from typing import Any, Callable, Dict, Hashable, List, Optional, Sequence, Tuple, Union

from ..config import registry
from ..model import Model
from ..types import DTypes, Ints1d, Ints2d
from ..util import is_xp_array, to_numpy
from ._views import refusal

__all__ = ["forward", "forward_v2", "remap_ids", "remap_ids_v2"]

InT = Union[Sequence[Hashable], Ints1d, Ints2d]
OutT = Ints2d

InT_v1 = Sequence[Any]
OutT_v1 = Ints2d

# The default of `remap_ids`; never handed to a model, so that no two models share it.
_NO_TABLE: Dict[Any, int] = {}


@registry.layers("remap_ids.v1")
def remap_ids(
    mapping_table: Dict[Any, int] = _NO_TABLE, default: int = 0, dtype: DTypes = "i"
) -> Model[InT_v1, OutT_v1]:
    """Look every input up in a table.  N hashable objects -> Y (N, 1).

    What the table does not hold becomes `default`.

    mapping_table: object -> id.  dtype: of Y.

    >>> remap_ids({"cat": 1, "dog": 2}).predict(["dog", "cat", "cow"]).ravel()
    array([2, 1, 0], dtype=int32)
    """
    table = {} if mapping_table is _NO_TABLE else mapping_table
    return Model("remap_ids", forward, attrs={"mapping_table": table, "dtype": dtype, "default": default})


def forward(model: Model[InT_v1, OutT_v1], inputs: InT_v1, is_train: bool) -> Tuple[OutT_v1, Callable]:
    attrs = model.attrs
    table = attrs["mapping_table"]
    default = attrs["default"]
    try:
        values = [table.get(key, default) for key in inputs]
    except TypeError:
        raise refusal("remap_ids: expected a sequence of hashable keys", inputs) from None
    Y = model.ops.asarray(values, dtype=attrs["dtype"]).reshape((-1, 1))

    def backprop(dY: OutT_v1) -> List:
        return []

    return Y, backprop


@registry.layers("remap_ids.v2")
def remap_ids_v2(
    mapping_table: Optional[Union[Dict[int, int], Dict[str, int]]] = None,
    default: int = 0,
    *,
    column: Optional[int] = None,
) -> Model[InT, OutT]:
    """Look every id up in a table.  N hashable objects or ids (N,) -> Y (N, 1) int32.

    What the table does not hold becomes `default`.  With `column`, ids are that column
    of a two-dimensional array.  The table may be set later, as
    `model.attrs["mapping_table"]`; ValueError in the forward pass if it was not.

    mapping_table: object or id -> id.

    >>> remap_ids_v2({"cat": 1, "dog": 2}, default=9).predict(["dog", "cat", "cow"]).ravel()
    array([2, 1, 9], dtype=int32)
    """
    return Model("remap_ids", forward_v2, attrs={"mapping_table": mapping_table, "default": default, "column": column})


def forward_v2(model: Model[InT, OutT], inputs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    attrs = model.attrs
    table = attrs["mapping_table"]
    if table is None:
        raise ValueError("'mapping table' not set")
    default = attrs["default"]
    keys = column_of(inputs, attrs["column"], "remap_ids")
    try:
        values = [[table.get(key, default)] for key in keys]
    except TypeError:
        raise refusal("remap_ids: expected a sequence of hashable keys", inputs) from None
    Y = model.ops.asarray2i(values)
    return Y.reshape((-1, 1)), backprop_ids(model, inputs)


def column_of(inputs: Any, column: Optional[int], name: str) -> Sequence[Any]:
    """The ids as plain Python objects, which hash faster than the items of an array."""
    if not is_xp_array(inputs):
        if column is None:
            return inputs
        raise refusal(f"{name}: column={column} needs a two-dimensional array", inputs)
    ids = to_numpy(inputs)
    if column is not None and ids.ndim == 2 and len(ids):
        ids = ids[:, column]
    if not ids.size:
        return []
    if ids.ndim != 1:
        raise TypeError(
            f"{name}: expected a one-dimensional array of ids, got shape {ids.shape}. "
            f"Say which column holds them: {name}(..., column=...)"
        )
    return ids.tolist()


def backprop_ids(model: Model, inputs: Any) -> Callable:
    """Ids have no gradient: int zeros of an array's shape, [] for anything else."""

    def backprop(dY: Any) -> Any:
        return model.ops.alloc_i(inputs.shape) if is_xp_array(inputs) else []

    return backprop
