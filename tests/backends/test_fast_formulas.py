"""The law of two formulas: the compiled one gives what the readable one gives.

Truth is the readable formula in float64. For float64 itself it is only as good as the
fast one, so that twice the distance is allowed.
"""

import numpy
import pytest

from tests.cases.ops import CASES, EXEMPT
from tests.checks import assert_ulp
from thinc.backends import Ops


def widen(value):
    if isinstance(value, numpy.ndarray):
        return value.astype("float64") if value.dtype.kind == "f" else value.copy()
    if isinstance(value, tuple):
        return tuple(widen(item) for item in value)
    return value


def frozen_and_strided(value):
    """The same numbers, read-only and at every second place in memory."""
    if not isinstance(value, numpy.ndarray):
        return value
    wide = numpy.zeros(tuple(2 * n for n in value.shape), dtype=value.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in value.shape)]
    view[...] = value
    view.flags.writeable = False
    return view


def outputs(case, call_args, result):
    """Everything the call produced, as a flat list."""
    parts = [call_args[position] for position in case.mutates]
    stack = [result]
    while stack:
        item = stack.pop(0)
        if isinstance(item, tuple):
            stack.extend(item)
        elif isinstance(item, numpy.ndarray):
            parts.append(item)
    return parts


def run(ops, case, call_args):
    return outputs(case, call_args, getattr(ops, case.name)(*call_args, **case.kwargs))


def assert_readable(fast_ops, case, dtype):
    """A backend gives what the readable formula gives in float64."""
    call_args = case.args(numpy.random.RandomState(0), dtype)
    want = run(Ops(), case, widen(call_args))
    got = run(fast_ops, case, call_args)
    factor = 2 if dtype == "float64" else 1
    if case.name == "adam":
        # The third result, the gradient, is emptied by the compiled backend alone.
        assert not call_args[1].any()
        got, want = got[:3], want[:3]
    assert len(got) == len(want)
    for fast, readable in zip(got, want):
        assert fast.shape == readable.shape
        if readable.dtype.kind != "f":
            assert fast.dtype == readable.dtype
            numpy.testing.assert_array_equal(fast, readable)
        elif case.exact:
            assert fast.dtype == dtype
            numpy.testing.assert_array_equal(fast, readable)
        else:
            assert case.name == "position_encode" or fast.dtype == (case.result or dtype)
            assert_ulp(fast, readable, case.ulp * factor, case.atol * factor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fast_is_readable(fast_ops, case, dtype):
    assert_readable(fast_ops, case, dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fast_takes_any_layout(fast_ops, case):
    """Read-only inputs with gaps change nothing, not even a bit of the copies."""
    call_args = case.args(numpy.random.RandomState(0), "float32")
    awkward = [
        value if position in case.mutates or case.name == "adam" else frozen_and_strided(value)
        for position, value in enumerate(case.args(numpy.random.RandomState(0), "float32"))
    ]
    if case.name in ("clip_gradient", "backprop_lstm"):
        awkward[0] = awkward[0].copy()
    kwargs = {key: frozen_and_strided(value) for key, value in case.kwargs.items()}
    want = run(fast_ops, case, call_args)
    got = outputs(case, awkward, getattr(fast_ops, case.name)(*awkward, **kwargs))
    assert len(got) == len(want)
    for one, other in zip(got, want):
        if one.dtype.kind == "f":
            assert_ulp(one, other.astype("float64"), ulp=8, atol=16)
        else:
            numpy.testing.assert_array_equal(one, other)


def test_every_op_has_a_row():
    named = {case.name for case in CASES}
    public = {
        name
        for name in dir(Ops)
        if not name.startswith(("_", "alloc", "asarray", "reshape")) and callable(getattr(Ops, name))
    }
    # Both directions of a reshape, an allocation or a conversion are array methods.
    assert public - named == set(EXEMPT)
