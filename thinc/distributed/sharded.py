"""Owners: each rank keeps some whole parameters, updates them once a quorum of gradients has come, sends them on."""

import copy
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy

from ..api import Model, Optimizer, fix_random_seed
from ..training import Examples, Progress, TrainingError, backward
from .bucket import Bucket, Place, Slot, n_bytes, pack, shares, unpack, weight_of
from .group import Group, LostWorker
from .sync import exchange_metrics, not_finite, part_seed

NUMBERS = ("learn_rate", "b1", "b2", "eps", "L2", "grad_clip")


class Gradient(NamedTuple):
    """What a rank sends an owner after each step."""

    rank: int
    version: int  # of the weights that it was computed with
    flat: Any  # packed; multiplied by the weight
    weight: float  # the part of the batch that it stands for
    flags: numpy.ndarray  # for each parameter, whether it has a gradient
    numbers: Dict[str, float]  # of the optimizer, whose schedules the ranks follow


class Owner:
    """The parameters of one rank, their version and the state of their optimizer. It serves many threads.

    quorum: gradients that make an update: their weighted mean, where the loss is a mean. max_staleness: a gradient of
    weights that are more updates old is dropped. A rank that sent a gradient waits until it was used or dropped.
    """

    def __init__(
        self, slots: List[Tuple[Place, int, tuple]], weights: numpy.ndarray, optimizer: Any, size: int, **settings: Any
    ):
        self.weights = weights.copy()
        self.grads = numpy.zeros_like(self.weights)
        self.places = [place for place, _, _ in slots]
        self.views = [
            tuple(flat[start : start + int(numpy.prod(shape))].reshape(shape) for flat in (self.weights, self.grads))
            for _, start, shape in slots
        ]
        self.optimizer = optimizer
        self.size = self.active = size
        self.quorum, self.max_staleness = settings["quorum"], settings["max_staleness"]
        self.timeout, self.mean = settings["timeout"], settings["mean"]
        self.version = self.dropped = self.stale = 0
        self.failure = ""
        self._clear()
        self._changed = threading.Condition()

    def _clear(self) -> None:
        self.grads[:] = 0
        self.count, self.weight = 0, 0.0
        self.flags = numpy.zeros(len(self.places), dtype=bool)

    def push(self, gradient: Gradient) -> Tuple[int, numpy.ndarray]:
        """Take a gradient; returns version and weights once it was used or dropped."""
        with self._changed:
            self._raise_failure()
            age = self.version - gradient.version
            self.stale += age > 0
            if age > self.max_staleness:
                self.dropped += 1
                return self.version, self.weights.copy()
            self.grads += unpack(gradient.flat)
            self.flags |= gradient.flags
            self.weight += gradient.weight
            self.count += 1
            for name, value in gradient.numbers.items():
                setattr(self.optimizer, name, value)
            version = self.version
            self._update_if_due()
            came = self._changed.wait_for(lambda: self.version > version or self.failure, self.timeout)
            self._raise_failure()
            if not came:
                raise LostWorker(
                    f"rank {gradient.rank} waited {self.timeout:g} s for a quorum of {self.quorum} gradients; "
                    f"{self.count} came"
                )
            return self.version, self.weights.copy()

    def _update_if_due(self) -> None:
        if self.count == 0 or self.count < min(self.quorum, self.active):
            return
        if self.weight > 0:
            if self.mean and abs(self.weight - 1.0) > 1e-6:
                self.grads /= self.weight
            for place, (weights, grads), flag in zip(self.places, self.views, self.flags):
                if flag:
                    updated, _ = self.optimizer((place, place.name), weights, grads)
                    if updated is not weights:
                        weights[...] = updated
        self.version += 1
        self._clear()
        self._changed.notify_all()

    def fail(self, message: str) -> None:
        """The run cannot go on: TrainingError for all who send, or wait."""
        with self._changed:
            self.failure = message
            self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self.failure:
            raise TrainingError(self.failure)

    def leave(self) -> None:
        """A rank has no more batches: nobody waits for it."""
        with self._changed:
            self._raise_failure()
            self.active -= 1
            self._update_if_due()

    def state(self) -> Dict[str, Any]:
        """Version, weights, and the optimizer's state by place, for all ranks to agree on."""
        with self._changed:
            keep = {name: getattr(self.optimizer, name) for name in ("mom1", "mom2", "averages", "nr_update")}
            return {
                "version": self.version,
                "weights": self.weights,
                "optimizer": keep,
                "dropped": self.dropped,
                "stale": self.stale,
            }

    def enter(self) -> None:
        """All ranks are back."""
        with self._changed:
            self.active = self.size


