"""Losses: the gradient of a batch of predictions, and how large it is.

The gradients are those with respect to the input of the last activation (softmax and
sigmoid pass them back unchanged), so that no loss needs the activation's derivative.

Over 500 lines: four losses in the versions of the registry.
"""

import math
from inspect import signature
from itertools import chain
from numbers import Integral
from typing import Any, Callable, Dict, Generic, List, Optional, Sequence, Tuple, TypeVar, Union

from .backends import get_array_ops
from .backends._kernels.lists import are_alike  # type: ignore[import-not-found]  # compiled
from .backends._kernels.losses import class_ids, ids_below  # type: ignore[import-not-found]  # compiled
from .config import registry
from .types import Floats2d, Ints1d
from .util import check_smoothing, get_array_module, to_categorical
from .util._batches import batch_as_arrays

__all__ = ["CategoricalCrossentropy", "CosineDistance", "L2Distance", "Loss", "SequenceCategoricalCrossentropy"]

LossT = TypeVar("LossT")
GradT = TypeVar("GradT")
GuessT = TypeVar("GuessT")
TruthT = TypeVar("TruthT")
IntsOrFloats = Union[Ints1d, Floats2d]
IntsOrFloatsOrStrs = Union[Ints1d, Floats2d, Sequence[int], Sequence[str]]


class Loss(Generic[GuessT, TruthT, GradT, LossT]):
    """Base class: `grad, loss = loss_function(guesses, truths)`."""

    def __init__(self, **kwargs: Any) -> None: ...

    def __call__(self, guesses: GuessT, truths: TruthT) -> Tuple[GradT, LossT]:
        """The gradient with respect to the guesses, and the loss."""
        return self.get_grad(guesses, truths), self.get_loss(guesses, truths)

    # (not abstract: the interface lets a bare Loss be made, whose methods return None)
    def get_grad(self, guesses: GuessT, truths: TruthT) -> GradT:  # type: ignore[empty-body]  # (an interface)
        ...

    def get_loss(self, guesses: GuessT, truths: TruthT) -> LossT:  # type: ignore[empty-body]  # (an interface)
        ...


class _CrossEntropy(Loss):
    """What a cross-entropy is told, whatever it is of."""

    names: Optional[Sequence[str]]
    missing_value: Optional[Union[str, int]]

    def __init__(
        self,
        *,
        normalize: bool = True,
        names: Optional[Sequence[str]] = None,
        missing_value: Optional[Union[str, int]] = None,
        neg_prefix: Optional[str] = None,
        label_smoothing: float = 0.0,
    ):
        self.normalize = normalize
        self.names = names
        self.missing_value = missing_value
        self.neg_prefix = neg_prefix
        self.label_smoothing = label_smoothing
        self._prepare()

    def _prepare(self) -> None:
        """What follows from these settings."""
        raise NotImplementedError


