"""cblas, linalg and the public headers, used as compiled clients use them."""

import ctypes
import importlib.machinery
import importlib.util
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import thinc
from tests.backends import capi
from tests.backends.capi import DOUBLE, FLOAT, INT, VOID_P
from thinc.backends import cblas, linalg

PACKAGE = Path(thinc.__file__).parent
CBLAS_OBJ = "struct __pyx_obj_5thinc_8backends_5cblas_CBlas *"
FUNCS = ["sgemm", "dgemm", "saxpy", "daxpy", "sscal", "dscal"]
VEC = ("arg_max max sum norm add add_i mul mul_i pow pow_i div div_i exp exp_i reciprocal_i mean variance").split()
VEC_VEC = ("add add_i batch_add_i add_pow add_pow_i mul mul_i dot arg_max_if_true arg_max_if_zero").split()
MAT = ["mean_row", "var_row"]
P = VOID_P


def getter(name):
    return capi.py_function(capi.capi(cblas)[name], VOID_P, ctypes.py_object)


def setter(name):
    pointer = capi.capi(cblas)[f"set_{name}"]
    return capi.py_function(pointer, None, ctypes.py_object, VOID_P)


def blas(name):
    real = FLOAT if name[0] == "s" else DOUBLE
    types = {
        "gemm": (INT, INT, INT, INT, INT, real, P, INT, P, INT, real, P, INT),
        "axpy": (INT, real, P, INT, P, INT),
        "scal": (INT, real, P, INT),
    }[name[1:]]
    return capi.c_function(getter(name)(cblas.CBlas()), None, *types)


def dtype_of(name):
    return "f4" if name[0] == "s" else "f8"


@pytest.mark.parametrize("name", FUNCS)
def test_cblas_capsules_carry_the_signature(name):
    typedef = f"__pyx_t_5thinc_8backends_5cblas_{name}_ptr"
    capsules = cblas.__pyx_capi__
    assert capi.capsule_name(capsules[name]) == f"{typedef} ({CBLAS_OBJ})"
    setter_name = capi.capsule_name(capsules[f"set_{name}"])
    assert setter_name == f"void ({CBLAS_OBJ}, {typedef})"


@pytest.mark.parametrize(
    "cls,size,vtable",
    [
        (cblas.CBlas, 16, False),
        (linalg.Matrix, 24, False),
        (linalg.Vec, 8, True),
        (linalg.VecVec, 8, True),
        (linalg.Mat, 8, True),
    ],
)
def test_types_have_the_layout_clients_were_built_for(cls, size, vtable):
    assert cls.__basicsize__ == object.__basicsize__ + size  # (without the GIL every object has more of its own)
    assert cls.__itemsize__ == 0
    assert cls.__bases__ == (object,)
    assert ("__pyx_vtable__" in vars(cls)) == vtable
    assert not hasattr(cls(), "__dict__")
    if vtable:
        assert capi.capsule_name(vars(cls)["__pyx_vtable__"]) is None


@pytest.mark.parametrize("name", FUNCS)
def test_cblas_setter_changes_one_object(name):
    one, other = cblas.CBlas(), cblas.CBlas()
    before = getter(name)(other)
    assert before
    setter(name)(one, 0x1234)
    assert getter(name)(one) == 0x1234
    assert getter(name)(other) == before
    assert getter(name)(cblas.CBlas()) == before


def test_cblas_subclass_without_init_has_functions():
    class Sub(cblas.CBlas):
        def __init__(self, note):
            self.note = note

    assert getter("sgemm")(Sub("x")) == getter("sgemm")(cblas.CBlas())


