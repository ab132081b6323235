"""PyTorchWrapper and its relatives, against torch itself.

Over 500 lines: one framework, whose wrappers share modules and helpers here.
"""

import copy
import gc
import io
import pickle
import threading

import numpy
import pytest
import srsly

torch = pytest.importorskip("torch", reason="torch is not installed")

from tests.shims import models  # noqa: E402
from thinc.api import (  # noqa: E402
    SGD,
    Adam,
    ArgsKwargs,
    Linear,
    PyTorchGradScaler,
    PyTorchLSTM,
    PyTorchRNNWrapper,
    PyTorchShim,
    PyTorchWrapper,
    PyTorchWrapper_v2,
    PyTorchWrapper_v3,
    TorchExportWrapper,
    TorchScriptShim,
    TorchScriptWrapper_v1,
    chain,
    list2padded,
    pytorch_to_torchexport_wrapper,
    pytorch_to_torchscript_wrapper,
)
from thinc.shims.pytorch import default_deserialize_torch_model, default_serialize_torch_model  # noqa: E402

X, Y = models.batch()
TORCHSCRIPT = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
pytestmark = [TORCHSCRIPT]


def test_forward_and_gradients_are_those_of_torch():
    model, net = models.torch_model(), models.torch_net()
    dY = numpy.random.RandomState(1).normal(size=Y.shape).astype("f")
    x = torch.from_numpy(X.copy()).requires_grad_()
    y = net(x)
    y.backward(torch.from_numpy(dY))
    Yh, backprop = model.begin_update(X)
    dX = backprop(dY)
    numpy.testing.assert_allclose(Yh, y.detach().numpy(), atol=1e-6)
    numpy.testing.assert_allclose(dX, x.grad.numpy(), atol=1e-6)
    for ours, theirs in zip(model.shims[0]._model.parameters(), net.parameters()):
        numpy.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-6)
    numpy.testing.assert_allclose(model.predict(X), Yh, atol=1e-6)


@pytest.mark.parametrize("wrapper", [PyTorchWrapper, PyTorchWrapper_v2, PyTorchWrapper_v3])
def test_training_lowers_the_loss(wrapper):
    losses = models.train(wrapper(models.torch_net()), X, Y)
    assert losses[-1] < losses[0] / 10


def test_updates_are_those_of_our_optimizer():
    model, net = models.torch_model(), models.torch_net()
    Yh, backprop = model.begin_update(X)
    backprop(Yh - Y)
    model.finish_update(SGD(0.1, L2=0.0, grad_clip=0.0))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    y = net(torch.from_numpy(X))
    (0.5 * (y - torch.from_numpy(Y)) ** 2).sum().backward()
    optimizer.step()
    for ours, theirs in zip(model.shims[0]._model.parameters(), net.parameters()):
        numpy.testing.assert_allclose(ours.detach(), theirs.detach(), atol=1e-5)
        assert not ours.grad.any()


def test_optimizers_see_names_and_shapes():
    model = models.torch_model()
    seen = {}

    def optimizer(key, weights, gradient):
        seen[key] = weights.shape
        return weights - gradient, gradient * 0

    Yh, backprop = model.begin_update(X)
    backprop(Yh)
    before = model.shims[0]._model[0].weight
    old = before.detach().clone()
    model.finish_update(optimizer)
    shim = model.shims[0]
    assert seen[shim.id, "0.weight"] == (16, 5)
    assert len(seen) == 4
    assert shim._model[0].weight is before  # the same Parameter with other values
    assert not torch.equal(before, old)


def test_gradients_add_up_until_the_update():
    model = models.torch_model()
    for expected in (1, 2):
        _, backprop = model.begin_update(X)
        backprop(numpy.ones_like(Y))
        bias = model.shims[0]._model[2].bias.grad
        numpy.testing.assert_allclose(bias, expected * len(X))
    model.finish_update(Adam(0.1))
    model.finish_update(Adam(0.1))


