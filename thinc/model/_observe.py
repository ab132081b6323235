"""Watches models at work: each call of each layer, by the place of the layer in the tree.

The layers of one model are not changed but for their forward function, all models not but for three methods of their
class, and that only inside the block; a model that nobody watches pays nothing.
"""

import threading
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Type

from ..types import Padded, Ragged
from ._guards import Backprop  # type: ignore[import-not-found]  # compiled

if TYPE_CHECKING:
    from . import Model

Position = Tuple[int, ...]
# What a watcher is given: the place, and everything that is needed to make the call.
Watcher = Callable[["Place", Callable, Any, bool], Tuple[Any, Callable]]


class Place(NamedTuple):
    """Where a layer stands: the numbers of the layers on the way down from the root."""

    position: Position
    node: "Model"
    repeated: bool = False  # it stood at an earlier place, too; its layers are listed there

    @property
    def path(self) -> str:
        """E.g. "layers.0.layers.2"; "model" for the root."""
        return ".".join(f"layers.{i}" for i in self.position) or "model"

    @property
    def kind(self) -> str:
        """The name of the layer; of one with a long name, made of those of its layers, what it does with them."""
        name = self.node.name
        if self.node.layers and (len(name) > 24 or ">>" in name):
            return getattr(self.node._func, "__module__", name).rpartition(".")[2]
        return name if len(name) <= 40 else f"{name[:39]}…"


def places(model: "Model") -> Iterator[Place]:
    """Every place of the tree, each before those below it."""
    seen: Set[int] = set()
    waiting = [Place((), model)]
    while waiting:
        position, node, _ = waiting.pop()
        yield Place(position, node, id(node) in seen)
        if id(node) not in seen:
            seen.add(id(node))
            waiting.extend(Place((*position, i), node.layers[i]) for i in reversed(range(len(node.layers))))


@contextmanager
def observed(model: "Model", watcher: Watcher) -> Iterator[None]:
    """Inside the block each call of a layer by this thread is handed to the watcher, which makes it.

    watcher(place, forward, X, is_train) -> (Y, backprop), where forward(X, is_train) is what would have been called.
    """
    tracker = _Tracker(model, watcher)
    changed = []
    try:
        for node in model.walk():
            changed.append((node, node._func))
            node._func = tracker.around(node._func)
        yield
    finally:
        for node, forward in changed:
            node._func = forward


@contextmanager
def all_observed(cls: Type["Model"], watcher: Watcher) -> Iterator[None]:
    """As `observed`, of every model of the class that this thread calls; the innermost of several blocks watches."""
    thread = threading.get_ident()
    with _LOCK:
        outer = _WATCHED.get(thread)
        if not _WATCHED:
            for name, method in (("__call__", _call), ("begin_update", _begin_update), ("predict", _predict)):
                _METHODS[name] = getattr(cls, name)
                setattr(cls, name, method)
        _WATCHED[thread] = _Watched(watcher)
    try:
        yield
    finally:
        with _LOCK:
            if outer is not None:
                _WATCHED[thread] = outer
            else:
                del _WATCHED[thread]
            if not _WATCHED:
                for name, method in _METHODS.items():
                    setattr(cls, name, method)


_LOCK = threading.Lock()
_WATCHED: Dict[int, "_Watched"] = {}  # by thread
_METHODS: Dict[str, Callable] = {}  # of Model, while some thread watches


def _call(model: "Model", X: Any, is_train: bool) -> Tuple[Any, Callable]:
    watched = _WATCHED.get(threading.get_ident())
    return (watched or _METHODS["__call__"])(model, X, is_train)


def _begin_update(model: "Model", X: Any) -> Tuple[Any, Callable]:
    Y, backprop = model(X, True)
    return Y, Backprop(backprop, model, Y)


def _predict(model: "Model", X: Any) -> Any:
    return model(X, False)[0]


