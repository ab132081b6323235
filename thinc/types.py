"""Array annotations, batches of sequences and other small containers.

The array classes are for annotations: numpy and cupy arrays are never instances of
them. `Ragged` and `Padded` hold a batch of sequences of different lengths, either one
after the other or padded to the longest.

Axes: B sequences, T rows of all sequences together, L time steps of the longest.

Over 500 lines: all types have to be importable from here, under this name.
"""

import sys
from abc import abstractmethod
from dataclasses import dataclass
from itertools import accumulate
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    Iterator,
    List,
    Literal,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    cast,
)

import numpy

from ._array_types import (  # noqa: F401  (most are only passed on)
    Array1d,
    Array1dT,
    Array2d,
    Array3d,
    Array4d,
    ArrayT,
    ArrayXd,
    DTypes,
    DTypesFloat,
    DTypesInt,
    Fal,
    FloatsXd,
    FloatsXdT,
    FourAx,
    IntsXd,
    List1d,
    List2d,
    List3d,
    List4d,
    ListXd,
    OneAx,
    SelfT,
    Shape,
    Slicish,
    ThreeAx,
    Tru,
    TwoAx,
    _1_AllAx,
    _1_AllKeys,
    _1_Key1d,
    _1_KeyScalar,
    _1F_ReduceResults,
    _1I_ReduceResults,
    _2_AllAx,
    _2_AllKeys,
    _2_Key1d,
    _2_Key2d,
    _2_KeyScalar,
    _2F_ReduceResults,
    _2I_ReduceResults,
    _3_AllAx,
    _3_AllKeys,
    _3_Key1d,
    _3_Key2d,
    _3_Key3d,
    _3_KeyScalar,
    _3F_ReduceResults,
    _3I_ReduceResults,
    _4_AllAx,
    _4_AllKeys,
    _4_Key1d,
    _4_Key2d,
    _4_Key3d,
    _4_Key4d,
    _4_KeyScalar,
    _4F_ReduceResults,
    _4I_ReduceResults,
    _Array,
    _Array1d,
    _Array2d,
    _Array3d,
    _Array4d,
    _F1_AllReturns,
    _F2_AllReturns,
    _F3_AllReturns,
    _F4_AllReturns,
    _Floats,
    _I1_AllReturns,
    _I2_AllReturns,
    _I3_AllReturns,
    _I4_AllReturns,
    _Ints,
    validate_array,
)
from ._table import batch_html

# The output types of combinators whose arguments must fit each other; the mypy plugin
# knows them by name. XY_YZ: each output feeds the next input, as in chain. XY_XY: all
# inputs agree and all outputs agree, as in add and concatenate.
XY_YZ_OutT = TypeVar("XY_YZ_OutT")
XY_XY_OutT = TypeVar("XY_XY_OutT")

DeviceTypes = Literal["cpu", "gpu", "tpu"]
if TYPE_CHECKING:
    Xp = Any
else:
    Xp = Union["numpy", "cupy"]  # two modules, named for the reader  # noqa: F821
Batchable = Union["Pairs", "Ragged", "Padded", "ArrayXd", List, Tuple]

_DIn = TypeVar("_DIn")
_P = TypeVar("_P", bound=Sequence)


class Decorator(Protocol):
    """What `registry.layers` and the like are: called with a name, they decorate."""

    def __call__(self, name: str) -> Callable[[_DIn], _DIn]: ...


# To checkers the array classes are protocols: what has all that a Floats2d has is one.
if TYPE_CHECKING:
    from typing import Protocol as _Structural
else:

    class _Structural:
        __slots__ = ()


class Floats1d(_Array1d[float, "Floats1d"], _Floats, _Structural):
    if not TYPE_CHECKING:
        # (the parameter has had this name from the beginning)
        @abstractmethod
        def __setitem__(self, key: _1_AllKeys, _F1_AllReturns: Any): ...  # noqa: F811


class Floats2d(_Array2d[float, Floats1d, "Floats2d"], _Floats, _Structural):
    pass


class Floats3d(_Array3d[float, Floats1d, Floats2d, "Floats3d"], _Floats, _Structural):
    pass


class Floats4d(_Array4d[float, Floats1d, Floats2d, Floats3d, "Floats4d"], _Floats, _Structural):
    pass


class Ints1d(_Array1d[int, "Ints1d"], _Ints, _Structural):
    if not TYPE_CHECKING:

        @abstractmethod
        def __setitem__(self, key: _1_AllKeys, _I1_AllReturns: Any): ...  # noqa: F811


