from typing import Callable, List, Optional, Tuple, TypeVar, Union

from ..config import registry
from ..model import Model
from ..types import Floats2d, Ints2d, List2d, Padded, Ragged
from ._views import as_list, dims_of, init_through, run_through

__all__ = ["forward", "init", "with_list"]

SeqT = TypeVar("SeqT", Padded, Ragged, List2d, List[Floats2d], List[Ints2d])


@registry.layers("with_list.v1")
def with_list(
    layer: Model[Union[List[Floats2d], List[Ints2d]], Union[List[Floats2d], List[Ints2d]]],
) -> Model[SeqT, SeqT]:
    """A layer for lists of arrays, applied to a Ragged, a Padded or a list.

    layer: list -> list, such as `map_list`.

    >>> Xr = Ragged(numpy.ones((5, 3), dtype="f"), [1, 4])
    >>> with_list(map_list(Linear(2))).initialize(Xr).predict(Xr).data.shape
    (5, 2)
    """
    return Model(f"with_list({layer.name})", forward, init=init, layers=[layer], dims=dims_of(layer))


def forward(model: Model[SeqT, SeqT], Xseq: SeqT, is_train: bool) -> Tuple[SeqT, Callable]:
    return run_through(as_list, model, Xseq, is_train)


def init(model: Model[SeqT, SeqT], X: Optional[SeqT] = None, Y: Optional[SeqT] = None) -> None:
    init_through(as_list, model, X, Y)
