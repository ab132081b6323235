"""What an array can do: the bases of Floats1d, Ints4d and friends.

Nothing here is ever instantiated and no array is an instance of these classes. They
declare the interface that numpy and cupy arrays share, and validate data by it; type
checkers read `_array_protocols.pyi` in their place.

Axes of the index aliases: `_3_Key2d` is a key that makes a 3-d array 2-d.
The aliases name the array classes as strings, so that a type variable bound to one of
them is checked leniently by confection, which cannot resolve the strings.
"""

import sys
from abc import abstractmethod
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Container,
    Generic,
    Iterator,
    List,
    Literal,
    Optional,
    Sized,
    Tuple,
    TypeVar,
    Union,
)

import numpy

if TYPE_CHECKING:
    from .types import Floats1d, Floats2d, Floats3d, Floats4d, Ints1d, Ints2d, Ints3d, Ints4d

ArrayT = TypeVar("ArrayT")
SelfT = TypeVar("SelfT")
Array1dT = TypeVar("Array1dT", bound="Array1d")
FloatsXdT = TypeVar("FloatsXdT", "Floats1d", "Floats2d", "Floats3d", "Floats4d")

# A scalar and the array types of one family; `class Floats2d` sets them.
_S = TypeVar("_S")
_A1 = TypeVar("_A1")
_A2 = TypeVar("_A2")
_A3 = TypeVar("_A3")
_A4 = TypeVar("_A4")

Array1d = Union["Floats1d", "Ints1d"]
Array2d = Union["Floats2d", "Ints2d"]
Array3d = Union["Floats3d", "Ints3d"]
Array4d = Union["Floats4d", "Ints4d"]
FloatsXd = Union["Floats1d", "Floats2d", "Floats3d", "Floats4d"]
if TYPE_CHECKING:
    # Which rank a parameter has is known to its layer alone: to checkers it has any.
    ParamXd = numpy.ndarray[Any, numpy.dtype[numpy.floating[Any]]]
else:
    ParamXd = FloatsXd
IntsXd = Union["Ints1d", "Ints2d", "Ints3d", "Ints4d"]
ArrayXd = Union[FloatsXd, IntsXd]
List1d = Union[List["Floats1d"], List["Ints1d"]]
List2d = Union[List["Floats2d"], List["Ints2d"]]
List3d = Union[List["Floats3d"], List["Ints3d"]]
List4d = Union[List["Floats4d"], List["Ints4d"]]
ListXd = Union[List1d, List2d, List3d, List4d]

Shape = Tuple[int, ...]
if TYPE_CHECKING:
    # (a dtype that an array has will do as well)
    DTypesFloat = Union[Literal["f", "float32", "float16", "float64"], numpy.dtype[numpy.floating[Any]]]
    DTypesInt = Union[Literal["i", "int32", "int64", "uint32", "uint64"], numpy.dtype[numpy.integer[Any]]]
    DTypes = Union[DTypesFloat, DTypesInt, numpy.dtype[Any]]
else:
    DTypesFloat = Literal["f", "float32", "float16", "float64"]
    DTypesInt = Literal["i", "int32", "int64", "uint32", "uint64"]
    DTypes = Literal["f", "i", "float16", "float32", "float64", "int32", "int64", "uint32", "uint64"]

Tru = Literal[True]
Fal = Literal[False]
OneAx = Union[int, Tuple[int]]
TwoAx = Tuple[int, int]
ThreeAx = Tuple[int, int, int]
FourAx = Tuple[int, int, int, int]
_1_AllAx = Optional[OneAx]
_2_AllAx = Union[Optional[TwoAx], OneAx]
_3_AllAx = Union[Optional[ThreeAx], TwoAx, OneAx]
_4_AllAx = Union[Optional[FourAx], ThreeAx, TwoAx, OneAx]

