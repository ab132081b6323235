"""Checks for your own layers: is the gradient the derivative of the output?

model = chain(Maxout(nO=5, nP=2), my_layer()).initialize(X=X)
check_gradients(model, X)
"""

import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, List, Optional, Tuple

import numpy

from .model import Model
from .types import ArgsKwargs, Padded, Pairs, Ragged
from .util import get_array_module, is_xp_array, to_numpy

__all__ = ["check_gradients"]


def check_gradients(
    model: Model,
    X: Any,
    *,
    dY: Any = None,
    h: float = 1e-5,
    tolerance: float = 1e-6,
    seed: int = 0,
    constants: Collection[str] = (),
) -> None:
    """Compare the gradients of a layer with finite differences.

    model: an initialized model; it is run in training mode.
    X: a batch: arrays, Ragged, Padded, Pairs, ArgsKwargs, or lists, tuples and dicts of
        them. Arrays of integers have no gradient: then only the parameters are checked.
    dY: the gradient of the output; drawn at random if left out.
    h: length of a step to either side. Inputs must be farther than that from kinks,
        such as the 0 of relu.
    tolerance: relative error that is allowed.
    seed: of the directions, and of numpy.random before each run, so that dropout takes
        the same mask each time.
    constants: names of parameters that are never trained, such as the initial state
        "HC0" of an LSTM. Any other without a gradient counts as one with gradient 0.

    Everything is done in float64, one random direction v for the input and one for each
    parameter:

        <dY, f(x + h v) - f(x - h v)> / (2 h)  =  <backprop(dY), v>

    so the cost does not grow with the size of the arrays. A layer that works in float32
    inside needs about h=1e-2 and tolerance=1e-2. Padding is not checked.

    Raises AssertionError with the name of the layer and parameter, the value expected
    and the one got. Parameters, gradients and the random state are as before after it.

    >>> def forward(model, X, is_train):
    ...     return X**2, lambda dY: X * dY  # the 2 is missing
    >>> check_gradients(Model("square", forward), numpy.ones((2, 3), dtype="f"))
    Traceback (most recent call last):
        ...
    AssertionError: check_gradients: the gradient of the input of layer 'square' is wrong. ...
    """
    # A stream of its own: with that of `seed` alone, dY could be the very numbers of X.
    rng = numpy.random.RandomState([seed, 1])
    with _float64_params(model) as params, _kept_random_state():
        leaves = [_as_float64(leaf) for leaf in _leaves(X)]

        def run(leaves: List[Any]) -> Tuple[Any, Callable]:
            random.seed(seed)
            numpy.random.seed(seed)
            return model(_rebuild(X, iter([leaf.copy() for leaf in leaves])), True)

        Y, backprop = run(leaves)
        Y_leaves = [leaf.copy() for leaf in _leaves(Y)]
        if not any(_is_float(leaf) for leaf in Y_leaves):
            raise ValueError(
                f"check_gradients: expected the output of '{model.name}' to have arrays of floats, got {type(Y)}"
            )
        if dY is None:
            d_leaves = _directions(rng, Y, Y_leaves)
        else:
            d_leaves = [_as_float64(leaf) for leaf in _leaves(dY)]
            _check_alike("dY", d_leaves, "the output", Y_leaves)

        def loss(leaves: List[Any]) -> float:
            return _dot(d_leaves, _leaves(run(leaves)[0]))

        dX = backprop(_rebuild(Y, iter([leaf.copy() for leaf in d_leaves])))
        # The gradients as they are now: the runs below add to none.
        grads = [node.get_grad(name).copy() if node.has_grad(name) else None for node, name in params]
        # Rounding: each loss is off by about eps times the sum of its terms' sizes.
        size = _dot([abs(leaf) for leaf in d_leaves], [_abs(leaf) for leaf in Y_leaves])
        noise = 20 * numpy.finfo("float64").eps * size / h
        if any(_is_float(leaf) for leaf in leaves):
            what = f"the input of layer '{model.name}'"
            dX_leaves = _leaves(dX)
            _check_alike("the gradient", dX_leaves, what, leaves)
            v = _directions(rng, X, leaves)
            up = [_moved(leaf, d, h) for leaf, d in zip(leaves, v)]
            down = [_moved(leaf, d, -h) for leaf, d in zip(leaves, v)]
            numeric = (loss(up) - loss(down)) / (2 * h)
            _compare(what, numeric, v, dX_leaves, tolerance, noise)
        for (node, name), grad in zip(params, grads):
            if name in constants:
                continue
            what = f"parameter '{name}' of layer '{node.name}'"
            param = node.get_param(name)
            if grad is None:
                grad = 0 * param
            _check_alike("the gradient", [grad], what, [param])
            (direction,) = _directions(rng, param, [param])
            node.set_param(name, _moved(param, direction, h))
            above = loss(leaves)
            node.set_param(name, _moved(param, direction, -h))
            below = loss(leaves)
            node.set_param(name, param)
            numeric = (above - below) / (2 * h)
            _compare(what, numeric, [direction], [grad], tolerance, noise)


