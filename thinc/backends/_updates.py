"""Steps of optimizers, readable."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from ..types import Floats1d, FloatsXd, Xp
from ._arrays import ArrayOps

FloatsT = TypeVar("FloatsT", bound=Any)

# How optimizer_step moves the weights; the numbers are those of updates.hh.
SGD, ADAM, MOMENTUM = 0, 1, 2


class Step(NamedTuple):
    """One update of one parameter, in numbers; bias corrections are part of the rate.

    The kernels take them in this order (StepSetting in updates.hh), but for the last.
    """

    kind: int  # SGD, ADAM or MOMENTUM
    grad_clip: float  # 0: do not clip
    L2: float  # through the gradient
    learn_rate: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    rest: float  # how far the average goes towards the weights
    lazy: bool = False  # rows of a matrix that have no gradient are left alone


# A parameter in a model: the id of its layer, and its name.
Key = Tuple[int, str]
# What optimizer_step takes: weights, gradient, mom1, mom2, average, step.
Update = Tuple[Any, Any, Any, Any, Any, Step]


class UpdateOps(ArrayOps):
    """Steps of one parameter and of all, averages, clipping."""

    xp: Xp

    def adam(
        self,
        weights: Floats1d,
        gradient: Floats1d,
        mom1: Floats1d,
        mom2: Floats1d,
        beta1: float,
        beta2: float,
        eps: float,
        learn_rate: float,
        mod_rate: float = 1.0,
    ) -> Tuple[Floats1d, Floats1d, Floats1d, Floats1d]:
        """One step, in place; the same four arrays are returned.  Kingma & Ba 2014.

            mom1 = beta1 * mom1 + (1 - beta1) * gradient
            mom2 = beta2 * mom2 + (1 - beta2) * gradient^2
            weights -= learn_rate * mom1 / (mod_rate * sqrt(mom2) + eps)

        The correction of the start-up bias is part of the caller's learn_rate. The
        gradient is kept here; the compiled backends set it to zero.

        learn_rate, beta1, beta2, eps, mod_rate: the numbers in the formula.

        >>> ops = NumpyOps()
        >>> weights, gradient, mom1, mom2 = (ops.asarray1f([value]) for value in (1, 0.5, 0, 0))
        >>> ops.adam(weights, gradient, mom1, mom2, 0.9, 0.999, 1e-8, 0.001)[0]
        array([0.99683774], dtype=float32)
        """
        check_adam_shapes(weights, gradient, mom1, mom2)
        w: Any = weights
        mom1 *= beta1
        mom1 += (1.0 - beta1) * gradient
        mom2 *= beta2
        mom2 += (1.0 - beta2) * gradient * gradient
        w -= learn_rate * (mom1 / (mod_rate * self.xp.sqrt(mom2) + eps))
        return weights, gradient, mom1, mom2

    def optimizer_step(
        self,
        weights: FloatsXd,
        gradient: FloatsXd,
        mom1: Optional[Floats1d],
        mom2: Optional[Floats1d],
        average: Optional[FloatsXd],
        step: Step,
    ) -> None:
        """All that an update does to one parameter, in place; the gradient becomes 0.

            g = gradient + L2 w, scaled to a norm of at most grad_clip if that is not 0
            SGD:       w -= learn_rate g
            else:      m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
            ADAM:      w -= learn_rate m / (sqrt(v) + eps)
            MOMENTUM:  w -= learn_rate m
            w -= weight_decay w
            average -= rest (average - w)

        A lazy step does so with the rows that have a gradient, and leaves the others.
        weights, gradient and average (or None) have one shape; the moments are flat, and
        None for SGD.

        mom1, mom2: the moments.  step: the numbers of it.

        >>> ops = NumpyOps()
        >>> from thinc.backends._updates import SGD as kind, Step
        >>> W, dW = ops.asarray1f([1]), ops.asarray1f([0.5])
        >>> ops.optimizer_step(W, dW, None, None, None, Step(kind, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0))
        >>> W, dW
        (array([0.95], dtype=float32), array([0.], dtype=float32))
        """
        check_adam_shapes(weights, gradient, *([] if average is None else [average]))
        kind, grad_clip, L2, learn_rate, beta1, beta2, eps, weight_decay, rest, lazy = step
        if kind != SGD and (mom1 is None or mom2 is None):
            raise ValueError(f"optimizer_step: expected both moments for a step of kind {kind}, got None")
        if lazy and weights.ndim == 2:
            return self._step_of_rows([weights, gradient, mom1, mom2, average], step)
        w: Any = weights
        g: Any = gradient
        first: Any = mom1
        second: Any = mom2
        if L2:
            g += L2 * w
        if grad_clip:
            self.clip_gradient(g, grad_clip)
        if kind == SGD:
            w -= learn_rate * g
        else:
            m, v = first.reshape(w.shape), second.reshape(w.shape)
            if kind == ADAM:
                self.adam(w, g, m, v, beta1, beta2, eps, learn_rate)
            else:
                m *= beta1
                m += (1.0 - beta1) * g
                v *= beta2
                v += (1.0 - beta2) * g * g
                w -= learn_rate * m
        if weight_decay:
            w -= weight_decay * w
        if average is not None:
            average -= rest * (average - w)
        g.fill(0)

    def _step_of_rows(self, arrays: List[Any], step: Step) -> None:
        chosen = (arrays[1] != 0).any(axis=1)
        wholes = [a if a is None else a.reshape(arrays[0].shape) for a in arrays]
        parts: List[Any] = [a if a is None else a[chosen] for a in wholes]
        w, g, m, v, average = parts
        self.optimizer_step(w, g, m, v, average, Step(*step[:-1]))
        for whole, part in zip(wholes, parts):
            if whole is not None:
                whole[chosen] = part

    def update_all(
        self,
        parameters: List[Tuple[Key, Any, Any]],
        mom1: Dict[Key, Any],
        mom2: Dict[Key, Any],
        averages: Optional[Dict[Key, Any]],
        nr_update: Dict[Key, int],
        step_of: Callable[[int], Step],
        lazy_name: Optional[str] = None,
    ) -> None:
        """`optimizer_step` of many parameters, given as (key, weights, gradient), in place.

        Moments and averages are looked up by key and made where they are missing; averages may be None. nr_update
        counts the updates of a key, and step_of(number of the update) gives the numbers of it, which are made lazy for
        the parameters of that name. Parameters without elements are left alone.

        All are checked before the first one moves: ValueError for a gradient that does not fit.
        mom1, mom2: by key.  lazy_name: of the tables of which only rows
        with a gradient are updated.

        >>> from thinc.backends._updates import SGD as kind, Step
        >>> ops, step = NumpyOps(), Step(kind, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0)
        >>> W, dW = ops.asarray1f([1]), ops.asarray1f([0.5])
        >>> ops.update_all([((1, "W"), W, dW)], {}, {}, None, {(1, "W"): 0}, lambda number: step)
        >>> W
        array([0.95], dtype=float32)
        """
        self._check_updates(parameters)
        updates = []
        for key, weights, gradient in parameters:
            if gradient.size == 0:
                continue
            step = step_of(nr_update.get(key, 0) + 1)
            if key[1] == lazy_name:
                step = step._replace(lazy=True)
            if step.kind != SGD and key not in mom1:
                mom1[key], mom2[key] = (self.alloc((weights.size,), dtype=weights.dtype) for _ in range(2))
            if averages is not None and key not in averages:
                averages[key] = self.alloc(weights.shape, dtype=weights.dtype)
            moments = (None, None) if step.kind == SGD else (mom1[key], mom2[key])
            updates.append((weights, gradient, *moments, averages[key] if averages is not None else None, step))
            nr_update[key] = nr_update.get(key, 0) + 1
        self.optimizer_steps(updates)

    def _check_updates(self, parameters: List[Tuple[Key, Any, Any]]) -> None:
        """Each gradient fits its weights, and both can be changed."""
        for key, weights, gradient in parameters:
            name = key[1] if isinstance(key, tuple) else key
            given = [getattr(array, "shape", type(array).__name__) for array in (weights, gradient)]
            if given[0] != given[1]:
                raise UpdateError(key, f"{name}: arrays have incompatible shapes: {given[0]} and {given[1]}")
            for array in (weights, gradient):
                if array.dtype.kind != "f":
                    raise UpdateError(key, f"{name}: expected weights and gradient of floats, got {array.dtype}")
                if not getattr(getattr(array, "flags", None), "writeable", True):
                    raise UpdateError(key, f"{name}: an array to be updated is read-only. Pass a copy")

    def optimizer_steps(self, updates: List[Update]) -> None:
        """`optimizer_step` of several parameters, of which none shares memory.

        updates: the arguments of each.

        >>> from thinc.backends._updates import SGD as kind, Step
        >>> ops, step = NumpyOps(), Step(kind, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0)
        >>> W, dW = ops.asarray1f([1]), ops.asarray1f([0.5])
        >>> ops.optimizer_steps([(W, dW, None, None, None, step)])
        >>> W
        array([0.95], dtype=float32)
        """
        for update in updates:
            self.optimizer_step(*update)

    def update_averages(self, ema: FloatsT, weights: FloatsT, t: int, max_decay: float = 0.9999) -> None:
        """Move a running average towards the weights, in place.

        ema -= (1 - d) * (ema - weights),  d = min((1 + t) / (10 + t), max_decay)

        ema: the average.  t: the number of the step.  max_decay: the slowest.

        >>> ops = NumpyOps()
        >>> average = ops.asarray1f([0])
        >>> ops.update_averages(average, ops.asarray1f([1]), t=1)
        >>> average.round(3)
        array([0.818], dtype=float32)
        """
        decay = average_decay(t, max_decay)
        ema -= (1.0 - decay) * (ema - weights)

    def clip_gradient(self, gradient: FloatsT, threshold: float) -> FloatsT:
        """Scale the gradient, in place, to an L2 norm of at most threshold.

        >>> ops = NumpyOps()
        >>> ops.clip_gradient(ops.asarray1f([3, 4]), 1.0)
        array([0.6, 0.8], dtype=float32)
        """
        norm = float(self.xp.linalg.norm(gradient))
        if norm >= threshold and norm > 0.0:
            gradient *= threshold / norm
        return gradient


class UpdateError(ValueError):
    """What is wrong with one of many updates, and the key of that parameter."""

    def __init__(self, key: Any, message: str) -> None:
        super().__init__(message)
        self.key = key


def average_decay(t: int, max_decay: float = 0.9999) -> float:
    """How much of a running average stays at step t: less at first."""
    decay = (1.0 + t) / (10.0 + t)
    return decay if decay < max_decay else max_decay  # (min() takes as long as the rest)


def check_adam_shapes(weights: Any, *others: Any) -> None:
    """Gradient and moments have one entry for each weight."""
    for array in others:
        if array.shape != weights.shape:
            raise ValueError(f"arrays have incompatible shapes: {weights.shape} and {array.shape}")


__all__ = [
    "ADAM",
    "MOMENTUM",
    "SGD",
    "Step",
    "Update",
    "UpdateError",
    "UpdateOps",
    "average_decay",
    "check_adam_shapes",
]
