from typing import Any, TypeVar

from thinc import api
from thinc.api import Model, Relu, concatenate, reduce_max
from thinc.types import Floats2d

OtherT = TypeVar("OtherT")


def other(*layers: Model[Any, Any]) -> Model[Any, OtherT]:
    raise NotImplementedError


left_alone: Model[Any, Floats2d] = other(Relu(10), reduce_max())
needs_annotation = other(Relu(10), Relu(10))
# A call by attribute, and one with a star, say too little about the layers.
by_attribute: Model[Floats2d, Floats2d] = api.chain(Relu(10), Relu(10))
layers = [Relu(10), Relu(10)]
starred: Model[Floats2d, Floats2d] = concatenate(*layers)
