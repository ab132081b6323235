"""Intra-op threads: the same bits for every number, from several Python threads, after a fork."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from thinc.backends._kernels.activations import ACTIVATIONS

import thinc
from thinc.api import NumpyOps, get_num_threads, set_num_threads

ops = NumpyOps()
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
needs_cores = pytest.mark.skipif(CORES < 2, reason="one core: there are no threads")


@pytest.fixture(autouse=True)
def one_thread_afterwards():
    yield
    set_num_threads(1)


def arrays(dtype):
    rng = numpy.random.RandomState(0)
    # Neither sizes nor strides are multiples of a vector or of a part.
    return [
        rng.normal(size=shape).astype(dtype) for shape in ((1537, 301), (289, 301), (1537, 289), (97, 3, 301), (97, 3))
    ]


def everything(dtype):
    """What each kernel that is shared among threads gives, by name."""
    X, W, dY, Wp, bp = arrays(dtype)
    results = {
        "X W^T": ops.gemm(X, W, trans2=True),
        "W X^T, wide": ops.gemm(W[:4], X, trans2=True),
        "dY W": ops.gemm(dY, W),
        "dY^T X": ops.gemm(dY, X, trans1=True),
        "both transposed": ops.gemm(X.T.copy(), W, trans1=True, trans2=True),
        "affine": ops.affine(X, W, dY[0]),
        "affine_maxout": ops.affine_maxout(X, Wp, bp),
        "affine_maxout_layer_norm": ops.affine_maxout_layer_norm(X, Wp, bp, Wp[:, 0, 0], bp[:, 0]),
        "affine_maxout of windows": ops.affine_maxout(ops.windows(X[:, :60], 2), Wp[:, :, :300], bp),
        "layer_norm": ops.layer_norm(X, X[0], X[1]),
        "softmax": ops.softmax(X),
        "maxout": ops.maxout(X[:, :300].reshape((1537, 100, 3))),
    }
    for name in ("relu", "mish", "gelu", "swish", "dish", "sigmoid", "hard_tanh"):
        results[name] = getattr(ops, name)(X)
    results["backprop_gelu"] = ops.backprop_gelu(X, X[::-1].copy())
    results["backprop_relu"] = ops.backprop_relu(X, X[::-1].copy())
    results["backprop_dish"] = ops.backprop_dish(X, X[::-1].copy())
    return results


def assert_same(results, expected):
    for name, value in expected.items():
        for got, wanted in zip(results[name], value):
            assert numpy.array_equal(got, wanted), name


@needs_cores
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", range(2, min(CORES, 5) + 1))
def test_bits_do_not_depend_on_the_number_of_threads(n, dtype):
    expected = everything(dtype)
    set_num_threads(n)
    assert get_num_threads() == n
    assert_same(everything(dtype), expected)


@needs_cores
def test_training_gives_the_same_bits():
    from thinc.api import Adam, Maxout, Softmax, chain, fix_random_seed

    def trained():
        fix_random_seed(0)
        X, _, dY, _, _ = arrays("float32")
        model = chain(Maxout(64, nP=3, normalize=True), Softmax()).initialize(X, dY)
        optimizer = Adam(0.01)
        for _ in range(3):
            Yh, backprop = model.begin_update(X)
            backprop(Yh - dY)
            model.finish_update(optimizer)
        return model.to_bytes()

    once = trained()
    set_num_threads(2)
    assert trained() == once


@needs_cores
def test_python_threads_share_the_pool():
    expected = everything("float32")
    set_num_threads(2)
    with ThreadPoolExecutor(4) as executor:
        for results in executor.map(everything, ["float32"] * 8):
            assert_same(results, expected)


def product_in_child(queue):
    X, W, *_ = arrays("float32")
    queue.put(float(ops.gemm(X, W, trans2=True).sum()))


@needs_cores
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on():
    set_num_threads(2)
    X, W, *_ = arrays("float32")
    expected = float(ops.gemm(X, W, trans2=True).sum())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=product_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(timeout=60)
    assert child.exitcode == 0


def test_the_number_is_bounded():
    with pytest.raises(ValueError, match="at least 1"):
        set_num_threads(0)
    assert get_num_threads() == 1
    thinc.set_num_threads(10_000)
    assert thinc.get_num_threads() == CORES


def test_every_activation_is_shared():
    """A part of the list that was forgotten would show up here as another result."""
    X = numpy.linspace(-3, 3, 200_001, dtype="float32")
    no_params = [name for name in ACTIVATIONS if _takes_none(name)]
    expected = {name: NumpyOps()._forward(name, X) for name in no_params}
    set_num_threads(2)
    for name in no_params:
        assert numpy.array_equal(NumpyOps()._forward(name, X), expected[name]), name


def _takes_none(name):
    try:
        NumpyOps()._forward(name, numpy.zeros(1, dtype="float32"))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("n", [1.5, "2", None])
def test_the_number_is_an_integer(n):
    with pytest.raises(TypeError):
        set_num_threads(n)
    assert get_num_threads() == 1
    set_num_threads(numpy.int64(1))


@needs_cores
def test_the_number_may_change_while_others_compute():
    """No thread waits for ever, and no result is another."""
    X, W, *_ = arrays("float32")
    expected = ops.gemm(X, W, trans2=True)
    stop = threading.Event()
    wrong = []

    def work():
        while not stop.is_set():
            if not numpy.array_equal(ops.gemm(X, W, trans2=True), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    for i in range(400):
        set_num_threads(1 + i % 2)
    stop.set()
    for worker in workers:
        worker.join(timeout=60)
    assert not any(worker.is_alive() for worker in workers) and not wrong


@needs_cores
def test_the_level_may_change_while_others_compute():
    from thinc.backends._kernels.levels import isa_levels, isa_name, use_isa

    X, W, *_ = arrays("float32")
    before, results = isa_name(), []
    for level in isa_levels():
        use_isa(level)
        results.append(ops.gemm(X, W, trans2=True))
    set_num_threads(2)
    stop, wrong = threading.Event(), []

    def work():
        while not stop.is_set():
            got = ops.gemm(X, W, trans2=True)
            if not any(numpy.array_equal(got, result) for result in results):
                wrong.append(1)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for i in range(400):
            use_isa(isa_levels()[i % len(isa_levels())])
    finally:
        stop.set()
        worker.join(timeout=60)
        use_isa(before)
    assert not worker.is_alive() and not wrong


NO_MORE_THREADS = """
import resource
import numpy
from thinc.api import NumpyOps, set_num_threads

ops = NumpyOps()
X, W = numpy.ones((2000, 300), "f"), numpy.ones((300, 300), "f")
expected = ops.gemm(X, W, trans2=True)
set_num_threads(2)
pages = int(open("/proc/self/statm").read().split()[0])
room = pages * resource.getpagesize() + (6 << 20)  # for the result, but not for the stack of a thread
resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
for _ in range(3):
    assert (ops.gemm(X, W, trans2=True) == expected).all()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert (ops.gemm(X, W, trans2=True) == expected).all()
set_num_threads(1)
print("computed")
"""


@needs_cores
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and RLIMIT_AS")
@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer takes memory of its own")
def test_where_no_thread_can_be_had_the_caller_computes_alone():
    run = subprocess.run([sys.executable, "-c", NO_MORE_THREADS], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "computed", (run.returncode, run.stderr)


@needs_cores
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_replaced_threads_end():
    X, W, *_ = arrays("float32")
    before = len(os.listdir("/proc/self/task"))
    for _ in range(20):
        set_num_threads(2)
        ops.gemm(X, W, trans2=True)
        set_num_threads(1)
    assert len(os.listdir("/proc/self/task")) == before
