"""TensorFlowWrapper against TensorFlow itself: Keras 3, and the legacy tf_keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import importlib.util  # noqa: E402

import numpy  # noqa: E402
import pytest  # noqa: E402

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

from tests.shims import models  # noqa: E402
from thinc.api import (  # noqa: E402
    SGD,
    Adam,
    ArgsKwargs,
    Linear,
    Model,
    TensorFlowShim,
    TensorFlowWrapper,
    chain,
    keras_model_fns,
    keras_subclass,
    maybe_handshake_model,
)

X, Y = models.batch()
# Keras itself meets what NumPy and Python give up.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request):
    found = models.enable_tensorflow()
    if request.param == "keras":
        return found
    return pytest.importorskip("tf_keras", reason="tf_keras is not installed")


@pytest.fixture(scope="module")
def tf(keras):
    import tensorflow

    return tensorflow


@pytest.fixture
def model(keras):
    return TensorFlowWrapper(models.keras_net(keras))


def test_forward_and_gradients_are_those_of_tensorflow(model, tf):
    net = model.shims[0]._model
    dY = numpy.random.RandomState(1).normal(size=Y.shape).astype("f")
    x = tf.Variable(X)
    with tf.GradientTape() as tape:
        y = net(x, training=True)
    dx, *d_weights = tape.gradient(y, [x, *net.trainable_variables], output_gradients=tf.constant(dY))
    Yh, backprop = model.begin_update(X)
    dX = backprop(dY)
    numpy.testing.assert_allclose(Yh, y, atol=1e-5)
    numpy.testing.assert_allclose(dX, dx, atol=1e-5)
    for ours, theirs in zip(model.shims[0].gradients, d_weights):
        numpy.testing.assert_allclose(ours, theirs, atol=1e-5)
    numpy.testing.assert_allclose(model.predict(X), y, atol=1e-5)


def test_training_lowers_the_loss(model):
    losses = models.train(model, X, Y)
    assert losses[-1] < losses[0] / 10


def test_optimizers_see_one_vector(model):
    shim = model.shims[0]
    before = [v.numpy().copy() for v in shim._model.trainable_variables]
    for _ in range(2):
        _, backprop = model.begin_update(X)
        backprop(numpy.ones_like(Y))
    numpy.testing.assert_allclose(shim.gradients[-1], 2.0 * len(X))
    seen = []

    def optimizer(key, weights, gradient):
        seen.append((key, weights.shape))
        return weights - gradient, gradient * 0

    gradients = [gradient.numpy() for gradient in shim.gradients]
    model.finish_update(optimizer)
    assert seen == [((shim.id, "tensorflow-shim"), (5 * 16 + 16 + 16 * 3 + 3,))]
    for v, old, gradient in zip(shim._model.trainable_variables, before, gradients):
        numpy.testing.assert_allclose(v.numpy(), old - gradient, atol=1e-5)
    assert shim.gradients is None
    with pytest.raises(ValueError, match="no gradients for optimization"):
        model.finish_update(optimizer)


def test_summary(model):
    text = str(model.shims[0])
    for part in ("dense", "Total params", "Trainable params", "Non-trainable params"):
        assert part in text


def test_params_are_used_and_restored(model):
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
    shim = model.shims[0]
    weight = shim._model.weights[-1]
    for name in (getattr(weight, "path", weight.name), "3"):
        key = f"tensorflow_{shim.id}_{name}"
        with model.use_params({key: numpy.full(3, 7, dtype="f")}):
            numpy.testing.assert_array_equal(weight.numpy(), [7, 7, 7])
    numpy.testing.assert_array_equal(model.predict(X), current)


def test_models_of_several_inputs(keras):
    layers = keras.layers
    a, b = layers.Input((5,)), layers.Input((5,))
    summed = layers.Add()([layers.Dense(3)(a), layers.Dense(3)(b)])
    net = keras.Model([a, b], [summed, layers.Rescaling(2.0)(summed)])
    model = TensorFlowWrapper(net)
    Yh, backprop = model.begin_update((X, X))
    assert len(Yh) == 2
    dX = backprop([numpy.ones_like(Y), numpy.zeros_like(Y)])
    assert isinstance(dX, tuple)
    for gradient, kernel in zip(dX, (net.weights[0], net.weights[2])):
        expected = kernel.numpy().sum(axis=1) + 0 * X
        numpy.testing.assert_allclose(gradient, expected, atol=1e-5)
    shapes = [gradient.shape for gradient in model.shims[0].gradients]
    assert shapes == [variable.shape for variable in net.trainable_variables]
    numpy.testing.assert_allclose(model.predict([X, X])[0], Yh[0], atol=1e-5)


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
    converted, get_dX = model.attrs["convert_inputs"](model, data, is_train=True)
    assert (len(converted.args), len(converted.kwargs)) == (n_args, n_kwargs)
    assert isinstance(get_dX(converted), kind)


def test_ids_and_unused_weights_have_zero_gradient(keras):
    layers = keras.layers
    net = keras.Sequential([layers.Input((4,), dtype="int32"), layers.Embedding(11, 3)])
    model = TensorFlowWrapper(net)
    ids = numpy.array([[1, 2, 2, 0]], dtype="int32")
    Yh, backprop = model.begin_update(ids)
    assert not backprop(numpy.ones_like(Yh)).any()
    gradient = model.shims[0].gradients[0].numpy()
    numpy.testing.assert_allclose(gradient[:4, 0], [1, 1, 2, 0])


def test_another_process_predicts_the_same(tmp_path):
    model = models.tensorflow_model()
    models.train(model, X, Y, steps=5)
    Yh = models.reload_elsewhere("tensorflow_model", model, X, tmp_path)
    numpy.testing.assert_allclose(Yh, model.predict(X), atol=1e-6)


def test_bytes_hold_the_architecture(keras, model):
    other = TensorFlowWrapper(keras.Sequential([keras.layers.Input((5,))]))
    other.from_bytes(model.to_bytes())
    numpy.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)
    losses = models.train(other, X, Y)
    assert losses[-1] < losses[0] / 10


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_of_older_versions_load(keras, model, tmp_path):
    net = model.shims[0]._model
    net.save(str(tmp_path / "model.h5"))
    shim = TensorFlowShim(models.keras_net(keras))
    shim.from_bytes((tmp_path / "model.h5").read_bytes())
    numpy.testing.assert_allclose(shim._model(X), net(X), atol=1e-6)


def test_models_with_parts_of_ones_own(keras):
    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    def build():
        layers = [keras.layers.Input((5,)), keras.layers.Dense(3), Twice()]
        return TensorFlowWrapper(keras.Sequential(layers))

    model, other = build(), build()
    other.from_bytes(model.to_bytes())
    numpy.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)


def test_copies_are_independent(model):
    models.train(model, X, Y, steps=2)
    before = model.predict(X)
    twin = model.copy()
    assert twin.shims[0].id != model.shims[0].id
    numpy.testing.assert_allclose(twin.predict(X), before, atol=1e-6)
    models.train(twin, X, Y, steps=2)
    numpy.testing.assert_array_equal(model.predict(X), before)
    model.to_cpu()
    numpy.testing.assert_array_equal(model.predict(X), before)
    with pytest.raises(ValueError, match="Unexpected device_type: tpu"):
        model.shims[0].to_device("tpu", 0)


def subclass(keras, name):
    @keras_subclass(name, X=X, Y=Y, input_shape=(5,), compile_args={"loss": "mae"})
    class Custom(keras.Model):
        def __init__(self, units=16, note=None):
            super().__init__()
            self.hidden = keras.layers.Dense(units, activation="tanh")
            self.out = keras.layers.Dense(3)

        def call(self, x):
            return self.out(self.hidden(x))

    return Custom


def test_subclasses_are_decorated(keras):
    name = f"custom.{keras.__name__}"
    Custom = subclass(keras, name)
    net = Custom(units=9)
    assert net.catalogue_name == name and net.eg_shape == (5,)
    assert net.eg_compile == {"optimizer": "adam", "loss": "mae"}
    assert net.eg_x is X and net.eg_y is Y
    assert net.eg_args == ArgsKwargs((), {"units": 9})
    assert isinstance(keras_model_fns.get(name)(units=4), Custom)
    model = TensorFlowWrapper(net)
    losses = models.train(model, X, Y)
    assert losses[-1] < losses[0] / 10
    assert type(model.shims[0].to_bytes()) is tuple
    other = TensorFlowWrapper(Custom(units=9)).from_bytes(model.to_bytes())
    numpy.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)
    twin = model.copy()
    numpy.testing.assert_allclose(twin.predict(X), model.predict(X), atol=1e-6)


def test_subclasses_must_be_decorated(keras):
    class Plain(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="must be decorated"):
        TensorFlowWrapper(Plain())
    net = models.keras_net(keras)
    assert maybe_handshake_model(net) is net


def test_arguments_of_subclasses_must_be_serializable(keras):
    Custom = subclass(keras, f"unserializable.{keras.__name__}")
    with pytest.raises(ValueError, match="constructor arguments must be serializable"):
        Custom(units=16, note={1, 2})


def test_what_is_no_keras_model_is_refused(tf):
    with pytest.raises(ValueError, match="Expected tf.keras.models.Model, got"):
        TensorFlowWrapper(Linear(3))


def test_model_class_and_name(keras):
    class Mine(Model):
        pass

    net = models.keras_net(keras)
    model = TensorFlowWrapper(net, model_class=Mine, model_name="mine")
    assert type(model) is Mine and model.name == "mine" and not model.dim_names


def test_dropout_is_for_training_only(keras):
    layers = [keras.layers.Input((5,)), keras.layers.Dropout(0.5)]
    model = TensorFlowWrapper(keras.Sequential(layers))
    ones = numpy.ones((100, 5), dtype="f")
    assert (model.predict(ones) == 1).all()
    assert (model.begin_update(ones)[0] != 1).all()


def test_fifty_threads_agree(model):
    models.assert_threads_agree(model)


def test_part_of_a_tree(model):
    tree = chain(Linear(5), model, Linear(3)).initialize(X, Y)
    losses = models.train(tree, X, Y)
    assert losses[-1] < losses[0] / 10
    _, backprop = model(X, is_train=False)
    with pytest.raises(RuntimeError, match="begin_update"):
        backprop(Y)


def test_updates_are_those_of_our_optimizer(model):
    shim = model.shims[0]
    before = shim._model.get_weights()
    _, backprop = model.begin_update(X)
    backprop(numpy.ones_like(Y))
    model.finish_update(SGD(0.1, L2=0.0, grad_clip=0.0))
    bias = shim._model.get_weights()[-1]
    numpy.testing.assert_allclose(bias, before[-1] - 0.1 * len(X), atol=1e-5)