class _Watched:
    """The calls of one thread, each tree by a tracker of its own."""

    def __init__(self, watcher: Watcher):
        self.watcher = watcher
        self.tracker: Optional[_Tracker] = None

    def __call__(self, model: "Model", X: Any, is_train: bool) -> Tuple[Any, Callable]:
        outermost = self.tracker is None
        tracker = self.tracker = self.tracker or _Tracker(model, self.watcher)
        try:
            return tracker.around(_METHODS["__call__"])(model, X, is_train)
        finally:
            if outermost:
                self.tracker = None


class _Tracker:
    """Knows which of several places of a layer is meant, by the calls that are under way."""

    def __init__(self, model: "Model", watcher: Watcher):
        self.watcher = watcher
        self.thread = threading.get_ident()
        self.first: Dict[int, Place] = {}
        for place in places(model):
            self.first.setdefault(id(place.node), place)
        self.calls: List[Tuple[Place, Dict[int, int]]] = []  # how often each layer was called by each call under way

    def around(self, forward: Callable) -> Callable:
        @wraps(forward)
        def watched(node: "Model", X: Any, is_train: bool) -> Tuple[Any, Callable]:
            if threading.get_ident() != self.thread:
                return forward(node, X, is_train)
            place = self.place_of(node)
            self.calls.append((place, {}))
            try:
                return self.watcher(place, lambda X, is_train: forward(node, X, is_train), X, is_train)
            finally:
                self.calls.pop()

        return watched

    def place_of(self, node: "Model") -> Place:
        if self.calls:
            (position, parent, _), counts = self.calls[-1]
            here = [i for i, layer in enumerate(parent.layers) if layer is node]
            if here:
                index = min(here, key=lambda i: counts.get(i, 0))
                counts[index] = counts.get(index, 0) + 1
                return Place((*position, index), node)
        return self.first.get(id(node), Place((), node))


def shape_of(X: Any) -> str:
    """Kind and shape of a batch: "(32, 96)", "uint64 (32, 4)", "Ragged[3] (17, 96)", "list[3] of (*, 96)"."""
    if isinstance(X, Ragged):
        return f"Ragged[{len(X)}] {shape_of(X.dataXd)}"
    if isinstance(X, Padded):
        return f"Padded[{len(X)}] {shape_of(X.data)}"
    if isinstance(X, tuple) and 0 < len(X) <= 4:
        return f"({', '.join(shape_of(x) for x in X)})"
    if isinstance(X, (list, tuple)):
        return f"{type(X).__name__}[{len(X)}]{_shape_of_items(X)}"
    shape = getattr(X, "shape", None)
    if shape is None:
        return type(X).__name__
    dtype = str(getattr(X, "dtype", "")).rpartition(".")[2]
    return f"{'' if dtype == 'float32' else f'{dtype} '}{_tuple(shape)}"


def _shape_of_items(items: Any) -> str:
    shapes = {tuple(x.shape[1:]) for x in items if getattr(x, "shape", ())}
    if len(shapes) == 1 and all(getattr(x, "shape", ()) for x in items):
        return f" of {_tuple(('*', *shapes.pop()))}"
    return f" of {shape_of(items[0])}" if len(items) else ""


def _tuple(shape: Any) -> str:
    sizes = [str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def arrays_of(X: Any) -> Iterator[Any]:
    """The arrays in a batch: of lists, tuples, Ragged, Padded and dicts, too."""
    if isinstance(X, (Ragged, Padded)):
        yield X.data
    elif isinstance(X, (list, tuple)):
        for item in X:
            yield from arrays_of(item)
    elif isinstance(X, dict):
        yield from arrays_of(list(X.values()))
    elif hasattr(X, "args") and hasattr(X, "kwargs"):
        yield from arrays_of([*X.args, *X.kwargs.values()])
    elif hasattr(X, "shape") and hasattr(X, "dtype"):
        yield X


def rows_in(X: Any) -> int:
    """The rows of a batch that a layer works on: those of all its sequences."""
    if isinstance(X, Padded):
        return int(X.lengths.sum())
    return sum(int(array.shape[0]) if array.ndim else 1 for array in arrays_of(X))
