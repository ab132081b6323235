from typing import Callable, Optional, Tuple, TypeVar, Union, cast

from ..config import registry
from ..model import Model
from ..types import Array2d, List2d, Padded, Ragged
from ._views import NUMPY_OPS, as_array2d, copy_dims, dims_of, init_through, run_through

__all__ = ["NUMPY_OPS", "forward", "init", "with_array2d"]

ValT = TypeVar("ValT", bound=Array2d)
SeqT = TypeVar("SeqT", bound=Union[Padded, Ragged, List2d, Array2d])


@registry.layers("with_array2d.v1")
def with_array2d(layer: Model[ValT, ValT], pad: int = 0) -> Model[SeqT, SeqT]:
    """A layer for matrices, applied to all rows of a list, Ragged or Padded at once.

    As `with_array`, but the items of a Ragged are flattened to rows, and the steps and
    columns (T, B, nI) of a Padded become T * B rows, padding included.

    layer: matrix -> matrix.  pad: rows of zeros around the sequences of a list.

    >>> Xp = list2padded().predict([numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")])
    >>> with_array2d(Linear(4)).initialize(Xp).predict(Xp).data.shape
    (5, 2, 4)
    """
    return Model(
        f"with_array({layer.name})", forward, init=init, layers=[layer], attrs={"pad": pad}, dims=dims_of(layer)
    )


def forward(model: Model[SeqT, SeqT], Xseq: SeqT, is_train: bool) -> Tuple[SeqT, Callable]:
    if isinstance(Xseq, Ragged):
        return cast(Tuple[SeqT, Callable], _ragged_forward(model, Xseq, is_train))
    return run_through(as_array2d, model, Xseq, is_train, pad=model.attrs["pad"])


def _ragged_forward(model: Model[SeqT, SeqT], Xr: Ragged, is_train: bool) -> Tuple[Ragged, Callable]:
    layer = model._layers[0]
    X, restore = as_array2d(layer.ops, Xr)
    Y, backprop_layer = layer(X, is_train)

    def backprop(dYr: Ragged) -> Ragged:
        dX = backprop_layer(as_array2d(layer.ops, dYr)[0])
        return Ragged(dX.reshape(Xr.dataXd.shape), Xr.lengths)

    return cast(Callable, restore)(Y), backprop


def init(model: Model[SeqT, SeqT], X: Optional[SeqT] = None, Y: Optional[SeqT] = None) -> None:
    init_through(as_array2d, model, X, Y, pad=model.attrs["pad"])
    copy_dims(model)
