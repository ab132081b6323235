"""Every op on odd arrays: see grid.py, which says how a call may end."""

import copy
import subprocess
import sys

import numpy
import pytest

from tests.cases.ops import CASES
from thinc.api import NumpyOps, Ops
from thinc.backends._kernels import gemm

from . import grid
from .guarded import was_killed

BY_NAME = {str(case): case for case in CASES}
rows = pytest.mark.parametrize("case", CASES, ids=str)
# The readable formulas take the dtypes and containers that NumPy takes, and in NumPy's own words.
FLOAT_ARGUMENTS = [case for case in CASES if any(grid.is_floats(v) for v in grid.arguments(case))]


def every_layout(ops, case, close=None):
    want = grid.truth(case, grid.arguments(case))
    assert not isinstance(want, Exception), want
    for layout in grid.LAYOUTS:
        call_args, in_layout = grid.in_layout(case, layout)
        try:
            assert grid.check(ops, in_layout, call_args, may_refuse=False, close=close, want=want)
        except AssertionError as error:
            raise AssertionError(f"{case} with {layout.__name__} arrays: {error}") from None


@rows
def test_layouts(ops, case):
    every_layout(ops, case)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(67, 129, 35, 3, 41), (1, 1, 1, 1, 3), (9, 300, 130, 2, 300)], ids=str)
def test_layouts_of_other_sizes(fast_ops, sizes):
    """(the ulp of a row are those of its own sizes: longer sums round more)"""
    for case in grid.rows_of_other_sizes(*sizes):
        every_layout(fast_ops, case, close=1e-3)


@pytest.mark.parametrize("engine", [e for e in gemm.engines() if e != "native"])
@pytest.mark.parametrize("case", [c for c in CASES if c.name in ("gemm", "affine", "affine_maxout")], ids=str)
def test_layouts_by_every_engine(case, engine):
    before = gemm.engine_name()
    gemm.use_engine(engine)
    try:
        every_layout(NumpyOps(), case)
    finally:
        gemm.use_engine(before)


@pytest.mark.parametrize("case", [c for c in CASES if grid.overlapping(c) is not None], ids=str)
def test_what_lies_over_what_is_changed(ops, case):
    """(as if it did not)"""
    call_args = grid.overlapping(case)
    want = grid.truth(case, copy.deepcopy(call_args))
    if type(ops) is Ops:
        pytest.skip("the readable formulas change one after the other, as NumPy does")
    grid.check(ops, case, call_args, may_refuse=False, want=want)


