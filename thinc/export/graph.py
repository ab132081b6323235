"""The walk over a model, with one rule for each forward function, that writes an ONNX graph.

A rule takes the place of a forward function: rule(layer, X) -> Y, with `Value`s in place of batches. It is found by
the forward function, never by the name of a layer. `layer.node` writes one node, whose body becomes a model-local
function: what a viewer shows is a graph of layers, each named by its path, with the operators inside.
"""

import inspect
import re
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple, Union

import numpy

from ..model import Model
from ..quantize import Quantized
from . import body as bodies
from .values import Dim, ExportError, Tensor, Value, describe, tensors_of

Rule = Callable[["Layer", Any], Any]
Declared = Tuple[str, Tuple[Dim, ...]]  # dtype and shape of an output
RowWise = Union[bool, Callable[[Model], bool]]

DOMAIN = "thinc"
_FLOAT_TYPES = {"float32": "float", "float64": "double"}


class _Entry(NamedTuple):
    rule: Rule
    row_wise: RowWise  # does a row of the result depend on that row of the input alone?


_RULES: Dict[Callable, _Entry] = {}
_REFUSALS: Dict[Callable, str] = {}


def onnx_rule(*forwards: Callable, row_wise: RowWise = False) -> Callable[[Rule], Rule]:
    """Register how layers with these forward functions are exported: a decorator for `rule(layer, X) -> Y`.

    `row_wise`: row i of Y depends on row i of X alone, so that lists may be treated as one array.

    forwards: of the layers.

    >>> import onnx
    >>> def forward(model, X, is_train):
    ...     return -X, lambda dY: -dY
    >>> @onnx_rule(forward, row_wise=True)
    ... def negated(layer, X):
    ...     X = layer.array(X)
    ...     return layer.node("Negated", "Y = Neg(X)", {"X": X}, Y=(X.dtype, X.shape))
    >>> to_onnx(Model("negated", forward), "negated.onnx", numpy.ones((2, 3), dtype="f")).operators
    ('Neg',)
    """

    def register(rule: Rule) -> Rule:
        for forward in forwards:
            _RULES[forward] = _Entry(rule, row_wise)
        return rule

    return register


def refuse(reason: str, *forwards: Callable) -> None:
    """Register why layers with these forward functions cannot be exported, and the way out."""
    for forward in forwards:
        _REFUSALS[forward] = reason


def forward_of(model: Model) -> Callable:
    """The forward function under what with_debug and the like have put around it."""
    return inspect.unwrap(model._func)


def kind_of(model: Model) -> str:
    """A short name of a layer for paths: that of the module of its forward function, unless that says nothing."""
    forward = forward_of(model)
    if forward in _RULES and (forward.__module__ or "").startswith("thinc.layers."):
        return forward.__module__.rpartition(".")[2]
    return re.sub(r"\W+", "_", model.name)[:40] or "layer"


def reason_against(model: Model) -> Optional[str]:
    """Why this one layer, its children apart, cannot be exported; None if it can."""
    forward = forward_of(model)
    if isinstance(forward, Quantized):
        return f"it is quantized to {forward.quantized}. Export the model that quantize() was given"
    if forward in _RULES:
        unset = [name for name in model.param_names if not model.has_param(name)]
        if unset:
            return f"its parameters {unset} are not set. Call model.initialize(X=..., Y=...), or load a trained model"
        return None
    if forward in _REFUSALS:
        return _REFUSALS[forward]
    if model.shims:
        return "it wraps a model of another framework. Export that one with its own exporter, and use OnnxWrapper"
    return (
        f"its forward function {forward.__module__}.{forward.__qualname__} has no rule. "
        "Write one: @thinc.export.onnx_rule(forward)"
    )


