from typing import Any, Callable, Optional, Tuple

from ..config import registry
from ..initializers import glorot_uniform_init
from ..model import Model
from ..types import Floats2d
from ._dense import backprop_affine, dense, holds_affine
from ._dense import init_dense as init
from ._views import without_rows

__all__ = ["ClippedLinear", "HardSigmoid", "HardTanh", "ReluK", "forward", "init"]


@registry.layers("ClippedLinear.v1")
def ClippedLinear(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
    slope: float = 1.0,
    offset: float = 0.0,
    min_val: float = 0.0,
    max_val: float = 1.0,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = clip(slope A + offset, min_val, max_val), A = X W^T + b.

    X (B, nI) -> Y (B, nO).  The four numbers are attributes, read in every forward
    pass.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = ClippedLinear(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([0., 0., 1.], dtype=float32)
    """
    return dense(
        "clipped_linear",
        forward,
        nO,
        nI,
        init_W or glorot_uniform_init,
        init_b,
        dropout,
        normalize,
        attrs={"slope": slope, "offset": offset, "min_val": min_val, "max_val": max_val},
    )


@holds_affine
def forward(model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool) -> Tuple[Floats2d, Callable]:
    ops = model.ops
    attrs = model.attrs
    line = (attrs["slope"], attrs["offset"], attrs["min_val"], attrs["max_val"])
    W = model.get_param("W")
    b = model.get_param("b")
    try:
        A: Any = ops.affine(X, W, b)
    except ValueError:
        return without_rows(forward, model, X, is_train)
    Y = ops.clipped_linear(A, *line, inplace=not is_train)
    if not is_train:
        A = None  # overwritten by Y; a callback of a prediction computes it again

    def backprop(dY: Floats2d) -> Floats2d:
        read = ops.affine(X, W, b) if A is None else A
        dA = ops.backprop_clipped_linear(dY, read, *line)
        return backprop_affine(model, ops, dA, X, W)

    return Y, backprop


@registry.layers("ReluK.v1")
def ReluK(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
    k: float = 6.0,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = clip(X W^T + b, 0, k).  X (B, nI) -> Y (B, nO).

    Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10" (with k = 6).

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.
    k: what the output is cut off at.

    >>> layer = ReluK(1, 1, k=6).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-1], [3], [9]], dtype="f")).ravel()
    array([0., 3., 6.], dtype=float32)
    """
    return ClippedLinear(
        nO, nI, init_W=init_W, init_b=init_b, dropout=dropout, normalize=normalize, min_val=0.0, max_val=k
    )


@registry.layers("HardSigmoid.v1")
def HardSigmoid(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = clip(0.2 (X W^T + b) + 0.5, 0, 1).  X (B, nI) -> Y (B, nO).

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = HardSigmoid(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([0.1, 0.5, 0.9], dtype=float32)
    """
    return ClippedLinear(
        nO, nI, init_W=init_W, init_b=init_b, dropout=dropout, normalize=normalize, slope=0.2, offset=0.5
    )


@registry.layers("HardTanh.v1")
def HardTanh(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[Floats2d, Floats2d]:
    """Dense layer, Y = clip(X W^T + b, -1, 1).  X (B, nI) -> Y (B, nO).

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> layer = HardTanh(1, 1).initialize()
    >>> layer.set_param("W", numpy.ones((1, 1), dtype="f"))
    >>> layer.predict(numpy.array([[-2], [0], [2]], dtype="f")).round(3).ravel()
    array([-1.,  0.,  1.], dtype=float32)
    """
    return ClippedLinear(
        nO, nI, init_W=init_W, init_b=init_b, dropout=dropout, normalize=normalize, min_val=-1.0, max_val=1.0
    )