class CategoricalCrossentropy(_CrossEntropy):
    """Cross-entropy of probabilities (N, classes), after softmax or sigmoid.

    The truths are ids (N,), probabilities (N, classes), or a list of ids or names.
    grad = (guesses - target) * mask; loss = sum(grad ** 2), a measure of the error
    that is cheap and finite, not the cross-entropy itself.

    normalize: divide the gradient by N.
    names: the classes' names, for truths that are strings.
    missing_value: a truth that says nothing; its row gets no gradient.
    neg_prefix: a name behind this prefix says "not that class": only that class gets
        a gradient, towards 0.
    label_smoothing: as in `to_categorical`; not with 2-d truths.

    >>> calculate_loss = CategoricalCrossentropy(names=["cat", "dog"])
    >>> grad, loss = calculate_loss(numpy.array([[0.75, 0.25]], dtype="f"), ["cat"])
    >>> grad, float(loss)
    (array([[-0.25,  0.25]], dtype=float32), 0.125)
    """

    _name_to_i: Dict[str, int]

    def _prepare(self) -> None:
        self._name_to_i = {} if self.names is None else {n: i for i, n in enumerate(self.names)}
        # No name could be taken for a missing or a negated one.
        prefix = self.neg_prefix
        self._names_are_plain = self.missing_value not in self._name_to_i and not (
            prefix and any(str(n).startswith(prefix) for n in self._name_to_i)
        )

    def convert_truths(self, truths: Any, guesses: Floats2d) -> Tuple[Floats2d, Floats2d]:
        """Truths of any kind -> (target, mask), both (N, classes). Inputs are kept."""
        target, mask = self._convert(*self._read(truths, guesses), guesses)
        if mask is None:
            mask = get_array_module(guesses).ones(target.shape, dtype="float32")
        return target, mask

    def _read(self, truths: Any, guesses: Floats2d) -> Tuple[Any, Any, Any]:
        """The truths as an array, the rows that are missing, and (rows, classes) of the negated, if any."""
        truths = _as_truths(truths, guesses)
        if isinstance(truths, (list, tuple)):
            return self._read_lists([truths], guesses)
        self._check_names(guesses)
        missing: Any = ()
        if self.missing_value is not None:
            labels = truths if truths.ndim == 1 else truths.argmax(axis=-1)
            missing = get_array_module(guesses).nonzero(labels == self.missing_value)[0]
        return truths, missing, None

    def _check_names(self, guesses: Any) -> None:
        if self.names and len(self.names) != guesses.shape[-1]:
            raise ValueError(
                "Cannot calculate CategoricalCrossentropy loss: expected one name for "
                f"each class, got {len(self.names)} names and guesses of shape "
                f"{guesses.shape}"
            )

    def _convert(self, truths: Any, missing: Any, negative: Any, guesses: Any) -> Tuple[Floats2d, Optional[Floats2d]]:
        """What was read -> (target, mask), with None for a mask of ones."""
        xp = get_array_module(guesses)
        target: Any
        if truths.ndim != guesses.ndim:
            _check_classes(truths, guesses.shape[-1], missing)
            target = to_categorical(truths, n_classes=guesses.shape[-1], label_smoothing=self.label_smoothing)
        elif self.label_smoothing:
            raise ValueError(
                "Label smoothing is only applied, when truths have type "
                "List[str], List[int] or Ints1d, but it seems like Floats2d "
                f"was provided. Got label_smoothing = {self.label_smoothing}"
            )
        else:
            target = truths
            if self.names and (target == -1).any():
                target = xp.where(target == -1, 0, target)
            _check_interval(target, "truth values")
        if len(missing) == 0 and negative is None:
            return target, None
        mask = xp.ones(target.shape, dtype="float32")
        mask[missing] = 0
        if negative is not None:
            rows, columns = negative
            mask[rows] = 0
            mask[rows, columns] = 1
            target[rows] = 0  # a fresh array: only lists of names have negatives
        return target, mask

    def _read_lists(self, sequences: List[Sequence[Any]], guesses: Any) -> Tuple[Any, Any, Any]:
        """The same of lists of labels, one after the other."""
        self._check_names(guesses)
        xp = get_array_module(guesses)
        ids = class_ids(sequences, self._name_to_i) if self.names and self._names_are_plain else None
        if ids is not None:
            return xp.asarray(ids), (), None
        labels = list(chain.from_iterable(sequences))
        if not self.names and set(map(type, labels)) == {int} and self.missing_value not in labels:
            return xp.array(labels, dtype="int32"), (), None
        return self._read_list(xp, labels)

    def _read_list(self, xp: Any, truths: Sequence[Any]) -> Tuple[Ints1d, List[int], Optional[Tuple[Any, Any]]]:
        """Ids (N,), the rows that are missing, and (rows, classes) of the negated."""
        prefix = self.neg_prefix
        ids = []
        missing = []
        rows = []
        columns = []
        for row, truth in enumerate(truths):
            if truth == self.missing_value:
                missing.append(row)
                truth = 0  # some id
            elif isinstance(truth, str):
                if not self.names:
                    raise ValueError(
                        "Cannot calculate loss from list of strings without names. "
                        "You can pass the names as a keyword argument when you "
                        "create the loss object, e.g. "
                        "CategoricalCrossentropy(names=['dog', 'cat'])"
                    )
                negated = bool(prefix) and truth.startswith(prefix or "")
                name = truth[len(prefix or "") :] if negated else truth
                if name not in self._name_to_i:
                    raise KeyError(
                        f"Cannot calculate loss: there is no class {name!r} (row {row})"
                        f" among the names {list(self.names)}"
                    )
                truth = self._name_to_i[name]
                if negated:
                    rows.append(row)
                    columns.append(truth)
            elif not isinstance(truth, Integral):
                raise TypeError(
                    f"Cannot calculate CategoricalCrossentropy loss: expected classes that are integers or names, got "
                    f"{truth!r} (row {row})"
                )
            ids.append(int(truth))
        negative = (xp.array(rows), xp.array(columns)) if rows else None
        return xp.array(ids, dtype="int32"), missing, negative

    def __call__(self, guesses: Floats2d, truths: IntsOrFloatsOrStrs) -> Tuple[Floats2d, float]:
        """The gradient (N, classes) and the loss."""
        d_truth = self.get_grad(guesses, truths)
        return d_truth, _sum_of_squares(d_truth)

    def get_grad(self, guesses: Floats2d, truths: IntsOrFloatsOrStrs) -> Floats2d:
        """(guesses - target) * mask, / N if normalized.

        Raises ValueError if the shapes differ or a value is not in [0, 1].
        """
        return self._gradient(guesses, self._read(truths, guesses), guesses.shape[0] if self.normalize else 1)

    def _gradient(self, guesses: Any, read: Tuple[Any, Any, Any], divisor: int) -> Any:
        """(guesses - target) * mask / divisor, of truths that were read."""
        classes, missing, negative = read
        divisor = divisor or 1
        if negative is None and guesses.ndim == 2 and guesses.dtype.kind == "f" and classes.shape == guesses.shape[:1]:
            return self._from_classes(guesses, classes, missing, 1.0 / divisor)
        _check_interval(guesses, "guesses")
        target, mask = self._convert(classes, missing, negative, guesses)
        if guesses.shape != target.shape:
            raise ValueError(
                f"Cannot calculate CategoricalCrossentropy loss: mismatched shapes: {guesses.shape} vs {target.shape}."
            )
        difference: Any = guesses - target
        if difference.dtype.kind != "f":
            difference = difference.astype("float32")
        if mask is not None:
            difference *= mask
        difference /= divisor
        return difference

    def _from_classes(self, guesses: Any, truths: Any, missing: Any, scale: float) -> Floats2d:
        """The gradient for one class a row, in one pass."""
        n_classes = guesses.shape[1]
        check_smoothing(self.label_smoothing, n_classes)
        classes = None if len(missing) else ids_below(truths, n_classes)
        if classes is None:
            _check_classes(truths, n_classes, missing)
            classes = truths.astype("int32", copy=len(missing) > 0)
            if len(missing):
                classes[missing] = -1
        ops = get_array_ops(guesses)
        try:
            return ops.backprop_cross_entropy(guesses, classes, label_smoothing=self.label_smoothing, scale=scale)
        except ValueError:
            _check_interval(guesses, "guesses")
            raise

    def get_loss(self, guesses: Floats2d, truths: IntsOrFloatsOrStrs) -> float:
        """sum(grad ** 2)"""
        return _sum_of_squares(self.get_grad(guesses, truths))


