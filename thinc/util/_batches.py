"""Batches of torch, pandas, Arrow and Hugging Face datasets as arrays, for models whose layers take none of theirs.

Nothing is imported: what an object is says the name of its type's module.
"""

from typing import Any, Callable, Dict, List, Optional

import numpy

from ..backends import Ops
from ._conversions import torch2xp

_SHOWN = 5  # names of columns in a message


def batch_as_arrays(X: Any, ops: Ops) -> Optional[Any]:
    """The batch as arrays of `ops`; of lists and tuples, each item. None for what is not of one of these packages.

    TypeError for what is, and is no array: its text says which column, and a way out. Strings become a list of str,
    lists of different lengths a list of arrays, float64 float32. Memory is shared where that is possible.
    """
    if isinstance(X, dict) and X and all(_is_column(value) for value in X.values()):
        raise TypeError(
            f"expected an array, got a dict of columns {_names(X)}. Give one of them, as in batch[{next(iter(X))!r}]"
        )
    if isinstance(X, (list, tuple)):
        if not any(_reader(item) for item in X):
            return None
        items = [batch_as_arrays(item, ops) if _reader(item) else item for item in X]
        return type(X)(items)
    reader = _reader(X)
    if reader is None:
        return None
    found = reader(X, ops)
    return [_on_device(item, ops) for item in found] if isinstance(found, list) else _on_device(found, ops)


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _on_device(found: Any, ops: Ops) -> Any:
    if getattr(found, "dtype", None) == "float64":  # the default of pandas and Arrow, and in no layer
        found = found.astype("float32")
    return ops.asarray(found) if isinstance(found, numpy.ndarray) else found


def _reader(X: Any) -> Optional[Callable[[Any, Ops], Any]]:
    return _READERS.get(type(X).__module__.partition(".")[0])


def _torch(X: Any, ops: Ops) -> Any:
    if not hasattr(X, "detach"):
        raise TypeError(
            f"expected an array, got torch's {type(X).__name__}. Loop over its batches, and give their tensors"
        )
    if str(X.layout) != "torch.strided" or X.is_quantized:
        raise TypeError(f"expected a dense tensor, got {X.layout} of {X.dtype}. Call to_dense() or dequantize() first")
    return torch2xp(X, ops=ops)


def _pandas(X: Any, ops: Ops) -> Any:
    kind = type(X).__name__
    if kind == "DataFrame":
        for name, column in X.items():
            if _number_type(column) is None:
                raise TypeError(
                    f"expected numbers, but column {name!r} of the DataFrame holds {column.dtype}. "
                    "Take the columns that are numbers, encode it, or fill what is missing in it"
                )
        return X.to_numpy(dtype=numpy.result_type(*(_number_type(column) for _, column in X.items())))
    if not hasattr(X, "to_numpy"):
        raise TypeError(f"expected an array, got pandas' {kind}")
    if _number_type(X) is not None:
        return X.to_numpy(dtype=_number_type(X))
    items = X.tolist()
    if all(isinstance(item, str) for item in items):
        return items
    raise TypeError(
        f"expected numbers or strings, but the {kind} {X.name!r} holds {X.dtype}. "
        "Use .cat.codes of categories, and fill what is missing"
    )


def _number_type(column: Any) -> Optional[numpy.dtype]:
    """The dtype of a column of numbers, of which none is missing in a way that no array has; else None."""
    dtype = column.dtype
    if getattr(dtype, "kind", "O") not in "fiub":
        return None
    if isinstance(dtype, numpy.dtype):
        return dtype
    return None if column.isna().any() else dtype.numpy_dtype


def _arrow(X: Any, ops: Ops) -> Any:
    if hasattr(X, "column_names") or hasattr(X, "schema"):  # Table, RecordBatch
        names = X.schema.names
        if not names:
            raise TypeError("expected an array, got Arrow columns without a column")
        columns = [_arrow_column(X.column(name), f"column {name!r}") for name in names]
        for name, column in zip(names, columns):
            if not isinstance(column, numpy.ndarray) or column.ndim != 1:
                raise TypeError(
                    f"expected numbers, but column {name!r} holds {X.schema.field(name).type}. Give it alone"
                )
        return numpy.stack(columns, axis=1)
    if not hasattr(X, "null_count"):
        raise TypeError(f"expected an array, got Arrow's {type(X).__name__}")
    return _arrow_column(X, "the array")


def _arrow_column(X: Any, name: str) -> Any:
    if hasattr(X, "combine_chunks"):  # (of a ChunkedArray without chunks, too)
        X = X.combine_chunks()
    kind = str(X.type)
    if X.null_count:
        raise TypeError(f"expected numbers, but {name} of {kind} has {X.null_count} nulls. Fill them: X.fill_null(0)")
    if kind in ("string", "large_string"):
        items: List[str] = X.to_pylist()
        return items
    if kind.startswith("fixed_size_list"):
        rows = _arrow_column(X.flatten(), name)
        return rows.reshape((len(X), X.type.list_size, *rows.shape[1:]))
    if kind.startswith(("list", "large_list")):
        rows, ends = _arrow_column(X.flatten(), name), numpy.cumsum(X.value_lengths().to_numpy())
        sequences = numpy.split(rows, ends[:-1])
        same = len({len(sequence) for sequence in sequences}) == 1
        return numpy.stack(sequences) if same else sequences
    array = X.to_numpy(zero_copy_only=False)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"expected numbers or strings, but {name} holds {kind}")
    return array


def _datasets(X: Any, ops: Ops) -> Any:
    if hasattr(X, "column_names") and not hasattr(X, "column_name"):
        name = next(iter(X.column_names or []), "text")
        raise TypeError(
            f"expected an array, got datasets' {type(X).__name__} of {_names(X.column_names or [])}. Loop over its "
            f"batches, and give a column: for batch in dataset.with_format('numpy').iter(64): batch[{name!r}]"
        )
    rows = X[:]
    if isinstance(rows, list) and not any(isinstance(row, str) for row in rows):
        try:
            return numpy.asarray(rows)
        except ValueError:
            return [numpy.asarray(row) for row in rows]
    return rows


def _names(columns: Any) -> str:
    names = [repr(name) for name in columns]
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


_READERS: Dict[str, Callable[[Any, Ops], Any]] = {
    "torch": _torch,
    "pandas": _pandas,
    "pyarrow": _arrow,
    "datasets": _datasets,
}

__all__ = ["batch_as_arrays"]
