"""Gradient scaling for mixed-precision training with PyTorch."""

from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Union

from .. import compat
from ..util import is_torch_array

if TYPE_CHECKING:
    import torch


class PyTorchGradScaler:
    """Scales gradients up so that small ones survive float16, and back down.

    Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740. An overflow halves the
    scale (backoff_factor) and skips the update; growth_interval updates without one
    double it (growth_factor). Disabled, every method lets its input through.

    enabled: whether to scale at all.  init_scale: at first.

    >>> import torch
    >>> PyTorchGradScaler().scale(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(
        self,
        enabled: bool = False,
        init_scale: float = 2.0**16,
        backoff_factor: float = 0.5,
        growth_factor: float = 2.0,
        growth_interval: int = 2000,
    ):
        self._enabled = enabled
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        # Numbers until `to_` or the first use puts them on a device.
        self._scale: Any = float(init_scale)
        self._growth_tracker = 0
        self._found_inf = False

    def to_(self, device: Any) -> None:
        """Move the state to a device. It is numbers on the host, so there is nothing to do."""

    def scale(
        self, tensors: Union["torch.Tensor", Iterable["torch.Tensor"]], inplace: bool = False
    ) -> Union["torch.Tensor", List["torch.Tensor"]]:
        """The tensors times the scale: one for one, a list for several."""
        if not self._enabled:
            return tensors  # type: ignore[return-value]  # whatever it is, untouched
        if is_torch_array(tensors):
            return self._scale_tensor(tensors, inplace)
        if isinstance(tensors, Iterable) and not isinstance(tensors, (str, bytes)):
            items = list(tensors)
            if all(is_torch_array(item) for item in items):
                return [self._scale_tensor(item, inplace) for item in items]
        raise ValueError("Input to gradient scaling must be a Tensor or Iterable[Tensor]")

    def _scale_tensor(self, tensor: Any, inplace: bool) -> Any:
        if not compat.has_torch_amp:
            raise ValueError("Gradient scaling is not supported, requires capable GPU and torch>=1.9.0")
        if not tensor.is_cuda:
            raise ValueError(
                "Gradient scaling is only supported for CUDA tensors. "
                "If you are using PyTorch models, you can avoid this error by disabling "
                "mixed-precision support."
            )
        return tensor.mul_(self._scale) if inplace else tensor * self._scale

    def unscale(self, tensors: Any) -> bool:
        """Divide by the scale in place; returns whether any entry is inf or NaN."""
        if not self._enabled:
            return False
        by_device: Dict[Any, List[Any]] = {}
        for tensor in tensors:
            by_device.setdefault(tensor.device, []).append(tensor)
        torch = compat.torch
        for device, group in by_device.items():
            found = torch.zeros((1,), dtype=torch.float32, device=device)
            inverse = torch.full((1,), 1.0 / self._scale, dtype=torch.float32, device=device)
            torch._amp_foreach_non_finite_check_and_unscale_(group, found, inverse)
            if bool(found.item()):
                self._found_inf = True
        return self._found_inf

    def update(self) -> None:
        """Adapt the scale after an update, and forget the overflow."""
        if not self._enabled:
            return
        if self._found_inf:
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._found_inf = False

    @property
    def found_inf(self) -> bool:
        """Whether the last `unscale` met an overflow."""
        return self._found_inf


__all__ = ["PyTorchGradScaler"]