@pytest.mark.parametrize("name", ["sgemm", "dgemm"])
@given(
    m=st.integers(1, 20),
    n=st.integers(1, 20),
    k=st.integers(1, 20),
    trans=st.tuples(st.booleans(), st.booleans()),
    pad=st.tuples(*[st.integers(0, 3)] * 3),
    alpha=st.sampled_from([1.0, 0.5, -2.0, 0.0]),
    beta=st.sampled_from([0.0, 1.0, -0.5]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_gemm_is_row_major_for_every_transpose_and_stride(name, m, n, k, trans, pad, alpha, beta, seed):
    rng = numpy.random.RandomState(seed)
    dtype = dtype_of(name)
    stored = [(k, m) if trans[0] else (m, k), (n, k) if trans[1] else (k, n), (m, n)]
    A, B, C = (rng.uniform(-1, 1, (rows, cols + extra)).astype(dtype) for (rows, cols), extra in zip(stored, pad))
    a, b, c = (X[:, :cols] for X, (_, cols) in zip((A, B, C), stored))
    if beta == 0:
        c[:] = numpy.nan
    left, right = (a.T if trans[0] else a), (b.T if trans[1] else b)
    product = left.astype("f8") @ right.astype("f8")
    expected = C.astype("f8")
    expected[:, :n] = alpha * product + (beta * c if beta else 0)
    blas(name)(
        *trans, m, n, k,
        alpha, capi.address(A), A.shape[1], capi.address(B), B.shape[1],
        beta, capi.address(C), C.shape[1],
    )  # fmt: skip
    tol = 1e-5 if dtype == "f4" else 1e-12
    assert_allclose(C, expected, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", ["saxpy", "daxpy", "sscal", "dscal"])
@pytest.mark.parametrize("n", [-1, 0, 1, 3, 16, 67])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (1, 3), (2, 3), (-1, 1), (0, 1)])
def test_vector_functions_take_any_stride(name, n, strides):
    rng = numpy.random.RandomState(n + 1)
    dtype = numpy.dtype(dtype_of(name))
    X, Y = rng.uniform(-1, 1, (2, 400)).astype(dtype)
    dx, dy = strides
    x0, y0 = 200, 100
    x_index = x0 + dx * numpy.arange(max(n, 0))
    y_index = y0 + dy * numpy.arange(max(n, 0))
    x_at = capi.address(X) + x0 * dtype.itemsize
    y_at = capi.address(Y) + y0 * dtype.itemsize
    want_X, want_Y = X.copy(), Y.copy()
    if name.endswith("axpy"):
        want_Y[y_index] += dtype.type(1.5) * X[x_index]
        blas(name)(n, 1.5, x_at, dx, y_at, dy)
    elif dx:
        want_X[x_index] *= dtype.type(1.5)
        blas(name)(n, 1.5, x_at, dx)
    assert_allclose(Y, want_Y, rtol=1e-6)
    assert_array_equal(X, want_X)


# --- linalg -----------------------------------------------------------------------

F4 = st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=30)


def vec(name, result, *args):
    return capi.c_function(capi.vtable(linalg.Vec, 17)[VEC.index(name)], result, *args)


def vec_vec(name, result, *args):
    slot = capi.vtable(linalg.VecVec, 10)[VEC_VEC.index(name)]
    return capi.c_function(slot, result, *args)


def f4(values):
    return numpy.array(values, dtype="f4")


@pytest.mark.parametrize(
    "scores,expected",
    [([2, 1], 0), ([1, 1], 1), ([1, 2], 1), ([math.nan, 0], 1), ([0, 3, 3], 1), ([5], 0), ([1, 1, 1], 0)],
)
def test_arg_max_prefers_the_second_of_two_and_the_first_of_more(scores, expected):
    X = f4(scores)
    assert vec("arg_max", INT, P, INT)(capi.address(X), len(X)) == expected


@given(values=F4)
@settings(deadline=None)
def test_vec_reductions(values):
    X = f4(values)
    X64 = X.astype("f8")
    at, n = capi.address(X), len(X)
    for name, expected in {
        "max": X64.max(),
        "sum": X64.sum(),
        "norm": numpy.linalg.norm(X64),
        "mean": X64.mean(),
        "variance": X64.var(),
    }.items():
        got = vec(name, FLOAT, P, INT)(at, n)
        assert_allclose(got, expected, rtol=1e-5, atol=1e-4, err_msg=name)


