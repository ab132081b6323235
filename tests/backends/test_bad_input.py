"""Bad input to ops: the same kind of error from both backends, which says what was wrong; nothing is changed."""

import copy

import numpy
import pytest

from thinc.api import NumpyOps, Ops, get_ops, set_gpu_allocator, use_ops
from thinc.backends import cupy_ops
from thinc.backends.numpy_ops import add_gradient_noise, check_seq2col_lengths
from thinc.util import gpu_is_available

F = numpy.ones((4, 3), dtype="f")
IDS = numpy.array([0, 1, 2, 3], dtype="uint64")
LENGTHS = numpy.array([1, 3], dtype="i")
WHICH = numpy.zeros((2, 3), dtype="i")
KEYS = (IDS, numpy.ones(4, dtype="f"), LENGTHS)


def ints(*values):
    return numpy.array(values, dtype="i")


# op, arguments, error, part of its message
BAD = [
    ("maxout", (F,), ValueError, "3"),
    ("maxout", (numpy.ones((4, 3, 0), "f"),), ValueError, "at least one piece"),
    ("backprop_maxout", (F, WHICH, 2), ValueError, "(2, 3)"),
    ("backprop_maxout", (F[:2], WHICH + 2, 2), IndexError, "index 2"),
    ("backprop_maxout", (F[:2], WHICH - 1, 2), IndexError, "index -1"),
    ("gather_add", (F, ints(0, 1)), ValueError, "1"),
    ("gather_add", (F, ints(7).reshape((1, 1))), IndexError, "7"),
    ("gather_add", (F, F[:1]), TypeError, "integer"),
    ("scatter_add", (F, ints(9), F[:1]), IndexError, "9"),
    ("scatter_add", (F, numpy.array([-5]), F[:1]), IndexError, "-5"),
    ("hash", (IDS, -1), OverflowError, "32 bits"),
    ("hash", (IDS.reshape((2, 2)), 1), TypeError, "one-dimensional"),
    ("hash", (F[0], 1), ValueError, "integer"),
    ("hash_embed", (F[:0], IDS, 1), ValueError, "no rows"),
    ("backprop_hash_embed", (F, F[:2], IDS, 1), ValueError, "(4, 3)"),
    ("sparse_linear", (IDS, KEYS[1], ints(-1, 5), F.ravel(), F[0], 3, 4, False), ValueError, "-1"),
    ("sparse_linear", (IDS, KEYS[1], ints(1, 1), F.ravel(), F[0], 3, 4, False), ValueError, "sum to 2"),
    ("backprop_sparse_linear", (F.ravel(), F[0], F, *KEYS, 3, 4, False), ValueError, "(2, 3)"),
    ("seq2col", (F, -1), ValueError, "-1"),
    ("windows", (F, -1), ValueError, "-1"),
    ("windows", (F[0], 1), ValueError, "1"),
    ("backprop_seq2col", (F[0], 1), ValueError, "1"),
    ("backprop_seq2col", (F[:, :2], 1), ValueError, "2"),
    ("reduce_sum", (F, ints(1, 1)), (ValueError, IndexError), "2"),
    ("reduce_sum", (F, ints(-1, 5)), ValueError, "-1"),
    ("reduce_sum", (F, LENGTHS.reshape((1, 2))), ValueError, "1"),
    ("reduce_sum", (F, LENGTHS.astype("f")), ValueError, ""),
    ("reduce_max", (F, ints(0, 4)), ValueError, ""),
    ("backprop_reduce_max", (F[:2], WHICH[:1], LENGTHS), ValueError, "(1, 3)"),
    ("backprop_reduce_max", (F[:2], WHICH + 5, LENGTHS), IndexError, "5"),
    ("backprop_reduce_mean", (F, LENGTHS), ValueError, ""),
    ("softmax_sequences", (F, ints(1, 1)), (ValueError, IndexError), ""),
    ("backprop_softmax_sequences", (F, F[:2], LENGTHS), ValueError, "shape"),
    ("adam", (F, F[:2], F, F, 0.9, 0.99, 1e-8, 0.1), ValueError, ""),
    ("relu", ("text",), TypeError, "str"),
    ("backprop_relu", ("text", F), TypeError, "str"),
    ("layer_norm", ("text", F[0], F[0]), TypeError, "str"),
    ("asarray", ({"a": 1},), TypeError, "dict"),
]


