"""Rows of the layers made of layers: combinators, transfers between batches, wrappers.

N=7 rows, nI=5 in, nO=3 out; sequences of 3, 1, 2 and 5 rows, or of 0, 3, 0, 2 and 0.
"""

from typing import Any, Callable, List, Tuple

from thinc.api import NumpyOps
from thinc.layers import (
    CauchySimilarity,
    Dropout,
    Embed,
    Linear,
    Mish,
    ParametricAttention,
    Relu,
    Softmax,
    add,
    bidirectional,
    chain,
    clone,
    concatenate,
    expand_window,
    list2array,
    list2padded,
    list2ragged,
    map_list,
    noop,
    padded2list,
    ragged2list,
    remap_ids,
    residual,
    resizable,
    siamese,
    tuplify,
    uniqued,
    with_array,
    with_array2d,
    with_cpu,
    with_flatten,
    with_flatten_v2,
    with_getitem,
    with_list,
    with_padded,
    with_ragged,
    with_reshape,
)
from thinc.layers.resizable import resize_linear_weighted
from thinc.layers.with_debug import with_debug
from thinc.layers.with_nvtx_range import with_nvtx_range

from . import LayerCase
from .leaf_layers import LENGTHS, NO_FLOATS, WITH_EMPTY, N, columns, nI, nO, nV, padded, pair, ragged, rows


def lists(lengths: Tuple[int, ...] = LENGTHS) -> Callable[[Any], Any]:
    return lambda rng: [rng.normal(size=(length, nI)) for length in lengths]


def nested(rng: Any) -> Any:
    return [lists(lengths)(rng) for lengths in ((3, 1), (), (2,))]


def words(rng: Any) -> Any:
    return [["a", "b"], [], ["c", "a", "a"]]


def cube(rng: Any) -> Any:
    return rng.normal(size=(2, 7, nI))


def linear(width: int = nO) -> Any:
    return Linear(width, nI)


KINDS = {
    "list": lists(),
    "list with empty": lists(WITH_EMPTY),
    "no list": lists(()),
    "ragged": ragged(),
    "ragged with empty": ragged(WITH_EMPTY),
    "padded": padded(),
}


def per_kind(name: str, build: Callable[[], Any]) -> List[LayerCase]:
    """One row for each kind of sequences that the layer takes."""
    return [LayerCase(name, build, make, id=kind) for kind, make in KINDS.items()]


COMBINATORS: List[LayerCase] = [
    LayerCase("chain.v1", lambda: chain(Mish(2, nI), Linear(nO, 2)), rows()),
    LayerCase(
        "chain.v1", lambda: chain(with_array(linear(2)), list2array(), Mish(nO, 2)), lists(WITH_EMPTY), id="of list"
    ),
    LayerCase("clone.v1", lambda: clone(Linear(nI, nI), 3), rows()),
    LayerCase("add.v1", lambda: add(linear(), Mish(nO, nI), linear()), rows()),
    LayerCase("add.v1", lambda: add(noop(), noop(), linear(nI)), rows(), id="noop"),
    *per_kind("add.v1", lambda: add(with_array2d(linear()), with_array2d(linear()))),
    LayerCase("concatenate.v1", lambda: concatenate(linear(2), Mish(nO, nI), noop()), rows()),
    LayerCase("concatenate.v1", lambda: concatenate(noop(), noop()), rows(0), id="0"),
    *per_kind("concatenate.v1", lambda: concatenate(with_array2d(linear(2)), with_array2d(linear()))),
    LayerCase("residual.v1", lambda: residual(Mish(nI, nI)), rows()),
    *per_kind("residual.v1", lambda: residual(with_array2d(linear(nI)))),
    LayerCase("bidirectional.v1", lambda: bidirectional(with_array2d(linear()), with_array2d(linear(2))), padded()),
    LayerCase("siamese.v1", lambda: siamese(linear(), CauchySimilarity(nO)), pair),
    LayerCase("tuplify.v1", lambda: tuplify(linear(), linear(2), noop()), rows()),
    LayerCase("noop.v1", lambda: noop(Linear()), rows()),
    LayerCase("map_list.map_list", lambda: map_list(linear()), lists(WITH_EMPTY)),
    LayerCase(
        "uniqued.v1",
        lambda: uniqued(Embed(nO, nV, column=1), column=1),
        columns(13),
        differentiable=False,
        note=NO_FLOATS,
    ),
    LayerCase("resizable.v1", lambda: resizable(linear(), resize_linear_weighted), rows()),
]

