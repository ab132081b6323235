"""Array annotations and the containers for batches of sequences."""

import copy
import pickle

import numpy
import pytest
from confection.validation import validate_type
from hypothesis import given
from hypothesis import strategies as st

import thinc.types
from thinc.types import (
    ArgsKwargs,
    ArrayXd,
    Floats1d,
    Floats2d,
    Floats3d,
    Floats4d,
    FloatsXd,
    Generator,
    Ints1d,
    Ints2d,
    Ints3d,
    Padded,
    Pairs,
    Ragged,
    SizedGenerator,
    Unserializable,
    get_array_module,
    validate_array,
)

F1 = numpy.zeros(3, dtype="f")
F2 = numpy.zeros((3, 2), dtype="f")
F3 = numpy.zeros((3, 2, 5), dtype="f")
I1 = numpy.zeros(3, dtype="i")
I2 = numpy.zeros((3, 2), dtype="uint64")


# -- Annotations


@pytest.mark.parametrize(
    "value,annotation",
    [
        (F1, Floats1d),
        (F2, Floats2d),
        (F3, Floats3d),
        (I1, Ints1d),
        (I2, Ints2d),
        (numpy.zeros((0, 0), dtype="f"), Floats2d),
        (numpy.zeros(0, dtype="i"), Ints1d),
        (F2, FloatsXd),
        (I2, ArrayXd),
        # Rank and kind of the larger ones are not checked.
        (F1, Floats3d),
        (numpy.zeros((1, 1, 1, 1)), Ints3d),
    ],
)
def test_annotation_accepts(value, annotation):
    assert validate_type(value, annotation) is None


@pytest.mark.parametrize(
    "value,annotation",
    [
        (F2, Floats1d),
        (F2, Ints2d),
        (I1, Ints2d),
        (I1, Floats1d),
        (F2.astype("d"), Floats2d),
        ("text", Floats1d),
        (5, Ints1d),
        (None, Floats2d),
        ([1.0], Floats1d),
        ([1.0], Floats3d),
        (None, Floats4d),
    ],
)
def test_annotation_rejects(value, annotation):
    assert validate_type(value, annotation)


def test_validate_array():
    assert validate_array(F2, ndim=2, dtype="f") is F2
    assert validate_array(I1) is I1
    with pytest.raises(ValueError, match="got list"):
        validate_array([1])
    with pytest.raises(ValueError, match="expected 1 dimensions, got 2; .*float32"):
        validate_array(I2, ndim=1, dtype="f")
    with pytest.raises(ValueError, match="'u'"):
        validate_array(I2, dtype="u")


def test_validators_of_pydantic_1():
    (validate,) = Floats3d.__get_validators__()
    assert validate(F3) is F3
    with pytest.raises(ValueError):
        validate(F2)
    (validate,) = Generator.__get_validators__()
    assert validate(iter([1]))
    assert validate([1]) == [1]
    with pytest.raises(TypeError):
        validate(5)


@pytest.mark.parametrize("kind", [Floats1d, Floats2d, Floats3d, Floats4d, Ints1d])
def test_array_types_are_abstract(kind):
    with pytest.raises(TypeError):
        kind()
    assert kind.__module__ == "thinc.types"
    assert not isinstance(F1, kind)


def test_get_array_module():
    assert get_array_module(F1) is numpy
    assert get_array_module("anything") is numpy


# -- Ragged

LENGTHS = [2, 0, 3, 1]
KEYS = [0, 1, -1, -2, numpy.int64(2), slice(1, 3), slice(None, 2), slice(-2, None)]
KEYS += [slice(0, 4, 2), slice(None, None, -1), slice(3, 1), slice(0, 100)]
KEYS += [[0, 2], [2, 0], [1], [], numpy.array([1, 2]), numpy.array([-1])]
KEYS += [numpy.array([], dtype="i"), numpy.array([True, False, True, False])]


def ragged(shape=(3,), lengths=LENGTHS, extra=0):
    size = (sum(lengths) + extra, *shape)
    data = numpy.arange(numpy.prod(size), dtype="f").reshape(size)
    return Ragged(data, numpy.array(lengths, dtype="i"))


