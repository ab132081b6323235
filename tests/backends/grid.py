"""Odd arrays for every op: the rows of tests/cases/ops.py in any layout, dtype and container.

A call of the grid ends in one of two ways: the numbers of the readable formula on contiguous float64 copies, or an
error that says what was wrong. Never None where the row has an answer, never another number, never a dead process.
"""

import copy
import dataclasses
from pathlib import Path

import numpy

from tests.cases import OpCase
from tests.cases import ops as rows
from tests.checks import assert_ulp
from thinc.api import Ops

from .guarded import guarded

# What an op may say of arrays it does not take.
REFUSALS = (TypeError, ValueError, IndexError, AssertionError, OverflowError, NotImplementedError)


def rows_of_other_sizes(*sizes):
    """The rows with other dimensions: wider than vectors, and than what is unrolled."""
    source = Path(rows.__file__).read_text()
    old = "N, nI, nO, nP, nV = 7, 5, 3, 2, 11"
    assert old in source
    names = {"__name__": rows.__name__, "__package__": rows.__package__}
    exec(compile(source.replace(old, f"N, nI, nO, nP, nV = {sizes}"), rows.__file__, "exec"), names)
    return names["CASES"]


# ---- layouts: the same numbers, elsewhere in memory


def strided(array):
    wide = numpy.full(tuple(2 * n for n in array.shape), 99, dtype=array.dtype)
    return _filled(wide[tuple(slice(None, None, 2) for _ in array.shape)], array)


def reversed_(array):
    return _filled(numpy.empty_like(array)[tuple(slice(None, None, -1) for _ in array.shape)], array)


def unaligned(array):
    block = numpy.empty(array.nbytes + 1, dtype="uint8")
    return _filled(block[1:].view(array.dtype).reshape(array.shape), array)


def fortran(array):
    return numpy.asfortranarray(array)


def cut(array):
    """From an array with more columns."""
    wide = numpy.full((*array.shape[:-1], array.shape[-1] + 61), 99, dtype=array.dtype) if array.ndim else array
    return _filled(wide[..., 30 : 30 + array.shape[-1]], array) if array.ndim else array


def swapped(array):
    return array.astype(array.dtype.newbyteorder("S"))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def before_a_guard(array):
    return guarded(array, at_end=True)


def behind_a_guard(array):
    return guarded(array, at_end=False)


def _filled(view, array):
    view[...] = array
    return view


LAYOUTS = [fortran, strided, reversed_, unaligned, cut, swapped, read_only, before_a_guard, behind_a_guard]


# ---- dtypes


def whole(array):
    return numpy.round(array * 4)


DTYPES = {
    "float16": lambda array, i: array.astype("float16"),
    "float64": lambda array, i: array.astype("float64"),
    "longdouble": lambda array, i: array.astype("longdouble"),
    "int8": lambda array, i: whole(array).astype("int8"),
    "int32": lambda array, i: whole(array).astype("int32"),
    "uint64": lambda array, i: abs(whole(array)).astype("uint64"),
    "bool": lambda array, i: array > 0,
    "object": lambda array, i: array.astype(object),
    "complex64": lambda array, i: array.astype("complex64"),
    "mixed": lambda array, i: array.astype("float64" if i % 2 else "float32"),
    "mixed the other way": lambda array, i: array.astype("float32" if i % 2 else "float64"),
}
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4", ">i8", ">u8"]


# ---- shapes, which do not fit any more: of one argument at a time

SHAPES = {
    "0-d": lambda array: array.ravel()[:1].reshape(()),
    "empty": lambda array: array[:0],
    "no columns": lambda array: array[..., :0],
    "one row": lambda array: array[:1],
    "a row more": lambda array: numpy.concatenate([array, array[:1]]),
    "a column less": lambda array: array[..., :-1],
    "flat": lambda array: array.ravel(),
    "an axis more": lambda array: array[..., None],
}


# ---- calls


def map_arrays(value, function):
    if isinstance(value, numpy.ndarray):
        return function(value)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(map_arrays(item, function) for item in value)
    return value


def arguments(case: OpCase, dtype="float32", seed=0):
    return case.args(numpy.random.RandomState(seed), dtype)


def is_floats(value):
    return isinstance(value, numpy.ndarray) and value.dtype.kind == "f"


