"""Two frameworks in one model: it trains, and another process predicts the same."""

import importlib.util

import numpy
import pytest

from tests.shims import models

HYBRIDS = {"torch_and_tensorflow": ("torch", "tensorflow"), "torch_and_jax": ("torch", "jax")}


@pytest.mark.parametrize("builder", HYBRIDS)
def test_hybrid(builder, tmp_path):
    for name in HYBRIDS[builder]:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    model = getattr(models, builder)()
    X, _ = models.batch()
    Y = (model.predict(X) > 0.5).astype("float32") * 0.6 + 0.2
    before = model.predict(X)
    losses = models.train(model, X, Y, steps=150)
    assert losses[-1] < losses[0] / 10
    assert not numpy.allclose(model.predict(X), before, atol=1e-2)
    elsewhere = models.reload_elsewhere(builder, model, X, tmp_path)
    numpy.testing.assert_allclose(elsewhere, model.predict(X), atol=1e-6)
