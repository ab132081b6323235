"""Lists of arrays: padding, compiled against readable."""

import gc

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thinc.api import NumpyOps, Ops

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    width=st.sampled_from([(), (1,), (3,), (2, 2)]),
    dtype=st.sampled_from(["float32", "float64", "int32", "uint64", "bool"]),
    layout=st.sampled_from(["plain", "strided", "read-only", "other dtype"]),
    round_to=st.integers(1, 4),
)
def test_padding_of_any_arrays(lengths, width, dtype, layout, round_to):
    """The compiled loops and the readable ones: same arrays, order and errors."""
    rng = numpy.random.RandomState(len(lengths))
    arrays = [rng.randint(0, 9, size=(n, *width)).astype(dtype) for n in lengths]
    if layout == "strided":
        arrays = [numpy.repeat(array, 2, axis=0)[::2] for array in arrays]
    elif layout == "read-only":
        for array in arrays:
            array.flags.writeable = False
    elif layout == "other dtype":
        arrays[-1] = arrays[-1].astype("int16")

    def run(function, *args, **settings):
        try:
            return function(*args, **settings)
        except (ValueError, IndexError, TypeError) as error:
            return type(error)

    def same(one, other):
        if isinstance(one, type):
            return one is other
        return one.dtype == other.dtype and numpy.array_equal(one, other)

    readable, fast = Ops(), NumpyOps()
    assert same(run(fast.pad, arrays, round_to), run(readable.pad, arrays, round_to))
    for pad in (0, round_to):
        joined = run(fast.flatten, iter(arrays), pad=pad)
        assert same(joined, run(readable.flatten, iter(arrays), pad=pad))
        if not isinstance(joined, type):
            for sizes in (lengths, lengths[::-1], [n + 2 for n in lengths]):  # (the last are too long)
                mine, theirs = (ops.unflatten(joined, sizes, pad=pad) for ops in (fast, readable))
                assert len(mine) == len(theirs) and all(map(same, mine, theirs))
    mine = run(fast.list2padded, iter(arrays))
    theirs = run(readable.list2padded, iter(arrays))
    if isinstance(theirs, type):
        assert mine is theirs
        return
    for name in ("data", "size_at_t", "lengths", "indices"):
        assert same(getattr(mine, name), getattr(theirs, name)), name
    for one, other in zip(fast.padded2list(mine), arrays):
        assert numpy.array_equal(one, other)


@pytest.mark.parametrize("kind", ["C", "strided", "reversed", "axes", "read-only", "unaligned", ">f4", "4-d"])
def test_parts_are_views_like_slices(kind):
    whole = numpy.arange(240, dtype="f").reshape(4, 6, 10)
    X = {
        "C": whole,
        "strided": whole[:, ::2, ::3],
        "reversed": whole[::-1, ::-1, ::-1],
        "axes": whole.T,
        "unaligned": numpy.frombuffer(b"x" + whole.tobytes(), "f", offset=1).reshape(whole.shape),
        ">f4": whole.astype(">f4"),
        "4-d": whole.reshape(4, 6, 5, 2),
        "read-only": whole.copy(),
    }[kind]
    X.flags.writeable = X.flags.writeable and kind != "read-only"
    lengths = [0, 2, X.shape[1] + 3, 1]
    for sizes in (lengths, tuple(lengths), numpy.array(lengths, "i4"), lengths[:2], []):
        views = NumpyOps().unpad(X, sizes)
        want = [X[b, : int(n)] for b, n in enumerate(sizes)]
        assert [Y.tolist() for Y in views] == [Y.tolist() for Y in want]
        for Y, like in zip(views, want):
            assert Y.dtype == like.dtype and Y.strides == like.strides and Y.flags == like.flags
            assert numpy.shares_memory(Y, X) or not Y.size
        for pad in (0, 1):
            for Y, like in zip(NumpyOps().unflatten(X, sizes, pad=pad), Ops().unflatten(X, sizes, pad=pad)):
                assert (Y.tolist(), Y.dtype, Y.strides, Y.flags) == (
                    like.tolist(),
                    like.dtype,
                    like.strides,
                    like.flags,
                )
                assert numpy.shares_memory(Y, X) or not Y.size
    with pytest.raises(IndexError, match="at most"):
        NumpyOps().unpad(X, [1] * (len(X) + 1))


def test_views_outlive_what_they_view():
    views = NumpyOps().unpad(numpy.ones((2, 1000, 100), "f"), [1000, 3])
    views += NumpyOps().unflatten(numpy.ones((1003, 100), "f"), [3, 1000])[1:]
    gc.collect()
    assert views[0].sum() == views[2].sum() == 100_000


@pytest.mark.parametrize("cls", [Ops, NumpyOps])
@pytest.mark.parametrize(
    "lengths, error", [([-1, 2], ValueError), ([1.5, 2], TypeError), (numpy.ones(2), TypeError), (None, TypeError)]
)
def test_what_is_no_length_is_refused(cls, lengths, error):
    for name in ("unpad", "unflatten"):
        with pytest.raises(error, match=f"{name}: expected lengths"):
            getattr(cls, name)(NumpyOps(), numpy.ones((2, 3, 4), "f"), lengths)