def test_frozen_and_unused_parameters_are_left_alone():
    net = models.torch_net()
    net.unused = torch.nn.Linear(2, 2)
    net.forward = lambda x: net[2](net[1](net[0](x)))
    net[0].weight.requires_grad = False
    frozen = net[0].weight.clone()
    model = PyTorchWrapper(net)
    models.train(model, X, Y, steps=3)
    assert torch.equal(net[0].weight, frozen)


def test_a_thousand_updates_leave_no_chain_of_owners():
    model = models.torch_model()
    models.train(model, X, Y, steps=50)
    gc.collect()
    before = len(gc.get_objects())
    pointer = model.shims[0]._model[0].weight.data_ptr()
    models.train(model, X, Y, steps=950)
    gc.collect()
    assert model.shims[0]._model[0].weight.data_ptr() == pointer
    assert len(gc.get_objects()) < before + 500


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_trained(dtype):
    net = torch.nn.Linear(5, 3).to(dtype)
    x = torch.from_numpy(X).to(dtype)
    shim = PyTorchShim(net)
    before = net.weight.detach().clone()
    y, backprop = shim(ArgsKwargs((x,), {}), True)
    backprop(ArgsKwargs(((y,),), {"grad_tensors": [torch.ones_like(y)]}))
    shim.finish_update(Adam(0.1))
    assert net.weight.dtype is dtype
    assert (net.weight != before).all()


def test_sparse_gradients_are_applied():
    net = torch.nn.Embedding(11, 3, sparse=True)
    model = PyTorchWrapper(net)
    old = net.weight.detach().clone()
    Yh, backprop = model.begin_update(numpy.array([1, 2, 2], dtype="int64"))
    assert backprop(numpy.ones_like(Yh)) is None  # ids have no gradient
    model.finish_update(SGD(1.0, L2=0.0, grad_clip=0.0))
    expected = old.clone()
    expected[1] -= 1
    expected[2] -= 2
    numpy.testing.assert_allclose(net.weight.detach(), expected, atol=1e-5)


def test_averages_and_named_params_are_used_and_restored():
    model = models.torch_model()
    optimizer = Adam(0.01, use_averages=True)
    for _ in range(5):
        Yh, backprop = model.begin_update(X)
        backprop(Yh - Y)
        model.finish_update(optimizer)
    shim = model.shims[0]
    current = model.predict(X)
    with model.use_params(optimizer.averages):
        averaged = model.predict(X)
    assert not numpy.allclose(averaged, current, atol=1e-6)
    numpy.testing.assert_array_equal(model.predict(X), current)
    zeros = {f"pytorch_{shim.id}_2.bias": numpy.full(3, 7, dtype="f")}
    with pytest.raises(ZeroDivisionError):
        with model.use_params(zeros):
            numpy.testing.assert_array_equal(shim._model[2].bias.detach(), [7, 7, 7])
            raise ZeroDivisionError
    numpy.testing.assert_array_equal(model.predict(X), current)
    with pytest.raises(KeyError, match="names no parameter"):
        with model.use_params({f"pytorch_{shim.id}_3.bias": zeros}):
            pass
    # The key of a node with the same number.
    with model.use_params({(shim.id, "2.bias"): numpy.zeros((2, 2), dtype="f")}):
        numpy.testing.assert_array_equal(model.predict(X), current)


# Structures of inputs and outputs


@pytest.mark.parametrize(
    "data, n_args, n_kwargs, kind",
    [
        (X, 1, 0, numpy.ndarray),
        ([X, X], 2, 0, tuple),
        ((X, X), 2, 0, tuple),
        ({"a": X, "b": X}, 0, 2, dict),
        (ArgsKwargs((X, X), {"c": X}), 2, 1, ArgsKwargs),
    ],
)
def test_default_inputs(data, n_args, n_kwargs, kind):
    model = models.torch_model()
    converted, get_dX = model.attrs["convert_inputs"](model, data, True)
    assert isinstance(converted, ArgsKwargs)
    assert (len(converted.args), len(converted.kwargs)) == (n_args, n_kwargs)
    tensors = [*converted.args, *converted.kwargs.values()]
    assert all(isinstance(t, torch.Tensor) and t.requires_grad for t in tensors)
    assert isinstance(get_dX(converted), kind)


