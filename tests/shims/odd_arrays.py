"""Odd arrays through the conversions to another framework and back, in a process that may die of it.

python -m tests.shims.odd_arrays FRAMEWORK      200 cases; "survived" at the end
"""

import sys
import warnings

import numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shims import models
from thinc import util

# What every framework must take, whatever its layout; others it may refuse with an error.
USUAL = {"float32", "int32", "uint8"}
DTYPES = sorted(USUAL) + "float64 float16 int8 int16 int64 uint16 uint32 uint64 bool complex64 >f4 >i8".split()


@st.composite
def arrays(draw):
    """Any dtype, rank, strides, offset and flags."""
    dtype = numpy.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -2])) for _ in shape]
    stored = tuple(max(n * abs(step), 1) for n, step in zip(shape, steps))
    offset = draw(st.integers(0, 3))  # bytes: the elements may be unaligned
    size = int(numpy.prod(stored)) * dtype.itemsize
    buffer = numpy.zeros(offset + size, dtype="uint8")
    X = buffer[offset : offset + size].view(dtype).reshape(stored)
    X[...] = numpy.arange(X.size).reshape(stored) % (2 if dtype.kind == "b" else 100)
    if shape:  # (indexing would make a scalar of an array without axes)
        X = X[tuple(slice(None, None, step) for step in steps)]
        X = X[tuple(slice(0, n) for n in shape)]
    if draw(st.booleans()):
        X = X.T
    if draw(st.booleans()):
        X.flags.writeable = False
    return X


def pairs(framework):
    """The conversions of one framework: name -> (there, back)."""
    if framework == "torch":
        return {"xp2torch": (util.xp2torch, util.torch2xp)}
    if framework == "tensorflow":
        models.enable_tensorflow()
        return {
            "xp2tensorflow": (util.xp2tensorflow, util.tensorflow2xp),
            "variable": (lambda X: util.xp2tensorflow(X, as_variable=True), util.tensorflow2xp),
        }
    if framework == "mxnet":
        models.enable_mxnet()
        return {"xp2mxnet": (util.xp2mxnet, util.mxnet2xp)}
    return {"xp2jax": (util.xp2jax, util.jax2xp)}


def main(framework):
    conversions = pairs(framework)

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(arrays())
    def check(X):
        writeable = X.flags.writeable
        for name, (there, back) in conversions.items():
            try:
                Y = back(there(X))
            except Exception as error:
                usual = X.dtype.isnative and X.dtype.name in USUAL
                assert not usual, f"{name} of {X.dtype} {X.shape} {X.strides}: {error!r}"
                assert str(error), f"{name}: {type(error)} without a word"
                continue
            assert isinstance(Y, numpy.ndarray)
            numpy.testing.assert_array_equal(Y, X)
            assert Y.shape == X.shape, (name, Y.shape, X.shape)
            assert X.flags.writeable == writeable, f"{name} changed the caller's array"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()
    print("survived")


if __name__ == "__main__":
    main(sys.argv[1])
