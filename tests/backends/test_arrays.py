"""Allocation, conversion, lists of sequences, batches."""

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thinc.types import Pairs, Ragged

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
lengths_from_one = st.lists(st.integers(1, 6), min_size=1, max_size=6)


def floats(*shape, seed=0):
    return numpy.random.RandomState(seed).normal(size=shape).astype("float32")


# Allocation and conversion


def test_alloc(ops):
    for kind, dtype in (("f", "float32"), ("i", "int32")):
        for shape in ((2,), (2, 3), (2, 3, 5), (2, 3, 5, 7)):
            array = getattr(ops, f"alloc{len(shape)}{kind}")(*shape)
            assert array.shape == shape and array.dtype == dtype and not array.any()
            array = getattr(ops, f"alloc_{kind}")(shape, zeros=False)
            assert array.shape == shape and array.dtype == dtype
    assert ops.alloc(3).shape == (3,)
    assert ops.alloc1f(5, dtype="uint64").dtype == "uint64"
    assert ops.alloc((2, 0), dtype="float64").dtype == "float64"


def test_reshape(ops):
    X = numpy.arange(24)
    for kind in ("", "f", "i"):
        for shape in ((24,), (4, 6), (2, 3, 4), (2, 3, 2, 2)):
            Y = getattr(ops, f"reshape{len(shape)}{kind}")(X, *shape)
            assert Y.shape == shape and Y.base is X
        name = "reshape_" + kind if kind else "reshape"
        assert getattr(ops, name)(X, (6, -1)).shape == (6, 4)
    assert ops.reshape(X.reshape((4, 6)), 24).shape == (24,)
    assert ops.tile(numpy.array([[1, 2]]), 2).tolist() == [[1, 2, 1, 2]]


class Tensor:
    """Something of another framework."""

    def __init__(self, data):
        self.data = data

    def numpy(self):
        return self.data


def test_asarray(ops):
    X = floats(2, 3)
    assert ops.asarray(X) is X
    assert ops.asarray(X, dtype="float32") is X
    assert ops.asarray(X, dtype="float64").dtype == "float64"
    assert ops.asarray([1, 2], dtype="float64").tolist() == [1.0, 2.0]
    assert ops.asarray(Tensor(X)) is X
    assert ops.asarray(Tensor(X), dtype="float64").dtype == "float64"
    big = [2**63 + 1, 2**64 - 1]
    assert ops.asarray(big, dtype="uint64").tolist() == big
    assert ops.asarray([X[0], X[1]]).shape == (2, 3)
    for kind, dtype in (("f", "float32"), ("i", "int32")):
        for ndim in (1, 2, 3, 4):
            data = numpy.ones((2,) * ndim, dtype="float64")
            array = getattr(ops, f"asarray{ndim}{kind}")(data.tolist())
            assert array.dtype == dtype and array.shape == data.shape
            assert getattr(ops, f"asarray_{kind}")(data).dtype == dtype
            assert getattr(ops, f"asarray{ndim}{kind}")(data).dtype == dtype


def test_as_contig(ops):
    X = floats(4, 6)
    assert ops.as_contig(X) is X
    view = X[:, ::2]
    Y = ops.as_contig(view)
    assert Y.flags["C_CONTIGUOUS"] and Y is not view
    numpy.testing.assert_array_equal(Y, view)
    assert ops.as_contig(X, dtype="float64").dtype == "float64"


def test_to_numpy(ops):
    X = numpy.array([1.5, -2.0])
    assert ops.to_numpy(X) is X
    for order in "<>=|":
        Y = ops.to_numpy(X, byte_order=order)
        numpy.testing.assert_array_equal(Y, X)
    assert ops.to_numpy(X, byte_order="<").tobytes() != ops.to_numpy(X, byte_order=">").tobytes()
    with pytest.raises(ValueError, match="Cannot convert non-numpy"):
        ops.to_numpy([1.0])


