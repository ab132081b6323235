"""`OnnxShim`: an ONNX graph, run by ONNX Runtime, as part of a model."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy

from .. import compat
from ..optimizers import Optimizer
from ..types import ArgsKwargs
from ..util import assert_onnxruntime_installed, say, unpack
from .shim import Shim

# The names of ONNX Runtime's types that differ from NumPy's.
_DTYPES = {"float": "float32", "double": "float64", "string": "object"}


class OnnxShim(Shim):
    """Runs and saves an ONNX graph. It has no gradients, and nothing to update.

    model: the path of a file, or its bytes; None to load saved bytes later.
    providers, session_options: as for onnxruntime.InferenceSession; by default the CPU.
    config, optimizer: kept, not used.

    >>> import onnx, onnxruntime
    >>> from thinc.export import to_onnx
    >>> exported = to_onnx(Relu(4, 3).initialize(), "model.onnx", numpy.ones((5, 3), dtype="f"))
    >>> shim = OnnxShim("model.onnx")
    >>> shim.predict(ArgsKwargs(args=(numpy.ones((2, 3), dtype="f"),), kwargs={})).shape
    (2, 4)
    """

    def __init__(
        self,
        model: Union[str, Path, bytes, None],
        config: Any = None,
        optimizer: Any = None,
        providers: Optional[Sequence[Any]] = None,
        session_options: Any = None,
    ) -> None:
        assert_onnxruntime_installed()
        data = Path(model).read_bytes() if isinstance(model, (str, Path)) else model
        super().__init__(data, config, optimizer)
        self._providers = list(providers or ["CPUExecutionProvider"])
        self._session_options = session_options
        self._session: Any = None
        if data is not None:
            self._load(data)

    def _load(self, data: bytes) -> None:
        session = compat.onnxruntime.InferenceSession(
            data, sess_options=self._session_options, providers=self._providers
        )
        self._inputs: List[Any] = session.get_inputs()
        self._model, self._session = data, session

    def __call__(self, inputs: Any, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        return self.predict(inputs), _no_backprop

    def predict(self, inputs: ArgsKwargs) -> Any:
        """The graph's output, or a tuple if it has several.

        Arguments are its inputs in order, keywords by name.
        """
        if self._session is None:
            raise ValueError("OnnxShim holds no graph: give OnnxWrapper a path or bytes, or load saved bytes first")
        feed = self._feed(inputs)
        outputs = self._session.run(None, feed)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _feed(self, inputs: ArgsKwargs) -> Dict[str, Any]:
        names = [node.name for node in self._inputs]
        if len(inputs.args) > len(names):
            raise ValueError(f"OnnxWrapper: got {len(inputs.args)} arguments, but the graph has the inputs {names}")
        given = {**dict(zip(names, inputs.args)), **inputs.kwargs}
        unknown = [name for name in given if name not in names]
        missing = [name for name in names if name not in given]
        if unknown or missing:
            raise ValueError(f"OnnxWrapper: the graph has the inputs {names}; missing are {missing}, unknown {unknown}")
        return {node.name: _fit(node, given[node.name]) for node in self._inputs}

    def finish_update(self, optimizer: Optimizer) -> None:
        """Nothing: the graph is constant."""

    def copy(self) -> Any:
        """A copy with an id of its own. The graph never changes: both can use it."""
        copied = type(self)(None, self.cfg, self._optimizer, self._providers, self._session_options)
        if self._session is not None:
            copied._model = self._model
            copied._session, copied._inputs = self._session, self._inputs
        return copied

    def __deepcopy__(self, memo: Any) -> "OnnxShim":
        copied = self.copy()
        copied.id = self._restored_id(memo)
        return copied

    def to_device(self, device_type: str, device_id: int) -> None:
        """Run on a device from now on, if ONNX Runtime was built for it."""
        if device_type == "cpu":
            providers: List[Any] = ["CPUExecutionProvider"]
        elif device_type == "gpu":
            cuda = ("CUDAExecutionProvider", {"device_id": device_id})
            providers = [cuda, "CPUExecutionProvider"]
        else:
            raise ValueError(f"Invalid device_type: {device_type}. Try 'cpu' or 'gpu'")
        if providers != self._providers:
            before, self._providers = self._providers, providers
            try:
                if self._session is not None:
                    self._load(self._model)
            except BaseException:
                self._providers = before
                raise

    def to_bytes(self) -> bytes:
        """The config and the graph, as msgpack."""
        return compat.srsly.msgpack_dumps({"config": self.cfg, "model": self._model})

    def from_bytes(self, bytes_data: bytes) -> Any:
        message = unpack(bytes_data, "OnnxShim", "a graph as to_bytes makes it", "config", "model")
        if message["model"] is not None:
            try:
                self._load(message["model"])
            except Exception as error:
                raise ValueError(f"OnnxShim: the bytes hold no graph of ONNX ({say(error)})") from error
        self.cfg = message["config"]
        return self


def _fit(node: Any, value: Any) -> numpy.ndarray:
    """The array in the dtype of an input of the graph; ValueError if numbers change."""
    array = numpy.asarray(value)
    name = node.type[len("tensor(") : -1] if node.type.startswith("tensor(") else ""
    name = _DTYPES.get(name, name)
    if not name or name in ("object", "bfloat16") or array.dtype == name:
        return array
    wanted = numpy.dtype(name)
    fits = numpy.can_cast(array.dtype, wanted, "same_kind")
    with numpy.errstate(all="ignore"):
        converted = array.astype(wanted)
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        fits = bool(numpy.array_equal(converted, array))
    if not fits:
        raise ValueError(
            f"OnnxWrapper: input '{node.name}' is {node.type}, and the array of dtype "
            f"{array.dtype} cannot be converted without loss"
        )
    return converted


def _no_backprop(grads: Any) -> Any:
    raise NotImplementedError(
        "OnnxWrapper is for inference only: ONNX Runtime computes no gradients. Train "
        "the layers above it on its outputs, outside of a chain, or wrap the original "
        "model with PyTorchWrapper, TensorFlowWrapper or JaxWrapper"
    )


__all__ = ["OnnxShim"]
