"""Making arrays and converting them."""

from typing import Any, Optional, Sequence, Union, cast

import numpy

from ..types import (
    Array1d,
    Array2d,
    Array3d,
    Array4d,
    ArrayT,
    ArrayXd,
    DTypes,
    DTypesFloat,
    DTypesInt,
    Floats1d,
    Floats2d,
    Floats3d,
    Floats4d,
    FloatsXd,
    Ints1d,
    Ints2d,
    Ints3d,
    Ints4d,
    IntsXd,
    Shape,
    Xp,
)


class ArrayOps:
    """Allocation, shapes and conversion."""

    xp: Xp

    # Allocation

    def alloc(self, shape: Shape, *, dtype: Optional[DTypes] = "float32", zeros: bool = True) -> Any:
        """A new array.  Its contents are arbitrary if zeros is False."""
        if zeros:
            return self.xp.zeros(shape, dtype=dtype)
        return self.xp.empty(shape, dtype=dtype)

    def alloc1f(self, d0: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> Floats1d:
        return self.alloc((d0,), dtype=dtype, zeros=zeros)

    def alloc2f(self, d0: int, d1: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> Floats2d:
        return self.alloc((d0, d1), dtype=dtype, zeros=zeros)

    def alloc3f(
        self, d0: int, d1: int, d2: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True
    ) -> Floats3d:
        return self.alloc((d0, d1, d2), dtype=dtype, zeros=zeros)

    def alloc4f(
        self, d0: int, d1: int, d2: int, d3: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True
    ) -> Floats4d:
        return self.alloc((d0, d1, d2, d3), dtype=dtype, zeros=zeros)

    def alloc_f(self, shape: Shape, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> FloatsXd:
        return self.alloc(shape, dtype=dtype, zeros=zeros)

    def alloc1i(self, d0: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints1d:
        return self.alloc((d0,), dtype=dtype, zeros=zeros)

    def alloc2i(self, d0: int, d1: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints2d:
        return self.alloc((d0, d1), dtype=dtype, zeros=zeros)

    def alloc3i(self, d0: int, d1: int, d2: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints3d:
        return self.alloc((d0, d1, d2), dtype=dtype, zeros=zeros)

    def alloc4i(
        self, d0: int, d1: int, d2: int, d3: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True
    ) -> Ints4d:
        return self.alloc((d0, d1, d2, d3), dtype=dtype, zeros=zeros)

    def alloc_i(self, shape: Shape, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> IntsXd:
        return self.alloc(shape, dtype=dtype, zeros=zeros)

    # Shapes

    def reshape(self, array: ArrayT, shape: Shape) -> ArrayT:
        return cast(Any, array).reshape(shape)

    def reshape1(self, array: ArrayXd, d0: int) -> Array1d:
        return cast(Any, array).reshape((d0,))

    def reshape2(self, array: ArrayXd, d0: int, d1: int) -> Array2d:
        return cast(Any, array).reshape((d0, d1))

    def reshape3(self, array: ArrayXd, d0: int, d1: int, d2: int) -> Array3d:
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4(self, array: ArrayXd, d0: int, d1: int, d2: int, d3: int) -> Array4d:
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape1f(self, array: FloatsXd, d0: int) -> Floats1d:
        return cast(Any, array).reshape((d0,))

    def reshape2f(self, array: FloatsXd, d0: int, d1: int) -> Floats2d:
        return cast(Any, array).reshape((d0, d1))

    def reshape3f(self, array: FloatsXd, d0: int, d1: int, d2: int) -> Floats3d:
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4f(self, array: FloatsXd, d0: int, d1: int, d2: int, d3: int) -> Floats4d:
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape_f(self, array: FloatsXd, shape: Shape) -> FloatsXd:
        return cast(Any, array).reshape(shape)

    def reshape1i(self, array: IntsXd, d0: int) -> Ints1d:
        return cast(Any, array).reshape((d0,))

    def reshape2i(self, array: IntsXd, d0: int, d1: int) -> Ints2d:
        return cast(Any, array).reshape((d0, d1))

    def reshape3i(self, array: IntsXd, d0: int, d1: int, d2: int) -> Ints3d:
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4i(self, array: IntsXd, d0: int, d1: int, d2: int, d3: int) -> Ints4d:
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape_i(self, array: IntsXd, shape: Shape) -> IntsXd:
        return cast(Any, array).reshape(shape)

    def tile(self, X: Floats2d, reps: int) -> Floats2d:
        """X repeated along its last axis."""
        return self.xp.tile(X, reps)

    # Conversion

    def asarray(
        self, data: Union[ArrayXd, Sequence[ArrayXd], Sequence[Any]], *, dtype: Optional[DTypes] = None
    ) -> ArrayXd:
        """An array of this backend; data itself if it is one of the right dtype.

        Understands tensors with a `numpy()` method and arrays of a GPU.
        """
        value: Any = data
        if not isinstance(value, self.xp.ndarray):
            if hasattr(value, "numpy"):
                value = value.numpy()
            elif hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
                value = value.get()
        return self.xp.asarray(value, dtype=dtype)

    def asarray1f(self, data: Union[Floats1d, Sequence[float]], *, dtype: Optional[DTypes] = "float32") -> Floats1d:
        return cast(Floats1d, self.asarray(data, dtype=dtype))

    def asarray2f(
        self, data: Union[Floats2d, Sequence[Sequence[float]]], *, dtype: Optional[DTypes] = "float32"
    ) -> Floats2d:
        return cast(Floats2d, self.asarray(data, dtype=dtype))

    def asarray3f(
        self, data: Union[Floats3d, Sequence[Sequence[Sequence[float]]]], *, dtype: Optional[DTypes] = "float32"
    ) -> Floats3d:
        return cast(Floats3d, self.asarray(data, dtype=dtype))

    def asarray4f(
        self,
        data: Union[Floats4d, Sequence[Sequence[Sequence[Sequence[float]]]]],
        *,
        dtype: Optional[DTypes] = "float32",
    ) -> Floats4d:
        return cast(Floats4d, self.asarray(data, dtype=dtype))

    def asarray_f(self, data: Union[FloatsXd, Sequence[Any]], *, dtype: Optional[DTypes] = "float32") -> FloatsXd:
        return cast(FloatsXd, self.asarray(data, dtype=dtype))

    def asarray1i(self, data: Union[Ints1d, Sequence[int]], *, dtype: Optional[DTypes] = "int32") -> Ints1d:
        return cast(Ints1d, self.asarray(data, dtype=dtype))

    def asarray2i(self, data: Union[Ints2d, Sequence[Sequence[int]]], *, dtype: Optional[DTypes] = "int32") -> Ints2d:
        return cast(Ints2d, self.asarray(data, dtype=dtype))

    def asarray3i(
        self, data: Union[Ints3d, Sequence[Sequence[Sequence[int]]]], *, dtype: Optional[DTypes] = "int32"
    ) -> Ints3d:
        return cast(Ints3d, self.asarray(data, dtype=dtype))

    def asarray4i(
        self, data: Union[Ints4d, Sequence[Sequence[Sequence[Sequence[int]]]]], *, dtype: Optional[DTypes] = "int32"
    ) -> Ints4d:
        return cast(Ints4d, self.asarray(data, dtype=dtype))

    def asarray_i(self, data: Union[IntsXd, Sequence[Any]], *, dtype: Optional[DTypes] = "int32") -> IntsXd:
        return cast(IntsXd, self.asarray(data, dtype=dtype))

    def as_contig(self, data: ArrayT, dtype: Optional[DTypes] = None) -> ArrayT:
        """data itself if it is C-contiguous and of that dtype, else a copy."""
        array: Any = data
        if array.flags["C_CONTIGUOUS"] and (dtype is None or array.dtype == dtype):
            return data
        return self.xp.ascontiguousarray(array, dtype=dtype)

    def to_numpy(self, data, *, byte_order=None):
        """data as a numpy array; with a byte order ("<", ">", "="), stored in it."""
        if not isinstance(data, numpy.ndarray):
            raise ValueError("Cannot convert non-numpy from base Ops class")
        if byte_order is not None:
            data = numpy.asarray(data, dtype=data.dtype.newbyteorder(byte_order))
        return data


def as_floats(X: Any) -> Any:
    """Whole numbers and truth values as float64, so that they neither wrap nor round; floats as they are."""
    if X.dtype.kind == "f":
        return X
    if X.dtype.kind not in "iub":
        raise TypeError(f"expected an array of floats, got one of {X.dtype}. Convert it with ops.asarray_f")
    return X.astype("float64")


__all__ = ["ArrayOps", "as_floats"]