TRANSFERS: List[LayerCase] = [
    LayerCase("list2array.v1", list2array, lists()),
    LayerCase("list2array.v1", list2array, lists(WITH_EMPTY), id="empty sequences"),
    LayerCase("list2ragged.v1", list2ragged, lists()),
    LayerCase("list2ragged.v1", list2ragged, lists(WITH_EMPTY), id="empty sequences"),
    LayerCase("list2padded.v1", list2padded, lists()),
    LayerCase("list2padded.v1", list2padded, lists(WITH_EMPTY), id="empty sequences"),
    LayerCase("ragged2list.v1", ragged2list, ragged()),
    LayerCase("ragged2list.v1", ragged2list, ragged(WITH_EMPTY), id="empty sequences"),
    LayerCase("padded2list.v1", padded2list, padded()),
]

WRAPPERS: List[LayerCase] = [
    *per_kind("with_array2d.v1", lambda: with_array2d(linear())),
    LayerCase("with_array2d.v1", lambda: with_array2d(linear()), rows(), id="array"),
    LayerCase("with_array.v1", lambda: with_array(linear()), rows(), id="array"),
    LayerCase("with_array.v1", lambda: with_array(linear()), lists(), id="list"),
    LayerCase("with_array.v1", lambda: with_array(linear()), ragged(), id="ragged"),
    LayerCase("with_array.v1", lambda: with_array(with_reshape(linear())), padded(), id="padded"),
    LayerCase(
        "with_array.v1",
        lambda: with_array(chain(expand_window(1), Linear(nO, 3 * nI)), pad=1),
        lists(WITH_EMPTY),
        id="list with pad",
    ),
    *per_kind("with_list.v1", lambda: with_list(map_list(linear()))),
    *per_kind("with_ragged.v1", lambda: with_ragged(ParametricAttention(nI))),
    LayerCase(
        "with_ragged.v1",
        lambda: with_ragged(ParametricAttention(nI)),
        lambda rng: (ragged()(rng).data, ragged()(rng).lengths),
        id="pair",
        batch_consistent=False,
        note="the lengths of a pair are no batch of their own",
    ),
    *per_kind("with_padded.v1", lambda: with_padded(with_list(map_list(linear())))),
    LayerCase(
        "with_padded.v1",
        lambda: with_padded(with_array2d(linear())),
        cube,
        id="array",
        batch_consistent=False,
        note="time comes first, so that the rows of the array are no sequences",
    ),
    LayerCase(
        "with_flatten.v1",
        lambda: with_flatten(remap_ids({"a": 1, "b": 2})),
        words,
        differentiable=False,
        note=NO_FLOATS,
    ),
    LayerCase(
        "with_flatten.v2",
        lambda: with_flatten_v2(map_list(linear())),
        nested,
        batch_consistent=False,
        note="a list within a list is empty, which the comparison cannot join",
    ),
    LayerCase("with_reshape.v1", lambda: with_reshape(linear()), cube),
    LayerCase("with_getitem.v1", lambda: with_getitem(-1, linear()), pair),
    LayerCase("with_cpu.v1", lambda: with_cpu(linear(), NumpyOps()), rows()),
    LayerCase("with_debug.with_debug", lambda: with_debug(linear()), rows()),
    LayerCase("with_nvtx_range.with_nvtx_range", lambda: with_nvtx_range(linear()), rows()),
]

# Whole models, in which each layer meets what others make of its input.
MODELS: List[LayerCase] = [
    LayerCase(
        "chain.v1",
        lambda: chain(
            list2ragged(),
            with_array(concatenate(linear(2), Relu(nO, nI, normalize=True))),
            residual(with_array(Mish(nO + 2, nO + 2))),
            ParametricAttention(nO + 2),
            ragged2list(),
        ),
        lists(),
        id="of sequences",
    ),
    LayerCase(
        "add.v1",
        lambda: add(residual(Mish(nI, nI)), chain(Dropout(0.0), Softmax(nI, nI))),
        rows(N),
        id="of models",
        params_differentiable=False,
        differentiable=False,
        note="the callback of Softmax takes the gradient of the logits",
    ),
]


CASES: List[LayerCase] = [*COMBINATORS, *TRANSFERS, *WRAPPERS, *MODELS]
