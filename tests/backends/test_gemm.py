"""Matrix products: every engine and CPU level against float64, and stable bits."""

import itertools
import os
import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinc.api import NumpyOps
from thinc.backends._kernels import gemm, levels
from thinc.backends._quantized import to_int8_rows

product = NumpyOps().gemm
TRANSPOSES = list(itertools.product([False, True], [False, True]))
DTYPES = ["float32", "float64"]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 33, 47, 49, 63, 64, 65, 70]


@pytest.fixture(params=levels.isa_levels())
def isa(request):
    before = levels.isa_name()
    levels.use_isa(request.param)
    yield request.param
    levels.use_isa(before)


@pytest.fixture(params=gemm.engines())
def engine(request):
    before = gemm.engine_name()
    gemm.use_engine(request.param)
    yield request.param
    gemm.use_engine(before)


@pytest.fixture
def native():
    before = gemm.engine_name()
    gemm.use_engine("native")
    yield
    gemm.use_engine(before)


def normal(rng, shape, dtype="float32"):
    return rng.standard_normal(shape).astype(dtype)


def operands(rng, M, N, K, trans1, trans2, dtype):
    x = normal(rng, (K, M) if trans1 else (M, K), dtype)
    y = normal(rng, (N, K) if trans2 else (K, N), dtype)
    return x, y