def _as_truths(truths: Any, guesses: Any) -> Any:
    """The truths; those of torch, pandas, Arrow or datasets as arrays beside the guesses."""
    if isinstance(truths, (type(guesses), list, tuple)):
        return truths
    arrays = batch_as_arrays(truths, get_array_ops(guesses))
    return truths if arrays is None else arrays


def _check_interval(values: Any, kind: str) -> None:
    if not values.size:
        return
    xp = get_array_module(values)
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and highest <= 1):
        if lowest == lowest:
            text = f"got {lowest} to {highest}"
        else:
            text = f"row {_first_row(xp.isnan(values))} is NaN"
        raise ValueError(
            f"Cannot calculate CategoricalCrossentropy loss with {kind} outside the [0,1] interval: {text}."
        )


def _check_classes(classes: Any, n_classes: int, missing: Any) -> None:
    """Of arrays of ids: TypeError for floats, IndexError for an id that names no class in a row that is not missing."""
    if classes.dtype.kind not in "iub":
        raise TypeError(
            f"Cannot calculate CategoricalCrossentropy loss: expected classes that are integers, got {classes.dtype} "
            f"of shape {classes.shape}. Probabilities have a column for each class"
        )
    outside = (classes < 0) | (classes >= n_classes)
    if len(missing):
        outside[missing] = False
    if outside.any():
        row = _first_row(outside)
        raise IndexError(
            f"Cannot calculate CategoricalCrossentropy loss: class {classes[row]} in row {row} is out of bounds for "
            f"{n_classes} classes"
        )


