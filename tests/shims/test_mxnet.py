"""MXNetWrapper against MXNet itself."""

import importlib.util

import numpy
import pytest

if importlib.util.find_spec("mxnet") is None:
    pytest.skip("MXNet is not installed", allow_module_level=True)

from tests.shims import models  # noqa: E402
from thinc.api import SGD, Adam, ArgsKwargs, Linear, Model, MXNetWrapper, chain  # noqa: E402

X, Y = models.batch()
# MXNet itself meets what NumPy and Python give up.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Parameter .* is already initialized"),
]


@pytest.fixture(scope="module")
def mx():
    return models.enable_mxnet()


@pytest.fixture
def model(mx):
    return models.mxnet_model()


def values(model):
    parameters = model.shims[0]._model.collect_params().values()
    return [parameter.data().asnumpy() for parameter in parameters]


def gradients(model):
    parameters = model.shims[0]._model.collect_params().values()
    return [parameter.grad().asnumpy() for parameter in parameters]


def test_forward_and_gradients_are_those_of_mxnet(model, mx):
    net = model.shims[0]._model
    dY = numpy.random.RandomState(1).normal(size=Y.shape).astype("f")
    x = mx.nd.array(X)
    x.attach_grad()
    with mx.autograd.record():
        y = net(x)
    y.backward(mx.nd.array(dY))
    expected = gradients(model)
    Yh, backprop = model.begin_update(X)
    dX = backprop(dY)
    numpy.testing.assert_allclose(Yh, y.asnumpy(), atol=1e-5)
    numpy.testing.assert_allclose(dX, x.grad.asnumpy(), atol=1e-5)
    for ours, theirs in zip(gradients(model), expected):
        numpy.testing.assert_allclose(ours, theirs, atol=1e-5)
    numpy.testing.assert_allclose(model.predict(X), Yh, atol=1e-5)


def test_training_lowers_the_loss(model):
    losses = models.train(model, X, Y)
    assert losses[-1] < losses[0] / 10


def test_optimizers_see_one_vector(model):
    seen = []

    def optimizer(key, weights, gradient):
        seen.append((key, weights.shape))
        return weights - gradient, gradient * 0

    before = values(model)
    _, backprop = model.begin_update(X)
    backprop(numpy.ones_like(Y))
    grads = gradients(model)
    model.finish_update(optimizer)
    assert seen == [((model.shims[0].id, "mxnet-shim"), (5 * 16 + 16 + 16 * 3 + 3,))]
    for new, old, grad in zip(values(model), before, grads):
        numpy.testing.assert_allclose(new, old - grad, atol=1e-5)
    assert not any(grad.any() for grad in gradients(model))


def test_gradients_add_up_until_the_update(model):
    for _ in range(2):
        _, backprop = model.begin_update(X)
        backprop(numpy.ones_like(Y))
    before = values(model)[-1]
    model.finish_update(SGD(1.0, L2=0.0, grad_clip=0.0))
    numpy.testing.assert_allclose(values(model)[-1], before - 2 * len(X), atol=1e-4)


def test_averages_are_used_and_restored(model):
    optimizer = Adam(0.01, use_averages=True)
    for _ in range(5):
        Yh, backprop = model.begin_update(X)
        backprop(Yh - Y)
        model.finish_update(optimizer)
    current = model.predict(X)
    with pytest.raises(ZeroDivisionError):
        with model.use_params(optimizer.averages):
            assert not numpy.allclose(model.predict(X), current, atol=1e-6)
            raise ZeroDivisionError
    numpy.testing.assert_array_equal(model.predict(X), current)


def test_blocks_without_parameters(mx):
    model = MXNetWrapper(mx.gluon.nn.Activation("relu"))
    Yh, backprop = model.begin_update(X)
    numpy.testing.assert_allclose(Yh, X * (X > 0))
    numpy.testing.assert_allclose(backprop(X), Yh)
    model.finish_update(Adam(0.1))


def test_callers_arrays_stay_writable(model):
    data = X.copy()
    model.predict(data)
    Yh, backprop = model.begin_update(data)
    backprop(Yh)
    data[0] = 0
    Yh[0] = 0


@pytest.mark.parametrize(
    "data, n_args, n_kwargs, kind",
    [
        (X, 1, 0, numpy.ndarray),
        ([X, X], 2, 0, tuple),
        ({"a": X, "b": X}, 0, 2, dict),
        (ArgsKwargs((X, X), {"c": X}), 2, 1, ArgsKwargs),
    ],
)
def test_default_inputs(model, data, n_args, n_kwargs, kind):
    converted, get_dX = model.attrs["convert_inputs"](model, data, True)
    assert (len(converted.args), len(converted.kwargs)) == (n_args, n_kwargs)
    assert isinstance(get_dX(converted), kind)


def test_blocks_of_several_outputs(mx):
    class Both(mx.gluon.Block):
        def forward(self, x):
            return x * 2, x * 3

    model = MXNetWrapper(Both())
    (a, b), backprop = model.begin_update(X)
    numpy.testing.assert_allclose(backprop((a, b)), 4 * X + 9 * X, rtol=1e-6)


def test_another_process_predicts_the_same(model, tmp_path):
    models.train(model, X, Y, steps=5)
    Yh = models.reload_elsewhere("mxnet_model", model, X, tmp_path)
    numpy.testing.assert_allclose(Yh, model.predict(X), atol=1e-6)


def test_copies_are_independent(model):
    models.train(model, X, Y, steps=2)
    before = model.predict(X)
    twin = model.copy()
    assert twin.shims[0].id != model.shims[0].id
    numpy.testing.assert_allclose(twin.predict(X), before, atol=1e-6)
    models.train(twin, X, Y, steps=2)
    numpy.testing.assert_array_equal(model.predict(X), before)


def test_to_cpu_leaves_it_usable(model):
    before = model.predict(X)
    model.to_cpu()
    numpy.testing.assert_array_equal(model.predict(X), before)
    models.train(model, X, Y, steps=2)
    with pytest.raises(ValueError, match="Unexpected device_type: tpu"):
        model.shims[0].to_device("tpu", 0)


def test_model_class_and_name():
    class Mine(Model):
        pass

    model = MXNetWrapper(None, model_class=Mine, model_name="mine")
    assert type(model) is Mine and model.name == "mine" and not model.dim_names


def test_dropout_is_for_training_only(mx):
    model = MXNetWrapper(mx.gluon.nn.Dropout(0.5))
    ones = numpy.ones((100, 5), dtype="f")
    assert (model.predict(ones) == 1).all()
    assert (model.begin_update(ones)[0] != 1).any()
    assert (model.predict(ones) == 1).all()


def test_fifty_threads_agree(model):
    models.assert_threads_agree(model)


def test_part_of_a_tree(model):
    tree = chain(Linear(5), model, Linear(3)).initialize(X, Y)
    losses = models.train(tree, X, Y)
    assert losses[-1] < losses[0] / 10
    _, backprop = model(X, is_train=False)
    with pytest.raises(RuntimeError, match="begin_update"):
        backprop(Y)
