from typing import Callable, Optional, Tuple

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ints2d
from ..util import is_xp_array
from ._views import refusal

__all__ = ["forward", "init", "uniqued"]

InT = Ints2d
OutT = Floats2d


@registry.layers("uniqued.v1")
def uniqued(layer: Model, *, column: int = 0) -> Model[InT, OutT]:
    """Y = f(X), with f run once for each value of one column.  X (N, C) -> Y (N, O).

    Right for a layer that looks at that column only: equal keys get equal rows.
    layer: f.  column: of the keys.

    >>> ids = numpy.array([[5], [5], [5], [8]], dtype="uint64")
    >>> model = uniqued(HashEmbed(nO=3, nV=100, column=0)).initialize(ids)
    >>> model.predict(ids).shape  # two rows were looked up
    (4, 3)
    """
    return Model(
        f"uniqued({layer.name})",
        forward,
        init=init,
        layers=[layer],
        dims={"nO": None, "nI": None},
        attrs={"column": column},
    )


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    layer = model._layers[0]
    is_array = is_xp_array(X)
    if is_array and X.size < 2:
        return layer(X, is_train)
    ops = model.ops
    if not is_array or X.ndim != 2:
        raise refusal("uniqued: expected X (N, C)", X)
    keys = ops.as_contig(X[:, model.attrs["column"]])
    _, first, inverse, counts = ops.xp.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    Y_unique, backprop_layer = layer(X[first], is_train)

    def backprop(dY: OutT) -> InT:
        dY_unique = ops.xp.zeros(Y_unique.shape, dtype=dY.dtype)
        ops.scatter_add(dY_unique, ops.asarray1i(inverse), dY)
        dX_unique = backprop_layer(dY_unique)
        if getattr(dX_unique, "shape", None) is None or not dX_unique.size:
            return dX_unique
        # The gradient of a value is shared out equally among the rows that have it.
        shares = counts.reshape((-1,) + (1,) * (dX_unique.ndim - 1))
        return (dX_unique / shares)[inverse]

    return Y_unique[inverse], backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    layer = model.layers[0]
    layer.initialize(X=X, Y=Y)
    for name in ("nI", "nO"):
        if layer.has_dim(name):
            model.set_dim(name, layer.get_dim(name))
