"""`JaxShim`: a pure function of JAX with its parameters as part of a model."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy

from .. import compat
from ..optimizers import Optimizer
from ..types import ArgsKwargs, ArrayXd
from ..util import assert_jax_installed, jax2xp, unpack, xp2jax
from .shim import Shim


class JaxShim(Shim):
    """Runs, updates, moves and saves `model(params, *args, **kwargs)`.

    params: a pytree of arrays. Our optimizers see each array of floats in it under the
        key (id, path), its path being that of jax.tree_util.keystr: "['dense']['W']".
    jit: compile the function, once for each combination of shapes it is called with.
    seed: if given, the function gets a keyword `rng`: a new key at each training step,
        None in prediction.

    model: the function.  config, optimizer: kept, not used.

    >>> import jax
    >>> shim = JaxShim(lambda params, X: X * params["scale"], params={"scale": numpy.full(1, 3.0, dtype="f")})
    >>> shim.predict(ArgsKwargs(args=(numpy.ones(2, dtype="f"),), kwargs={}))
    Array([3., 3.], dtype=float32)
    """

    def __init__(
        self,
        model: Callable,
        config: Any = None,
        optimizer: Any = None,
        params: Any = None,
        jit: bool = True,
        seed: Optional[int] = None,
    ) -> None:
        assert_jax_installed()
        super().__init__(model, config, optimizer)
        jax = compat.jax
        leaves, self._tree = jax.tree_util.tree_flatten_with_path(params)
        self._names = [jax.tree_util.keystr(path) for path, _ in leaves]
        self._leaves: List[Any] = [jax.numpy.asarray(leaf) for _, leaf in leaves]
        self._grads: Optional[List[Any]] = None
        self._jit = jit
        self._rng = None if seed is None else jax.random.PRNGKey(seed)
        self._predict, self._vjp, self._backprop = self._compile()

    def _compile(self) -> Tuple[Callable, Callable, Callable]:
        jax = compat.jax
        function, tree = self._model, self._tree

        def run(leaves: List[Any], args: Tuple, kwargs: Dict, rng: Dict) -> Any:
            params = jax.tree_util.tree_unflatten(tree, leaves)
            return function(params, *args, **kwargs, **rng)

        # The random key is no argument of the derivative.
        def run_vjp(leaves: List[Any], args: Tuple, kwargs: Dict, rng: Dict) -> Any:
            return jax.vjp(lambda p, a, k: run(p, a, k, rng), leaves, args, kwargs)

        def backprop(vjp: Callable, d_output: Any) -> Any:
            return vjp(d_output)

        if not self._jit:
            return run, run_vjp, backprop
        # The callback of vjp is itself a tree of arrays, so that both can be compiled.
        return jax.jit(run), jax.jit(run_vjp), jax.jit(backprop)

    @property
    def params(self) -> Any:
        """The parameters, in the structure in which they were given."""
        return compat.jax.tree_util.tree_unflatten(self._tree, self._leaves)

    def __call__(self, inputs: Any, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        if is_train:
            return self.begin_update(inputs)
        return self.predict(inputs), _no_backprop

    def predict(self, inputs: ArgsKwargs) -> Any:
        """The function's output."""
        rng = {} if self._rng is None else {"rng": None}
        return self._predict(self._leaves, inputs.args, inputs.kwargs, rng)

    def begin_update(self, inputs: ArgsKwargs) -> Tuple[Any, Callable[..., Any]]:
        """The output, and a callback from its gradient to the inputs': `ArgsKwargs`,
        with None for what has no gradient."""
        rng = {}
        if self._rng is not None:
            self._rng, key = compat.jax.random.split(self._rng)
            rng = {"rng": key}
        output, vjp = self._vjp(self._leaves, inputs.args, inputs.kwargs, rng)

        def backprop(d_output: Any) -> ArgsKwargs:
            d_leaves, d_args, d_kwargs = self._backprop(vjp, _complete(output, d_output))
            if self._grads is None:
                self._grads = list(d_leaves)
            else:
                self._grads = [new if _is_empty(new) else old + new for old, new in zip(self._grads, d_leaves)]
            tree_map = compat.jax.tree_util.tree_map
            return ArgsKwargs(args=tree_map(_or_none, d_args), kwargs=tree_map(_or_none, d_kwargs))

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Hand each array of floats to our optimizer, key (id, path)."""
        if self._grads is None:
            return
        updated = []
        for name, leaf, grad in zip(self._names, self._leaves, self._grads):
            if not _is_empty(grad):
                values: Any = jax2xp(leaf)
                gradient: Any = jax2xp(grad)
                param, _ = optimizer((self.id, name), values, gradient)
                leaf = self._like(leaf, param)
            updated.append(leaf)
        # One assignment, so that a thread that predicts sees the old or the new ones.
        self._leaves = updated
        self._grads = None

    def _like(self, leaf: Any, value: ArrayXd) -> Any:
        new = xp2jax(value).astype(leaf.dtype).reshape(leaf.shape)
        return compat.jax.device_put(new, leaf.sharding)

    def clear_gradients(self) -> None:
        self._grads = None

    @contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """Parameters replaced for a while, keyed (id, path) or "jax_{id}_{path}"."""
        backup = self._leaves
        replaced = []
        for name, leaf in zip(self._names, backup):
            value = params.get((self.id, name), params.get(f"jax_{self.id}_{name}"))
            # Nodes and shims are counted apart: the key can be that of a node.
            fits = value is not None and tuple(value.shape) == leaf.shape
            replaced.append(self._like(leaf, value) if fits else leaf)
        self._leaves = replaced
        try:
            yield
        finally:
            self._leaves = backup

    def copy(self) -> Any:
        """A copy with an id of its own. Arrays of JAX never change: both can use them."""
        copied = type(self)(self._model, self.cfg, self._optimizer, self.params, self._jit)
        copied._rng = self._rng
        return copied

    def __deepcopy__(self, memo: Any) -> "JaxShim":
        copied = self.copy()
        copied.id = self._restored_id(memo)
        return copied

    def to_device(self, device_type: str, device_id: int) -> None:
        if device_type not in ("cpu", "gpu"):
            raise ValueError(f"Invalid device_type: {device_type}. Try 'cpu' or 'gpu'")
        number = device_id if device_type == "gpu" else 0
        device = compat.jax.devices(device_type)[number]
        self._leaves = [compat.jax.device_put(leaf, device) for leaf in self._leaves]
        self._grads = None

    def to_bytes(self) -> bytes:
        """The config and the arrays by their paths, as msgpack. Nothing is pickled, and
        the function is not part of it."""
        arrays = {name: jax2xp(leaf) for name, leaf in zip(self._names, self._leaves)}
        return compat.srsly.msgpack_dumps({"config": self.cfg, "params": arrays})

    def from_bytes(self, bytes_data: bytes) -> Any:
        """Load arrays into parameters of the same structure, else ValueError."""
        message = unpack(bytes_data, "JaxShim", "a shim as to_bytes makes it", "config", "params")
        arrays = message["params"]
        if not isinstance(arrays, dict) or set(arrays) != set(self._names):
            raise ValueError(
                f"JaxShim: the data has the parameters {sorted(map(str, arrays))}, the function {sorted(self._names)}"
            )
        leaves = []
        for name, leaf in zip(self._names, self._leaves):
            value = arrays[name]
            if not isinstance(value, numpy.ndarray) or tuple(value.shape) != leaf.shape:
                there = getattr(value, "shape", None)
                raise ValueError(f"JaxShim: parameter {name} has shape {there} in the data, {leaf.shape} here")
            leaves.append(self._like(leaf, value))
        self.cfg = message["config"]
        self._leaves = leaves
        self._grads = None
        return self


def _complete(output: Any, d_output: Any) -> Any:
    """The gradient in the structure and the dtypes of the output, zero where there is
    none."""
    jax = compat.jax
    leaves, tree = jax.tree_util.tree_flatten(output)
    grads = jax.tree_util.tree_leaves(d_output, is_leaf=lambda x: x is None)
    if len(grads) != len(leaves):
        raise ValueError(
            f"JaxWrapper: the function gave {len(leaves)} arrays, but there are "
            f"{len(grads)} gradients. Use None where there is no gradient"
        )
    complete = []
    for leaf, grad in zip(leaves, grads):
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact):
            complete.append(numpy.zeros(leaf.shape, dtype=jax.dtypes.float0))
        elif grad is None:
            complete.append(jax.numpy.zeros_like(leaf))
        else:
            complete.append(jax.numpy.asarray(grad, dtype=leaf.dtype))
    return jax.tree_util.tree_unflatten(tree, complete)


def _is_empty(grad: Any) -> bool:
    # JAX gives integers a gradient too, of a type without values.
    return grad.dtype == compat.jax.dtypes.float0


def _or_none(grad: Any) -> Any:
    return None if _is_empty(grad) else grad


def _no_backprop(grads: Any) -> Any:
    raise RuntimeError(
        "The callback of a predict call has no gradient. Use begin_update, or call the model with is_train=True"
    )


__all__ = ["JaxShim"]
