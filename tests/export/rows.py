"""Rows for the export alone: what the rows of the layers leave out, since their samples are texts or of one kind."""

from typing import Any, List

import numpy

from tests.cases import LayerCase
from tests.cases.combinators import lists
from tests.cases.leaf_layers import columns, ids, padded, pair, rows
from tests.layers.rows import CASES
from thinc.layers import (
    LSTM,
    Embed,
    HashEmbed,
    Linear,
    array_getitem,
    getitem,
    list2padded,
    list2ragged,
    map_list,
    padded2list,
    premap_ids,
    reduce_first,
    remap_ids,
    remap_ids_v2,
    tuplify,
    uniqued,
    with_array,
    with_flatten,
    with_padded,
    with_ragged,
)
from thinc.layers.chain import chain
from thinc.types import Padded, Ragged

MAX = 2**64 - 1


def id_lists(rng: Any) -> Any:
    return [rng.randint(0, 11, size=n).astype("int32") for n in (3, 0, 1)]


def parts_of_padded(rng: Any) -> Any:
    batch: Padded = padded()(rng)
    return batch.data, batch.size_at_t, batch.lengths, batch.indices


def large_ids(rng: Any) -> Any:
    return rng.choice(numpy.array([2, 3, MAX, 2**63, 5], dtype="uint64"), size=9)


def cubes(rng: Any) -> Any:
    data = rng.normal(size=(6, 2, 3))
    return Ragged(data, numpy.array([2, 1, 3], dtype="int32"))


def index_rows() -> List[LayerCase]:
    indices = {
        "step": (slice(None), slice(None, None, 2)),
        "backwards": (slice(None), slice(None, None, -1)),
        "from the end": (slice(None), slice(-2, None)),
        "rows": slice(1, 4),
        "rows but the last": slice(None, -1),
        "columns": (slice(None), [3, 0, -1]),
        "column": (slice(None), -1),
        "nothing": (slice(None), slice(3, 1)),
    }
    return [
        LayerCase("array_getitem.array_getitem", lambda index=index: array_getitem(index), rows(), id=name)
        for name, index in indices.items()
    ]


EXTRA: List[LayerCase] = [
    *index_rows(),
    LayerCase("remap_ids.v1", lambda: remap_ids({2: 5, 3: 1, "a": 7, 4.0: 8}, default=9), ids(), id="ids"),
    LayerCase("remap_ids.v1", lambda: remap_ids({2: 5}, dtype="f"), ids(dtype="uint64"), id="floats"),
    LayerCase("remap_ids.v2", lambda: remap_ids_v2({MAX: 1, 2: 3, -1: 4}, 7), large_ids, id="large keys"),
    LayerCase("remap_ids.v2", lambda: remap_ids_v2({-1: 4, MAX: 1}, 7), lambda rng: ids()(rng) - 3, id="negative"),
    LayerCase("remap_ids.v2", lambda: remap_ids_v2({}, 7), ids(), id="empty table"),
    LayerCase("premap_ids.v1", lambda: premap_ids({MAX: 1, 2: 3}, -7), large_ids, id="large keys"),
    LayerCase("premap_ids.v1", lambda: premap_ids({MAX: 1, 2: 3}), lambda rng: ids()(rng) - 3, id="negative"),
    LayerCase("with_flatten.v1", lambda: with_flatten(remap_ids_v2({2: 5, 3: 1})), id_lists, id="ids"),
    LayerCase("map_list.map_list", lambda: map_list(Embed(3, 11)), id_lists, id="ids"),
    LayerCase("map_list.map_list", lambda: map_list(chain(HashEmbed(5, 7, seed=1), Linear(3, 5))), id_lists, id="hash"),
    LayerCase("with_array.v1", lambda: with_array(HashEmbed(3, 7, seed=1), pad=2), id_lists, id="ids with pad"),
    LayerCase("uniqued.v1", lambda: uniqued(HashEmbed(3, 11, seed=1, column=0)), columns(13, "uint64"), id="hash"),
    LayerCase("getitem.getitem", lambda: getitem(1), lists(), id="of a list"),
    LayerCase("getitem.getitem", lambda: getitem(-1), lists(), id="the last of a list"),
    LayerCase("tuplify.v1", lambda: tuplify(getitem(1), getitem(0)), pair, id="of a pair"),
    LayerCase("with_padded.v1", lambda: with_padded(LSTM(3, 5)), parts_of_padded, id="parts"),
    LayerCase("with_padded.v1", lambda: with_padded(LSTM(4, 5, bi=True)), lists((0, 3, 0, 2, 0)), id="LSTM of list"),
    LayerCase("with_ragged.v1", lambda: with_ragged(reduce_first()), cubes, id="three dimensions"),
    LayerCase("list2padded.v1", lambda: chain(list2padded(), padded2list(), list2ragged()), lists(), id="and back"),
]

ALL: List[LayerCase] = [*CASES, *EXTRA]
