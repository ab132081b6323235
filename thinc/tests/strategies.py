"""Hypothesis strategies for arrays: spaCy's tests draw the scores of a beam."""

from typing import Any, Tuple

from hypothesis.extra.numpy import arrays
from hypothesis.strategies import SearchStrategy, floats

__all__ = ["ndarrays_of_shape"]


def ndarrays_of_shape(
    shape: Tuple[int, ...], lo: float = -10.0, hi: float = 10.0, dtype: str = "float32", width: int = 32
) -> SearchStrategy[Any]:
    """Arrays of one shape, with values from lo to hi that `width` bits can hold."""
    values = floats(min_value=lo, max_value=hi, width=width)  # type: ignore[arg-type]  # (16, 32 or 64)
    return arrays(dtype, shape, elements=values)