@pytest.mark.parametrize("ops_class", [Ops, NumpyOps])
@pytest.mark.parametrize("op, args, error, message", BAD, ids=[f"{i}-{row[0]}" for i, row in enumerate(BAD)])
def test_bad_input(op, args, error, message, ops_class):
    before = copy.deepcopy(args)
    if ops_class is Ops and isinstance(args[0], (str, dict)):
        pytest.skip("the readable formulas take what NumPy takes")
    with pytest.raises(error) as caught:
        getattr(ops_class(), op)(*args)
    assert message in str(caught.value)
    for one, other in zip(args, before):
        numpy.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ops_class", [Ops, NumpyOps])
@pytest.mark.parametrize(
    "sizes, message", [((2, 1), "sums to 3 but X has 4 rows"), ((1, 3), "must not increase"), ((5, -1), "must not")]
)
def test_lstm_sizes(sizes, message, ops_class):
    params = numpy.zeros(1 * 4 * 2 * (3 + 2) + 2 * 4 * 2, dtype="f")
    state = numpy.zeros((1, 1, 2), dtype="f")
    with pytest.raises(ValueError, match=message):
        ops_class().lstm_forward_inference(params, state, state, F, ints(*sizes))


def test_gradient_of_lstm_in_another_shape():
    for ops in (Ops(), NumpyOps()):
        params = numpy.zeros(4 * 2 * 3 + 4 * 2 * 2 + 2 * 4 * 2, dtype="f")
        state = numpy.zeros((1, 1, 2), dtype="f")
        Y, tape = ops.lstm_forward_training(params, state, state, F, ints(2, 2))
        assert Y.shape == (4, 2)
        with pytest.raises(ValueError, match=r"expected .*\(4, 2\)"):
            ops.backprop_lstm(F, ints(2, 2), params, tape)


def test_lengths_of_windows():
    ops = NumpyOps()
    assert check_seq2col_lengths(ops, None, 4).tolist() == [4]
    with pytest.raises(AssertionError, match="must be >= 0"):
        check_seq2col_lengths(ops, ints(-1, 5), 4)
    with pytest.raises(AssertionError, match="sum up to the batch"):
        check_seq2col_lengths(ops, ints(1, 1), 4)


def test_gradient_noise_fades():
    numpy.random.seed(0)
    gradient = numpy.zeros(20_000)
    add_gradient_noise(gradient, 0.5, timestep=9)
    assert abs(gradient.std() - 0.5 / 10**0.55) < 0.003
    gradient[:] = 0
    add_gradient_noise(gradient, 1e-7, timestep=0)
    assert not gradient.any()


def test_arrays_of_other_devices_and_frameworks():
    class Tensor:
        def numpy(self):
            return F

    class OnGPU:
        __cuda_array_interface__ = {"version": 3}

        def get(self):
            return F

    for ops in (Ops(), NumpyOps()):
        for data in (Tensor(), OnGPU()):
            numpy.testing.assert_array_equal(ops.asarray(data), F)
            assert ops.asarray(data, dtype="float64").dtype == "float64"


def test_without_blis_the_readable_formulas_run():
    ops = NumpyOps(use_blis=False)
    X = numpy.random.RandomState(0).normal(size=(5, 3)).astype("f")
    W, b = X[:2].copy(), X[0, :2].copy()
    numpy.testing.assert_allclose(ops.affine(X, W, b), X @ W.T + b, rtol=1e-6)
    numpy.testing.assert_allclose(ops.gemm(X, W, trans2=True), X @ W.T, rtol=1e-6)
    best, which = ops.affine_maxout(X, W[:, None], b[:, None])
    numpy.testing.assert_allclose(best, X @ W.T + b, rtol=1e-6)
    assert not which.any()


def test_names_of_backends():
    with pytest.raises(ValueError, match="Invalid backend: abacus"):
        get_ops("abacus")
    with pytest.raises(ValueError, match="Invalid backend"), use_ops("abacus"):
        pass
    with pytest.raises(ValueError, match="'pytorch', 'tensorflow'"):
        set_gpu_allocator("malloc")


@pytest.mark.skipif(gpu_is_available(), reason="there is a GPU")
@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_pool_on_no_gpu(framework, monkeypatch):
    """Without the framework, and with it but without CuPy."""
    from thinc.backends import _cupy_allocators, context_pools

    require = {"pytorch": "require_torch", "tensorflow": "require_tensorflow"}
    monkeypatch.setattr(_cupy_allocators, require[framework], lambda: None)
    if framework == "pytorch":
        set_gpu_allocator(framework)  # nothing to share while the CPU is in use
    else:
        with pytest.raises(ImportError, match="needs CuPy"):
            set_gpu_allocator(framework)
    assert context_pools.get() == {}
    assert cupy_ops.CupyOps.xp is not numpy
