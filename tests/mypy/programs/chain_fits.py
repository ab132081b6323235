from thinc.api import Relu, Softmax, chain

model = chain(Relu(10), Relu(10), Softmax())
reveal_type(model)  # noqa: F821  (known to mypy only)
