from typing import Callable, Optional, Tuple, TypeVar, Union

from ..config import registry
from ..model import Model
from ..types import ArrayXd, ListXd, Padded, Ragged
from ._views import NUMPY_OPS, as_array, copy_dims, dims_of, init_through, run_through
from .chain import chain

__all__ = ["NUMPY_OPS", "forward", "init", "with_array"]

ArrayTXd = TypeVar("ArrayTXd", bound=ArrayXd)
SeqT = TypeVar("SeqT", bound=Union[Padded, Ragged, ListXd, ArrayXd])


@registry.layers("with_array.v1")
def with_array(layer: Model[ArrayTXd, ArrayTXd], pad: Union[int, Model] = 0) -> Model[SeqT, SeqT]:
    """A layer for arrays, applied to all rows of a list, Ragged or Padded at once.

    Lists are flattened, with `pad` rows of zeros before each sequence and at the end;
    Ragged and Padded give their data, the latter in three dimensions (see
    `with_array2d`); an array passes through.  A second layer in place of `pad` is
    chained to the first.

    layer: array -> array, such as Linear.

    >>> sentences = [numpy.ones((5, 3), dtype="f"), numpy.ones((2, 3), dtype="f")]
    >>> tagger = with_array(chain(Relu(4), Softmax(2))).initialize(sentences)
    >>> [Y.shape for Y in tagger.predict(sentences)]
    [(5, 2), (2, 2)]
    """
    if isinstance(pad, Model):
        layer, pad = chain(layer, pad), 0
    return Model(
        f"with_array({layer.name})", forward, init=init, layers=[layer], attrs={"pad": pad}, dims=dims_of(layer)
    )


def forward(model: Model[SeqT, SeqT], Xseq: SeqT, is_train: bool) -> Tuple[SeqT, Callable]:
    return run_through(as_array, model, Xseq, is_train, pad=model.attrs["pad"])


def init(model: Model[SeqT, SeqT], X: Optional[SeqT] = None, Y: Optional[SeqT] = None) -> None:
    init_through(as_array, model, X, Y, pad=model.attrs["pad"])
    copy_dims(model)
