"""What flows between layers, as an exported graph sees it.

A graph knows tensors alone. What layers pass to each other is made of them:

    here              in Python                tensors
    Tensor            array                    itself
    Sequences         Ragged, list of arrays   data (N, ...), lengths (B,)
    PaddedSequences   Padded                   data (T, B, ...), lengths (B,), indices (B,)
    Nested            list of lists of arrays  data (N, ...), lengths (B,), groups (G,)
    tuple             tuple                    those of its items

All rows of all sequences lie one after the other: sequences of different lengths cost no padding.
"""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy

from ..types import Padded, Ragged
from ..util import is_xp_array

Dim = Union[int, str]  # a number, or the name of a size that only a run knows


class ExportError(ValueError):
    """A model that cannot be a graph: which layer, why, and the way out. Nothing was written.

    >>> import onnx
    >>> to_onnx(Linear(2, 3), "model.onnx", numpy.ones((1, 3), dtype="f"))
    Traceback (most recent call last):
        ...
    thinc.export.values.ExportError: Cannot export linear: its parameters ['W', 'b'] are not set. ...
    """


@dataclass(frozen=True)
class Tensor:
    """A value of the graph: its name, NumPy's name of its dtype, its shape.

    name, dtype, shape: of the value; a dimension that is not fixed has a name.

    >>> Tensor("X", "float32", ("N", 3)).shape
    ('N', 3)
    """

    name: str
    dtype: str
    shape: Tuple[Dim, ...]

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")


@dataclass(frozen=True)
class Sequences:
    """All rows, and how many belong to each sequence.

    data: the rows.  lengths: one for each sequence.  kind: "ragged" or "list".

    >>> Sequences(Tensor("X", "float32", ("N", 3)), Tensor("X_lengths", "int64", ("B",)), "list").data.name
    'X'
    """

    data: Tensor
    lengths: Tensor
    kind: str  # "ragged" or "list"

    def with_data(self, data: Tensor) -> "Sequences":
        return replace(self, data=data)


@dataclass(frozen=True)
class PaddedSequences:
    """Steps first, longest sequence first; indices are the places that the sequences had in a list.

    data: (steps, sequences, width).  lengths, indices: one for each sequence.

    >>> data = Tensor("X", "float32", ("T", "B", 3))
    >>> PaddedSequences(data, Tensor("X_lengths", "int64", ("B",)), Tensor("X_indices", "int64", ("B",))).data.shape
    ('T', 'B', 3)
    """

    data: Tensor
    lengths: Tensor
    indices: Tensor

    def with_data(self, data: Tensor) -> "PaddedSequences":
        return replace(self, data=data)


@dataclass(frozen=True)
class Nested:
    """Groups of sequences: how many sequences are in each.

    items: the sequences.  groups: how many are in each.

    >>> groups = Tensor("X_groups", "int64", ("G",))
    >>> items = Sequences(Tensor("X", "float32", ("N", 3)), Tensor("X_lengths", "int64", ("B",)), "list")
    >>> Nested(items, groups).groups.name
    'X_groups'
    """

    items: Sequences
    groups: Tensor


Value = Union[Tensor, Sequences, PaddedSequences, Nested, Tuple[Any, ...]]


def describe(value: Value) -> str:
    """The kind of a value in the words of the user."""
    if isinstance(value, Tensor):
        return f"{value.dtype} array of {len(value.shape)} dimensions"
    if isinstance(value, Sequences):
        return "Ragged" if value.kind == "ragged" else "list of arrays"
    return {PaddedSequences: "Padded", Nested: "list of lists", tuple: "tuple"}[type(value)]