class Several(torch.nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.linear = torch.nn.Linear(5, 3)

    def forward(self, x, mask=None):
        y = self.linear(x)
        outputs = {"y": y, "best": y.argmax(1), "nothing": None, "x2": x * 2}
        return outputs if self.kind is dict else self.kind(outputs.values())


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_modules_with_several_outputs(kind):
    model = PyTorchWrapper(Several(kind))
    Yh, backprop = model.begin_update(X)
    assert type(Yh) is kind
    if kind is dict:
        dX = backprop({"x2": numpy.ones_like(X), "best": Yh["best"]})
        numpy.testing.assert_allclose(dX, 2)
        assert model.shims[0]._model.linear.weight.grad is None
    else:
        dX = backprop(kind([numpy.ones_like(Y), None, None, numpy.ones_like(X)]))
        weight = model.shims[0]._model.linear.weight.detach().numpy()
        numpy.testing.assert_allclose(dX, 2 + weight.sum(0) + 0 * X, atol=1e-6)
        _, backprop = model.begin_update(X)
        with pytest.raises(ValueError, match="4 outputs.*1 gradients"):
            backprop(kind([Y]))


def test_integers_are_inputs_without_gradient():
    model = PyTorchWrapper(Several(tuple))
    (Yh, *_), backprop = model.begin_update((X, numpy.arange(7)))
    dX, d_mask = backprop((numpy.ones_like(Yh), None, None, None))
    assert dX.shape == X.shape and d_mask is None


def test_custom_converters():
    def from_lists(model, lists, is_train):
        stacked = torch.tensor(lists, dtype=torch.float32)
        return ArgsKwargs((stacked,), {}), lambda dX: []

    def to_lists(model, X_Y, is_train):
        _, y = X_Y

        def back(dY):
            return ArgsKwargs((y,), {"grad_tensors": torch.tensor(dY)})

        return y.tolist(), back

    model = PyTorchWrapper(models.torch_net(), convert_inputs=from_lists, convert_outputs=to_lists)
    Yh, backprop = model(X.tolist(), is_train=True)
    numpy.testing.assert_allclose(Yh, models.torch_model().predict(X), atol=1e-6)
    assert backprop(Yh) == []


def test_predict_callback_has_no_gradient():
    _, backprop = models.torch_model()(X, is_train=False)
    with pytest.raises(RuntimeError, match="begin_update"):
        backprop(Y)


def test_memory_is_shared_both_ways():
    class Keep(torch.nn.Module):
        def forward(self, x):
            self.x = x
            return x

    net = Keep()
    data = X.copy()
    Yh = PyTorchWrapper(net).predict(data)
    assert net.x.data_ptr() == data.ctypes.data == Yh.ctypes.data


# Recurrent modules


def test_rnn_wrapper_is_the_lstm_of_torch():
    rng = numpy.random.RandomState(0)
    sequences = [rng.normal(size=(n, 5)).astype("f") for n in (4, 2, 3)]
    padded = list2padded().predict(sequences)
    lstm = torch.nn.LSTM(5, 3)
    model = PyTorchRNNWrapper(lstm)
    Yp, backprop = model.begin_update(padded)
    x = torch.from_numpy(padded.data.copy()).requires_grad_()
    y, _ = lstm(x)
    dY = rng.normal(size=y.shape).astype("f")
    y.backward(torch.from_numpy(dY))
    expected = {n: p.grad.clone() for n, p in lstm.named_parameters()}
    lstm.zero_grad(set_to_none=True)
    numpy.testing.assert_allclose(Yp.data, y.detach(), atol=1e-6)
    dYp = type(Yp)(dY, Yp.size_at_t, Yp.lengths, Yp.indices)
    numpy.testing.assert_allclose(backprop(dYp).data, x.grad, atol=1e-6)
    for name, parameter in lstm.named_parameters():
        numpy.testing.assert_allclose(parameter.grad, expected[name], atol=1e-5)


@pytest.mark.parametrize("bi, depth", [(False, 1), (True, 2), (False, 0)])
def test_pytorch_lstm_takes_lists(bi, depth):
    rng = numpy.random.RandomState(0)
    width = 5 if depth == 0 else 6
    model = PyTorchLSTM(width, 5, bi=bi, depth=depth)
    sequences = [rng.normal(size=(n, 5)).astype("f") for n in (4, 2, 3)]
    Ys, backprop = model.begin_update(sequences)
    assert [y.shape for y in Ys] == [(n, width) for n in (4, 2, 3)]
    assert [dx.shape for dx in backprop(Ys)] == [x.shape for x in sequences]
    model.finish_update(Adam(0.1))


# Saving and moving


def test_another_process_predicts_the_same(tmp_path):
    model = models.torch_model()
    models.train(model, X, Y, steps=5)
    Yh = models.reload_elsewhere("torch_model", model, X, tmp_path)
    numpy.testing.assert_array_equal(Yh, model.predict(X))


def test_bytes_hold_nothing_but_tensors():
    class Evil:
        def __reduce__(self):
            return (print, ("unpickled",))

    net = models.torch_net()
    data = default_serialize_torch_model(net)
    device = torch.device("cpu")
    assert default_deserialize_torch_model(net, data, device) is net
    net.state_dict = lambda: {"evil": Evil()}
    with pytest.raises(Exception, match="[Ww]eights.only"):
        default_deserialize_torch_model(net, default_serialize_torch_model(net), device)
    with pytest.raises(ValueError, match="holds no torch module"):
        default_deserialize_torch_model(None, data, device)


def test_other_architectures_are_refused():
    data = models.torch_model().to_bytes()
    with pytest.raises(ValueError, match="state_dict"):
        PyTorchWrapper(torch.nn.Linear(5, 3)).from_bytes(data)


def test_custom_serialization():
    def save(net):
        return b"".join(p.detach().numpy().tobytes() for p in net.parameters())

    def load(net, data, device):
        made = torch.nn.Linear(5, 3)
        values = numpy.frombuffer(data, "f").copy()
        made.weight.data = torch.from_numpy(values[:15].reshape(3, 5))
        made.bias.data = torch.from_numpy(values[15:])
        return made

    def build(net):
        return PyTorchWrapper_v3(net, serialize_model=save, deserialize_model=load)

    model = build(torch.nn.Linear(5, 3))
    other = build(None).from_bytes(model.to_bytes())
    numpy.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_copies_are_independent():
    model = models.torch_model()
    twin = model.copy()
    assert twin.shims[0].id != model.shims[0].id
    before = model.predict(X)
    models.train(twin, X, Y, steps=2)
    numpy.testing.assert_array_equal(model.predict(X), before)


def test_devices():
    model = models.torch_model()
    assert model.shims[0].device == torch.device("cpu")
    model.to_cpu()
    assert model.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="Invalid device_type: tpu"):
        model.shims[0].to_device("tpu", 0)
    assert PyTorchShim(torch.nn.Tanh()).device == torch.device("cpu")


