from typing import Callable, Optional, Tuple, TypeVar, Union

from ..config import registry
from ..model import Model
from ..types import Floats3d, Ints1d, List2d, Padded, Ragged
from ._views import as_padded, dims_of, init_through, run_through

__all__ = ["forward", "init", "with_padded"]

PaddedData = Tuple[Floats3d, Ints1d, Ints1d, Ints1d]
SeqT = TypeVar("SeqT", bound=Union[Padded, Ragged, List2d, Floats3d, PaddedData])


@registry.layers("with_padded.v1")
def with_padded(layer: Model[Padded, Padded]) -> Model[SeqT, SeqT]:
    """A layer for Padded, applied to a Padded, a Ragged or a list.

    Also to the four arrays of a Padded in a tuple, and to an array (T, B, nI) whose B
    sequences all have T steps.

    layer: Padded -> Padded, such as LSTM.

    >>> sentences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> model = with_padded(LSTM(4)).initialize(sentences)
    >>> [Y.shape for Y in model.predict(sentences)]
    [(5, 4), (2, 4)]
    """
    return Model(f"with_padded({layer.name})", forward, init=init, layers=[layer], dims=dims_of(layer))


def forward(model: Model[SeqT, SeqT], Xseq: SeqT, is_train: bool) -> Tuple[SeqT, Callable]:
    return run_through(as_padded, model, Xseq, is_train)


def init(model: Model[SeqT, SeqT], X: Optional[SeqT] = None, Y: Optional[SeqT] = None) -> None:
    init_through(as_padded, model, X, Y)
