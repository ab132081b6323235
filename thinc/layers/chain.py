from typing import Any, Callable, List, Optional, Tuple, TypeVar, cast, overload

from ..config import registry
from ..model import Model, initializing
from ..model._errors import note_layer
from ..types import XY_YZ_OutT
from ..util import get_width, is_xp_array, validates
from ._views import check_target, first_rows
from .expand_window import READERS, expand_array
from .expand_window import forward as expand_window_forward

__all__ = ["chain", "chain_no_types", "forward", "init"]

InT = TypeVar("InT")
MidT = TypeVar("MidT")
OutT = TypeVar("OutT")
Mid2T = TypeVar("Mid2T")
Mid3T = TypeVar("Mid3T")
Mid4T = TypeVar("Mid4T")
Mid5T = TypeVar("Mid5T")


@registry.layers("chain.v1")
def chain_no_types(*layer: Model) -> Model:
    """`chain` for the config system, which gives any number of layers as one list."""
    return chain(*layer)


# To type checkers each of six layers takes what the one before gives; the plugin for mypy looks at any number.
@overload
def chain(layer1: Model[InT, MidT], layer2: Model[MidT, OutT]) -> Model[InT, OutT]: ...
@overload
def chain(layer1: Model[InT, MidT], layer2: Model[MidT, Mid2T], layer3: Model[Mid2T, OutT], /) -> Model[InT, OutT]: ...
@overload
def chain(
    layer1: Model[InT, MidT], layer2: Model[MidT, Mid2T], layer3: Model[Mid2T, Mid3T], layer4: Model[Mid3T, OutT], /
) -> Model[InT, OutT]: ...
@overload
def chain(
    layer1: Model[InT, MidT],
    layer2: Model[MidT, Mid2T],
    layer3: Model[Mid2T, Mid3T],
    layer4: Model[Mid3T, Mid4T],
    layer5: Model[Mid4T, OutT],
    /,
) -> Model[InT, OutT]: ...
@overload
def chain(
    layer1: Model[InT, MidT],
    layer2: Model[MidT, Mid2T],
    layer3: Model[Mid2T, Mid3T],
    layer4: Model[Mid3T, Mid4T],
    layer5: Model[Mid4T, Mid5T],
    layer6: Model[Mid5T, OutT],
    /,
) -> Model[InT, OutT]: ...
@overload
def chain(
    layer1: Model[InT, MidT],
    layer2: Model[MidT, Mid2T],
    layer3: Model[Mid2T, Mid3T],
    layer4: Model[Mid3T, Mid4T],
    layer5: Model[Mid4T, Mid5T],
    layer6: Model[Mid5T, Any],
    /,
    *layers: Model[Any, Any],
) -> Model[InT, Any]: ...
def chain(layer1: Model[InT, MidT], layer2: Model[MidT, Any], *layers: Model[Any, Any]) -> Model[InT, XY_YZ_OutT]:
    """Composition: chain(f, g, h)(X) = h(g(f(X))).

    A layer whose nO is set may not be followed by one whose nI is set to something
    else: that is a ValueError here, or when the chain is initialized.
    layer1, layer2, layers: f, g, h, …  With `Model.define_operators({">>": chain})` one writes f >> g >> h.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = chain(Relu(4), Relu(4), Softmax(2)).initialize(X)
    >>> model, model.predict(X).shape
    (<Model 'relu>>relu>>softmax': nO=2, nI=3, 46 parameters>, (5, 2))
    """
    all_layers: List[Model] = [layer1, layer2, *layers]
    for index in range(1, len(all_layers)):
        _check_fit(all_layers, index)
    dims = {"nO": all_layers[-1].maybe_get_dim("nO")}
    if layer1.has_dim("nI") is not False:
        dims["nI"] = layer1.maybe_get_dim("nI")
    name = ">>".join(layer.name for layer in all_layers)
    func = forward_windows if _reads_windows(all_layers) else forward
    return Model(name, func, init=init, dims=dims, layers=all_layers)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    return _run(model._layers, X, is_train) if is_train else _predict(model._layers, X)


