"""`Ops`, the interface of every backend, and its readable implementation.

The formulas here are written to be read. They work for every float dtype and any
memory layout, on numpy and cupy arrays, and the fast backends are tested against them.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy

from ..types import DeviceTypes, FloatsXdT, Xp
from ._activations import ActivationOps
from ._dense import DenseOps
from ._embedding import EmbeddingOps
from ._lists import ListOps
from ._losses import LossOps
from ._lstm import LstmOps, backprop_lstm, backprop_lstm_gates, dsigmoid, dtanh, lstm_forward_training, sigmoid
from ._sequences import SequenceOps
from ._updates import UpdateOps

if TYPE_CHECKING:
    from .cblas import CBlas

ArrayT = TypeVar("ArrayT", bound=Any)
FloatsT = TypeVar("FloatsT", bound=Any)

SQRT2PI = 0.7978845608028654  # sqrt(2 / pi)
INV_SQRT2 = 0.7071067811865475
INV_SQRT_2PI = 0.3989422804014327


class Ops(ListOps, DenseOps, ActivationOps, LossOps, SequenceOps, EmbeddingOps, LstmOps, UpdateOps):
    """Array operations of one device.

    A backend is a subclass with a `name` of its own, registered in `registry.ops`.
    It overrides what it can do faster.

    device_type, device_id: where the arrays are.  kwargs: a backend's own.

    >>> Ops().affine(numpy.ones((1, 3), dtype="f"), numpy.ones((2, 3), dtype="f"), numpy.zeros(2, dtype="f"))
    array([[3., 3.]], dtype=float32)
    """

    name: str = "base"
    xp: Xp = numpy
    # Whether every op gives the same bits each time.
    deterministic: bool = True

    def __init__(self, device_type: DeviceTypes = "cpu", device_id: int = -1, **kwargs: Any) -> None:
        self.device_type = device_type
        self.device_id = device_id

    def cblas(self) -> "CBlas":
        """The C functions of a BLAS, for code that is compiled against them.

        >>> type(NumpyOps().cblas()).__name__
        'CBlas'
        """
        raise NotImplementedError(f"{type(self).__name__} does not provide C BLAS functions")


def gaussian_cdf(ops: Ops, X: FloatsXdT) -> FloatsXdT:
    """The probability that a standard normal variable is at most X."""
    return 0.5 * (1.0 + ops.erf(INV_SQRT2 * X))


def gaussian_pdf(ops: Ops, X: FloatsXdT) -> FloatsXdT:
    """The density of the standard normal distribution at X."""
    return INV_SQRT_2PI * ops.xp.exp(-0.5 * X * X)


__all__ = [
    "Ops",
    "backprop_lstm",
    "backprop_lstm_gates",
    "dsigmoid",
    "dtanh",
    "gaussian_cdf",
    "gaussian_pdf",
    "lstm_forward_training",
    "sigmoid",
]
