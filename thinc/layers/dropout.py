from numbers import Real
from typing import Any, Callable, List, Sequence, Tuple, TypeVar, Union

from ..config import registry
from ..model import Model
from ..types import ArrayXd, Padded, Ragged
from ..util import is_xp_array
from ._views import map_data, refusal

__all__ = ["Dropout", "check_rate", "forward"]

InT = TypeVar("InT", bound=Union[ArrayXd, Sequence[ArrayXd], Ragged, Padded])


@registry.layers("Dropout.v1")
def Dropout(rate: float = 0.0) -> Model[InT, InT]:
    """In training, Y = X * mask: 0 with probability `rate`, else 1 / (1 - rate).

    X is an array, a Ragged, a Padded, or a sequence of arrays; Y is of the same kind (a
    list for a sequence).  Predicting passes X through, and so does
    `model.attrs["is_enabled"] = False`. Srivastava et al. 2014, "Dropout: a simple way
    to prevent neural networks from overfitting".

    >>> model = Dropout(0.5)
    >>> X = numpy.ones((1, 6), dtype="f")
    >>> Y, backprop = model.begin_update(X)
    >>> Y
    array([[2., 2., 2., 2., 0., 2.]], dtype=float32)
    >>> model.predict(X)
    array([[1., 1., 1., 1., 1., 1.]], dtype=float32)
    """
    check_rate(rate, "Dropout")
    return Model("dropout", forward, attrs={"dropout_rate": rate, "is_enabled": True})


def forward(model: Model[InT, InT], X: InT, is_train: bool) -> Tuple[InT, Callable]:
    attrs = model.attrs
    rate = attrs["dropout_rate"]
    if not (is_train and rate and attrs["is_enabled"]):
        return X, _unchanged
    check_rate(rate, "Dropout")
    ops = model.ops
    masks: List[Any] = []

    def drop(A: Any) -> Any:
        if not is_xp_array(A):
            raise refusal("Dropout: expected an array, or a batch of arrays", A)
        masks.append(ops.get_dropout_mask(A.shape, rate))
        return A * masks[-1]

    def backprop(dY: InT) -> InT:
        left = iter(masks)
        return map_data(lambda dA: dA * next(left), dY)

    return map_data(drop, X), backprop


def _unchanged(dY: Any) -> Any:
    return dY


def check_rate(rate: Any, name: str) -> None:
    """ValueError unless it is a number from 0 to 1; None stands for 0."""
    if not (rate is None or isinstance(rate, Real) and 0 <= float(rate) <= 1):
        raise ValueError(
            f"{name}: expected a dropout rate from 0, which keeps everything, to 1, which keeps nothing, got {rate!r}"
        )