def test_vec_reductions_of_nothing():
    X = f4([7])
    assert vec("max", FLOAT, P, INT)(capi.address(X), 0) == 0
    assert vec("sum", FLOAT, P, INT)(capi.address(X), 0) == 0
    assert math.isnan(vec("mean", FLOAT, P, INT)(capi.address(X), 0))


@pytest.mark.parametrize(
    "name,formula",
    [("add", lambda X, s: X + s), ("mul", lambda X, s: X * s), ("pow", lambda X, s: X**s), ("div", lambda X, s: X / s)],
)
def test_vec_scalar_functions_and_their_twins_in_place(name, formula):
    X = numpy.linspace(0.5, 3, 19).astype("f4")
    before, out = X.copy(), numpy.zeros_like(X)
    expected = formula(X.astype("f8"), 1.5)
    vec(name, None, P, P, FLOAT, INT)(capi.address(out), capi.address(X), 1.5, len(X))
    assert_allclose(out, expected, rtol=1e-6)
    assert_array_equal(X, before)
    vec(f"{name}_i", None, P, FLOAT, INT)(capi.address(X), 1.5, len(X))
    assert_array_equal(X, out)


def test_vec_exp_and_reciprocal():
    X = numpy.linspace(-3, 3, 10).astype("f4")
    out = numpy.zeros_like(X)
    vec("exp", None, P, P, INT)(capi.address(out), capi.address(X), len(X))
    assert_allclose(out, numpy.exp(X.astype("f8")), rtol=1e-6)
    Y = X.copy()
    vec("exp_i", None, P, INT)(capi.address(Y), len(Y))
    assert_array_equal(Y, out)
    vec("reciprocal_i", None, P, INT)(capi.address(X), len(X))
    assert_allclose(X, 1 / numpy.linspace(-3, 3, 10), rtol=1e-6)


@pytest.mark.parametrize("name,formula", [("add", lambda X, Y, s: X + Y * s), ("add_pow", lambda X, Y, s: X + Y**s)])
def test_vec_vec_scaled_functions_and_their_twins_in_place(name, formula):
    X, Y = numpy.random.RandomState(0).uniform(0.5, 3, (2, 19)).astype("f4")
    out = numpy.zeros_like(X)
    pointers = [capi.address(A) for A in (out, X, Y)]
    expected = formula(X.astype("f8"), Y.astype("f8"), 2.5)
    vec_vec(name, None, P, P, P, FLOAT, INT)(*pointers, 2.5, len(X))
    assert_allclose(out, expected, rtol=1e-6)
    vec_vec(f"{name}_i", None, P, P, FLOAT, INT)(*pointers[1:], 2.5, len(X))
    assert_array_equal(X, out)


def test_vec_vec_products():
    X, Y = numpy.random.RandomState(0).uniform(-1, 1, (2, 19)).astype("f4")
    out = numpy.zeros_like(X)
    pointers = [capi.address(A) for A in (out, X, Y)]
    dot = vec_vec("dot", FLOAT, P, P, INT)(*pointers[1:], len(X))
    assert_allclose(dot, X.astype("f8") @ Y.astype("f8"), rtol=1e-5)
    vec_vec("mul", None, P, P, P, INT)(*pointers, len(X))
    assert_array_equal(out, X * Y)
    vec_vec("mul_i", None, P, P, INT)(*pointers[1:], len(X))
    assert_array_equal(X, out)


def test_vec_vec_batch_add_i():
    X = f4([1, 2, 3])
    Y = numpy.arange(12, dtype="f4").reshape(4, 3)
    expected = X + 0.5 * Y.sum(0)
    vec_vec("batch_add_i", None, P, P, FLOAT, INT, INT)(capi.address(X), capi.address(Y), 0.5, 3, 4)
    assert_allclose(X, expected)


