"""Values that change with the step: learning rates, batch sizes, dropout rates.

A `Schedule` is read in two ways. As a function, `schedule(step)`, it has a value for
any step and no memory. As an iterator, `next(schedule)`, it counts for itself; this is
what `Optimizer.step_schedules` and `Ops.minibatch` use. The two agree except where a
docstring says otherwise.

Over 500 lines: the schedules are short, and each shows its values.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any, Dict, Generic, Optional, Tuple, TypeVar

from .config import registry

__all__ = [
    "Schedule",
    "compounding",
    "constant",
    "constant_then",
    "cyclic_triangular",
    "decaying",
    "plateau",
    "slanted_triangular",
    "warmup_linear",
]

OutT = TypeVar("OutT")


class Schedule(Generic[OutT]):
    """A named function of the step.

    name: for error messages and for the reader of a config.
    schedule: called as schedule(self, step, **extra) -> value.
    attrs: settings and state that the function reads from `self.attrs`.

    >>> halving = Schedule("halving", lambda self, step, **extra: self.attrs["start"] / 2**step, attrs={"start": 8})
    >>> [halving(step) for step in range(4)]
    [8.0, 4.0, 2.0, 1.0]
    """

    __slots__ = ("name", "_schedule", "_attrs", "_position", "_iterate", "_memory")

    name: str
    _schedule: Callable
    _attrs: Dict[str, Any]
    _position: int  # how many values next() has given
    # What next() gives where that is not self(step): _iterate(self, step, again,
    # extra), with again=True to give the value of the last step once more.
    _iterate: Optional[Callable]
    _memory: Any  # what _iterate keeps from step to step; can be computed anew

    def __init__(self, name: str, schedule: Callable, *, attrs: Dict[str, Any] = {}) -> None:
        self.name = name
        self._schedule = schedule
        self._attrs = dict(attrs)
        self._position = 0
        self._iterate = None
        self._memory = None

    def __call__(self, step: int, **extra: Any) -> OutT:
        """The value at a step, counted from 0.  ValueError if step < 0."""
        if step < 0:
            raise ValueError(f"{self.name}: expected a step of at least 0, got {step}. The first step is 0.")
        return self._schedule(self, step, **extra)

    @property
    def attrs(self) -> Dict[str, Any]:
        """Settings and state of the schedule; the dict can be changed.

        >>> decaying(0.1, 1.0).attrs
        {'base_rate': 0.1, 'decay': 1.0, 't': 0}
        """
        return self._attrs

    def __iter__(self) -> Iterator[OutT]:
        return self

    def __next__(self) -> OutT:
        return self.advance()

    def advance(self, **extra: Any) -> OutT:
        """next(self), with the keyword arguments that a schedule function may read.

        extra: what the function reads.

        >>> rates = decaying(0.1, 1.0)
        >>> rates.advance(), rates.advance()
        (0.1, 0.05)
        """
        value = self._value(self._position, False, extra)
        self._position += 1
        return value

    def refresh(self, **extra: Any) -> OutT:
        """The value that next() gave last, under new keyword arguments.

        extra: what the function reads.

        >>> rates = decaying(0.1, 1.0)
        >>> next(rates), rates.refresh()
        (0.1, 0.1)
        """
        if self._position == 0:
            raise ValueError(f"{self.name}: refresh() needs a next() before it")
        return self._value(self._position - 1, True, extra)

    def _value(self, step: int, again: bool, extra: Dict[str, Any]) -> OutT:
        if self._iterate is None:
            return self._schedule(self, step, **extra)
        return self._iterate(self, step, again, extra)

    def to_generator(self, start: int = 0, step_size: int = 1, **extra: Any) -> Generator[OutT, None, None]:
        """self(start), self(start + step_size), ... without end.

        `extra` goes to each call. ValueError if start or step_size is negative.

        start: the first step.  step_size: between two.

        >>> from itertools import islice
        >>> list(islice(compounding(1, 100, 2).to_generator(start=2), 4))
        [4.0, 8.0, 16.0, 32.0]
        """
        if start < 0 or step_size < 0:
            raise ValueError(
                f"{self.name}: expected a start and a step size of at least 0, got {start} and {step_size}"
            )
        return self._generate(start, step_size, extra)

    def _generate(self, start: int, step_size: int, extra: Dict[str, Any]) -> Generator[OutT, None, None]:
        step = start
        while True:
            yield self(step, **extra)
            step += step_size

    def get_state(self) -> Dict[str, Any]:
        """What next() has done so far, as plain values: for checkpoints.

        >>> rates = decaying(0.1, 1.0)
        >>> first, second = next(rates), next(rates)
        >>> rates.get_state()
        {'position': 2}
        """
        state: Dict[str, Any] = {"position": self._position}
        if "state" in self._attrs:
            state["state"] = dict(self._attrs["state"])
        inner = {name: value.get_state() for name, value in self._attrs.items() if isinstance(value, Schedule)}
        if inner:
            state["inner"] = inner
        return state

    def check_state(self, state: Any) -> None:
        """ValueError if this is no state that `get_state` of a schedule built alike gave.

        state: of `get_state`.

        >>> rates = decaying(0.1, 1.0)
        >>> rates.check_state(rates.get_state())
        """
        here = self.get_state()
        if not isinstance(state, Mapping) or set(state) != set(here):
            raise ValueError(f"{self.name}: expected a state with {sorted(here)}, got {state!s:.80}")
        position = state["position"]
        if not isinstance(position, int) or isinstance(position, bool) or position < 0:
            raise ValueError(f"{self.name}: expected the position to be a count, got {position!r:.40}")
        for part in ("state", "inner"):
            if part in here and (not isinstance(state[part], Mapping) or set(state[part]) != set(here[part])):
                raise ValueError(f"{self.name}: expected {part} for {sorted(here[part])}, got {state[part]!s:.80}")
        for name, value in state.get("state", {}).items():
            if name in ("patience", "n_plateaus"):
                if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                    raise ValueError(f"{self.name}: expected '{name}' to be a count, got {value!r:.40}")
            elif value is not None and not isinstance(value, Real):
                raise ValueError(f"{self.name}: expected '{name}' to be a number, got {value!r:.40}")
        for name, inner in state.get("inner", {}).items():
            self._attrs[name].check_state(inner)

    def set_state(self, state: Dict[str, Any]) -> None:
        """Continue from where `get_state` was called, on a schedule built alike.

        A plain generator inside it can only be run forward to that place, so it has
        to be fresh. ValueError, with nothing changed, for the state of another schedule.

        state: of `get_state`.

        >>> rates = decaying(0.1, 1.0)
        >>> first, second = next(rates), next(rates)
        >>> resumed = decaying(0.1, 1.0)
        >>> resumed.set_state(rates.get_state())
        >>> next(resumed) == next(rates)
        True
        """
        self.check_state(state)
        self._position = state["position"]
        self._memory = None
        if "state" in state:
            self._attrs["state"] = dict(state["state"])
        for name, inner_state in state.get("inner", {}).items():
            self._attrs[name].set_state(inner_state)


def from_iterable(name: str, values: Iterable[OutT]) -> Schedule[OutT]:
    """Any iterable as a Schedule; a Schedule is returned as it is.

    next() ends where the iterable ends. Called with a step, the last value is
    repeated from there on; the step may not decrease, unless it is a list or tuple.
    """
    if isinstance(values, Schedule):
        return values
    made: Schedule[OutT] = Schedule(name, _item_at, attrs={"values": values})
    made._iterate = _next_item
    return made


# The memory of such a schedule: [iterator, number of items read, last item].


def _item_at(schedule: Schedule[OutT], step: int, **extra: Any) -> OutT:
    values = schedule.attrs["values"]
    if isinstance(values, (list, tuple)):
        return values[min(step, len(values) - 1)]
    if schedule._memory is None:
        schedule._memory = [iter(values), 0, None]
    memory = schedule._memory
    if step < memory[1] - 1:
        raise ValueError(
            f"{schedule.name}: the step must not decrease, as the values come from a "
            f"generator that is at step {memory[1] - 1} already; got step {step}"
        )
    while memory[1] <= step:
        try:
            memory[2] = next(memory[0])
        except StopIteration:
            if memory[1] == 0:
                raise ValueError(f"{schedule.name}: expected at least one value, got none") from None
            break
        memory[1] += 1
    return memory[2]


def _next_item(schedule: Schedule[OutT], step: int, again: bool, extra: Dict[str, Any]) -> OutT:
    if schedule._memory is None:
        schedule._memory = [iter(schedule.attrs["values"]), 0, None]
    memory = schedule._memory
    while memory[1] <= step:  # more than one only after set_state()
        memory[2] = next(memory[0])
        memory[1] += 1
    return memory[2]


@registry.schedules("constant_then.v1")
def constant_then(rate: float, steps: int, schedule: Iterable[float]) -> Schedule[float]:
    """`rate` for the first `steps` steps, then `schedule` (any iterable).

    With next(), the second schedule starts at its own beginning, and the whole ends
    when it ends. Called with a step, a second Schedule gets that same step, counted
    from the start of the whole; another iterable its own, counted from `steps`.

    >>> rates = constant_then(0.1, 2, decaying(0.1, 1.0))
    >>> [round(rates(step), 3) for step in range(4)]
    [0.1, 0.1, 0.033, 0.025]
    """
    made: Schedule[float] = Schedule(
        "constant_then",
        _constant_then,
        attrs={
            "rate": rate,
            "steps": steps,
            "schedule": from_iterable("constant_then", schedule),
            "offset": 0 if isinstance(schedule, Schedule) else steps,
        },
    )
    made._iterate = _next_constant_then
    return made


def _constant_then(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    if step < attrs["steps"]:
        return attrs["rate"]
    return attrs["schedule"](step - attrs["offset"], **extra)


def _next_constant_then(schedule: Schedule[float], step: int, again: bool, extra: Dict[str, Any]) -> float:
    attrs = schedule.attrs
    if step < attrs["steps"]:
        return attrs["rate"]
    inner = attrs["schedule"]
    return inner.refresh(**extra) if again else inner.advance(**extra)


@registry.schedules("constant.v1")
def constant(rate: float) -> Schedule[float]:
    """The same value at every step.

    rate: the value.

    >>> rates = constant(0.1)
    >>> [rates(step) for step in range(3)]
    [0.1, 0.1, 0.1]
    """
    return Schedule("constant", _constant, attrs={"rate": rate})


def _constant(schedule: Schedule[float], step: int, **extra: Any) -> float:
    return schedule.attrs["rate"]


@registry.schedules("decaying.v1")
def decaying(base_rate: float, decay: float, *, t: int = 0) -> Schedule[float]:
    """base_rate / (1 + decay * (t + step)).

    base_rate: at first.  decay: how fast.  t: steps that are over already.

    >>> rates = decaying(0.1, 1.0)
    >>> [round(rates(step), 3) for step in range(4)]
    [0.1, 0.05, 0.033, 0.025]
    """
    attrs = {"base_rate": base_rate, "decay": decay, "t": t}
    return Schedule("decaying", _decaying, attrs=attrs)


def _decaying(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    return attrs["base_rate"] * (1.0 / (1.0 + attrs["decay"] * (attrs["t"] + step)))


@registry.schedules("compounding.v1")
def compounding(start: float, stop: float, compound: float, *, t: float = 0.0) -> Schedule[float]:
    """start * compound ** (t + step), not beyond stop.

    With next(), the product is made one factor at a time, from `start` on: the last
    bits differ from those of the power, and `t` is not used.

    start, stop: first and last value.  compound: factor of each step.  t: steps that are over already.

    >>> sizes = compounding(4, 32, 2)
    >>> [sizes(step) for step in range(5)]
    [4.0, 8.0, 16.0, 32.0, 32.0]
    """
    attrs = {"start": start, "stop": stop, "compound": compound, "t": t}
    made: Schedule[float] = Schedule("compounding", _compounding, attrs=attrs)
    made._iterate = _next_compounding
    return made


def _compounding(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    try:
        value = attrs["start"] * attrs["compound"] ** (step + attrs["t"])
    except OverflowError:  # of the power only: the product gives inf
        value = math.copysign(math.inf, attrs["start"])
    return _not_beyond(value, attrs["start"], attrs["stop"])


def _next_compounding(schedule: Schedule[float], step: int, again: bool, extra: Dict[str, Any]) -> float:
    attrs = schedule.attrs
    at, value = schedule._memory or (0, attrs["start"])
    while at < step:  # more than one factor only after set_state()
        value *= attrs["compound"]
        at += 1
    schedule._memory = (at, value)
    return _not_beyond(value, attrs["start"], attrs["stop"])


def _not_beyond(value: float, start: float, stop: float) -> float:
    return float(max(value, stop) if start > stop else min(value, stop))


@registry.schedules("warmup_linear.v1")
def warmup_linear(initial_rate: float, warmup_steps: int, total_steps: int) -> Schedule[float]:
    """From 0 up to initial_rate in warmup_steps, then down to 0 at total_steps.

    >>> rates = warmup_linear(0.1, warmup_steps=2, total_steps=6)
    >>> [round(rates(step), 3) for step in range(7)]
    [0.0, 0.05, 0.1, 0.075, 0.05, 0.025, 0.0]
    """
    attrs = {"initial_rate": initial_rate, "warmup_steps": warmup_steps, "total_steps": total_steps}
    return Schedule("warmup_linear", _warmup_linear, attrs=attrs)


def _warmup_linear(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    warmup, total = attrs["warmup_steps"], attrs["total_steps"]
    if step < warmup:
        factor = step / max(1, warmup)
    else:
        factor = max(0.0, (total - step) / max(1.0, total - warmup))
    return factor * attrs["initial_rate"]


@registry.schedules("slanted_triangular.v1")
def slanted_triangular(
    max_rate: float, num_steps: int, *, cut_frac: float = 0.1, ratio: int = 32, decay: float = 1.0, t: float = 0.0
) -> Schedule[float]:
    """Steep rise for cut_frac of num_steps, then a slow fall.

    Howard & Ruder 2018, https://arxiv.org/abs/1801.06146. The lowest rate is
    max_rate / ratio. `decay` is not used. Raises ZeroDivisionError when a value is
    asked for and cut_frac * num_steps < 1.

    num_steps: of the whole.  t: steps that are over already.

    >>> rates = slanted_triangular(0.1, num_steps=10, cut_frac=0.2)
    >>> [round(rates(step), 3) for step in range(1, 6)]
    [0.1, 0.088, 0.076, 0.064, 0.052]
    """
    attrs = {"max_rate": max_rate, "num_steps": num_steps, "cut_frac": cut_frac, "ratio": ratio, "t": t}
    return Schedule("slanted_triangular", _slanted_triangular, attrs=attrs)


def _slanted_triangular(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    cut_frac, ratio = attrs["cut_frac"], attrs["ratio"]
    cut = int(attrs["num_steps"] * cut_frac)
    now = attrs["t"] + step + 1
    if now < cut:
        p = now / cut
    else:
        p = 1 - ((now - cut) / (cut * (1 / cut_frac - 1)))
    return attrs["max_rate"] * (1 + p * (ratio - 1)) / ratio


@registry.schedules("cyclic_triangular.v1")
def cyclic_triangular(min_lr: float, max_lr: float, period: int) -> Schedule[float]:
    """Up from min_lr to max_lr in `period` steps, down in as many, again and again.

    Smith 2017, https://arxiv.org/abs/1506.01186

    >>> rates = cyclic_triangular(0.0, 1.0, period=2)
    >>> [rates(step) for step in range(1, 7)]
    [1.0, 0.5, 0.0, 0.5, 1.0, 0.5]
    """
    attrs = {"min_lr": min_lr, "max_lr": max_lr, "period": period}
    return Schedule("cyclic_triangular", _cyclic_triangular, attrs=attrs)


def _cyclic_triangular(schedule: Schedule[float], step: int, **extra: Any) -> float:
    attrs = schedule.attrs
    low, high, period = attrs["min_lr"], attrs["max_lr"], attrs["period"]
    now = step + 1
    cycle = math.floor(1 + now / (2 * period))
    x = abs(now / period - 2 * cycle + 1)
    return low + (high - low) * max(0, 1 - x)


@registry.schedules("plateau.v1")
def plateau(max_patience: int, scale: float, schedule: Schedule[float]) -> Schedule[float]:
    """`schedule` times `scale` for each time that the score stopped rising.

    The score comes as last_score=(step, score); `Optimizer.last_score` passes it on.
    When max_patience scores in a row were not above the best one, the value is
    multiplied by `scale` once more. None or a score of the same step as before
    changes nothing. Raises ValueError if the step of a score goes back.

    >>> rates = plateau(2, 0.5, constant(1.0))
    >>> [rates(step, last_score=(step, score)) for step, score in enumerate([0.8, 0.8, 0.8, 0.8])]
    [1.0, 1.0, 0.5, 0.5]
    """
    made: Schedule[float] = Schedule(
        "plateau",
        _plateau,
        attrs={
            "max_patience": max_patience,
            "scale": scale,
            "schedule": from_iterable("plateau", schedule),
            "state": {"best_score": None, "last_score_step": None, "patience": 0, "n_plateaus": 0},
        },
    )
    made._iterate = _next_plateau
    return made


def _plateau(
    schedule: Schedule[float], step: int, *, last_score: Optional[Tuple[int, float]] = None, **extra: Any
) -> float:
    factor = _plateau_factor(schedule, last_score)
    return factor * schedule.attrs["schedule"](step, last_score=last_score, **extra)


def _next_plateau(schedule: Schedule[float], step: int, again: bool, extra: Dict[str, Any]) -> float:
    inner = schedule.attrs["schedule"]
    factor = _plateau_factor(schedule, extra.get("last_score"))
    return factor * (inner.refresh(**extra) if again else inner.advance(**extra))


def _plateau_factor(schedule: Schedule[float], last_score: Optional[Tuple[int, float]]) -> float:
    """Take note of the score, and give the factor that holds from now on."""
    attrs = schedule.attrs
    state = attrs["state"]
    if last_score is not None:
        score_step, score = last_score
        seen = state["last_score_step"]
        if state["best_score"] is None or score > state["best_score"]:
            state["best_score"] = score
            state["patience"] = 0
        elif score_step < seen:
            raise ValueError(f"plateau: Expected score with step >= {seen}, got {score_step}")
        elif score_step > seen:
            state["patience"] += 1
            if state["patience"] == attrs["max_patience"]:
                state["n_plateaus"] += 1
                state["patience"] = 0
        state["last_score_step"] = score_step
    return attrs["scale"] ** state["n_plateaus"]
