from typing import Any, Callable, List, Sequence, Tuple, TypeVar, Union, cast

from ..config import registry
from ..model import Model
from ..types import ArrayXd, Padded, Ragged

__all__ = ["Dropout", "forward"]

InT = TypeVar("InT", bound=Union[ArrayXd, Sequence[ArrayXd], Ragged, Padded])


@registry.layers("Dropout.v1")
def Dropout(rate: float = 0.0) -> Model[InT, InT]:
    """In training, Y = X * mask: 0 with probability `rate`, else 1 / (1 - rate).

    X is an array, a Ragged, a Padded, or a sequence of arrays; Y is of the same kind (a
    list for a sequence).  Predicting passes X through, and so does
    `model.attrs["is_enabled"] = False`. Srivastava et al. 2014, "Dropout: a simple way
    to prevent neural networks from overfitting".
    """
    return Model("dropout", forward, attrs={"dropout_rate": rate, "is_enabled": True})


def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    attrs = model.attrs
    rate = attrs["dropout_rate"]
    if not (is_train and rate and attrs["is_enabled"]):
        return X, _unchanged
    if isinstance(X, Ragged):
        return cast(Tuple[InT, Callable], _ragged(model, X, rate))
    elif isinstance(X, Padded):
        return cast(Tuple[InT, Callable], _padded(model, X, rate))
    elif isinstance(X, (list, tuple)) or isinstance(X, Sequence):
        return cast(Tuple[InT, Callable], _sequence(model, X, rate))
    else:
        return cast(Tuple[InT, Callable], _array(model, cast(ArrayXd, X), rate))


def _unchanged(dY: Any) -> Any:
    return dY


def _array(model: Model, X: ArrayXd, rate: float) -> Tuple[ArrayXd, Callable]:
    mask = model.ops.get_dropout_mask(X.shape, rate)

    def backprop(dY: ArrayXd) -> ArrayXd:
        return dY * mask

    return cast(ArrayXd, X * mask), backprop


def _ragged(model: Model, Xr: Ragged, rate: float) -> Tuple[Ragged, Callable]:
    mask = model.ops.get_dropout_mask(Xr.data.shape, rate)

    def masked(Ar: Ragged) -> Ragged:
        return Ragged((Ar.data * mask).reshape(Ar.dataXd.shape), Ar.lengths)

    return masked(Xr), masked


def _padded(model: Model, Xp: Padded, rate: float) -> Tuple[Padded, Callable]:
    mask = model.ops.get_dropout_mask(Xp.data.shape, rate)

    def backprop(dYp: Padded) -> Padded:
        return Padded(dYp.data * mask, dYp.size_at_t, dYp.lengths, dYp.indices)

    return Padded(Xp.data * mask, Xp.size_at_t, Xp.lengths, Xp.indices), backprop


def _sequence(model: Model, Xs: Sequence[ArrayXd], rate: float) -> Tuple[List[ArrayXd], Callable]:
    masks = [model.ops.get_dropout_mask(X.shape, rate) for X in Xs]

    def backprop(dYs: Sequence[ArrayXd]) -> List[ArrayXd]:
        return [dY * mask for dY, mask in zip(dYs, masks)]

    return [X * mask for X, mask in zip(Xs, masks)], backprop
