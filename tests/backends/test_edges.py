"""Numbers at the edges of their formats, and sums that are long: the readable formula in float64 is the truth."""

import itertools

import numpy
import pytest

from tests.cases.ops import CASES
from tests.checks import assert_ulp
from thinc.backends import NumpyOps, Ops

DTYPES = ["float32", "float64"]
INF, NAN = numpy.inf, numpy.nan
# Powers whose squares overflow or vanish in float32, both zeros, denormals, and what is no number.
EDGES = [0.0, -0.0, 1e-45, -1e-40, 1e-30, -1e-30, 1e-19, 1.0, -1.0, 2.5, -3.0, 20.0, -20.0, 88.0, -104.0, 1e9, -1e9]
EDGES += [1e19, -1e19, 2e19, -2e19, 1e38, -1e38, 3e38, -3e38, INF, -INF, NAN]
SMOOTH = ["sigmoid", "swish", "dish", "gelu", "gelu_approx", "mish"]
ALL = [*SMOOTH, "relu", "relu_k", "hard_sigmoid", "hard_tanh", "clipped_linear", "hard_swish", "hard_swish_mobilenet"]


def wide(array):
    return array.astype("float64") if array.dtype.kind == "f" else array


def assert_close(got, want, floor=0.0, ulp=16):
    """Equal in what is no number, and near in what is; what is beyond float32 in `want` is infinite in `got`."""
    got, want = numpy.asarray(got), numpy.asarray(want)
    limit = numpy.finfo(got.dtype)
    numpy.testing.assert_array_equal(numpy.isnan(got), numpy.isnan(want))
    fits = abs(want) <= limit.max
    numpy.testing.assert_array_equal(numpy.isinf(got[~fits]) | numpy.isnan(got[~fits]), True)
    error = abs(got[fits].astype("float64") - want[fits])
    assert (error <= ulp * limit.eps * abs(want[fits]) + floor * limit.eps + 4 * limit.tiny * limit.eps).all()


@pytest.mark.parametrize("name", ALL)
def test_activations(ops, name):
    X = numpy.array(EDGES, dtype="float32")
    with numpy.errstate(over="ignore"):
        assert_close(getattr(ops, name)(X), getattr(Ops(), name)(wide(X)), floor=4)


@pytest.mark.parametrize("dY", [1.0, 0.0, -1e30, INF])
@pytest.mark.parametrize("name", ALL)
def test_gradients_of_activations(ops, name, dY):
    X = numpy.array(
        [x for x in EDGES if name != "swish" or abs(x) < 20], dtype="float32"
    )  # beyond: test_activations.py
    dYs = numpy.full_like(X, dY)
    Y = getattr(Ops(), name)(wide(X))
    arrays = {"relu": (Y,), "sigmoid": (Y,), "swish": (wide(X), Y)}.get(name, (wide(X),))
    want = getattr(Ops(), "backprop_" + name)(wide(dYs), *arrays)
    with numpy.errstate(over="ignore"):
        got = getattr(ops, "backprop_" + name)(dYs, *(array.astype("float32") for array in arrays))
    if dY == INF and name in SMOOTH:  # inf times what is 0 in one format and tiny in the other
        got, want = got[X == 1.0], want[X == 1.0]
    assert_close(got, want, floor=8 * abs(dY) if numpy.isfinite(dY) else 0)


