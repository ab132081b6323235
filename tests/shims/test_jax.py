"""JaxWrapper against JAX itself."""

import numpy
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed")

from tests.shims import models  # noqa: E402
from thinc.api import SGD, Adam, ArgsKwargs, JaxRaggedWrapper, JaxWrapper, Linear, Ragged, chain  # noqa: E402
from thinc.layers.jaxwrapper import bucket_size  # noqa: E402

X, Y = models.batch()


@pytest.mark.parametrize("jit", [True, False])
def test_forward_and_gradients_are_those_of_jax(jit):
    model = JaxWrapper(models.jax_apply, models.jax_params(), jit=jit)
    dY = numpy.random.RandomState(1).normal(size=Y.shape).astype("f")
    params = models.jax_params()
    params["version"] = params["version"].astype("f")
    y, vjp = jax.vjp(models.jax_apply, params, X)
    d_params, dx = vjp(dY)
    Yh, backprop = model.begin_update(X)
    dX = backprop(dY)
    numpy.testing.assert_allclose(Yh, y, atol=1e-6)
    numpy.testing.assert_allclose(dX, dx, atol=1e-6)
    numpy.testing.assert_allclose(model.predict(X), y, atol=1e-6)
    before = models.jax_params()
    model.finish_update(SGD(1.0, L2=0.0, grad_clip=0.0))
    after = model.shims[0].params
    numpy.testing.assert_allclose(after["hidden"]["W"], before["hidden"]["W"] - d_params["hidden"]["W"], atol=1e-5)
    numpy.testing.assert_allclose(after["output"][1], -d_params["output"][1], atol=1e-5)
    assert after["version"].dtype == "int32" and after["version"][0] == 1


def test_training_lowers_the_loss():
    losses = models.train(models.jax_model(), X, Y)
    assert losses[-1] < losses[0] / 10


def test_optimizers_see_paths():
    model = models.jax_model()
    seen = {}

    def optimizer(key, weights, gradient):
        seen[key[1]] = weights.shape
        assert key[0] == model.shims[0].id
        weights -= gradient  # in place: the arrays must be writable
        return weights, gradient * 0

    Yh, backprop = model.begin_update(X)
    backprop(Yh)
    model.finish_update(optimizer)
    assert seen == {
        "['hidden']['W']": (5, 16),
        "['hidden']['b']": (16,),
        "['output'][0]": (16, 3),
        "['output'][1]": (3,),
    }
    model.finish_update(optimizer)  # nothing to do


def test_gradients_add_up():
    model = models.jax_model()
    for _ in range(2):
        _, backprop = model.begin_update(X)
        backprop(numpy.ones_like(Y))
    model.finish_update(SGD(1.0, L2=0.0, grad_clip=0.0))
    bias = model.shims[0].params["output"][1]
    numpy.testing.assert_allclose(bias, -2.0 * len(X))


def test_structures_of_inputs_and_outputs():
    def apply(params, a, b=None, ids=None):
        return {"sum": a + 2 * b + params, "ids": ids}

    model = JaxWrapper(apply, numpy.zeros(5, dtype="f"))
    ids = numpy.arange(7)
    Yh, backprop = model.begin_update({"a": X, "b": X, "ids": ids})
    numpy.testing.assert_allclose(Yh["sum"], 3 * X, atol=1e-6)
    numpy.testing.assert_array_equal(Yh["ids"], ids)
    dX = backprop({"sum": X, "ids": None})
    numpy.testing.assert_allclose(dX["b"], 2 * X)
    assert dX["ids"] is None
    Yh, backprop = model.begin_update(ArgsKwargs((X, X), {"ids": ids}))
    dX = backprop({"sum": X, "ids": None})
    assert isinstance(dX, ArgsKwargs) and len(dX.args) == 2
    with pytest.raises(ValueError, match="gradients"):
        backprop(X)


def test_what_the_backward_pass_needs_is_kept():
    model = JaxWrapper(lambda w, x: x * w, numpy.float32(2))
    data = numpy.ones((1000, 64), dtype="f")
    _, backprop = model.begin_update(data)
    dY = numpy.ones_like(data)
    data[:] = 0
    backprop(dY)
    assert model.shims[0]._grads[0] == data.size


def test_random_keys_for_dropout():
    def apply(params, x, rng):
        if rng is None:
            return x
        return x * jax.random.bernoulli(rng, 0.5, x.shape)

    model = JaxWrapper(apply, {}, seed=0)
    ones = numpy.ones((9, 5), dtype="f")
    first, backprop = model.begin_update(ones)
    second, _ = model.begin_update(ones)
    assert (first != second).any()
    numpy.testing.assert_array_equal(backprop(ones), first)
    assert (model.predict(ones) == 1).all()


