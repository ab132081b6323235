"""OnnxWrapper: the graph inside becomes part of the graph around it."""

from typing import Any, Dict, List

from ...layers.onnxwrapper import convert_onnx_default_inputs, convert_onnx_default_outputs
from ...layers.onnxwrapper import forward as onnx_forward
from ..graph import Layer, onnx_rule
from ..values import Tensor, Value, describe


@onnx_rule(onnx_forward)
def inlined(layer: Layer, X: Value) -> Value:
    import onnx

    attrs = layer.attrs
    if attrs["convert_inputs"] is not convert_onnx_default_inputs:
        raise layer.refuse("its convert_inputs is a function of Python. Do what it does before the model")
    if attrs["convert_outputs"] is not convert_onnx_default_outputs:
        raise layer.refuse("its convert_outputs is a function of Python. Do what it does behind the model")
    shim = layer.model.shims[0]
    if shim._model is None:
        raise layer.refuse("it holds no graph. Give OnnxWrapper a path or bytes")
    inner = _at_opset(layer, onnx.inliner.inline_local_functions(onnx.load_from_string(shim._model)))
    inner = onnx.shape_inference.infer_shapes(inner)
    prefix = layer.graph.unique(layer.path) + "/"
    renamed = onnx.compose.add_prefix(inner, prefix)
    weights = {tensor.name for tensor in renamed.graph.initializer}
    inputs = [value for value in renamed.graph.input if value.name not in weights]
    given: List[Any] = list(X) if isinstance(X, tuple) else [X]
    if len(given) != len(inputs) or not all(isinstance(item, Tensor) for item in given):
        names = [value.name[len(prefix) :] for value in inputs]
        raise layer.refuse(f"its graph has the inputs {names}, but the model gives it a {describe(X)}")
    for value, tensor in zip(inputs, given):
        wanted = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        source = layer.cast(tensor, wanted)
        layer.graph.nodes.append(onnx.helper.make_node("Identity", [source.name], [value.name], name=value.name))
    for tensor in renamed.graph.initializer:
        layer.graph.initializers[tensor.name] = onnx.numpy_helper.to_array(tensor)
    for tensor in renamed.graph.sparse_initializer:
        raise layer.refuse(f"its graph has the sparse weights {tensor.values.name}. Save it with dense ones")
    layer.graph.nodes.extend(renamed.graph.node)
    layer.used(node.op_type for node in renamed.graph.node)
    for domain in renamed.opset_import:
        layer.graph.domains.setdefault(domain.domain if domain.domain != "ai.onnx" else "", domain.version)
    outputs = [_tensor_of(layer, value, prefix) for value in renamed.graph.output]
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _at_opset(layer: Layer, inner: Any) -> Any:
    """The graph in the version of the operators that the graph around it has."""
    import onnx

    versions: Dict[str, int] = {entry.domain: entry.version for entry in inner.opset_import}
    version = versions.get("", versions.get("ai.onnx", layer.graph.opset))
    if version == layer.graph.opset:
        return inner
    if version > layer.graph.opset:
        raise layer.refuse(f"its graph has opset {version}. Export with opset={version} or higher")
    try:
        return onnx.version_converter.convert_version(inner, layer.graph.opset)
    except Exception as e:  # the converter raises RuntimeError and others
        raise layer.refuse(f"its graph cannot be brought from opset {version} to {layer.graph.opset}: {e}") from e


def _tensor_of(layer: Layer, value: Any, prefix: str) -> Tensor:
    import onnx

    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        raise layer.refuse(f"its output {value.name[len(prefix) :]} has no shape. Save the graph with one")
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") else f"{prefix}{dim.dim_param or i}"
        for i, dim in enumerate(kind.shape.dim)
    )
    return Tensor(value.name, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name, shape)


__all__: List[str] = []
