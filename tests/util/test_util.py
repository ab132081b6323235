"""Small helpers: arrays, nested data, devices that are not here, seeds, temporary files."""

import os
import random
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import thinc.util
from thinc import compat
from thinc.api import (
    ArgsKwargs,
    Padded,
    Ragged,
    fix_random_seed,
    get_current_ops,
    get_width,
    prefer_gpu,
    require_cpu,
    require_gpu,
    set_active_gpu,
    to_categorical,
    to_numpy,
    use_ops,
)
from thinc.util import (
    ArrayInfo,
    convert_recursive,
    copy_array,
    get_array_module,
    gpu_is_available,
    iterate_recursive,
    make_tempfile,
    partial,
    use_nvtx_range,
)

no_gpu = pytest.mark.skipif(gpu_is_available(), reason="there is a GPU")


@settings(deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    n_classes=st.one_of(st.none(), st.integers(5, 7)),
    smoothing=st.sampled_from([0.0, 0.05, 0.3]),
    dtype=st.sampled_from(["int32", "int64", "uint8", "uint64"]),
)
def test_to_categorical(labels, n_classes, smoothing, dtype):
    n = n_classes or max(labels) + 1
    if smoothing and n < 2:
        return
    rows = to_categorical(numpy.array(labels, dtype=dtype), n_classes, label_smoothing=smoothing)
    expected = [
        [1 - smoothing if j == label else (smoothing / (n - 1) if smoothing else 0.0)]
        for label in labels
        for j in range(n)
    ]
    assert rows.dtype == "float32"
    assert_allclose(rows, numpy.reshape(expected, (len(labels), n)), rtol=1e-6)
    assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)


def test_to_categorical_of_other_shapes_and_booleans():
    ids = numpy.array([[0, 2], [1, 1]])
    assert_array_equal(to_categorical(ids), numpy.eye(3)[ids])
    assert to_categorical(numpy.zeros((0,), "i"), 3).shape == (0, 3)
    flags = numpy.array([True, False])
    assert_array_equal(to_categorical(flags), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    "n_classes, smoothing, message",
    [
        (0, 0.0, "at least 1"),
        (1, 0.1, "greater than 1"),
        (4, 0.75, "less than 0.75, but found 0.75"),
        (4, -1, "greater than or equal to 0, but found -1"),
    ],
)
def test_what_to_categorical_refuses(n_classes, smoothing, message):
    with pytest.raises(ValueError, match=message):
        to_categorical(numpy.zeros(1, "i"), n_classes, label_smoothing=smoothing)


def test_get_width():
    X = numpy.zeros((2, 3, 4), dtype="f")
    assert get_width(X) == 4
    assert get_width(X, dim=1) == 3
    assert get_width([X, X[:1]]) == 4
    assert get_width((X,)) == 4
    assert get_width([]) == 0
    assert get_width(numpy.array(1.0)) == 0
    assert get_width(numpy.array([3, 7, 1])) == 8
    lengths = numpy.array([1, 1], dtype="i")
    assert get_width(Ragged(numpy.zeros((2, 5), "f"), lengths)) == 5
    assert get_width(Padded(X, lengths, lengths, lengths)) == 4
    with pytest.raises(ValueError, match="neither shape nor __getitem__"):
        get_width(7)


def test_arrays_of_numpy():
    array = numpy.arange(3)
    assert get_array_module(array) is numpy
    assert to_numpy(array) is array
    assert_array_equal(to_numpy([1, 2]), [1, 2])
    with pytest.raises(ValueError, match="Only numpy and cupy arrays"):
        get_array_module([1, 2])


def test_copy_array():
    target = numpy.zeros((2, 3), dtype="f")
    copy_array(target, numpy.arange(3))
    assert_array_equal(target, [[0, 1, 2]] * 2)
    with pytest.raises(ValueError, match="expected to copy into a numpy or cupy array"):
        copy_array([0], target)
    with pytest.raises(ValueError):
        copy_array(target, numpy.zeros(4))
    assert_array_equal(target, [[0, 1, 2]] * 2)


