"""Reading of what `Optimizer.to_bytes` wrote: all of it is checked before anything is changed."""

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Dict, List, Optional, Tuple

import numpy

from .schedules import Schedule
from .util import unpack

KeyT = Tuple[int, str]

# Optimizer attribute -> (name of the argument, what it may be, whether a number is that).
SETTINGS: Dict[str, Tuple[str, str, Callable[[float], bool]]] = {
    "grad_clip": ("grad_clip", "at least 0", lambda value: value >= 0),
    "learn_rate": ("learn_rate", "finite and at least 0", lambda value: 0 <= value < math.inf),
    "b1": ("beta1", "at least 0 and below 1", lambda value: 0 <= value < 1),
    "b2": ("beta2", "at least 0 and below 1", lambda value: 0 <= value < 1),
    "eps": ("eps", "finite and at least 0", lambda value: 0 <= value < math.inf),
    "L2": ("L2", "finite", math.isfinite),
}


def check_setting(name: str, value: Any) -> Any:
    """The value of an attribute of an Optimizer; ValueError if it is no number of its range."""
    argument, expected, fits = SETTINGS[name]
    if not isinstance(value, Real) or not fits(float(value)):
        raise ValueError(f"Optimizer: {argument} must be a number that is {expected}, got {value!r:.40}")
    return value


class State:
    """The state in some bytes, for an optimizer that is as it was when they were written."""

    def __init__(self, data: bytes, schedules: Dict[str, Any], rename: Optional[Callable[[KeyT], KeyT]]):
        message = unpack(
            data,
            "Optimizer.from_bytes",
            "an optimizer as Optimizer.to_bytes makes it",
            *("step", "last_score", "numbers", "schedules", "nr_update", "mom1", "mom2", "averages"),
        )
        self.step = _count("step", message["step"])
        self.last_score = _read_score(message["last_score"])
        self.numbers = _read_numbers(message["numbers"])
        self.schedules = _read_schedules(message["schedules"], schedules)
        self.nr_update = _read_items("nr_update", message["nr_update"], _count, rename)
        self.mom1 = _read_items("mom1", message["mom1"], _read_moment, rename)
        self.mom2 = _read_items("mom2", message["mom2"], _read_moment, rename)
        averages = message["averages"]
        self.averages = None if averages is None else _read_items("averages", averages, _read_array, rename)
        self._compare()

    def _compare(self) -> None:
        """The arrays of a parameter must be of one size and dtype, and no schedule may have seen a later score."""
        for name, schedule in self.schedules.items():
            seen = schedule.get("state", {}).get("last_score_step") if isinstance(schedule, Mapping) else None
            last = seen if self.last_score is None else self.last_score[0]
            if seen is not None and seen > last:
                raise _unfit(f"the schedule of {name} saw a score of step {seen}, the last one is of step {last}")
        if self.mom1.keys() != self.mom2.keys():
            raise _unfit(f"mom1 and mom2 have different keys: {list(self.mom1.keys() ^ self.mom2.keys())!s:.80}")
        for key, mom1 in self.mom1.items():
            for name, others in (("mom2", self.mom2), ("averages", self.averages or {})):
                self._compare_arrays("mom1", key, mom1, name, others.get(key), by_size=name == "averages")

    def check_against(self, optimizer: Any) -> None:
        """ValueError if the optimizer has arrays of another shape or dtype for a parameter."""
        for name in ("mom1", "mom2", "averages"):
            here = getattr(optimizer, name) or {}
            for key, array in (getattr(self, name) or {}).items():
                self._compare_arrays(f"{name} in the data", key, array, "that here", here.get(key))

    def _compare_arrays(
        self, name: str, key: KeyT, array: Any, other_name: str, other: Any, by_size: bool = False
    ) -> None:
        if other is None:
            return
        same = array.size == other.size if by_size else tuple(array.shape) == tuple(other.shape)
        if not same or array.dtype != other.dtype:
            raise _unfit(
                f"{name} of parameter {key!s:.80} is {array.dtype} of shape {tuple(array.shape)}, {other_name} "
                f"{other.dtype} of shape {tuple(other.shape)}"
            )


def _unfit(said: str) -> ValueError:
    return ValueError(f"Optimizer.from_bytes: {said}")


def _count(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise _unfit(f"expected {name} to be a count, got {value!r:.40}")
    return int(value)


def _read_score(score: Any) -> Optional[Tuple[int, float]]:
    if score is None:
        return None
    if not isinstance(score, (list, tuple)) or len(score) != 2 or not isinstance(score[1], Real):
        raise _unfit(f"expected last_score to be a step and a score, got {score!r:.40}")
    return _count("the step of last_score", score[0]), score[1]  # type: ignore[return-value]  # a Real


def _read_numbers(numbers: Any) -> Dict[str, Any]:
    if not isinstance(numbers, Mapping) or set(numbers) != set(SETTINGS):
        raise _unfit(f"expected numbers for {sorted(SETTINGS)}, got {numbers!s:.80}")
    return {name: check_setting(name, value) for name, value in numbers.items()}


def _read_schedules(stored: Any, schedules: Dict[str, Any]) -> Dict[str, Any]:
    if not isinstance(stored, Mapping) or set(stored) != set(schedules):
        names = f"{sorted(map(str, stored))!s:.80}" if isinstance(stored, Mapping) else f"{stored!r:.40}"
        raise _unfit(
            f"expected the attributes with schedules to be {names}, as when it was saved, got "
            f"{sorted(schedules)}. Make it with the same arguments"
        )
    for name, schedule in schedules.items():
        if isinstance(schedule, Schedule):
            schedule.check_state(stored[name])
    return dict(stored)


def _read_items(name: str, items: Any, read: Callable, rename: Optional[Callable[[KeyT], KeyT]]) -> Dict[KeyT, Any]:
    if not isinstance(items, (list, tuple)):
        raise _unfit(f"expected {name} to be a list of entries, got {items!r:.40}")
    values: Dict[KeyT, Any] = {}
    for item in items:
        if not isinstance(item, (list, tuple)) or [type(part) for part in item[:-1]] != [int, str]:
            raise _unfit(f"expected entries of {name} to be the id of a model, a name and a value, got {item!r:.80}")
        key = (item[0], item[1])
        key = key if rename is None else rename(key)
        if key in values:
            raise _unfit(f"{name} has two entries for parameter {key!s:.80}")
        values[key] = read(f"{name} of {key!s:.80}", item[2])
    return values


def _read_array(name: str, value: Any) -> numpy.ndarray:
    if not isinstance(value, numpy.ndarray) or value.dtype.kind != "f":
        raise _unfit(f"expected {name} to be an array of floats, got {type(value).__name__}")
    return value.astype(value.dtype.newbyteorder("="))  # also a writable copy


def _read_moment(name: str, value: Any) -> numpy.ndarray:
    array = _read_array(name, value)
    if array.ndim != 1:
        raise _unfit(f"expected {name} to have one dimension, got an array of shape {array.shape}")
    return array


def advance(schedules: List[Any], steps: int) -> None:
    """Run iterators forward."""
    for schedule in schedules:
        for _ in range(steps):
            if next(schedule, None) is None:
                break
