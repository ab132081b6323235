"""Models for prediction alone, whose weights take half or a quarter of the space.

    small = quantize(model, "int8")
    small.to_disk(path)
    quantize(build_model(), "int8").from_disk(path)

How the numbers are stored and computed with stands in backends/_quantized.py. A rule says of a forward function which
of its parameters the ops that it hands them to take in fewer bits; a layer without a rule stays as it is.
"""

import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, TypeVar

import numpy

from .backends._lstm import split_weights
from .backends._quantized import MOST_INT8_INPUTS, SCALE_BYTES, int8_lstm, to_int8_rows
from .layers.cauchysimilarity import forward as cauchysimilarity_forward
from .layers.clipped_linear import forward as clipped_linear_forward
from .layers.dish import forward as dish_forward
from .layers.embed import forward as embed_forward
from .layers.gelu import forward as gelu_forward
from .layers.hard_swish import forward as hard_swish_forward
from .layers.hard_swish_mobilenet import forward as hard_swish_mobilenet_forward
from .layers.hashembed import forward as hashembed_forward
from .layers.layernorm import forward as layernorm_forward
from .layers.linear import forward as linear_forward
from .layers.lstm import forward as lstm_forward
from .layers.maxout import forward as maxout_forward
from .layers.maxout import forward_normalized
from .layers.mish import forward as mish_forward
from .layers.multisoftmax import forward as multisoftmax_forward
from .layers.parametricattention import forward as attention_forward
from .layers.parametricattention_v2 import forward as attention_v2_forward
from .layers.relu import forward as relu_forward
from .layers.sigmoid import forward as sigmoid_forward
from .layers.softmax import forward as softmax_forward
from .layers.swish import forward as swish_forward
from .model import Model
from .model._observe import places

ModelT = TypeVar("ModelT", bound=Model)
KINDS = ("float16", "int8")


class Kept(NamedTuple):
    """A layer that stays float: where it stands, and why."""

    path: str
    name: str
    reason: str


class _Rule(NamedTuple):
    params: Tuple[str, ...]
    int8: Callable[[Model, Any], Any]  # the parameter in int8
    axis: Callable[[Any, Dict[str, int]], int]  # how long its last axis is then, from its statement in `holds`
    widths: Callable[[Model, Any], List[int]]  # how many numbers are under one scale


_RULES: Dict[Callable, _Rule] = {}
_VECTORS = {layernorm_forward, cauchysimilarity_forward}  # what they hold is small, and stays as exact as it is


def quantize_rule(forward: Callable, *params: str) -> None:
    """Register which parameters of layers with this forward function `quantize` may store in fewer bits.

    They must be matrices (..., O, I) or tables (V, O) that `forward` hands as they are to `ops.affine`,
    `ops.affine_maxout`, `ops.affine_maxout_layer_norm`, `ops.embed`, or with tables of int8 to
    `ops.gather_add_int8` and `ops.hash_embed_int8`.

    forward: of the layers.  params: names of those parameters.

    >>> def forward(model, X, is_train):
    ...     return model.ops.affine(X, model.get_param("W"), model.get_param("b")), None
    >>> quantize_rule(forward, "W")
    >>> W, b = numpy.ones((2, 3), dtype="f"), numpy.zeros(2, dtype="f")
    >>> mine = Model("mine", forward, params={"W": W, "b": b})
    >>> quantize(mine, "float16").predict(numpy.ones((1, 3), dtype="f"))
    array([[3., 3.]], dtype=float32)
    """
    _RULES[forward] = _Rule(params, _int8_rows, _int8_row, lambda model, array: [array.shape[-1]])


def _int8_rows(model: Model, array: Any) -> Any:
    return to_int8_rows(model.ops.xp, array)


def _int8_row(axis: Any, dims: Dict[str, int]) -> int:
    return (dims[axis] if isinstance(axis, str) else axis(dims)) + SCALE_BYTES


# The LSTM has matrices and biases in one vector.


def _int8_lstm(model: Model, array: Any) -> Any:
    return int8_lstm(model.ops.xp, _lstm_weights(model, array))


