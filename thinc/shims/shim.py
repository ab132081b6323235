"""`Shim`: how parameters that another framework owns take part in a model."""

import copy
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union

from .. import _identity
from ..util import write_atomically


class Shim:
    """Holds a model of another framework: runs it, updates it, moves it, saves it.

    A subclass implements `__call__`, `finish_update`, `to_device`, `to_bytes` and
    `from_bytes`. Parameters are seen by our optimizers under the key (shim id, name).

    model: of the other framework.  config, optimizer: kept for the subclass.

    >>> class Scaled(Shim):
    ...     def __call__(self, X, is_train):
    ...         return self._model * X, lambda dY: self._model * dY
    >>> Scaled(3.0).predict(numpy.ones(2))
    array([3., 3.])
    """

    global_id: int = _identity.FIRST_SHIM
    global_id_lock: threading.Lock = threading.Lock()
    cfg: Dict
    _model: Any
    _optimizer: Optional[Any]

    def __init__(self, model: Any, config: Any = None, optimizer: Any = None) -> None:
        self.id = _next_id()
        self.cfg = dict(config) if config is not None else {}
        self._model = model
        self._optimizer = optimizer

    def __call__(self, inputs: Any, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        """The output, and the callback that turns its gradient into the inputs'."""
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__")

    def predict(self, fwd_args: Any) -> Any:
        """Run without training: Y.

        fwd_args: the inputs.

        >>> class Scaled(Shim):
        ...     def __call__(self, X, is_train):
        ...         return self._model * X, lambda dY: self._model * dY
        >>> Scaled(3).predict(2)
        6
        """
        return self(fwd_args, is_train=False)[0]

    def begin_update(self, fwd_args: Any) -> Tuple[Any, Callable[..., Any]]:
        """Run on a training batch: (Y, backprop).

        fwd_args: the inputs.

        >>> class Scaled(Shim):
        ...     def __call__(self, X, is_train):
        ...         return self._model * X, lambda dY: self._model * dY
        >>> Y, backprop = Scaled(3).begin_update(2)
        >>> Y, backprop(1)
        (6, 3)
        """
        return self(fwd_args, is_train=True)

    def finish_update(self, optimizer: Any) -> None:
        """Update the parameters with the gradients collected so far.

        optimizer: that updates them.

        >>> class Scaled(Shim):
        ...     def finish_update(self, optimizer):
        ...         self._model, _ = optimizer((self.id, "scale"), self._model, self.gradient)
        >>> shim = Scaled(numpy.ones(1, dtype="f"))
        >>> shim.gradient = numpy.full(1, 0.5, dtype="f")
        >>> shim.finish_update(SGD(0.1))
        >>> shim._model
        array([0.95], dtype=float32)
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement finish_update")

    def clear_gradients(self) -> None:
        """Drop the gradients collected so far; nothing here.

        >>> Shim(None).clear_gradients()
        """

    @contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """Parameters replaced for a while; nothing here.

        params: by key.

        >>> with Shim(None).use_params({}):
        ...     pass
        """
        yield

    def copy(self) -> Any:
        """A deep copy. It has an id of its own, as all copies: optimizers keep state by id.

        >>> shim = Shim({})
        >>> shim.copy().id == shim.id
        False
        """
        return copy.deepcopy(self)

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "id": _identity.identity_of(self.id)}

    def _restored_id(self, memo: Any) -> int:
        """The id of a deepcopy that a subclass makes in its own way: optimizers copied along follow it."""
        return copy.deepcopy(_identity.identity_of(self.id), memo).claim(_next_id)

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.id = _identity.restored(state["id"]).claim(_next_id)

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move the parameters.

        device_type: "cpu" or "gpu".  device_id: which one.

        >>> class Scaled(Shim):
        ...     def to_device(self, device_type, device_id):
        ...         print("moved to", device_type)
        >>> Scaled(3.0).to_device("cpu", 0)
        moved to cpu
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement to_device")

    def to_disk(self, path: Union[str, Path]) -> None:
        """Write `to_bytes()` to a file: a name, or anything with open("wb").

        path: of the file.

        >>> class Scaled(Shim):
        ...     def to_bytes(self):
        ...         return str(self._model).encode()
        >>> Scaled(3.0).to_disk("scale.txt")
        >>> Path("scale.txt").read_text()
        '3.0'
        """
        write_atomically(path, self.to_bytes())

    def from_disk(self, path: Union[str, Path]) -> "Shim":
        """Load what `to_disk` wrote; returns what `from_bytes` returns.

        path: of the file.

        >>> class Scaled(Shim):
        ...     def from_bytes(self, data):
        ...         self._model = float(data)
        ...         return self
        >>> written = Path("scale.txt").write_bytes(b"3.0")
        >>> Scaled(None).from_disk("scale.txt")._model
        3.0
        """
        source = Path(path) if isinstance(path, str) else path
        with source.open("rb") as file:
            return self.from_bytes(file.read())

    def to_bytes(self) -> bytes:
        """All that was learned, in a form that `from_bytes` reads.

        >>> class Scaled(Shim):
        ...     def to_bytes(self):
        ...         return str(self._model).encode()
        >>> Scaled(3.0).to_bytes()
        b'3.0'
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement to_bytes")

    def from_bytes(self, data: bytes) -> Any:
        """Load what `to_bytes` gave; returns self.

        data: the bytes.

        >>> class Scaled(Shim):
        ...     def from_bytes(self, data):
        ...         self._model = float(data)
        ...         return self
        >>> Scaled(None).from_bytes(b"3.0")._model
        3.0
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement from_bytes")


def _next_id() -> int:
    with Shim.global_id_lock:
        Shim.global_id += 1
        return Shim.global_id


_identity.last_shim = lambda: Shim.global_id

__all__ = ["Shim"]
