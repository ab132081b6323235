"""SGD, Adam and RAdam, with gradient clipping, L2 and averages of the weights.

One `Optimizer` serves a whole model: its state is kept per parameter, under the key
(model id, parameter name).

Over 500 lines: three factories whose signatures the config system reads, and their one class.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache, partial
from math import sqrt
from numbers import Real
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union, cast

import numpy

from . import _identity, compat
from ._optimizer_state import SETTINGS, State, advance, check_setting
from .backends import CupyOps, Ops, get_array_ops, get_current_ops
from .backends._updates import ADAM as _ADAM
from .backends._updates import MOMENTUM as _MOMENTUM
from .backends._updates import SGD as _SGD
from .backends._updates import Step, average_decay
from .config import registry
from .schedules import Schedule
from .types import FloatsXd, Generator
from .util import write_atomically

__all__ = ["ADAM_DEFAULTS", "Adam", "Optimizer", "RAdam", "SGD", "SGD_DEFAULTS"]

KeyT = Tuple[int, str]
FloatOrSeq = Union[float, List[float], Generator, Schedule[Any]]
IntOrSeq = Union[int, List[int], Generator]

SGD_DEFAULTS: Dict[str, Union[float, bool, int]] = {"L2": 0.0, "L2_is_weight_decay": True, "grad_clip": 1.0}

ADAM_DEFAULTS: Dict[str, Union[float, bool, int]] = {
    "learn_rate": 0.001,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-08,
    "L2": 0.0,
    "grad_clip": 1.0,
    "L2_is_weight_decay": True,
}


@registry.optimizers("RAdam.v1")
def RAdam(
    learn_rate: FloatOrSeq = ADAM_DEFAULTS["learn_rate"],
    *,
    beta1: FloatOrSeq = ADAM_DEFAULTS["beta1"],
    beta2: FloatOrSeq = ADAM_DEFAULTS["beta2"],
    eps: FloatOrSeq = ADAM_DEFAULTS["eps"],
    L2: FloatOrSeq = ADAM_DEFAULTS["L2"],
    L2_is_weight_decay: bool = cast(bool, ADAM_DEFAULTS["L2_is_weight_decay"]),
    grad_clip: FloatOrSeq = ADAM_DEFAULTS["grad_clip"],
    use_averages: bool = True,
) -> "Optimizer":
    """Adam with rectified variance.  Liu et al. 2020, https://arxiv.org/abs/1908.03265

    `lr_scale` acts on the weight decay only, and the step count is one ahead.

    learn_rate, beta1, beta2, eps, L2, L2_is_weight_decay, grad_clip, use_averages: as in `Optimizer`.

    >>> optimizer = RAdam(0.01)
    >>> optimizer.learn_rate, optimizer.use_radam
    (0.01, True)
    """
    return Optimizer(
        learn_rate,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        L2_is_weight_decay=L2_is_weight_decay,
        L2=L2,
        use_averages=use_averages,
        use_radam=True,
    )


@registry.optimizers("Adam.v1")
def Adam(
    learn_rate: FloatOrSeq = ADAM_DEFAULTS["learn_rate"],
    *,
    L2: FloatOrSeq = ADAM_DEFAULTS["L2"],
    beta1: FloatOrSeq = ADAM_DEFAULTS["beta1"],
    beta2: FloatOrSeq = ADAM_DEFAULTS["beta2"],
    eps: FloatOrSeq = ADAM_DEFAULTS["eps"],
    grad_clip: FloatOrSeq = ADAM_DEFAULTS["grad_clip"],
    L2_is_weight_decay: bool = cast(bool, ADAM_DEFAULTS["L2_is_weight_decay"]),
    use_averages: bool = True,
) -> "Optimizer":
    """Adam.  Kingma & Ba 2015, https://arxiv.org/abs/1412.6980

    With L2 as weight decay it is AdamW: Loshchilov & Hutter 2019,
    https://arxiv.org/abs/1711.05101

    learn_rate, beta1, beta2, eps, L2, L2_is_weight_decay, grad_clip, use_averages: as in `Optimizer`.

    >>> X, Y = numpy.ones((8, 3), dtype="f"), numpy.ones((8, 1), dtype="f")
    >>> model, optimizer = Linear().initialize(X, Y), Adam(0.1)
    >>> for step in range(100):
    ...     guesses, backprop = model.begin_update(X)
    ...     dX = backprop(guesses - Y)
    ...     model.finish_update(optimizer)
    >>> float(abs(model.predict(X) - Y).max()) < 0.05
    True
    """
    return Optimizer(
        learn_rate,
        L2=L2,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        L2_is_weight_decay=L2_is_weight_decay,
        use_averages=use_averages,
        use_radam=False,
    )


@registry.optimizers("SGD.v1")
def SGD(
    learn_rate: FloatOrSeq,
    *,
    L2: FloatOrSeq = SGD_DEFAULTS["L2"],
    grad_clip: FloatOrSeq = SGD_DEFAULTS["grad_clip"],
    L2_is_weight_decay: bool = cast(bool, SGD_DEFAULTS["L2_is_weight_decay"]),
    use_averages: bool = True,
) -> "Optimizer":
    """Stochastic gradient descent: w -= learn_rate * gradient.

    learn_rate, L2, L2_is_weight_decay, grad_clip, use_averages: as in `Optimizer`.

    >>> weights, gradient = numpy.ones(2, dtype="f"), numpy.array([0.25, 0.5], dtype="f")
    >>> SGD(0.1)((1, "W"), weights, gradient)[0]
    array([0.975, 0.95 ], dtype=float32)
    """
    return Optimizer(
        learn_rate,
        L2=L2,
        grad_clip=grad_clip,
        L2_is_weight_decay=L2_is_weight_decay,
        beta1=0.0,
        beta2=0.0,
        use_averages=use_averages,
    )


# What is kept by the keys of parameters.
_KEYED = ("mom1", "mom2", "averages", "nr_update", "last_seen")


class Optimizer:
    """Updates one parameter at a time: `optimizer(key, weights, gradient)`.

    `learn_rate`, `b1`, `b2`, `eps`, `L2` and `grad_clip` are plain numbers and may be
    assigned. Each can be given as a number, a list, an iterator or a `Schedule`; then
    its first value holds at once and `step_schedules()` takes the next. After the last
    value of a list or iterator, that value stays.

    `lazy_tables` may be set to True: of a table of embeddings (a parameter named "E")
    only the rows that have a gradient are then updated. The moments and averages of the
    others wait, which gives other numbers; but most of a large table is only read.

    learn_rate: step size.  L2: of the weights, as decay of theirs or (`L2_is_weight_decay=False`) in the gradient.
    beta1, beta2: decay of the two moments; both 0 for SGD.  eps: keeps the division finite.
    grad_clip: largest norm of a gradient, 0 for none.  use_averages: keep running means of the weights, for
        `Model.use_params`.  use_radam: RAdam in place of Adam.

    >>> optimizer = Optimizer(0.1, beta1=0.0, beta2=0.0, grad_clip=0.0)
    >>> weights, gradient = numpy.ones(3, dtype="f"), numpy.array([0, 1, 2], dtype="f")
    >>> weights, gradient = optimizer((1, "W"), weights, gradient)
    >>> weights, gradient
    (array([1. , 0.9, 0.8], dtype=float32), array([0., 0., 0.], dtype=float32))
    """

    mom1: Dict[KeyT, FloatsXd]
    mom2: Dict[KeyT, FloatsXd]
    averages: Optional[Dict[KeyT, FloatsXd]]
    schedules: Dict[str, Generator]
    nr_update: Dict[KeyT, int]
    last_seen: Dict[KeyT, int]
    grad_clip: float
    learn_rate: float
    b1: float
    b2: float
    eps: float
    L2: float
    use_radam: bool
    L2_is_weight_decay: bool
    lazy_tables: bool
    _radam_buffer: List[List[Optional[float]]]

    # _radam_buffer is part of the known layout of pickles; nothing is cached in it.
    __slots__ = [
        "mom1",
        "mom2",
        "averages",
        "schedules",
        "nr_update",
        "last_seen",
        "grad_clip",
        "learn_rate",
        "b1",
        "b2",
        "eps",
        "L2",
        "use_radam",
        "L2_is_weight_decay",
        "lazy_tables",
        "_radam_buffer",
        "_step",
        "_last_score",
        "__weakref__",
    ]

    def __init__(
        self,
        learn_rate: FloatOrSeq,
        *,
        L2: FloatOrSeq = ADAM_DEFAULTS["L2"],
        beta1: FloatOrSeq = ADAM_DEFAULTS["beta1"],
        beta2: FloatOrSeq = ADAM_DEFAULTS["beta2"],
        eps: FloatOrSeq = ADAM_DEFAULTS["eps"],
        grad_clip: FloatOrSeq = ADAM_DEFAULTS["grad_clip"],
        use_averages: bool = True,
        use_radam: bool = False,
        L2_is_weight_decay: bool = True,
    ) -> None:
        """learn_rate: how far a step goes.
        L2: how strongly weights are pulled to 0, by weight decay or, with
            L2_is_weight_decay=False, through the gradient.
        beta1, beta2: decay of the first and second moment; both 0 for plain SGD.
        grad_clip: the largest norm of a gradient; 0 does not clip.
        use_averages: keep a moving average of each parameter in `averages`.
        """
        self.mom1 = {}
        self.mom2 = {}
        self.averages = {} if use_averages else None
        self.schedules = {}
        self.nr_update = defaultdict(int)
        self.last_seen = defaultdict(int)
        self._step = 0
        self._last_score: Optional[Tuple[int, float]] = None
        self._set_attr_or_schedule("grad_clip", grad_clip)
        self._set_attr_or_schedule("learn_rate", learn_rate)
        self._set_attr_or_schedule("b1", beta1)
        self._set_attr_or_schedule("b2", beta2)
        self._set_attr_or_schedule("eps", eps)
        self._set_attr_or_schedule("L2", L2)
        self.use_radam = use_radam
        self.L2_is_weight_decay = L2_is_weight_decay
        self.lazy_tables = False
        self._radam_buffer = [[None, None, None] for _ in range(10)]

    def _set_attr_or_schedule(self, name: str, value: Any) -> None:
        if isinstance(value, numpy.number):
            value = value.item()
        if isinstance(value, (float, bool, int)):
            setattr(self, name, check_setting(name, value))
            return
        schedule: Any = iter(value) if isinstance(value, list) else value
        try:
            first = next(schedule)
        except (StopIteration, TypeError) as error:
            raise ValueError(
                f"Invalid schedule for '{SETTINGS[name][0]}' ({type(value)}): expected "
                "a number, a list of numbers, an iterator or a Schedule with at least "
                f"one value. {error}"
            ) from error
        self.schedules[name] = schedule
        setattr(self, name, check_setting(name, first))

    # ------------------------------------------------------------------- schedules

    def step_schedules(self) -> None:
        """Take the next value of each schedule; call it once per batch.

        >>> optimizer = Adam(decaying(0.1, 1.0))
        >>> optimizer.learn_rate
        0.1
        >>> optimizer.step_schedules()
        >>> optimizer.learn_rate
        0.05
        """
        values: Dict[str, Any] = {}
        for name, schedule in self.schedules.items():
            try:
                if isinstance(schedule, Schedule):
                    value = schedule.advance(last_score=self._last_score)
                else:
                    value = next(schedule)
            except StopIteration:
                continue  # the last value stays
            values[name] = check_setting(name, value)
        self._assign(values)
        self._step += 1

    def _assign(self, values: Dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def step(self) -> int:
        """How often step_schedules() was called.

        >>> optimizer = Adam(decaying(0.1, 1.0))
        >>> optimizer.step_schedules()
        >>> optimizer.step
        1
        """
        return self._step

    @property
    def last_score(self) -> Optional[Tuple[int, float]]:
        """The step at which a score was last assigned, and that score.

        Assign a score (higher is better) after each evaluation: schedules such as
        `plateau` react to it, at once.

        >>> optimizer = Adam(plateau(1, 0.5, constant(0.1)))
        >>> for score in (0.8, 0.8):
        ...     optimizer.step_schedules()
        ...     optimizer.last_score = score
        >>> optimizer.learn_rate
        0.05
        """
        return self._last_score

    @last_score.setter
    def last_score(self, score: float) -> None:
        last_score = (self._step, score)
        self._assign(
            {
                name: check_setting(name, schedule.refresh(last_score=last_score))
                for name, schedule in self.schedules.items()
                if isinstance(schedule, Schedule)
            }
        )
        self._last_score = last_score

    # --------------------------------------------------------------------- updates

    def __call__(
        self, key: KeyT, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> Tuple[FloatsXd, FloatsXd]:
        """Update the weights in place, and set the gradient to 0.

        key: the parameter, under which its moments and average are kept.
        Returns (weights, gradient). Arrays without elements are left alone.
        """
        self._update(_backend_of(weights), [(key, weights, gradient)], lr_scale)
        return weights, gradient

    def _update(self, ops: Ops, parameters: List[Tuple[KeyT, FloatsXd, FloatsXd]], lr_scale: float = 1.0) -> None:
        """A step of each parameter of a backend; nothing moves if one cannot."""
        step_of = self._step_of if lr_scale == 1.0 else partial(self._step_of, lr_scale=lr_scale)
        # (pickles of earlier releases lack the setting)
        lazy_name = "E" if getattr(self, "lazy_tables", False) else None
        ops.update_all(parameters, self.mom1, self.mom2, self.averages, self.nr_update, step_of, lazy_name)

    def update_all(self, parameters: List[Tuple[KeyT, FloatsXd, FloatsXd]]) -> List[FloatsXd]:
        """Update many parameters at once: (key, weights, gradient) of each.

        The same as calling the optimizer for each of them, in one call of the backend.
        Returns the weights, other arrays where a subclass makes such in `__call__`.

        parameters: these triples.

        >>> W, b = numpy.ones(2, dtype="f"), numpy.zeros(1, dtype="f")
        >>> updated = SGD(0.1).update_all([((1, "W"), W, W / 2), ((1, "b"), b, b + 1)])
        >>> W, b
        (array([0.95, 0.95], dtype=float32), array([-0.1], dtype=float32))
        """
        if type(self).__call__ is not Optimizer.__call__:
            return [self(*parameter)[0] for parameter in parameters]
        for ops, group in _by_backend(parameters):
            self._update(ops, group)
        return [weights for _, weights, _ in parameters]

    def _step_of(self, nr_update: int, lr_scale: float = 1.0) -> Step:
        """The numbers of this update of a parameter.  ValueError if one was assigned that is out of its range."""
        numbers = (lr_scale, self.learn_rate, self.b1, self.b2, self.eps, self.L2, self.grad_clip)
        try:
            return _steps(numbers, self.L2_is_weight_decay, self.use_radam)(nr_update)
        except TypeError:  # what has no hash, such as an array without axes
            return _steps(tuple(map(float, numbers)), self.L2_is_weight_decay, self.use_radam)(nr_update)

    # ----------------------------------------------------------------- moving, state

    def to_gpu(self, gpu_id: int = 0) -> None:
        """Move the moments and averages to a GPU, as `Model.to_gpu` does the model.

        gpu_id: which one.

        >>> import cupy
        >>> Adam(0.1).to_gpu()
        """
        compat.require_cupy("Optimizer.to_gpu")
        self._map_arrays(CupyOps(device_id=gpu_id).asarray)

    def to_cpu(self) -> None:
        """Move the moments and averages to the CPU.

        >>> Adam(0.1).to_cpu()
        """
        self._map_arrays(lambda array: get_array_ops(array).to_numpy(array))

    def _map_arrays(self, convert: Callable[[Any], Any]) -> None:
        for arrays in (self.mom1, self.mom2, self.averages):
            if arrays is not None:
                for key, array in arrays.items():
                    arrays[key] = convert(array)

    def __getstate__(self) -> Tuple[None, Dict[str, Any]]:
        state = {name: getattr(self, name) for name in self.__slots__ if name[:2] != "__" and hasattr(self, name)}
        for name in _KEYED:
            if state[name] is not None:
                state[name] = [(_as_identity(key), value) for key, value in state[name].items()]
        return None, state

    def __setstate__(self, state: Tuple[None, Dict[str, Any]]) -> None:
        for name, value in state[1].items():
            if name in _KEYED and value is not None:
                items = value.items() if isinstance(value, dict) else value  # (a dict in pickles of earlier releases)
                kept = {self._followed(key): item for key, item in items}
                value = defaultdict(int, kept) if name in ("nr_update", "last_seen") else kept
            setattr(self, name, value)

    def _followed(self, key: Any) -> Any:
        """A key whose number is that of the nodes that are or will be restored beside this optimizer."""
        if isinstance(key, tuple) and key and isinstance(key[0], (int, _identity.Identity)):
            return (_identity.restored(key[0]).follow(self), *key[1:])
        return key

    def _rename(self, old: int, new: int) -> None:
        for name in _KEYED:
            values = getattr(self, name, None) or {}
            for key in [key for key in values if isinstance(key, tuple) and key[:1] == (old,)]:
                values[(new, *key[1:])] = values.pop(key)

    def to_bytes(self) -> bytes:
        """The state of the training: moments, averages, counts, numbers, schedules.

        The settings (which schedules there are, use_radam, ...) are not in it: it is
        loaded into an optimizer that was made with the same arguments.

        >>> Adam(0.1).from_bytes(Adam(0.1).to_bytes()).learn_rate
        0.1
        """
        schedules = {
            name: schedule.get_state() if isinstance(schedule, Schedule) else {}
            for name, schedule in self.schedules.items()
        }
        message = {
            "step": self._step,
            "last_score": None if self._last_score is None else [*self._last_score],
            "numbers": {name: getattr(self, name) for name in SETTINGS},
            "schedules": schedules,
            "nr_update": _to_items(self.nr_update),
            "mom1": _to_items(self.mom1, _to_little_endian),
            "mom2": _to_items(self.mom2, _to_little_endian),
            "averages": (None if self.averages is None else _to_items(self.averages, _to_little_endian)),
        }
        return compat.srsly.msgpack_dumps(message)

    def to_disk(self, path: Union[Path, str]) -> None:
        """Write `to_bytes()` to a file, which is replaced as a whole or not at all.

        path: of the file.

        >>> Adam(0.1).to_disk("optimizer.bin")
        >>> Adam(0.1).from_disk("optimizer.bin").learn_rate
        0.1
        """
        write_atomically(path, self.to_bytes())

    def from_disk(self, path: Union[Path, str], *, rename: Optional[Callable[[KeyT], KeyT]] = None) -> "Optimizer":
        """`from_bytes` of what `to_disk` wrote.

        path: of the file.  rename: as there.

        >>> optimizer = Adam(decaying(0.1, 1.0))
        >>> optimizer.to_disk("optimizer.bin")
        >>> Adam(decaying(0.1, 1.0)).from_disk("optimizer.bin").step
        0
        """
        source = Path(path) if isinstance(path, str) else path
        with source.open("rb") as file:
            return self.from_bytes(file.read(), rename=rename)

    def from_bytes(self, bytes_data: bytes, *, rename: Optional[Callable[[KeyT], KeyT]] = None) -> "Optimizer":
        """Load what `to_bytes` gave, and return self. Arrays are put on the CPU.

        rename: gives the new key for a stored one. Model ids are counted anew in each
            process; use it where the model was not built in the same order.

        A list or an iterator cannot be set back: it is run forward to the stored
        step, so give a fresh one. Raises ValueError if it is past that step already,
        if other attributes have schedules here, or for data that is no state of an
        optimizer like this one; it is then as it was.

        bytes_data: of `to_bytes`.

        >>> optimizer = Adam(decaying(0.1, 1.0))
        >>> optimizer.step_schedules()
        >>> Adam(decaying(0.1, 1.0)).from_bytes(optimizer.to_bytes()).step
        1
        """
        state = State(bytes_data, self.schedules, rename)
        state.check_against(self)
        behind = state.step - self._step
        iterators = [each for each in self.schedules.items() if not isinstance(each[1], Schedule)]
        if behind < 0 and iterators:
            raise ValueError(
                f"Optimizer.from_bytes: the iterator for '{SETTINGS[iterators[0][0]][0]}' is "
                f"at step {self._step} and cannot go back to {state.step}. "
                "Make a new optimizer, or use a Schedule"
            )
        advance([iterator for _, iterator in iterators], behind)
        for name, schedule in self.schedules.items():
            if isinstance(schedule, Schedule):
                schedule.set_state(state.schedules[name])
        self._assign(state.numbers)
        self._step = state.step
        self._last_score = state.last_score
        self.nr_update = defaultdict(int, state.nr_update)
        self.mom1, self.mom2, self.averages = state.mom1, state.mom2, state.averages
        return self


def _backend_of(array: Any) -> Ops:
    """The backend of this context if such arrays are its own, so that a registered one is asked; else theirs."""
    ops = get_current_ops()
    return ops if isinstance(array, getattr(ops.xp, "ndarray", ())) else get_array_ops(array)


def _by_backend(parameters: List[Tuple[KeyT, FloatsXd, FloatsXd]]) -> List[Tuple[Ops, List[Any]]]:
    """The parameters of each backend, all of which can be updated if they are of several."""
    for _, weights, _ in parameters:
        if type(weights) is not type(parameters[0][1]):
            break
    else:  # as nearly always
        return [(_backend_of(weights), parameters)] if parameters else []
    groups: Dict[type, Tuple[Ops, List[Any]]] = {}
    for parameter in parameters:
        ops = _backend_of(parameter[1])
        groups.setdefault(type(ops), (ops, []))[1].append(parameter)
    for ops, group in groups.values():
        ops._check_updates(group)
    return list(groups.values())


@lru_cache(maxsize=64)  # the settings are checked once, and not at each step
def _steps(settings: Tuple[float, ...], L2_is_weight_decay: bool, use_radam: bool) -> Callable[[int], Step]:
    """The steps with these settings: number of the update of a parameter -> step, with its corrections for the start.

    TypeError for what may change while it is kept here, or is no number.
    """
    if not all(isinstance(value, Real) for value in settings):
        raise TypeError("Optimizer: expected settings that are numbers")
    # float(): a numpy.float64 would turn float32 arrays into float64 ones.
    lr_scale, rate, b1, b2, eps, L2, grad_clip = map(float, settings)
    for name, value in dict(learn_rate=rate, b1=b1, b2=b2, eps=eps, L2=L2, grad_clip=grad_clip).items():
        check_setting(name, value)
    if b2 > 0.0 and b1 == 0.0 and not use_radam:
        raise NotImplementedError(
            f"Optimizer: beta1 = {b1} with beta2 = {b2} is no known method. Set "
            "both above 0 for Adam, or beta2 = 0 for SGD"
        )
    through_gradient, decay = (0.0, lr_scale * rate * L2) if L2_is_weight_decay else (L2, 0.0)
    scaled = lr_scale * rate

    def step(nr_update: int) -> Step:
        kind, learn_rate = _SGD, scaled
        if use_radam:
            kind, learn_rate = _radam_method(nr_update + 1, b1, b2, rate)
        elif b1 > 0.0 and b2 > 0.0:
            kind, learn_rate = _ADAM, scaled * (sqrt(1.0 - b2**nr_update) / (1.0 - b1**nr_update))
        rest = 1.0 - average_decay(nr_update)
        # (Step(...) itself takes 1.4 times as long)
        return Step._make((kind, grad_clip, through_gradient, learn_rate, b1, b2, eps, decay, rest, False))

    return step


def _radam_method(step: int, b1: float, b2: float, rate: float) -> Tuple[int, float]:
    """Adam, scaled by how far the variance of 1 / sqrt(v) can be trusted; the momentum
    alone as long as it cannot (rho < 5).
    """
    b2_power = b2**step
    fix1 = 1.0 - b1**step
    rho_max = 2.0 / (1.0 - b2) - 1.0
    rho = rho_max - 2.0 * step * b2_power / (1.0 - b2_power)
    if rho < 5:
        return _MOMENTUM, rate / fix1
    k = sqrt((1.0 - b2_power) * ((rho - 4.0) / (rho_max - 4.0)) * ((rho - 2.0) / rho) * (rho_max / (rho_max - 2.0)))
    return _ADAM, k * rate / fix1


def _as_identity(key: Any) -> Any:
    if isinstance(key, tuple) and key and isinstance(key[0], int):
        return (_identity.identity_of(key[0]), *key[1:])
    return key


def _to_little_endian(array: FloatsXd) -> Any:
    return get_array_ops(array).to_numpy(array, byte_order="<")


def _to_items(values: Dict[KeyT, Any], convert: Callable[[Any], Any] = lambda value: value) -> List[List[Any]]:
    return [[*key, convert(value)] for key, value in values.items()]