def test_dropout_is_for_training_only():
    model = PyTorchWrapper(torch.nn.Dropout(0.5))
    ones = numpy.ones((100, 5), dtype="f")
    assert (model.predict(ones) == 1).all()
    assert (model.begin_update(ones)[0] != 1).all()
    assert (model.predict(ones) == 1).all()


def test_fifty_threads_agree():
    net = torch.nn.Sequential(torch.nn.Dropout(0.9), models.torch_net())
    for _ in range(5):
        net.train()
        models.assert_threads_agree(PyTorchWrapper(net))


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_mixed_precision_without_gpu_predicts_but_does_not_train():
    model = PyTorchWrapper_v2(models.torch_net(), mixed_precision=True)
    assert model.predict(X).shape == Y.shape
    Yh, backprop = model.begin_update(X)
    with pytest.raises(ValueError, match="not supported.*>=1.9.0"):
        backprop(Yh)


def test_scaler_that_is_off_lets_everything_through():
    scaler = PyTorchGradScaler()
    scaler.to_("cpu")
    assert scaler.scale("anything") == "anything"
    assert scaler.unscale([torch.ones(1)]) is False
    scaler.update()
    assert scaler.found_inf is False


def test_scaler_refuses_what_is_no_tensor():
    scaler = PyTorchGradScaler(enabled=True)
    for wrong in (1.0, ["a"], "text"):
        with pytest.raises(ValueError, match="must be a Tensor or Iterable"):
            scaler.scale(wrong)


