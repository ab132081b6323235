"""Dimensions: T rows of all sequences, O width (nO)."""

from typing import Callable, Optional, Tuple, cast

from ..config import registry
from ..initializers import uniform_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats2d, Ragged
from ._pool import sequences
from ._views import learn_dim, rows_of
from .noop import noop
from .parametricattention import attention

__all__ = ["KEY_TRANSFORM_REF", "ParametricAttention_v2", "forward", "init"]

InT = Ragged
OutT = Ragged

KEY_TRANSFORM_REF: str = "key_transform"


@registry.layers("ParametricAttention.v2")
def ParametricAttention_v2(
    *, key_transform: Optional[Model[Floats2d, Floats2d]] = None, nO: Optional[int] = None
) -> Model[InT, OutT]:
    """Weight each row by its importance in its sequence.

    Ragged X (T, nO) -> Ragged Y (T, nO).
    a = softmax of key_transform(X) . Q over each sequence, Y = a X; Q (nO,).  Without a
    transform the rows are their own keys, as in `ParametricAttention`.

    key_transform: a layer of nO outputs.  nO: width; `initialize` takes it from data.

    >>> X = Ragged(numpy.ones((5, 3), dtype="f"), [4, 1])
    >>> model = chain(ParametricAttention_v2(key_transform=Gelu(3, 3)), reduce_sum()).initialize(X)
    >>> model.predict(X)
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """
    if key_transform is None:
        key_transform = cast(Model[Floats2d, Floats2d], noop())
    return Model(
        "para-attn",
        forward,
        init=init,
        params={"Q": None},
        dims={"nO": nO},
        refs={KEY_TRANSFORM_REF: key_transform},
        layers=[key_transform],
    )


@holds(Q=("nO",))
def forward(model: Model[InT, OutT], Xr: InT, is_train: bool) -> Tuple[OutT, Callable]:
    X, lengths = sequences(Xr, "ParametricAttention")
    K, backprop_keys = model.get_ref(KEY_TRANSFORM_REF)(X, is_train)
    Y, backprop_attention = attention(model.ops, model.get_param("Q"), X, K, lengths)

    def backprop(dYr: OutT) -> InT:
        dX, dK, dQ = backprop_attention(rows_of(dYr))
        model.inc_grad("Q", dQ)
        dX += backprop_keys(dK).reshape(dX.shape)
        return Xr.with_data(dX)

    return Xr.with_data(Y), backprop


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    key_transform = model.get_ref(KEY_TRANSFORM_REF)
    learn_dim(model, "nO", X)
    if key_transform.has_dim("nO"):
        model.set_dim("nO", key_transform.get_dim("nO"))
    model.set_param("Q", uniform_init(model.ops, (model.get_dim("nO"),)))
    key_transform.initialize(X=None if X is None else X.dataXd, Y=None if Y is None else Y.dataXd)
