"""The sum of several batches, whatever their container.

The sum is in memory of its own. The terms may be the input itself (noop), memory of
another framework, or what a layer keeps for its backward pass: none of them may change.
"""

import operator
from functools import reduce
from typing import Any, List, Sequence

from ..types import Padded, Ragged
from ._views import NO_ROWS, rows_of

__all__ = ["total"]


def total(terms: Sequence[Any]) -> Any:
    """Arrays are added; Ragged and Padded by their data; lists and tuples item by item.

    None and an empty list stand for "no gradient" (of texts, of paths) and are left
    out; a single remaining term is returned as it is.  Objects that cannot be added
    keep the first.
    """
    present = [term for term in terms if term is not None and not (isinstance(term, list) and not term)]
    if len(present) < 2:
        return present[0] if present else terms[0]
    first = present[0]
    if hasattr(first, "dtype"):
        if any(term.shape == NO_ROWS for term in present):
            return first.reshape(NO_ROWS)  # ValueError if it has rows
        Y = first + present[1]
        for term in present[2:]:
            if term.dtype == Y.dtype:
                Y += term
            else:
                Y = Y + term
        return Y
    elif isinstance(first, (list, tuple)):
        return _total_items(present)
    elif isinstance(first, Ragged):
        data = total([rows_of(term) for term in present])
        return first.with_data(data.reshape(first.dataXd.shape) if first.dataXd.ndim > 2 else data)
    elif isinstance(first, Padded):
        return first.with_data(total([term.data for term in present]))
    elif not hasattr(first, "__add__"):
        return first
    return reduce(operator.add, present)


def _total_items(terms: List[Any]) -> Any:
    sizes = [len(term) for term in terms]
    if len(set(sizes)) != 1:
        raise ValueError(
            f"Cannot add batches item by item: they have {sizes} items. Every layer "
            "must return as many sequences as it was given."
        )
    items = [total(group) for group in zip(*terms)]
    return tuple(items) if isinstance(terms[0], tuple) else items
