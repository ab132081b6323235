from typing import Any, Callable, Mapping, Optional, Sequence, Tuple, Union

from preshed.maps import PreshMap

from ..config import registry
from ..model import Model
from ..types import Ints1d, Ints2d
from ._views import refusal
from .remap_ids import backprop_ids, column_of

__all__ = ["forward", "premap_ids"]

InT = Union[Sequence[int], Ints1d, Ints2d]
OutT = Ints2d

# A negative id wraps around to uint64, as it does in HashEmbed.
_UINT64 = 2**64 - 1


class _Table(PreshMap):
    """A map that nobody changes any more, so that all copies of a model share it."""

    def __deepcopy__(self, memo: Any) -> "_Table":
        return self


@registry.layers("premap_ids.v1")
def premap_ids(mapping_table: Mapping[int, int], default: int = 0, *, column: Optional[int] = None) -> Model[InT, OutT]:
    """Look every id up in a fixed table of integers.  ids (N,) -> Y (N, 1) int32.

    What the table does not hold becomes `default`.  With `column`, ids are that column
    of a two-dimensional array.  Unlike `remap_ids_v2` the table is compact (a hash map
    from uint64 to integers) and not part of the serialized model.  OverflowError for
    negative keys or values.

    mapping_table: id -> id, copied.

    >>> ids = numpy.array([101, 7, 101], dtype="i")
    >>> premap_ids({101: 1, 102: 2}).predict(ids).ravel()
    array([1, 0, 1], dtype=int32)
    """
    table = _Table(initial_size=len(mapping_table))
    for key, value in mapping_table.items():
        if not (isinstance(key, int) and isinstance(value, int)):
            raise ValueError(
                f"mapping_table has to be of type Mapping[int, int], but found "
                f"{key!r}: {value!r}, which is ({type(key)}, {type(value)})"
            )
        table[key] = value
    return Model("premap_ids", forward, attrs={"mapping_table": table, "default": default, "column": column})


def forward(model: Model[InT, OutT], inputs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    attrs = model.attrs
    table = attrs["mapping_table"]
    default = attrs["default"]
    ids = column_of(inputs, attrs["column"], "premap_ids")
    try:
        if len(ids) and not -(2**63) <= min(ids) <= max(ids) <= _UINT64:
            raise OverflowError(f"premap_ids: expected ids of 64 bits, got {min(ids)} to {max(ids)}")
        values = [table[key & _UINT64] for key in ids]
    except TypeError:
        raise refusal("premap_ids: expected integers as ids", ids) from None
    Y = model.ops.asarray2i([[default if v is None else v] for v in values])
    return Y.reshape((-1, 1)), backprop_ids(model, inputs)
