from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

from ..config import registry
from ..model import Model
from ..types import Floats2d
from ._views import dims_of

__all__ = ["forward", "init", "resizable", "resize_linear_weighted", "resize_model"]

InT = TypeVar("InT")
OutT = TypeVar("OutT")


@registry.layers("resizable.v1")
def resizable(layer: Model[InT, OutT], resize_layer: Callable[..., Any]) -> Model[InT, OutT]:
    """Y = f(X), where `resize_model` can give f more outputs later on.

    `resize_layer(layer, new_nO)` returns the layer that takes f's place.

    layer: f.

    >>> from thinc.layers.resizable import resize_linear_weighted, resize_model
    >>> model = resizable(Linear(2, 3), resize_linear_weighted).initialize()
    >>> resize_model(model, 5).layers[0]
    <Model 'linear': nO=5, nI=3, 20 parameters>
    """
    return Model(
        f"resizable({layer.name})",
        forward,
        init=init,
        layers=[layer],
        attrs={"resize_layer": resize_layer},
        dims=dims_of(layer),
    )


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    return model._layers[0](X, is_train)


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    layer = model.layers[0]
    if layer.has_dim("nO") is None:
        layer.initialize(X=X, Y=Y)
    else:
        layer.initialize(X=X)


def resize_model(model: Model[InT, OutT], new_nO: int) -> Model[InT, OutT]:
    """Put the resized layer in the place of the old; the dims of `model` stay."""
    model.layers[0] = model.attrs["resize_layer"](model.layers[0], new_nO)
    return model


def resize_linear_weighted(
    layer: Model[Floats2d, Floats2d], new_nO: int, *, fill_defaults: Optional[Dict[str, Any]] = None
) -> Model[Floats2d, Floats2d]:
    """A layer with new_nO outputs, the first of which are those of `layer`.

    For layers whose parameters have a row per output, such as Linear, Softmax and
    SparseLinear.  New rows are zero, or `fill_defaults[name]` for a parameter; fewer outputs than
    there are rows are a ValueError.
    """
    assert not layer.layers, "resize_linear_weighted: the layer may have no children"
    assert not layer.ref_names, "resize_linear_weighted: the layer may have no refs"
    assert not layer.shims, "resize_linear_weighted: the layer may have no shims"
    old_nO = layer.maybe_get_dim("nO")
    if old_nO is None:
        layer.set_dim("nO", new_nO)
        return layer
    elif new_nO == old_nO:
        return layer
    elif new_nO < old_nO and any(map(layer.has_param, layer.param_names)):
        raise ValueError(
            f"resize_linear_weighted: cannot shrink '{layer.name}' from {old_nO} to "
            f"{new_nO} outputs. Build a new layer instead."
        )
    elif layer.has_dim("nI") is None:  # no parameters to keep
        layer.set_dim("nO", new_nO, force=True)
        return layer
    larger: Model[Floats2d, Floats2d] = Model(
        layer.name,
        layer._func,
        init=layer.init,
        dims={**dims_of(layer), "nO": new_nO},
        params={name: None for name in layer.param_names},
        attrs=layer.attrs,
        ops=layer.ops,  # type: ignore[arg-type]  # any backend will do
    )
    larger.initialize()
    for name in layer.param_names:
        if layer.has_param(name):
            rows: Any = larger.get_param(name)
            # Not old_nO: SparseLinear keeps its rows one after another in one axis.
            old_rows = layer.get_param(name)
            rows[: len(old_rows)] = old_rows
            rows[len(old_rows) :] = (fill_defaults or {}).get(name, 0)
            larger.set_param(name, rows)
    return larger