@pytest.mark.parametrize("name", ["relu", "relu_k", "hard_sigmoid", "hard_tanh", "hard_swish", "hard_swish_mobilenet"])
def test_no_gradient_where_it_is_flat(ops, name):
    X = numpy.array([-1e3, -INF, NAN][: 2 if name.startswith("hard_s") else 3], dtype="f")
    saved = getattr(ops, name)(X) if name == "relu" else X
    dX = getattr(ops, "backprop_" + name)(numpy.full_like(X, INF), saved)
    numpy.testing.assert_array_equal(dX, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dish_far_out(ops, dtype):
    X = numpy.array([2e19, -2e19, 1e30, -1e30, INF, -INF], dtype=dtype)
    numpy.testing.assert_allclose(ops.dish(X), [X[0], 0, X[2], 0, INF, 0], rtol=1e-6, atol=1e-18)
    numpy.testing.assert_allclose(ops.backprop_dish(numpy.ones_like(X), X), [1, 0, 1, 0, 1, 0], atol=1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [1e-30, 1e-8, 0.3, 1e8, 1e30, -1.0, -1e-8])
def test_softmax_of_any_temperature(ops, dtype, temperature):
    X = numpy.random.RandomState(0).normal(scale=50, size=(1000, 7)).astype(dtype)
    Y = ops.softmax(X, temperature=temperature)
    assert_ulp(Y, Ops().softmax(wide(X), temperature=temperature), ulp=256, atol=1)
    numpy.testing.assert_allclose(Y.sum(axis=1), 1, rtol=1e-5)
    if 0 < temperature < 1e-6:
        assert (Y.argmax(axis=1) == X.argmax(axis=1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_at_the_edges(ops, dtype):
    X = numpy.array([[1e38, 1e38, -1e38], [-INF, 0, 1], [NAN, 0, 1], [0, NAN, 1], [1e-40, -0.0, 0]], dtype=dtype)
    with numpy.errstate(over="ignore"):
        assert_close(ops.softmax(X), Ops().softmax(wide(X)))


def test_cosine_does_not_depend_on_size(ops):
    rows = numpy.array([[1e20, 1], [1e-25, 1e-25], [3e38, 3e38], [1, 0], [0, 0], [1e-30, 0], [-1e19, 1e19]], "f")
    for y, t in itertools.product(rows, [*rows, numpy.array([1, 1], "f")]):
        dY, cosine = ops.cosine_distance(y[None], t[None])
        want_dY, want = Ops().cosine_distance(wide(y[None]), wide(t[None]))
        numpy.testing.assert_allclose(cosine, want, rtol=1e-5, atol=1e-6)
        size = max(abs(y).max(), 1e-8)
        numpy.testing.assert_allclose(dY.astype("float64") * size, want_dY * size, rtol=1e-5, atol=1e-6)
    assert abs(ops.cosine_distance(rows[:1], numpy.ones((1, 2), "f"))[1][0] - 0.5**0.5) < 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_guess_along_its_truth_has_no_gradient(ops, dtype):
    for X in (numpy.zeros((1, 3)), numpy.ones((1, 3)), numpy.random.RandomState(0).normal(size=(5, 17))):
        dY, cosines = ops.cosine_distance(X.astype(dtype), X.astype(dtype))
        assert not dY.any() and (cosines == 1).all()


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_step_of_an_infinite_weight(ops, kind):
    from thinc.backends._updates import Step

    w, g, m, v, ema = (numpy.array(x, "f") for x in ([INF, 1], [1, 1], [0, 0], [1, 1], [1, 1]))
    ops.optimizer_step(w, g, m, v, ema, Step(kind, 0.0, 0.0, 0.1, 0.9, 0.999, 1e-8, 0.0, 0.1))
    assert w[0] == INF and numpy.isfinite([*m, *v, w[1]]).all()


PIECES = [0.0, -0.0, 1.0, -INF, INF, NAN, -1.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("P", [1, 2, 3, 4, 5])
def test_maxout_shows_what_is_no_number(ops, dtype, P):
    X = numpy.array(list(itertools.product(PIECES, repeat=min(P, 4))), dtype=dtype)
    X = numpy.concatenate([X[:, :1]] * (P - X.shape[1]) + [X], axis=1)
    best, which = ops.maxout(X[:, None])
    numpy.testing.assert_array_equal(best[:, 0], X.max(axis=1))
    numpy.testing.assert_array_equal(which[:, 0], X.argmax(axis=1))
    # As the sum of a product, and as the rows of a sequence.
    W = numpy.zeros((1, P, 1), dtype)
    for bias, row in zip(X[:50], X[:50]):
        best, which = ops.affine_maxout(numpy.ones((3, 1), dtype), W, bias[None])
        numpy.testing.assert_array_equal(best[:, 0], row.max())
        numpy.testing.assert_array_equal(which[:, 0], row.argmax())
    best, which = ops.reduce_max(numpy.ascontiguousarray(X.T), numpy.array([P], "i"))
    numpy.testing.assert_array_equal(best[0], X.max(axis=1))
    numpy.testing.assert_array_equal(which[0], X.argmax(axis=1))


MIXTURES = [[1.0, NAN, 2.0], [1e19, -1e19, 1.0], [0.0, -0.0, 1e-40], [1e30, 1.0, -1e30], [INF, 1.0, 0.0]]
LINEAR = ["layer_norm", "softmax", "sum_rows", "reduce_sum", "reduce_mean", "reduce_max", "seq2col", "maxout", "affine"]
LINEAR += ["gather_add", "scatter_add", "update_averages", "l2_distance", "backprop_softmax", "softmax_sequences"]
ROWS = [case for case in CASES if case.name in LINEAR]


@pytest.mark.parametrize("row", MIXTURES, ids=str)
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_every_row_of_the_cases_with_edges(fast_ops, case, row):
    """What the readable formula makes of inf and NaN in float64, or overflows in float32."""
    if case.name == "layer_norm" and max(row) > 1e18:
        pytest.skip("a variance that overflows leaves b of the row, in float64 as in float32")
    args = case.args(numpy.random.RandomState(0), "float32")
    floats = [arg for arg in args if isinstance(arg, numpy.ndarray) and arg.dtype.kind == "f"]
    with numpy.errstate(over="ignore"):
        floats[0].reshape(-1)[:3] = row
    truth_args = [wide(arg.copy()) if isinstance(arg, numpy.ndarray) else arg for arg in args]
    with numpy.errstate(all="ignore"):
        want = getattr(Ops(), case.name)(*truth_args, **case.kwargs)
        got = getattr(fast_ops, case.name)(*args, **case.kwargs)
    pairs = [(args[i], truth_args[i]) for i in case.mutates]
    pairs += list(zip(got, want)) if isinstance(want, tuple) else [(got, want)]
    for fast, readable in pairs:
        if fast is None:
            continue
        fast, readable = numpy.asarray(fast), numpy.asarray(readable)
        if fast.dtype.kind != "f":
            numpy.testing.assert_array_equal(fast, readable)
            continue
        limit = numpy.finfo("float32")
        fits = abs(readable) < limit.max / 16
        largest = numpy.nanmax(abs(readable[fits]), initial=0)
        numpy.testing.assert_allclose(fast[fits], readable[fits], rtol=1e-4, atol=largest * 1e-6 + 1e-38)
        no_number = numpy.isnan(readable)
        assert not numpy.isfinite(fast[no_number]).any()


# ---- long sums


@pytest.mark.parametrize("n,width", [(10**6, 8), (10**6, 1), (10**5, 96), (3 * 10**6, 3)])
def test_sums_of_many_rows(n, width, isa_ops):
    X = numpy.full((n, width), 0.1, "f")
    exact = float(X[0, 0]) * n
    lengths = numpy.array([n], "i")
    for sums, truth in (
        (isa_ops.sum_rows(X), exact),
        (isa_ops.reduce_sum(X, lengths)[0], exact),
        (isa_ops.reduce_mean(X, lengths)[0], float(X[0, 0])),
    ):
        numpy.testing.assert_allclose(sums, truth, rtol=4e-7)
    if width > 1:
        ones = numpy.ones(width, "f")
        _, dG, db = isa_ops.backprop_layer_norm(X, X, ones, numpy.zeros(n, "f"), numpy.ones(n, "f"))
        numpy.testing.assert_allclose(db, exact, rtol=1e-6)
        numpy.testing.assert_allclose(dG, exact * float(X[0, 0]), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1000, 10**5, 3 * 10**6])
def test_long_rows(isa_ops, dtype, n):
    """Means, variances, norms and softmax of long rows stay within some units of the last place."""
    eps = numpy.finfo(dtype).eps
    X = (numpy.random.RandomState(0).uniform(size=(1, n)) + 0.1).astype(dtype)
    ones, zeros = numpy.ones(n, dtype), numpy.zeros(n, dtype)
    wide_X = X.astype(numpy.longdouble)
    _, mu, rstd = isa_ops.layer_norm(X, ones, zeros)
    assert abs(mu[0] - wide_X.mean()) <= 8 * eps
    assert abs(rstd[0] * numpy.sqrt(wide_X.var() + 1e-8) - 1) <= 8 * eps
    Y = isa_ops.softmax(X)
    assert abs(Y.astype(numpy.longdouble).sum() - 1) <= 32 * eps
    _, squares = isa_ops.l2_distance(X, numpy.zeros_like(X))
    assert abs(squares / (wide_X**2).sum() - 1) <= 16 * eps
    G = X.copy()
    isa_ops.clip_gradient(G, 1.0)
    assert abs((G.astype(numpy.longdouble) ** 2).sum() - 1) <= 16 * eps


@pytest.mark.parametrize("values", [[1e30, 1.0], [INF, 1.0], [-INF, INF], [NAN, 1.0], [3e38, 3e38]])
def test_long_sums_of_what_is_no_number(isa_ops, values):
    X = numpy.zeros((1000, 2), "f")
    X[3, 0], X[700, 0] = values
    with numpy.errstate(all="ignore"):
        expected = X.sum(axis=0)
    numpy.testing.assert_array_equal(isa_ops.sum_rows(X), expected)


@pytest.fixture
def isa_ops(fast_ops):
    assert isinstance(fast_ops, NumpyOps)
    return fast_ops
