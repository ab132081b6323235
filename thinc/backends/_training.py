"""What optimizers and dropout need, readable."""

from typing import Any, List, NamedTuple, Optional, Tuple, TypeVar

from ..types import Floats1d, FloatsXd, Shape, Xp

FloatsT = TypeVar("FloatsT", bound=Any)

# How optimizer_step moves the weights; the numbers are those of updates.hh.
SGD, ADAM, MOMENTUM = 0, 1, 2


class Step(NamedTuple):
    """One update of one parameter, in numbers; bias corrections are part of the rate."""

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


# What optimizer_step takes: weights, gradient, mom1, mom2, average, step.
Update = Tuple[Any, Any, Any, Any, Any, Step]


class TrainingOps:
    """Update steps, averages, clipping, dropout masks."""

    xp: Xp

    def get_dropout_mask(self, shape: Shape, drop: Optional[float]) -> FloatsXd:
        """float32: 0 with probability drop, else 1 / (1 - drop), so that the mean is 1.

        Draws from the global random state of the array module.
        """
        if drop is None or drop <= 0:
            return self.xp.ones(shape, dtype="f")
        if drop >= 1.0:
            return self.xp.zeros(shape, dtype="f")
        coinflips = self.xp.random.uniform(0.0, 1.0, shape)
        return self.xp.asarray((coinflips >= drop) / (1.0 - drop), dtype="f")

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
        """
        check_adam_shapes(weights, gradient, mom1, mom2)
        w: Any = weights
        mom1 *= beta1
        mom1 += (1.0 - beta1) * gradient
        mom2 *= beta2
        mom2 += (1.0 - beta2) * gradient * gradient
        w -= learn_rate * (mom1 / (mod_rate * self.xp.sqrt(mom2) + eps))
        return weights, gradient, mom1, mom2

    def optimizer_step(self, weights: Any, gradient: Any, mom1: Any, mom2: Any, average: Any, step: Step) -> None:
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
        """
        check_adam_shapes(weights, gradient)
        kind, grad_clip, L2, learn_rate, beta1, beta2, eps, weight_decay, rest, lazy = step
        if lazy and weights.ndim == 2:
            return self._step_of_rows([weights, gradient, mom1, mom2, average], step)
        w, g = weights, gradient
        if L2:
            g += L2 * w
        if grad_clip:
            self.clip_gradient(g, grad_clip)
        if kind == SGD:
            w -= learn_rate * g
        else:
            m, v = mom1.reshape(w.shape), mom2.reshape(w.shape)
            m *= beta1
            m += (1.0 - beta1) * g
            v *= beta2
            v += (1.0 - beta2) * g * g
            w -= learn_rate * (m / (self.xp.sqrt(v) + eps) if kind == ADAM else m)
        if weight_decay:
            w -= weight_decay * w
        if average is not None:
            average -= rest * (average - w)
        g.fill(0)

    def _step_of_rows(self, arrays: List[Any], step: Step) -> None:
        chosen = (arrays[1] != 0).any(axis=1)
        wholes = [a if a is None else a.reshape(arrays[0].shape) for a in arrays]
        w, g, m, v, average = parts = [a if a is None else a[chosen] for a in wholes]
        self.optimizer_step(w, g, m, v, average, Step(*step[:-1]))
        for whole, part in zip(wholes, parts):
            if whole is not None:
                whole[chosen] = part

    def optimizer_steps(self, updates: List[Update]) -> None:
        """`optimizer_step` of several parameters, of which none shares memory."""
        for update in updates:
            self.optimizer_step(*update)

    def update_averages(self, ema: FloatsT, weights: FloatsT, t: int, max_decay: float = 0.9999) -> None:
        """Move a running average towards the weights, in place.

        ema -= (1 - d) * (ema - weights),  d = min((1 + t) / (10 + t), max_decay)
        """
        decay = average_decay(t, max_decay)
        ema -= (1.0 - decay) * (ema - weights)

    def clip_gradient(self, gradient: FloatsT, threshold: float) -> FloatsT:
        """Scale the gradient, in place, to an L2 norm of at most threshold."""
        norm = float(self.xp.linalg.norm(gradient))
        if norm >= threshold and norm > 0.0:
            gradient *= threshold / norm
        return gradient

    def logloss(self, y_true: FloatsT, y_pred: FloatsT) -> float:
        """-(y log p + (1 - y) log(1 - p)), elementwise, away from log(0) by 1e-8."""
        log_yp = self.xp.log(y_pred + 1e-8)
        log_1p = self.xp.log((1.0 - y_pred) + 1e-8)
        return -(y_true * log_yp + (1.0 - y_true) * log_1p)


def average_decay(t: int, max_decay: float = 0.9999) -> float:
    """How much of a running average stays at step t: less at first."""
    return min((1.0 + t) / (10.0 + t), max_decay)


def check_adam_shapes(weights: Any, *others: Any) -> None:
    """Gradient and moments have one entry for each weight."""
    for array in others:
        if array.shape != weights.shape:
            raise ValueError(f"arrays have incompatible shapes: {weights.shape} and {array.shape}")


__all__ = ["ADAM", "MOMENTUM", "SGD", "Step", "TrainingOps", "Update", "average_decay", "check_adam_shapes"]
