from typing import Any, Callable, List, Sequence, Tuple

from murmurhash import hash_unicode

from ..config import registry
from ..model import Model
from ..types import Ints2d
from ._views import refusal

__all__ = ["forward", "strings2arrays"]

InT = Sequence[Sequence[str]]
OutT = List[Ints2d]


@registry.layers("strings2arrays.v1")
def strings2arrays() -> Model[InT, OutT]:
    """Hash every string of every sequence.

    B sequences of strings -> B arrays (len, 1) uint64.
    MurmurHash3 (x86, 32 bits, seed 0) of the UTF-8 bytes, its sign extended to 64 bits.

    >>> hashes = strings2arrays().predict([["cat", "dog", "cat"], ["cow"]])
    >>> [h.shape for h in hashes], bool(hashes[0][0, 0] == hashes[0][2, 0])
    ([(3, 1), (1, 1)], True)
    """
    return Model("strings2arrays", forward)


def forward(model: Model[InT, OutT], Xs: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    try:
        hashes: Any = [ops.asarray([hash_unicode(s) for s in X], dtype="int64") for X in Xs]
    except TypeError:
        raise refusal("strings2arrays: expected a list of lists of strings", Xs) from None
    arrays = [h.astype("uint64").reshape((-1, 1)) for h in hashes]

    def backprop(dX: OutT) -> List:
        return []

    return arrays, backprop
