"""The CUDA kernels without a GPU: they compile for every architecture, and give the readable formula's numbers."""

import copy
import os
import re
import shutil
import subprocess

import numpy
import pytest

from tests.backends import emulation
from tests.backends.test_fast_formulas import assert_readable, run, widen
from tests.cases.ops import CASES
from tests.checks import assert_ulp
from thinc.backends import NumpyOps, Ops
from thinc.backends._kernels import cuda
from thinc.backends._updates import Step

needs_compiler = pytest.mark.skipif(
    emulation.COMPILER is None, reason="there is no g++ to compile the kernels for the CPU"
)
NVCC = shutil.which("nvcc")


@pytest.fixture(scope="module")
def gpu_ops():
    with emulation.emulated() as ops:
        yield ops


def test_source_stands_alone():
    source = cuda.source()
    assert "#include" not in source.replace("#include <", "")
    assert "#pragma once" not in source
    assert source.count("struct Mish") == 1
    assert source.count("\nKERNEL(maxout)") == 4  # for each dtype; what has 16 bits passes over it


def test_the_list_is_that_of_the_cpu():
    from thinc.backends._kernels.activations import ACTIVATIONS

    assert tuple(cuda.activations()) == tuple(ACTIVATIONS)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [case for case in CASES if case.id != "half table"], ids=str)
# (A table of float16 gives float16 on a GPU.)
def test_gpu_is_readable(gpu_ops, case, dtype):
    assert_readable(gpu_ops, case, dtype)


@needs_compiler
def test_every_kernel_runs_in_the_test_above(gpu_ops):
    """An op whose arrays the backend refuses would quietly take the readable formula."""
    emulation.LAUNCHED.clear()
    for dtype in ("float32", "float64"):
        for case in CASES:
            run(gpu_ops, case, case.args(numpy.random.RandomState(0), dtype))
    test_padding(gpu_ops)
    for dtype in ("float32", "float64"):
        test_many_parameters_at_once(gpu_ops, dtype)
    test_dropout_masks_are_those_of_the_cpu(gpu_ops)
    test_activations_that_no_op_uses(gpu_ops)
    left = kernel_names() - emulation.LAUNCHED
    assert {name for name in left if not name.endswith("f16")} == {"dropout_mask_f64"}


@needs_compiler
def test_activations_that_no_op_uses(gpu_ops):
    """THE LIST has them for the readable formulas of others."""
    for dtype in ("float32", "float64"):
        X = numpy.linspace(-3, 3, 83).astype(dtype)
        wide = X.astype("float64")
        assert_ulp(gpu_ops._forward("tanh", X), numpy.tanh(wide), 8)
        Y = numpy.tanh(X)
        slope = 1 - Y.astype("float64") ** 2
        assert_ulp(gpu_ops._backward("tanh", X, None, Y), wide * slope, 8, 4)
        slope = 2 / numpy.sqrt(numpy.pi) * numpy.exp(-(wide**2))
        assert_ulp(gpu_ops._backward("erf", X, X, None), wide * slope, 16, 4)


@needs_compiler
def test_what_no_kernel_takes_is_computed_by_the_readable_formula(gpu_ops):
    rng = numpy.random.RandomState(0)
    half = rng.normal(size=(5, 3)).astype("float16")
    assert numpy.array_equal(gpu_ops.softmax(half), Ops().softmax(half))
    X, vector = half.astype("float32"), half[0].astype("float64")
    for mine, readable in zip(gpu_ops.layer_norm(X, vector, vector), Ops().layer_norm(X, vector, vector)):
        assert numpy.array_equal(mine, readable)
    for call in (
        lambda ops: ops.maxout(half[:, :, None][:, :, :0]),
        lambda ops: ops.reduce_sum(X, [2, 3]),
        lambda ops: ops.seq2col([[1.0]], 1),
    ):
        expected, got = (outcome(call, ops) for ops in (Ops(), gpu_ops))
        assert expected == got
    average, weights = numpy.zeros((6, 5))[::2], numpy.ones((3, 5))
    gpu_ops.update_averages(average, weights, 1)
    assert average.min() == average.max() > 0


def outcome(call, ops):
    try:
        return call(ops)
    except Exception as error:
        return type(error), str(error)


@needs_compiler
def test_results_do_not_depend_on_the_launch(gpu_ops, monkeypatch):
    rng = numpy.random.RandomState(0)
    X = rng.normal(size=(301, 37)).astype("float32")
    lengths = numpy.array([100, 0, 1, 200], dtype="int32")

    def results():
        yield gpu_ops.mish(X)
        yield gpu_ops.reduce_sum(X, lengths)
        yield gpu_ops.seq2col(X, 2, lengths=lengths)
        yield gpu_ops.layer_norm(X, X[0], X[1])[0]
        yield gpu_ops.softmax(X)
        yield gpu_ops.backprop_maxout(X, numpy.ones((301, 37), dtype="int32"), 3)

    expected = list(results())
    for threads, blocks in ((32, 1), (64, 3), (256, 1000)):
        monkeypatch.setattr(cuda, "THREADS", threads)
        monkeypatch.setattr(cuda, "MAX_BLOCKS", blocks)
        for got, wanted in zip(results(), expected):
            assert numpy.array_equal(got, wanted)