def _check_finite(loss: str, guesses: Any, measure: Any) -> None:
    """ValueError for guesses that are infinite or NaN; they are looked at if a sum over them is."""
    if math.isfinite(measure):
        return
    outside = ~get_array_module(guesses).isfinite(guesses)
    if outside.any():
        row = _first_row(outside)
        raise ValueError(f"Cannot calculate {loss} loss: the guesses of row {row} are not finite: {guesses[row]}")


def _first_row(found: Any) -> int:
    return int(found.reshape((len(found), -1)).any(axis=1).argmax())


def _sum_of_squares(grad: Any) -> float:
    return get_array_module(grad).vdot(grad, grad)


class SequenceCategoricalCrossentropy(_CrossEntropy):
    """`CategoricalCrossentropy` of each sequence: lists of guesses and of truths.

    normalize: divide the gradients by the number of sequences.
    The other arguments are those of `CategoricalCrossentropy`.

    names, missing_value, neg_prefix, label_smoothing: as there.

    >>> guesses = [numpy.array([[0.75, 0.25]], dtype="f"), numpy.array([[0.5, 0.5]], dtype="f")]
    >>> grads, loss = SequenceCategoricalCrossentropy(names=["N", "V"])(guesses, [["N"], ["V"]])
    >>> grads
    [array([[-0.125,  0.125]], dtype=float32), array([[ 0.25, -0.25]], dtype=float32)]
    """

    def _prepare(self) -> None:
        self.cc = CategoricalCrossentropy(**{**vars(self), "normalize": False})

    def __call__(
        self, guesses: Sequence[Floats2d], truths: Sequence[IntsOrFloatsOrStrs]
    ) -> Tuple[List[Floats2d], float]:
        """A gradient for each sequence, and the loss of all."""
        grads, parts = self._gradients(guesses, truths)
        return grads, sum((_sum_of_squares(part) for part in parts), 0.0)

    def get_grad(self, guesses: Sequence[Floats2d], truths: Sequence[IntsOrFloatsOrStrs]) -> List[Floats2d]:
        """A gradient for each sequence, divided by their number if normalized."""
        return self._gradients(guesses, truths)[0]

    def get_loss(self, guesses: Sequence[Floats2d], truths: Sequence[IntsOrFloatsOrStrs]) -> float:
        """The sum of the squared gradients."""
        return self(guesses, truths)[1]

    def _gradients(self, guesses: Sequence[Any], truths: Sequence[Any]) -> Tuple[List[Any], List[Any]]:
        """One for each sequence, and the arrays that hold them."""
        if len(guesses) != len(truths):
            raise ValueError(
                "Cannot calculate SequenceCategoricalCrossentropy loss: guesses and "
                f"truths must be same length, got {len(guesses)} and {len(truths)}"
            )
        divisor = len(guesses) if self.normalize else 1
        lengths: Any = list(map(len, guesses))
        joined = self._join(guesses, truths, lengths)
        if joined is None:
            parts = [self.cc._gradient(yh, self.cc._read(y, yh), divisor) for yh, y in zip(guesses, truths)]
            return parts, parts
        flat, read = joined
        part = self.cc._gradient(flat, read, divisor)
        return get_array_ops(part).unflatten(part, lengths), [part]

    def _join(self, guesses: Sequence[Any], truths: Sequence[Any], lengths: List[int]) -> Any:
        """The batch as one long sequence, guesses and what was read; None where the parts are not of a kind."""
        if not any(lengths) or lengths != list(map(len, truths)):
            return None
        if not are_alike(list(guesses)) and len({(yh.dtype, yh.shape[1:]) for yh in guesses}) > 1:
            return None
        ops = get_array_ops(guesses[0])
        if set(map(type, truths)) <= {list, tuple}:
            flat: Any = ops.flatten(guesses)
            return flat, self.cc._read_lists(list(truths), flat)
        if all(isinstance(y, ops.xp.ndarray) for y in truths):
            if len({(y.shape[1:], y.dtype) for y in truths}) == 1:
                flat = ops.flatten(guesses)
                classes: Any = ops.xp.concatenate(truths)
                return flat, self.cc._read(classes, flat)
        return None


