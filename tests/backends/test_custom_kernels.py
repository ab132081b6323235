"""The kernels by the names of the interface, over the emulation: numbers, checks, launches of any shape."""

import numpy
import pytest

from tests.backends import emulation
from tests.checks import assert_ulp
from thinc.backends import Ops
from thinc.backends import _custom_kernels as kernels

pytestmark = pytest.mark.skipif(emulation.COMPILER is None, reason="there is no g++ to compile the kernels for the CPU")


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu():
    with emulation.emulated():
        yield


def rows(*shape, dtype="float32"):
    return numpy.random.RandomState(sum(shape)).normal(size=shape).astype(dtype)


LENGTHS = numpy.array([3, 1, 4], dtype="int32")
LAUNCH = {"threads_per_block": 32, "num_blocks": 2}
ACTIVATIONS = {
    "clipped_linear": {"slope": 0.5, "offset": 0.1, "min_val": -0.2, "max_val": 0.3},
    "dish": {},
    "gelu": {},
    "mish": {"threshold": 20.0},
    "swish": {},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, dtype):
    settings = ACTIVATIONS[name]
    X, dY = rows(7, 5, dtype=dtype), rows(5, 7, dtype=dtype).T
    wide = X.astype("float64")
    truth = getattr(Ops(), name)(wide, **settings)
    assert_ulp(getattr(kernels, name)(X, **settings, **LAUNCH), truth, 8)
    strided = numpy.repeat(X, 2, axis=1)[:, ::2]
    assert getattr(kernels, name)(strided, inplace=True, **settings) is strided
    assert_ulp(strided, truth, 8)
    saved = (X, truth.astype(dtype)) if name == "swish" else (X,)
    truth = getattr(Ops(), f"backprop_{name}")(dY.astype("float64"), *(a.astype("float64") for a in saved), **settings)
    got = getattr(kernels, f"backprop_{name}")(dY, *saved, **settings, **LAUNCH)
    assert_ulp(got, truth, 16, 4)
    with pytest.raises(ValueError, match="incorrect shape"):
        getattr(kernels, f"backprop_{name}")(dY[1:], *saved)


@pytest.mark.parametrize("name", ["hard_swish", "hard_swish_mobilenet"])
def test_gradients_without_a_forward_kernel(name):
    X, dY = rows(7, 5), rows(7, 5) + 1
    truth = getattr(Ops(), f"backprop_{name}")(dY.astype("f8"), X.astype("f8"))
    assert_ulp(getattr(kernels, f"backprop_{name}")(dY, X), truth, 8)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_windows(lengths):
    X, dY = rows(8, 3), rows(8, 15)
    ops = Ops()
    got = kernels.seq2col(X, 2, lengths=lengths, **LAUNCH)
    assert numpy.array_equal(got, ops.seq2col(X, 2, lengths=lengths))
    got = kernels.backprop_seq2col(dY, 2, lengths=lengths, **LAUNCH)
    assert got == pytest.approx(ops.backprop_seq2col(dY, 2, lengths=lengths), abs=1e-5)


def test_maxout():
    X = rows(7, 3, 2)
    best, which = kernels.maxout(X, **LAUNCH)
    expected = Ops().maxout(X)
    assert numpy.array_equal(best, expected[0]) and numpy.array_equal(which, expected[1])
    dY = rows(7, 3)
    got = kernels.backprop_maxout(dY, which, 2, **LAUNCH)
    assert numpy.array_equal(got, Ops().backprop_maxout(dY, which, 2))
    with pytest.raises(IndexError, match="index 2 is out of bounds for maxout with size 2"):
        kernels.backprop_maxout(dY, which + 1 + (which == 0), 2)
    with pytest.raises(AssertionError):
        kernels.backprop_maxout(dY, which.astype("int64"), 2)


@pytest.mark.parametrize("name", ["reduce_sum", "reduce_mean", "reduce_max"])
def test_reductions(name):
    X = rows(8, 3)
    got = getattr(kernels, name)(X, LENGTHS, **LAUNCH)
    expected = getattr(Ops(), name)(X, LENGTHS)
    saved = ()
    if name == "reduce_max":
        assert numpy.array_equal(got[1], expected[1])
        saved, got, expected = (got[1],), got[0], expected[0]
    assert got == pytest.approx(expected, abs=1e-6)
    dY = rows(3, 3)
    got = getattr(kernels, f"backprop_{name}")(dY, *saved, LENGTHS, **LAUNCH)
    expected = getattr(Ops(), f"backprop_{name}")(dY, *saved, LENGTHS)
    assert got == pytest.approx(expected, abs=1e-6)
    with pytest.raises(IndexError, match="sum up to the batch size"):
        getattr(kernels, name)(X[1:], LENGTHS)
    with pytest.raises(ValueError, match="must be >="):
        getattr(kernels, name)(X, LENGTHS * numpy.array([1, -1, 1], dtype="int32"))
    with pytest.raises(AssertionError, match="32-bit"):
        getattr(kernels, name)(X, LENGTHS.astype("int64"))


def test_which_row_is_checked():
    which = numpy.array([[0], [1], [0]], dtype="int32")
    with pytest.raises(IndexError, match="index 1"):
        kernels.backprop_reduce_max(rows(3, 1), which, LENGTHS)


def test_embeddings():
    table, indices = rows(11, 3), numpy.array([[0, 10], [3, 3]], dtype="int32")
    got = kernels.gather_add(table, indices, **LAUNCH)
    assert got == pytest.approx(Ops().gather_add(table, indices))
    with pytest.raises(IndexError, match="table of 11 rows"):
        kernels.gather_add(table, indices + 1)
    ids = numpy.array([0, 1, 2**63], dtype="uint64")
    assert numpy.array_equal(kernels.hash(ids, 7, **LAUNCH), Ops().hash(ids, 7))


def test_pad():
    seqs = [rows(3, 2), rows(1, 2)]
    got = kernels.pad(seqs, round_to=4, **LAUNCH)
    assert numpy.array_equal(got, Ops().pad(seqs, round_to=4))
    for bad, round_to in (([], 1), (seqs, 0), ([rows(3, 2), rows(3, 3)], 1)):
        with pytest.raises(ValueError):
            kernels.pad(bad, round_to)
    with pytest.raises(AssertionError):
        kernels.pad([rows(3, 2).astype("int8")])


def test_other_dtypes_are_refused():
    with pytest.raises(AssertionError, match="only handle float32 and float64"):
        kernels.mish(rows(2, 2).astype("float16"))


def test_names():
    assert len(kernels.KERNELS_LIST) == len(set(kernels.KERNELS_LIST)) == 48
    for name in kernels.KERNELS_LIST:
        assert f"emulate_{kernels._symbol(name)}" and hasattr(
            emulation.compiled(kernels.KERNELS_SRC), f"emulate_{kernels._symbol(name)}"
        )


@pytest.mark.skipif(kernels.KERNELS is not None, reason="there is a GPU")
def test_without_a_gpu_the_call_says_so():
    with pytest.raises(ValueError, match="couldn't compile Cupy kernel 'mish<float>'"):
        kernels.mish_kernel_float((1,), (32,), ())
    with pytest.raises(ValueError, match="couldn't compile Cupy kernel 'hash_data'"):
        kernels.hash_data_kernel((1,), (32,), ())
    assert kernels.compile_mmh() is None


def test_a_kernel_is_compiled_once():
    calls = []
    kernel = kernels.LazyKernel("own", compile_callback=lambda: calls.append)
    kernel(1)
    kernel(2)
    assert calls == [1, 2]
