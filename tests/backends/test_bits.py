"""The table of what bits depend on: every row, in many shapes, on every CPU level, with threads and without."""

import os

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thinc.backends._kernels.levels import isa_levels, isa_name, use_isa

from tests.cases.bits import BITS, ELSEWHERE
from tests.cases.ops import CASES
from thinc.api import NumpyOps, set_num_threads
from thinc.backends._kernels import gemm

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
ops = NumpyOps()
SIZES = st.tuples(
    st.integers(1, 200), st.sampled_from([1, 5, 64, 300, 390]), st.sampled_from([1, 3, 16, 33, 520]), st.integers(1, 6)
)


@pytest.fixture(autouse=True)
def as_it_was():
    level, engine = isa_name(), gemm.engine_name()
    gemm.use_engine("native")
    yield
    use_isa(level)
    gemm.use_engine(engine)
    set_num_threads(1)


def called(name, args):
    kwargs = {}
    if name in ("seq2col", "backprop_seq2col"):
        *args, kwargs["lengths"] = args
    result = getattr(ops, name)(*args, **kwargs)
    return [part for part in (result if isinstance(result, tuple) else (result,))]


def same(got, expected):
    return numpy.asarray(got).tobytes() == numpy.asarray(expected).tobytes()


def part_of(row, args, start, end):
    """The arguments for some of the items, and where their rows are in arguments and in outputs."""
    items = slice(start, end)
    if not row.lengths:
        rows = items
        cut = [arg[items] if i in row.rows else arg for i, arg in enumerate(args)]
        return cut, rows
    ends = numpy.concatenate([[0], args[-1].cumsum()])
    tokens = slice(int(ends[start]), int(ends[end]))
    cut = [arg[tokens] if i in row.rows else arg for i, arg in enumerate(args)]
    if not row.rows:  # a gradient: an item is a sequence in every argument
        cut = [arg[items] if isinstance(arg, numpy.ndarray) else arg for arg in args]
    cut[-1] = args[-1][items]
    return cut, tokens if row.tokens else items


@pytest.mark.parametrize("name", BITS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIZES, st.sampled_from(["float32", "float64"]), st.sampled_from(isa_levels()), st.randoms(use_true_random=False))
def test_own_rows_are_the_same_in_any_batch(name, sizes, dtype, level, random):
    row = BITS[name]
    use_isa(level)
    args = row.make(numpy.random.RandomState(sizes[0]), dtype, sizes)
    whole = called(name, args)
    n = len(args[-1]) if row.lengths else sizes[0]
    start = random.randrange(n)
    for begin, end in ((0, n // 2), (start, start + 1), (start, n)):
        cut, rows = part_of(row, args, begin, end)
        part = called(name, cut)
        for i in row.own:
            assert same(part[i], whole[i][rows]), (name, i, begin, end)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BITS)
def test_threads_change_nothing(name, dtype):
    if CORES < 2:
        pytest.skip("one core: there are no threads")
    args = BITS[name].make(numpy.random.RandomState(0), dtype, (1500, 96, 64, 3))
    alone = called(name, args)
    set_num_threads(2)
    for got, expected in zip(called(name, args), alone):
        assert same(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name, row in BITS.items() if row.levels == "all"])
def test_levels_change_nothing(name, dtype):
    for sizes in ((1, 1, 1, 1), (77, 33, 19, 3), (300, 5, 130, 5)):
        args = BITS[name].make(numpy.random.RandomState(0), dtype, sizes)
        results = []
        for level in isa_levels():
            use_isa(level)
            results.append(called(name, args))
        for other in results[1:]:
            for got, expected in zip(other, results[0]):
                assert same(got, expected)


@pytest.mark.parametrize("name", BITS)
def test_sums_over_the_batch_are_named(name):
    """An output is either an item's own or a sum."""
    row = BITS[name]
    outputs = called(name, row.make(numpy.random.RandomState(0), "float32", (7, 5, 3, 2)))
    assert {*row.own, *row.summed} == set(range(len(outputs))) and not {*row.own} & {*row.summed}


def test_every_op_is_in_the_table():
    assert {case.name for case in CASES} == {*BITS, *ELSEWHERE}
    assert not {*BITS} & {*ELSEWHERE}
