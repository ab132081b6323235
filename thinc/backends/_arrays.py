"""Making arrays and converting them.

Over 500 lines: a short method for each number of axes and kind of numbers, each with an example.
"""

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
        """A new array.  Its contents are arbitrary if zeros is False.

        shape: of the array.  dtype: of its items.

        >>> NumpyOps().alloc((2, 3), dtype="int64")
        array([[0, 0, 0],
               [0, 0, 0]])
        """
        if zeros:
            return self.xp.zeros(shape, dtype=dtype)
        return self.xp.empty(shape, dtype=dtype)

    def alloc1f(self, d0: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> Floats1d:
        """A new array of floats (d0); arbitrary numbers if zeros is False.

        d0: its shape.  dtype: float32, or another of floats.

        >>> NumpyOps().alloc1f(2).shape
        (2,)
        """
        return self.alloc((d0,), dtype=dtype, zeros=zeros)

    def alloc2f(self, d0: int, d1: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> Floats2d:
        """A new array of floats (d0, d1); arbitrary numbers if zeros is False.

        d0, d1: its shape.  dtype: float32, or another of floats.

        >>> NumpyOps().alloc2f(2, 3).shape
        (2, 3)
        """
        return self.alloc((d0, d1), dtype=dtype, zeros=zeros)

    def alloc3f(
        self, d0: int, d1: int, d2: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True
    ) -> Floats3d:
        """A new array of floats (d0, d1, d2); arbitrary numbers if zeros is False.

        d0, d1, d2: its shape.  dtype: float32, or another of floats.

        >>> NumpyOps().alloc3f(2, 3, 4).shape
        (2, 3, 4)
        """
        return self.alloc((d0, d1, d2), dtype=dtype, zeros=zeros)

    def alloc4f(
        self, d0: int, d1: int, d2: int, d3: int, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True
    ) -> Floats4d:
        """A new array of floats (d0, d1, d2, d3); arbitrary numbers if zeros is False.

        d0, d1, d2, d3: its shape.  dtype: float32, or another of floats.

        >>> NumpyOps().alloc4f(2, 3, 4, 5).shape
        (2, 3, 4, 5)
        """
        return self.alloc((d0, d1, d2, d3), dtype=dtype, zeros=zeros)

    def alloc_f(self, shape: Shape, *, dtype: Optional[DTypesFloat] = "float32", zeros: bool = True) -> FloatsXd:
        """A new array of floats; arbitrary numbers if zeros is False.

        shape: of the array.  dtype: one of floats.

        >>> NumpyOps().alloc_f((2, 3)).shape
        (2, 3)
        """
        return self.alloc(shape, dtype=dtype, zeros=zeros)

    def alloc1i(self, d0: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints1d:
        """A new array of integers (d0); arbitrary numbers if zeros is False.

        d0: its shape.  dtype: int32, or another of integers.

        >>> NumpyOps().alloc1i(2).shape
        (2,)
        """
        return self.alloc((d0,), dtype=dtype, zeros=zeros)

    def alloc2i(self, d0: int, d1: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints2d:
        """A new array of integers (d0, d1); arbitrary numbers if zeros is False.

        d0, d1: its shape.  dtype: int32, or another of integers.

        >>> NumpyOps().alloc2i(2, 3).shape
        (2, 3)
        """
        return self.alloc((d0, d1), dtype=dtype, zeros=zeros)

    def alloc3i(self, d0: int, d1: int, d2: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> Ints3d:
        """A new array of integers (d0, d1, d2); arbitrary numbers if zeros is False.

        d0, d1, d2: its shape.  dtype: int32, or another of integers.

        >>> NumpyOps().alloc3i(2, 3, 4).shape
        (2, 3, 4)
        """
        return self.alloc((d0, d1, d2), dtype=dtype, zeros=zeros)

    def alloc4i(
        self, d0: int, d1: int, d2: int, d3: int, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True
    ) -> Ints4d:
        """A new array of integers (d0, d1, d2, d3); arbitrary numbers if zeros is False.

        d0, d1, d2, d3: its shape.  dtype: int32, or another of integers.

        >>> NumpyOps().alloc4i(2, 3, 4, 5).shape
        (2, 3, 4, 5)
        """
        return self.alloc((d0, d1, d2, d3), dtype=dtype, zeros=zeros)

    def alloc_i(self, shape: Shape, *, dtype: Optional[DTypesInt] = "int32", zeros: bool = True) -> IntsXd:
        """A new array of integers; arbitrary numbers if zeros is False.

        shape: of the array.  dtype: one of integers.

        >>> NumpyOps().alloc_i((2, 3)).shape
        (2, 3)
        """
        return self.alloc(shape, dtype=dtype, zeros=zeros)

    # Shapes

    def reshape(self, array: ArrayT, shape: Shape) -> ArrayT:
        """The same numbers in another shape; -1 for what is left.

        array: of any kind.  shape: the new one.

        >>> ops = NumpyOps()
        >>> ops.reshape(ops.asarray1f([1, 2, 3, 4]), (2, -1)).shape
        (2, 2)
        """
        return cast(Any, array).reshape(shape)

    def reshape1(self, array: ArrayXd, d0: int) -> Array1d:
        """The same numbers with 1 axis; -1 for what is left.

        array: an array.  d0: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape1(ops.asarray1f([1, 2, 3, 4]), -1).shape
        (4,)
        """
        return cast(Any, array).reshape((d0,))

    def reshape2(self, array: ArrayXd, d0: int, d1: int) -> Array2d:
        """The same numbers with 2 axes; -1 for what is left.

        array: an array.  d0, d1: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape2(ops.asarray1f([1, 2, 3, 4]), 2, -1).shape
        (2, 2)
        """
        return cast(Any, array).reshape((d0, d1))

    def reshape3(self, array: ArrayXd, d0: int, d1: int, d2: int) -> Array3d:
        """The same numbers with 3 axes; -1 for what is left.

        array: an array.  d0, d1, d2: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape3(ops.asarray1f([1, 2, 3, 4]), 1, 2, -1).shape
        (1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4(self, array: ArrayXd, d0: int, d1: int, d2: int, d3: int) -> Array4d:
        """The same numbers with 4 axes; -1 for what is left.

        array: an array.  d0, d1, d2, d3: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape4(ops.asarray1f([1, 2, 3, 4]), 1, 1, 2, -1).shape
        (1, 1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape1f(self, array: FloatsXd, d0: int) -> Floats1d:
        """The same numbers with 1 axis; -1 for what is left.

        array: an array of floats.  d0: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape1f(ops.asarray1f([1, 2, 3, 4]), -1).shape
        (4,)
        """
        return cast(Any, array).reshape((d0,))

    def reshape2f(self, array: FloatsXd, d0: int, d1: int) -> Floats2d:
        """The same numbers with 2 axes; -1 for what is left.

        array: an array of floats.  d0, d1: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape2f(ops.asarray1f([1, 2, 3, 4]), 2, -1).shape
        (2, 2)
        """
        return cast(Any, array).reshape((d0, d1))

    def reshape3f(self, array: FloatsXd, d0: int, d1: int, d2: int) -> Floats3d:
        """The same numbers with 3 axes; -1 for what is left.

        array: an array of floats.  d0, d1, d2: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape3f(ops.asarray1f([1, 2, 3, 4]), 1, 2, -1).shape
        (1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4f(self, array: FloatsXd, d0: int, d1: int, d2: int, d3: int) -> Floats4d:
        """The same numbers with 4 axes; -1 for what is left.

        array: an array of floats.  d0, d1, d2, d3: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape4f(ops.asarray1f([1, 2, 3, 4]), 1, 1, 2, -1).shape
        (1, 1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape_f(self, array: FloatsXd, shape: Shape) -> FloatsXd:
        """The same numbers in another shape; -1 for what is left.

        array: of floats.  shape: the new one.

        >>> ops = NumpyOps()
        >>> ops.reshape_f(ops.asarray1f([1, 2, 3, 4]), (2, -1)).shape
        (2, 2)
        """
        return cast(Any, array).reshape(shape)

    def reshape1i(self, array: IntsXd, d0: int) -> Ints1d:
        """The same numbers with 1 axis; -1 for what is left.

        array: an array of integers.  d0: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape1i(ops.asarray1i([1, 2, 3, 4]), -1).shape
        (4,)
        """
        return cast(Any, array).reshape((d0,))

    def reshape2i(self, array: IntsXd, d0: int, d1: int) -> Ints2d:
        """The same numbers with 2 axes; -1 for what is left.

        array: an array of integers.  d0, d1: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape2i(ops.asarray1i([1, 2, 3, 4]), 2, -1).shape
        (2, 2)
        """
        return cast(Any, array).reshape((d0, d1))

    def reshape3i(self, array: IntsXd, d0: int, d1: int, d2: int) -> Ints3d:
        """The same numbers with 3 axes; -1 for what is left.

        array: an array of integers.  d0, d1, d2: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape3i(ops.asarray1i([1, 2, 3, 4]), 1, 2, -1).shape
        (1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2))

    def reshape4i(self, array: IntsXd, d0: int, d1: int, d2: int, d3: int) -> Ints4d:
        """The same numbers with 4 axes; -1 for what is left.

        array: an array of integers.  d0, d1, d2, d3: the new shape.

        >>> ops = NumpyOps()
        >>> ops.reshape4i(ops.asarray1i([1, 2, 3, 4]), 1, 1, 2, -1).shape
        (1, 1, 2, 2)
        """
        return cast(Any, array).reshape((d0, d1, d2, d3))

    def reshape_i(self, array: IntsXd, shape: Shape) -> IntsXd:
        """The same numbers in another shape; -1 for what is left.

        array: of integers.  shape: the new one.

        >>> ops = NumpyOps()
        >>> ops.reshape_i(ops.asarray1i([1, 2, 3, 4]), (2, -1)).shape
        (2, 2)
        """
        return cast(Any, array).reshape(shape)

    def tile(self, X: Floats2d, reps: int) -> Floats2d:
        """X repeated along its last axis.

        X: a matrix.  reps: how often.

        >>> ops = NumpyOps()
        >>> ops.tile(ops.asarray2f([[1, 2]]), 2)
        array([[1., 2., 1., 2.]], dtype=float32)
        """
        return self.xp.tile(X, reps)

    # Conversion

    def asarray(
        self, data: Union[ArrayXd, Sequence[ArrayXd], Sequence[Any]], *, dtype: Optional[DTypes] = None
    ) -> ArrayXd:
        """An array of this backend; data itself if it is one of the right dtype.

        Understands tensors with a `numpy()` method and arrays of a GPU.

        data: an array, a tensor or nested lists.  dtype: its own by default.

        >>> NumpyOps().asarray([[1, 2]], dtype="float32")
        array([[1., 2.]], dtype=float32)
        """
        value: Any = data
        if not isinstance(value, self.xp.ndarray):
            if hasattr(value, "numpy"):
                value = value.numpy()
            elif hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):
                value = value.get()
        return self.xp.asarray(value, dtype=dtype)

    def asarray1f(self, data: Union[Floats1d, Sequence[float]], *, dtype: Optional[DTypes] = "float32") -> Floats1d:
        """The data as an array of floats with 1 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: float32, or another of floats.

        >>> NumpyOps().asarray1f([1, 2])
        array([1., 2.], dtype=float32)
        """
        return cast(Floats1d, self.asarray(data, dtype=dtype))

    def asarray2f(
        self, data: Union[Floats2d, Sequence[Sequence[float]]], *, dtype: Optional[DTypes] = "float32"
    ) -> Floats2d:
        """The data as an array of floats with 2 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: float32, or another of floats.

        >>> NumpyOps().asarray2f([[1, 2]])
        array([[1., 2.]], dtype=float32)
        """
        return cast(Floats2d, self.asarray(data, dtype=dtype))

    def asarray3f(
        self, data: Union[Floats3d, Sequence[Sequence[Sequence[float]]]], *, dtype: Optional[DTypes] = "float32"
    ) -> Floats3d:
        """The data as an array of floats with 3 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: float32, or another of floats.

        >>> NumpyOps().asarray3f([[[1, 2]]])
        array([[[1., 2.]]], dtype=float32)
        """
        return cast(Floats3d, self.asarray(data, dtype=dtype))

    def asarray4f(
        self,
        data: Union[Floats4d, Sequence[Sequence[Sequence[Sequence[float]]]]],
        *,
        dtype: Optional[DTypes] = "float32",
    ) -> Floats4d:
        """The data as an array of floats with 4 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: float32, or another of floats.

        >>> NumpyOps().asarray4f([[[[1, 2]]]])
        array([[[[1., 2.]]]], dtype=float32)
        """
        return cast(Floats4d, self.asarray(data, dtype=dtype))

    def asarray_f(self, data: Union[FloatsXd, Sequence[Any]], *, dtype: Optional[DTypes] = "float32") -> FloatsXd:
        """The data as an array of floats; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: one of floats.

        >>> NumpyOps().asarray_f([[1, 2]])
        array([[1., 2.]], dtype=float32)
        """
        return cast(FloatsXd, self.asarray(data, dtype=dtype))

    def asarray1i(self, data: Union[Ints1d, Sequence[int]], *, dtype: Optional[DTypes] = "int32") -> Ints1d:
        """The data as an array of integers with 1 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: int32, or another of integers.

        >>> NumpyOps().asarray1i([1, 2])
        array([1, 2], dtype=int32)
        """
        return cast(Ints1d, self.asarray(data, dtype=dtype))

    def asarray2i(self, data: Union[Ints2d, Sequence[Sequence[int]]], *, dtype: Optional[DTypes] = "int32") -> Ints2d:
        """The data as an array of integers with 2 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: int32, or another of integers.

        >>> NumpyOps().asarray2i([[1, 2]])
        array([[1, 2]], dtype=int32)
        """
        return cast(Ints2d, self.asarray(data, dtype=dtype))

    def asarray3i(
        self, data: Union[Ints3d, Sequence[Sequence[Sequence[int]]]], *, dtype: Optional[DTypes] = "int32"
    ) -> Ints3d:
        """The data as an array of integers with 3 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: int32, or another of integers.

        >>> NumpyOps().asarray3i([[[1, 2]]])
        array([[[1, 2]]], dtype=int32)
        """
        return cast(Ints3d, self.asarray(data, dtype=dtype))

    def asarray4i(
        self, data: Union[Ints4d, Sequence[Sequence[Sequence[Sequence[int]]]]], *, dtype: Optional[DTypes] = "int32"
    ) -> Ints4d:
        """The data as an array of integers with 4 axes; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: int32, or another of integers.

        >>> NumpyOps().asarray4i([[[[1, 2]]]])
        array([[[[1, 2]]]], dtype=int32)
        """
        return cast(Ints4d, self.asarray(data, dtype=dtype))

    def asarray_i(self, data: Union[IntsXd, Sequence[Any]], *, dtype: Optional[DTypes] = "int32") -> IntsXd:
        """The data as an array of integers; itself if it is one of that dtype.

        data: an array or nested lists.  dtype: one of integers.

        >>> NumpyOps().asarray_i([[1, 2]])
        array([[1, 2]], dtype=int32)
        """
        return cast(IntsXd, self.asarray(data, dtype=dtype))

    def as_contig(self, data: ArrayT, dtype: Optional[DTypes] = None) -> ArrayT:
        """data itself if it is C-contiguous and of that dtype, else a copy.

        data: an array.  dtype: its own by default.

        >>> ops = NumpyOps()
        >>> X = ops.alloc2f(2, 3)
        >>> ops.as_contig(X) is X, ops.as_contig(X.T).flags.c_contiguous
        (True, True)
        """
        array: Any = data
        if array.flags["C_CONTIGUOUS"] and (dtype is None or array.dtype == dtype):
            return data
        return self.xp.ascontiguousarray(array, dtype=dtype)

    def to_numpy(self, data: Any, *, byte_order: Optional[str] = None) -> numpy.ndarray:
        """data as a numpy array; with a byte order ("<", ">", "="), stored in it.

        >>> NumpyOps().to_numpy(numpy.ones(2, dtype="f"), byte_order=">").dtype.str
        '>f4'
        """
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