def sequences(batch):
    """The oracle: a list of arrays, cut by hand."""
    starts = numpy.cumsum([0, *batch.lengths])
    return [batch.data[i : i + n] for i, n in zip(starts, batch.lengths)]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_ragged_selects_sequences(key):
    batch = ragged()
    wanted = sequences(batch)
    if isinstance(key, (int, numpy.integer)):
        wanted = [wanted[key]]
    elif isinstance(key, slice):
        wanted = wanted[key]
    else:
        wanted = [wanted[i] for i in numpy.arange(4)[key]]
    found = batch[key]
    assert len(found) == len(wanted)
    assert found.lengths.tolist() == [len(each) for each in wanted]
    rows = [row for each in wanted for row in each.tolist()]
    assert found.data.tolist() == rows
    assert found.data_shape == (-1, 3)


@given(
    lengths=st.lists(st.integers(0, 4), max_size=6),
    start=st.none() | st.integers(-8, 8),
    stop=st.none() | st.integers(-8, 8),
    step=st.sampled_from([None, 1, 2, -1, -3]),
)
def test_ragged_slices_like_a_list(lengths, start, stop, step):
    batch = ragged((2, 2), lengths, extra=1)
    key = slice(start, stop, step)
    found = batch[key]
    assert [each.tolist() for each in sequences(found)] == [each.tolist() for each in sequences(batch)[key]]
    assert found.dataXd.shape[1:] == (2, 2)


def test_ragged_rejects_bad_indices():
    for key in (4, -5, (0, 1), [4]):
        with pytest.raises(IndexError):
            ragged()[key]


def test_ragged_shares_memory_for_ints_and_slices():
    batch = ragged()
    for key in (2, slice(1, 3)):
        assert numpy.shares_memory(batch[key].data, batch.data)


def test_ragged_iterates():
    assert [each.lengths.tolist() for each in ragged()] == [[2], [0], [3], [1]]


@pytest.mark.parametrize("shape,matrix", [((), (6, 1)), ((3,), (6, 3)), ((2, 5), (6, 10))])
def test_ragged_stores_a_matrix(shape, matrix):
    batch = ragged(shape)
    assert batch.data.shape == matrix
    assert batch.data_shape == (-1, *shape)
    assert batch.dataXd.shape == (6, *shape)
    assert batch[1:].dataXd.shape == (4, *shape)
    # One sequence comes as a matrix.
    assert batch[0].dataXd.shape == (2, *matrix[1:])


def test_ragged_without_rows():
    for shape in ((0,), (0, 3), (4, 0), (0, 2, 5)):
        batch = Ragged(numpy.zeros(shape, dtype="f"), numpy.zeros(0, dtype="i"))
        assert batch.data.shape == (0, 0)
        assert batch.dataXd.shape == (0, *shape[1:])
        assert len(batch) == 0
        assert batch[:].lengths.shape == (0,)
        assert batch[:].dataXd.shape == (0, *shape[1:])


def test_ragged_starts_and_ends():
    batch = ragged()
    assert batch.starts_ends is None
    assert batch._get_starts().tolist() == [0, 2, 2, 5]
    assert batch._get_ends().tolist() == [2, 2, 5, 6]
    assert batch.starts_ends.dtype == "int32"
    assert batch._get_starts_ends() is batch.starts_ends


# -- Padded


def padded():
    data = numpy.arange(24, dtype="f").reshape(4, 3, 2)
    arrays = [[3, 2, 2, 1], [4, 3, 1], [2, 0, 1]]
    return Padded(data, *(numpy.array(each, dtype="i") for each in arrays))


@pytest.mark.parametrize(
    "key,rows",
    [
        (0, [0]),
        (-1, [2]),
        (numpy.int64(1), [1]),
        (slice(1, None), [1, 2]),
        (slice(0, 0), []),
        ([2, 0], [0, 2]),
        (numpy.array([1, 2]), [1, 2]),
        (numpy.array([False, True, False]), [1]),
    ],
    ids=str,
)
def test_padded_selects_sequences(key, rows):
    batch = padded()
    found = batch[key]
    assert len(found) == len(rows)
    numpy.testing.assert_array_equal(found.data, batch.data[:, rows])
    assert found.lengths.tolist() == batch.lengths[rows].tolist()
    assert found.indices.tolist() == batch.indices[rows].tolist()
    running = [sum(n > t for n in found.lengths) for t in range(4)]
    assert found.size_at_t.tolist() == running
    assert found.size_at_t.dtype == batch.size_at_t.dtype


