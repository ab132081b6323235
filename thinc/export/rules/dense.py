"""Dense layers, activations, layer normalization, dropout: from rows to rows.

Dimensions: N rows, I in, O out, P pieces.
"""

from typing import Any, Callable, Dict, Tuple

from ...layers.cauchysimilarity import forward as cauchy_similarity_forward
from ...layers.clipped_linear import forward as clipped_linear_forward
from ...layers.dish import forward as dish_forward
from ...layers.dropout import forward as dropout_forward
from ...layers.gelu import forward as gelu_forward
from ...layers.hard_swish import forward as hard_swish_forward
from ...layers.hard_swish_mobilenet import forward as hard_swish_mobilenet_forward
from ...layers.layernorm import forward as layernorm_forward
from ...layers.linear import forward as linear_forward
from ...layers.logistic import forward as logistic_forward
from ...layers.maxout import forward as maxout_forward
from ...layers.mish import forward as mish_forward
from ...layers.multisoftmax import forward as multisoftmax_forward
from ...layers.noop import forward as noop_forward
from ...layers.relu import forward as relu_forward
from ...layers.sigmoid import forward as sigmoid_forward
from ...layers.sigmoid_activation import forward as sigmoid_activation_forward
from ...layers.softmax import forward as softmax_forward
from ...layers.softmax_activation import forward as softmax_activation_forward
from ...layers.swish import forward as swish_forward
from ..graph import Layer, keeps_layers, onnx_rule
from ..values import Tensor, Value

AFFINE = "A = Gemm <transB = 1> (X, W, b)"

# name of the node, Y from A.  The constants are those of the layers, not of ONNX's own operators of these names.
ACTIVATIONS: Dict[Callable, Tuple[str, str]] = {
    relu_forward: ("Relu", "Y = Relu(A)"),
    sigmoid_forward: ("Sigmoid", "Y = Sigmoid(Clip(A, -20.0, 20.0))"),
    swish_forward: ("Swish", "Y = Mul(A, Sigmoid(Clip(A, -20.0, 20.0)))"),
    hard_swish_forward: ("HardSwish", "Y = Mul(A, Clip(Add(Mul(A, 0.2), 0.5), 0.0, 1.0))"),
    hard_swish_mobilenet_forward: ("HardSwishMobilenet", "Y = Div(Mul(A, Clip(Add(A, 3.0), 0.0, 6.0)), 6.0)"),
    gelu_forward: ("Gelu", "Y = Mul(A, Mul(Add(Erf(Mul(A, 0.7071067811865476)), 1.0), 0.5))"),
    mish_forward: ("Mish", "Y = Where(GreaterOrEqual(A, 20.0), A, Mul(A, Tanh(Softplus(A))))"),
    dish_forward: ("Dish", "Y = Mul(Mul(A, 0.5), Add(Div(A, Sqrt(Add(Mul(A, A), 1.0))), 1.0))"),
}


def affine_inputs(layer: Layer, X: Value) -> Dict[str, Tensor]:
    W, b = layer.param("W"), layer.param("b")
    return {"X": layer.array(X, W.dtype), "W": W, "b": b}


def like(X: Tensor, width: Any) -> Tuple[str, Tuple[Any, ...]]:
    """dtype and shape of as many rows of another width."""
    return X.dtype, (*X.shape[:-1], width)


@onnx_rule(linear_forward, row_wise=True)
def linear(layer: Layer, X: Value) -> Value:
    inputs = affine_inputs(layer, X)
    body = "Y = Gemm <transB = 1> (X, W, b)"
    return layer.node("Linear", body, inputs, Y=like(inputs["X"], inputs["b"].shape[0]))


@onnx_rule(*ACTIVATIONS, row_wise=True)
def activated(layer: Layer, X: Value) -> Value:
    name, formula = ACTIVATIONS[layer.forward]
    inputs = affine_inputs(layer, X)
    return layer.node(name, f"{AFFINE}\n{formula}", inputs, Y=like(inputs["X"], inputs["b"].shape[0]))


@onnx_rule(clipped_linear_forward, row_wise=True)
def clipped_linear(layer: Layer, X: Value) -> Value:
    inputs = affine_inputs(layer, X)
    for name in ("slope", "offset", "min_val", "max_val"):
        inputs[name] = layer.constant(name, layer.attrs[name], inputs["W"].dtype)
    body = f"{AFFINE}\nY = Min(Max(Add(Mul(A, slope), offset), min_val), max_val)"
    return layer.node("ClippedLinear", body, inputs, Y=like(inputs["X"], inputs["b"].shape[0]))