def test_averages_are_used_and_restored():
    model = models.jax_model()
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


def test_another_process_predicts_the_same(tmp_path):
    model = models.jax_model()
    models.train(model, X, Y, steps=5)
    Yh = models.reload_elsewhere("jax_model", model, X, tmp_path)
    numpy.testing.assert_array_equal(Yh, model.predict(X))


def test_other_parameters_are_refused():
    data = models.jax_model().to_bytes()
    with pytest.raises(ValueError, match="the data has the parameters"):
        JaxWrapper(models.jax_apply, {"W": X}).from_bytes(data)
    params = models.jax_params()
    params["hidden"]["b"] = numpy.zeros(3, dtype="f")
    with pytest.raises(ValueError, match=r"\['hidden'\]\['b'\] has shape \(16,\)"):
        JaxWrapper(models.jax_apply, params).from_bytes(data)


def test_copies_are_independent():
    model = models.jax_model()
    twin = model.copy()
    before = model.predict(X)
    models.train(twin, X, Y, steps=2)
    numpy.testing.assert_array_equal(model.predict(X), before)
    assert twin.shims[0].id != model.shims[0].id
    model.to_cpu()
    numpy.testing.assert_array_equal(model.predict(X), before)
    with pytest.raises(ValueError, match="Invalid device_type: tpu"):
        model.shims[0].to_device("tpu", 0)


def test_bfloat16_is_trained():
    params = jax.tree_util.tree_map(lambda a: jax.numpy.asarray(a, dtype="bfloat16"), models.jax_params())
    model = JaxWrapper(models.jax_apply, params)
    models.train(model, X, Y, steps=3)
    assert model.shims[0].params["output"][1].dtype == "bfloat16"
    model.from_bytes(model.to_bytes())


def mean_minus(w, x, mask):
    """Each step minus the mean of its sequence: it notices padding that counts."""
    total = jax.numpy.where(mask[..., None], x, 0).sum(axis=1, keepdims=True)
    return w * (x - total / jax.numpy.maximum(mask.sum(axis=1), 1)[:, None, None])


def test_ragged_batches_are_padded_to_buckets():
    compiled = []

    def apply(w, x, mask):
        compiled.append(x.shape)
        return mean_minus(w, x, mask)

    model = JaxRaggedWrapper(apply, numpy.float32(2))
    rng = numpy.random.RandomState(0)
    for lengths in ([3, 0, 5], [1, 1, 1, 8], [2, 7, 4], []):
        data = rng.normal(size=(sum(lengths), 5)).astype("f")
        Xr = Ragged(data, numpy.array(lengths, dtype="i"))
        Yr = model.predict(Xr)
        expected = [2 * (x - x.mean(axis=0)) for x in _split(data, lengths) if len(x)]
        assert Yr.dataXd.shape == data.shape
        if expected:
            numpy.testing.assert_allclose(Yr.dataXd, numpy.concatenate(expected), atol=1e-5)
    assert compiled == [(4, 8, 5), (1, 8, 5)]


def test_gradients_of_ragged_batches_have_no_padding():
    model = JaxRaggedWrapper(mean_minus, numpy.float32(2))
    lengths = numpy.array([3, 5], dtype="i")
    Xr = Ragged(numpy.ones((8, 5), dtype="f"), lengths)
    Yr, backprop = model.begin_update(Xr)
    dX = backprop(Ragged(numpy.ones((8, 5), dtype="f"), lengths))
    numpy.testing.assert_allclose(dX.dataXd, numpy.zeros((8, 5)), atol=1e-6)
    model.finish_update(SGD(0.1))


def _split(data, lengths):
    return numpy.split(data, numpy.cumsum(lengths)[:-1])


@pytest.mark.parametrize("size, expected", [(0, 1), (1, 1), (2, 2), (3, 4), (9, 16)])
def test_buckets_are_powers_of_two(size, expected):
    assert bucket_size(size) == expected
    assert bucket_size(size, 8) == max(8, expected)


def test_fifty_threads_agree():
    models.assert_threads_agree(models.jax_model())


def test_part_of_a_tree():
    model = chain(Linear(5), models.jax_model(), Linear(3)).initialize(X, Y)
    losses = models.train(model, X, Y)
    assert losses[-1] < losses[0] / 10


def test_predict_callback_has_no_gradient():
    _, backprop = models.jax_model()(X, is_train=False)
    with pytest.raises(RuntimeError, match="begin_update"):
        backprop(Y)
