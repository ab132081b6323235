"""The bucket: gradients of a tree as views into one flat array."""

import numpy
import pytest

from thinc.api import Adam, Embed, Linear, Model, PyTorchWrapper, Relu, Softmax, chain, compat
from thinc.distributed import Bucket
from thinc.distributed.bucket import LINE, weight_of
from thinc.loss import CategoricalCrossentropy, CosineDistance, L2Distance


def make_model():
    model = chain(Relu(7, 5), Relu(3, 7), Softmax(2, 3))
    return model.initialize()


def step(model, X, dY):
    Y, backprop = model.begin_update(X)
    backprop(dY)


def test_gradients_are_views_and_stay_it_over_updates():
    model, twin = make_model(), None
    twin = model.copy()
    bucket = Bucket(model, n_extra=1)
    rng = numpy.random.RandomState(0)
    optimizer, other = Adam(0.01), Adam(0.01)
    for _ in range(3):
        X, dY = rng.normal(size=(11, 5)).astype("f"), rng.normal(size=(11, 2)).astype("f")
        step(model, X, dY)
        step(twin, X, dY)
        bucket.collect()
        assert bucket.flags.tolist() == [1] * 6
        for slot, (_, _, grad) in zip(bucket.slots, grads_of(twin)):
            assert slot.view(bucket.flat).tobytes() == grad.tobytes()
            assert numpy.shares_memory(slot.get(), bucket.flat)
            assert slot.get().ctypes.data % 64 == 0 and slot.start % LINE == 0
        model.finish_update(optimizer)
        twin.finish_update(other)
        assert not bucket.flat[: bucket.n_params].any()
    for a, b in zip(model.walk(), twin.walk()):
        for name in a.param_names:
            assert a.get_param(name).tobytes() == b.get_param(name).tobytes()


def grads_of(model):
    return [(node, n, node.get_grad(n)) for node in model.walk() for n in node.param_names]


def test_a_gradient_that_was_set_anew_is_fetched():
    model = make_model()
    bucket = Bucket(model)
    node = model.layers[0]
    node.set_grad("b", numpy.full(7, 2.0, dtype="f"))
    bucket.collect()
    node.set_grad("b", numpy.full(7, 3.0, dtype="f"))
    bucket.collect()
    assert numpy.shares_memory(node.get_grad("b"), bucket.flat)
    assert node.get_grad("b").tolist() == [3.0] * 7
    assert sum(bucket.flags) == 1


def test_a_parameter_without_gradient_gets_one_if_another_rank_has_it():
    model = make_model()
    bucket = Bucket(model)
    bucket.collect()
    bucket.release()
    assert not any(node.grad_names for node in model.walk())
    bucket.flags[0] = 1
    bucket.release()
    assert [node.grad_names for node in model.walk() if node.grad_names] == [(bucket.slots[0].place.name,)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes(dtype):
    model = make_model()
    for node in model.walk():
        for name in node.param_names:
            node.set_param(name, node.get_param(name).astype(dtype))
    assert Bucket(model).flat.dtype == dtype


def test_places_do_not_depend_on_ids():
    assert [s.place for s in Bucket(make_model()).slots] == [s.place for s in Bucket(make_model()).slots]


def test_a_shared_layer_has_one_place():
    layer = Linear(4, 4).initialize()
    assert len(Bucket(chain(layer, layer)).slots) == 2


def test_what_cannot_be_joined_is_refused_by_name():
    mixed = make_model()
    mixed.layers[1].set_param("W", mixed.layers[1].get_param("W").astype("float64"))
    with pytest.raises(TypeError, match=r"'W' of 'relu.*' is float64, those before it float32"):
        Bucket(mixed)
    with pytest.raises(ValueError, match="has no parameters. Initialize it first"):
        Bucket(chain(Relu(3), Relu(2)))

    class Foreign:
        id, _model = 1, object()

    with pytest.raises(TypeError, match="'wrapped' holds a Foreign, whose gradients are not within reach"):
        Bucket(Model("wrapped", None, shims=[Foreign()], params={"W": numpy.zeros(3, "f")}))


@pytest.mark.skipif(not compat.has_torch, reason="needs torch")
def test_tensors_of_torch_are_in_it():
    import torch

    torch.manual_seed(0)
    model = chain(Relu(4, 5), PyTorchWrapper(torch.nn.Linear(4, 3)), Softmax(2, 3)).initialize()
    twin = model.copy()
    bucket, optimizer, other = Bucket(model), Adam(0.01), Adam(0.01)
    assert [slot.place.name for slot in bucket.slots].count("weight") == 1
    rng = numpy.random.RandomState(0)
    for _ in range(3):
        X, dY = rng.normal(size=(11, 5)).astype("f"), rng.normal(size=(11, 2)).astype("f")
        for each in (model, twin):
            step(each, X, dY)
        bucket.collect()
        tensors = dict(twin.layers[1].shims[0]._model.named_parameters())
        for slot in bucket.slots:
            if slot.place.shim >= 0:
                assert slot.view(bucket.flat).tobytes() == tensors[slot.place.name].grad.numpy().tobytes()
        model.finish_update(optimizer)
        twin.finish_update(other)
    assert numpy.array_equal(model.predict(X), twin.predict(X))


def test_sparse_tables_are_flat_too():
    model = Embed(6, 50).initialize()
    bucket = Bucket(model)
    step(model, numpy.asarray([[3], [4]], dtype="uint64"), numpy.ones((2, 6), "f"))
    bucket.collect()
    assert bucket.slots[0].view(bucket.flat).sum() == 12


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("make", [CategoricalCrossentropy, L2Distance, CosineDistance])
def test_parts_weigh_as_much_as_their_examples(make, normalize):
    """The weighted gradients and losses of the parts are those of the whole batch."""
    rng = numpy.random.RandomState(0)
    Yh = rng.uniform(0.1, 1, size=(13, 4)).astype("f")
    Y = rng.uniform(0, 1, size=(13, 4)).astype("f")
    loss = make(normalize=normalize)
    grad, value = loss(Yh, Y)
    for cut in (1, 5, 12):
        parts = [(slice(0, cut), cut), (slice(cut, 13), 13 - cut)]
        grads, values = zip(*(loss(Yh[part], Y[part]) for part, _ in parts))
        weights = [weight_of(loss, n, 13) for _, n in parts]
        joined = numpy.concatenate([g * w[0] for g, w in zip(grads, weights)])
        numpy.testing.assert_allclose(joined, grad, rtol=1e-6, atol=1e-7)
        assert sum(v * w[1] for v, w in zip(values, weights)) == pytest.approx(float(value), rel=1e-5)
