"""What only a GPU can show: `make test-gpu` on a machine with CuPy and a CUDA device.

Ops against the readable formula in float64, layers against the same layers on the CPU, gradients by finite
differences, training to the same score, and how often the host waits.
"""

import copy

import numpy
import pytest

from tests.backends.test_fast_formulas import outputs, widen
from tests.cases.ops import CASES as OPS
from tests.checks import assert_ulp
from tests.layers.rows import CASES as LAYERS
from tests.layers.values import cast, float_arrays
from thinc import compat
from thinc.api import CupyOps, NumpyOps, Ops, fix_random_seed, registry
from thinc.testing import check_gradients
from thinc.types import Padded, Pairs, Ragged

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not compat.has_cupy_gpu, reason="no GPU that CuPy can use")]


def moved(value, convert):
    """The same structure, its arrays converted."""
    if isinstance(value, Ragged):
        return Ragged(convert(value.dataXd), convert(value.lengths))
    if isinstance(value, Padded):
        return Padded(*(convert(a) for a in (value.data, value.size_at_t, value.lengths, value.indices)))
    if isinstance(value, Pairs):
        return Pairs(moved(value.one, convert), moved(value.two, convert))
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, convert) for item in value)
    return convert(value) if hasattr(value, "dtype") else value


def to_gpu(value):
    return moved(value, CupyOps().asarray)


def to_cpu(value):
    return moved(value, lambda a: a if isinstance(a, numpy.ndarray) else a.get())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", OPS, ids=str)
def test_op(case, dtype):
    call_args = case.args(numpy.random.RandomState(0), dtype)
    readable = widen(call_args)
    want = outputs(case, readable, getattr(Ops(), case.name)(*readable, **case.kwargs))
    on_gpu = to_gpu(call_args)
    result = getattr(CupyOps(), case.name)(*on_gpu, **to_gpu(case.kwargs))
    got = outputs(case, to_cpu(on_gpu), to_cpu(result))
    if case.name == "adam":
        got, want = got[:3], want[:3]
    for fast, truth in zip(got, want):
        if truth.dtype.kind != "f" or case.exact:
            numpy.testing.assert_array_equal(fast, truth)
        else:  # expf and its like are off by a few ulp more than ours
            assert_ulp(fast, truth, 4 * case.ulp, 4 * case.atol + 4)


@pytest.mark.parametrize("case", LAYERS, ids=str)
def test_layer(case):
    fix_random_seed(0)
    X = cast(case.inputs(numpy.random.RandomState(1)), "float32")
    model = case.build()
    model.initialize(X=copy.deepcopy(X), Y=case.outputs(X))
    expected = float_arrays(model.predict(X))
    model.to_gpu(0)
    got = float_arrays(to_cpu(model.predict(to_gpu(X))))
    for one, other in zip(got, expected):
        numpy.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    model.to_cpu()
    assert all(isinstance(node.ops, NumpyOps) for node in model.walk())


@pytest.mark.parametrize("case", [case for case in LAYERS if case.differentiable], ids=str)
def test_gradient(case):
    X = case.inputs(numpy.random.RandomState(1))
    if not float_arrays(X):
        pytest.skip("no floats in the input")
    fix_random_seed(0)
    model = case.build()
    model.initialize(X=cast(copy.deepcopy(X), "float32"), Y=case.outputs(X))
    model.to_gpu(0)
    check_gradients(model, to_gpu(X), h=case.h, tolerance=case.tolerance, constants=case.constants)


@pytest.mark.parametrize("name", ["tagger", "bilstm"])
def test_training_reaches_the_score_of_the_cpu(name):
    from thinc.cli import CONFIGS
    from thinc.training import initialize, train
    from thinc.training.config_check import settle

    corpus = registry.datasets.get("python_source.v1")(limit=20)
    data, scores = corpus.read(), []
    for device in ("cpu", "gpu"):
        overrides = {"training.max_epochs": 2, "training.patience": 0}
        settled = settle(CONFIGS / f"{name}.cfg", overrides)
        initialize(settled.model, data)
        if device == "gpu":
            settled.model.to_gpu(0)
        *_, progress = train(settled.model, settled.optimizer, data, settled.settings)
        scores.append(progress.best_score)
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_a_step_does_not_wait_for_the_gpu(monkeypatch):
    """Nothing is fetched between the forward pass and the update of a dense model."""
    import cupy

    from thinc.api import Adam, Maxout, Softmax, chain

    ops = CupyOps()
    X = ops.asarray(numpy.random.RandomState(0).normal(size=(64, 32)).astype("f"))
    model = chain(Maxout(32, 32, dropout=0.1, normalize=True), Softmax(8, 32)).initialize()
    model.to_gpu(0)
    optimizer = Adam(0.001)
    waits = []
    for name in ("get", "item", "tolist", "__float__", "__int__", "__bool__"):
        original = getattr(cupy.ndarray, name)
        monkeypatch.setattr(
            cupy.ndarray,
            name,
            lambda self, *a, _f=original, _n=name: (waits.append(_n), _f(self, *a))[1],
            raising=False,
        )
    for _ in range(3):
        waits.clear()
        Y, backprop = model.begin_update(X)
        backprop(Y)
        model.finish_update(optimizer)
    assert not waits