@pytest.mark.parametrize("valid,expected", [([0, 1, 1, 1], 2), ([0, 0, 0, 0], -1), ([1, 1, 1, 1], 0)])
def test_vec_vec_arg_max_of_some(valid, expected):
    scores = f4([9, 4, 5, 5])
    is_valid = numpy.array(valid, dtype="i4")
    costs = f4([0 if v else 1 for v in valid])
    if_true = vec_vec("arg_max_if_true", INT, P, P, INT)
    if_zero = vec_vec("arg_max_if_zero", INT, P, P, INT)
    assert if_true(capi.address(scores), capi.address(is_valid), 4) == expected
    assert if_zero(capi.address(scores), capi.address(costs), 4) == expected


def test_mat_mean_and_variance_of_columns():
    mean_row, var_row = capi.vtable(linalg.Mat, 2)
    X = numpy.random.RandomState(0).uniform(-1, 1, (7, 5)).astype("f4")
    Ex, Vx = f4([9] * 5), f4([9] * 5)
    a = [capi.address(A) for A in (Vx, X, Ex)]
    capi.c_function(mean_row, None, P, P, INT, INT)(a[2], a[1], 7, 5)
    assert_allclose(Ex, X.mean(0), rtol=1e-5)
    var = capi.c_function(var_row, None, P, P, P, INT, INT, FLOAT)
    var(*a, 7, 5, 0.25)
    assert_allclose(Vx, X.astype("f8").var(0) + 0.25, rtol=1e-5)
    before = Vx.copy()
    var(*a, 0, 5, 0.25)
    var(*a, 7, 0, 0.25)
    assert_array_equal(Vx, before)


# --- a client compiled against the installed package --------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """c_client.pyx, built against the shipped .pxd and .hh files alone."""
    pytest.importorskip("Cython")
    folder = tmp_path_factory.mktemp("client")
    source = Path(__file__).with_name("c_client.pyx")
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    target = folder / f"c_client{suffix}"
    build = f"""
import sys, numpy
from setuptools import Extension, setup
from Cython.Build import cythonize
ext = Extension("c_client", [{str(folder / source.name)!r}], language="c++",
                include_dirs=[numpy.get_include(), {str(PACKAGE / "backends")!r}])
setup(name="c_client", packages=[], py_modules=[], ext_modules=cythonize(
    [ext], include_path=[{str(PACKAGE.parent)!r}], language_level=3, quiet=True))
"""
    shutil.copy(source, folder)
    (folder / "setup.py").write_text(build, encoding="utf8")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    spec = importlib.util.spec_from_file_location("c_client", target)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_client_calls_through_the_table(client):
    A, B = f4([[1, 2, 3], [4, 5, 6]]), f4([[1, 0], [2, 0], [1, 3]])
    assert_array_equal(client.matmul(cblas.CBlas(), A, B), A @ B)
    table = cblas.CBlas()
    client.replace_saxpy(table)
    assert_array_equal(client.add(table, f4([1, 2]), f4([5, 5])), f4([-1, -1]))
    assert_array_equal(client.add(cblas.CBlas(), f4([1, 2]), f4([5, 5])), f4([6, 7]))


