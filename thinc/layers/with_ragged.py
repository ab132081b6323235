from typing import Callable, Optional, Tuple, TypeVar, Union

from ..config import registry
from ..model import Model
from ..types import Array2d, Ints1d, ListXd, Padded, Ragged
from ._views import NUMPY_OPS, as_ragged, init_through, run_through

__all__ = ["NUMPY_OPS", "forward", "init", "with_ragged"]

RaggedData = Tuple[Array2d, Ints1d]
SeqT = TypeVar("SeqT", bound=Union[Padded, Ragged, ListXd, RaggedData])


@registry.layers("with_ragged.v1")
def with_ragged(layer: Model[Ragged, Ragged]) -> Model[SeqT, SeqT]:
    """A layer for Ragged, applied to Ragged, Padded, a list or (data, lengths).

    layer: Ragged -> Ragged, such as ParametricAttention.

    >>> sentences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> model = with_ragged(ParametricAttention()).initialize(sentences)
    >>> [Y.shape for Y in model.predict(sentences)]
    [(5, 3), (2, 3)]
    """
    return Model(f"with_ragged({layer.name})", forward, init=init, layers=[layer])


def forward(model: Model[SeqT, SeqT], Xseq: SeqT, is_train: bool) -> Tuple[SeqT, Callable]:
    return run_through(as_ragged, model, Xseq, is_train)


def init(model: Model[SeqT, SeqT], X: Optional[SeqT] = None, Y: Optional[SeqT] = None) -> None:
    init_through(as_ragged, model, X, Y)
