"""Losses whose number is what their name says, for people to read: the gradient is that of `thinc.loss`.

(The number of a `CategoricalCrossentropy` is the squared length of its gradient, as the interface has it.)
"""

from typing import Any, List, Tuple

import numpy

from ..api import registry
from ..backends import get_array_ops
from ..loss import CategoricalCrossentropy, Loss, SequenceCategoricalCrossentropy
from .datasets import MISSING

SMALLEST = 1e-12  # a probability of 0 would cost infinitely much


class CrossEntropy(Loss):
    """-mean(log p[truth]) over what is known, for classes or, given lists, for sequences of them.

    The gradient to the input of the softmax: (p - truth) / N, N the examples of the batch; 0 where nothing is known.
    """

    name = "cross-entropy"

    def __init__(self) -> None:
        self.of_classes = CategoricalCrossentropy(normalize=True, missing_value=MISSING)
        self.of_sequences = SequenceCategoricalCrossentropy(normalize=True, missing_value=MISSING)

    def __call__(self, guesses: Any, truths: Any) -> Tuple[Any, float]:
        return self.get_grad(guesses, truths), self.get_loss(guesses, truths)

    def get_grad(self, guesses: Any, truths: Any) -> Any:
        inner: Any = self.of_sequences if isinstance(guesses, list) else self.of_classes
        return inner.get_grad(guesses, truths)

    def get_loss(self, guesses: Any, truths: Any) -> float:
        parts: List[Any] = guesses if isinstance(guesses, list) else [guesses]
        if not parts:
            return 0.0
        ops = get_array_ops(parts[0])
        p = ops.xp.concatenate(parts)
        y = numpy.concatenate(truths) if isinstance(guesses, list) else numpy.asarray(truths)
        rows = numpy.flatnonzero(y != MISSING)
        if not len(rows):
            return 0.0
        picked = p[ops.xp.asarray(rows), ops.xp.asarray(y[rows])]
        return -float(ops.xp.log(ops.xp.maximum(picked, SMALLEST)).mean())


class BinaryCrossEntropy(Loss):
    """-mean(y log p + (1 - y) log(1 - p)) over labels that each may hold or not.

    The gradient to the input of the sigmoid: (p - y) / N, N the examples of the batch.
    """

    name = "binary cross-entropy"

    def __call__(self, guesses: Any, truths: Any) -> Tuple[Any, float]:
        return self.get_grad(guesses, truths), self.get_loss(guesses, truths)

    def get_grad(self, guesses: Any, truths: Any) -> Any:
        return (guesses - get_array_ops(guesses).asarray(truths)) / max(len(guesses), 1)

    def get_loss(self, guesses: Any, truths: Any) -> float:
        ops = get_array_ops(guesses)
        y = ops.asarray(truths)
        p = ops.xp.clip(guesses.astype("float64"), SMALLEST, 1 - SMALLEST)
        return -float((y * ops.xp.log(p) + (1 - y) * ops.xp.log(1 - p)).mean()) if y.size else 0.0


class MeanSquaredError(Loss):
    """mean((guess - truth) ** 2), with half its gradient: (guess - truth) / N."""

    name = "mean squared error"

    def __call__(self, guesses: Any, truths: Any) -> Tuple[Any, float]:
        return self.get_grad(guesses, truths), self.get_loss(guesses, truths)

    def get_grad(self, guesses: Any, truths: Any) -> Any:
        return (guesses - get_array_ops(guesses).asarray(truths)) / max(len(guesses), 1)

    def get_loss(self, guesses: Any, truths: Any) -> float:
        difference = guesses - get_array_ops(guesses).asarray(truths)
        return float((difference**2).mean()) if difference.size else 0.0


@registry.losses("cross_entropy.v1")
def cross_entropy() -> CrossEntropy:
    return CrossEntropy()


@registry.losses("binary_cross_entropy.v1")
def binary_cross_entropy() -> BinaryCrossEntropy:
    return BinaryCrossEntropy()


@registry.losses("mean_squared_error.v1")
def mean_squared_error() -> MeanSquaredError:
    return MeanSquaredError()


def loss_name(loss: Any) -> str:
    """What the number of a loss is called.

    loss: a `Loss`.

    >>> loss_name(CategoricalCrossentropy())
    'CategoricalCrossentropy'
    """
    return getattr(loss, "name", type(loss).__name__)


__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "MeanSquaredError",
    "binary_cross_entropy",
    "cross_entropy",
    "loss_name",
    "mean_squared_error",
]