@needs_compiler
@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_into_shared_rows(gpu_ops, monkeypatch, deterministic):
    monkeypatch.setattr(gpu_ops, "deterministic", deterministic)
    rng = numpy.random.RandomState(0)
    indices = rng.randint(-1, 5, size=83).astype("int32")
    values = rng.normal(size=(83, 7))
    table = numpy.zeros((5, 7))
    gpu_ops.scatter_add(table, indices, values)
    expected = [values[indices == i].sum(0) for i in range(5)]
    numpy.testing.assert_allclose(table, expected, atol=1e-12)


@needs_compiler
def test_an_index_out_of_range_is_no_row(gpu_ops):
    table = numpy.ones((3, 2), dtype="float32")
    Y = gpu_ops.gather_add(table, numpy.array([[0, 3], [-1, 2**31 - 1]], dtype="int32"))
    assert Y.tolist() == [[1, 1], [0, 0]]
    gpu_ops.scatter_add(table, numpy.array([7, 1], dtype="int32"), numpy.ones((2, 2), "f"))
    assert table.tolist() == [[1, 1], [2, 2], [1, 1]]
    dX = gpu_ops.backprop_maxout(numpy.ones((1, 1), "f"), numpy.array([[5]], dtype="int32"), 2)
    assert dX.tolist() == [[[0, 0]]]


@needs_compiler
def test_dropout_masks_are_those_of_the_cpu(gpu_ops):
    masks = []
    for ops in (gpu_ops, NumpyOps()):
        numpy.random.seed(3)
        masks.append(ops.get_dropout_mask((300, 200), 0.3))
    assert numpy.array_equal(*masks)


@needs_compiler
def test_padding(gpu_ops):
    for dtype in ("float32", "float64", "int32", "int64", "int8"):
        seqs = [numpy.arange(1, 1 + n * 2).reshape((n, 2)).astype(dtype) for n in (3, 0, 1)]
        expected = Ops().pad(seqs, round_to=2) if dtype != "int8" else None
        got = gpu_ops.pad(seqs, round_to=2)
        assert got.dtype == dtype
        if expected is not None:
            assert numpy.array_equal(got, expected)
        mine, readable = gpu_ops.list2padded(seqs), Ops().list2padded(seqs)
        for name in ("data", "size_at_t", "lengths", "indices"):
            one, other = getattr(mine, name), getattr(readable, name)
            assert one.dtype == other.dtype and numpy.array_equal(one, other)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_parameters_at_once(gpu_ops, dtype):
    """Of several sizes, methods and settings, some beyond one block: as one by one."""
    rng = numpy.random.RandomState(0)

    def updates():
        steps = [
            Step(1, 1.0, 0.0, 0.01, 0.9, 0.999, 1e-8, 1e-3, 0.25),
            Step(0, 0.0, 0.1, 0.1, 0.0, 0.0, 1e-8, 0.0, 0.25),
            Step(2, 0.5, 0.1, 0.01, 0.9, 0.999, 1e-8, 0.0, 0.25),
        ]
        for i, size in enumerate((1, 40_000, 7, 16_384, 33)):
            step = steps[i % 3]
            arrays = [rng.normal(size=size).astype(dtype) for _ in range(5)]
            arrays[3] = abs(arrays[3])
            if step.kind == 0:
                arrays[2] = arrays[3] = None
            if i == 4:
                arrays[4] = None
            yield (*arrays, step)

    together = list(updates())
    alone = copy.deepcopy(together)
    gpu_ops.optimizer_steps(together)
    for update in alone:
        Ops().optimizer_step(*update)
    for one, other in zip(together, alone):
        for mine, readable in zip(one[:5], other[:5]):
            if mine is not None:
                assert_ulp(mine, readable, 16, 64)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_storage_of_16_bits(gpu_ops, dtype):
    """Computed in float, and rounded once."""
    kind, last = numpy.dtype("float16"), 2**-10
    if dtype == "bfloat16":
        kind, last = numpy.dtype(pytest.importorskip("ml_dtypes").bfloat16), 2**-7
    rng = numpy.random.RandomState(0)
    for name in ("mish", "gelu", "relu", "swish", "clipped_linear"):
        X = numpy.concatenate([rng.normal(scale=3, size=300), [0, -0.0, 1e-6, 6e4]])
        X = X.astype(kind)
        wide = getattr(NumpyOps(), name)(X.astype("float32"))
        Y = getattr(gpu_ops, name)(X)
        assert Y.dtype == kind
        assert numpy.array_equal(Y, wide.astype(kind))
        dY = rng.normal(size=X.shape).astype(kind)
        saved = [Y] if name == "relu" else [X, Y] if name == "swish" else [X]
        widened = [array.astype("float32") for array in (dY, *saved)]
        expected = getattr(NumpyOps(), f"backprop_{name}")(*widened)
        dX = getattr(gpu_ops, f"backprop_{name}")(dY, *saved)
        assert dX.dtype == kind
        numpy.testing.assert_allclose(dX.astype("d"), expected.astype(kind).astype("d"), rtol=last, atol=6e-8)
    table = rng.normal(size=(11, 6)).astype(kind)
    wide = table.astype("float32")
    ids = rng.randint(0, 2**40, size=20).astype("uint64")
    Y = gpu_ops.hash_embed(table, ids, 3)
    assert numpy.array_equal(Y, NumpyOps().hash_embed(wide, ids, 3).astype(kind))
    rows = rng.randint(0, 11, size=(9, 3)).astype("int32")
    Y = gpu_ops.gather_add(table, rows)
    assert numpy.array_equal(Y, NumpyOps().gather_add(wide, rows).astype(kind))


