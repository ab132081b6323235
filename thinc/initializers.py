"""Initial values of parameters.

Every function draws from the global state of `numpy.random`, whatever the backend, in
float64 and with one call; the result is then moved to `ops` as float32. So one seed
gives the same weights on every backend. A shape is (nO, nI, ...): shape[1] is the
fan-in, shape[0] the fan-out.
"""

from collections.abc import Callable
from typing import Any

import numpy

from .backends import Ops
from .config import registry
from .types import FloatsXd, Shape
from .util import partial

__all__ = [
    "glorot_normal_init",
    "glorot_uniform_init",
    "he_normal_init",
    "he_uniform_init",
    "lecun_normal_init",
    "lecun_uniform_init",
    "normal_init",
    "uniform_init",
    "zero_init",
]


def _uniform(ops: Ops, shape: Shape, lo: float, hi: float) -> FloatsXd:
    return _param(ops, numpy.random.uniform(lo, hi, shape))


def _normal(ops: Ops, shape: Shape, mean: float, sigma: float) -> FloatsXd:
    return _param(ops, numpy.random.normal(mean, sigma, shape))


def _param(ops: Ops, values: Any) -> FloatsXd:
    """The values in float32, in memory that the backend likes."""
    param: Any = ops.alloc_f(values.shape, zeros=False)
    param[...] = ops.asarray(values)
    return param


def lecun_normal_init(ops: Ops, shape: Shape) -> FloatsXd:
    """N(0, sqrt(1 / fan_in)).

    LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf
    """
    return _normal(ops, shape, 0, float(numpy.sqrt(1.0 / shape[1])))


@registry.initializers("lecun_normal_init.v1")
def configure_lecun_normal_init() -> Callable[[Shape], FloatsXd]:
    return partial(lecun_normal_init)


def he_normal_init(ops: Ops, shape: Shape) -> FloatsXd:
    """N(0, sqrt(2 / fan_in)).  He et al. 2015, https://arxiv.org/abs/1502.01852"""
    return _normal(ops, shape, 0, float(numpy.sqrt(2.0 / shape[1])))


@registry.initializers("he_normal_init.v1")
def configure_he_normal_init() -> Callable[[Shape], FloatsXd]:
    return partial(he_normal_init)


def glorot_normal_init(ops: Ops, shape: Shape) -> FloatsXd:
    """N(0, sqrt(2 / (fan_in + fan_out))).

    Glorot & Bengio 2010, http://proceedings.mlr.press/v9/glorot10a.html
    """
    return _normal(ops, shape, 0, float(numpy.sqrt(2.0 / (shape[1] + shape[0]))))


@registry.initializers("glorot_normal_init.v1")
def configure_glorot_normal_init() -> Callable[[Shape], FloatsXd]:
    return partial(glorot_normal_init)


def he_uniform_init(ops: Ops, shape: Shape) -> FloatsXd:
    """U(-s, s), s = sqrt(6 / fan_in).  He et al. 2015."""
    scale = float(numpy.sqrt(6.0 / shape[1]))
    return _uniform(ops, shape, -scale, scale)


@registry.initializers("he_uniform_init.v1")
def configure_he_uniform_init() -> Callable[[Shape], FloatsXd]:
    return partial(he_uniform_init)


def lecun_uniform_init(ops: Ops, shape: Shape) -> FloatsXd:
    """U(-s, s), s = sqrt(3 / fan_in).  LeCun et al. 1998."""
    scale = float(numpy.sqrt(3.0 / shape[1]))
    return _uniform(ops, shape, -scale, scale)


@registry.initializers("lecun_uniform_init.v1")
def configure_lecun_uniform_init() -> Callable[[Shape], FloatsXd]:
    return partial(lecun_uniform_init)


def glorot_uniform_init(ops: Ops, shape: Shape) -> FloatsXd:
    """U(-s, s), s = sqrt(6 / (fan_in + fan_out)).  Glorot & Bengio 2010.

    ops: what allocates.  shape: (fan_out, fan_in), further axes are not counted.

    >>> W = glorot_uniform_init(NumpyOps(), (200, 100))
    >>> W.shape, round(float(abs(W).max()), 2), round((6 / 300) ** 0.5, 2)
    ((200, 100), 0.14, 0.14)
    """
    scale = float(numpy.sqrt(6.0 / (shape[0] + shape[1])))
    return _uniform(ops, shape, -scale, scale)


@registry.initializers("glorot_uniform_init.v1")
def configure_glorot_uniform_init() -> Callable[[Shape], FloatsXd]:
    return partial(glorot_uniform_init)


def zero_init(ops: Ops, shape: Shape) -> FloatsXd:
    """All zeros.

    ops: what allocates.  shape: of the array.

    >>> zero_init(NumpyOps(), (2, 3))
    array([[0., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    return ops.alloc_f(shape)


@registry.initializers("zero_init.v1")
def configure_zero_init() -> Callable[[FloatsXd], FloatsXd]:
    return partial(zero_init)


def uniform_init(ops: Ops, shape: Shape, *, lo: float = -0.1, hi: float = 0.1) -> FloatsXd:
    """U(lo, hi).

    ops: what allocates.  shape: of the array.  lo, hi: the limits.

    >>> E = uniform_init(NumpyOps(), (200, 100))
    >>> round(float(E.min()), 2), round(float(E.max()), 2)
    (-0.1, 0.1)
    """
    return _uniform(ops, shape, lo, hi)


@registry.initializers("uniform_init.v1")
def configure_uniform_init(*, lo: float = -0.1, hi: float = 0.1) -> Callable[[FloatsXd], FloatsXd]:
    return partial(uniform_init, lo=lo, hi=hi)


def normal_init(ops: Ops, shape: Shape, *, mean: float = 0) -> FloatsXd:
    """N(0, mean): `mean` is the standard deviation, whatever its name says.

    A known fault that is kept: spaCy's parsers start from such weights, and learn
    markedly worse from N(mean, 1). The default therefore gives zeros.

    ops: what allocates.  shape: of the array.

    >>> round(float(normal_init(NumpyOps(), (200, 100), mean=0.5).std()), 2)
    0.5
    """
    return _normal(ops, shape, 0, mean)


@registry.initializers("normal_init.v1")
def configure_normal_init(*, mean: float = 0) -> Callable[[FloatsXd], FloatsXd]:
    """`normal_init` with its `mean`, for configs and the `init_W` of a layer: returns (ops, shape) -> array.

    >>> Linear(2, 3, init_W=configure_normal_init(mean=0.02)).initialize().get_param("W").shape
    (2, 3)
    """
    return partial(normal_init, mean=mean)