NESTED = st.recursive(
    st.one_of(st.integers(0, 9), st.text(max_size=2), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.integers(0, 9), inner, max_size=3),
        st.builds(
            lambda args, kwargs: ArgsKwargs(tuple(args), kwargs),
            st.lists(inner, max_size=2),
            st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        ),
    ),
    max_leaves=8,
)


def is_int(obj):
    return isinstance(obj, int)


@settings(deadline=None)
@given(data=NESTED)
def test_conversion_meets_what_iteration_yields(data):
    met = []

    def convert(item):
        met.append(item)
        return item

    def kinds(obj):
        if isinstance(obj, ArgsKwargs):
            return ["ArgsKwargs", kinds(obj.args), kinds(obj.kwargs)]
        elif isinstance(obj, dict):
            return {key: kinds(value) for key, value in obj.items()}
        elif isinstance(obj, (list, tuple)):
            return [type(obj), *map(kinds, obj)]
        return obj

    rebuilt = convert_recursive(is_int, convert, data)
    assert kinds(rebuilt) == kinds(data)
    assert met == list(iterate_recursive(is_int, data))


def test_conversion_by_hand():
    data = {1: [2, (3, "x")], "k": ArgsKwargs((4,), {"a": 5})}
    doubled = convert_recursive(is_int, lambda i: 2 * i, data)
    assert doubled[2] == [4, (6, "x")]
    # The positions of ArgsKwargs are keys, and matches: doubled like the rest.
    assert doubled["k"].args == (8,)
    assert doubled["k"].kwargs == {"a": 10}
    # A match is not looked into.
    assert list(iterate_recursive(lambda o: isinstance(o, list), [[1], 2])) == [[[1], 2]]


def test_partial_keeps_the_docstring():
    def add(a, b=1):
        """Sum."""
        return a + b

    assert partial(add, b=2)(3) == 5
    assert partial(add, b=2).__doc__ == "Sum."


def test_array_info():
    info = ArrayInfo.from_array(numpy.zeros((2, 3), dtype="f"))
    info.check_consistency(numpy.ones((2, 3), dtype="f"))
    with pytest.raises(ValueError, match=r"Y: \(2, 3\), dY: \(3, 2\)"):
        info.check_consistency(numpy.ones((3, 2), dtype="f"))
    with pytest.raises(ValueError, match="Y: float32, dY: float64"):
        info.check_consistency(numpy.ones((2, 3)))


def test_temporary_file_is_removed_also_after_an_error():
    with pytest.raises(ZeroDivisionError):
        with make_tempfile("w") as file:
            file.write("text")
            name = file.name
            assert os.path.exists(name)
            raise ZeroDivisionError
    assert not os.path.exists(name)


def test_seeds():
    def draw():
        return random.random(), numpy.random.uniform(size=3).tolist()

    fix_random_seed(7)
    first = draw()
    assert draw() != first
    fix_random_seed(7)
    assert draw() == first
    fix_random_seed(2**40 + 7)  # numpy itself takes 32 bits
    assert draw()[1] == first[1]


@no_gpu
def test_devices_without_a_gpu(monkeypatch):
    with use_ops("numpy"):
        assert not prefer_gpu()
        assert require_cpu()
        assert get_current_ops().device_type == "cpu"
        with pytest.raises(ValueError, match="Cannot use GPU|No GPU devices"):
            require_gpu()
        with pytest.raises(ValueError, match="No CUDA GPU devices detected"):
            set_active_gpu(0)
        monkeypatch.setattr(compat, "has_cupy", True)
        with pytest.raises(ValueError, match="No GPU devices detected"):
            require_gpu()
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(ValueError, match="does not support MPS"):
            require_gpu()
        monkeypatch.setattr(compat, "has_torch_mps", True)
        with pytest.raises(ValueError, match="no Metal device found"):
            require_gpu()
        assert get_current_ops().device_type == "cpu"


@no_gpu
def test_profiler_range_without_a_gpu_does_nothing():
    with use_nvtx_range("step", id_color=3):
        pass


def test_what_is_installed_is_asked_each_time(monkeypatch):
    for installed in (True, False):
        monkeypatch.setattr(compat, "has_tensorflow", installed)
        assert thinc.util.has_tensorflow is installed
    with pytest.raises(AttributeError, match="no attribute 'has_fortran'"):
        thinc.util.has_fortran  # noqa: B018
