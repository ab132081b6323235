"""Layers that do not fit are found before any data: when made or initialized."""

import numpy
import pytest

from tests.layers.rows import CASES
from thinc.api import (
    LSTM,
    Config,
    Dropout,
    Embed,
    HashEmbed,
    LayerNorm,
    Linear,
    Model,
    Relu,
    Softmax,
    add,
    chain,
    clone,
    concatenate,
    expand_window,
    list2ragged,
    noop,
    reduce_sum,
    registry,
    residual,
    resizable,
    with_array,
    with_array2d,
    with_list,
    with_padded,
)
from thinc.layers.resizable import resize_linear_weighted, resize_model

X = numpy.zeros((7, 5), dtype="f")


def test_names_both_layers_the_dims_and_the_values():
    with pytest.raises(ValueError) as error:
        chain(Relu(2), Linear(4, 2), Softmax(3, 6))
    text = str(error.value)
    assert "layer 'linear' (1) gives nO=4" in text
    assert "layer 'softmax' (2) expects nI=6" in text


@pytest.mark.parametrize(
    "build",
    [
        lambda: chain(Linear(4, 3), Linear(5, 6)),
        lambda: chain(Embed(4, 9), LayerNorm(5)),
        lambda: chain(HashEmbed(4, 9), Linear(5, 6)),
        lambda: chain(residual(Linear(4)), Linear(5, 6)),
        lambda: chain(with_array(Linear(4)), with_array(Linear(5, 6))),
        lambda: chain(with_list(Linear(4)), with_padded(LSTM(5, 6))),
        lambda: chain(chain(Relu(3), Linear(4)), chain(Linear(2, 6), Relu(2))),
        lambda: clone(Linear(4, 3), 2),
        lambda: Linear(4) >> Linear(5, 6),
    ],
)
def test_found_when_the_model_is_made(build):
    with Model.define_operators({">>": chain}):
        with pytest.raises(ValueError, match=r"gives nO=\d+ but .* expects nI=\d+"):
            build()


@pytest.mark.parametrize("sample", [None, X])
def test_found_when_dims_were_set_later(sample):
    model = chain(Linear(4, 5), Linear(3))
    model.layers[1].set_dim("nI", 6)
    with pytest.raises(ValueError, match="nO=4 .* nI=6"):
        model.initialize(X=sample)


def test_found_when_a_width_becomes_known():
    model = chain(concatenate(Linear(3), Linear(2)), Linear(4, 6))
    with pytest.raises(ValueError, match=r"'linear\|linear' \(0\) gives nO=5 .* nI=6"):
        model.initialize(X=X)


def test_found_by_a_config():
    config = Config().from_str(
        """
        [model]
        @layers = "chain.v1"
        [model.*.hidden]
        @layers = "Relu.v1"
        nO = 4
        [model.*.output]
        @layers = "Softmax.v1"
        nO = 3
        nI = 6
        """
    )
    with pytest.raises(ValueError, match="nO=4 .* nI=6"):
        registry.resolve(config)


def resized():
    layer = resizable(Linear(2, 5), resize_linear_weighted)
    resize_model(layer, 4)
    return chain(layer, Linear(3, 4))


@pytest.mark.parametrize(
    "build",
    [
        lambda: chain(Linear(1), Dropout(), Linear(3, 1)),
        lambda: chain(Linear(4, 5), expand_window(1), Linear(3, 12)),
        lambda: chain(Linear(4, 5), noop(), Linear(3, 4)),
        lambda: chain(Relu(4, 5, normalize=True, dropout=0.1), Linear(3, 4)),
        lambda: chain(residual(Linear(5, 5)), Dropout(0.1), Linear(3, 5)),
        lambda: chain(add(Linear(4), Linear(4)), Linear(3, 4)),
        lambda: chain(concatenate(Linear(4), Linear(2)), Linear(3, 6)),
        lambda: chain(with_array(Linear(4, 5)), Linear(3, 4)),
        lambda: chain(Linear(), Linear(3)),
        resized,
    ],
)
def test_models_that_fit_are_left_alone(build):
    model = build()
    model.initialize(X=X, Y=numpy.zeros((7, 3), "f"))
    assert model.predict(X).shape == (7, 3)
    model.initialize(X=X)


def test_sequences_that_fit_are_left_alone():
    model = chain(list2ragged(), with_array(chain(expand_window(1), Relu(4, 15))), reduce_sum(), Linear(3, 4))
    model.initialize(X=[X, X])
    assert model.predict([X, X]).shape == (2, 3)


def test_an_lstm_with_a_column_less_than_stated():
    model = chain(with_padded(LSTM(5, 5, bi=True)), with_array2d(Linear(3, 4)))
    model.initialize(X=[X])
    assert model.predict([X])[0].shape == (7, 3)


def test_the_data_decides_where_a_layer_states_another_width():
    """A wrapped model of another framework may have taken its nO from the final Y."""
    foreign = Model("foreign", lambda model, X, is_train: (X, None), dims={"nO": None})
    model = chain(foreign, Linear(3))
    for _ in range(2):
        foreign.set_dim("nO", 3)
        model.initialize(X=X)
    assert model.layers[1].get_dim("nI") == 5


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_row_is_rejected(case):
    chain(case.build(), noop())
    chain(noop(), case.build())