class Graph:
    """The graph as it grows: nodes, functions, parameters."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: List[Any] = []
        self.initializers: Dict[str, numpy.ndarray] = {}
        self.functions: Dict[Tuple[str, str], str] = {}  # (name wished for, text without a name) -> name
        self.texts: Dict[str, str] = {}
        self.protos: List[Any] = []  # functions of inlined graphs
        self.domains: Dict[str, int] = {"": opset}
        self.operators: Dict[Optional[Callable], Set[str]] = {}  # by forward function; None: what they share
        self._names: Set[str] = set()
        self._params: Dict[Tuple[int, str], Tensor] = {}
        self._rows: Dict[str, Tuple[Tensor, Tensor]] = {}

    def unique(self, name: str) -> str:
        """The name, or name#2 and so on where a layer is used again."""
        chosen, n = name, 1
        while chosen in self._names:
            n += 1
            chosen = f"{name}#{n}"
        self._names.add(chosen)
        return chosen

    def initializer(self, name: str, array: Any) -> Tensor:
        name = self.unique(name)
        array = numpy.ascontiguousarray(array)
        self.initializers[name] = array
        return Tensor(name, array.dtype.name, array.shape)

    def param(self, layer: "Layer", name: str) -> Tensor:
        """A parameter, once in the graph however often its layer is used."""
        key = (layer.model.id, name)
        if key not in self._params:
            array = layer.model.ops.to_numpy(layer.model.get_param(name))
            self._params[key] = self.initializer(f"{layer.path}/{name}", array)
        return self._params[key]

    def rows(self, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        """For each row the number of its sequence and its place there, (N,) both; made once for each `lengths`."""
        if lengths.name not in self._rows:
            path = f"{lengths.name}/rows"
            layer = Layer(self, None, path)  # type: ignore[arg-type]  # a node of its own, of no layer
            self._rows[lengths.name] = layer.node(
                "Rows", ROWS, {"lengths": lengths}, segment=("int64", ("N",)), position=("int64", ("N",))
            )
        return self._rows[lengths.name]

    def function(self, name: str, inputs: List[str], outputs: List[str], body: str) -> str:
        """The name of a function with this body: equal bodies are one function."""
        opsets = ", ".join(f'"{domain}": {version}' for domain, version in self._opsets_of(body).items())
        text = f"({', '.join(inputs)}) => ({', '.join(outputs)})\n{{\n{body}\n}}"
        key = (name, text)
        if key not in self.functions:
            chosen, n = name, 1
            while chosen in self.texts:
                n += 1
                chosen = f"{name}_{n}"
            self.functions[key] = chosen
            self.texts[chosen] = f'<domain: "{DOMAIN}", opset_import: [{opsets}]>\n{chosen} {text}'
        return self.functions[key]

    def _opsets_of(self, body: str) -> Dict[str, int]:
        if "ai.onnx.ml." in body:
            self.domains["ai.onnx.ml"] = 3
        return {domain: version for domain, version in self.domains.items() if not domain or f"{domain}." in body}


ROWS = """
    ends = CumSum(lengths, 0)
    starts = Sub(ends, lengths)
    filled = Squeeze(NonZero(Greater(lengths, 0)), [0])
    n = ReduceSum(lengths)
    zeros = ConstantOfShape <value = int64[1] {0}> (n)
    marks = ScatterND(zeros, Unsqueeze(Gather(starts, filled), [1]), Expand(1, Shape(filled)))
    segment = Gather(filled, Sub(CumSum(marks, 0), 1))
    position = Sub(Range(0, Squeeze(n), 1), Gather(starts, segment))
"""


class Layer:
    """A layer at its place in the walk: what a rule works with.

    graph: what is being built.  model: the layer.  path: of it in the tree.

    >>> import onnx
    >>> def forward(model, X, is_train):
    ...     return X * model.attrs["scale"], lambda dY: dY * model.attrs["scale"]
    >>> @onnx_rule(forward, row_wise=True)
    ... def scaled(layer, X):
    ...     X = layer.array(X)
    ...     scale = layer.constant("scale", layer.attrs["scale"], X.dtype)
    ...     return layer.node("Scaled", "Y = Mul(X, scale)", {"X": X, "scale": scale}, Y=(X.dtype, X.shape))
    >>> to_onnx(Model("scaled", forward, attrs={"scale": 3.0}), "scaled.onnx", numpy.ones((2, 3), dtype="f")).operators
    ('Mul',)
    """

    def __init__(self, graph: Graph, model: Model, path: str) -> None:
        self.graph = graph
        self.model = model
        self.path = path

    @property
    def forward(self) -> Callable:
        return forward_of(self.model)

    @property
    def attrs(self) -> Dict[str, Any]:
        return self.model.attrs

    def param(self, name: str) -> Tensor:
        """A parameter of the model, as an input of nodes."""
        return self.graph.param(self, name)

    def constant(self, name: str, value: Any, dtype: str) -> Tensor:
        """A number or an array that is no parameter, as an input of nodes."""
        return self.graph.initializer(f"{self.path}/{name}", numpy.asarray(value, dtype=dtype))

    def refuse(self, reason: str) -> ExportError:
        """The error that a rule raises for what it cannot do."""
        return ExportError(f"Cannot export {self.path}: {reason}")

    def array(self, X: Value, dtype: Optional[str] = None) -> Tensor:
        """X, which must be an array, in this dtype if one is given."""
        if not isinstance(X, Tensor):
            raise self.refuse(f"expected an array, got a {describe(X)}")
        return X if dtype is None else self.cast(X, dtype)

    def cast(self, X: Tensor, dtype: str) -> Tensor:
        if X.dtype == dtype:
            return X
        import onnx

        number = int(onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))
        return self.plain("Cast", [X], (dtype, X.shape), to=number)

    def run(self, index: int, X: Value) -> Any:
        """What child `index` makes of X."""
        return self.run_model(self.model.layers[index], index, X)

    def run_model(self, model: Model, index: int, X: Value) -> Any:
        layer = Layer(self.graph, model, f"{self.path}/{index}.{kind_of(model)}")
        reason = reason_against(model)
        if reason is not None:
            raise layer.refuse(reason)
        return _RULES[forward_of(model)].rule(layer, X)

    def plain(self, operator: str, inputs: List[Tensor], declared: Declared, **attributes: Any) -> Tensor:
        """One node of a standard operator, for layers that are no more than that."""
        self.used({operator})
        return self._add(operator, "", inputs, {"Y": declared}, attributes)[0]

    def node(
        self, name: str, body: str, inputs: Dict[str, Tensor], attributes: Dict[str, Any] = {}, **outputs: Declared
    ) -> Any:
        """One node whose operator is the function `name` with this body: its output, or a tuple of several.

        inputs and outputs: by their names in the body; an output is given as (dtype, shape). The body is ONNX text in
        which calls and numbers may be arguments (see body.py); floats in it have the type of the first float input.
        `attributes` may be referred to in the body as @name.
        """
        floats = [tensor.dtype for tensor in inputs.values() if tensor.is_float]
        try:
            text = bodies.expand(body, _FLOAT_TYPES[floats[0]] if floats else "float")
        except SyntaxError as e:
            raise self.refuse(str(e)) from e
        parameters = f"<{', '.join(attributes)}>" if attributes else ""
        self.used(re.findall(r"= (?:ai\.onnx\.ml\.)?([A-Z]\w*) ?[<(]", text))
        operator = self.graph.function(name, list(inputs), list(outputs), text)
        if parameters:
            self.graph.texts[operator] = self.graph.texts[operator].replace(
                f"{operator} (", f"{operator} {parameters} (", 1
            )
        made = self._add(operator, DOMAIN, list(inputs.values()), outputs, attributes)
        return made[0] if len(made) == 1 else tuple(made)

    def used(self, operators: Iterable[str]) -> None:
        """Note which operators the layer is made of."""
        self.graph.operators.setdefault(self.forward if self.model else None, set()).update(operators)

    def _add(
        self, operator: str, domain: str, inputs: List[Tensor], outputs: Dict[str, Declared], attributes: Dict[str, Any]
    ) -> List[Tensor]:
        import onnx

        name = self.graph.unique(self.path)
        made = [Tensor(self.graph.unique(f"{name}/{key}"), *declared) for key, declared in outputs.items()]
        node = onnx.helper.make_node(
            operator,
            [tensor.name for tensor in inputs],
            [tensor.name for tensor in made],
            name=name,
            domain=domain,
            **attributes,
        )
        self.graph.nodes.append(node)
        return made


