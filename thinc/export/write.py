"""`to_onnx`: a model, walked, checked, tried out and written as a whole or not at all."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy

from .. import compat
from ..about import __version__
from ..model import Model
from ..util import write_atomically
from . import rules  # noqa: F401  (registers them)
from .graph import DOMAIN, Graph, build, check_layers, forward_of
from .rules.refused import FEATURES
from .values import Dim, ExportError, Nested, Tensor, Value, arrays_of, as_type, feeds, host, tensors_of, value_of

OLDEST_OPSET = 18  # ReduceMax with axes as an input, Split into equal parts, BitwiseXor
TOLERANCE = 1e-4
# Protocol buffers end at 2 GiB: weights of more than this go into a file beside the graph.
LARGEST_FILE = 2**31 - 2**24


@dataclass(frozen=True)
class Exported:
    """What was written, and how far its outputs were from those of the model on the sample.

    path: of the file.  inputs, outputs: name -> (dtype, shape).  operators: of ONNX that it needs.  data_path: the
    file of the weights if they are apart.  difference: the largest; None if it was not run.

    >>> import onnx
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> exported = to_onnx(Relu(4).initialize(X), "model.onnx", X)
    >>> exported.inputs, exported.outputs, exported.operators
    ({'X': ('float32', ('N', 3))}, {'Y': ('float32', ('N', 4))}, ('Gemm', 'Relu'))
    """

    path: Path
    inputs: Dict[str, Tuple[str, Tuple[Dim, ...]]]  # name -> dtype and shape; a size that may vary is a name
    outputs: Dict[str, Tuple[str, Tuple[Dim, ...]]]
    operators: Tuple[str, ...]
    data_path: Optional[Path] = None  # the weights, where they are too large for one file
    difference: Optional[float] = None  # the largest, relative where values exceed 1; None: not tried


def to_onnx(
    model: Model, path: Union[str, Path], X: Any, *, opset: int = 20, check: bool = True, metadata: Dict[str, str] = {}
) -> Exported:
    """Write an initialized model as an ONNX graph that predicts what the model predicts.

    X is a sample batch; its kind says what the inputs are. An array is X (N, ...); a Ragged or a list of arrays
    X (N, ...), all rows, and X_lengths (B,); a Padded X, X_lengths and X_indices; the items of a tuple are X0, X1, ...
    Outputs are called Y likewise. Batches may have any size, and no rows.

    With `check`, and where ONNX Runtime is installed, the sample goes through the graph: ExportError if an output
    differs by more than 1e-4. ExportError also for layers that have no rule, read texts, belong to other frameworks
    or are not initialized: path of the layer, reason and way out. Then nothing is written. Graphs of more than 2 GB
    keep their weights in a second file, `path` + ".data", which must stay beside the first.

    model: initialized.  path: to write to.  opset: of ONNX.  metadata: texts to keep in the file.

    >>> import onnx
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> to_onnx(chain(Relu(4), Softmax(2)).initialize(X), "model.onnx", X).outputs
    {'Y': ('float32', ('N', 2))}
    """
    onnx = _require_onnx()
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ExportError(f"to_onnx: expected an opset from {OLDEST_OPSET} to {newest}, got {opset}")
    path = Path(path)
    check_layers(model)
    floats = float_dtype(model, X)
    X = as_type(X, floats)
    value = value_of(X, floats)
    graph, result = build(model, value, opset)
    Y = model.predict(X)
    proto = _proto(graph, value, result, metadata)
    size = sum(array.nbytes for array in graph.initializers.values())
    inputs = feeds(X, value) if check and compat.has_onnxruntime else None
    if size <= LARGEST_FILE:
        data = _with_weights(proto, graph).SerializeToString()
        apart = _tried(data, inputs, result, Y)
        write_atomically(path, data)
    else:
        with _folder_beside(path) as folder:
            draft = folder / path.name
            _write_apart(proto, graph, draft)
            apart = _tried(str(draft), inputs, result, Y)
            os.replace(_data_path(draft), _data_path(path))
            os.replace(draft, path)
    return Exported(
        path=path,
        inputs={name: (tensor.dtype, tensor.shape) for name, tensor in tensors_of(value, "X")},
        outputs={name: (tensor.dtype, tensor.shape) for name, tensor in tensors_of(result, "Y")},
        operators=tuple(sorted(set().union(*graph.operators.values()))),
        data_path=None if size <= LARGEST_FILE else _data_path(path),
        difference=apart,
    )


def split_features(model: Model) -> Tuple[Optional[Model], Model]:
    """(features, rest): the layers at the start of a chain that read texts, and those behind them.

    features is None if there are none. Both are made of the layers of the model, not of copies. ExportError if nothing
    is behind them, or if texts are read somewhere else.

    model: a chain.

    >>> from thinc.training.features import token_features
    >>> features, rest = split_features(chain(token_features(), with_array(HashEmbed(4, 100, column=0))))
    >>> features.name, rest.name
    ('token_features', 'with_array(ints-getitem>>hashembed)')
    """
    from ..layers import chain

    layers = _flat_chain(model)
    n = next((i for i, layer in enumerate(layers) if forward_of(layer) not in FEATURES), len(layers))
    if n == len(layers):
        raise ExportError(f"split_features: all of '{model.name}' reads texts, and a graph takes numbers")
    if n == 0:
        return None, model

    def joined(parts: List[Model]) -> Model:
        return parts[0] if len(parts) == 1 else chain(*parts)

    return joined(layers[:n]), joined(layers[n:])


def _flat_chain(model: Model) -> List[Model]:
    from ..layers.chain import forward

    if forward_of(model) is not forward:
        return [model]
    return [inner for layer in model.layers for inner in _flat_chain(layer)]


def float_dtype(model: Model, X: Any) -> str:
    """That of the model's first parameter of floats; without parameters that of the sample."""
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                return str(node.get_param(name).dtype)
    for array in _known_arrays(X):
        if array.dtype.kind == "f":
            return array.dtype.name
    return "float32"