class Ints2d(_Array2d[int, Ints1d, "Ints2d"], _Ints, _Structural):
    if not TYPE_CHECKING:

        @abstractmethod
        def sum(self, keepdims: bool = False, axis: Any = -1, out: Any = None) -> Any: ...


class Ints3d(_Array3d[int, Ints1d, Ints2d, "Ints3d"], _Ints, _Structural):
    pass


class Ints4d(_Array4d[int, Ints1d, Ints2d, Ints3d, "Ints4d"], _Ints, _Structural):
    pass


def get_array_module(obj: Any) -> Any:
    """The module whose functions work on `obj`: cupy for its arrays, else numpy."""
    # An object can only be a cupy array if someone has imported cupy.
    cupy = sys.modules.get("cupy")
    return numpy if cupy is None else cupy.get_array_module(obj)


class Generator(Iterator[Any]):
    """Annotation of arguments that take a schedule or another iterable of values."""

    @classmethod
    def __get_validators__(cls) -> Iterator[Callable[[Any], Any]]:
        yield cls.validate

    @classmethod
    def validate(cls, v: Any) -> Any:
        """Return `v` if it is an iterable or an iterator, else raise TypeError."""
        if not (hasattr(v, "__iter__") or hasattr(v, "__next__")):
            raise TypeError(f"expected a generator or iterable, got {type(v).__name__}")
        return v


@dataclass
class SizedGenerator:
    """An iterable that knows its length and starts afresh each time."""

    get_items: Callable[[], Generator]
    length: int

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        yield from self.get_items()


@dataclass
class Padded:
    """A batch of sequences padded to the longest, sorted by decreasing length.

    data (L, B, ...): row b at step t.  size_at_t (L,): sequences still running at step
    t.  lengths (B,): in sorted order.  indices (B,): the original position of each row.

    Indexing selects sequences, on axis 1, by their sorted position: an int, slice, list
    or array. The result stays sorted, keeps all steps and the original positions.

    >>> X = list2padded().predict([numpy.ones((1, 2), dtype="f"), numpy.ones((3, 2), dtype="f")])
    >>> X.data.shape, X.size_at_t, X.lengths, X.indices
    ((3, 2, 2), array([2, 1, 1], dtype=int32), array([3, 1], dtype=int32), array([1, 0], dtype=int32))
    """

    data: Union[Floats3d, Ints3d]
    size_at_t: Ints1d
    lengths: Ints1d
    indices: Ints1d

    def __post_init__(self) -> None:
        for name in ("size_at_t", "lengths", "indices"):
            numbers = getattr(self, name)
            if isinstance(numbers, (list, tuple)):
                setattr(self, name, _as_ints(self.data, numbers, f"Padded: {name}"))

    def with_data(self, data: Any) -> "Padded":
        """The same sequences with other steps."""
        return Padded(data, self.size_at_t, self.lengths, self.indices)

    def check(self) -> "Padded":
        """Itself. ValueError unless lengths and indices are those of the B columns of data."""
        _expect_array(self.data, "Padded")
        steps, batch = self.data.shape[:2]
        lengths = _int_list(self.lengths, "Padded: lengths")
        indices = _int_list(self.indices, "Padded: indices")
        if len(lengths) != batch or any(not 0 <= length <= steps for length in lengths):
            raise ValueError(
                f"Padded: expected {batch} lengths of 0 to {steps} steps, as data of shape {self.data.shape} has, "
                f"got {_first(lengths)}. Make it from a list of sequences, by ops.list2padded"
            )
        if sorted(indices) != list(range(batch)):
            raise ValueError(
                f"Padded: expected indices to name each of the {batch} sequences once, got {_first(indices)}. "
                "Make it from a list of sequences, by ops.list2padded"
            )
        return self

    def _repr_html_(self) -> str:
        return batch_html(self, zip(self.indices, self.lengths), (self.data[0, i] for i in range(len(self))))

    def copy(self) -> "Padded":
        """A copy that shares no memory."""
        return Padded(self.data.copy(), self.size_at_t.copy(), self.lengths.copy(), self.indices.copy())

    def __len__(self) -> int:
        return self.lengths.shape[0]

    def __getitem__(self, index: Union[int, slice, Ints1d]) -> "Padded":
        if isinstance(index, tuple):
            raise IndexError(f"Padded: expected one index, got a tuple: {index}")
        xp = get_array_module(self.data)
        if isinstance(index, (int, numpy.integer)):
            start = _checked_index("Padded", index, len(self))
            keys: Any = slice(start, start + 1)
        else:
            # Sorted positions, since the rows must stay in order of length.
            keys = xp.sort(xp.arange(len(self))[index])
        lengths = self.lengths[keys]
        steps = xp.arange(self.data.shape[0]).reshape(-1, 1)
        size_at_t = (steps < lengths).sum(axis=1).astype(self.size_at_t.dtype)
        data = cast(Any, self.data)[:, keys]
        return Padded(data, size_at_t, lengths, self.indices[keys])


