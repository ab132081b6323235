from thinc.api import Relu, Softmax, chain, reduce_max

bad_first_pair = chain(
    Relu(10),
    reduce_max(),
    Softmax(),
)
bad_last_pair = chain(
    Relu(10),
    Relu(10),
    Relu(10),
    reduce_max(),
)