_1F_ReduceResults = Union[float, "Floats1d"]
_2F_ReduceResults = Union[float, "Floats1d", "Floats2d"]
_3F_ReduceResults = Union[float, "Floats1d", "Floats2d", "Floats3d"]
_4F_ReduceResults = Union[float, "Floats1d", "Floats2d", "Floats3d", "Floats4d"]
_1I_ReduceResults = Union[int, "Ints1d"]
_2I_ReduceResults = Union[int, "Ints1d", "Ints2d"]
_3I_ReduceResults = Union[int, "Ints1d", "Ints2d", "Ints3d"]
_4I_ReduceResults = Union[int, "Ints1d", "Ints2d", "Ints3d", "Ints4d"]
_F1_AllReturns = _1F_ReduceResults
_F2_AllReturns = _2F_ReduceResults
_F3_AllReturns = _3F_ReduceResults
_F4_AllReturns = _4F_ReduceResults
_I1_AllReturns = _1I_ReduceResults
_I2_AllReturns = _2I_ReduceResults
_I3_AllReturns = _3I_ReduceResults
_I4_AllReturns = _4I_ReduceResults

Slicish = Union[slice, List[int], "ArrayXd"]

_1_KeyScalar = int
_1_Key1d = Slicish
_1_AllKeys = Union[_1_KeyScalar, _1_Key1d]

_2_KeyScalar = Tuple[int, int]
_2_Key1d = Union[int, Tuple[Slicish, int], Tuple[int, Slicish]]
_2_Key2d = Union[Tuple[Slicish, Slicish], Slicish]
_2_AllKeys = Union[_2_KeyScalar, _2_Key1d, _2_Key2d]

_3_KeyScalar = Tuple[int, int, int]
_3_Key1d = Union[Tuple[int, int], Tuple[int, int, Slicish], Tuple[int, Slicish, int], Tuple[Slicish, int, int]]
_3_Key2d = Union[
    int,
    Tuple[int, Slicish],
    Tuple[Slicish, int],
    Tuple[int, Slicish, Slicish],
    Tuple[Slicish, int, Slicish],
    Tuple[Slicish, Slicish, int],
]
_3_Key3d = Union[Slicish, Tuple[Slicish, Slicish], Tuple[Slicish, Slicish, Slicish]]
_3_AllKeys = Union[_3_KeyScalar, _3_Key1d, _3_Key2d, _3_Key3d]

# What leaves a 3-d array n axes leaves a 4-d one n + 1.
_4_KeyScalar = Tuple[int, int, int, int]
_4_Key1d = Union[
    Tuple[int, int, int],
    Tuple[int, int, int, Slicish],
    Tuple[int, int, Slicish, int],
    Tuple[int, Slicish, int, int],
    Tuple[Slicish, int, int, int],
]
_4_Key2d = Union[
    _3_Key1d,
    Tuple[int, int, Slicish, Slicish],
    Tuple[int, Slicish, int, Slicish],
    Tuple[int, Slicish, Slicish, int],
    Tuple[Slicish, int, int, Slicish],
    Tuple[Slicish, int, Slicish, int],
    Tuple[Slicish, Slicish, int, int],
]
_4_Key3d = Union[
    _3_Key2d,
    Tuple[int, Slicish, Slicish, Slicish],
    Tuple[Slicish, int, Slicish, Slicish],
    Tuple[Slicish, Slicish, int, Slicish],
    Tuple[Slicish, Slicish, Slicish, int],
]
_4_Key4d = Union[
    Slicish, Tuple[Slicish, Slicish], Tuple[Slicish, Slicish, Slicish], Tuple[Slicish, Slicish, Slicish, Slicish]
]
_4_AllKeys = Union[_4_KeyScalar, _4_Key1d, _4_Key2d, _4_Key3d, _4_Key4d]

_DTYPES = {"f": ("float32",), "i": ("int32", "int64", "uint32", "uint64")}


def validate_array(obj: Any, ndim: Optional[int] = None, dtype: Optional[str] = None) -> Any:
    """Return `obj` if it is an array of this rank and kind, else raise ValueError.

    `dtype` is "f" for float32 or "i" for int32, int64, uint32, uint64.
    """
    cupy = sys.modules.get("cupy")
    is_array = isinstance(obj, numpy.ndarray) or (cupy is not None and isinstance(obj, cupy.ndarray))
    if not is_array:
        raise ValueError(f"expected an array, got {type(obj).__name__}")
    problems = []
    if ndim is not None and obj.ndim != ndim:
        problems.append(f"expected {ndim} dimensions, got {obj.ndim}")
    if dtype is not None:
        allowed = _DTYPES.get(dtype, ())
        if obj.dtype not in allowed:
            names = " or ".join(allowed) or f"no array at all, as for {dtype!r}"
            problems.append(f"expected dtype {names}, got {obj.dtype}")
    if problems:
        raise ValueError(f"array of shape {obj.shape}: " + "; ".join(problems))
    return obj


