"""Batches of torch, pandas, Arrow and datasets at the doors of a model: the numbers of arrays, or a refusal by name."""

import numpy
import pytest

from thinc.api import (
    CategoricalCrossentropy,
    CosineDistance,
    Embed,
    L2Distance,
    Linear,
    Model,
    Relu,
    Softmax,
    chain,
    concatenate,
    fix_random_seed,
    list2ragged,
    reduce_mean,
    residual,
    with_array,
)

X = numpy.random.RandomState(0).uniform(size=(7, 5)).astype("f")
IDS = numpy.asarray([2, 0, 3], dtype="int64")
WORDS = ["a", "b", "c"]


def torch_batches():
    torch = pytest.importorskip("torch")
    yield "tensor", torch.from_numpy(X), X
    yield "with gradient", torch.from_numpy(X.copy()).requires_grad_(), X
    yield "float64", torch.from_numpy(X.astype("d")), X
    yield "strided", torch.from_numpy(numpy.ascontiguousarray(X.T)).T, X
    yield "list", [torch.from_numpy(X), torch.from_numpy(X[:2])], [X, X[:2]]
    yield "ids", torch.from_numpy(IDS), IDS
    yield "loader", next(iter(torch.utils.data.DataLoader(X, batch_size=7))), X


def pandas_batches():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    yield "frame", frame, X
    yield "float64", frame.astype("float64"), X
    yield "nullable", frame.astype("Float32"), X
    yield "slice", pandas.concat([frame, frame])[::2], numpy.concatenate([X, X])[::2]
    yield "series", pandas.Series(IDS), IDS
    yield "index", pandas.Index(IDS), IDS
    yield "strings", pandas.Series(WORDS), WORDS


def arrow_batches():
    pyarrow = pytest.importorskip("pyarrow")
    columns = {name: X[:, i] for i, name in enumerate("abcde")}
    yield "table", pyarrow.table(columns), X
    yield "record batch", pyarrow.record_batch(columns), X
    yield "fixed lists", pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(X.ravel()), 5), X
    yield "slice of them", pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(X.ravel()), 5)[2:6], X[2:6]
    yield "lists", pyarrow.array(X.tolist()), X
    yield "lists in two chunks", pyarrow.chunked_array([X[:3].tolist(), X[3:].tolist()]), X
    yield "lists of different lengths", pyarrow.array([[1.0, 2.0], [], [3.0]]), [X[0, :2] * 0 + [1, 2], X[0, :0], [3.0]]
    yield "ids", pyarrow.array(IDS), IDS
    yield "ids in two chunks", pyarrow.chunked_array([IDS[:1], IDS[1:]]), IDS
    yield "strings", pyarrow.array(WORDS), WORDS


def datasets_batches():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"x": X.tolist(), "id": list(range(7)), "word": [*WORDS, *WORDS, "a"]})
    yield "column", data["x"], X
    yield "ids", data["id"], numpy.arange(7)
    yield "words", data["word"], [*WORDS, *WORDS, "a"]
    yield "numpy", data.with_format("numpy")[:]["x"], X
    yield "arrow", next(data.with_format("arrow").iter(7))["x"], X


PACKAGES = [torch_batches, pandas_batches, arrow_batches, datasets_batches]