def plain(array):
    """A contiguous copy; floats, integers that stand for floats and booleans in float64."""
    return numpy.array(array, dtype="float64" if array.dtype.kind in "fbO" else array.dtype.newbyteorder("="))


def outputs(case, call_args, result):
    """Everything the call produced, as a flat list."""
    parts = [call_args[position] for position in case.mutates]
    if case.name == "adam":
        return parts  # it hands out its arguments; the gradient is emptied by some
    stack = [result]
    while stack:
        item = stack.pop(0)
        if isinstance(item, (tuple, list)):
            stack.extend(item)
        elif isinstance(item, (numpy.ndarray, numpy.generic)):
            parts.append(item)
    return parts


def run(ops, case, call_args):
    result = getattr(ops, case.name)(*call_args, **case.kwargs)
    return outputs(case, call_args, result)


def truth(case, call_args, widened=True):
    """What the readable formula gives for copies; an error if it raises one."""
    wide = map_arrays(call_args, plain) if widened else copy.deepcopy(call_args)
    try:
        return run(Ops(), case, wide)
    except REFUSALS as error:
        return error


def tolerance(dtype):
    return {"float16": 3e-2}.get(str(dtype), 2e-3)


def check(ops, case, call_args, may_refuse, close=None, want=None):
    """Call it, and compare; `may_refuse`: an error is an answer, too. Returns whether there were numbers."""
    if want is None:
        want = truth(case, call_args)
    try:
        got = run(ops, case, call_args)
    except REFUSALS as error:
        assert may_refuse or isinstance(want, Exception), f"refused: {type(error).__name__}: {error}"
        assert str(error) and "NoneType" not in str(error), repr(error)
        return False
    assert not isinstance(want, Exception), f"an answer {got} where the readable formula raises {want!r}"
    assert len(got) == len(want) and (got or want == []), f"{len(got)} results, expected {len(want)}"
    for one, other in zip(got, want):
        compare(case, numpy.asarray(one), numpy.asarray(other), close)
    return True


def compare(case, one, other, close):
    assert one.shape == other.shape, f"shape {one.shape}, expected {other.shape}"
    if other.dtype.kind not in "f":
        numpy.testing.assert_array_equal(one.astype(other.dtype), other)
    elif close is None:
        # One number twice as far as in a row of its own: positions and sums of odd layouts round in another order.
        factor = 2 if one.dtype == "float64" else 1
        assert_ulp(one, other, (0 if case.exact else case.ulp) * factor, case.atol * factor)
    else:
        scale = numpy.nanmax(numpy.abs(other), initial=1e-3, where=numpy.isfinite(other))
        numpy.testing.assert_allclose(one.astype("float64"), other, rtol=close, atol=close * scale)


def in_layout(case, layout):
    """The arguments of a row with all arrays in a layout; those that are changed in place stay writeable."""
    args = list(arguments(case))
    for position, value in enumerate(args):
        if layout is read_only and (position in case.mutates or case.name == "adam" and position == 1):
            continue
        args[position] = map_arrays(value, layout)
    return tuple(args), dataclasses.replace(case, kwargs={k: map_arrays(v, layout) for k, v in case.kwargs.items()})


def in_dtype(case, convert):
    """The arguments of a row with all floats converted, given the number of the array among them."""
    n = 0

    def as_dtype(array):
        nonlocal n
        n += 1
        return convert(array, n) if array.dtype.kind == "f" else array

    return map_arrays(arguments(case), as_dtype)


def overlapping(case):
    """Arguments of which one is changed in place while another lies half over it; None if there are not two such."""
    args = list(arguments(case))
    changed = [i for i in case.mutates if is_floats(args[i])]
    read = [i for i, value in enumerate(args) if is_floats(value) and i not in case.mutates]
    if not changed or not read or case.name in ("adam", "optimizer_step"):
        return None  # (arrays of a step share no memory)
    a, b = args[changed[0]], args[read[0]]
    buffer = numpy.empty(a.size + b.size, dtype=a.dtype)
    start = a.size // 2
    buffer[start : start + b.size] = b.ravel()
    buffer[: a.size] = a.ravel()
    args[changed[0]] = buffer[: a.size].reshape(a.shape)
    args[read[0]] = buffer[start : start + b.size].reshape(b.shape)
    return tuple(args)
