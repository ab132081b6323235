"""Initializers: what they draw, from which state, and as configured."""

import numpy
import pytest

from thinc import initializers
from thinc.backends import NumpyOps
from thinc.config import registry

SHAPE = (7, 5, 3)  # fan-in 5, fan-out 7
OPS = NumpyOps()

UNIFORM = {
    "glorot_uniform_init": numpy.sqrt(6 / 12),
    "he_uniform_init": numpy.sqrt(6 / 5),
    "lecun_uniform_init": numpy.sqrt(3 / 5),
}
NORMAL = {
    "glorot_normal_init": numpy.sqrt(2 / 12),
    "he_normal_init": numpy.sqrt(2 / 5),
    "lecun_normal_init": numpy.sqrt(1 / 5),
}
NAMES = sorted([*UNIFORM, *NORMAL, "zero_init", "uniform_init", "normal_init"])


def draw(name, shape=SHAPE, seed=3, **settings):
    numpy.random.seed(seed)
    return getattr(initializers, name)(OPS, shape, **settings)


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_init_is_one_call_of_numpy(name):
    numpy.random.seed(3)
    expected = numpy.random.uniform(-UNIFORM[name], UNIFORM[name], SHAPE).astype("f")
    numpy.testing.assert_array_equal(draw(name), expected)


@pytest.mark.parametrize("name", NORMAL)
def test_normal_init_is_one_call_of_numpy(name):
    numpy.random.seed(3)
    expected = numpy.random.normal(0, NORMAL[name], SHAPE).astype("f")
    numpy.testing.assert_array_equal(draw(name), expected)


def test_zero_uniform_and_normal_settings():
    assert not draw("zero_init").any()
    numpy.random.seed(3)
    expected = numpy.random.uniform(2.0, 3.0, SHAPE).astype("f")
    numpy.testing.assert_array_equal(draw("uniform_init", lo=2.0, hi=3.0), expected)
    assert abs(draw("uniform_init", (100, 50))).max() <= 0.1
    values = draw("normal_init", (100, 500), mean=4.0)
    # A known fault: spaCy's parsers need `mean` to be the standard deviation.
    assert values.mean() == pytest.approx(0.0, abs=0.1)
    assert values.std() == pytest.approx(4.0, abs=0.1)
    assert not draw("normal_init").any()


@pytest.mark.parametrize("name", NAMES)
def test_init_has_the_shape_asked_for_in_float32(name):
    for shape in ((7, 5), (7, 5, 3), (7, 5, 3, 2)):
        array = draw(name, shape)
        assert (array.shape, array.dtype) == (shape, numpy.dtype("float32"))
        numpy.testing.assert_array_equal(array, draw(name, shape))


@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
def test_init_with_a_fan_in_needs_two_dimensions(name):
    with pytest.raises(IndexError):
        draw(name, (5,))


@pytest.mark.parametrize("name", NAMES)
def test_configured_init_is_the_function(name):
    made = registry.resolve({"init": {"@initializers": f"{name}.v1"}})["init"]
    assert made.__doc__ == getattr(initializers, name).__doc__
    numpy.random.seed(3)
    numpy.testing.assert_array_equal(made(OPS, SHAPE), draw(name))


def test_configured_init_keeps_its_settings():
    block = {"@initializers": "uniform_init.v1", "lo": 1.0, "hi": 2.0}
    made = registry.resolve({"init": block})["init"]
    assert made(OPS, (7, 5)).min() >= 1.0
