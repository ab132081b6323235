from thinc.api import Relu, Softmax, chain, reduce_max

model = chain(Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), Softmax())
reveal_type(model)  # noqa: F821  (known to mypy only)
chain(Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), Relu(10), reduce_max())
