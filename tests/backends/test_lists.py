"""Lists of arrays: padding, compiled against readable."""

import numpy
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

    def run(function):
        try:
            return function()
        except (ValueError, IndexError, TypeError) as error:
            return type(error)

    def same(one, other):
        if isinstance(one, type):
            return one is other
        return one.dtype == other.dtype and numpy.array_equal(one, other)

    readable, fast = Ops(), NumpyOps()
    assert same(run(lambda: fast.pad(arrays, round_to)), run(lambda: readable.pad(arrays, round_to)))
    mine = run(lambda: fast.list2padded(iter(arrays)))
    theirs = run(lambda: readable.list2padded(iter(arrays)))
    if isinstance(theirs, type):
        assert mine is theirs
        return
    for name in ("data", "size_at_t", "lengths", "indices"):
        assert same(getattr(mine, name), getattr(theirs, name)), name
    for one, other in zip(fast.padded2list(mine), arrays):
        assert numpy.array_equal(one, other)
