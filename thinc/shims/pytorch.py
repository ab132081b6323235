"""`PyTorchShim`: a torch module as part of a model."""

import contextlib
import itertools
import threading
import weakref
from collections import deque
from io import BytesIO
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterator, Optional, Tuple

from .. import compat
from ..backends import CupyOps, context_pools, get_current_ops, set_gpu_allocator
from ..optimizers import Optimizer
from ..types import ArgsKwargs, FloatsXd
from ..util import (
    assert_pytorch_installed,
    convert_recursive,
    get_torch_default_device,
    iterate_recursive,
    say,
    torch2xp,
    unpack,
    xp2torch,
)
from .pytorch_grad_scaler import PyTorchGradScaler
from .shim import Shim

if TYPE_CHECKING:
    import torch


class _Mode:
    """The mode of a module, training or evaluation, which belongs to the calls that run in it.

    Calls in one mode run side by side. One in the other mode waits until they are done, and those that come later
    queue up behind it. A call inside a call of the same thread never waits.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Dict[int, int] = {}  # calls by thread
        self._queue: Deque[object] = deque()

    @contextlib.contextmanager
    def hold(self, module: Any, training: bool) -> Iterator[None]:
        thread = threading.get_ident()
        with self._changed:
            nested = thread in self._running
            if not nested and (self._queue or self._running and module.training != training):
                self._wait(module, training)
            before = module.training
            if before != training:
                module.train(training)
            self._running[thread] = self._running.get(thread, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                if nested and before != training:
                    module.train(before)
                self._running[thread] -= 1
                if not self._running[thread]:
                    del self._running[thread]
                self._changed.notify_all()

    def _wait(self, module: Any, training: bool) -> None:
        ticket = object()
        self._queue.append(ticket)
        try:
            while self._queue[0] is not ticket or self._running and module.training != training:
                self._changed.wait()
        finally:
            self._queue.remove(ticket)
            self._changed.notify_all()  # the next may be of the same mode


# By module and not by shim: two shims may wrap one module, and a shim must stay copyable.
_MODES: "weakref.WeakKeyDictionary[Any, _Mode]" = weakref.WeakKeyDictionary()
_MODES_LOCK = threading.Lock()


class PyTorchShim(Shim):
    """Runs, updates, moves and saves a torch module.

    mixed_precision: run the forward pass under autocast (CUDA).
    grad_scaler: scales the gradients of such a run; by default a PyTorchGradScaler.
    serialize_model, deserialize_model: replace saving and loading the state dict.
    model: the module.  config, optimizer: kept, not used.  device: of the module, by default the current backend's.

    >>> import torch
    >>> shim = PyTorchShim(torch.nn.Linear(3, 4))
    >>> shim.predict(ArgsKwargs(args=(torch.ones(5, 3),), kwargs={})).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        model: Any,
        config: Any = None,
        optimizer: Any = None,
        mixed_precision: bool = False,
        grad_scaler: Optional[PyTorchGradScaler] = None,
        device: Optional["torch.device"] = None,
        serialize_model: Optional[Callable[[Any], bytes]] = None,
        deserialize_model: Optional[Callable[[Any, bytes, "torch.device"], Any]] = None,
    ) -> None:
        assert_pytorch_installed()
        super().__init__(model, config, optimizer)
        device = device if device is not None else get_torch_default_device()
        if model is not None:
            model.to(device)
        self._grad_scaler = grad_scaler or PyTorchGradScaler(mixed_precision)
        self._grad_scaler.to_(device)
        self._mixed_precision = mixed_precision
        self._serialize_model = serialize_model or default_serialize_torch_model
        self._deserialize_model = deserialize_model or default_deserialize_torch_model
        if isinstance(get_current_ops(), CupyOps) and "pytorch" not in context_pools.get():
            # One pool for both: what one frees, the other can use.
            set_gpu_allocator("pytorch")
            compat.cupy.get_default_memory_pool().free_all_blocks()

    def __call__(self, inputs: Any, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        if is_train:
            return self.begin_update(inputs)
        return self.predict(inputs), _no_backprop

    @property
    def device(self) -> "torch.device":
        """Where the module's first parameter is; without any, the default device."""
        parameter = next(self._model.parameters(), None)
        return get_torch_default_device() if parameter is None else parameter.device

    def _in_mode(self, training: bool) -> Any:
        """A block in which the module is in a mode, whatever other threads do with it."""
        with _MODES_LOCK:
            mode = _MODES.get(self._model)
            if mode is None:
                mode = _MODES[self._model] = _Mode()
        return mode.hold(self._model, training)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """The module's output in evaluation mode, without gradients."""
        with self._in_mode(False), compat.torch.no_grad(), self._autocast():
            return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> Tuple[Any, Callable[..., Any]]:
        """The output, and a callback that turns the `ArgsKwargs` of
        torch.autograd.backward into the gradients of the inputs.

        RuntimeError if there is something to learn, but no output that can have a
        gradient.
        """
        with self._in_mode(True), self._autocast():
            output = self._model(*inputs.args, **inputs.kwargs)
        self._check_gradient(inputs, output)

        def backprop(grads: ArgsKwargs) -> ArgsKwargs:
            grads.kwargs["grad_tensors"] = self._grad_scaler.scale(grads.kwargs["grad_tensors"], inplace=True)
            with self._in_mode(True):  # (parts that are computed once more on the way back)
                compat.torch.autograd.backward(*grads.args, **grads.kwargs)
            parameter_grads = (p.grad for p in self._model.parameters() if p.grad is not None)
            input_grads = (x.grad for x in iterate_recursive(_is_leaf, inputs) if x.grad is not None)
            found_inf = self._grad_scaler.unscale(itertools.chain(parameter_grads, input_grads))

            def gradient(x: Any) -> Any:
                # Torch keeps gradients for leaves only, and warns if asked for others.
                grad = x.grad if x.is_leaf else None
                if grad is not None and found_inf:
                    grad.zero_()
                return grad

            return convert_recursive(_is_tensor, gradient, inputs)

        return output, backprop

    def _check_gradient(self, inputs: ArgsKwargs, output: Any) -> None:
        """RuntimeError if nothing can be learnt, although there is something to learn."""
        tensors = list(iterate_recursive(_is_tensor, output))
        if any(x.requires_grad for x in tensors):
            return
        if not tensors and compat.torch.is_grad_enabled():
            return  # in an object of the user's, into which only its converter can look
        learns = any(p.requires_grad for p in self._model.parameters())
        if not learns and not any(x.requires_grad for x in iterate_recursive(_is_tensor, inputs)):
            return  # all is frozen, on purpose
        why = (
            "the module runs inside of torch.no_grad() or inference_mode()"
            if not compat.torch.is_grad_enabled()
            else "all outputs of the module are detached"
        )
        raise RuntimeError(
            f"PyTorchWrapper: no output of {type(self._model).__name__} can have a gradient, so that nothing would be "
            f"learnt: {why}. Call begin_update outside of such a block, and do not detach; use predict where nothing "
            "is to be learnt"
        )

    def _autocast(self) -> Any:
        if not self._mixed_precision:
            return contextlib.nullcontext()
        return compat.torch.amp.autocast("cuda", enabled=True)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Hand each parameter with a gradient to our optimizer, key (id, name)."""
        for name, parameter in self._model.named_parameters():
            grad = parameter.grad
            if grad is None:
                continue
            if not self._grad_scaler.found_inf:
                param, _ = optimizer((self.id, name), _for_optimizer(parameter), _for_optimizer(grad))
                updated = xp2torch(param, device=parameter.device)
                data = parameter.data
                # Ours update in place, so that there is mostly nothing to copy. The
                # parameter keeps its own memory in any case: were it to borrow that of
                # the array, which borrows it from the parameter, a chain of owners
                # would grow with every update.
                if updated.data_ptr() != data.data_ptr():
                    data.copy_(updated)
            grad.zero_()
        self._grad_scaler.update()

    def clear_gradients(self) -> None:
        for parameter in self._model.parameters():
            parameter.grad = None

    @contextlib.contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """Parameters replaced for a while.

        Keys are (id, name), as in the averages of our optimizers, or
        "pytorch_{id}_{name}". KeyError if there is no parameter of the second kind.
        """
        replaced = self._replacements(params)
        if not replaced:
            yield
            return
        state = self._model.state_dict()
        backup = {name: state[name].clone() for name in replaced}
        try:
            _copy_into(state, replaced)
            yield
        finally:
            try:
                _copy_into(self._model.state_dict(), backup)
            finally:  # once more: the first time may have been interrupted
                _copy_into(self._model.state_dict(), backup)

    def _replacements(self, params: Dict[Any, FloatsXd]) -> Dict[str, FloatsXd]:
        prefix = f"pytorch_{self.id}_"
        replaced: Dict[str, FloatsXd] = {}
        names: Any = None
        for key, value in params.items():
            if isinstance(key, str):
                if not key.startswith(prefix):
                    continue
                name = key[len(prefix) :]
                if name not in self._model.state_dict():
                    raise KeyError(
                        f"use_params: {key!r} names no parameter of the torch module, "
                        f"which has {list(self._model.state_dict())}"
                    )
                replaced[name] = value
            elif isinstance(key, tuple) and key[0] == self.id:
                if names is None:
                    names = dict(self._model.named_parameters())
                # Nodes and shims are counted apart: the key can be that of a node.
                known = names.get(key[1])
                if known is not None and tuple(known.shape) == tuple(value.shape):
                    replaced[key[1]] = value
        return replaced

    def to_device(self, device_type: str, device_id: int) -> None:
        if device_type == "cpu":
            self._model.cpu()
        elif device_type == "gpu":
            self._model.cuda(device_id)
        else:
            raise ValueError(f"Invalid device_type: {device_type}. Try 'cpu' or 'gpu'")
        self._grad_scaler.to_(self.device)

    def to_bytes(self) -> bytes:
        """The config and the state dict, as msgpack."""
        return compat.srsly.msgpack_dumps({"config": self.cfg, "state": self._serialize_model(self._model)})

    def from_bytes(self, bytes_data: bytes) -> Any:
        device = get_torch_default_device()
        message = unpack(bytes_data, type(self).__name__, "a shim as to_bytes makes it", "config", "state")
        self._model = self._deserialize_model(self._model, message["state"], device)
        self.cfg = message["config"]
        self._grad_scaler.to_(device)
        return self


def default_serialize_torch_model(model: Any) -> bytes:
    """The module's state dict, as torch.save writes it."""
    buffer = BytesIO()
    compat.torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


def default_deserialize_torch_model(model: Any, state_bytes: bytes, device: "torch.device") -> Any:
    """Load a state dict into the module; nothing but tensors is unpickled.

    ValueError, with nothing changed, if it is not one of this module.
    """
    if model is None:
        raise ValueError(
            "PyTorchShim holds no torch module to load parameters into. Build the model "
            "first, or give a deserialize_model that makes the module"
        )
    try:
        state = compat.torch.load(BytesIO(state_bytes), map_location=device, weights_only=True)
    except Exception as error:
        raise ValueError(f"PyTorchShim: the bytes are no state dict that torch.save wrote ({say(error)})") from error
    _check_state(model, state)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if _is_tensor(tensor)}
    try:
        model.load_state_dict(state)
    except Exception as error:
        # Modules may load in ways of their own, and refuse what has the right shapes.
        with compat.torch.no_grad():
            for name, tensor in model.state_dict().items():
                if name in before:
                    tensor.copy_(before[name])
        raise ValueError(f"PyTorchShim: {type(model).__name__} refuses the state dict ({say(error)})") from error
    model.to(device)
    return model