def _compare(
    what: str, expected: float, directions: List[Any], grads: List[Any], tolerance: float, noise: float
) -> None:
    got = _dot(directions, grads)
    # The terms may cancel, their errors do not.
    size = _dot([abs(v) for v in directions], [_abs(grad) for grad in grads])
    limit = tolerance * max(abs(expected), size) + noise
    # Written so that NaN fails.
    if not abs(expected - got) <= limit:
        raise AssertionError(
            f"check_gradients: the gradient of {what} is wrong. Expected "
            f"{expected:.9g} in a random direction, by finite difference, got "
            f"{got:.9g}: off by {abs(expected - got):.3g}, where {limit:.3g} is allowed"
        )


def _check_alike(what: str, leaves: List[Any], of: str, others: List[Any]) -> None:
    """Each array of floats on the right has one of its shape on the left."""
    if len(leaves) != len(others):
        raise AssertionError(
            f"check_gradients: expected {what} for {of} to have {len(others)} arrays, got {len(leaves)}"
        )
    for leaf, other in zip(leaves, others):
        if _is_float(other) and leaf.shape != other.shape:
            raise AssertionError(
                f"check_gradients: expected {what} for {of} to have shape {other.shape}, got {leaf.shape}"
            )


@contextmanager
def _float64_params(model: Model) -> Iterator[List[Tuple[Model, str]]]:
    """All parameters in float64 and without gradients; all as before afterwards."""
    before = []
    try:
        for node in model.walk():
            for name in node.param_names:
                if node.has_param(name) and _is_float(node.get_param(name)):
                    param = node.get_param(name)
                    grad = _take_grad(node, name)
                    before.append((node, name, param, grad))
                    node.set_param(name, param.astype("float64"))
        yield [(node, name) for node, name, _, _ in before]
    finally:
        for node, name, param, grad in before:
            node.set_param(name, param)
            _take_grad(node, name)
            if grad is not None:
                node.set_grad(name, grad)


def _take_grad(node: Model, name: str) -> Optional[Any]:
    return node._params._grads.pop((node.id, name), None)


@contextmanager
def _kept_random_state() -> Iterator[None]:
    python_state = random.getstate()
    numpy_state = numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        numpy.random.set_state(numpy_state)


# -- Nested data: its arrays in a fixed order, and the same data with other arrays.


def _leaves(data: Any) -> List[Any]:
    if is_xp_array(data):
        return [data]
    if isinstance(data, Ragged):
        return [data.dataXd]
    if isinstance(data, Padded):
        return [data.data]
    if isinstance(data, Pairs):
        return _leaves(data.one) + _leaves(data.two)
    if isinstance(data, ArgsKwargs):
        return _leaves(data.args) + _leaves(data.kwargs)
    if isinstance(data, dict):
        data = data.values()
    elif not isinstance(data, (list, tuple)):
        return []
    return [leaf for item in data for leaf in _leaves(item)]


def _rebuild(data: Any, leaves: Iterator[Any]) -> Any:
    if is_xp_array(data):
        return next(leaves)
    if isinstance(data, Ragged):
        return Ragged(next(leaves), data.lengths)
    if isinstance(data, Padded):
        return Padded(next(leaves), data.size_at_t, data.lengths, data.indices)
    if isinstance(data, Pairs):
        return Pairs(_rebuild(data.one, leaves), _rebuild(data.two, leaves))
    if isinstance(data, ArgsKwargs):
        args = _rebuild(data.args, leaves)
        return ArgsKwargs(args, _rebuild(data.kwargs, leaves))
    if isinstance(data, dict):
        return {key: _rebuild(value, leaves) for key, value in data.items()}
    if isinstance(data, list):
        return [_rebuild(item, leaves) for item in data]
    if isinstance(data, tuple):
        return tuple(_rebuild(item, leaves) for item in data)
    return data


def _directions(rng: numpy.random.RandomState, data: Any, leaves: List[Any]) -> List[Any]:
    """Normal numbers for each array of floats, zeros for the others.

    In a Padded, the rows that only fill up the batch stay 0.
    """
    directions = []
    for leaf, size_at_t in zip(leaves, _sizes(data)):
        if not _is_float(leaf):
            directions.append(0.0 * leaf)
            continue
        direction = rng.normal(size=leaf.shape)
        if size_at_t is not None:
            for t, size in enumerate(to_numpy(size_at_t)):
                direction[t, size:] = 0
        directions.append(get_array_module(leaf).asarray(direction))
    return directions


def _sizes(data: Any) -> List[Any]:
    """For each array in order: size_at_t if it is that of a Padded, else None."""
    if isinstance(data, Padded):
        return [data.size_at_t]
    if isinstance(data, Pairs):
        return _sizes(data.one) + _sizes(data.two)
    if isinstance(data, ArgsKwargs):
        return _sizes(data.args) + _sizes(data.kwargs)
    if isinstance(data, dict):
        data = data.values()
    elif not isinstance(data, (list, tuple)):
        return [None] * len(_leaves(data))
    return [size for item in data for size in _sizes(item)]


def _is_float(leaf: Any) -> bool:
    return leaf.dtype.kind == "f"


def _as_float64(leaf: Any) -> Any:
    return leaf.astype("float64") if _is_float(leaf) else leaf


def _abs(leaf: Any) -> Any:
    return abs(leaf) if _is_float(leaf) else leaf


def _moved(leaf: Any, direction: Any, step: float) -> Any:
    return leaf + step * direction if _is_float(leaf) else leaf


def _dot(directions: List[Any], leaves: List[Any]) -> float:
    return sum(float((direction * leaf).sum()) for direction, leaf in zip(directions, leaves) if _is_float(leaf))
