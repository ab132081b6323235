"""What lies in memory is read and written as NumPy says it lies, and nothing beside it."""

import subprocess
import sys

import numpy
import pytest
from numpy.testing import assert_array_equal

from thinc.api import NumpyOps
from thinc.backends._kernels import gemm

from .guarded import PAGE, guarded, guarded_bytes, was_killed


def unaligned(array):
    """A copy, contiguous, at an address that is no multiple of its items."""
    block = numpy.empty(array.nbytes + 1, dtype="uint8")
    copy = block[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert not copy.flags.aligned and copy.flags.c_contiguous
    return copy


@pytest.fixture(params=gemm.engines())
def engine(request):
    before = gemm.engine_name()
    gemm.use_engine(request.param)
    yield request.param
    gemm.use_engine(before)


def cuts(width):
    """Arrays (1, width) and (0, width) whose rows have a stride that says nothing about their size."""
    wide = numpy.arange(3 * 64, dtype="f").reshape((3, 64))
    yield wide[:1, :width]
    yield numpy.broadcast_to(wide[0, :width], (1, width))
    yield wide[::3, :width]
    yield numpy.lib.stride_tricks.as_strided(wide[0, :width], (1, width), (-4, 4))


@pytest.mark.parametrize("width", [0, 1, 2, 63])
def test_sizes_of_rows_come_from_their_shape(fast_ops, width):
    """(the stride of an axis of length 0 or 1 means nothing)"""
    one = numpy.ones(1, dtype="i")
    for X in cuts(width):
        for op in ("reduce_first", "reduce_last"):
            Y, rows = getattr(fast_ops, op)(X, one)
            assert_array_equal(Y, X)
            assert_array_equal(getattr(fast_ops, f"backprop_{op}")(X, rows), X)


@pytest.mark.parametrize("op", ["reduce_first", "reduce_last"])
def test_a_row_cut_from_a_wider_array_often(op):
    """Writing past the end is found by the allocator only, so a process of its own does it many times."""
    code = (
        "import numpy; from thinc.api import NumpyOps, Ragged, {op}\n"
        "for width in [2, 1] * 500:\n"
        "    X = Ragged(numpy.ones((1, 64), 'f4')[:, :width], numpy.ones(1, 'i4'))\n"
        "    assert {op}().predict(X).shape == (1, width)\n"
    )
    done = subprocess.run([sys.executable, "-c", code.format(op=op)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("trans1", [False, True])
@pytest.mark.parametrize("trans2", [False, True])
def test_products_of_unaligned_matrices(engine, dtype, trans1, trans2):
    random = numpy.random.RandomState(0)
    X, Y = random.normal(size=(7, 5)).astype(dtype), random.normal(size=(5, 3)).astype(dtype)
    x, y = (X.T.copy() if trans1 else X), (Y.T.copy() if trans2 else Y)
    ops = NumpyOps()
    want = ops.gemm(x, y, trans1=trans1, trans2=trans2)
    for a, b in ((unaligned(x), y), (x, unaligned(y)), (unaligned(x), unaligned(y))):
        assert_array_equal(ops.gemm(a, b, trans1=trans1, trans2=trans2), want)
    out = unaligned(numpy.full((7, 3), 9, dtype=dtype))
    assert ops.gemm(x, y, out=out, trans1=trans1, trans2=trans2) is out
    assert_array_equal(out, want)


def test_an_empty_sum_fills_the_rows_of_out_alone(engine):
    """(which lie apart)"""
    for dtype in ("f", "d"):
        wide = numpy.full((4, 8), 7, dtype=dtype)
        X, Y = numpy.zeros((4, 0), dtype=dtype), numpy.zeros((0, 3), dtype=dtype)
        NumpyOps().gemm(X, Y, out=wide[:, 2:5])
        assert not wide[:, 2:5].any()
        assert (wide[:, :2] == 7).all() and (wide[:, 5:] == 7).all()


def test_guards_are_there():
    for at_end in (True, False):
        array = guarded(numpy.arange(5.0), at_end)
        assert array.tolist() == [0, 1, 2, 3, 4]
        code = (
            "import ctypes; from tests.backends.guarded import guarded_bytes\n"
            f"block = guarded_bytes(40, {at_end}); start = block.ctypes.data\n"
            "print(sum(ctypes.string_at(start, 40)), flush=True)\n"
            f"ctypes.string_at(start + {40 if at_end else -1}, 1); print('not reached')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert was_killed(done) and done.stdout == "0\n", done
    assert guarded_bytes(0).nbytes == 0 and guarded_bytes(PAGE + 1).nbytes == PAGE + 1
