"""`MXNetShim`: a gluon block as part of a model."""

import copy
import os
import tempfile
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Tuple

from .. import compat
from ..optimizers import Optimizer
from ..types import ArgsKwargs, FloatsXd
from ..util import convert_recursive, get_array_module, is_mxnet_array, mxnet2xp, say, unpack, xp2mxnet
from .shim import Shim

if TYPE_CHECKING:
    import mxnet as mx


class MXNetShim(Shim):
    """Runs, updates, moves and saves a gluon block.

    All its parameters are one vector to our optimizers, key (id, "mxnet-shim").

    model: the block.  config, optimizer: kept, not used.

    >>> import mxnet
    >>> enable_mxnet()
    >>> block = mxnet.gluon.nn.Dense(4, in_units=3)
    >>> block.initialize()
    >>> MXNetShim(block).predict(ArgsKwargs(args=(mxnet.nd.ones((5, 3)),), kwargs={})).shape
    (5, 4)
    """

    def __call__(self, inputs: Any, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        if is_train:
            return self.begin_update(inputs)
        return self.predict(inputs), _no_backprop

    def predict(self, inputs: ArgsKwargs) -> Any:
        """The block's output in prediction mode."""
        autograd = compat.mxnet.autograd
        if autograd.is_training() or autograd.is_recording():
            with autograd.pause(train_mode=False):
                return self._model(*inputs.args, **inputs.kwargs)
        return self._model(*inputs.args, **inputs.kwargs)  # half the overhead

    def begin_update(self, inputs: ArgsKwargs) -> Tuple[Any, Callable[..., Any]]:
        """The output, and a callback that turns the `ArgsKwargs` of
        mxnet.autograd.backward into the gradients of the inputs."""
        autograd = compat.mxnet.autograd
        for parameter in self._trained():
            if parameter.grad_req == "write":  # gradients add up until the update
                parameter.grad_req = "add"
        with autograd.record(train_mode=True):
            output = self._model(*inputs.args, **inputs.kwargs)

        def backprop(grads: ArgsKwargs) -> ArgsKwargs:
            autograd.backward(*grads.args, **grads.kwargs)
            return convert_recursive(is_mxnet_array, lambda x: x.grad, inputs)

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """One call of our optimizer for the vector of all parameters."""
        parameters = self._trained()
        if not parameters:
            return
        ctx = parameters[0].list_ctx()[0]
        grads: List[Any] = [mxnet2xp(p.grad(ctx)) for p in parameters]
        updated, _ = optimizer((self.id, "mxnet-shim"), self._vector(), _concat(grads))
        self._set_vector(updated)
        for parameter in parameters:
            parameter.zero_grad()

    def clear_gradients(self) -> None:
        for parameter in self._trained():
            parameter.zero_grad()

    @contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """All parameters replaced for a while, if `params` has the vector (id,
        "mxnet-shim"), as our optimizers' averages do."""
        vector = params.get((self.id, "mxnet-shim"))
        if vector is None:
            yield
            return
        backup = self._vector()
        try:
            self._set_vector(vector)
            yield
        finally:
            try:
                self._set_vector(backup)
            finally:  # once more: the first time may have been interrupted
                self._set_vector(backup)

    def _trained(self) -> List[Any]:
        parameters = self._model.collect_params().values()
        return [p for p in parameters if p.grad_req != "null"]

    def _vector(self) -> Any:
        """A copy of the values of all trained parameters, one after another."""
        parameters = self._trained()
        ctx = parameters[0].list_ctx()[0]
        values: List[Any] = [mxnet2xp(p.data(ctx)) for p in parameters]
        return _concat(values)

    def _set_vector(self, vector: Any) -> None:
        start = 0
        for parameter in self._trained():
            ctx = parameter.list_ctx()[0]
            stop = start + prod(parameter.shape)
            part = vector[start:stop].reshape(parameter.shape)
            parameter.set_data(xp2mxnet(part).as_in_context(ctx))
            start = stop

    def copy(self, ctx: "mx.context.Context" = None) -> Any:  # type: ignore[assignment]  # the interface's signature
        """A copy with an id of its own, on another device if one is given."""
        if ctx is None:
            ctx = compat.mxnet.current_context()
        copied = copy.copy(self)
        copied.cfg = copy.deepcopy(self.cfg)
        copied._model = copy.deepcopy(self._model)
        copied._model.initialize(ctx=ctx, force_reinit=True)
        _load_parameters(copied._model, _parameter_bytes(self._model), ctx)
        return copied

    def to_device(self, device_type: str, device_id: int) -> None:
        if device_type == "cpu":
            ctx = compat.mxnet.cpu()
        elif device_type == "gpu":
            ctx = compat.mxnet.gpu(device_id)
        else:
            raise ValueError(f"Unexpected device_type: {device_type}. Try 'cpu' or 'gpu'.")
        self._model.collect_params().reset_ctx(ctx)

    def to_bytes(self) -> bytes:
        """The config and the block's parameter file, as msgpack."""
        return compat.srsly.msgpack_dumps({"config": self.cfg, "state": _parameter_bytes(self._model)})

    def from_bytes(self, bytes_data: bytes) -> Any:
        message = unpack(bytes_data, "MXNetShim", "a block as to_bytes makes it", "config", "state")
        ctx = compat.mxnet.current_context()
        before = _parameter_bytes(self._model)
        try:
            _load_parameters(self._model, message["state"], ctx)
        except Exception as error:
            _load_parameters(self._model, before, ctx)
            raise ValueError(f"MXNetShim: the block refuses the parameters ({say(error)})") from error
        self.cfg = message["config"]
        return self


def _parameter_bytes(block: Any) -> bytes:
    """MXNet writes and reads files by name only."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "parameters")
        block.save_parameters(path)
        with open(path, "rb") as file:
            return file.read()


def _load_parameters(block: Any, data: bytes, ctx: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "parameters")
        with open(path, "wb") as file:
            file.write(data)
        block.load_parameters(path, ctx=ctx)


def _concat(arrays: List[FloatsXd]) -> FloatsXd:
    xp = get_array_module(arrays[0])
    return xp.concatenate([array.ravel() for array in arrays])


def _no_backprop(grads: Any) -> Any:
    raise RuntimeError(
        "The callback of a predict call has no gradient. Use begin_update, or call the model with is_train=True"
    )


__all__ = ["MXNetShim"]
