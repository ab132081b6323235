"""Groups: exchange, sums in a fixed tree, and what happens if a rank is missing."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from tests.distributed.threads import run
from thinc import compat
from thinc.distributed.bucket import BLOCK, n_bytes, pack, shares, unpack
from thinc.distributed.group import Group, LostWorker, Node, fold, total


def leaves(n, size=1000, dtype="float32"):
    """Arrays whose sum depends on the order of adding."""
    rng = numpy.random.RandomState(n)
    return [(rng.normal(size=size) * 10.0 ** rng.randint(-4, 5, size=size)).astype(dtype) for _ in range(n)]


def tree(arrays):
    """The fixed tree, written down anew."""
    while len(arrays) > 1:
        arrays = [arrays[i] + arrays[i + 1] for i in range(0, len(arrays), 2)]
    return arrays[0]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_gather_broadcast_barrier(size):
    def work(group):
        group.barrier()
        return group.gather(f"from {group.rank}"), group.broadcast(numpy.arange(3) + group.rank, root=size - 1)

    for messages, array in run(size, work):
        assert messages == [f"from {i}" for i in range(size)]
        assert array.tolist() == [size - 1, size, size + 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("length", [0, 1, 5, 1000])
def test_sums_are_those_of_exact_arithmetic(size, length, dtype):
    arrays = leaves(size, length, dtype)

    def work(group):
        mine = arrays[group.rank].copy()
        group.sum_(mine)
        return mine

    results = run(size, work)
    expected = [math.fsum(column) for column in zip(*(a.tolist() for a in arrays))]
    scale = numpy.sum(numpy.abs(arrays), axis=0)
    for result in results:
        assert result.dtype == dtype and result.tobytes() == results[0].tobytes()
        assert (numpy.abs(result - expected) <= size * numpy.finfo(dtype).eps * scale).all()


@pytest.mark.parametrize("n_leaves", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8])
def test_a_tree_has_the_same_bits_for_any_number_of_ranks(n_leaves, size):
    arrays = leaves(n_leaves)
    expected = tree(arrays)
    if n_leaves > 4:  # the order of adding shows at all
        assert sum(arrays[1:], arrays[0]).tobytes() != expected.tobytes()

    def work(group):
        mine = range(group.rank * n_leaves // size, (group.rank + 1) * n_leaves // size)
        out = numpy.full(1000, numpy.nan, dtype="float32")
        group.tree_sum_(fold([Node(i, 1, arrays[i].copy()) for i in mine]), out)
        return out

    for out in run(size, work):
        assert out.tobytes() == expected.tobytes()


def test_fold_joins_only_siblings():
    nodes = [Node(i, 1, numpy.ones(1)) for i in (1, 2, 3, 4, 5, 7)]
    assert [(n.start, n.length) for n in fold(nodes)] == [(1, 1), (2, 2), (4, 2), (7, 1)]
    assert total(nodes).tolist() == [6.0]


def test_a_missing_rank_is_an_error_within_the_timeout():
    def work(group):
        if group.rank != 1:
            group.barrier()

    with pytest.raises(LostWorker, match="gone or hangs"):
        run(3, work, timeout=0.2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 100 * BLOCK + 7])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_pack_keeps_every_bit(size, share, dtype):
    rng = numpy.random.RandomState(size)
    array = rng.normal(size=size).astype(dtype)
    array[numpy.repeat(rng.uniform(size=-(-size // BLOCK)) >= share, BLOCK)[:size]] = 0
    if size:
        array[-1] = -0.0
        array[0] = numpy.nan
    packed = pack(array)
    assert unpack(packed).tobytes() == array.tobytes()
    assert n_bytes(packed) <= array.nbytes
    if share < 0.5 and size > 10 * BLOCK:
        assert n_bytes(packed) < 0.3 * array.nbytes


def test_shares_are_disjoint_and_complete():
    for n in (0, 1, 3, 8, 13):
        for parts in (1, 2, 4, 7):
            got = shares(numpy.arange(n), parts)
            assert len(got) == parts
            assert sorted(numpy.concatenate(got).tolist()) == list(range(n))


def test_a_group_of_one_does_nothing():
    group = Group()
    array = numpy.arange(5.0)
    group.sum_(array)
    assert array.tolist() == [0, 1, 2, 3, 4]
    assert group.gather("x") == ["x"] and group.sent == 0


# The ranks are forked once torch is there: importing it takes seconds.
GLOO = """
import multiprocessing
import sys

import numpy
import torch.distributed

from tests.distributed.test_group import leaves, tree
from thinc.distributed.group import Gloo, Node


def work(rank):
    torch.distributed.init_process_group("gloo", f"file://{sys.argv[1]}", rank=rank, world_size=4)
    group = Gloo()
    assert (group.rank, group.size) == (rank, 4)
    assert group.gather(rank) == [0, 1, 2, 3]
    assert group.broadcast(rank, root=2) == 2
    for size in (10, 200_000):  # in one round, and in slices
        arrays = leaves(4, size)
        out = numpy.empty(size, dtype="f")
        group.tree_sum_([Node(rank, 1, arrays[rank].copy())], out)
        assert out.tobytes() == tree(arrays).tobytes()
        for sparse in (False, True):
            mine = arrays[rank].copy()
            group.sum_(mine, sparse)
            scale = numpy.sum(numpy.abs(arrays), axis=0)
            assert (numpy.abs(mine - numpy.sum(arrays, axis=0, dtype="d")) <= 1e-6 * scale).all()


ranks = [multiprocessing.get_context("fork").Process(target=work, args=(i,)) for i in range(4)]
for rank in ranks:
    rank.start()
for rank in ranks:
    rank.join(60)
sys.exit(any(rank.exitcode != 0 for rank in ranks))
"""


@pytest.mark.skipif(not compat.has_torch, reason="needs torch")
def test_gloo_joins_processes(tmp_path):
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-c", GLOO, str(tmp_path / "meeting")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
