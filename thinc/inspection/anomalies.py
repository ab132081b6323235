"""What numbers pass through a model, and which layer made the first that is not finite."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, List, Optional, Tuple

import numpy

from .._table import Table
from ..api import Model, Padded, Ragged
from ..backends import get_array_ops
from ..model._observe import Place, all_observed, arrays_of, observed, shape_of


@dataclass
class Numbers:
    """A batch in numbers: its shape, and of its floats the Euclidean norm, the largest size, and what is not finite."""

    shape: str
    norm: float = 0.0
    largest: float = 0.0
    nan: int = 0
    inf: int = 0

    @property
    def finite(self) -> bool:
        return not (self.nan or self.inf)

    def __str__(self) -> str:
        bad = [f"{count} {name}" for name, count in (("NaN", self.nan), ("inf", self.inf)) if count]
        return ", ".join(bad) or f"{self.norm:.4g}"


def numbers_of(X: Any) -> Numbers:
    """The numbers of all arrays of a batch together; norm and largest are of those that are finite."""
    result = Numbers(shape_of(X))
    squares = 0.0
    for array in arrays_of(X):
        values = _to_numpy(array)
        if values is None or values.dtype.kind not in "fc":
            continue
        values = values.astype("float64", copy=False)
        finite = numpy.isfinite(values)
        result.nan += int(numpy.isnan(values).sum())
        result.inf += int(numpy.isinf(values).sum())
        kept = numpy.abs(values[finite])
        squares += float((kept * kept).sum())
        result.largest = max(result.largest, float(kept.max(initial=0.0)))
    result.norm = squares**0.5
    return result


def _to_numpy(array: Any) -> Optional[numpy.ndarray]:
    if hasattr(array, "detach"):  # torch
        array = array.detach().cpu()
    try:
        return numpy.asarray(get_array_ops(array).to_numpy(array))
    except (TypeError, ValueError):
        return None


@dataclass
class LayerTrace:
    """One call of a layer: what came in and went out, forward and backward.

    path, name, depth: where it is in the tree.  X, Y, dY, dX: in numbers.  grads: of the parameters, by name.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> row = trace(Linear(2).initialize(X), X).rows[0]
    >>> row.name, round(row.X.norm, 3), sorted(row.grads)
    ('linear', 3.873, ['W', 'b'])
    """

    path: str
    name: str
    depth: int
    X: Numbers
    Y: Optional[Numbers] = None  # None: it raised
    dY: Optional[Numbers] = None  # None: no gradient came
    dX: Optional[Numbers] = None
    grads: dict = field(default_factory=dict)  # of its parameters, after its callback

    def __str__(self) -> str:
        return f"{self.path} ({self.name})"


@dataclass
class Trace:
    """What `trace` returns: a row for each call in the order of the calls; prints as a table.

    rows: one for each call.  first_bad: of them.  direction: "forward" or "backward".

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> model.layers[0].set_param("b", numpy.array([0, numpy.nan, 0, 0], dtype="f"))
    >>> found = trace(model, X)
    >>> found.first_bad.name, found.direction
    ('relu', 'forward')
    """

    rows: List[LayerTrace]
    first_bad: Optional[LayerTrace] = None  # the layer that made the first NaN or inf
    direction: str = ""  # "forward" or "backward"

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.rows)

    def _table(self) -> Table:
        head = ["layer", "X", "norm", "Y", "norm", "dY norm", "dX norm", "gradients"]
        cells = []
        for row in self.rows:
            grads = ", ".join(f"{name} {numbers}" for name, numbers in row.grads.items())
            Y = (row.Y.shape, str(row.Y)) if row.Y else ("raised", "")
            backward = [str(numbers) if numbers else "" for numbers in (row.dY, row.dX)]
            cells.append([f"{'  ' * row.depth}{row.name}", row.X.shape, str(row.X), *Y, *backward, grads])
        found = f"the first NaN or inf was made {self.direction} by {self.first_bad}"
        return Table(head, cells, found if self.first_bad else "all numbers are finite", texts=len(head))

    def __str__(self) -> str:
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def trace(model: Model, X: Any, *, dY: Any = None, backward: bool = True) -> Trace:
    """Run a batch through a model in training and back, and keep the numbers of every layer.

    dY: the gradient of the output; ones where it is not given. The gradients of the parameters are put back to what
    they were, dropout draws as in training, and an error of a layer is raised as ever.

    model: initialized.  X: a batch.  backward: whether to run the backward pass.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> found = trace(chain(Relu(4), Softmax(2)).initialize(X), X)
    >>> len(found.rows), found.first_bad is None
    (3, True)
    """
    watcher = _Tracer()
    with _kept_gradients(model), observed(model, watcher), numpy.errstate(all="ignore"):
        Y, backprop = model.begin_update(X)
        if backward:
            backprop(_ones_like(Y) if dY is None else dY)
    return Trace(watcher.rows, watcher.first_bad, watcher.direction)


@contextmanager
def detect_anomaly(model: Optional[Model] = None) -> Iterator[None]:
    """Inside the block the first layer whose output or gradient is not finite raises FloatingPointError.

    Put it around a training loop to find where a NaN comes from; it slows models down, since every array is looked
    at. Only calls of the thread that opened the block are watched.

    model: to be watched; every model where none is given.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> model.layers[1].set_param("W", numpy.full((2, 4), numpy.inf, dtype="f"))
    >>> with detect_anomaly():
    ...     Y = model.predict(X)
    Traceback (most recent call last):
        ...
    FloatingPointError: ...
    """
    if not (model is None or isinstance(model, Model)):
        raise TypeError(
            f"detect_anomaly: expected a Model, or nothing to watch all of them, got {type(model).__name__}"
        )
    tracer = _Tracer(stop=True)
    with all_observed(Model, tracer) if model is None else observed(model, tracer):
        yield


class _Tracer:
    """A watcher that keeps the numbers of each call; with `stop` none, and it raises at the first bad one."""

    def __init__(self, stop: bool = False):
        self.stop = stop
        self.rows: List[LayerTrace] = []
        self.first_bad: Optional[LayerTrace] = None
        self.direction = ""

    def __call__(self, place: Place, forward: Callable, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        row = LayerTrace(place.path, place.kind, len(place.position), numbers_of(X))
        if not self.stop:
            self.rows.append(row)
        Y, backprop = forward(X, is_train)
        row.Y = made = numbers_of(Y)
        if row.X.finite and not made.finite:
            self._found(row, "forward", made)

        def traced(dY: Any) -> Any:
            row.dY = numbers_of(dY)
            dX = backprop(dY)
            row.dX = numbers_of(dX)
            row.grads = {name: numbers_of(place.node.get_grad(name)) for name in place.node.grad_names}
            if row.dY.finite and row.X.finite and made.finite:
                for name, numbers in [("dX", row.dX), *row.grads.items()]:
                    if not numbers.finite:
                        self._found(row, "backward", numbers, f"its {name}")
            return dX

        return Y, traced

    def _found(self, row: LayerTrace, direction: str, numbers: Numbers, what: str = "its output") -> None:
        if self.first_bad is not None:
            return
        self.first_bad, self.direction = row, direction
        if self.stop:
            raise FloatingPointError(
                f"{row}: {what} holds {numbers.nan} NaN and {numbers.inf} inf, made {direction} from finite numbers: "
                f"X {row.X.shape} of at most {row.X.largest:.4g}"
                + (f", dY {row.dY.shape} of at most {row.dY.largest:.4g}" if row.dY else "")
                + ". Look at its inputs and weights, lower the learning rate or clip the gradient"
            )


@contextmanager
def _kept_gradients(model: Model) -> Iterator[None]:
    """Gradients come out of the block as they went in, those of shims excepted."""
    places = [(node, name) for node in model.walk() for name in node.param_names]
    kept = [node.get_grad(name).copy() if node.has_grad(name) else None for node, name in places]
    try:
        yield
    finally:
        for (node, name), gradient in zip(places, kept):
            if gradient is not None:
                node.set_grad(name, gradient)
            else:
                node._params._grads.pop((node.id, name), None)


def _ones_like(Y: Any) -> Any:
    """A batch of ones in the form of Y."""
    if isinstance(Y, Ragged):
        return Ragged(_ones_like(Y.dataXd), Y.lengths)
    if isinstance(Y, Padded):
        return Padded(_ones_like(Y.data), Y.size_at_t, Y.lengths, Y.indices)
    if isinstance(Y, (list, tuple)):
        return type(Y)(map(_ones_like, Y))
    return get_array_ops(Y).xp.ones_like(Y)


__all__ = ["LayerTrace", "Numbers", "Trace", "detect_anomaly", "numbers_of", "trace"]
