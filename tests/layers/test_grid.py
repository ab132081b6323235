"""Every layer on every dtype, memory layout and container, forwards and backwards.

What comes out is what the readable formulas give for a contiguous copy, or it is an error that says who, what was
expected and what came. A layer is in this from its first day: the rows of tests/cases are all there is to write.
"""

import copy
import functools
import itertools
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy
import pytest

from tests.cases import LayerCase
from tests.layers.rows import CASES
from tests.layers.values import initialized, map_arrays, noise
from thinc.backends import NumpyOps, Ops
from thinc.types import Padded, Ragged


class Readable(Ops):
    """The readable formulas, with the other backend's random numbers."""

    get_dropout_mask = NumpyOps.get_dropout_mask


REFERENCE = Readable()
ALLOWED = (ValueError, TypeError, IndexError, NotImplementedError, OverflowError)
# Words of an interpreter that was not asked whether the input is one it can take.
ACCIDENTS = ("NoneType", "object has no attribute", "unpack", "not subscriptable", "unsized object", "not iterable")

# -- What an array may be. Each takes an array and makes another of the same numbers, or None where it cannot.

DTYPES = ["float16", "float64", "int32", "int64", "uint8", "bool", "object", ">f4", ">f8", ">i4", "mixed"]


def strided(A: Any) -> Any:
    wide = numpy.zeros((*A.shape[:-1], 2 * A.shape[-1]), A.dtype)
    wide[..., ::2] = A
    return wide[..., ::2]


def spread_rows(A: Any) -> Any:
    tall = numpy.zeros((3 * len(A), *A.shape[1:]), A.dtype)
    tall[::3] = A
    return tall[::3]


def cut(A: Any) -> Any:
    """Rows and columns from within a larger array, whose other numbers are not finite."""
    outside: Any = numpy.nan if A.dtype.kind == "f" else 1
    large = numpy.full(tuple(size + 4 for size in A.shape), outside, A.dtype)
    inside = tuple(slice(2, size + 2) for size in A.shape)
    large[inside] = A
    return large[inside]


def unaligned(A: Any) -> Any:
    memory = numpy.zeros(A.nbytes + 1, "u1")[1:]
    B = memory.view(A.dtype)[: A.size].reshape(A.shape)
    B[...] = A
    return B


def read_only(A: Any) -> Any:
    B = A.copy()
    B.flags.writeable = False
    return B


def broadcast(A: Any) -> Any:
    """The first row for all; not of ids and lengths, which would no longer fit each other."""
    return numpy.broadcast_to(A[:1], A.shape) if len(A) and A.dtype.kind == "f" else None


def overlapping(A: Any) -> Any:
    """Rows that share all but one of their numbers with the next."""
    if A.ndim != 2 or A.dtype.kind != "f" or not A.size:
        return None
    flat = numpy.arange(len(A) + A.shape[1], dtype=A.dtype) / 8
    return numpy.lib.stride_tricks.sliding_window_view(flat, A.shape[1])[: len(A)]


LAYOUTS: Dict[str, Callable[[Any], Any]] = {
    "fortran": numpy.asfortranarray,
    "strided": strided,
    "spread rows": spread_rows,
    "reversed": lambda A: numpy.ascontiguousarray(A[::-1])[::-1],
    "mirrored": lambda A: numpy.ascontiguousarray(A[..., ::-1])[..., ::-1],
    "unaligned": unaligned,
    "read-only": read_only,
    "cut": cut,
    "broadcast": broadcast,
    "overlapping": overlapping,
    "subclass": lambda A: A.view(_Subclass),
}


class _Subclass(numpy.ndarray):
    pass


class Foreign:
    """An array of some other library: it converts, and has the names that such arrays share."""

    def __init__(self, A: Any):
        self.A, self.shape, self.dtype, self.ndim, self.size = A, A.shape, A.dtype, A.ndim, A.size

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return numpy.array(self.A, dtype=dtype)

    def __len__(self) -> int:
        return len(self.A)