@pytest.mark.slow
def test_client_inlines_linalg(client):
    assert client.arg_max(f4([1, 1])) == 1
    assert client.arg_max(f4([0, 3, 3])) == 1
    assert_array_equal(client.vec_add(f4([1, 2]), f4([3, 4]), 2.0), f4([7, 10]))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_client_templates(client, dtype):
    rng = numpy.random.RandomState(0)
    tol = 1e-5 if dtype == "f4" else 1e-12
    X = rng.uniform(-3, 3, (7, 5, 3)).astype(dtype)
    best, which = client.maxout(X)
    assert_array_equal(best, X.max(2))
    assert_array_equal(which, X.argmax(2))
    dX = client.backprop_maxout(best, which, 3)
    assert_array_equal(dX.sum(2), best)
    with pytest.raises(IndexError, match="out of bounds"):
        client.backprop_maxout(best, which + 3, 3)

    X = rng.uniform(-3, 3, (7, 5)).astype(dtype)
    lengths = numpy.array([3, 1, 3], dtype="i4")
    seqs = numpy.split(X, [3, 4])
    maxes, which = client.reduce_max(X, lengths)
    assert_array_equal(maxes, [seq.max(0) for seq in seqs])
    assert_array_equal(which, [seq.argmax(0) for seq in seqs])
    dX = client.backprop_reduce_max(maxes, which, lengths, 7)
    assert_array_equal(numpy.add.reduceat(dX, [0, 3, 4]), maxes)
    empty = numpy.array([3, 0, 4], dtype="i4")
    with pytest.raises(ValueError, match="lengths must be"):
        client.reduce_max(X, empty)
    with pytest.raises(IndexError, match="sum up"):
        client.reduce_sum(X, lengths + 1)
    with pytest.raises(ValueError, match="lengths must be"):
        client.reduce_mean(X, lengths - 2)
    sums, means = client.reduce_sum(X, empty), client.reduce_mean(X, empty)
    assert_allclose(sums, [X[:3].sum(0), numpy.zeros(5), X[3:].sum(0)], rtol=tol)
    assert_allclose(means, [X[:3].mean(0), numpy.zeros(5), X[3:].mean(0)], rtol=tol)
    d_sums = client.backprop_reduce_sum(sums, empty, 7)
    assert_array_equal(d_sums, numpy.repeat(sums, empty, axis=0))
    d_means = client.backprop_reduce_mean(sums, empty, 7)
    assert_allclose(d_means * numpy.repeat(empty, empty)[:, None], d_sums, rtol=tol)

    x = numpy.concatenate([X.ravel(), [25, 60, 500, -60, -500]]).astype(dtype)
    x64 = x.astype("f8")
    mish = x64 * numpy.tanh(numpy.logaddexp(0, x64))
    for threshold in (5.0, 20.0, 1000.0):
        passed = x64 >= threshold
        want = numpy.where(passed, x64, mish)
        assert_allclose(client.mish(x, threshold), want, rtol=tol, atol=tol)
        t = numpy.tanh(numpy.logaddexp(0, x64))
        slope = t + x64 * (1 - t * t) / (1 + numpy.exp(-x64.clip(-50, 50)))
        want = numpy.where(passed, 1, slope)
        got = client.backprop_mish(numpy.ones_like(x), x, threshold)
        assert_allclose(got, want, rtol=tol, atol=tol)
    assert_array_equal(client.relu(x), numpy.maximum(x, 0))

    for nW in (0, 1, 2, 9):
        cols = client.seq2col(X, lengths, nW)
        want = []
        for seq in seqs:
            padded = numpy.pad(seq, [(nW, nW), (0, 0)])
            want += [padded[i : i + 2 * nW + 1].ravel() for i in range(len(seq))]
        assert_array_equal(cols, want)
        d_cols = rng.uniform(-1, 1, cols.shape).astype(dtype)
        d_seqs = client.backprop_seq2col(d_cols, lengths, nW)
        assert_allclose((d_cols * cols).sum(), (d_seqs * X).sum(), rtol=1e-3 * tol**0.3)

    indices = numpy.array([[0, 6], [2, 2]], dtype="i4")
    gathered = client.gather_add(X, indices)
    assert_allclose(gathered, X[indices].sum(1), rtol=tol)
    for bad in (7, -1):
        with pytest.raises(IndexError, match="out of bounds"):
            client.gather_add(X, numpy.array([[bad]], dtype="i4"))


@pytest.mark.slow
def test_client_initializes(client):
    """What was made before an error is deleted."""
    assert [client.initialize(limit) for limit in (0, 1, 3)] == [0, 1, 3]


@pytest.mark.slow
def test_client_searches(client):
    """A beam driven by compiled callbacks: the best paths of a table of scores."""
    scores = f4([[1, 0, 2], [0, 5, 1], [2, 1, 0]])
    histories, best = client.search(scores, 2)
    assert histories == [[2, 1, 0], [0, 1, 0]]
    assert best == [9.0, 8.0]
    with pytest.raises(KeyError, match="refused"):
        client.search(scores, 2, True)
