"""What all dense layers share: the affine map, its gradients, what may follow it.

A = X W^T + b,  Y = act(A).      X (B, I), W (O, I), b (O,), A and Y (B, O)
dA = dY act'(A),  db = sum of the rows of dA,  dW = dA^T X,  dX = dA W
"""

from typing import Any, Callable, Dict, Optional, Tuple, cast

from ..backends import Ops
from ..initializers import zero_init
from ..model import Model
from ..model._shapes import holds
from ..types import Floats2d
from ..util import partial
from ._views import check_target, learn_dim, without_rows
from .chain import chain
from .dropout import Dropout
from .layernorm import LayerNorm

DenseModel = Model[Floats2d, Floats2d]
holds_affine = holds(W=("nO", "nI"), b=("nO",))


def dense(
    name: str,
    forward: Callable,
    nO: Optional[int],
    nI: Optional[int],
    init_W: Callable,
    init_b: Optional[Callable],
    dropout: Optional[float] = None,
    normalize: bool = False,
    *,
    init: Optional[Callable[..., Any]] = None,
    attrs: Dict[str, Any] = {},
) -> Model[Floats2d, Floats2d]:
    """A model with W (nO, nI) and b (nO,), and what `with_extras` puts behind it."""
    model: Model[Floats2d, Floats2d] = Model(
        name,
        forward,
        init=partial(init or init_dense, init_W, init_b or zero_init),
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs=attrs,
    )
    return with_extras(model, nO, dropout, normalize)


def with_extras(
    model: Model[Floats2d, Floats2d], nO: Optional[int], dropout: Optional[float], normalize: bool
) -> Model[Floats2d, Floats2d]:
    """LayerNorm behind if `normalize`, then Dropout if a rate is given (0.0 too)."""
    if normalize:
        model = chain(model, LayerNorm(nI=nO))
    if dropout is not None:
        model = chain(model, cast(Model[Floats2d, Floats2d], Dropout(dropout)))
    return model


def init_dense(
    init_W: Callable, init_b: Callable, model: DenseModel, X: Optional[Floats2d] = None, Y: Optional[Floats2d] = None
) -> None:
    """Take the widths of the samples, which must agree with dims set before."""
    learn_dim(model, "nI", X)
    learn_dim(model, "nO", Y)
    _allocate(init_W, init_b, model)


def init_unset(
    init_W: Callable, init_b: Callable, model: DenseModel, X: Optional[Floats2d] = None, Y: Optional[Floats2d] = None
) -> None:
    """Take the widths of the samples for those dims that have no value yet."""
    check_target(model, model.maybe_get_dim("nO"), Y)
    for name, sample in (("nI", X), ("nO", Y)):
        if model.has_dim(name) is None:
            learn_dim(model, name, sample)
    _allocate(init_W, init_b, model)


def _allocate(init_W: Callable, init_b: Callable, model: Model) -> None:
    nO, nI = model.get_dim("nO"), model.get_dim("nI")
    model.set_param("W", init_W(model.ops, (nO, nI)))
    model.set_param("b", init_b(model.ops, (nO,)))


def backprop_affine(model: Model, ops: Ops, dA: Floats2d, X: Floats2d, W: Floats2d) -> Floats2d:
    """Add the gradients of b and W to the model's, return dX = dA W."""
    model.inc_grad("b", ops.sum_rows(dA))
    model.inc_grad("W", ops.gemm(dA, X, trans1=True))
    return ops.gemm(dA, W)


def dense_forward(activation: str, reads: str, module: str) -> Callable:
    """The forward of Y = act(X W^T + b), with `ops.<activation>` as act.

    `reads` names what `ops.backprop_<activation>` reads beside dY, in its order: "A",
    "Y" or "AY". `module` is the layer's `__name__`: the function is pickled as that
    module's `forward`.
    """
    backprop_activation = f"backprop_{activation}"
    needs_A = "A" in reads
    needs_Y = "Y" in reads

    def forward(model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool) -> Tuple[Floats2d, Callable]:
        ops = model.ops
        W = model.get_param("W")
        b = model.get_param("b")
        act = getattr(ops, activation)
        try:
            A = ops.affine(X, W, b)
        except ValueError:
            return without_rows(forward, model, X, is_train)
        saved: Tuple[Floats2d, ...]
        if is_train and needs_A:
            Y = act(A)
            saved = (A, Y) if needs_Y else (A,)
        else:
            # One buffer instead of two. A gradient that reads A computes it again,
            # should the callback of a prediction ever be called.
            Y = act(A, inplace=True)
            saved = () if needs_A else (Y,)

        def backprop(dY: Floats2d) -> Floats2d:
            read = saved
            if not read:
                A = ops.affine(X, W, b)
                read = (A, act(A)) if needs_Y else (A,)
            dA = getattr(ops, backprop_activation)(dY, *read)
            return backprop_affine(model, ops, dA, X, W)

        return Y, backprop

    forward.__module__ = module
    forward.__qualname__ = "forward"
    return holds_affine(forward)