WRONG: Dict[str, Callable[[Any], Any]] = {
    "None": lambda X: None,
    "number": lambda X: 3,
    "text": lambda X: "abc",
    "list of numbers": lambda X: [1.0, 2.0],
    "list of lists": lambda X: [[1.0, 2.0], [3.0, 4.0]],
    "list of None": lambda X: [None, None],
    "object": lambda X: object(),
    "0-d": lambda X: numpy.float32(1),
    "0-d array": lambda X: numpy.array(1, "f"),
    "1-d": lambda X: numpy.ones(4, "f"),
    "4-d": lambda X: numpy.ones((2, 2, 2, 5), "f"),
    "too wide": lambda X: map_arrays(lambda A: numpy.concatenate([A, A], axis=-1), X),
    "an axis more": lambda X: map_arrays(lambda A: A[None], X),
    "an axis less": lambda X: map_arrays(lambda A: A[0] if len(A) else A, X),
    "fewer rows": lambda X: map_arrays(lambda A: A[1:], X),
    "no rows": lambda X: map_arrays(lambda A: A[:0], X),
    "no columns": lambda X: map_arrays(lambda A: A[..., :0], X),
    "foreign": lambda X: map_arrays(Foreign, X),
    "a list of it": lambda X: [X, X],
    "a tuple of it": lambda X: (X, X),
    "Ragged": lambda X: Ragged(numpy.ones((3, 5), "f"), numpy.array([1, 2], "i")),
    "Padded": lambda X: Padded(numpy.ones((2, 2, 5), "f"), *numpy.array([[2, 2], [2, 2], [0, 1]], "i")),
    "array": lambda X: numpy.ones((3, 5), "f"),
    "list": lambda X: [numpy.ones((3, 5), "f"), numpy.ones((1, 5), "f")],
    "empty list": lambda X: [],
    "dict": lambda X: {"X": X},
}


# -- Running and comparing


def run(model: Any, X: Any, dY: Optional[Callable[[Any], Any]] = None) -> Any:
    """(Y, dX, gradients by node and name), or the error."""
    for node in model.walk():
        for name in node.grad_names:
            del node._params._grads[node.id, name]
    numpy.random.seed(0)
    try:
        Y, backprop = model.begin_update(X)
        if Y is None and not (X is None or isinstance(X, list) and X[0] is None):
            return "None"
        return [Y, backprop(noise(Y, 2) if dY is None else dY(noise(Y, 2))), _gradients(model)]
    except Exception as error:
        return error


def _gradients(model: Any) -> List[Any]:
    return [node.get_grad(name).copy() for node in model.walk() for name in node.grad_names]


def arrays_of(value: Any) -> Iterator[Any]:
    if isinstance(value, Ragged):
        yield from (value.dataXd, value.lengths)
    elif isinstance(value, Padded):
        yield from (value.data, value.size_at_t, value.lengths, value.indices)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays_of(item)
    elif isinstance(value, (numpy.ndarray, numpy.generic)):
        yield numpy.asarray(value)


def assert_alike(got: Any, want: Any, tolerance: float, where: str) -> None:
    """The same arrays: shapes and numbers, to a part of the largest."""
    A, B = list(arrays_of(got)), list(arrays_of(want))
    assert len(A) == len(B), where
    for a, b in zip(A, B):
        assert a.shape == b.shape, where
        if b.dtype.kind in "OUSV":
            assert a.tolist() == b.tolist(), where
            continue
        a, b = a.astype("complex128"), b.astype("complex128")
        largest = abs(b[numpy.isfinite(b)]).max(initial=1.0)
        numpy.testing.assert_allclose(a, b, rtol=0, atol=tolerance * largest, err_msg=where)


def assert_says(error: Any, where: str) -> None:
    """An error of a documented kind, which says in words what it is about and in which layer."""
    text = str(error)
    assert isinstance(error, ALLOWED), f"{where}: {type(error).__name__}: {text}"
    assert text and not any(words in text for words in ACCIDENTS), f"{where}: {type(error).__name__}: {text}"


def check(model: Any, reference: Any, X: Any, usual: Any, where: str, tolerance: float = 2e-5, dY: Any = None) -> None:
    """`model` of the odd X gives what `reference` gives for the usual one, or says why not."""
    before = copy.deepcopy(X)
    got = run(model, X, dY)
    assert got != "None", f"{where}: the answer is None"
    if isinstance(got, Exception):
        assert_says(got, where)
        return
    assert_alike(X, before, 0.0, f"{where}: the input changed")
    want = run(reference, usual)
    if not isinstance(want, Exception):
        assert_alike(got, want, tolerance, where)


def pair_of(case: LayerCase) -> Tuple[Any, Any, Any]:
    """The model, the same on the readable formulas, and a batch."""
    model, X = initialized(case)
    reference = copy.deepcopy(model)
    for node in reference.walk():
        if isinstance(node.ops, NumpyOps):
            node.ops = REFERENCE
    return model, reference, X


def has_arrays(X: Any) -> bool:
    return any(A.ndim for A in arrays_of(X))


