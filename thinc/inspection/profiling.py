"""Where the time of a batch goes, by layer and by op."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Callable, Dict, Iterator, List, Tuple

from .._table import Table
from ..api import Model, Ops
from ..model._observe import Place, observed
from .anomalies import _kept_gradients, _ones_like


@dataclass
class LayerTime:
    """Seconds in one layer without the layers in it, of all its calls."""

    path: str
    name: str
    depth: int
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0


@dataclass
class OpTime:
    """Seconds in one op of the backend, the ops that it calls included."""

    name: str
    calls: int = 0
    seconds: float = 0.0


@dataclass
class Profile:
    """What `profile` returns: the layers in order, the ops by time; prints as two tables.

    layers, ops: rows.  repeats: how often it was run.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> found = profile(Relu(4).initialize(X), X)
    >>> [row.name for row in found.layers], found.repeats
    (['relu'], 5)
    """

    layers: List[LayerTime]
    ops: List[OpTime]
    repeats: int

    @property
    def seconds(self) -> float:
        """Of one batch, forward and backward."""
        return sum(layer.forward + layer.backward for layer in self.layers) / self.repeats

    def _tables(self) -> List[Table]:
        whole = self.seconds or 1.0

        def ms(seconds: float) -> str:
            return f"{1e3 * seconds / self.repeats:.3f}"

        layers = [
            [
                f"{'  ' * row.depth}{row.name}",
                str(row.calls // self.repeats),
                ms(row.forward),
                ms(row.backward),
                f"{100 * (row.forward + row.backward) / self.repeats / whole:.0f} %",
            ]
            for row in self.layers
        ]
        ops = [
            [
                op.name,
                f"{op.calls / self.repeats:.0f}",
                ms(op.seconds),
                f"{100 * op.seconds / self.repeats / whole:.0f} %",
            ]
            for op in self.ops
        ]
        caption = f"{1e3 * self.seconds:.3f} ms a batch, mean of {self.repeats}"
        return [
            Table(["layer", "calls", "forward ms", "backward ms", "share"], layers, caption),
            Table(["op", "calls", "ms", "share"], ops),
        ]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self._tables()))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self._tables())


def profile(model: Model, X: Any, *, backward: bool = True, repeats: int = 5) -> Profile:
    """The time of each layer and each op for a batch: of training and its backward pass, or of a prediction.

    The first run warms up and is not counted. Gradients are put back to what they were. Watching costs some
    microseconds a call, which small layers feel.

    model: initialized.  X: a batch.  backward: whether to run the backward pass.  repeats: how often.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> found = profile(chain(Relu(4), Softmax(2)).initialize(X), X, backward=False)
    >>> [row.name for row in found.layers]
    ['chain', 'relu', 'softmax']
    """
    layers: Dict[Any, LayerTime] = {}
    ops: Dict[str, OpTime] = {}
    for repeat in range(repeats + 1):
        timer = _Timer(layers if repeat else {})
        with _kept_gradients(model), _timed_ops(model, ops if repeat else {}), observed(model, timer):
            Y, backprop = model(X, is_train=backward)
            if backward:
                backprop(_ones_like(Y))
    in_order = [layers[position] for position in sorted(layers)]
    return Profile(in_order, sorted(ops.values(), key=lambda op: -op.seconds), repeats)


class _Timer:
    """A watcher that takes the time of both passes, each layer without those in it."""

    def __init__(self, rows: Dict[Any, LayerTime]):
        self.rows = rows
        self.below: List[float] = [0.0]

    def __call__(self, place: Place, forward: Callable, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        row = self.rows.setdefault(place.position, LayerTime(place.path, place.kind, len(place.position)))
        row.calls += 1
        (Y, backprop), seconds = self._own_time(lambda: forward(X, is_train))
        row.forward += seconds

        def timed(dY: Any) -> Any:
            dX, seconds = self._own_time(lambda: backprop(dY))
            row.backward += seconds
            return dX

        return Y, timed

    def _own_time(self, call: Callable[[], Any]) -> Tuple[Any, float]:
        self.below.append(0.0)
        start = time.perf_counter()
        try:
            result = call()
        finally:
            taken = time.perf_counter() - start
            own = taken - self.below.pop()
            self.below[-1] += taken
        return result, own


@contextmanager
def _timed_ops(model: Model, times: Dict[str, OpTime]) -> Iterator[None]:
    """The layers compute with a backend that times its methods."""
    backends: Dict[int, Any] = {}
    changed = [(node, node.ops) for node in model.walk()]
    try:
        for node, ops in changed:
            if id(ops) not in backends:
                backends[id(ops)] = _timing(ops, times)
            node.ops = backends[id(ops)]
        yield
    finally:
        for node, ops in changed:
            node.ops = ops


def _timing(ops: Ops, times: Dict[str, OpTime]) -> Ops:
    """A backend of the same class and state; an op that another calls is counted in both."""

    def timed(name: str) -> Callable:
        method = getattr(type(ops), name)

        @wraps(method)  # (also its module: a compiled method asks whether those that it replaces are compiled)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(self, *args, **kwargs)
            finally:
                row = times.setdefault(name, OpTime(name))
                row.calls += 1
                row.seconds += time.perf_counter() - start

        return call

    names = [name for name in dir(type(ops)) if not name.startswith("_") and callable(getattr(type(ops), name))]
    twin: Any = object.__new__(type(type(ops).__name__, (type(ops),), {name: timed(name) for name in names}))
    twin.__dict__.update(ops.__dict__)
    return twin


__all__ = ["LayerTime", "OpTime", "Profile", "profile"]
