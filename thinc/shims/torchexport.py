"""`TorchExportShim`: a program made by `torch.export`, which is saved with its code."""

import contextlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Optional

from .. import compat
from ..util import assert_pytorch_installed, get_torch_default_device, say, unpack
from .pytorch import PyTorchShim
from .pytorch_grad_scaler import PyTorchGradScaler

if TYPE_CHECKING:
    import torch


class TorchExportShim(PyTorchShim):
    """As PyTorchShim. The bytes hold the code too, so they load into a shim of None.

    A program has no modes: it does in training and in prediction what the module did
    in the mode it was exported in (in evaluation mode, nothing is dropped out).

    config, optimizer, mixed_precision, grad_scaler, device: as there.

    >>> import torch
    >>> shim = TorchExportShim(torch.export.export(torch.nn.Linear(3, 4), (torch.ones(5, 3),)))
    >>> shim.predict(ArgsKwargs(args=(torch.ones(5, 3),), kwargs={})).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        program: Optional["torch.export.ExportedProgram"],
        config: Any = None,
        optimizer: Any = None,
        mixed_precision: bool = False,
        grad_scaler: Optional[PyTorchGradScaler] = None,
        device: Optional["torch.device"] = None,
    ) -> None:
        assert_pytorch_installed()
        if program is not None and not _is_program(program):
            raise ValueError(
                "TorchExportShim must be initialized with an ExportedProgram, as "
                "torch.export.export returns it, or None (for deserialization), got "
                f"{type(program).__name__}"
            )
        # The module runs the program, and both share their parameters.
        module = None if program is None else program.module()
        super().__init__(module, config, optimizer, mixed_precision, grad_scaler, device)
        self._program = program

    def _in_mode(self, training: bool) -> Any:
        return contextlib.nullcontext()  # a program has no modes, and its module refuses to be switched

    def copy(self) -> Any:
        """A copy with parameters and an id of its own."""
        copied = type(self)(
            None if self._program is None else _load(_save(self._program)),
            self.cfg,
            self._optimizer,
            self._mixed_precision,
        )
        if copied._model is not None:
            copied._model.to(self.device)
        return copied

    def to_bytes(self) -> bytes:
        """The config and the program with its parameters, as msgpack."""
        return compat.srsly.msgpack_dumps({"config": self.cfg, "program": _save(self._program)})

    def from_bytes(self, bytes_data: bytes) -> Any:
        device = get_torch_default_device()
        message = unpack(bytes_data, "TorchExportShim", "a program as to_bytes makes it", "config", "program")
        try:
            program = _load(message["program"])
            module = program.module()
        except Exception as error:
            raise ValueError(f"TorchExportShim: the bytes hold no program of torch.export ({say(error)})") from error
        module.to(device)
        self.cfg, self._program, self._model = message["config"], program, module
        self._grad_scaler.to_(device)
        return self


def _is_program(obj: Any) -> bool:
    return isinstance(obj, compat.torch.export.ExportedProgram)


def _save(program: Any) -> bytes:
    buffer = BytesIO()
    compat.torch.export.save(program, buffer)
    return buffer.getvalue()


def _load(data: bytes) -> Any:
    return compat.torch.export.load(BytesIO(data))


__all__ = ["TorchExportShim"]