@onnx_rule(softmax_forward, row_wise=True)
def softmax(layer: Layer, X: Value) -> Value:
    inputs = affine_inputs(layer, X)
    declared = like(inputs["X"], inputs["b"].shape[0])
    if not layer.attrs["softmax_normalize"]:
        return layer.node("Linear", "Y = Gemm <transB = 1> (X, W, b)", inputs, Y=declared)
    if layer.attrs["softmax_temperature"] == 1.0:
        return layer.node("Softmax", f"{AFFINE}\nY = Softmax <axis = -1> (A)", inputs, Y=declared)
    inputs["temperature"] = layer.constant("temperature", layer.attrs["softmax_temperature"], inputs["W"].dtype)
    return layer.node("Softmax", f"{AFFINE}\nY = Softmax <axis = -1> (Div(A, temperature))", inputs, Y=declared)


@onnx_rule(multisoftmax_forward, row_wise=True)
def multisoftmax(layer: Layer, X: Value) -> Value:
    inputs = affine_inputs(layer, X)
    widths = list(layer.attrs["nOs"])
    parts = [f"A{i}" for i in range(len(widths))]
    body = f"{AFFINE}\n{', '.join(parts)} = Split <axis = -1> (A, {widths})\n"
    body += f"Y = Concat <axis = -1> ({', '.join(f'Softmax <axis = -1> ({part})' for part in parts)})"
    return layer.node("MultiSoftmax", body, inputs, Y=like(inputs["X"], inputs["b"].shape[0]))


@onnx_rule(maxout_forward, row_wise=True)
def maxout(layer: Layer, X: Value) -> Value:
    inputs = affine_inputs(layer, X)
    nO, nP, nI = inputs["W"].shape
    # The pieces side by side, so that the maximum is one of whole rows; weights are arranged when a model is loaded.
    body = f"""
        V = Reshape(Transpose <perm = [1, 0, 2]> (W), [-1, {nI}])
        A = Gemm <transB = 1> (X, V, Reshape(Transpose(b), [-1]))
        {", ".join(f"A{i}" for i in range(int(nP)))} = Split <axis = 1, num_outputs = {nP}> (A)
        Y = Max({", ".join(f"A{i}" for i in range(int(nP)))})
    """
    return layer.node("Maxout", body, inputs, Y=like(inputs["X"], nO))


@onnx_rule(layernorm_forward, row_wise=True)
def layernorm(layer: Layer, X: Value) -> Value:
    G = layer.param("G")
    inputs = {"X": layer.array(X, G.dtype), "G": G, "b": layer.param("b")}
    body = "Y = LayerNormalization <axis = -1, epsilon = 1e-8> (X, G, b)"
    return layer.node("LayerNorm", body, inputs, Y=(inputs["X"].dtype, inputs["X"].shape))


@onnx_rule(sigmoid_activation_forward, logistic_forward, row_wise=True)
def sigmoid_activation(layer: Layer, X: Value) -> Value:
    A = layer.array(X)
    return layer.node("SigmoidActivation", "Y = Sigmoid(Clip(A, -20.0, 20.0))", {"A": A}, Y=(A.dtype, A.shape))


@onnx_rule(softmax_activation_forward, row_wise=True)
def softmax_activation(layer: Layer, X: Value) -> Value:
    A = layer.array(X)
    return layer.node("SoftmaxActivation", "Y = Softmax <axis = -1> (A)", {"A": A}, Y=(A.dtype, A.shape))


@onnx_rule(noop_forward, dropout_forward, row_wise=True)
def identity(layer: Layer, X: Value) -> Value:
    """What predicts its input is no node."""
    return X


keeps_layers(noop_forward)


@onnx_rule(cauchy_similarity_forward)
def cauchy_similarity(layer: Layer, X: Value) -> Value:
    W = layer.param("W")
    X1, X2 = [layer.array(item, W.dtype) for item in X]  # type: ignore[union-attr]  # a pair, as the sample was
    body = """
        difference = Sub(X1, X2)
        total = ReduceSum <keepdims = 0> (Mul(Mul(difference, difference), W), [1])
        Y = Reciprocal(Add(total, 1.0))
    """
    return layer.node("CauchySimilarity", body, {"X1": X1, "X2": X2, "W": W}, Y=(W.dtype, X1.shape[:1]))
