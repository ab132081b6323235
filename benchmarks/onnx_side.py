"""Inference with ONNX Runtime: the perceptron, in float32 and in int8, and the smallest of calls."""

import tempfile
from pathlib import Path
from typing import Any, Callable, Dict

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

rng = numpy.random.RandomState(0)
Run = Callable[[], Any]


def _model(*widths: int) -> onnx.ModelProto:
    """Affine layers with relu between them."""
    nodes, weights, X = [], [], "X"
    for i, (nI, nO) in enumerate(zip(widths, widths[1:])):
        W, b = rng.normal(size=(nO, nI)).astype("f"), numpy.zeros(nO, dtype="f")
        weights += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [X, f"W{i}", f"b{i}"], [f"A{i}"], transB=1))
        X = f"A{i}"
        if i < len(widths) - 2:
            nodes.append(helper.make_node("Relu", [X], [f"Y{i}"]))
            X = f"Y{i}"
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "perceptron",
        [helper.make_tensor_value_info("X", kind, ["n", widths[0]])],
        [helper.make_tensor_value_info(X, kind, ["n", widths[-1]])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def perceptron(rows: int) -> Run:
    session = _session(_model(384, 768, 768, 384))
    X = rng.normal(size=(rows, 384)).astype("f")
    return lambda: session.run(None, {"X": X})


def quantized_perceptron(kind: str, rows: int) -> Any:
    """In int8: signed weights with a scale for each output, inputs scaled when they come."""
    if kind != "int8":
        return None
    with tempfile.TemporaryDirectory() as folder:
        float32, int8 = Path(folder) / "float32", Path(folder) / "int8"
        onnx.save(_model(384, 768, 768, 384), float32)
        quantize_dynamic(float32, int8, weight_type=QuantType.QInt8, per_channel=True)
        session = _session(onnx.load(int8))
    X = rng.normal(size=(rows, 384)).astype("f")
    return lambda: session.run(None, {"X": X})


def linear_call(rows: int, width: int) -> Run:
    session = _session(_model(width, width))
    X = rng.normal(size=(rows, width)).astype("f")
    return lambda: session.run(None, {"X": X})


KINDS: Dict[str, Callable[..., Run]] = {
    "perceptron": perceptron,
    "quantized_perceptron": quantized_perceptron,
    "linear_call": linear_call,
}