@needs_compiler
def test_every_half_is_read_and_rounded_as_by_numpy(gpu_ops):
    """relu_k with no upper bound in reach: x or 0, for each of the 65,536 numbers."""
    X = numpy.arange(2**16, dtype="uint32").astype("uint16").view("float16")
    X = X[~numpy.isnan(X)]
    Y = gpu_ops._forward("clipped_linear", X, (1.0, 0.0, -1e9, 1e9))
    finite = numpy.isfinite(X)
    assert numpy.array_equal(Y[finite], X[finite])
    # Rounding: halves of 16 bits between two numbers, and beside them.
    source = numpy.random.RandomState(0).normal(size=20_000).astype("float16")
    for slope in (1 / 3, 0.7, 1e-3, 1e-5, 3e4):
        Y = gpu_ops._forward("clipped_linear", source, (slope, 0.0, -1e9, 1e9))
        wide = source.astype("float32") * numpy.float32(slope)
        with numpy.errstate(over="ignore"):
            assert numpy.array_equal(Y, wide.astype("float16"))


@needs_compiler
def test_a_wrong_kernel_is_caught(gpu_ops):
    """The comparison can fail: one sign in one formula is changed."""
    source = cuda.source()
    wrong = source.replace("dX[n * I + i] = r * (dy[i] * G[i] - mean -", "dX[n * I + i] = r * (dy[i] * G[i] + mean -")
    assert wrong != source
    cases = [case for case in CASES if case.name == "backprop_layer_norm"]
    with emulation.emulated(wrong) as ops:
        for case in cases:
            call_args = case.args(numpy.random.RandomState(0), "float64")
            want, *_ = run(Ops(), case, widen(call_args))
            got, *_ = run(ops, case, call_args)
            with pytest.raises(AssertionError):
                assert_ulp(got, want, case.ulp, case.atol)


@pytest.fixture(scope="module")
def flat_source(tmp_path_factory):
    path = tmp_path_factory.mktemp("cuda") / "kernels.cu"
    path.write_text(cuda.source())
    return path


def kernel_names(*kinds):
    """What there should be, by the heads of kernels of these kinds (all without)."""
    names = set()
    for name, kernel in cuda.kernels().items():
        if not kinds or kernel.kind in kinds:
            names |= {f"{name}_{suffix}" for suffix in cuda.SUFFIXES[kernel.kind].values()} if kernel.kind else {name}
    return names


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_without_spills(flat_source, architecture, tmp_path):
    done = subprocess.run(
        [NVCC, "-std=c++17", f"-arch={architecture}", "-DTHINC_ISA=cuda", "-cubin", "-Xptxas", "-v"]
        + ["-o", str(tmp_path / "out.cubin"), str(flat_source)],
        capture_output=True,
        text=True,
        env={**os.environ, "LD_PRELOAD": ""},  # the sanitizers of these tests are not its
    )
    assert done.returncode == 0, done.stderr[:3000]
    compiled = set(re.findall(r"Compiling entry function '(\w+)'", done.stderr))
    assert compiled == kernel_names()
    spills = [line for line in done.stderr.splitlines() if "spill" in line]
    assert spills and all(" 0 bytes spill stores, 0 bytes spill loads" in line for line in spills)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90", "sm_100"])
def test_nvrtc_compiles(architecture):
    """NVRTC is what CuPy compiles with; it has no host headers."""
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    _, program = nvrtc.nvrtcCreateProgram(cuda.source().encode(), b"kernels.cu", 0, [], [])
    options = [option.encode() for option in (*cuda.OPTIONS, f"--gpu-architecture={architecture}")]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
    nvrtc.nvrtcGetProgramLog(program, log)
    assert int(error) == 0, log.decode()[:3000]