def test_scaler_backs_off_and_grows():
    scaler = PyTorchGradScaler(True, init_scale=8.0, growth_interval=2)
    gradient = torch.tensor([8.0, 16.0])
    assert scaler.unscale([gradient]) is False
    assert gradient.tolist() == [1.0, 2.0]
    scaler.update()
    scaler.update()
    gradient = torch.tensor([16.0])
    scaler.unscale([gradient])
    assert gradient.tolist() == [1.0]  # it has doubled
    assert scaler.unscale([torch.tensor([float("inf")])]) is True
    assert scaler.found_inf
    scaler.update()
    assert not scaler.found_inf
    gradient = torch.tensor([8.0])
    scaler.unscale([gradient])
    assert gradient.tolist() == [1.0]


# Saved with their code


def test_torchscript_is_the_same_model(tmp_path):
    model = models.torch_model()
    script = pytorch_to_torchscript_wrapper(model)
    numpy.testing.assert_allclose(script.predict(X), model.predict(X), rtol=1e-7)
    Yh = models.reload_elsewhere("torchscript_shell", script, X, tmp_path)
    numpy.testing.assert_array_equal(Yh, script.predict(X))
    shell = TorchScriptWrapper_v1().from_bytes(script.to_bytes())
    losses = models.train(shell, X, Y)
    assert losses[-1] < losses[0] / 10
    twin = script.copy()
    numpy.testing.assert_array_equal(twin.predict(X), script.predict(X))


def test_torchexport_is_the_same_model(tmp_path):
    net = torch.nn.Sequential(models.torch_net(), torch.nn.Dropout(0.5))
    model = PyTorchWrapper(net)
    exported = pytorch_to_torchexport_wrapper(model, X)
    assert net.training
    for rows in (1, 7, 11):
        some = models.batch(rows)[0]
        numpy.testing.assert_allclose(exported.predict(some), model.predict(some), rtol=1e-6)
    losses = models.train(exported, X, Y)
    assert losses[-1] < losses[0] / 10
    Yh = models.reload_elsewhere("torchexport_shell", exported, X, tmp_path)
    numpy.testing.assert_array_equal(Yh, exported.predict(X))
    assert not numpy.allclose(Yh, models.torch_model().predict(X))
    twin = exported.copy()
    numpy.testing.assert_array_equal(twin.predict(X), Yh)
    models.train(twin, X, Y, steps=2)
    numpy.testing.assert_array_equal(exported.predict(X), Yh)


def test_conversions_need_a_wrapped_module():
    for convert in (pytorch_to_torchscript_wrapper, lambda model: pytorch_to_torchexport_wrapper(model, X)):
        with pytest.raises(ValueError, match="Expected PyTorchShim"):
            convert(Linear(3, 5))
        with pytest.raises(ValueError, match="does not wrap a PyTorch module"):
            model = models.torch_model()
            model.shims[0]._model = "text"
            convert(model)
    with pytest.raises(ValueError, match="initialized with ScriptModule or None"):
        TorchScriptShim(models.torch_net())
    with pytest.raises(ValueError, match="initialized with an ExportedProgram"):
        TorchExportWrapper(models.torch_net())


