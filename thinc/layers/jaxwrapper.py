"""Pure functions of JAX as layers.

Dimensions: B sequences, N rows of all of them, L steps of the longest, I in, O out.
"""

from typing import Any, Callable, Optional, Tuple, cast

import numpy

from ..model import Model
from ..shims import JaxShim
from ..types import ArgsKwargs, Floats2d, Ragged
from ..util import convert_recursive, is_jax_array, is_xp_array, jax2xp, partial, xp2jax
from ..util._conversions import for_jax
from ._frameworks import as_arguments, back, forward, wrapper


def JaxWrapper(
    apply_fn: Callable,
    params: Any,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    *,
    jit: bool = True,
    seed: Optional[int] = None,
) -> Model[Any, Any]:
    """Y = apply_fn(params, X); the parameters are updated by our optimizers.

    apply_fn: any pure function; it is compiled (jit) once for each combination of
        shapes. params: its parameters, any pytree.
    convert_inputs: (model, X, is_train) -> (ArgsKwargs of arrays, callback from their
        gradients to that of X). By default a list or tuple is passed as several
        arguments, a dict as keywords.
    convert_outputs: (model, (X, Y of JAX), is_train) -> (Y, callback from dY to JAX's).
    seed: if given, apply_fn gets a keyword `rng`, a new random key at each training
        step and None in prediction.

    >>> import jax.numpy as jnp
    >>> def dense(params, X):
    ...     return jnp.tanh(X @ params["W"] + params["b"])
    >>> params = {"W": numpy.ones((3, 4), dtype="f"), "b": numpy.zeros(4, dtype="f")}
    >>> JaxWrapper(dense, params).predict(numpy.ones((5, 3), dtype="f")).shape
    (5, 4)
    """
    return wrapper(
        "jax",
        forward,
        JaxShim(apply_fn, params=params, jit=jit, seed=seed),
        convert_inputs or convert_jax_default_inputs,
        convert_outputs or convert_jax_default_outputs,
    )


def JaxRaggedWrapper(
    apply_fn: Callable, params: Any, *, jit: bool = True, seed: Optional[int] = None, smallest_bucket: int = 8
) -> Model[Ragged, Ragged]:
    """Y = apply_fn(params, X, mask) over sequences.  Ragged (N, I) -> Ragged (N, O).

    apply_fn gets X (B, L, I), padded with zeros, and mask (B, L), which is True where
    there is a step; it returns (B, L, O). B and L are rounded up to powers of two, so
    that few shapes have to be compiled; L is at least `smallest_bucket`.

    params, jit, seed: as in `JaxWrapper`.

    >>> import jax.numpy as jnp
    >>> def less_its_mean(params, X, mask):
    ...     steps = mask[..., None]
    ...     return X - (X * steps).sum(1, keepdims=True) / steps.sum(1, keepdims=True).clip(1)
    >>> X = Ragged(numpy.array([[1], [3], [5]], dtype="f"), [2, 1])
    >>> JaxRaggedWrapper(less_its_mean, {}).predict(X).data.ravel()
    array([-1.,  1.,  0.], dtype=float32)
    """
    return cast(
        Model[Ragged, Ragged],
        JaxWrapper(
            apply_fn,
            params,
            partial(convert_jax_ragged_inputs, smallest_bucket),
            convert_jax_ragged_outputs,
            jit=jit,
            seed=seed,
        ),
    )


# Default conversions


def convert_jax_default_inputs(model: Model, X: Any, is_train: bool) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Any]]:
    """Arrays for JAX, arranged as the arguments of the function."""
    return as_arguments(X, partial(_to_jax, is_train), back(is_jax_array, jax2xp, model))


def _to_jax(is_train: bool, array: Any) -> Any:
    if not isinstance(array, numpy.ndarray):
        return xp2jax(array)
    # A prediction has read the array when it returns. What training keeps for the
    # backward pass must not change when the caller uses the array for something else.
    readable = for_jax(array)
    return readable.copy() if is_train and readable is array else readable


def convert_jax_default_outputs(model: Model, X_Yjax: Any, is_train: bool) -> Tuple[Any, Callable[[Any], Any]]:
    """Arrays of the model's ops, in the structure the function gave them."""
    _, Yjax = X_Yjax

    def get_d_output(dY: Any) -> Any:
        return convert_recursive(is_xp_array, xp2jax, dY)

    return back(is_jax_array, jax2xp, model)(Yjax), get_d_output


# Sequences


def bucket_size(size: int, smallest: int = 1) -> int:
    """The next power of two, at least `smallest`."""
    return max(smallest, 1 << max(0, int(size) - 1).bit_length())


def convert_jax_ragged_inputs(
    smallest_bucket: int, model: Model, Xr: Ragged, is_train: bool
) -> Tuple[ArgsKwargs, Callable[[ArgsKwargs], Ragged]]:
    """Ragged to the arguments X (B, L, I) and mask (B, L), both padded to buckets."""
    ops = model.ops
    mask = _mask(Xr, smallest_bucket)
    data = cast(Floats2d, ops.to_numpy(Xr.dataXd))
    X = numpy.zeros((*mask.shape, data.shape[1]), dtype=data.dtype)
    X[mask] = data

    def get_dX(grads: ArgsKwargs) -> Ragged:
        dX = numpy.asarray(grads.args[0])[mask]
        return Xr.with_data(ops.asarray(dX))

    return ArgsKwargs(args=(for_jax(X), mask), kwargs={}), get_dX


def _mask(Xr: Ragged, smallest_bucket: int) -> numpy.ndarray:
    lengths = numpy.asarray(Xr.lengths.tolist(), dtype="int64")
    B, longest = len(lengths), int(lengths.max()) if len(lengths) else 0
    width = bucket_size(longest, smallest_bucket)
    mask = numpy.zeros((bucket_size(B), width), dtype=bool)
    mask[:B] = numpy.arange(width) < lengths[:, None]
    return mask


def convert_jax_ragged_outputs(model: Model, X_Yjax: Any, is_train: bool) -> Tuple[Any, Callable[[Any], Any]]:
    """(B, L, O) to Ragged, without what was padded."""
    Xr, Yjax = X_Yjax
    padded = numpy.asarray(Yjax)
    lengths = numpy.asarray(Xr.lengths.tolist(), dtype="int64")
    mask = numpy.zeros(padded.shape[:2], dtype=bool)
    mask[: len(lengths)] = numpy.arange(padded.shape[1]) < lengths[:, None]

    def get_d_output(dYr: Ragged) -> Any:
        dY = numpy.zeros(padded.shape, dtype=padded.dtype)
        dY[mask] = model.ops.to_numpy(dYr.dataXd)
        return dY

    rows: Any = padded[mask]
    return Xr.with_data(model.ops.asarray(rows)), get_d_output


__all__ = [
    "JaxRaggedWrapper",
    "JaxWrapper",
    "bucket_size",
    "convert_jax_default_inputs",
    "convert_jax_default_outputs",
    "convert_jax_ragged_inputs",
    "convert_jax_ragged_outputs",
    "forward",
]
