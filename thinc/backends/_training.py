"""What optimizers and dropout need, readable."""

from typing import Any, Optional, Tuple, TypeVar

from ..types import Floats1d, FloatsXd, Shape, Xp

FloatsT = TypeVar("FloatsT", bound=Any)


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

    def update_averages(
        self, ema: FloatsT, weights: FloatsT, t: int, max_decay: float = 0.9999
    ) -> None:
        """Move a running average towards the weights, in place.

        ema -= (1 - d) * (ema - weights),  d = min((1 + t) / (10 + t), max_decay)
        """
        decay = min((1.0 + t) / (10.0 + t), max_decay)
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


def check_adam_shapes(weights: Any, *others: Any) -> None:
    """Gradient and moments have one entry for each weight."""
    for array in others:
        if array.shape != weights.shape:
            raise ValueError(
                f"arrays have incompatible shapes: {weights.shape} and {array.shape}"
            )


__all__ = ["TrainingOps", "check_adam_shapes"]