class Proxy:
    """What the nodes of a tree see instead of their own store: weights as they last came, one flat gradient."""

    def __init__(self) -> None:
        self.params: Dict[Any, numpy.ndarray] = {}
        self.grads: Dict[Any, numpy.ndarray] = {}
        self.touched: set = set()

    def get_param(self, model_id: int, name: str) -> numpy.ndarray:
        return self.params[model_id, name]

    def set_param(self, model_id: int, name: str, value: numpy.ndarray) -> None:
        self.params[model_id, name] = value

    def set_grad(self, model_id: int, name: str, value: numpy.ndarray) -> None:
        self.grads[model_id, name][...] = value
        self.touched.add((model_id, name))

    def inc_grad(self, model_id: int, name: str, value: numpy.ndarray) -> None:
        self.grads[model_id, name] += value
        self.touched.add((model_id, name))


def _ask_here(owners: List[Any], method: str, arguments: List[tuple], timeout: float) -> List[Any]:
    return [getattr(owner, method)(*args) for owner, args in zip(owners, arguments)]


class Sharded:
    """The `group` of `thinc.training.train` for owners.

    A rank computes its share of each batch with the newest weights it has, sends each owner its part of the gradient
    and gets new weights back. A quorum of all (the default) is `Sync` to rounding; less does not wait for the slowest.

    ask, own: how owners are called and made; plain objects unless Ray's actors are asked for.
    Raises ValueError for a model with shims, naming it, and for a quorum that never comes.

    group: of the ranks.  model, optimizer: initialized, the same on each.  mean: whether gradients are averaged.
    max_staleness: steps that a gradient may be old.  seed: of dropout.  timeout: seconds to wait for a rank.

    >>> model, optimizer = Linear(2, 3).initialize(), Adam()
    >>> sharded = Sharded(Group(), model, optimizer)
    """

    def __init__(
        self,
        group: Group,
        model: Model,
        optimizer: Optimizer,
        *,
        mean: bool = True,
        quorum: Optional[int] = None,
        max_staleness: int = 2,
        seed: int = 0,
        timeout: float = 60.0,
        ask: Callable = _ask_here,
        own: Callable = Owner,
    ):
        quorum = group.size if quorum is None else quorum
        if not 1 <= quorum <= group.size:
            raise ValueError(f"quorum: expected 1 to {group.size}, the number of workers, got {quorum}")
        check_no_shims(model)
        self.group, self.seed, self.timeout, self.ask = group, seed, timeout, ask
        self.bucket = Bucket(model)
        self.nodes = list(model.walk())
        self.weights = numpy.zeros_like(self.bucket.flat)
        self.ranges = _cut(self.bucket, group.size)
        self.proxy = self._install()
        self.computed, self.loss, self.steps = 0.0, 0.0, 0
        self.versions = [0] * group.size
        self.dropped = self.stale = 0
        first, last, start, end = self.ranges[group.rank]
        slots = [(slot.place, slot.start - start, slot.shape) for slot in self.bucket.slots[first:last]]
        self.mine = own(
            slots,
            self.weights[start:end],
            self._optimizer_of(optimizer, self.bucket.slots[first:last]),
            group.size,
            quorum=quorum,
            max_staleness=max_staleness,
            timeout=timeout,
            mean=mean,
        )
        self.owners = group.gather(self.mine)

    def _key(self, slot: Slot) -> Any:
        return self.nodes[slot.place.node].id, slot.place.name

    def _install(self) -> Proxy:
        proxy = Proxy()
        for slot in self.bucket.slots:
            view = slot.view(self.weights)
            view[...] = slot.owner.get_param(slot.place.name)
            proxy.params[self._key(slot)] = view
            proxy.grads[self._key(slot)] = slot.view(self.bucket.flat)
            slot.owner.set_param(slot.place.name, view)
        for node in self.nodes:
            node._params._grads.clear()
            node._params.proxy = proxy
        return proxy

    def _optimizer_of(self, optimizer: Optimizer, slots: List[Slot]) -> Any:
        """The optimizer of an owner: the ranks' own without schedules, its state by place."""
        twin = copy.copy(optimizer)
        twin.schedules = {}
        for name in ("mom1", "mom2", "averages", "nr_update"):
            old = getattr(optimizer, name)
            if old is not None:
                new = copy.copy(old)
                new.clear()
                new.update({(s.place, s.place.name): old[self._key(s)] for s in slots if self._key(s) in old})
                setattr(twin, name, new)
        return twin

    def backward(
        self, model: Model, optimizer: Optimizer, examples: Examples, loss: Any, indices: Any, progress: Progress
    ) -> float:
        """Send the gradient of this rank's share of the batch, fetch new weights; the loss of the share.
        TrainingError if it is not finite, or the gradient is not."""
        group, flat = self.group, self.bucket.flat
        part = shares(indices, group.size)[group.rank]
        flat[:] = 0
        start = time.perf_counter()
        value, weight, loss_weight = 0.0, 0.0, 1.0
        if len(part):
            fix_random_seed(part_seed(self.seed, progress, group.rank))
            value = backward(model, examples, loss, part)
            weight = len(part) / len(indices)
            gradient_weight, loss_weight = weight_of(loss, len(part), len(indices))
            flat *= gradient_weight
        self.computed += time.perf_counter() - start
        if not numpy.isfinite(flat.sum()) or not numpy.isfinite(value):
            message = not_finite(progress, [group.rank], group.size)
            self.ask(self.owners, "fail", [(message,)] * group.size, self.timeout)
            raise TrainingError(message)
        self._send(weight, {name: float(getattr(optimizer, name)) for name in NUMBERS})
        self.loss += value * loss_weight
        self.steps += 1
        return value * loss_weight

    def _send(self, weight: float, numbers: Dict[str, float]) -> None:
        start_time = time.perf_counter()
        flags = numpy.array([self._key(slot) in self.proxy.touched for slot in self.bucket.slots])
        messages = [
            Gradient(
                self.group.rank, self.versions[i], pack(self.bucket.flat[start:end]), weight, flags[first:last], numbers
            )
            for i, (first, last, start, end) in enumerate(self.ranges)
        ]
        self.group.sent += sum(n_bytes(m.flat) for i, m in enumerate(messages) if i != self.group.rank)
        answers = self.ask(self.owners, "push", [(message,) for message in messages], self.timeout)
        for i, (version, weights) in enumerate(answers):
            self.versions[i] = version
            self._take(i, weights)
        self.group.waited += time.perf_counter() - start_time

    def _take(self, i: int, weights: numpy.ndarray) -> None:
        _, _, start, end = self.ranges[i]
        self.weights[start:end] = weights

    def settle(self, optimizer: Optimizer, progress: Progress) -> None:
        """All ranks get the same weights, moments and averages, and the loss of all: at the end of an epoch, and for a
        checkpoint."""
        nothing: List[tuple] = [()] * self.group.size
        self.ask(self.owners, "leave", nothing, self.timeout)
        progress.loss += sum(self.group.gather(self.loss)) - self.loss
        self.loss = 0.0
        states = self.ask(self.owners, "state", nothing, self.timeout)
        keys = {slot.place: self._key(slot) for slot in self.bucket.slots}
        for i, state in enumerate(states):
            self.versions[i] = state["version"]
            self._take(i, state["weights"])
            for name, values in state["optimizer"].items():
                if values is not None:
                    getattr(optimizer, name).update((keys[place], _own(value)) for (place, _), value in values.items())
        self.dropped, self.stale = (sum(state[name] for state in states) for name in ("dropped", "stale"))
        self.group.barrier()
        self.ask([self.mine], "enter", [()], self.timeout)
        self.group.barrier()

    def metrics(self) -> Dict[str, float]:
        """What the exchange has cost this rank so far, and the gradients that came late to any owner."""
        return {**exchange_metrics(self.group, self.computed, self.steps), "dropped": self.dropped, "stale": self.stale}


def _own(value: Any) -> Any:
    return value.copy() if isinstance(value, numpy.ndarray) else value


def check_no_shims(model: Model) -> None:
    for node in model.walk():
        if node.shims:
            raise ValueError(
                f"mode 'sharded': '{node.name}' holds a {type(node.shims[0]).__name__}, whose parameters belong to "
                "another framework and have no owner here. Use mode 'sync'"
            )


def _cut(bucket: Bucket, size: int) -> List[Tuple[int, int, int, int]]:
    """For each rank the range of its slots and of the flat array: whole parameters, about equally many numbers."""
    slots = bucket.slots
    starts = [slot.start for slot in slots] + [bucket.n_params]
    cuts = [0]
    for i in range(1, size):
        goal = bucket.n_params * i / size
        nearest = min(range(len(starts)), key=lambda j: abs(starts[j] - goal))
        cuts.append(max(cuts[-1], nearest))
    cuts.append(len(slots))
    return [(a, b, starts[a], starts[b]) for a, b in zip(cuts, cuts[1:])]


__all__ = ["Gradient", "Owner", "Proxy", "Sharded", "check_no_shims"]
