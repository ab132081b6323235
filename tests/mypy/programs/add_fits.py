from thinc.api import Model, Relu, Softmax, add, concatenate
from thinc.types import Floats2d

same = add(Relu(10), Relu(10), Softmax())
reveal_type(same)  # noqa: F821  (known to mypy only)
side_by_side: Model[Floats2d, Floats2d] = concatenate(Relu(10), Softmax())
