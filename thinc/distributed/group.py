"""Ranks that work on one model, and how they exchange arrays: alone, by torch's gloo, by Ray's object store.

A kind of group implements `exchange`; the rest is built on it. Sums are added in a fixed binary tree, so that their
bits depend on the leaves alone, not on who computed them.
"""

import pickle
import time
from typing import Any, Callable, Iterable, List, NamedTuple

import numpy

from ..training import TrainingError
from .bucket import n_bytes, pack, unpack

SMALL = 2**20  # bytes: below, a round costs more than they do


class LostWorker(RuntimeError):
    """Another rank died or did not answer in time. A restart from the last checkpoint may help.

    >>> issubclass(LostWorker, RuntimeError)
    True
    """


class Node(NamedTuple):
    """A partial sum: of the leaves start ... start + length - 1."""

    start: int
    length: int
    array: numpy.ndarray


class Group:
    """The ranks of a run; this class is a group of one.

    sent: bytes that this rank sent. waited: seconds it spent in exchanges.

    >>> group = Group()
    >>> group.rank, group.size
    (0, 1)
    """

    rank = 0
    size = 1
    sent = 0
    waited = 0.0

    def exchange(self, parts: List[Any]) -> List[Any]:
        """Give part i to rank i; returns what each rank gave to this one. Arrays that come are read-only."""
        return parts

    def _timed_exchange(self, parts: List[Any]) -> List[Any]:
        start = time.perf_counter()
        self.sent += sum(n_bytes(part) for i, part in enumerate(parts) if i != self.rank)
        try:
            return self.exchange(parts)
        finally:
            self.waited += time.perf_counter() - start

    def gather(self, message: Any) -> List[Any]:
        """The messages of all ranks, on each of them."""
        return self._timed_exchange([message] * self.size)

    def broadcast(self, message: Any, root: int = 0) -> Any:
        """The message of one rank, on each of them."""
        return self.gather(message if self.rank == root else None)[root]

    def barrier(self) -> None:
        """Wait until all ranks are here. LostWorker after the group's timeout."""
        self.gather(None)

    def sum_(self, array: numpy.ndarray, sparse: bool = False) -> None:
        """Add the flat arrays of all ranks, in place, on each of them. sparse: much of them is 0."""
        self.tree_sum_([Node(self.rank, 1, array)], array)

    def tree_sum_(self, nodes: List[Node], out: numpy.ndarray) -> None:
        """The sum of the leaves of all ranks into out, on each of them.

        nodes: this rank's partial sums, which may be overwritten. Leaves are added in pairs, the pairs in pairs and
        so on. Each rank adds a slice for all, so that a rank sends twice the size of the array, whatever their number;
        two ranks, or small arrays, are faster in one round.
        """
        if self.size <= 2 or out.nbytes * self.size < SMALL:
            parts = self.gather([(n.start, n.length, pack(n.array)) for n in nodes])
            out[...] = total(_unpacked(parts))
            return
        cuts = [out.size * i // self.size for i in range(self.size + 1)]
        spans = [slice(start, end) for start, end in zip(cuts, cuts[1:])]
        parts = [[(n.start, n.length, pack(n.array[span])) for n in nodes] for span in spans]
        came = self._timed_exchange(parts)
        mine = _unpacked(came)
        pieces = self.gather(pack(total(mine)) if mine else None)
        for span, piece in zip(spans, pieces):
            if piece is not None:
                out[span] = unpack(piece)


def _unpacked(parts: List[Any]) -> List[Node]:
    return [Node(start, length, unpack(array)) for part in parts for start, length, array in part]


def fold(nodes: Iterable[Node]) -> List[Node]:
    """Add siblings of the binary tree as far as they are here."""
    stack: List[Node] = []
    for node in sorted(nodes, key=lambda n: n.start):
        while stack and _are_siblings(stack[-1], node):
            left = stack.pop()
            node = Node(left.start, 2 * left.length, left.array + node.array)
        stack.append(node)
    return stack


def _are_siblings(left: Node, right: Node) -> bool:
    twice = 2 * left.length
    return left.length == right.length and left.start % twice == 0 and left.start + left.length == right.start


def total(nodes: Iterable[Node]) -> numpy.ndarray:
    """The sum of all leaves; where they are no power of two, what is left of the tree is added from the left."""
    first, *rest = fold(nodes)
    result = first.array
    for node in rest:
        result = result + node.array
    return result


class Gloo(Group):
    """Ranks of a process group of torch, which is there already."""

    def __init__(self) -> None:
        import torch.distributed

        self._torch, self._dist = torch, torch.distributed
        self.rank, self.size = self._dist.get_rank(), self._dist.get_world_size()

    def sum_(self, array: numpy.ndarray, sparse: bool = False) -> None:
        if sparse:
            return super().sum_(array)
        start = time.perf_counter()
        self._call(lambda: self._dist.all_reduce(self._torch.from_numpy(array)))
        self.sent += 2 * array.nbytes * (self.size - 1) // self.size
        self.waited += time.perf_counter() - start

    def exchange(self, parts: List[Any]) -> List[Any]:
        return self._call(lambda: self._exchange(parts))

    def _exchange(self, parts: List[Any]) -> List[Any]:
        torch, dist = self._torch, self._dist
        blobs = [pickle.dumps(part, protocol=5) for part in parts]
        lengths = torch.tensor([len(blob) for blob in blobs])
        table = [torch.empty_like(lengths) for _ in range(self.size)]
        dist.all_gather(table, lengths)
        others = [i for i in range(self.size) if i != self.rank]
        buffers = {i: torch.empty(int(table[i][self.rank]), dtype=torch.uint8) for i in others}
        works = [dist.irecv(buffers[i], src=i) for i in others]
        works += [dist.isend(torch.frombuffer(bytearray(blobs[i]), dtype=torch.uint8), dst=i) for i in others]
        for work in works:
            work.wait()
        return [parts[i] if i == self.rank else pickle.loads(buffers[i].numpy().data) for i in range(self.size)]

    def _call(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except RuntimeError as e:
            raise LostWorker(f"rank {self.rank} of {self.size}: another rank is gone or hangs. gloo says: {e}") from e


class Mail:
    """Where ranks leave parts for each other, in a Ray actor. Of each attempt, as restarts come, the newest counts."""

    def __init__(self) -> None:
        import asyncio

        self._condition = asyncio.Condition()
        self._attempt = ""
        self._rounds: dict = {}
        self._notes: List[Any] = []
        self._failure = ""

    async def swap(self, attempt: str, number: int, rank: int, parts: List[Any], timeout: float) -> List[Any]:
        """Leave parts for all ranks and take those that they left for this one, when all are there."""
        import asyncio

        size = len(parts)
        async with self._condition:
            if attempt != self._attempt:
                self._attempt, self._rounds = attempt, {}
            box = self._rounds.setdefault(number, {})
            box[rank] = parts
            self._condition.notify_all()
            try:
                ready = self._condition.wait_for(lambda: len(box) == size or self._failure)
                await asyncio.wait_for(ready, timeout)
            except asyncio.TimeoutError:
                missing = [i for i in range(size) if i not in box]
                raise LostWorker(
                    f"rank {rank} of {size} waited {timeout:g} s for rank {', '.join(map(str, missing))}"
                ) from None
            if self._failure:
                raise TrainingError(self._failure)
            self._rounds = {n: old for n, old in self._rounds.items() if n >= number - 1}
            return [box[i][rank] for i in range(size)]

    async def failure(self) -> str:
        """Why the run cannot go on, if it cannot."""
        return self._failure

    async def fail(self, message: str) -> None:
        """The run cannot go on: TrainingError for all who wait here, and a note for the driver."""
        async with self._condition:
            self._failure = self._failure or message
            self._condition.notify_all()
        self._notes.append(("failure", message))

    async def note(self, message: Any) -> None:
        """Leave a message for the driver."""
        self._notes.append(message)

    async def take(self) -> List[Any]:
        """The messages since the last call."""
        notes, self._notes = self._notes, []
        return notes


class ObjectStore(Group):
    """Ranks that exchange arrays through Ray alone.

    mail: the handle of a `Mail`. attempt: the same text on all ranks of one start of the workers, another after each
    restart.
    """

    def __init__(self, mail: Any, attempt: str, rank: int, size: int, timeout: float):
        self._mail, self._attempt, self._timeout = mail, attempt, timeout
        self.rank, self.size = rank, size
        self._number = 0

    def exchange(self, parts: List[Any]) -> List[Any]:
        import ray

        # Large parts go from store to store, small ones through the actor: a reference inside a list is passed on as
        # it is, and a put and a get cost more than a copy.
        boxes = [part if n_bytes(part) < SMALL // 8 else _Ref([ray.put(part)]) for part in parts]
        boxes[self.rank] = None
        self._number += 1
        try:
            call = self._mail.swap.remote(self._attempt, self._number, self.rank, boxes, self._timeout)
            came = ray.get(call, timeout=2 * self._timeout)
            arrays = iter(ray.get([box[0][0] for box in came if isinstance(box, _Ref)], timeout=self._timeout))
        except ray.exceptions.RayTaskError as e:
            raise e.cause from e
        except (ray.exceptions.RayError, TimeoutError) as e:
            raise LostWorker(f"rank {self.rank} of {self.size}: another rank is gone or hangs: {e}") from e
        came[self.rank] = parts[self.rank]
        return [next(arrays) if isinstance(box, _Ref) else box for box in came]


class _Ref(NamedTuple):
    """Where a part lies in the object store."""

    box: list


def ask_ray(owners: List[Any], method: str, arguments: List[tuple], timeout: float) -> List[Any]:
    """What a method of each of some actors returns."""
    import ray

    calls = [getattr(owner, method).remote(*args) for owner, args in zip(owners, arguments)]
    try:
        return ray.get(calls, timeout=2 * timeout)
    except ray.exceptions.RayTaskError as e:
        raise e.cause from e
    except (ray.exceptions.RayError, TimeoutError) as e:
        raise LostWorker(f"an owner of parameters is gone or hangs: {e}") from e


__all__ = ["Gloo", "Group", "LostWorker", "Mail", "Node", "ObjectStore", "ask_ray", "fold", "total"]