def is_row_wise(model: Model) -> bool:
    """Whether a row of what the model returns depends on that row of its input alone."""
    for node in model.walk():
        entry = _RULES.get(forward_of(node))
        if entry is None or not (entry.row_wise(node) if callable(entry.row_wise) else entry.row_wise):
            return False
    return True


def check_layers(model: Model) -> None:
    """ExportError for the first layer that has no rule or no parameters. Layers that a noop only keeps do not count."""

    def visit(node: Model, path: str) -> None:
        reason = reason_against(node)
        if reason is not None:
            raise ExportError(f"Cannot export {path}: {reason}")
        for i, child in enumerate(node.layers if forward_of(node) not in _UNVISITED else []):
            visit(child, f"{path}/{i}.{kind_of(child)}")

    visit(model, kind_of(model))


# Forward functions that keep layers without running them.
_UNVISITED: Set[Callable] = set()


def keeps_layers(forward: Callable) -> None:
    """Say of a forward function that it does not run its children."""
    _UNVISITED.add(forward)


def build(model: Model, X: Value, opset: int) -> Tuple[Graph, Value]:
    """Walk the model: the graph, and the value it returns."""
    graph = Graph(opset)
    for _, tensor in tensors_of(X, "X"):
        graph.unique(tensor.name)
    layer = Layer(graph, model, kind_of(model))
    return graph, _RULES[forward_of(model)].rule(layer, X)


__all__ = [
    "DOMAIN",
    "Graph",
    "Layer",
    "build",
    "check_layers",
    "forward_of",
    "is_row_wise",
    "keeps_layers",
    "kind_of",
    "onnx_rule",
    "reason_against",
    "refuse",
]