@dataclass
class Ragged:
    """A batch of sequences laid one after the other.

    data (T, ...): all rows, stored as a matrix; `dataXd` has the original shape.
    lengths (B,): rows of each sequence, in all as many as there are; a list will do.

    Indexing selects sequences: an int gives the rows of one, as a matrix; a slice, list
    or array keeps the original shape. Ints and plain slices share memory with `data`.

    >>> sentences = Ragged(numpy.arange(8, dtype="f").reshape(4, 2), [1, 3])
    >>> len(sentences), sentences[0].data, sentences[1].data.shape
    (2, array([[0., 1.]], dtype=float32), (3, 2))
    """

    data: Union[Floats2d, Ints2d]
    lengths: Ints1d
    data_shape: Tuple[int, ...]
    starts_ends: Optional[Ints1d] = None

    # Whether the lengths were found to be those of the rows: they are looked at once, and not
    # again for what `with_data` makes of them.
    _checked = False

    def __init__(self, data: _Array, lengths: Ints1d):
        if isinstance(lengths, (list, tuple)):
            lengths = _as_ints(data, lengths, "Ragged: lengths")
        shape = data.shape
        if data.size == 0:
            # An empty array has no width that -1 could stand for.
            matrix = data.reshape((0, 0))
        else:
            matrix = data if len(shape) == 2 else data.reshape((shape[0], -1))
        self.data = cast(Any, matrix)
        self.lengths = lengths
        self.data_shape = (-1,) + shape[1:]

    @property
    def dataXd(self) -> ArrayXd:
        """The rows in the shape they came in."""
        shape = self.data_shape if self.data.size else (0,) + self.data_shape[1:]
        return cast(ArrayXd, self.data.reshape(shape))

    def with_data(self, data: Any) -> "Ragged":
        """The same sequences with other rows."""
        other = Ragged(data, self.lengths)
        other._checked = self._checked and len(other.data) == len(self.data)
        return other

    def check(self) -> "Ragged":
        """Itself. LengthsError unless the lengths are integers of at least 0 that sum to the rows."""
        if not self._checked:
            _expect_array(self.data, "Ragged")
            lengths = _int_list(self.lengths, "Ragged: lengths")
            if lengths and min(lengths) < 0:
                raise LengthsError(f"Ragged: expected lengths of at least 0, got {min(lengths)}")
            # Rows without width have no place in `data`, so nobody knows how many there were.
            if sum(lengths) != len(self.data) and 0 not in self.data_shape[1:]:
                raise LengthsError(
                    f"Ragged: expected lengths that sum to the {len(self.data)} rows of data, got {_first(lengths)}, "
                    f"which sum to {sum(lengths)}. Each is the number of rows of one sequence"
                )
            self._checked = True
        return self

    def _repr_html_(self) -> str:
        starts = accumulate(self.lengths, initial=0)
        return batch_html(self, enumerate(self.lengths), (self.data[start : start + 1] for start in starts))

    def __len__(self) -> int:
        return self.lengths.shape[0]

    def __getitem__(self, index: Union[int, slice, Array1d]) -> "Ragged":
        if isinstance(index, tuple):
            raise IndexError(f"Ragged: expected one index, got a tuple: {index}")
        if isinstance(index, (int, numpy.integer)):
            i = _checked_index("Ragged", index, len(self))
            rows = self.data[self._get_starts()[i] : self._get_ends()[i]]
            return Ragged(rows, self.lengths[i : i + 1])
        xp = get_array_module(self.data)
        keys = xp.arange(len(self))[index]
        lengths = self.lengths[index]
        if len(keys) == 0:
            rows = self.data[:0]
        elif isinstance(index, slice) and index.step in (None, 1):
            rows = self.data[self._get_starts()[keys[0]] : self._get_ends()[keys[-1]]]
        else:
            pairs = zip(self._get_starts()[keys], self._get_ends()[keys])
            rows = xp.concatenate([self.data[start:end] for start, end in pairs])
        selected = Ragged(rows, lengths)
        selected.data_shape = self.data_shape
        return selected

    def _get_starts_ends(self) -> Ints1d:
        """[0, cumulative lengths], int32, built on first use."""
        if self.starts_ends is None:
            xp = get_array_module(self.lengths)
            starts_ends = xp.zeros(len(self) + 1, dtype="i")
            starts_ends[1:] = xp.cumsum(self.lengths)
            self.starts_ends = starts_ends
        return self.starts_ends

    def _get_starts(self) -> Ints1d:
        return self._get_starts_ends()[:-1]

    def _get_ends(self) -> Ints1d:
        return self._get_starts_ends()[1:]


