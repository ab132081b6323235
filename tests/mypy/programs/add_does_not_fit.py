from thinc.api import Relu, add, reduce_max

bad_input = add(
    Relu(10),
    Relu(10),
    reduce_max(),
)
