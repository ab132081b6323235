from typing import TypeVar, cast

from ..config import registry
from ..model import Model
from .chain import chain_no_types
from .noop import noop

__all__ = ["clone"]

InT = TypeVar("InT")
OutT = TypeVar("OutT")


@registry.layers("clone.v1")
def clone(orig: Model[InT, OutT], n: int) -> Model[InT, OutT]:
    """Chain `n` layers: `orig` and n - 1 copies of it, each with parameters of its own.

    clone(f, 0) is noop(), clone(f, 1) is f itself.

    orig: the layer to repeat.  n: how many times.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> clone(Relu(3), 4).initialize(X)
    <Model 'relu>>relu>>relu>>relu': nO=3, nI=3, 48 parameters>
    """
    if n < 0:
        raise TypeError(f"clone: expected n >= 0 copies of '{orig.name}', got {n}")
    elif n == 0:
        return cast(Model[InT, OutT], noop())
    elif n == 1:
        return orig
    copies = [orig.copy() for _ in range(n - 1)]
    return cast(Model[InT, OutT], chain_no_types(orig, *copies))