def test_padded_rejects_bad_indices():
    for key in (3, -4, (0, 1)):
        with pytest.raises(IndexError):
            padded()[key]


def test_padded_iterates():
    assert [each.lengths.tolist() for each in padded()] == [[4], [3], [1]]


def test_padded_copy():
    batch = padded()
    twin = batch.copy()
    for name in ("data", "size_at_t", "lengths", "indices"):
        numpy.testing.assert_array_equal(getattr(twin, name), getattr(batch, name))
        assert not numpy.shares_memory(getattr(twin, name), getattr(batch, name))


# -- Other containers


def test_pairs():
    pairs = Pairs([1, 2, 3], [4, 5, 6])
    assert pairs[1] == Pairs(2, 5)
    assert pairs[1:] == Pairs([2, 3], [5, 6])
    assert len(pairs) == 3


def test_args_kwargs():
    items = [(0, "a"), ("x", 1), (True, "b"), (7, "c")]
    call = ArgsKwargs.from_items(items)
    assert call == ArgsKwargs(args=("a", "b", "c"), kwargs={"x": 1})
    assert list(call.keys()) == [0, 1, 2, "x"]
    assert list(call.values()) == ["a", "b", "c", 1]
    assert list(call.items()) == [(0, "a"), (1, "b"), (2, "c"), ("x", 1)]
    with pytest.raises(TypeError):
        iter(call)


def test_sized_generator():
    numbers = SizedGenerator(lambda: iter(range(3)), 3)
    assert len(numbers) == 3
    assert list(numbers) == list(numbers) == [0, 1, 2]


@pytest.mark.parametrize("make", [ragged, padded])
def test_containers_can_be_copied_and_pickled(make):
    batch = make()
    for twin in (copy.deepcopy(batch), pickle.loads(pickle.dumps(batch))):
        numpy.testing.assert_array_equal(twin.data, batch.data)
    with pytest.raises(TypeError):
        hash(batch)


def test_unserializable():
    assert Unserializable(5).obj == 5


def test_type_variables_are_those_the_mypy_plugin_knows():
    for name in ("XY_YZ_OutT", "XY_XY_OutT"):
        assert getattr(thinc.types, name).__name__ == name


# -- In notebooks


def test_a_ragged_shows_the_length_and_the_first_row_of_each_sequence():
    data = numpy.arange(12, dtype="f").reshape(6, 2)
    shown = Ragged(data, numpy.asarray([2, 0, 3, 1, 0], dtype="i"))._repr_html_()
    assert "Ragged of 5 sequences, data (6, 2) float32:" in shown
    cells = [line.split("<")[0] for line in shown.split(">") if line.split("<")[0]]
    assert cells[4:] == ["0", "2", "0 1", "1", "0", "2", "3", "4 5", "3", "1", "10 11", "4", "0"]


def test_a_padded_shows_the_original_positions():
    data = numpy.arange(12, dtype="f").reshape(3, 2, 2)
    shown = Padded(data, [2, 1, 1], [3, 1], [1, 0])._repr_html_()
    cells = [line.split("<")[0] for line in shown.split(">") if line.split("<")[0]]
    assert cells[0] == "Padded of 2 sequences, data (3, 2, 2) float32:"
    assert cells[4:] == ["1", "3", "0 1", "0", "1", "2 3"]


def test_what_notebooks_show_is_bounded():
    shown = Ragged(numpy.zeros((10000, 300), dtype="f"), [1] * 10000)._repr_html_()
    assert len(shown) < 5000 and "the first 10:" in shown and "0 0 0 0 0 …" in shown
    assert shown.count("<tr>") == 11


@pytest.mark.parametrize(
    "batch",
    [
        Ragged(F2, numpy.asarray([5, 5])),
        Ragged(F2, numpy.zeros((2, 2), dtype="i")),
        Ragged(numpy.asarray([["<script>alert(1)</script>"]]), [1]),
        Padded("<script>", [1], [1], [0]),
    ],
)
def test_what_is_no_batch_shows_as_it_is(batch):
    shown = batch._repr_html_()
    assert len(shown) < 3000 and "<script" not in shown
