"""Replicas: the gradients of all ranks are summed, and every rank makes the same update."""

import time
from typing import Any, Dict, Iterable, List, Optional
from zlib import crc32

import numpy

from ..api import Model, Optimizer, fix_random_seed
from ..training import Examples, Progress, TrainingError, backward
from .bucket import Bucket, nonzero_blocks, shares, weight_of
from .group import Group, Node, fold


class Sync:
    """The `group` of `thinc.training.train` for replicas.

    A batch is cut into parts, each rank computes some of them, and their gradients are added with the weight of their
    examples. Random numbers (dropout) are seeded for each part.

    shards: None for a part for each rank; S, a power of two, for S parts whose gradients are added in a fixed binary
        tree: the bits of the model are then the same for any number of ranks.
    group: of the ranks.  model: initialized, the same on each.  seed: of dropout.

    >>> X, Y = numpy.eye(4, dtype="f"), numpy.array([0, 1, 0, 1])
    >>> from thinc.training import Data, Examples, Settings, train
    >>> data = Data(Examples(X, Y), Examples(X, Y), ["even", "odd"])
    >>> model, settings = Softmax(2, 4).initialize(), Settings(CategoricalCrossentropy(), max_epochs=2)
    >>> steps = list(train(model, Adam(0.1), data, settings, group=Sync(Group(), model)))
    >>> model.predict(X).argmax(axis=1)
    array([0, 1, 0, 1])
    """

    def __init__(self, group: Group, model: Model, *, shards: Optional[int] = None, seed: int = 0):
        check_shards(shards)
        self.group, self.shards, self.seed = group, shards, seed
        self.bucket = Bucket(model, n_extra=2)  # the loss; the share of the blocks that are not 0
        self.density = 1.0
        self.computed, self.steps = 0.0, 0

    def backward(
        self, model: Model, optimizer: Optimizer, examples: Examples, loss: Any, indices: Any, progress: Progress
    ) -> float:
        """Leave the gradients of the whole batch in the model; returns its loss. TrainingError if it is not finite,
        or a gradient is not, naming the rank."""
        group, bucket = self.group, self.bucket
        n_parts = self.shards or group.size
        parts = shares(indices, n_parts)
        mine = range(group.rank * n_parts // group.size, (group.rank + 1) * n_parts // group.size)
        nodes: List[Node] = []
        for i in mine:
            bucket.flat[:] = 0
            start = time.perf_counter()
            fix_random_seed(part_seed(self.seed, progress, i))
            self._part(model, examples, loss, parts[i], len(indices))
            self.computed += time.perf_counter() - start
            last = i == mine[-1]
            nodes = fold([*nodes, Node(i, 1, bucket.flat if last and not nodes else bucket.flat.copy())])
        finite = all(numpy.isfinite(node.array.sum()) for node in nodes)
        if not nodes:
            bucket.flat[:] = 0
        if self.shards:
            group.tree_sum_(nodes, bucket.flat)
        elif group.size > 1:
            group.sum_(bucket.flat, sparse=self.pays(self.density))
        if not numpy.isfinite(bucket.flat.sum()):
            bad = [rank for rank, fine in enumerate(group.gather(finite)) if not fine]
            raise TrainingError(not_finite(progress, bad or range(group.size), group.size))
        self.density = float(bucket.extra[1]) / n_parts
        self.steps += 1
        bucket.release()
        return float(bucket.extra[0])

    def _part(self, model: Model, examples: Examples, loss: Any, part: Any, n: int) -> None:
        bucket = self.bucket
        value = 0.0
        if len(part):
            value = backward(model, examples, loss, part)
            bucket.collect()
            weight, loss_weight = weight_of(loss, len(part), n)
            if weight != 1.0:
                bucket.flat[: bucket.n_params] *= weight
            value *= loss_weight
        bucket.extra[0] = value
        bucket.extra[1] = nonzero_blocks(bucket.flat[: bucket.n_params]).mean()

    def pays(self, density: float) -> bool:
        """Whether leaving out blocks of zeros saves a quarter of the bytes: first those of this rank, then those of
        the sum are sent."""
        return density + min(1.0, self.group.size * density) <= 1.5

    def settle(self, optimizer: Optimizer, progress: Progress) -> None:
        """Nothing to do: all ranks have the same state after each step."""

    def metrics(self) -> Dict[str, float]:
        """What the exchange has cost this rank so far."""
        return exchange_metrics(self.group, self.computed, self.steps)


def check_shards(shards: Optional[int]) -> None:
    if shards is not None and (shards < 1 or shards & (shards - 1)):
        raise ValueError(f"shards: expected a power of two, such as 4, got {shards}")


def not_finite(progress: Progress, ranks: Iterable[int], size: int) -> str:
    return (
        f"The loss or a gradient is not a finite number in epoch {progress.epoch + 1}, step {progress.step + 1}, on "
        f"rank {', '.join(map(str, ranks))} of {size}. Lower the learning rate, or clip the gradient harder"
    )


def part_seed(seed: int, progress: Progress, part: int) -> int:
    """The seed of a part of a batch: the same wherever it is computed, and after a restart."""
    return crc32(f"{seed} {progress.epoch} {progress.step} {part}".encode())


def exchange_metrics(group: Group, computed: float, steps: int) -> Dict[str, float]:
    """For the line of progress and the metrics file. exchange_share: seconds in it for each second of computing."""
    return {
        "workers": group.size,
        "bytes_per_step": group.sent // (steps or 1),
        "exchange_share": round(group.waited / (computed or 1.0), 4),
    }


__all__ = ["Sync", "check_shards", "exchange_metrics", "not_finite", "part_seed"]