# Lists of sequences


def test_insert_into(ops):
    Xs = [numpy.array([1, 2]), numpy.array([], dtype="int64"), numpy.array([3])]
    assert ops.insert_into((3, 2), Xs).tolist() == [[1, 2], [0, 0], [3, 0]]


@quick
@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6), pad=st.integers(0, 3), width=st.integers(1, 3))
def test_flatten_and_unflatten(ops, lengths, pad, width):
    seqs = [floats(n, width, seed=i) for i, n in enumerate(lengths)]
    flat = ops.flatten(seqs, pad=pad)
    filled = [seq for seq in seqs if len(seq)]
    n_pads = pad * (len(filled) + 1) if filled else 0
    assert flat.shape == (sum(lengths) + n_pads, width) and flat.dtype == "float32"
    assert len(flat) == 0 or pad == 0 or not flat[:pad].any()
    for kind in (list, numpy.array):
        back = ops.unflatten(flat, kind(lengths), pad=pad)
        assert len(back) == len(seqs)
        for got, want in zip(back, seqs):
            numpy.testing.assert_array_equal(got, want)


def test_flatten_of_nothing(ops):
    assert ops.flatten([]).shape == (0, 0)
    assert ops.flatten(None, ndim_if_empty=3).shape == (0, 0, 0)
    empty = ops.flatten([numpy.zeros((0, 4), dtype="int32")])
    assert empty.shape == (0, 4) and empty.dtype == "float32"
    assert ops.flatten([], dtype="int32").dtype == "int32"
    assert ops.flatten([numpy.array([1])], dtype="float64").dtype == "float64"
    with pytest.raises(ValueError):
        ops.flatten([[1.0, 2.0]])


