"""Inference with ONNX Runtime in float32: the perceptron, and the smallest of calls."""

from typing import Any, Callable, Dict

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = numpy.random.RandomState(0)
Run = Callable[[], Any]


def _session(*widths: int) -> onnxruntime.InferenceSession:
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
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def perceptron(rows: int) -> Run:
    session = _session(384, 768, 768, 384)
    X = rng.normal(size=(rows, 384)).astype("f")
    return lambda: session.run(None, {"X": X})


def linear_call(rows: int, width: int) -> Run:
    session = _session(width, width)
    X = rng.normal(size=(rows, width)).astype("f")
    return lambda: session.run(None, {"X": X})


KINDS: Dict[str, Callable[..., Run]] = {"perceptron": perceptron, "linear_call": linear_call}