def forward_windows(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    """The same where an expand_window meets a Maxout, which reads the windows of one sequence where they lie."""
    layers, array = model._layers, cast(Any, X)
    if not (is_xp_array(X) and array.ndim == 2 and array.dtype.kind == "f" and _reads_windows(layers)):
        return forward(model, X, is_train)
    windows, backprop_windows = expand_array(layers[0], array, layers[0].ops.windows)
    Y, backprop_rest = _run(layers[1:], windows, True) if is_train else _predict(layers[1:], windows)
    return Y, lambda dY: backprop_windows(backprop_rest(dY))


# Forward functions that run their layers one after the other.
IN_SERIES: List[Callable] = [forward, forward_windows]


def _reads_windows(layers: List[Model]) -> bool:
    """Whether an expand_window comes first, and then a layer that reads its windows, or what begins with one."""
    if len(layers) < 2 or layers[0]._func is not expand_window_forward:
        return False
    layer = layers[1]
    while layer._layers and forward_of(layer) in IN_SERIES:
        layer = layer._layers[0]
    return forward_of(layer) in READERS


def forward_of(layer: Model) -> Callable:
    """The forward function; of a quantized layer that which it was made of."""
    return getattr(layer._func, "forward", layer._func)


def _run(layers: List[Model], X: Any, is_train: bool) -> Tuple[Any, Callable]:
    Y: Any = X
    callbacks = []
    for layer in layers:
        Y, callback = layer(Y, is_train)
        callbacks.append(callback)

    def backprop(dY: Any) -> Any:
        dX = dY
        for callback in reversed(callbacks):
            dX = callback(dX)
        return dX

    return Y, backprop


def _predict(layers: List[Model], X: Any) -> Tuple[Any, Callable]:
    """Keep no callbacks: what lies between two layers is freed once it is used.

    Whoever wants the gradient of a prediction pays for it with a second forward pass.
    """
    Y: Any = X
    for layer in layers:
        Y = layer.predict(Y)

    def backprop(dY: Any) -> Any:
        return _run(layers, X, False)[1](dY)

    return Y, backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    """Initialize each layer with what the layers before it make of X.

    A layer whose nO is unset is given Y as well, so that it can take its width from
    there.  ValueError for a Y of floats that is wider or narrower than what the last gives.
    """
    layers = model.layers
    if layers:
        check_target(layers[-1], _stated_width(layers[-1]), Y)
    _init_and_predict(model, X, Y)


# A chain without samples initializes its layers twice, so chains in one another would take 2 to the power of their
# depth: from this depth on once.
_DEEP = 12


def _init_and_predict(model: Model[InT, OutT], X: Optional[InT], Y: Optional[OutT]) -> Any:
    """The work of `init`; answers with what the chain makes of X, which is known by then."""
    layers = model.layers
    if X is None and Y is None and initializing.get() <= _DEEP:
        # The result is the same but for the random numbers drawn: a seed gives the
        # parameters it always gave.
        for layer in layers:
            layer.initialize()
        _copy_dim(model, "nI", layers[:1])
        _copy_dim(model, "nO", layers[-1:])
    current: Any = X
    for index, layer in enumerate(layers):
        if index:
            _check_fit(layers, index, current)
        current = _initialize_and_predict(layer, current, Y if layer.has_dim("nO") is None else None)
    _copy_dim(model, "nI", layers[:1])
    if model.has_dim("nO") is None:
        try:
            model.set_dim("nO", get_width(current))
        except ValueError:
            _copy_dim(model, "nO", layers[-1:])
    return current


def _initialize_and_predict(layer: Model, X: Any, Y: Any) -> Any:
    """What a layer makes of X once it is initialized. A chain need not be asked again, and all that lies in it."""
    if X is not None and layer.init is init and layer._func in (forward, forward_windows) and not validates():
        try:
            return _init_and_predict(layer, X, Y)
        except Exception as error:
            note_layer(error, layer, X)
            raise
    layer.initialize(X=X, Y=Y)
    return None if X is None else layer.predict(X)


def _copy_dim(model: Model, name: str, source: List[Model]) -> None:
    for layer in source:
        if layer.has_dim(name) and model.has_dim(name) is not False:
            model.set_dim(name, layer.get_dim(name))


def _check_fit(layers: List[Model], index: int, X: Any = None) -> None:
    """Complain if a layer takes another width than the one before it gives.

    Only neighbours that both state a width are compared. X is what the second will be
    given, if known; where it has the wanted width, what the first states is beside the
    point.
    """
    wanted = layers[index].maybe_get_dim("nI")
    if wanted is None:
        return
    given = _stated_width(layers[index - 1])
    if given is None or given == wanted or _row_width(X) == wanted:
        return
    raise ValueError(
        f"chain: layer '{layers[index - 1].name}' ({index - 1}) gives nO={given} but "
        f"layer '{layers[index].name}' ({index}) expects nI={wanted}. Make them equal, "
        "or leave one of them unset to have it inferred."
    )


def _stated_width(layer: Model) -> Optional[int]:
    while "resize_layer" in layer.attrs:  # its own dims are those before it was resized
        layer = layer.layers[0]
    width = layer.maybe_get_dim("nO")
    directions = layer.maybe_get_dim("dirs")
    if width is not None and directions:  # an LSTM has equal widths in each direction
        width -= width % directions
    return width


def _row_width(X: Any) -> Optional[int]:
    rows = first_rows(X)
    return rows.shape[-1] if getattr(rows, "ndim", 0) >= 2 else None