def _check_state(model: Any, state: Any) -> None:
    """ValueError for a state dict of other shapes. (Missing and further names are the module's own business.)"""
    if not isinstance(state, dict):
        raise ValueError(f"PyTorchShim: expected a state dict, got {type(state).__name__}")
    for name, here in model.state_dict().items():
        there = state.get(name)
        lazy = not _is_tensor(here) or type(here).__name__.startswith("Uninitialized")
        if there is not None and not lazy and tuple(getattr(there, "shape", ())) != tuple(here.shape):
            raise ValueError(
                f"PyTorchShim: '{name}' has shape {tuple(getattr(there, 'shape', ()))} in the data, "
                f"{tuple(here.shape)} in {type(model).__name__}"
            )


def _copy_into(state: Dict[str, Any], values: Dict[str, Any]) -> None:
    for name, value in values.items():
        tensor = value if _is_tensor(value) else xp2torch(value)
        with compat.torch.no_grad():
            state[name].copy_(tensor.reshape(state[name].shape))


def _for_optimizer(tensor: Any) -> FloatsXd:
    """The memory of a tensor as an array; a float32 copy of what NumPy has no type for
    (bfloat16) or cannot view (sparse gradients of embeddings)."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.dtype in (compat.torch.bfloat16, compat.torch.float16):
        tensor = tensor.float()
    return torch2xp(tensor)  # type: ignore[return-value]  # parameters are floats


def _is_tensor(obj: Any) -> bool:
    return isinstance(obj, compat.torch.Tensor)


def _is_leaf(obj: Any) -> bool:
    return isinstance(obj, compat.torch.Tensor) and obj.is_leaf


def _no_backprop(grads: Any) -> Any:
    raise RuntimeError(
        "The callback of a predict call has no gradient. Use begin_update, or call the model with is_train=True"
    )


__all__ = ["PyTorchShim", "default_deserialize_torch_model", "default_serialize_torch_model"]
