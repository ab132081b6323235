"""Numbers of nodes and shims when these are pickled and copied: never one number twice in a process.

An optimizer knows a parameter by (number, name). What is restored gets a new number, and so do the keys of an
optimizer that was pickled or deep-copied together with it: both refer to one `Identity`, which is restored once.
An optimizer restored alone goes on with the same nodes if these are of this process; else with the copies of them
that were restored last, or that are the next to come.
"""

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Dict, List, Optional, Tuple

# (process, number there); the process is "" in pickles of earlier releases.
OriginT = Tuple[str, int]

FIRST_SHIM = 2**32  # shims are counted from here, nodes from 0: keys of optimizers have one number for either
_MOST_KNOWN = 2**16

_lock = threading.RLock()
_living: "weakref.WeakValueDictionary[int, Identity]" = weakref.WeakValueDictionary()
_known: Dict[OriginT, int] = {}  # the numbers given last to what came from elsewhere
_waiting: Dict[OriginT, "_Followers"] = {}  # optimizers whose nodes have not come yet
_pending = itertools.count(-1, -1)
# A number counts for the process that gave it: a child made by fork inherits those given before, and goes on.
_processes: List[Tuple[str, int, int]] = [(os.urandom(16).hex(), 0, FIRST_SHIM)]
last_node: Callable[[], int] = lambda: 0  # noqa: E731  (set by Model)
last_shim: Callable[[], int] = lambda: FIRST_SHIM  # noqa: E731  (set by Shim)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    _processes.append((os.urandom(16).hex(), last_node() + 1, last_shim() + 1))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Followers:
    """Optimizers whose keys have a number until the node comes that it stands for."""

    def __init__(self, number: int):
        self.number = number
        self.optimizers: List[Any] = []  # weak references

    def tell(self, number: int) -> None:
        for reference in self.optimizers:
            optimizer = reference()
            if optimizer is not None:
                optimizer._rename(self.number, number)


class Identity:
    """A number inside one pickle or deepcopy."""

    __slots__ = ("origin", "number", "_followers", "__weakref__")

    def __init__(self, origin: OriginT, number: Optional[int] = None):
        self.origin = origin
        self.number = number  # None until a node is restored
        self._followers: Optional[_Followers] = None

    def __reduce__(self) -> Any:
        return Identity, (self.origin,)

    def claim(self, fresh: Callable[[], int]) -> int:
        """The number of a restored node or shim; optimizers that follow it learn of it."""
        with _lock:
            if self.number is not None:  # a second one with this state, by copy.copy
                return fresh()
            self.number = number = fresh()
            if not _is_here(self.origin):
                _known.pop(self.origin, None)
                _known[self.origin] = number
                _forget(_known)
            waiting = _waiting.pop(self.origin, None)
            for followers in {self._followers, waiting} - {None}:
                followers.tell(number)  # type: ignore[union-attr]  # None is not among them
            self._followers = None
            return number

    def follow(self, optimizer: Any) -> int:
        """The number for the keys of a restored optimizer; its `_rename(old, new)` is called if that changes."""
        with _lock:
            if self.number is not None:
                return self.number
            if self._followers is None:
                self._followers = self._guess()
            self._followers.optimizers.append(weakref.ref(optimizer))
            return self._followers.number

    def _guess(self) -> _Followers:
        if _is_here(self.origin):
            return _Followers(self.origin[1])
        if self.origin in _known:
            return _Followers(_known[self.origin])
        if self.origin not in _waiting:
            _waiting[self.origin] = _Followers(next(_pending))
            _forget(_waiting)
        return _waiting[self.origin]


def identity_of(number: int) -> Identity:
    """The Identity by which a number is pickled: one object as long as a pickler or a memo holds it."""
    with _lock:
        identity = _living.get(number)
        if identity is None:
            identity = _living[number] = Identity((_process_of(number), number), number)
        return identity


def restored(value: Any) -> Identity:
    """The Identity in a pickled state, where earlier releases have the number itself."""
    return value if isinstance(value, Identity) else Identity(("", value))


def _process_of(number: int) -> str:
    for name, first_node, first_shim in reversed(_processes):
        if number >= (first_shim if number >= FIRST_SHIM else first_node):
            return name
    return _processes[0][0]


def _is_here(origin: OriginT) -> bool:
    return any(origin[0] == name for name, _, _ in _processes)


def _forget(known: Dict[OriginT, Any]) -> None:
    while len(known) > _MOST_KNOWN:
        del known[next(iter(known))]