def _known_arrays(X: Any) -> List[numpy.ndarray]:
    try:
        return arrays_of(X)
    except (TypeError, ValueError):  # no arrays: value_of says what is wrong
        return []


def _require_onnx() -> Any:
    try:
        import onnx
        import onnx.compose
        import onnx.inliner
        import onnx.parser
        import onnx.version_converter
    except ImportError as e:
        raise ImportError("to_onnx needs the package onnx: pip install 'thinc[onnx]'") from e
    return onnx


def _proto(graph: Graph, X: Value, Y: Value, metadata: Dict[str, str]) -> Any:
    """The model without its weights."""
    import onnx

    helper = onnx.helper

    def info(name: str, tensor: Tensor, known: Any) -> Any:
        shape = [dim if isinstance(dim, int) or dim in known else f"{name}_{dim}" for dim in tensor.shape]
        dtype = helper.np_dtype_to_tensor_dtype(numpy.dtype(tensor.dtype))
        return helper.make_tensor_value_info(name, dtype, shape)

    sizes = {dim for _, tensor in tensors_of(X, "X") for dim in tensor.shape}
    used = {name for node in graph.nodes for name in node.input} | {t.name for _, t in tensors_of(Y, "Y")}
    inputs = [info(tensor.name, tensor, sizes) for _, tensor in tensors_of(X, "X") if tensor.name in used]
    outputs = []
    nodes = list(graph.nodes)
    for name, tensor in tensors_of(Y, "Y"):
        nodes.append(helper.make_node("Identity", [tensor.name], [name], name=name))
        outputs.append(info(name, tensor, sizes))
    functions = [_function(name, text) for name, text in graph.texts.items()]
    domains = {**graph.domains, DOMAIN: 1}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    made = helper.make_graph(nodes, "thinc", inputs, outputs)
    # (the checker wants version 10 of the format for nothing here; runtimes of the opset read that of the opset)
    ir_version = max(8, helper.find_min_ir_version_for([o for o in opsets if o.domain != DOMAIN], ignore_unknown=True))
    proto = helper.make_model(
        made,
        functions=functions,
        opset_imports=opsets,
        ir_version=ir_version,
        producer_name="thinc",
        producer_version=__version__,
    )
    helper.set_model_props(proto, {"thinc_version": __version__, **metadata})
    return proto