class LengthsError(ValueError, IndexError):
    """Lengths that are not those of the rows. (Some layers called that an IndexError, and it still is one.)"""


def _expect_array(data: Any, name: str) -> None:
    if not (hasattr(data, "__array_interface__") or hasattr(data, "__cuda_array_interface__")):
        raise TypeError(f"{name}: expected data to be an array, got {type(data).__name__}. Convert it with ops.asarray")


def _as_ints(data: Any, numbers: Sequence[int], name: str) -> Any:
    """A list or tuple as an int32 array beside `data`."""
    array = get_array_module(data).asarray(numbers)
    if len(numbers) and (array.ndim != 1 or array.dtype.kind not in "iu"):
        raise TypeError(f"{name}: expected integers, got {numbers!r}")
    return array.astype("int32")


def _int_list(numbers: Any, name: str) -> List[int]:
    dtype = getattr(numbers, "dtype", None)
    if dtype is None or dtype.kind not in "iu" or numbers.ndim != 1:
        got = f"type {type(numbers).__name__}" if dtype is None else f"{dtype} of {numbers.ndim} dimension(s)"
        raise TypeError(f"{name}: expected a one-dimensional array of integers, got {got}")
    return numbers.tolist()


def _first(numbers: List[int]) -> str:
    return str(numbers) if len(numbers) <= 8 else f"{str(numbers[:8])[:-1]}, ...]"


def _checked_index(name: str, index: Any, length: int) -> int:
    """`index` counted from the start; IndexError if it is out of range."""
    position = int(index) + length if index < 0 else int(index)
    if not 0 <= position < length:
        raise IndexError(f"{name}: index {index} is out of range of {length} sequences")
    return position


@dataclass
class Pairs(Generic[_P]):
    """Two sequences side by side, indexed together."""

    one: _P
    two: _P

    def __getitem__(self, index: Any) -> "Pairs[_P]":
        return Pairs(self.one[index], self.two[index])

    def __len__(self) -> int:
        return len(self.one)


@dataclass
class ArgsKwargs:
    """The arguments of a call, positional and by name.

    args, kwargs: as in f(*args, **kwargs).

    >>> call = ArgsKwargs.from_items([(0, "first"), ("mask", True)])
    >>> call.args, call.kwargs
    (('first',), {'mask': True})
    """

    args: Tuple[Any, ...]
    kwargs: Dict[str, Any]

    @classmethod
    def from_items(cls, items: Sequence[Tuple[Union[int, str], Any]]) -> "ArgsKwargs":
        """From (key, value) pairs. Values with int keys become positional, in the order
        they come; the numbers themselves do not count."""
        args = []
        kwargs = {}
        for key, value in items:
            if isinstance(key, int):
                args.append(value)
            else:
                kwargs[key] = value
        return cls(args=tuple(args), kwargs=kwargs)

    def keys(self) -> Iterable[Union[int, str]]:
        """Positions, then names."""
        yield from range(len(self.args))
        yield from self.kwargs.keys()

    def values(self) -> Iterable[Any]:
        yield from self.args
        yield from self.kwargs.values()

    def items(self) -> Iterable[Tuple[Union[int, str], Any]]:
        yield from enumerate(self.args)
        yield from self.kwargs.items()


@dataclass
class Unserializable:
    """Wraps an attribute value that is to be left out when a model is saved.

    obj: the value.

    >>> model = Model("counter", lambda model, X, is_train: (X, None), attrs={"log": Unserializable(open)})
    >>> "log" in model.from_bytes(model.to_bytes()).attrs
    True
    """

    obj: Any
