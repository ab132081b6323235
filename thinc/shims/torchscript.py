"""`TorchScriptShim`: a TorchScript module, which is saved with its code."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Optional

from .. import compat
from ..util import assert_pytorch_installed, get_torch_default_device, say, unpack
from .pytorch import PyTorchShim
from .pytorch_grad_scaler import PyTorchGradScaler

if TYPE_CHECKING:
    import torch


class TorchScriptShim(PyTorchShim):
    """As PyTorchShim. The bytes hold the code too, so they load into a shim of None.

    model: the module.  config, optimizer, mixed_precision, grad_scaler, device: as there.

    >>> import torch
    >>> shim = TorchScriptShim(torch.jit.trace(torch.nn.Linear(3, 4), torch.ones(5, 3)))
    >>> TorchScriptShim(None).from_bytes(shim.to_bytes())._model(torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        model: Optional["torch.jit.ScriptModule"],
        config: Any = None,
        optimizer: Any = None,
        mixed_precision: bool = False,
        grad_scaler: Optional[PyTorchGradScaler] = None,
        device: Optional["torch.device"] = None,
    ) -> None:
        assert_pytorch_installed()
        if model is not None and not isinstance(model, compat.torch.jit.ScriptModule):
            raise ValueError(
                "TorchScriptShim must be initialized with ScriptModule or None (for "
                f"deserialization), got {type(model).__name__}"
            )
        super().__init__(model, config, optimizer, mixed_precision, grad_scaler, device)

    def to_bytes(self) -> bytes:
        buffer = BytesIO()
        compat.torch.jit.save(self._model, buffer)
        return compat.srsly.msgpack_dumps({"config": self.cfg, "model": buffer.getvalue()})

    def from_bytes(self, bytes_data: bytes) -> Any:
        device = get_torch_default_device()
        message = unpack(bytes_data, "TorchScriptShim", "a module as to_bytes makes it", "config", "model")
        # torch.jit.load does not map to Metal: by way of the CPU.
        location = compat.torch.device("cpu") if device.type == "mps" else device
        try:
            model = compat.torch.jit.load(BytesIO(message["model"]), map_location=location).to(device)
        except Exception as error:
            raise ValueError(f"TorchScriptShim: the bytes hold no TorchScript module ({say(error)})") from error
        self.cfg, self._model = message["config"], model
        self._grad_scaler.to_(device)
        return self


__all__ = ["TorchScriptShim"]
