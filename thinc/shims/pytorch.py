"""`PyTorchShim`: a torch module as part of a model."""

import contextlib
import itertools
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional

from .. import compat
from ..backends import CupyOps, context_pools, get_current_ops, set_gpu_allocator
from ..optimizers import Optimizer
from ..types import ArgsKwargs, FloatsXd
from ..util import (
    assert_pytorch_installed,
    convert_recursive,
    get_torch_default_device,
    iterate_recursive,
    torch2xp,
    xp2torch,
)
from .pytorch_grad_scaler import PyTorchGradScaler
from .shim import Shim

if TYPE_CHECKING:
    import torch

# One for all shims: it is held for an instant, and a shim must stay copyable.
_MODE_LOCK = threading.Lock()


class PyTorchShim(Shim):
    """Runs, updates, moves and saves a torch module.

    mixed_precision: run the forward pass under autocast (CUDA).
    grad_scaler: scales the gradients of such a run; by default a PyTorchGradScaler.
    serialize_model, deserialize_model: replace saving and loading the state dict.
    """

    def __init__(
        self,
        model: Any,
        config=None,
        optimizer: Any = None,
        mixed_precision: bool = False,
        grad_scaler: Optional[PyTorchGradScaler] = None,
        device: Optional["torch.device"] = None,
        serialize_model: Optional[Callable[[Any], bytes]] = None,
        deserialize_model: Optional[Callable[[Any, bytes, "torch.device"], Any]] = None,
    ):
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

    def __call__(self, inputs, is_train):
        if is_train:
            return self.begin_update(inputs)
        return self.predict(inputs), _no_backprop

    @property
    def device(self):
        """Where the module's first parameter is; without any, the default device."""
        parameter = next(self._model.parameters(), None)
        return get_torch_default_device() if parameter is None else parameter.device

    def _set_mode(self, training: bool) -> None:
        # The module stays in the mode it was last used in: to switch walks through
        # all of its parts, and another thread may be predicting with it right now.
        with _MODE_LOCK:
            if self._model.training != training:
                self._model.train(training)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """The module's output in evaluation mode, without gradients."""
        self._set_mode(False)
        with compat.torch.no_grad():
            if not self._mixed_precision:
                return self._model(*inputs.args, **inputs.kwargs)
            with self._autocast():
                return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs):
        """The output, and a callback that turns the `ArgsKwargs` of
        torch.autograd.backward into the gradients of the inputs."""
        self._set_mode(True)
        with self._autocast():
            output = self._model(*inputs.args, **inputs.kwargs)

        def backprop(grads: ArgsKwargs) -> ArgsKwargs:
            grads.kwargs["grad_tensors"] = self._grad_scaler.scale(grads.kwargs["grad_tensors"], inplace=True)
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

    def _autocast(self) -> Any:
        if not self._mixed_precision:
            return contextlib.nullcontext()
        return compat.torch.amp.autocast("cuda", enabled=True)

    def finish_update(self, optimizer: Optimizer):
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

    @contextlib.contextmanager
    def use_params(self, params) -> Iterator[None]:
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

    def to_device(self, device_type: str, device_id: int):
        if device_type == "cpu":
            self._model.cpu()
        elif device_type == "gpu":
            self._model.cuda(device_id)
        else:
            raise ValueError(f"Invalid device_type: {device_type}. Try 'cpu' or 'gpu'")
        self._grad_scaler.to_(self.device)

    def to_bytes(self):
        """The config and the state dict, as msgpack."""
        return compat.srsly.msgpack_dumps({"config": self.cfg, "state": self._serialize_model(self._model)})

    def from_bytes(self, bytes_data):
        device = get_torch_default_device()
        message = compat.srsly.msgpack_loads(bytes_data)
        self.cfg = message["config"]
        self._model = self._deserialize_model(self._model, message["state"], device)
        self._grad_scaler.to_(device)
        return self


def default_serialize_torch_model(model: Any) -> bytes:
    """The module's state dict, as torch.save writes it."""
    buffer = BytesIO()
    compat.torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


def default_deserialize_torch_model(model: Any, state_bytes: bytes, device: "torch.device") -> Any:
    """Load a state dict into the module; nothing but tensors is unpickled."""
    if model is None:
        raise ValueError(
            "PyTorchShim holds no torch module to load parameters into. Build the model "
            "first, or give a deserialize_model that makes the module"
        )
    state = compat.torch.load(BytesIO(state_bytes), map_location=device, weights_only=True)
    model.load_state_dict(state)
    model.to(device)
    return model


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