def _lstm_weights(model: Model, array: Any) -> List[List[Any]]:
    directions = model.get_dim("dirs")
    width = model.get_dim("nO") // directions
    return split_weights(array, model.get_dim("depth"), directions, width, model.get_dim("nI"))


def _int8_lstm_size(axis: Any, dims: Dict[str, int]) -> int:
    biases = 8 * (dims["nO"] // dims["dirs"]) * dims["dirs"] * dims["depth"]  # two for each gate, as are its rows
    return axis(dims) + biases * (SCALE_BYTES + 4 - 1)


def _lstm_widths(model: Model, array: Any) -> List[int]:
    layers = _lstm_weights(model, array)
    return [W.shape[-1] for layer in layers for weights in layer for W in (weights.Wx, weights.Wh)]


for _forward in (
    linear_forward,
    relu_forward,
    sigmoid_forward,
    swish_forward,
    gelu_forward,
    mish_forward,
    dish_forward,
    hard_swish_forward,
    hard_swish_mobilenet_forward,
    clipped_linear_forward,
    softmax_forward,
    multisoftmax_forward,
    maxout_forward,
):
    quantize_rule(_forward, "W")
for _forward in (embed_forward, hashembed_forward):
    quantize_rule(_forward, "E")
for _forward in (attention_forward, attention_v2_forward):
    quantize_rule(_forward, "Q")
quantize_rule(forward_normalized)  # which reads the parameters of its layers
_RULES[lstm_forward] = _Rule(("LSTM",), _int8_lstm, _int8_lstm_size, _lstm_widths)


class Quantized:
    """The forward function of a quantized layer: that of the layer, for prediction alone."""

    def __init__(self, forward: Callable, kind: str) -> None:
        self.forward = forward
        self.quantized = kind  # (which to_safetensors writes down)
        self.__module__ = forward.__module__
        rule, shapes = _RULES[forward], dict(getattr(forward, "param_shapes", {}))
        if kind == "int8":
            for name in rule.params:
                *axes, last = shapes.get(name, (None,))
                if last is not None:
                    shapes[name] = (*axes, lambda dims, last=last: rule.axis(last, dims))
        self.param_shapes = shapes

    def __reduce__(self) -> Any:
        return Quantized, (self.forward, self.quantized)

    def __call__(self, model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        def refuse(dY: Any = None) -> Any:
            raise ValueError(
                f"Layer '{model.name}' is quantized to {self.quantized}: it predicts, and cannot be trained. Train the "
                "model that quantize() was given, and quantize it again"
            )

        if is_train:
            refuse()
        return self.forward(model, X, False)[0], refuse


def _refuse_init(model: Model, X: Any = None, Y: Any = None) -> None:
    raise ValueError(
        f"Layer '{model.name}' is quantized: its parameters come from a trained model or a file. Initialize the model "
        "before quantize(), or load it with from_bytes, from_disk or from_safetensors"
    )


def quantize(model: ModelT, kind: str) -> ModelT:
    """A copy for prediction whose dense weights and tables are stored in "float16" or "int8".

    float16: half the size, computed in float32. int8: a quarter; each row of weights and of inputs is rounded to 8
    bits, w ~ q max|w| / 127, and products are sums of integers: no data is needed for it. Vectors (biases, norms) stay
    float, and layers without a rule (see `quantize_rule`), which a UserWarning names and `kept_float` returns.

    The copy saves and loads in any format, into `quantize(build(), kind)`; it cannot be trained. ValueError for another
    kind, weights that are infinite, NaN or too large for float16, a model on a GPU or one that is quantized already.

    model: any tree of layers.  kind: "float16" or "int8".

    >>> model = chain(Relu(64, 32), Linear(8, 64)).initialize()
    >>> small = quantize(model, "int8")
    >>> small.layers[0].get_param("W").dtype, len(small.to_bytes()) < len(model.to_bytes()) / 2
    (dtype('int8'), True)
    """
    if kind not in KINDS:
        raise ValueError(f"quantize: expected one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    for node in model.walk():
        if isinstance(node._func, Quantized):
            raise ValueError(f"quantize: layer '{node.name}' is quantized to {node._func.quantized} already")
        if node.ops.device_type != "cpu":
            raise ValueError(f"quantize: layer '{node.name}' is on a GPU. Call model.to_cpu() first")
    small = model.copy()
    for node in small.walk():
        if node._func in _RULES and _reason_against(node, kind) is None:
            quantize_layer(node, kind)
    kept = kept_float(small)
    if kept:
        layers = "; ".join(f"{path} '{name}': {reason}" for path, name, reason in kept)
        warnings.warn(f"quantize: {len(kept)} layer(s) stay float. {layers}", UserWarning, stacklevel=2)
    return small


def quantize_layer(node: Model, kind: str) -> None:
    """Quantize the parameters of one layer that has a rule, as far as they are set, in place."""
    if kind not in KINDS or node._func not in _RULES:
        raise ValueError(
            f"Layer '{node.name}' has no rule for {kind!r}, to which it is quantized in the file. Register that of its "
            "forward function before loading (thinc.quantize.quantize_rule), or upgrade thinc"
        )
    rule = _RULES[node._func]
    arrays = {name: node.get_param(name) for name in rule.params if node.has_param(name)}
    for name, array in arrays.items():
        narrow = _narrowed(node, rule, name, array, kind)
        node._has_params[name] = None
        arrays[name] = narrow
    node.replace_callbacks(Quantized(node._func, kind), init=_refuse_init)
    for name, array in arrays.items():
        node.set_param(name, array)


def _narrowed(node: Model, rule: _Rule, name: str, array: Any, kind: str) -> Any:
    numbers = numpy.asarray(array)
    limit = 65504 if kind == "float16" else numpy.inf  # 65520 would be rounded to infinity
    if not numpy.isfinite(numbers).all() or (abs(numbers) > limit).any():
        worst = numbers.ravel()[int(numpy.nan_to_num(abs(numbers.ravel()), nan=numpy.inf).argmax())]
        raise ValueError(f"quantize: parameter '{name}' of layer '{node.name}' has a {worst}, which {kind} cannot hold")
    if kind == "int8":
        return rule.int8(node, array)
    narrow = node.ops.alloc(array.shape, dtype="float16", zeros=False)  # on cache lines
    narrow[...] = array
    return narrow


def kept_float(model: Model) -> List[Kept]:
    """The layers of a quantized model whose parameters stay float though they are no vectors, each with the reason.

    model: quantized, or one that is to be.

    >>> kept_float(chain(Linear(2, 3), Model("mine", noop()._func, params={"W": None})).initialize())[0].path
    'layers.1'
    """
    kinds = {node._func.quantized for node in model.walk() if isinstance(node._func, Quantized)} or KINDS
    kept = []
    for place in places(model):
        node = place.node
        if isinstance(node._func, Quantized) or place.repeated or not (node.param_names or node.shims):
            continue
        reason = next(filter(None, (_reason_against(node, kind) for kind in kinds)), None)
        if reason is not None:
            kept.append(Kept(place.path, node.name, reason))
    return kept


def _reason_against(node: Model, kind: str) -> Optional[str]:
    """Why a layer stays float; None if it need not, or has vectors alone."""
    if node.shims:
        return "it wraps a model of another framework"
    if node._func in _VECTORS:
        return None
    rule = _RULES.get(node._func)
    if rule is None:
        module, name = node._func.__module__, getattr(node._func, "__qualname__", type(node._func).__name__)
        return f"{module}.{name} has no rule. Register one: thinc.quantize.quantize_rule"
    for name in rule.params:
        array: Any = node.maybe_get_param(name)
        if array is None:
            continue
        if array.dtype != "float32":
            return f"its parameter '{name}' is {array.dtype}, and float32 is expected"
        if kind == "int8" and max(rule.widths(node, array), default=0) > MOST_INT8_INPUTS:
            return f"its rows have more than {MOST_INT8_INPUTS} numbers"
    return None


__all__ = ["Kept", "Quantized", "kept_float", "quantize", "quantize_rule"]
