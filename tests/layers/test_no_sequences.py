"""A batch without sequences goes through every model, forwards and backwards, and comes out as wide as any other."""

import numpy
import pytest

from thinc.api import (
    LSTM,
    CauchySimilarity,
    Dropout,
    Gelu,
    HardTanh,
    HashEmbed,
    LayerNorm,
    Linear,
    Logistic,
    Maxout,
    MultiSoftmax,
    ParametricAttention,
    ParametricAttention_v2,
    Ragged,
    Relu,
    ReluK,
    Softmax,
    add,
    bidirectional,
    chain,
    concatenate,
    expand_window,
    list2array,
    list2padded,
    list2ragged,
    padded2list,
    ragged2list,
    reduce_first,
    reduce_last,
    reduce_max,
    reduce_mean,
    reduce_sum,
    residual,
    sigmoid_activation,
    softmax_activation,
    strings2arrays,
    with_array,
    with_array2d,
)

nI, nO = 5, 3
POOLS = [reduce_sum, reduce_mean, reduce_max, reduce_first, reduce_last]


def pooled(*layers, pool=reduce_sum):
    """Lists of rows, pooled, through layers of matrices."""
    return chain(list2ragged(), pool(), *layers)


MODELS = {
    **{pool.__name__: pooled(Linear(nO, nI), pool=pool) for pool in POOLS},
    "relu": pooled(Relu(4, nI), Linear(nO, 4)),
    "clipped": pooled(ReluK(4, nI), HardTanh(nO, 4)),
    "maxout": pooled(Maxout(4, nI), LayerNorm(4), Maxout(nO, 4, dropout=0.1)),
    "maxout, normalized": pooled(Maxout(nO, nI, normalize=True)),
    "layer norm": pooled(LayerNorm(nI), Linear(nO, nI)),
    "softmax": pooled(LayerNorm(nI), Softmax(nO, nI)),
    "several softmaxes": pooled(MultiSoftmax((1, 2), nI)),
    "activations": pooled(sigmoid_activation(), softmax_activation(), Logistic(), Dropout(0.3), Linear(nO, nI)),
    "attention": chain(list2ragged(), ParametricAttention(nI), reduce_sum(), Linear(nO, nI)),
    "attention by keys": chain(
        list2ragged(), ParametricAttention_v2(key_transform=Gelu(nI, nI)), reduce_sum(), Linear(nO, nI)
    ),
    "windows": chain(list2ragged(), expand_window(1), with_array(Relu(4, 3 * nI)), reduce_mean(), Linear(nO, 4)),
    "windows of rows": chain(
        list2ragged(), with_array(chain(expand_window(1), Relu(4, 3 * nI))), reduce_max(), Linear(nO, 4)
    ),
    "pools side by side": chain(
        list2ragged(), concatenate(reduce_sum(), reduce_max(), reduce_mean()), Linear(nO, 3 * nI)
    ),
    "of unlike widths": chain(
        list2ragged(), concatenate(reduce_sum(), chain(reduce_max(), Linear(2, nI))), Linear(nO, 7)
    ),
    "sums": pooled(add(Linear(nI, nI), Relu(nI, nI)), residual(Relu(nI, nI)), residual(Relu(nI, nI)), Linear(nO, nI)),
    "residual sequences": chain(list2ragged(), residual(with_array(Relu(nI, nI))), reduce_sum(), Linear(nO, nI)),
    "array": chain(list2array(), Linear(nO, nI)),
    "texts": chain(
        strings2arrays(), list2ragged(), with_array(HashEmbed(nI, 20, column=0, seed=1)), reduce_mean(), Linear(nO, nI)
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_output_is_as_wide_as_any(name):
    model = MODELS[name].initialize()
    assert model.predict([]).shape == (0, nO)
    Y, backprop = model.begin_update([])
    assert Y.shape == (0, nO)
    assert backprop(Y) == []
    for node in model.walk():
        for param in node.grad_names:
            grad = node.get_grad(param)
            assert grad.shape == node.get_param(param).shape and not grad.any()


@pytest.mark.parametrize(
    "model",
    [
        chain(list2padded(), LSTM(4, nI), with_array2d(Linear(nO, 4)), padded2list()),
        chain(list2padded(), bidirectional(LSTM(4, nI)), padded2list()),
        chain(list2ragged(), ParametricAttention(nI), ragged2list()),
        chain(list2ragged(), with_array(Relu(nO, nI)), ragged2list()),
    ],
    ids=lambda model: model.name,
)
def test_lists_stay_lists(model):
    Y, backprop = model.initialize().begin_update([])
    assert Y == [] and backprop(Y) == []


@pytest.mark.parametrize("pool", POOLS)
def test_a_ragged_without_sequences_keeps_its_width(pool):
    X = Ragged(numpy.zeros((0, nI), "f"), numpy.zeros(0, "i"))
    Y, backprop = chain(pool(), Linear(nO)).initialize(X=X).begin_update(X)
    assert Y.shape == (0, nO)
    assert backprop(Y).dataXd.shape == (0, nI)


def test_pairs():
    model = CauchySimilarity(nI).initialize()
    none = numpy.zeros((0, 0), "f")
    Y, backprop = model.begin_update((none, none))
    assert Y.shape == (0,)
    assert [dX.shape for dX in backprop(Y)] == [(0, 0)] * 2


def test_a_sample_without_sequences_says_nothing():
    model = pooled(Linear(nO, nI)).initialize(X=[], Y=numpy.zeros((0, nO), "f"))
    assert model.layers[2].get_dim("nI") == nI
    LayerNorm(nI).initialize(X=numpy.zeros((0, 0), "f"))


def test_rows_of_no_columns_are_still_wrong():
    for layer in (Linear(nO, nI), Relu(nO, nI), Softmax(nO, nI), Maxout(nO, nI), LayerNorm(nI)):
        layer.initialize()
        for shape in ((2, 0), (0, 4)):
            with pytest.raises(ValueError):
                layer.predict(numpy.zeros(shape, "f"))
