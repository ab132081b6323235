"""Dimensions: B examples, K features of all examples together, O classes (nO)."""

from typing import Any, Callable, Optional, Tuple, cast

from ..config import registry
from ..model import Model
from ..model._shapes import holds
from ..types import ArrayXd, Floats2d
from ..util import is_xp_array
from ._grads import add_into_grad
from ._views import learn_dim, refusal

__all__ = ["SparseLinear", "SparseLinear_v2", "forward", "init"]

InT = Tuple[ArrayXd, ArrayXd, ArrayXd]
OutT = ArrayXd


@registry.layers("SparseLinear.v1")
def SparseLinear(nO: Optional[int] = None, length: int = 2**18) -> Model[InT, OutT]:
    """`SparseLinear_v2` with the weights of neighbouring classes overlapping.

    Kept for models trained with it: of its nO * length weights only the first length +
    nO - 1 are ever used, and `length` must be a power of two for all of those to be
    reached.

    nO: classes.  length: weights of each.

    >>> keys, values = numpy.array([7, 9, 7], dtype="uint64"), numpy.ones(3, dtype="f")
    >>> X = (keys, values, numpy.array([2, 1], dtype="i"))
    >>> SparseLinear(nO=2, length=16).initialize().predict(X)
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """
    return _sparse_linear(nO, length, v1_indexing=True)


@registry.layers("SparseLinear.v2")
def SparseLinear_v2(nO: Optional[int] = None, length: int = 2**18) -> Model[InT, OutT]:
    """Linear model over hashed features.  Input (keys, values, lengths) -> Y (B, nO).

    keys (K,) uint64 and values (K,) are the features of all examples one after another;
    lengths (B,) says how many belong to each, and sums to K.  Each feature has two
    weights per class: Y[b, o] = b[o] + sum over its (k, v) of v (W[o, h1(k) % length] +
    W[o, h2(k) % length]).

    nO: classes.  length: weights of each class that the hashes fall on.

    >>> keys, values = numpy.array([7, 9, 7], dtype="uint64"), numpy.ones(3, dtype="f")
    >>> X = (keys, values, numpy.array([2, 1], dtype="i"))  # two features, then one
    >>> truth = numpy.array([[1, 0], [0, 1]], dtype="f")
    >>> model = SparseLinear_v2(nO=2, length=16).initialize()
    >>> Y, backprop = model.begin_update(X)
    >>> d_features = backprop(Y - truth)
    >>> model.get_grad("b")
    array([-1., -1.], dtype=float32)
    """
    return _sparse_linear(nO, length, v1_indexing=False)


def _sparse_linear(nO: Optional[int], length: int, *, v1_indexing: bool) -> Model[InT, OutT]:
    return Model(
        "sparse_linear",
        forward,
        init=init,
        params={"W": None, "b": None},
        dims={"nO": nO, "length": length},
        attrs={"v1_indexing": v1_indexing},
    )


@holds(W=(lambda dims: dims["nO"] * dims["length"],), b=("nO",))
def forward(model: Model[InT, OutT], keys_values_lengths: InT, is_train: bool) -> Tuple[OutT, Callable]:
    ops = model.ops
    W = model.get_param("W")
    parts = keys_values_lengths
    if not isinstance(parts, (list, tuple)) or len(parts) != 3 or not all(map(is_xp_array, parts)):
        raise refusal("SparseLinear: expected three arrays, keys, values and lengths", parts)
    keys, values, lengths = features = cast(Any, parts)
    # Converted once, and not by the op of each direction; a prediction has one direction, whose op reads all integers.
    if is_train or keys.dtype.kind not in "iu" or lengths.dtype.kind not in "iu":
        features = (
            ops.as_contig(keys, dtype="uint64"),
            ops.as_contig(values, dtype=W.dtype),
            ops.as_contig(lengths, dtype="int32"),
        )
    layout: Any = (model.get_dim("nO"), model.get_dim("length"), model.attrs["v1_indexing"])
    b = model.get_param("b")
    Y = ops.sparse_linear(*features, W, b, *layout)  # type: ignore[call-arg]  # 3 + 2 + 3
    return Y, _Backprop(model, keys_values_lengths, features, layout)


class _Backprop:
    """The callback of a forward pass: an object, which unlike a closure pickles."""

    __slots__ = ("model", "inputs", "features", "layout")

    def __init__(self, model: Model, inputs: InT, features: Any, layout: Any):
        self.model = model
        self.inputs = inputs
        self.features = features
        self.layout = layout

    def __call__(self, dY: Floats2d) -> InT:
        ops = self.model.ops

        def add_both(dW: Any) -> None:
            def add(db: Any) -> None:
                grad = ops.as_contig(dY, dtype=dW.dtype)
                ops.backprop_sparse_linear(dW, db, grad, *self.features, *self.layout)

            add_into_grad(self.model, "b", add)

        add_into_grad(self.model, "W", add_both)
        return self.inputs


def init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> Model[InT, OutT]:
    learn_dim(model, "nO", Y)
    nO, length = model.get_dim("nO"), model.get_dim("length")
    model.set_param("W", model.ops.alloc1f(nO * length))
    model.set_param("b", model.ops.alloc1f(nO))
    return model
