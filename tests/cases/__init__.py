"""The rows: one per registered layer and per op. Contract, gradient, accuracy and benchmark read them.

A registered layer or public op without a row fails the suite by name.
"""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Tuple


@dataclass(frozen=True)
class LayerCase:
    """How to build one layer and what to feed it.

    Dimensions are distinct primes, so that swapped arguments cannot hide.
    """

    name: str  # the registered name, "Maxout.v1", or "module.function" if unregistered
    build: Callable[[], Any]  # -> Model, not yet initialized
    inputs: Callable[[Any], Any]  # numpy RandomState -> X, floats in float64
    id: str = ""  # tells several rows of one layer apart
    outputs: Callable[[Any], Any] = lambda X: None  # X -> Y sample for initialize, or None
    differentiable: bool = True  # False: integer inputs or no gradient w.r.t. the input
    params_differentiable: bool = True
    h: float = 1e-5  # step of the finite difference
    tolerance: float = 1e-6  # relative error of the directional derivative
    constants: Tuple[str, ...] = ()  # parameters that are never trained
    batch_consistent: bool = True  # predicting a batch equals predicting its items
    note: str = ""  # the reason of anything unusual

    def __str__(self) -> str:
        return f"{self.name}-{self.id}" if self.id else self.name


@dataclass(frozen=True)
class OpCase:
    """One call of an op; the fast formula must give what the readable one gives."""

    name: str  # method of Ops
    args: Callable[[Any, str], Tuple]  # (RandomState, float dtype) -> positional arguments
    kwargs: Dict[str, Any] = field(default_factory=dict)
    id: str = ""
    ulp: float = 4.0  # largest distance to float64 truth, in units of the last place
    atol: float = 0.0  # what cancellation may cost beside it, relative to the largest value
    exact: bool = False  # integer results or pure copies: bits must agree
    result: str = ""  # the dtype of the floats it gives, if not that of its arguments
    mutates: Tuple[int, ...] = ()  # positions of arguments changed in place, compared too

    def __str__(self) -> str:
        return f"{self.name}-{self.id}" if self.id else self.name
