"""Dimensions: N ids, O out (nO), V rows of the table (nV)."""

from numbers import Integral
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar, Union, overload

from ..config import registry
from ..initializers import uniform_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats2d, Ints1d, Ints2d
from ..util import partial
from ._grads import add_into_grad
from .dropout import check_rate
from .embed import as_ids, of_column

__all__ = ["HashEmbed", "forward", "init"]

InT = TypeVar("InT", bound=Union[Ints1d, Ints2d])
OutT = Floats2d


@overload
def HashEmbed(
    nO: int,
    nV: int,
    *,
    seed: Optional[int] = None,
    column: None = None,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Ints1d, OutT]: ...
@overload
def HashEmbed(
    nO: int,
    nV: int,
    *,
    seed: Optional[int] = None,
    column: int,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Ints2d, OutT]: ...
@registry.layers("HashEmbed.v1")
def HashEmbed(
    nO: int,
    nV: int,
    *,
    seed: Optional[int] = None,
    column: Optional[int] = None,
    initializer: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
) -> Model[Any, OutT]:
    """The sum of four rows of a table, picked by hashing the id.

    Y[n] = sum over j < 4 of E[hash(ids[n], seed)[j] % nV].  ids (N,), as uint64 -> Y
    (N, nO).

    `seed` defaults to the model's id, which counts up within the process: give one to
    find the same rows in another process without loading the model.  With `column`, ids
    are that column of a two-dimensional array.  In training with `dropout`, one mask
    over the nO columns is shared by all rows.
    Serra & Karatzoglou 2017, "Getting deep recommenders fit: Bloom embeddings for
    sparse binary input/output networks", https://arxiv.org/abs/1706.03993; Miranda et
    al. 2022, "Multi hash embeddings in spaCy", https://arxiv.org/abs/2212.09255.

    nO, nV: width and number of rows, which may be far fewer than there are ids.
    initializer: (ops, shape) -> E; by default uniform between -0.1 and 0.1.

    >>> ids = numpy.array([2**63, 17, 2**63], dtype="uint64")
    >>> model = HashEmbed(nO=4, nV=1000, seed=1).initialize()
    >>> vectors = model.predict(ids)
    >>> vectors.shape, bool((vectors[0] == vectors[2]).all())
    ((3, 4), True)
    """
    if seed is not None and not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise ValueError(f"HashEmbed: expected a seed of 32 bits, an integer from 0 to {2**32 - 1}, got {seed!r}")
    attrs: Dict[str, Any] = {"column": column, "seed": seed}
    if dropout is not None:
        check_rate(dropout, "HashEmbed")
        attrs["dropout_rate"] = dropout
    model: Model[Any, OutT] = Model(
        "hashembed",
        forward,
        init=partial(init, initializer or uniform_init),
        params={"E": None},
        dims={"nO": nO, "nV": nV, "nI": None},
        attrs=attrs,
    )
    if seed is None:
        model.attrs["seed"] = model.id
    return of_column(model, column)


@holds(E=("nV", "nO"))
def forward(model: Model[Ints1d, OutT], ids: Ints1d, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    attrs = model.attrs
    E: Any = model.get_param("E")
    seed = attrs["seed"]
    ids = as_ids("HashEmbed", ops, ids)
    N = len(ids)
    keys = ids if N else ops.alloc1i(0)
    if is_train:
        keys = ops.as_contig(keys, dtype="uint64")  # once, and not by the op of each direction
    Y = ops.hash_embed_int8(E, keys, seed) if E.dtype.char == "b" else ops.hash_embed(E, keys, seed)
    mask: Any = None
    rate = attrs.get("dropout_rate") if is_train else None
    if rate:
        check_rate(rate, "HashEmbed")
        mask = ops.get_dropout_mask((Y.shape[1],), rate)
        Y *= mask

    def backprop(dY: OutT) -> Ints1d:
        if N:
            if mask is not None:
                dY = dY * mask

            def add(dE: Floats2d) -> None:
                ops.backprop_hash_embed(dE, dY.astype(dE.dtype, copy=False), keys, seed)

            add_into_grad(model, "E", add)
        return ops.alloc1i(N)

    return Y, backprop


def init(
    initializer: Callable, model: Model[Ints1d, OutT], X: Optional[Ints1d] = None, Y: Optional[OutT] = None
) -> None:
    shape = (model.get_dim("nV"), model.get_dim("nO"))
    model.set_param("E", initializer(model.ops, shape))
