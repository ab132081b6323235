from typing import Any, Callable, Optional, Tuple

from ..config import registry
from ..initializers import zero_init
from ..model import Model
from ..types import Floats2d
from ..util import ArrayInfo
from ._dense import backprop_affine, dense, holds_affine
from ._dense import init_unset as init
from ._views import without_rows

__all__ = ["Softmax", "Softmax_v2", "forward", "init", "validate_temperature"]

InT = Floats2d
OutT = Floats2d


@registry.layers("Softmax.v1")
def Softmax(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
) -> Model[InT, OutT]:
    """Dense layer, Y = softmax of each row of X W^T + b.  X (B, nI) -> Y (B, nO).

    The callback expects the gradient of the logits, which for cross-entropy is Y -
    truth: it does not apply the derivative of the softmax. `softmax_activation` does.
    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default both zeros.

    >>> X = numpy.ones((2, 3), dtype="f")
    >>> truth = numpy.array([[1, 0], [0, 1]], dtype="f")
    >>> model = Softmax().initialize(X, truth)
    >>> Y, backprop = model.begin_update(X)
    >>> Y
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    >>> dX = backprop(Y - truth)
    >>> model.get_grad("b")
    array([0., 0.], dtype=float32)
    """
    return Softmax_v2(nO, nI, init_W=init_W, init_b=init_b)


@registry.layers("Softmax.v2")
def Softmax_v2(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    normalize_outputs: bool = True,
    temperature: float = 1.0,
) -> Model[InT, OutT]:
    """Dense layer, Y = softmax of each row of (X W^T + b) / temperature.

    X (B, nI) -> Y (B, nO).  With `normalize_outputs=False` a prediction returns X W^T +
    b as it is: the largest stays the largest and the exponentials are saved; training
    normalizes always. As in `Softmax`, the callback expects the gradient of the logits.
    ValueError for a temperature of zero or below, here and in every forward pass.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default both zeros.
    temperature: above 1 evens the probabilities out, below 1 sharpens them.

    >>> X = numpy.array([[1, 2, 3]], dtype="f")
    >>> layer = Softmax_v2(3, 3, temperature=2.0).initialize()
    >>> layer.set_param("W", numpy.eye(3, dtype="f"))
    >>> layer.predict(X).round(3)
    array([[0.186, 0.307, 0.506]], dtype=float32)
    """
    validate_temperature(temperature)
    return dense(
        "softmax",
        forward,
        nO,
        nI,
        init_W or zero_init,
        init_b,
        init=init,
        attrs={"softmax_normalize": normalize_outputs, "softmax_temperature": temperature},
    )


@holds_affine
def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    attrs = model.attrs
    temperature = attrs["softmax_temperature"]
    validate_temperature(temperature)
    W = model.get_param("W")
    try:
        Y = ops.affine(X, W, model.get_param("b"))
    except ValueError:
        return without_rows(forward, model, X, is_train)
    if not (attrs["softmax_normalize"] or is_train):
        return Y, _refuse_backprop
    Y = ops.softmax(Y, inplace=True, temperature=temperature)
    array_info = ArrayInfo.from_array(Y)

    def backprop(dY: OutT) -> InT:
        array_info.check_consistency(dY)
        if temperature != 1.0:
            dY = dY / temperature
        return backprop_affine(model, ops, dY, X, W)

    return Y, backprop


def _refuse_backprop(dY: OutT) -> InT:
    raise ValueError("backprop is not supported for an unnormalized Softmax layer")


def validate_temperature(temperature: float) -> None:
    if temperature <= 0.0:
        raise ValueError("softmax temperature must not be zero or negative")