@pytest.mark.parametrize("name", ["relu", "swish", "mish", "gelu"])
@pytest.mark.parametrize("shift", [-9, -1, 0, 1, 9])
def test_gradients_in_place_over_what_they_read(fast_ops, name, shift):
    buffer = numpy.random.RandomState(0).normal(size=120).astype("f")
    case = BY_NAME["backprop_" + name]
    dY = buffer[20:100]
    saved = [buffer[20 + shift : 100 + shift] for _ in range(len(grid.arguments(case)) - 1)]
    want = getattr(Ops(), case.name)(dY.astype("d"), *(a.astype("d") for a in saved))
    assert getattr(fast_ops, case.name)(dY, *saved, inplace=True) is dY
    numpy.testing.assert_allclose(dY, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", FLOAT_ARGUMENTS, ids=str)
def test_dtypes(ops, case):
    """All floats of a call in another dtype: the numbers of a float64 copy, or an error."""
    for dtype, convert in grid.DTYPES.items():
        call_args = grid.in_dtype(case, convert)
        close = grid.tolerance(dtype)
        try:
            grid.check(ops, case, call_args, may_refuse=dtype != "float64", close=close)
        except AssertionError as error:
            raise AssertionError(f"{case} in {dtype}: {error}") from None


@rows
def test_integers_of_any_type(ops, case):
    """Lengths, ids, indices and classes in each integer type (int8 rows are weights): the same, or an error."""
    call_args = grid.arguments(case)
    if not any(isinstance(v, numpy.ndarray) and v.dtype.kind in "iu" for v in (*call_args, *case.kwargs.values())):
        return
    for dtype in grid.INTEGERS:

        def convert(array, dtype=dtype):
            fits = array.dtype.kind in "iu" and array.dtype != "int8" and (array.astype(dtype) == array).all()
            return array.astype(dtype) if fits else array

        fresh = grid.map_arrays(grid.arguments(case), convert)
        kwargs = {key: grid.map_arrays(value, convert) for key, value in case.kwargs.items()}
        changed = grid.dataclasses.replace(case, kwargs=kwargs)
        if case.name == "scatter_add" and -1 in fresh[1]:
            continue  # (in other integers a negative index counts from the end)
        grid.check(ops, changed, fresh, may_refuse=False, want=grid.truth(case, grid.arguments(case)))


@rows
def test_shapes(fast_ops, case):
    """One argument in another shape: what the readable formula answers, or an error where that has one."""
    for position, value in enumerate(grid.arguments(case)):
        if not isinstance(value, numpy.ndarray):
            continue
        for name, reshape in grid.SHAPES.items():
            if value.ndim == 0 or not value.size:
                continue
            call_args = list(grid.arguments(case))
            call_args[position] = numpy.ascontiguousarray(reshape(value)) if name != "0-d" else reshape(value).copy()
            want = grid.truth(case, call_args)
            try:
                grid.check(fast_ops, case, call_args, may_refuse=True, want=want)
            except AssertionError as error:
                raise AssertionError(f"{case}, argument {position}, {name}: {error}") from None


class Foreign:
    """An array of another library."""

    def __init__(self, array):
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size


CONTAINERS = {"list": lambda a: a.tolist(), "foreign": Foreign, "text": lambda a: "text", "none": lambda a: None}


@rows
def test_containers(fast_ops, case):
    """What is no array is refused by name, or used as the numbers it holds."""
    for position, value in enumerate(grid.arguments(case)):
        if not isinstance(value, numpy.ndarray):
            continue
        for name, make in CONTAINERS.items():
            call_args = list(grid.arguments(case))
            call_args[position] = make(value)
            if name == "none" and case.name == "optimizer_step" and position == 4:
                continue  # (without an average)
            try:
                grid.check(fast_ops, case, call_args, may_refuse=True, want=grid.truth(case, grid.arguments(case)))
            except AssertionError as error:
                raise AssertionError(f"{case}, argument {position} as {name}: {error}") from None


def test_out_with_rows_apart(fast_ops):
    X, Y = numpy.random.RandomState(0).normal(size=(2, 5, 5)).astype("f")
    for view in (slice(0, 5), slice(7, 12)):
        wide = numpy.full((10, 12), 99, dtype="f")
        out = wide[::2, view]
        fast_ops.gemm(X, Y, out=out)
        numpy.testing.assert_allclose(out, X @ Y, rtol=1e-5, atol=1e-5)
        wide[::2, view] = 99
        assert (wide == 99).all()
        assert fast_ops.position_encode(5, 5, out=out) is out
        numpy.testing.assert_allclose(out, Ops().position_encode(5, 5), rtol=1e-5, atol=1e-6)


# ---- the grid finds what it is for: each of these faults was planted


def answers_none(self, X):
    return None


def takes_the_stride(self, X):
    """The sum of rows, which are where the first stride says, of what is not even contiguous."""
    flat = numpy.lib.stride_tricks.as_strided(X, X.shape, (X.shape[1] * X.itemsize, X.itemsize))
    return flat.sum(axis=0)


def reads_at_even_addresses(self, X):
    """As a kernel does that takes an unaligned array for an aligned one."""
    address = X.ctypes.data // X.itemsize * X.itemsize
    X = numpy.ascontiguousarray(X)
    if X.flags.aligned:
        return X.sum(axis=0)
    block = (numpy.ctypeslib.ctypes.c_char * X.nbytes).from_address(address)
    return numpy.frombuffer(block, dtype=X.dtype).reshape(X.shape).sum(axis=0)


def forgets_the_byte_order(self, X):
    return X.view(X.dtype.newbyteorder("=")).sum(axis=0)


PLANTED = [answers_none, takes_the_stride, reads_at_even_addresses, forgets_the_byte_order]


@pytest.mark.parametrize("fault", PLANTED, ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore")
def test_planted_faults_are_found(fault, monkeypatch):
    monkeypatch.setattr(NumpyOps, "sum_rows", fault)
    with pytest.raises(AssertionError, match="sum_rows with"):
        every_layout(NumpyOps(), BY_NAME["sum_rows"])


def touch(self, X, offset, write):
    """The sum of rows, and one number read or written beside the array."""
    import ctypes

    number = ctypes.c_float.from_address(numpy.ascontiguousarray(X).ctypes.data + offset)
    if write:
        number.value = 1.0
    return X.sum(axis=0) + 0 * number.value


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("offset", ["X.nbytes", "-4"])
def test_a_planted_access_beside_an_array_kills_the_process(offset, write):
    code = (
        "from tests.backends import grid, test_grid\n"
        "from thinc.api import NumpyOps\n"
        f"NumpyOps.sum_rows = lambda self, X: test_grid.touch(self, X, {offset}, {write})\n"
        "case = test_grid.BY_NAME['sum_rows']\n"
        "want = grid.truth(case, grid.arguments(case))\n"
        "for layout in (grid.before_a_guard, grid.behind_a_guard):\n"
        "    args, _ = grid.in_layout(case, layout)\n"
        "    grid.check(NumpyOps(), case, args, False, close=1e-3, want=want)\n"
        "print('survived')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert was_killed(done) and "survived" not in done.stdout, (done.returncode, done.stderr[-500:])