class L2Distance(Loss):
    """Squared error: grad = guesses - truths, loss = sum(grad ** 2).

    normalize: divide the gradient by the number of rows (and so the loss by its
        square).

    >>> grad, loss = L2Distance()(numpy.array([[1, 2]], dtype="f"), numpy.array([[1, 4]], dtype="f"))
    >>> grad, float(loss)
    (array([[ 0., -2.]], dtype=float32), 4.0)
    """

    def __init__(self, *, normalize: bool = True):
        self.normalize = normalize

    def __call__(self, guesses: Floats2d, truths: Floats2d) -> Tuple[Floats2d, float]:
        """The gradient, in the shape of the guesses, and the loss."""
        return self._measure(guesses, truths)

    def get_grad(self, guesses: Floats2d, truths: Floats2d) -> Floats2d:
        """guesses - truths, / N if normalized.  ValueError if the shapes differ."""
        return self._measure(guesses, truths)[0]

    def get_loss(self, guesses: Floats2d, truths: Floats2d) -> float:
        """sum(grad ** 2)"""
        return self._measure(guesses, truths)[1]

    def _measure(self, guesses: Any, truths: Any) -> Tuple[Any, Any]:
        truths = _as_truths(truths, guesses)
        if guesses.shape != truths.shape:
            raise ValueError(f"Cannot calculate L2 distance: mismatched shapes: {guesses.shape} vs {truths.shape}.")
        n_rows = (len(guesses) or 1) if self.normalize else 1
        if guesses.dtype.kind != "f":
            grad = (guesses - truths) / n_rows if self.normalize else guesses - truths
            return grad, _sum_of_squares(grad)
        ops = get_array_ops(guesses)
        grad, loss = ops.l2_distance(guesses, truths, scale=1.0 / n_rows)
        _check_finite("L2Distance", guesses, loss)
        return grad, loss


