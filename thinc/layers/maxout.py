"""Dimensions: B rows, I in (nI), O out (nO), P pieces (nP)."""

from typing import Any, Callable, Optional, Tuple

from ..config import registry
from ..initializers import glorot_uniform_init, zero_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats2d, Ints2d
from ..util import partial
from . import layernorm
from ._dense import with_extras
from ._views import learn_dim, without_rows
from .chain import IN_SERIES, chain, forward_of
from .chain import forward as chain_forward
from .expand_window import READERS
from .layernorm import LayerNorm

__all__ = ["Maxout", "forward", "init"]

InT = Floats2d
OutT = Floats2d


@registry.layers("Maxout.v1")
def Maxout(
    nO: Optional[int] = None,
    nI: Optional[int] = None,
    nP: Optional[int] = 3,
    *,
    init_W: Optional[Callable[..., Any]] = None,
    init_b: Optional[Callable[..., Any]] = None,
    dropout: Optional[float] = None,
    normalize: bool = False,
) -> Model[InT, OutT]:
    """Dense layer, Y[o] = max over p of (W[o, p] . X + b[o, p]).

    X (B, nI) -> Y (B, nO); W (nO, nP, nI), b (nO, nP).
    Of equal pieces the first counts.
    Goodfellow et al. 2013, "Maxout networks", https://arxiv.org/abs/1302.4389.

    nO, nI: widths out and in; what is left out, `initialize` takes from data.
    nP: pieces, of which the largest counts.
    init_W, init_b: initializers (ops, shape) -> array; by default Glorot uniform and zeros.
    dropout, normalize: a `Dropout` of this rate, a `LayerNorm` behind it.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = Maxout(4, nP=2, normalize=True).initialize(X)
    >>> print(model.summary())
    layer         in    out   parameters  bytes
    -------------------------------------------
    maxout        nI=3  nO=4
    ├─ maxout     nI=3  nO=4          32  128 B
    └─ layernorm  nI=4  nO=4           8   32 B
    <BLANKLINE>
    3 layers, 40 parameters, 160 B
    """
    model: Model[InT, OutT] = Model(
        "maxout",
        forward,
        init=partial(init, init_W or glorot_uniform_init, init_b or zero_init),
        dims={"nO": nO, "nI": nI, "nP": nP},
        params={"W": None, "b": None},
    )
    if normalize:
        model = chain(model, LayerNorm(nI=nO))
        model.replace_callbacks(forward_normalized, init=model.init)
    return with_extras(model, nO, dropout, normalize=False)


@holds(W=("nO", "nP", "nI"), b=("nO", "nP"))
def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    W, b = model.get_param("W"), model.get_param("b")
    try:
        Y, which = model.ops.affine_maxout(X, W, b)
    except ValueError:
        return without_rows(forward, model, X, is_train)
    return Y, make_backprop(model, X, which)


def make_backprop(model: Model[InT, OutT], X: InT, which: Ints2d) -> Callable:
    """The backward pass from what the forward pass keeps."""
    ops = model.ops
    W = model.get_param("W")

    def backprop(dY: OutT) -> InT:
        nO, nP, nI = W.shape
        dZ = ops.backprop_maxout(dY, which, nP).reshape((X.shape[0], nO * nP))
        model.inc_grad("b", ops.sum_rows(dZ).reshape((nO, nP)))
        model.inc_grad("W", ops.gemm(dZ, X, trans1=True).reshape((nO, nP, nI)))
        return ops.gemm(dZ, W.reshape((nO * nP, nI)))

    return backprop


def forward_normalized(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    """The chain of a Maxout and its LayerNorm, in one op."""
    layers = model._layers
    if [forward_of(layer) for layer in layers] != [forward, layernorm.forward]:
        return chain_forward(model, X, is_train)  # somebody has put others there
    maxout, norm = layers
    ops = model.ops
    W, b, G = maxout.get_param("W"), maxout.get_param("b"), norm.get_param("G")
    inputs = (X, W, b, G, norm.get_param("b"))
    try:
        Y, best, which, mu, rstd = ops.affine_maxout_layer_norm(*inputs, is_train=is_train)
    except ValueError:
        return without_rows(forward_normalized, model, X, is_train)

    def backprop(dY: OutT) -> InT:
        kept: Any = (best, which)
        if best is None:  # of a prediction: made again
            kept = ops.affine_maxout_layer_norm(*inputs)[1:3]
        d_best = layernorm.make_backprop(norm, kept[0], mu, rstd)(dY)
        return make_backprop(maxout, X, kept[1])(d_best)

    return Y, backprop


READERS.append(forward)
IN_SERIES.append(forward_normalized)


def init(
    init_W: Callable, init_b: Callable, model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None
) -> None:
    learn_dim(model, "nI", X)
    learn_dim(model, "nO", Y)
    nO, nI, nP = model.get_dim("nO"), model.get_dim("nI"), model.get_dim("nP")
    model.set_param("W", init_W(model.ops, (nO, nP, nI)))
    model.set_param("b", init_b(model.ops, (nO, nP)))