@quick
@given(lengths=lengths_from_one, round_to=st.integers(1, 5), width=st.integers(0, 3))
def test_pad_and_unpad(ops, lengths, round_to, width):
    seqs = [floats(n, width, seed=i) for i, n in enumerate(lengths)]
    padded = ops.pad(seqs, round_to)
    steps = -(-max(lengths) // round_to) * round_to
    assert padded.shape == (len(seqs), steps, width) and padded.dtype == "float32"
    for row, n in zip(padded, lengths):
        assert not row[n:].any()
    for got, want in zip(ops.unpad(padded, lengths), seqs):
        numpy.testing.assert_array_equal(got, want)


def test_pad_of_vectors_and_integers(ops):
    padded = ops.pad([numpy.array([1, 2]), numpy.array([3])])
    assert padded.tolist() == [[1, 2], [3, 0]] and padded.dtype == "int64"


@pytest.mark.parametrize(
    "seqs,round_to,text",
    [
        ([floats(2, 3)], 0, "must at least be 1, was: 0"),
        ([], 1, "Cannot pad empty sequence"),
        ([floats(2, 3), floats(2)], 1, "with different ndims"),
        ([floats(2, 3), floats(2, 3).astype("float64")], 1, "with different dtypes"),
        ([floats(2, 3), floats(2, 4)], 1, "that differ on other dimensions"),
    ],
)
def test_pad_refuses(ops, seqs, round_to, text):
    with pytest.raises(ValueError, match=text):
        ops.pad(seqs, round_to)


@quick
@given(lengths=st.lists(st.integers(0, 5), max_size=7), width=st.integers(0, 3))
def test_list2padded(ops, lengths, width):
    seqs = [floats(n, width, seed=i) for i, n in enumerate(lengths)]
    padded = ops.list2padded(seqs)
    order = sorted(range(len(seqs)), key=lambda i: (-lengths[i], -i))
    assert padded.indices.tolist() == order
    assert padded.lengths.tolist() == [lengths[i] for i in order]
    steps = max(lengths, default=0)
    want = [sum(n > t for n in lengths) for t in range(steps)]
    assert padded.size_at_t.tolist() == want
    assert padded.data.shape == (steps, len(seqs), width if seqs else 0)
    assert padded.data.flags["C_CONTIGUOUS"]
    for name in ("indices", "lengths", "size_at_t"):
        assert getattr(padded, name).dtype == "int32"
    back = ops.padded2list(padded)
    assert len(back) == len(seqs)
    for got, want in zip(back, seqs):
        numpy.testing.assert_array_equal(got, want)


def test_list2padded_refuses(ops):
    with pytest.raises(IndexError):
        ops.list2padded([numpy.zeros(3)])
    with pytest.raises(ValueError):
        ops.list2padded([numpy.zeros((3, 1)), numpy.zeros((2, 4))])


# Batches


@quick
@given(n=st.integers(0, 20), size=st.integers(1, 7), shuffle=st.booleans(), buffer=st.integers(1, 5))
def test_minibatch_has_every_item_once(ops, n, size, shuffle, buffer):
    batches = ops.minibatch(size, list(range(n)), shuffle=shuffle, buffer=buffer)
    assert len(batches) == -(-n // size)
    for _ in range(2):
        got = list(batches)
        assert all(len(batch) == size for batch in got[:-1])
        items = [item for batch in got for item in batch]
        assert items == list(range(n)) or (shuffle and sorted(items) == list(range(n)))


def test_minibatch_of_a_schedule(ops):
    items = list(range(10))

    def sizes(schedule):
        return [len(batch) for batch in ops.minibatch(iter(schedule), items)]

    assert sizes([3, 2, 1, 4, 9]) == [3, 2, 1, 4]
    # Only whole items count, so none is lost between 1.5 and 1.
    assert sizes([2.5] * 9) == [2, 2, 2, 2, 2]
    # A schedule that ends goes on with its last value, as in the optimizer.
    assert sizes([4]) == [4, 4, 2]
    assert list(ops.minibatch(numpy.int64(6), items))[1] == [6, 7, 8, 9]


def test_minibatch_containers(ops):
    X = floats(5, 2)
    assert list(ops.minibatch(2, tuple("abc"))) == [("a", "b"), ("c",)]
    batches = list(ops.minibatch(2, X))
    assert [batch.shape for batch in batches] == [(2, 2), (2, 2), (1, 2)]
    numpy.testing.assert_array_equal(numpy.concatenate(batches), X)
    pairs = list(ops.minibatch(3, Pairs(X, X + 1)))
    numpy.testing.assert_array_equal(pairs[0].two, X[:3] + 1)
    ragged = Ragged(X, numpy.array([2, 3], dtype="int32"))
    numpy.testing.assert_array_equal(list(ops.minibatch(1, ragged))[1].data, X[2:])


def test_multibatch_keeps_sequences_together(ops):
    X, names = floats(5, 2), list("abcde")
    batches = ops.multibatch(2, X, names, shuffle=True)
    assert len(batches) == 3
    for xs, letters in batches:
        for x, letter in zip(xs, letters):
            numpy.testing.assert_array_equal(x, X[names.index(letter)])
    with pytest.raises(IndexError):
        list(ops.multibatch(2, X, names[:3]))


def test_batches_refuse(ops):
    with pytest.raises(ValueError, match="Can't minibatch data. Expected sequence, got"):
        ops.minibatch(2, iter([1, 2]))
    with pytest.raises(ValueError, match="Can't multibatch data. Expected sequences"):
        ops.multibatch(2, [1, 2], iter([1, 2]))
    for size in ([1, 2], "3", 2.0, None):
        with pytest.raises(TypeError):
            ops.minibatch(size, [1, 2])
    for size in (0, -1, iter([1, 0])):
        with pytest.raises(ValueError, match="at least 1"):
            ops.minibatch(size, [1, 2, 3])
    with pytest.raises(ValueError, match="empty"):
        ops.minibatch(iter([]), [1, 2])