def assert_product(Z, x, y, trans1, trans2):
    """|Z - x y| <= (K + 2) eps |x| |y|, the bound for any order of summation."""
    a = (x.T if trans1 else x).astype("float64")
    b = (y.T if trans2 else y).astype("float64")
    bound = (a.shape[1] + 2) * numpy.finfo(Z.dtype).eps * (abs(a) @ abs(b))
    assert Z.shape == bound.shape
    assert (abs(Z - a @ b) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
def test_gemm_tails_of_every_axis(native, isa, dtype, trans1, trans2):
    rng = numpy.random.default_rng(0)
    for n in range(1, 71):
        for M, N, K in ((n, 5, 7), (5, n, 7), (7, 11, n), (n, 71 - n, n)):
            x, y = operands(rng, M, N, K, trans1, trans2, dtype)
            Z = product(x, y, trans1=trans1, trans2=trans2)
            assert_product(Z, x, y, trans1, trans2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
@pytest.mark.parametrize("M,N,K", [(130, 300, 517), (3, 700, 1301), (517, 3, 130)])
def test_gemm_in_blocks(native, isa, dtype, trans1, trans2, M, N, K):
    rng = numpy.random.default_rng(1)
    x, y = operands(rng, M, N, K, trans1, trans2, dtype)
    Z = product(x, y, trans1=trans1, trans2=trans2)
    assert_product(Z, x, y, trans1, trans2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
@pytest.mark.parametrize("M,N,K", [(1, 1, 1), (7, 5, 3), (17, 33, 49)])
def test_gemm_every_engine(engine, dtype, trans1, trans2, M, N, K):
    rng = numpy.random.default_rng(2)
    x, y = operands(rng, M, N, K, trans1, trans2, dtype)
    out = numpy.full((M, N), numpy.nan, dtype=dtype)
    Z = product(x, y, out=out, trans1=trans1, trans2=trans2)
    assert Z is out
    assert_product(Z, x, y, trans1, trans2)
    assert_product(product(x, y, trans1=trans1, trans2=trans2), x, y, trans1, trans2)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SIZES),
    st.sampled_from(SIZES),
    st.sampled_from(SIZES),
    st.sampled_from(TRANSPOSES),
    st.sampled_from(["rows", "columns", "steps", "backwards", "fortran", "readonly"]),
    st.sampled_from(["new", "rows", "steps", "fortran"]),
)
def test_gemm_strides(M, N, K, transposes, layout, into):
    """What lies between the rows of a layout is neither read nor written."""
    trans1, trans2 = transposes
    rng = numpy.random.default_rng(3)
    x, y = operands(rng, M, N, K, trans1, trans2, "float32")

    def lay(X):
        rows, columns = X.shape
        if layout == "rows":
            big = numpy.full((rows, columns + 3), numpy.nan, dtype="f")
            view = big[:, :columns]
        elif layout == "columns":
            big = numpy.full((columns, rows + 2), numpy.nan, dtype="f")
            view = big[:, :rows].T
        elif layout == "steps":
            big = numpy.full((2 * rows, 3 * columns), numpy.nan, dtype="f")
            view = big[::2, ::3]
        elif layout == "backwards":
            view = numpy.empty((rows, columns), dtype="f")[::-1]
        else:
            view = numpy.empty((rows, columns), dtype="f", order="F")
        view[...] = X
        view.flags.writeable = layout != "readonly"
        return view

    if into == "new":
        around = out = numpy.full((M, N), numpy.nan, dtype="f")
    elif into == "rows":
        around = numpy.full((M, N + 5), 7.0, dtype="f")
        out = around[:, :N]
    elif into == "steps":
        around = numpy.full((M, 2 * N), 7.0, dtype="f")
        out = around[:, ::2]
    else:
        around = out = numpy.full((M, N), numpy.nan, dtype="f", order="F")
    Z = product(lay(x), lay(y), out=out, trans1=trans1, trans2=trans2)
    assert Z is out
    assert_product(Z, x, y, trans1, trans2)
    if into == "rows":
        assert (around[:, N:] == 7.0).all()
    if into == "steps":
        assert (around[:, 1::2] == 7.0).all()


GUARDED = """
import ctypes, mmap, numpy
from thinc.api import NumpyOps
from thinc.backends._kernels import gemm, levels

product = NumpyOps().gemm

libc = ctypes.CDLL(None)

# An array whose last byte is followed by a page that must not be touched.
def at_the_end(shape, dtype):
    size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
    room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    area = mmap.mmap(-1, room + mmap.PAGESIZE)
    guard = ctypes.addressof(ctypes.c_char.from_buffer(area)) + room
    page = ctypes.c_size_t(mmap.PAGESIZE)
    assert libc.mprotect(ctypes.c_void_p(guard), page, 0) == 0
    array = numpy.ndarray(shape, dtype, area, room - size)
    array[...] = 1
    return array

gemm.use_engine("native")
for isa in levels.isa_levels():
    levels.use_isa(isa)
    for dtype in ("float32", "float64"):
        for n in (1, 2, 3, 5, 7, 9, 15, 17, 31, 33, 47, 49, 65):
            for M, N, K in ((n, 5, 7), (5, n, 7), (7, 11, n), (n, n, n)):
                for t1, t2 in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    x = at_the_end((K, M) if t1 else (M, K), dtype)
                    y = at_the_end((N, K) if t2 else (K, N), dtype)
                    out = at_the_end((M, N), dtype)
                    assert (product(x, y, out=out, trans1=t1, trans2=t2) == K).all()
                x, W = at_the_end((M, K), dtype), at_the_end((N, 3, K), dtype)
                b = at_the_end((N, 3), dtype)
                assert (NumpyOps().affine_maxout(x, W, b)[0] == K + 1).all()
                W, b = at_the_end((N, K), dtype), at_the_end((N,), dtype)
                assert (NumpyOps().affine(x, W, b) == K + 1).all()
print("untouched")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
def test_nothing_is_read_beyond_the_end_of_an_array():
    run = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True)
    assert run.stdout.strip() == "untouched", (run.returncode, run.stderr)


def test_gemm_out_may_overlap_an_operand(engine):
    rng = numpy.random.default_rng(4)
    x, y = normal(rng, (9, 9)), normal(rng, (9, 9))
    expected = product(x, y)
    target = x.copy()
    assert (product(target, y, out=target) == expected).all()
    target = y.copy()
    assert (product(x, target, out=target) == expected).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N,K", [(1, 1), (3, 5), (10, 96), (50, 511), (131, 517), (8, 1300)])
def test_forward_bits_do_not_depend_on_the_batch(native, isa, dtype, N, K):
    rng = numpy.random.default_rng(5)
    X, W, b = (normal(rng, (67, K), dtype), normal(rng, (N, K), dtype), normal(rng, N, dtype))
    Y = NumpyOps().affine(X, W, b)
    Z = product(X, W, trans2=True)
    for rows in (*range(1, 26), 47, 48, 49, 66):
        start = rows % 7 if rows + rows % 7 <= 67 else 0
        part = X[start : start + rows]
        assert NumpyOps().affine(part, W, b).tobytes() == Y[start : start + rows].tobytes()
        apart = numpy.zeros((rows, K + 3), dtype=dtype)[:, :K]
        apart[...] = part
        weights = numpy.zeros((N, K + 5), dtype=dtype)[:, :K]
        weights[...] = W
        Z_part = product(apart, weights, trans2=True)
        assert Z_part.tobytes() == Z[start : start + rows].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
@pytest.mark.parametrize("M,K,N", [(200, 300, 512), (97, 700, 600), (61, 385, 3), (64, 1000, 523)])
def test_bits_of_a_row_do_not_depend_on_the_others(native, isa, dtype, trans1, trans2, M, K, N):
    """Every product, also where rows of B are far apart and where threads cut the columns."""
    rng = numpy.random.default_rng(5)
    x, y = operands(rng, M, N, K, trans1, trans2, dtype)
    whole = product(x, y, trans1=trans1, trans2=trans2)
    for start, end in ((0, 1), (0, 8), (3, 50), (1, 60)):
        part = x[:, start:end] if trans1 else x[start:end]
        for rows in (part, numpy.ascontiguousarray(part)):
            Z = product(rows, y, trans1=trans1, trans2=trans2)
            assert Z.tobytes() == whole[start:end].tobytes()
    for start in range(0, N, 64):
        columns = y[start : start + 64] if trans2 else y[:, start : start + 64]
        Z = product(x, columns, trans1=trans1, trans2=trans2)
        assert Z.tobytes() == whole[:, start : start + 64].tobytes()
        Z = product(x, numpy.ascontiguousarray(columns), trans1=trans1, trans2=trans2)
        assert Z.tobytes() == whole[:, start : start + 64].tobytes()


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([1, 3, 7, 8, 31, 47, 48, 49, 70]),
    st.integers(1, 530),
    st.sampled_from([5, 192, 193, 256, 257, 300, 384, 385, 400, 520, 800]),
    st.sampled_from(TRANSPOSES),
    st.sampled_from(DTYPES),
    st.sampled_from(levels.isa_levels()),
)
def test_bits_of_a_row_in_any_shape(M, N, K, transposes, dtype, level):
    trans1, trans2 = transposes
    rng = numpy.random.default_rng(M)
    x, y = operands(rng, M, N, K, trans1, trans2, dtype)
    before = levels.isa_name(), gemm.engine_name()
    levels.use_isa(level)
    gemm.use_engine("native")
    try:
        whole = product(x, y, trans1=trans1, trans2=trans2)
        for row in {0, M // 2, M - 1}:
            one = x[:, row : row + 1] if trans1 else x[row : row + 1]
            assert product(one, y, trans1=trans1, trans2=trans2).tobytes() == whole[row].tobytes()
    finally:
        levels.use_isa(before[0])
        gemm.use_engine(before[1])


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(levels.isa_levels()), reason="needs an AVX-512 CPU")
@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_bits_do_not_depend_on_the_vector_width(native, dtype):
    rng = numpy.random.default_rng(6)
    X, W, b = (normal(rng, (13, 77), dtype), normal(rng, (29, 77), dtype), normal(rng, 29, dtype))
    before = levels.isa_name()
    try:
        levels.use_isa("avx2")
        narrow = NumpyOps().affine(X, W, b)
        levels.use_isa("avx512")
        assert NumpyOps().affine(X, W, b).tobytes() == narrow.tobytes()
    finally:
        levels.use_isa(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N,I,O", [(1, 1, 1), (7, 5, 3), (16, 96, 10), (3, 1030, 17)])
def test_affine_every_engine(engine, isa, dtype, N, I, O):  # noqa: E741
    rng = numpy.random.default_rng(7)
    X, W, b = (normal(rng, (N, I), dtype), normal(rng, (O, I), dtype), normal(rng, O, dtype))
    Y = NumpyOps().affine(X, W, b)
    wide = numpy.concatenate([X, numpy.ones((N, 1), dtype)], axis=1)
    assert Y.dtype == dtype
    assert_product(Y, wide, numpy.concatenate([W, b[:, None]], axis=1), False, True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "N,I,O,P", [(1, 5, 3, 2), (7, 5, 3, 1), (66, 97, 30, 3), (130, 8, 300, 4), (5, 1030, 17, 3), (13, 6, 11, 9)]
)
def test_affine_maxout_is_maxout_of_affine(engine, isa, dtype, N, I, O, P):  # noqa: E741
    rng = numpy.random.default_rng(8)
    X, W = normal(rng, (N, I), dtype), normal(rng, (O, P, I), dtype)
    b = normal(rng, (O, P), dtype)
    best, which = NumpyOps().affine_maxout(X, W, b)
    Z = NumpyOps().affine(X, W.reshape((O * P, I)), b.reshape(O * P)).reshape((N, O, P))
    assert which.dtype == "int32" and best.dtype == dtype
    assert (which == Z.argmax(axis=2)).all()
    assert best.tobytes() == Z.max(axis=2).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N,I,O,P", [(1, 5, 3, 2), (66, 97, 30, 3), (131, 8, 300, 1), (13, 6, 11, 9)])
def test_affine_maxout_layer_norm_is_its_parts(isa, native, dtype, N, I, O, P):  # noqa: E741
    rng = numpy.random.default_rng(8)
    X, W = normal(rng, (N, I), dtype), normal(rng, (O, P, I), dtype)
    b = normal(rng, (O, P), dtype)
    G, beta = normal(rng, O, dtype), normal(rng, O, dtype)
    best, which = NumpyOps().affine_maxout(X, W, b)
    Y, mu, rstd = NumpyOps().layer_norm(best, G, beta, 1e-8)
    parts = (Y, best, which, mu, rstd)
    made = NumpyOps().affine_maxout_layer_norm(X, W, b, G, beta, 1e-8, True)
    for got, expected in zip(made, parts):
        assert got.tobytes() == expected.tobytes()
    made = NumpyOps().affine_maxout_layer_norm(X, W, b, G, beta, 1e-8, False)
    assert made[1] is None and made[2] is None
    for got, expected in zip(made[0:1] + made[3:], (Y, mu, rstd)):
        assert got.tobytes() == expected.tobytes()


def test_affine_maxout_layer_norm_of_what_does_not_fit():
    ops = NumpyOps()
    X, W, b = numpy.zeros((4, 5), "f"), numpy.zeros((3, 2, 5), "f"), numpy.zeros((3, 2), "f")
    G = numpy.zeros(3, "f")
    for args in ((X[:, :4], W, b, G, G), (X, W, b, G[:2], G), (X, W, b, G, G[:, None]), (X.astype("d"), W, b, G, G)):
        with pytest.raises(ValueError):
            ops.affine_maxout_layer_norm(*args, 1e-8, True)
    empty = ops.affine_maxout_layer_norm(X[:0], W, b, G, G, 1e-8, True)
    assert [part.shape for part in empty] == [(0, 3)] * 3 + [(0,)] * 2


def overlapping(flat, rows, columns, step):
    """A matrix whose rows begin `step` numbers apart."""
    strides = (step * flat.itemsize, flat.itemsize)
    return numpy.lib.stride_tricks.as_strided(flat, (rows, columns), strides, writeable=False)


def layouts(rng, rows, columns, dtype):
    """Matrices whose rows are cut from wider ones, overlap, lie backwards, are one row or lie across."""
    wide = normal(rng, (2 * rows, 2 * columns + 3), dtype)
    yield from (wide[:rows, 2 : columns + 2], wide[:rows][::-1, :columns], wide[:rows, : 2 * columns : 2])
    yield from (wide[::2, :columns], wide.T[: 2 * columns + 3, :rows][:columns].T, wide[:1, 1 : columns + 1])
    yield from (overlapping(wide.ravel(), rows, columns, step) for step in (0, 1, columns // 3, columns - 1))
    unaligned = numpy.zeros(wide.nbytes + 1, "u1")[1:].view(dtype).reshape(wide.shape)
    unaligned[...] = wide
    yield unaligned[:rows, :columns]
    yield wide[:rows, :columns].astype(wide.dtype.newbyteorder())


@pytest.mark.parametrize("weights", ["float32", "float64", "float16", "int8"])
@pytest.mark.parametrize("N,I,O,P", [(7, 6, 3, 2), (131, 97, 30, 3), (3, 1030, 5, 5), (9, 1, 4, 2)])
def test_affine_maxout_of_rows_that_lie_apart_or_overlap(isa, native, weights, N, I, O, P):  # noqa: E741
    ops, rng = NumpyOps(), numpy.random.default_rng(10)
    dtype = "float64" if weights == "float64" else "float32"
    W = normal(rng, (O, P, I), dtype)
    W = to_int8_rows(numpy, W) if weights == "int8" else W.astype(weights)
    b, G, beta = normal(rng, (O, P), dtype), normal(rng, O, dtype), normal(rng, O, dtype)
    for X in layouts(rng, N, I, dtype):
        copy = numpy.array(X, dtype=dtype, order="C")
        for got, expected in zip(ops.affine_maxout(X, W, b), ops.affine_maxout(copy, W, b)):
            assert got.tobytes() == expected.tobytes(), X.strides
        for is_train in (True, False):
            made, expected = (ops.affine_maxout_layer_norm(x, W, b, G, beta, is_train=is_train) for x in (X, copy))
            assert [numpy.array(part).tobytes() for part in made] == [numpy.array(part).tobytes() for part in expected]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
def test_a_product_of_rows_that_lie_apart_or_overlap(engine, isa, dtype, trans1, trans2):
    rng = numpy.random.default_rng(11)
    for M, N, K in [(200, 33, 20), (70, 33, 20), (20, 70, 385), (3, 4, 5), (1, 9, 6)]:
        x_shape, y_shape = ((K, M) if trans1 else (M, K)), ((N, K) if trans2 else (K, N))
        for x in layouts(rng, *x_shape, dtype):
            for y in layouts(rng, *y_shape, dtype):
                if x.shape == x_shape and y.shape == y_shape:
                    Z = product(x, y, trans1=trans1, trans2=trans2)
                    assert_product(Z, x, y, trans1, trans2)
                    if engine == "native":
                        copies = (x.astype(dtype).copy(), y.astype(dtype).copy())
                        assert Z.tobytes() == product(*copies, trans1=trans1, trans2=trans2).tobytes()


def test_out_is_not_written_where_rows_overlap(engine):
    x, y = numpy.ones((3, 2), "f"), numpy.ones((2, 4), "f")
    out = numpy.lib.stride_tricks.as_strided(numpy.zeros(8, "f"), (3, 4), (8, 4))
    assert (product(x, y, out=out) == 2).all()
    flat = numpy.arange(16, dtype="f")
    windows = overlapping(flat, 4, 4, 2)
    expected = product(windows.copy(), windows.copy())
    assert (product(windows, windows, out=flat.reshape((4, 4))) == expected).all()


def test_affine_maxout_takes_the_first_of_equals(isa):
    W = numpy.ones((5, 3, 4), dtype="f")
    best, which = NumpyOps().affine_maxout(numpy.ones((2, 4), "f"), W, numpy.zeros((5, 3), "f"))
    assert (best == 4).all() and (which == 0).all()


@pytest.mark.parametrize("M,N,K", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)])
@pytest.mark.parametrize("trans1,trans2", TRANSPOSES)
def test_empty_dimensions(engine, M, N, K, trans1, trans2):
    rng = numpy.random.default_rng(9)
    x, y = operands(rng, M, N, K, trans1, trans2, "float32")
    out = numpy.full((M, N), numpy.nan, dtype="f")
    assert product(x, y, trans1=trans1, trans2=trans2).shape == (M, N)
    assert (product(x, y, out=out, trans1=trans1, trans2=trans2) == 0).all()
    b = normal(rng, N)
    Y = NumpyOps().affine(normal(rng, (M, K)), normal(rng, (N, K)), b)
    assert Y.shape == (M, N) and (Y == b).all()
    best, which = NumpyOps().affine_maxout(normal(rng, (M, K)), normal(rng, (N, 2, K)), numpy.zeros((N, 2), "f"))
    assert best.shape == which.shape == (M, N) and (which == 0).all()


def test_nan_and_infinity_travel(isa, native):
    x, y = numpy.ones((5, 9), "f"), numpy.ones((7, 9), "f")
    x[1, 8] = numpy.nan
    y[2, 8] = numpy.inf
    for Z in (product(x, y, trans2=True), product(x, y.T.copy())):
        assert numpy.isnan(Z[1]).all()
        assert (Z[[0, 2, 3, 4], 2] == numpy.inf).all()
        assert (numpy.delete(numpy.delete(Z, 1, 0), 2, 1) == 9).all()


def test_gemm_errors():
    x, y = numpy.zeros((2, 5), "f"), numpy.zeros((4, 3), "f")
    with pytest.raises(ValueError, match=r"Shape mismatch for blis.gemm: \(2, 5\), \(4, 3\)"):
        product(x, y)
    with pytest.raises(ValueError, match=r"Shape mismatch for blis.gemm: \(2, 5\), \(3, 4\)"):
        product(x, y, trans2=True)
    with pytest.raises(ValueError, match="'x' array should be 2-dimensional, but found 1 dim"):
        product(x[0], y)
    with pytest.raises(ValueError, match="'y' array should be 2-dimensional, but found 3 dim"):
        product(x, y[None])
    for dtype in ("float64", "float16", "int32"):
        with pytest.raises(ValueError, match="BLIS gemm requires float32 arrays"):
            product(x, numpy.zeros((5, 3), dtype))
    y = numpy.zeros((5, 3), "f")
    with pytest.raises(ValueError, match="Shape mismatch for output"):
        product(x, y, out=numpy.zeros((3, 3), "f"))
    with pytest.raises(ValueError, match="expected out of dtype float32, got float64"):
        product(x, y, out=numpy.zeros((2, 3)))
    frozen = numpy.zeros((2, 3), "f")
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        product(x, y, out=frozen)
    with pytest.raises(ValueError, match="Shape mismatch for blis.gemm"):
        NumpyOps().affine(x, numpy.zeros((3, 4), "f"), numpy.zeros(3, "f"))
    with pytest.raises(ValueError, match="broadcast"):
        NumpyOps().affine(x, numpy.zeros((3, 5), "f"), numpy.zeros(2, "f"))


def test_uncovered_arrays_are_left_to_the_readable_formula():
    """Which computes, or says what is wrong; None is no answer."""
    ops, x = NumpyOps(), numpy.ones((2, 5), "f")
    with pytest.raises(TypeError, match="gemm: expected x to be a numpy array, got builtins.list"):
        ops.gemm([[1.0]], x)
    with pytest.raises(ValueError, match="x.dtype=float32 and y.dtype=float64"):
        ops.affine(x, numpy.zeros((3, 5)), numpy.zeros(3, "f"))
    assert ops.affine(x, numpy.ones((3, 5), "f"), numpy.zeros(3)).tolist() == [[5.0] * 3] * 2
    with pytest.raises(ValueError, match="at least one piece"):
        ops.affine_maxout(x, numpy.zeros((3, 0, 5), "f"), numpy.zeros((3, 0), "f"))


def test_engines():
    before = gemm.engine_name()
    assert {"native", "blis", "numpy"} <= set(gemm.engines())
    with pytest.raises(ValueError, match="'abacus' is not available. Engines: native"):
        gemm.use_engine("abacus")
    assert gemm.engine_name() == before
    assert (gemm.linked_blas() is not None) == ("linked" in gemm.engines())


@pytest.mark.parametrize("value,works", [("blis", True), ("numpy", True), ("abacus", False)])
def test_environment_chooses_the_engine(value, works):
    code = "from thinc.backends._kernels import gemm; print(gemm.engine_name())"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "THINC_GEMM": value}, capture_output=True, text=True
    )
    if works:
        assert run.stdout.strip() == value
    else:
        assert "THINC_GEMM=abacus" in run.stderr and "Engines: native" in run.stderr
