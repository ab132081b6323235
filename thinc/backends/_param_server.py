"""Parameters and their gradients, by (model id, parameter name)."""

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy

from .._array_types import ParamXd
from ..types import FloatsXd

KeyT = Tuple[int, str]


class ParamServer:
    """Storage of one model's parameters and gradients.

    With a `proxy` (any object with `get_param`, `set_param`, `set_grad` and
    `inc_grad`) the values live elsewhere: parameters are fetched from it on every
    read, gradients are only sent to it and never become visible here.
    """

    _params: Dict[KeyT, Any]
    _grads: Dict[KeyT, Any]
    proxy: Optional[Any]

    def __init__(self, params: Mapping[KeyT, FloatsXd] = {}, grads: Mapping[KeyT, FloatsXd] = {}, *, proxy: Any = None):
        self._params = dict(params)
        self._grads = dict(grads)
        self.proxy = proxy

    @property
    def param_keys(self) -> Tuple[KeyT, ...]:
        """The keys of all parameters, in the order they were first set."""
        return tuple(self._params)

    @property
    def grad_keys(self) -> Tuple[KeyT, ...]:
        """The keys of the parameters that have a gradient."""
        return tuple(key for key in self._params if key in self._grads)

    def has_param(self, model_id: int, name: str) -> bool:
        return (model_id, name) in self._params

    def has_grad(self, model_id: int, name: str) -> bool:
        return (model_id, name) in self._grads

    def get_param(self, model_id: int, name: str) -> ParamXd:
        """The parameter itself, not a copy.  KeyError if it was never set."""
        if self.proxy is not None:
            self._params[(model_id, name)] = self.proxy.get_param(model_id, name)
        return self._params[(model_id, name)]

    def get_grad(self, model_id: int, name: str) -> ParamXd:
        """The gradient itself, not a copy.  KeyError if there is none."""
        return self._grads[(model_id, name)]

    def set_param(self, model_id: int, name: str, value: FloatsXd) -> None:
        if self.proxy is not None:
            self.proxy.set_param(model_id, name, value)
        self._params[(model_id, name)] = value

    def set_grad(self, model_id: int, name: str, value: FloatsXd) -> None:
        if self.proxy is not None:
            self.proxy.set_grad(model_id, name, value)
        else:
            self._grads[(model_id, name)] = value

    def inc_grad(self, model_id: int, name: str, value: FloatsXd) -> None:
        """Add to the gradient.  The first value is copied, so that adding to it
        later never writes into an array of the caller."""
        if self.proxy is not None:
            self.proxy.inc_grad(model_id, name, value)
            return
        key = (model_id, name)
        grad = self._grads.get(key)
        if grad is not None:
            grad += value
            self._grads[key] = grad
        elif hasattr(value, "copy"):
            self._grads[key] = value.copy()
        else:
            self._grads[key] = numpy.ascontiguousarray(value)