class CosineDistance(Loss):
    """loss = sum(abs(1 - cos)), with the cosine of the angle between two rows.

    normalize: divide gradient and loss by the number of rows.
    ignore_zeros: rows whose truth is all 0 give neither gradient nor loss.

    >>> grad, loss = CosineDistance()(numpy.array([[1, 0]], dtype="f"), numpy.array([[0, 1]], dtype="f"))
    >>> grad.round(3), float(loss)
    (array([[ 0., -1.]], dtype=float32), 1.0)
    """

    def __init__(self, *, normalize: bool = True, ignore_zeros: bool = False):
        self.normalize = normalize
        self.ignore_zeros = ignore_zeros

    def __call__(self, guesses: Floats2d, truths: Floats2d) -> Tuple[Floats2d, float]:
        """The gradient, in the shape of the guesses, and the loss."""
        grad, cosines = self._measure(guesses, truths)
        return grad, self._loss(cosines, truths)

    def get_similarity(self, guesses: Floats2d, truths: Floats2d) -> float:
        """The cosine of each pair of rows, (N, 1)."""
        return self._measure(guesses, truths)[1].reshape((-1, 1))

    def get_grad(self, guesses: Floats2d, truths: Floats2d) -> Floats2d:
        """The gradient of -cos: cos * yh / |yh|^2 - y / (|yh| |y|)."""
        return self._measure(guesses, truths)[0]

    def get_loss(self, guesses: Floats2d, truths: Floats2d) -> float:
        """sum(abs(1 - cos)), / N if normalized."""
        return self._loss(self._measure(guesses, truths)[1], truths)

    def _measure(self, guesses: Any, truths: Any) -> Tuple[Any, Any]:
        """The gradient, and the cosines (N,)."""
        truths = _as_truths(truths, guesses)
        if guesses.shape != truths.shape:
            raise ValueError(
                f"Cannot calculate cosine similarity: mismatched shapes: {guesses.shape} vs {truths.shape}."
            )
        scale = 1.0 / (len(truths) or 1) if self.normalize else 1.0
        ops = get_array_ops(guesses)
        grad, cosines = ops.cosine_distance(guesses, truths, scale=scale)
        _check_finite("CosineDistance", guesses, cosines.sum())
        if self.ignore_zeros:
            grad[(truths == 0).all(axis=1)] = 0
        return grad, cosines

    def _loss(self, cosines: Any, truths: Any) -> float:
        losses = abs(cosines - 1)
        if self.ignore_zeros:
            losses[(truths == 0).all(axis=1)] = 0
        if self.normalize:
            losses = losses / (len(truths) or 1)
        return losses.sum()


def _registered(name: str, loss: Callable[..., LossT], settings: str) -> Callable[..., LossT]:
    """A version in the registry: a function that makes this loss of some of its settings."""
    known = signature(loss)
    taken = known.replace(
        parameters=[known.parameters[setting] for setting in settings.split()], return_annotation=loss
    )

    def configure(**settings: Any) -> LossT:
        try:
            taken.bind(**settings)
        except TypeError as error:
            raise TypeError(f"{name} {error}") from None
        return loss(**settings)

    configure.__signature__ = taken  # type: ignore[attr-defined]  # functions take any
    return registry.losses(name)(configure)


_NAMED = "normalize names missing_value"
configure_CategoricalCrossentropy_v1 = _registered("CategoricalCrossentropy.v1", CategoricalCrossentropy, _NAMED)
configure_CategoricalCrossentropy_v2 = _registered(
    "CategoricalCrossentropy.v2", CategoricalCrossentropy, _NAMED + " neg_prefix"
)
configure_CategoricalCrossentropy_v3 = _registered(
    "CategoricalCrossentropy.v3", CategoricalCrossentropy, _NAMED + " neg_prefix label_smoothing"
)
configure_SequenceCategoricalCrossentropy_v1 = _registered(
    "SequenceCategoricalCrossentropy.v1", SequenceCategoricalCrossentropy, "normalize names"
)
configure_SequenceCategoricalCrossentropy_v2 = _registered(
    "SequenceCategoricalCrossentropy.v2", SequenceCategoricalCrossentropy, "normalize names neg_prefix"
)
configure_SequenceCategoricalCrossentropy_v3 = _registered(
    "SequenceCategoricalCrossentropy.v3", SequenceCategoricalCrossentropy, _NAMED + " neg_prefix label_smoothing"
)
configure_L2Distance = _registered("L2Distance.v1", L2Distance, "normalize")
configure_CosineDistance = _registered("CosineDistance.v1", CosineDistance, "normalize ignore_zeros")