def seen(model_input):
    """What a layer is given that takes arrays and lists of them, or of strings, alone."""

    def forward(model, given, is_train):
        parts = given if isinstance(given, list) else [given]
        if not all(isinstance(part, (numpy.ndarray, str)) for part in parts):
            raise TypeError("expected arrays")
        return given, lambda d: d

    layer = Model("seen", forward)
    return layer.predict(model_input), layer.begin_update(model_input)[0], layer(model_input, False)[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_batch_is_seen_as_the_arrays_that_it_holds(package):
    for name, batch, expected in package():
        for found in seen(batch):
            if isinstance(expected, list):
                assert isinstance(found, list) and len(found) == len(expected), name
                for one, other in zip(found, expected):
                    assert numpy.array_equal(one, other), name
            else:
                assert type(found) is numpy.ndarray and found.dtype == expected.dtype, name
                assert numpy.array_equal(found, expected), name


MODELS = {
    "dense": lambda: chain(Relu(4, 5, dropout=0.5), Softmax(3, 4)),
    "branches": lambda: chain(residual(Linear(5, 5)), concatenate(Linear(2, 5), Relu(3, 5))),
}


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_the_bits_that_it_computes_of_arrays(package, name):
    for _, batch, expected in package():
        if getattr(expected, "ndim", 0) != 2:
            continue
        answers = []
        for given in (batch, expected):
            fix_random_seed(1)
            model = MODELS[name]().initialize(given)
            Y, backprop = model.begin_update(given)
            answers.append([model.predict(given), Y, backprop(numpy.ones_like(Y))])
        for one, other in zip(*answers):
            assert numpy.array_equal(one, other)


def test_ids_and_sequences():
    torch = pytest.importorskip("torch")
    embed = Embed(4, 9).initialize()
    assert numpy.array_equal(embed.predict(torch.from_numpy(IDS)), embed.predict(IDS))
    tensors, arrays = [torch.from_numpy(X), torch.from_numpy(X[:2])], [X, X[:2]]
    model = chain(list2ragged(), with_array(Linear(3)), reduce_mean()).initialize(tensors)
    assert numpy.array_equal(model.predict(tensors), model.predict(arrays))


@pytest.mark.parametrize("package", PACKAGES)
def test_losses_take_truths_of_these_packages(package):
    guesses = Softmax(5, 5).initialize().predict(X)
    for _, truths, expected in package():
        if getattr(expected, "ndim", 0) == 2 and len(expected) == len(X):
            for loss in (L2Distance(), CosineDistance(), CategoricalCrossentropy()):
                (grad, value), (wanted, same) = loss(guesses, truths), loss(guesses, expected)
                assert numpy.array_equal(grad, wanted) and value == same
        elif getattr(expected, "ndim", 0) == 1:
            rows, loss = guesses[: len(expected)], CategoricalCrossentropy()
            if len(rows) == len(expected) and expected.max() < 5:
                assert numpy.array_equal(loss(rows, truths)[0], loss(rows, expected)[0])


def test_a_layer_that_takes_frames_gets_them():
    pandas = pytest.importorskip("pandas")

    def forward(model, frame, is_train):
        return frame[["a", "b"]].to_numpy(), lambda d: d

    model = chain(Model("columns", forward), Linear(3, 2)).initialize()
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "text": list("abcdefg")})
    assert numpy.array_equal(model.predict(frame), model.layers[1].predict(numpy.ascontiguousarray(X[:, :2])))


def refusals():
    yield {"x": X, "y": X}, "expected an array, got a dict of columns 'x', 'y'. Give one of them, as in batch['x']"


def refusals_of_torch():
    torch = pytest.importorskip("torch")
    yield torch.from_numpy(X).to_sparse(), "expected a dense tensor, got torch.sparse_coo"
    yield torch.utils.data.DataLoader(X), "got torch's DataLoader. Loop over its batches"
    yield torch.zeros((2, 9)), "Shape mismatch"


def refusals_of_pandas():
    pandas = pytest.importorskip("pandas")
    yield pandas.DataFrame({"a": [1.0], "b": ["x"]}), "column 'b' of the DataFrame holds"
    yield (
        pandas.DataFrame({"a": pandas.array([1.0, None], dtype="Float32")}),
        "column 'a' of the DataFrame holds Float32",
    )
    yield pandas.Series(["a", 1], name="mixed"), "the Series 'mixed' holds object"


def refusals_of_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    yield pyarrow.array([1.0, None]), "the array of double has 1 nulls. Fill them"
    yield pyarrow.table({"a": [1.0], "b": ["x"]}), "column 'b' holds string"
    yield pyarrow.table({"a": [1.0, None]}), "column 'a' of double has 1 nulls"
    yield pyarrow.array([{"a": 1}]), "the array holds struct"
    yield pyarrow.table({}), "without a column"


def refusals_of_datasets():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"x": X.tolist(), "y": list(range(7))})
    yield data, "got datasets' Dataset of 'x', 'y'. Loop over its batches"
    yield data[:2], "got a dict of columns 'x', 'y'"


@pytest.mark.parametrize(
    "package", [refusals, refusals_of_torch, refusals_of_pandas, refusals_of_arrow, refusals_of_datasets]
)
@pytest.mark.parametrize("door", ["predict", "begin_update"])
def test_what_is_no_array_is_refused_by_name(package, door):
    model = chain(Relu(3, 5), Softmax(2, 3)).initialize()
    for batch, words in package():
        with pytest.raises((TypeError, ValueError)) as caught:
            getattr(model, door)(batch)
        assert words in str(caught.value)
        assert "Layer: chain.0.relu" in "".join(getattr(caught.value, "__notes__", [str(caught.value)]))