def _function(name: str, text: str) -> Any:
    import onnx

    try:
        return onnx.parser.parse_function(text)
    except onnx.parser.ParseError as e:
        raise ExportError(f"to_onnx: the body of the operator {name} is not ONNX text: {e}\n{text}") from e


def _with_weights(proto: Any, graph: Graph) -> Any:
    import onnx

    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(_little(array), name) for name, array in graph.initializers.items()
    )
    return proto


def _write_apart(proto: Any, graph: Graph, path: Path) -> None:
    """The weights in a file of their own, at whole pages, so that runtimes can map them; small ones in the graph."""
    import onnx

    data = _data_path(path)
    with open(data, "wb") as file:
        for name, array in graph.initializers.items():
            array = _little(array)
            if array.nbytes < 1024:
                proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
                continue
            file.write(bytes(-file.tell() % 4096))
            tensor = proto.graph.initializer.add(name=name, dims=array.shape)
            tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", data.name), ("offset", file.tell()), ("length", array.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            file.write(array.data)
        file.flush()
        os.fsync(file.fileno())
    write_atomically(path, proto.SerializeToString())


def _data_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def _little(array: numpy.ndarray) -> numpy.ndarray:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _tried(
    source: Union[str, bytes], inputs: Optional[Dict[str, numpy.ndarray]], result: Value, Y: Any
) -> Optional[float]:
    """The largest difference between the outputs of ONNX Runtime and Y; None without inputs."""
    import onnx

    try:
        onnx.checker.check_model(source, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError(f"to_onnx: the rules of the layers make no valid graph: {e}") from e
    if inputs is None:
        return None
    runtime = f"ONNX Runtime {compat.onnxruntime.__version__}"
    try:
        session = compat.onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
        wanted = {node.name for node in session.get_inputs()}
        outputs = session.run(None, {name: array for name, array in inputs.items() if name in wanted})
    except Exception as e:  # its errors have no type in common
        raise ExportError(f"to_onnx: {runtime} refuses the graph. Nothing was written. {e}") from e
    names = [name for name, _ in tensors_of(result, "Y")]
    largest = max(difference(*triple) for triple in zip(names, outputs, arrays_of(Y, isinstance(result, Nested))))
    if not largest <= TOLERANCE:
        raise ExportError(
            f"to_onnx: {runtime} differs from the model by {largest:.3g} on the sample, more than {TOLERANCE}. "
            "Nothing was written. Is the sample one that the model is made for?"
        )
    return largest


def difference(name: str, theirs: numpy.ndarray, ours: Any) -> float:
    """The largest difference of two arrays, relative where values exceed 1."""
    ours = numpy.asarray(host(ours))
    if not ours.size and not theirs.size:
        return 0.0
    if theirs.shape != ours.shape:
        raise ExportError(f"to_onnx: output {name} has shape {theirs.shape} in ONNX Runtime and {ours.shape} here")
    ours, theirs = ours.astype("float64"), theirs.astype("float64")
    apart = numpy.where((ours == theirs) | (numpy.isnan(ours) & numpy.isnan(theirs)), 0.0, abs(ours - theirs))
    return float((apart / numpy.maximum(1.0, numpy.where(numpy.isfinite(ours), abs(ours), 1.0))).max())


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder on the same disk for what is not yet known to be right; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


__all__ = ["Exported", "difference", "split_features", "to_onnx"]