def test_part_of_a_tree():
    model = chain(Linear(5), models.torch_model(), Linear(3)).initialize(X, Y)
    losses = models.train(model, X, Y)
    assert losses[-1] < losses[0] / 10
    assert model.copy().predict(X).shape == Y.shape


# -- The mode belongs to the call; training that cannot learn


def dropping():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 3))


def test_predict_beside_training_drops_nothing():
    model = PyTorchWrapper(dropping())
    other = PyTorchWrapper(model.shims[0]._model)  # one module, two shims
    inputs = numpy.ones((8, 4), "f")
    expected = model.predict(inputs)
    rounds, done = [], threading.Event()

    def train():
        while not done.is_set():
            Y, backprop = model.begin_update(inputs)
            assert not numpy.array_equal(Y, expected)
            backprop(Y)
            rounds.append(1)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(60):
            numpy.testing.assert_array_equal(other.predict(inputs), expected)
    finally:
        done.set()
        thread.join()
    assert rounds


def test_a_call_inside_of_a_call_does_not_wait():
    class Asks(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = dropping()
            self.modes = []

        def forward(self, x):
            self.modes.append(self.training)
            if len(self.modes) == 1:
                model.predict(inputs)
                self.modes.append(self.training)
            return self.inner(x)

    inputs = numpy.ones((2, 4), "f")
    model = PyTorchWrapper(Asks())
    model.begin_update(inputs)
    assert model.shims[0]._model.modes == [True, False, True]


def test_parts_computed_again_on_the_way_back_are_in_training_mode():
    class Checkpointed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = dropping()
            self.modes = []

        def part(self, x):
            self.modes.append(self.inner[1].training)
            return self.inner(x)

        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.part, x, use_reentrant=False)

    model = PyTorchWrapper(Checkpointed())
    inputs = numpy.ones((2, 4), "f")
    Y, backprop = model.begin_update(inputs)
    model.predict(inputs)
    backprop(Y)
    assert model.shims[0]._model.modes == [True, False, True]