if TYPE_CHECKING:
    from ._array_protocols import _Array, _Array1d, _Array2d, _Array3d, _Array4d, _Floats, _Ints
else:

    class _Array(Sized, Container):
        """What every array has, whatever its rank and dtype."""

        # What data validation checks. The 3-d and 4-d classes are lenient: they have always
        # let every array pass, and so has each union that holds one of them.
        _ndim: ClassVar[Optional[int]] = None
        _kind: ClassVar[Optional[str]] = None
        _lenient: ClassVar[bool] = False

        @classmethod
        def __get_pydantic_core_schema__(cls, source_type: Any, handler: Any):
            """What confection and pydantic 2 read."""
            if cls._lenient:
                validator: Callable[[Any], Any] = validate_array
            else:
                validator = partial(validate_array, ndim=cls._ndim, dtype=cls._kind)
            inner = {"type": "no-info", "function": validator}
            return {"type": "function-plain", "function": inner}

        @classmethod
        def __get_validators__(cls) -> Iterator[Callable[[Any], Any]]:
            """What pydantic 1 reads, where the rank and kind of 3-d arrays do count."""

            def validate(value: Any) -> Any:
                return validate_array(value, ndim=cls._ndim, dtype=cls._kind)

            yield validate

        # Methods that leave the values as they are
        def astype(
            self: ArrayT, dtype: DTypes, order: str = ..., casting: str = ..., subok: bool = ..., copy: bool = ...
        ) -> ArrayT: ...
        def copy(self: ArrayT, order: str = ...) -> ArrayT: ...
        def fill(self, value: Any) -> None: ...
        def get(self: ArrayT) -> ArrayT: ...
        def tobytes(self, order: str = "C") -> bytes: ...
        def tolist(self) -> List[Any]: ...

        # Methods that change the shape
        def reshape(self: ArrayT, shape: Shape, *, order: str = ...) -> ArrayT: ...
        def transpose(self: ArrayT, axes: Shape) -> ArrayT: ...
        def flatten(self, order: str = ...): ...
        def ravel(self, order: str = ...): ...
        def squeeze(self, axis: Union[int, Shape] = ...): ...

        # Methods that calculate
        def all(self, axis: int = -1, out: Optional[ArrayT] = None, keepdims: bool = False) -> ArrayT: ...
        def any(self, axis: int = -1, out: Optional[ArrayT] = None, keepdims: bool = False) -> ArrayT: ...
        def argmax(self, keepdims: bool = False, axis: int = -1, out: Optional["_Array"] = None) -> Any: ...
        def argmin(self, axis: int = -1, out: Optional[ArrayT] = None) -> ArrayT: ...
        def clip(self, a_min: Any, a_max: Any, out: Optional[ArrayT]) -> ArrayT: ...
        def max(self, axis: int = -1, out: Optional[ArrayT] = None) -> ArrayT: ...
        def mean(
            self, keepdims: bool = False, axis: int = -1, dtype: Optional[DTypes] = None, out: Any = None
        ) -> Any: ...
        def min(self, axis: int = -1, out: Optional[ArrayT] = None) -> ArrayT: ...
        def nonzero(self: SelfT) -> SelfT: ...
        def prod(
            self, axis: int = -1, dtype: Optional[DTypes] = None, out: Optional[ArrayT] = None, keepdims: bool = False
        ) -> ArrayT: ...
        def round(self, decimals: int = 0, out: Optional[ArrayT] = None) -> ArrayT: ...
        def var(
            self: SelfT,
            axis: int = -1,
            dtype: Optional[DTypes] = None,
            out: Optional[ArrayT] = None,
            ddof: int = 0,
            keepdims: bool = False,
        ) -> SelfT: ...

        # Container and conversion
        @abstractmethod
        def __len__(self) -> int: ...
        @abstractmethod
        def __contains__(self, key) -> bool: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __setitem__(self, key, value): ...
        def __copy__(self, order: str = ...): ...
        def __deepcopy__(self: SelfT, memo: dict) -> SelfT: ...
        def __bool__(self) -> bool: ...
        def __bytes__(self) -> bytes: ...
        def __str__(self) -> str: ...
        def __repr__(self) -> str: ...
        def __complex__(self) -> complex: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...

        def __neg__(self: ArrayT) -> ArrayT: ...
        def __pos__(self: ArrayT) -> ArrayT: ...
        def __abs__(self: ArrayT) -> ArrayT: ...
        def __invert__(self: ArrayT) -> ArrayT: ...

    def _operator(name: str) -> Callable:
        def operator(self, other): ...

        operator.__name__, operator.__qualname__ = name, f"_Array.{name}"
        return operator

    for _name in "dtype data flags size itemsize nbytes ndim shape strides".split():
        setattr(_Array, _name, property(lambda self: None))
    for _name in "add sub mul pow matmul truediv floordiv mod divmod lshift rshift and or xor".split():
        for _form in ("", "r") if _name == "divmod" else ("", "r", "i"):
            setattr(_Array, f"__{_form}{_name}__", _operator(f"__{_form}{_name}__"))
    for _name in ("__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__"):
        setattr(_Array, _name, _operator(_name))

    class _Floats(_Array):
        _kind = "f"

        @property
        def dtype(self) -> DTypesFloat: ...
        def fill(self, value: float) -> None: ...
        def reshape(self, shape: Shape, *, order: str = ...) -> Any: ...

    class _Ints(_Array):
        _kind = "i"

        @property
        def dtype(self) -> DTypesInt: ...
        def fill(self, value: int) -> None: ...
        def reshape(self, shape: Shape, *, order: str = ...) -> Any: ...

    class _Array1d(_Array, Generic[_S, _A1]):
        _ndim = 1
        T: _A1

        @property
        def ndim(self) -> Literal[1]: ...
        @property
        def shape(self) -> Tuple[int]: ...
        def __iter__(self) -> Iterator[_S]: ...
        def __getitem__(self, key: _1_AllKeys) -> Any: ...
        def flatten(self: SelfT, order: str = ...) -> SelfT: ...
        def ravel(self: SelfT, order: str = ...) -> SelfT: ...
        def cumsum(self, *, keepdims: bool = False, axis: _1_AllAx = None, out: Any = None) -> _A1: ...
        def sum(self, *, keepdims: bool = False, axis: _1_AllAx = None, out: Any = None) -> Any: ...

    class _Array2d(_Array, Generic[_S, _A1, _A2]):
        _ndim = 2
        T: _A2

        @property
        def ndim(self) -> Literal[2]: ...
        @property
        def shape(self) -> Tuple[int, int]: ...
        def __iter__(self) -> Iterator[_A1]: ...
        def __getitem__(self, key: _2_AllKeys) -> Any: ...
        def __setitem__(self, key: _2_AllKeys, value: Union[_S, _A1, _A2]) -> None: ...
        def sum(self, *, keepdims: bool = False, axis: _2_AllAx = None, out: Any = None) -> Any: ...

    class _Array3d(_Array, Generic[_S, _A1, _A2, _A3]):
        _ndim = 3
        _lenient = True
        T: _A3

        @property
        def ndim(self) -> Literal[3]: ...
        @property
        def shape(self) -> Tuple[int, int, int]: ...
        def __iter__(self) -> Iterator[_A2]: ...
        def __getitem__(self, key: _3_AllKeys) -> Any: ...
        def __setitem__(self, key: _3_AllKeys, value: Union[_S, _A1, _A2, _A3]) -> None: ...
        def sum(self, *, keepdims: bool = False, axis: _3_AllAx = None, out: Any = None) -> Any: ...

    class _Array4d(_Array, Generic[_S, _A1, _A2, _A3, _A4]):
        _ndim = 4
        _lenient = True
        T: _A4

        @property
        def ndim(self) -> Literal[4]: ...
        @property
        def shape(self) -> Tuple[int, int, int, int]: ...
        def __iter__(self) -> Iterator[_A3]: ...
        def __getitem__(self, key: _4_AllKeys) -> Any: ...
        def __setitem__(self, key: _4_AllKeys, value: Union[_S, _A1, _A2, _A3, _A4]) -> None: ...
        def sum(self, *, keepdims: bool = False, axis: _4_AllAx = None, out: Any = None) -> Any: ...