def quick(cases: List[LayerCase]) -> List[Any]:
    """One row of each layer in every run, the others where there is time."""
    seen: set = set()
    params = []
    for case in cases:
        marks = [pytest.mark.slow] if case.name in seen else []
        params.append(pytest.param(case, id=str(case), marks=marks))
        seen.add(case.name)
    return params


WITH_ARRAYS = [case for case in CASES if has_arrays(case.inputs(numpy.random.RandomState(1)))]


def in_dtype(dtype: str) -> Callable[[Any], Any]:
    """Floats as floats or ints, ids and lengths as ints; "mixed" is float64 for every other array."""
    if dtype == "mixed":
        turns = itertools.cycle(["float64", "float32"])
        return lambda A: A.astype(next(turns)) if A.dtype.kind == "f" else A
    kind = numpy.dtype(dtype).kind

    def convert(A: Any) -> Any:
        if A.dtype.kind == "f":
            return (A * 3 if kind in "iub" else A).astype(dtype)
        return A.astype(dtype) if kind in "iu" else A

    return convert


def in_layout(name: str, touched: List[bool]) -> Callable[[Any], Any]:
    def convert(A: Any) -> Any:
        B = LAYOUTS[name](A) if A.ndim else None
        touched.append(B is not None)
        return A if B is None else B

    return convert


def plain(X: Any) -> Any:
    """A copy as arrays usually are: contiguous, in this machine's byte order."""
    return map_arrays(lambda A: numpy.array(A, A.dtype.newbyteorder("="), order="C", subok=False), X)


TOLERANCES = {"float16": 5e-3}


def tolerance(dtype: str) -> float:
    return TOLERANCES.get(dtype, 2e-5)


@pytest.mark.parametrize("case", quick(WITH_ARRAYS))
def test_dtypes(case):
    model, reference, X = pair_of(case)
    for dtype in DTYPES:
        odd = map_arrays(in_dtype(dtype), X)
        check(model, reference, odd, plain(odd), f"{case} of {dtype}", tolerance(dtype))


@pytest.mark.parametrize("case", quick(WITH_ARRAYS))
def test_layouts(case):
    """All of them are taken, and give the same numbers."""
    model, reference, X = pair_of(case)
    for name in LAYOUTS:
        touched: List[bool] = []
        odd = map_arrays(in_layout(name, touched), X)
        if any(touched):
            got = run(model, odd)
            assert not isinstance(got, Exception), f"{case}, {name}: {got!r}"
            check(model, reference, odd, plain(odd), f"{case}, {name}")


@pytest.mark.parametrize("case", quick(WITH_ARRAYS))
def test_layouts_of_gradients(case):
    model, reference, X = pair_of(case)
    for name in set(LAYOUTS) - {"broadcast", "overlapping"}:
        odd = functools.partial(map_arrays, in_layout(name, []))
        got = run(model, X, odd)
        assert not isinstance(got, Exception), f"{case}, dY {name}: {got!r}"
        check(model, reference, X, X, f"{case}, dY {name}", dY=odd)


@pytest.mark.parametrize("case", quick(WITH_ARRAYS))
def test_dtypes_of_gradients(case):
    model, reference, X = pair_of(case)
    for dtype in ("float16", "float64", ">f4", "object"):
        odd = functools.partial(map_arrays, lambda A, dtype=dtype: A.astype(dtype) if A.dtype.kind == "f" else A)
        check(model, reference, X, X, f"{case}, dY {dtype}", tolerance(dtype), dY=odd)


@pytest.mark.parametrize("case", quick(CASES))
def test_wrong_inputs_are_answered(case):
    """Nothing that is no batch of this layer ends in an accident of the interpreter."""
    model, _, X = pair_of(case)
    for name, make in WRONG.items():
        try:
            odd = make(X)
        except Exception:
            continue  # there is no such thing of this input
        got = run(model, odd)
        assert got != "None", f"{case} of {name}: the answer is None"
        if isinstance(got, Exception):
            assert_says(got, f"{case} of {name}")


@pytest.mark.parametrize("case", quick(CASES))
def test_wrong_gradients_are_answered(case):
    model, _, X = pair_of(case)
    for name in ("too wide", "an axis more", "an axis less", "fewer rows"):
        got = run(model, X, WRONG[name])
        if isinstance(got, Exception):
            assert_says(got, f"{case}, dY {name}")


@pytest.mark.slow
@pytest.mark.parametrize("case", WITH_ARRAYS, ids=str)
def test_every_level(case, fast_ops):
    test_dtypes(case)
    test_layouts(case)
    test_layouts_of_gradients(case)
    test_dtypes_of_gradients(case)