def tensors_of(value: Value, name: str) -> Iterator[Tuple[str, Tensor]]:
    """The tensors of a value, named: X; X and lengths; those of a tuple X0, X1, ..."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from tensors_of(item, f"{name}{i}")
    elif isinstance(value, Nested):
        yield from tensors_of(value.items, name)
        yield f"{name}_groups", value.groups
    else:
        yield name, value.data
        yield f"{name}_lengths", value.lengths
        if isinstance(value, PaddedSequences):
            yield f"{name}_indices", value.indices


# Batches of Python, taken apart in the same order


def arrays_of(batch: Any, nested: bool = False) -> List[numpy.ndarray]:
    """The arrays of a batch, one for each of `tensors_of` its value. `nested`: so is a list that does not show it."""
    batch = host(batch)
    data: Any
    if isinstance(batch, Ragged):
        data = batch.dataXd
        return [data, _lengths(batch.lengths)]
    if isinstance(batch, Padded):
        data = batch.data
        return [data, _lengths(batch.lengths), _lengths(batch.indices)]
    if isinstance(batch, tuple):
        return [array for item in batch for array in arrays_of(item)]
    if isinstance(batch, list):
        if nested or is_nested(batch):
            items = [item for items in batch for item in items]
            return [*arrays_of(items), _lengths([len(items) for items in batch])]
        return [_flat(batch), _lengths([len(item) for item in batch])]
    return [numpy.asarray(batch)]


def host(batch: Any) -> Any:
    """The batch with NumPy's arrays in place of a device's, and arrays in place of lists of numbers."""
    if isinstance(batch, Ragged):
        return Ragged(host(batch.dataXd), host(batch.lengths))
    if isinstance(batch, Padded):
        return Padded(*[host(part) for part in (batch.data, batch.size_at_t, batch.lengths, batch.indices)])
    if isinstance(batch, tuple):
        return tuple(host(item) for item in batch)
    if isinstance(batch, list):
        if batch and all(isinstance(item, (int, float, numpy.generic)) for item in batch):
            return numpy.asarray(batch)
        return [host(item) for item in batch]
    if hasattr(batch, "get") and is_xp_array(batch):
        return batch.get()
    return batch


def as_type(batch: Any, float_dtype: str) -> Any:
    """The batch with its floats in this type, and all numbers in the byte order of the machine."""
    if isinstance(batch, Ragged):
        return Ragged(as_type(batch.dataXd, float_dtype), batch.lengths)
    if isinstance(batch, Padded):
        return Padded(as_type(batch.data, float_dtype), batch.size_at_t, batch.lengths, batch.indices)
    if isinstance(batch, (list, tuple)):
        return type(batch)(as_type(item, float_dtype) for item in batch)
    if not is_xp_array(batch) or batch.dtype.kind not in "fiu":
        return batch
    return batch.astype(float_dtype if batch.dtype.kind == "f" else batch.dtype.newbyteorder("="), copy=False)


def is_nested(batch: List[Any]) -> bool:
    """Whether the items are lists of arrays, not arrays."""
    return any(isinstance(items, list) and items for items in batch)


def check_list(name: str, batch: List[Any]) -> None:
    """ExportError for a list that says nothing about the inputs, or that is not of arrays."""
    wrong = [item for item in batch if not (isinstance(item, list) or is_xp_array(item))]
    if wrong:
        raise not_numbers(name, type(wrong[0]).__name__)
    if not is_nested(batch) and not any(is_xp_array(item) for item in batch):
        raise ExportError(f"the sample {name} has no sequences, so that width and type are unknown. Give it some")


def not_numbers(name: str, found: str) -> ExportError:
    return ExportError(
        f"the sample {name} holds {found}: a graph takes arrays of numbers. Leave the layers that read texts outside "
        "(thinc.export.split_features), and give what they return as X"
    )


def _lengths(values: Any) -> numpy.ndarray:
    return numpy.asarray(values, dtype="int64")


def _flat(arrays: List[Any]) -> numpy.ndarray:
    # An empty list is an array of no numbers, and of no dtype that counts.
    typed = [array for array in arrays if is_xp_array(array)]
    filled = [array for array in typed if len(array)] or typed[:1]
    return numpy.concatenate(filled) if filled else numpy.zeros((0, 0), dtype="float32")


def value_of(batch: Any, float_dtype: str, name: str = "X", prefix: str = "") -> Value:
    """The inputs of a graph that takes batches like this one. Floats become those of the model's parameters."""
    batch = host(batch)
    data: Any
    if isinstance(batch, tuple):
        return tuple(value_of(item, float_dtype, f"{name}{i}", f"{prefix}{i}_") for i, item in enumerate(batch))
    rows, steps, number = f"{prefix}N", f"{prefix}T", f"{prefix}B"
    if isinstance(batch, Padded):
        data = batch.data
        return PaddedSequences(
            _input(name, data, float_dtype, (steps, number)),
            Tensor(f"{name}_lengths", "int64", (number,)),
            Tensor(f"{name}_indices", "int64", (number,)),
        )
    if isinstance(batch, (Ragged, list)):
        if isinstance(batch, list):
            check_list(name, batch)
        if isinstance(batch, list) and is_nested(batch):
            items = value_of([item for items in batch for item in items], float_dtype, name, prefix)
            assert isinstance(items, Sequences)
            return Nested(items, Tensor(f"{name}_groups", "int64", (f"{prefix}G",)))
        data, _ = arrays_of(batch)
        kind = "ragged" if isinstance(batch, Ragged) else "list"
        lengths = Tensor(f"{name}_lengths", "int64", (number,))
        return Sequences(_input(name, data, float_dtype, (rows,)), lengths, kind)
    if not isinstance(batch, numpy.ndarray):
        raise not_numbers(name, type(batch).__name__)
    # Of three and more dimensions all but the last may be steps, columns, sequences.
    first = (rows, *(f"{prefix}D{axis}" for axis in range(1, batch.ndim - 1)))
    return _input(name, batch, float_dtype, first[: batch.ndim])


def _input(name: str, array: numpy.ndarray, float_dtype: str, first: Tuple[Dim, ...]) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise not_numbers(name, array.dtype.name)
    dtype = float_dtype if array.dtype.kind == "f" else array.dtype.name
    return Tensor(name, dtype, (*first, *array.shape[len(first) :]))


def feeds(batch: Any, value: Value, name: str = "X") -> Dict[str, numpy.ndarray]:
    """What to give a runtime: the arrays of the batch by the names of the inputs."""
    named = {}
    for (_, tensor), array in zip(tensors_of(value, name), arrays_of(batch, isinstance(value, Nested))):
        if not len(array):  # an empty list forgets the width of its items
            widths = [dim for dim in tensor.shape[1:] if isinstance(dim, int)]
            array = array.reshape((*array.shape[: len(tensor.shape) - len(widths)], *widths))
        named[tensor.name] = numpy.ascontiguousarray(array, dtype=tensor.dtype)
    return named


__all__ = [
    "Dim",
    "ExportError",
    "Nested",
    "PaddedSequences",
    "Sequences",
    "Tensor",
    "Value",
    "arrays_of",
    "as_type",
    "describe",
    "feeds",
    "host",
    "is_nested",
    "tensors_of",
    "value_of",
]