class Detached(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.inner(x).detach()


def test_training_that_cannot_learn_says_so():
    inputs = numpy.ones((2, 4), "f")
    model = chain(Linear(4, 4), PyTorchWrapper(torch.nn.Linear(4, 3)))
    model.layers[0].initialize()
    for block in (torch.no_grad, torch.inference_mode):
        with block(), pytest.raises(RuntimeError, match="inside of torch.no_grad") as caught:
            model.begin_update(inputs)
        assert "Layer: chain.1.pytorch" in caught.value.__notes__[0]
        with block():
            model.predict(inputs)
    with pytest.raises(RuntimeError, match="all outputs of the module are detached"):
        PyTorchWrapper(Detached()).begin_update(inputs)


def test_what_is_frozen_on_purpose_is_silent():
    table = torch.nn.Embedding(10, 4).requires_grad_(False)
    model = chain(PyTorchWrapper(table), Linear(2, 4).initialize())
    Y, backprop = model.begin_update(numpy.arange(5))
    backprop(Y)
    assert model.layers[1].has_grad("W")


class Outputs:
    """What modules of others answer with: an object that holds tensors."""

    def __init__(self, last):
        self.last = last


class Wrapping(torch.nn.Linear):
    def forward(self, x):
        return Outputs(super().forward(x))


def test_an_object_of_the_users_is_looked_into_by_the_converter_alone():
    def convert_outputs(model, inputs_outputs, is_train):
        outputs = inputs_outputs[1]
        assert outputs.last.requires_grad is is_train

        def backprop(dY):
            return ArgsKwargs((outputs.last,), {"grad_tensors": torch.as_tensor(dY)})

        return outputs.last.detach().numpy(), backprop

    model = PyTorchWrapper(Wrapping(4, 3), convert_outputs=convert_outputs)
    Y, backprop = model.begin_update(numpy.ones((2, 4), "f"))
    weight = model.shims[0]._model.weight
    numpy.testing.assert_allclose(
        backprop(numpy.ones((2, 3), "f")), numpy.tile(weight.detach().numpy().sum(0), (2, 1)), rtol=1e-6
    )
    assert model.predict(numpy.ones((2, 4), "f")).shape == (2, 3)
    with torch.no_grad(), pytest.raises(RuntimeError, match="inside of torch.no_grad"):
        model.begin_update(numpy.ones((2, 4), "f"))


# -- Loads that fail change nothing


@pytest.mark.parametrize("make", [dropping, lambda: torch.nn.BatchNorm1d(4)])
def test_a_state_that_does_not_fit_changes_nothing(make):
    model = PyTorchWrapper(make())
    shim = model.shims[0]
    before = model.to_bytes()
    state = {name: tensor + 1 for name, tensor in shim._model.state_dict().items()}
    last = list(state)[-2]
    wide = {**state, last: torch.zeros(9, 9)}
    missing = {name: tensor for name, tensor in state.items() if name != last}
    for wrong in (wide, missing, {**state, "other": torch.ones(1)}, [1], {name: "x" for name in state}):
        buffer = io.BytesIO()
        torch.save(wrong, buffer)
        data = srsly.msgpack_dumps({"config": {"new": 1}, "state": buffer.getvalue()})
        for load in (shim.from_bytes, lambda data: model.from_dict({**model.to_dict(), "shims": [[data]]})):
            with pytest.raises(ValueError, match="PyTorchShim"):
                load(data)
            assert model.to_bytes() == before
    for junk in (
        b"",
        b"garbage",
        srsly.msgpack_dumps({"config": {}}),
        srsly.msgpack_dumps({"config": {}, "state": b"x"}),
    ):
        with pytest.raises(ValueError, match="PyTorchShim"):
            shim.from_bytes(junk)
        assert model.to_bytes() == before


def test_two_modules_of_which_the_second_does_not_fit():
    first, second = PyTorchWrapper(torch.nn.Linear(4, 3)), PyTorchWrapper(torch.nn.Linear(3, 2))
    model = chain(first, second)
    other = chain(PyTorchWrapper(torch.nn.Linear(4, 3)), PyTorchWrapper(torch.nn.Linear(3, 5)))
    before = model.to_bytes()
    with pytest.raises(ValueError, match=r"layer 'chain.1.pytorch'.*has shape \(5"):
        model.from_bytes(other.to_bytes())
    assert model.to_bytes() == before


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_module_and_its_optimizer_go_on_with_the_same_bits(how):
    make = {"pickle": lambda pair: pickle.loads(pickle.dumps(pair)), "deepcopy": copy.deepcopy}[how]
    model, optimizer = PyTorchWrapper(torch.nn.Linear(4, 3)), Adam(0.1)

    def step(model, optimizer):
        Y, backprop = model.begin_update(numpy.ones((2, 4), "f"))
        backprop(Y)
        model.finish_update(optimizer)
        return model.predict(numpy.ones((2, 4), "f"))

    step(model, optimizer)
    model2, optimizer2 = make((model, optimizer))
    assert model2.shims[0].id != model.shims[0].id
    numpy.testing.assert_array_equal(step(model2, optimizer2), step(model, optimizer))


def test_gradients_are_cleared():
    model = PyTorchWrapper(torch.nn.Linear(4, 3))
    Y, backprop = model.begin_update(numpy.ones((2, 4), "f"))
    backprop(Y)
    model.clear_gradients()
    assert all(parameter.grad is None for parameter in model.shims[0]._model.parameters())
