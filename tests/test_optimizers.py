"""Optimizers against transcriptions of the papers' formulas, in double precision on one number at a time."""

import copy
import pickle
from math import sqrt

import numpy
import pytest

from thinc.api import SGD, Adam, Linear, Optimizer, RAdam, constant, decaying, plateau, registry
from thinc.util import gpu_is_available

KEY = (1, "W")
STEPS = 25


def gradients(shape=(3, 2)):
    rng = numpy.random.RandomState(0)
    return [rng.normal(size=shape).astype("float32") for _ in range(STEPS)]


class Reference:
    """One weight under one optimizer, as the papers have it."""

    def __init__(self, w, method, lr, b1=0.9, b2=0.999, eps=1e-8, L2=0.0, decay=True):
        self.w, self.m, self.v, self.ema, self.t = w, 0.0, 0.0, 0.0, 0
        self.method, self.lr, self.b1, self.b2 = method, lr, b1, b2
        self.eps, self.L2, self.decay = eps, L2, decay

    def step(self, g, scale=1.0, lr_scale=1.0):
        self.t += 1
        if not self.decay:
            g = g + self.L2 * self.w
        g *= scale
        lr = self.lr * lr_scale
        if self.method == "sgd":
            self.w -= lr * g
        else:
            self.m = self.b1 * self.m + (1 - self.b1) * g
            self.v = self.b2 * self.v + (1 - self.b2) * g * g
            if self.method == "adam":
                fixed = lr * sqrt(1 - self.b2**self.t) / (1 - self.b1**self.t)
                self.w -= fixed * self.m / (sqrt(self.v) + self.eps)
            else:
                self.radam()
        if self.decay:
            self.w -= lr * self.L2 * self.w
        d = min((1 + self.t) / (10 + self.t), 0.9999)
        self.ema -= (1 - d) * (self.ema - self.w)

    def radam(self):
        T = self.t + 1
        power = self.b2**T
        most = 2 / (1 - self.b2) - 1
        rho = most - 2 * T * power / (1 - power)
        m = self.m / (1 - self.b1**T)
        if rho < 5:
            self.w -= self.lr * m
            return
        r = sqrt((rho - 4) / (most - 4) * (rho - 2) / rho * most / (most - 2))
        self.w -= self.lr * r * m * sqrt(1 - power) / (sqrt(self.v) + self.eps)


CASES = {
    "adam": (Adam, {}),
    "adam L2 decay": (Adam, {"L2": 0.1}),
    "adam L2": (Adam, {"L2": 0.1, "L2_is_weight_decay": False}),
    "adam betas": (Adam, {"beta1": 0.7, "beta2": 0.95, "eps": 1e-3}),
    "sgd": (SGD, {}),
    "sgd L2 decay": (SGD, {"L2": 0.1}),
    "sgd L2": (SGD, {"L2": 0.1, "L2_is_weight_decay": False}),
    "radam": (RAdam, {}),
    "radam L2 decay": (RAdam, {"L2": 0.1}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lr_scale", [1.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_steps(name, lr_scale, dtype):
    make, settings = CASES[name]
    if lr_scale != 1.0 and name.startswith("radam"):
        pytest.skip("RAdam takes no lr_scale but in its decay")
    optimizer = make(0.01, grad_clip=0.0, **settings)
    w = gradients()[0].astype(dtype)
    names = {"beta1": "b1", "beta2": "b2", "L2_is_weight_decay": "decay"}
    numbers = {names.get(key, key): value for key, value in settings.items()}
    reference = [Reference(float(x), name.split()[0], 0.01, **numbers) for x in w.ravel()]
    for g in gradients():
        g = g.astype(dtype)
        for one, x in zip(reference, g.ravel()):
            one.step(float(x), lr_scale=lr_scale)
        got, zeroed = optimizer(KEY, w, g, lr_scale=lr_scale)
        assert got is w and zeroed is g and not g.any()
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    assert w.ravel() == pytest.approx([one.w for one in reference], abs=tolerance)
    average = optimizer.averages[KEY]
    assert average.shape == w.shape and average.dtype == w.dtype
    assert average.ravel() == pytest.approx([one.ema for one in reference], abs=tolerance)


@pytest.mark.parametrize("L2", [0.0, 0.5])
def test_clipping_is_by_the_norm_of_the_whole_gradient(L2):
    optimizer = SGD(1.0, grad_clip=2.0, L2=L2, L2_is_weight_decay=False, use_averages=False)
    w = numpy.array([[1.0, 2.0]], dtype="float32")
    g = numpy.array([[3.0, 4.0]], dtype="float32")
    full = g + L2 * w
    expected = w - full * 2.0 / numpy.linalg.norm(full)
    optimizer(KEY, w, g)
    assert w == pytest.approx(expected, rel=1e-6)
    assert optimizer.averages is None


@pytest.mark.parametrize("make", [Adam, SGD, RAdam])
@pytest.mark.parametrize("layout", ["strided", "fortran", "mixed"])
def test_any_layout_and_dtype_gives_the_same(make, layout):
    plain, odd = make(0.1, L2=0.1), make(0.1, L2=0.1)
    w = gradients((4, 6))[0]
    if layout == "strided":
        w_odd = numpy.zeros((8, 6), dtype="float32")[::2]
    else:
        w_odd = numpy.zeros((4, 6), dtype="float32", order="F" if layout == "fortran" else "C")
    w_odd[...] = w
    for g in gradients((4, 6))[:5]:
        g_odd = g.astype("float64") if layout == "mixed" else g.copy(order="F")
        plain(KEY, w, g)
        odd(KEY, w_odd, g_odd)
        assert not g_odd.any()
    assert w_odd == pytest.approx(w, abs=1e-6)
    assert odd.averages[KEY] == pytest.approx(plain.averages[KEY], abs=1e-6)


def test_nothing_happens_to_empty_arrays():
    optimizer = Adam()
    w = numpy.zeros((0, 3), dtype="float32")
    optimizer(KEY, w, w.copy())
    assert not optimizer.nr_update and not optimizer.mom1


def test_wrong_shapes_change_nothing():
    optimizer = Adam()
    w, g = numpy.ones((2, 3), dtype="float32"), numpy.ones((3, 2), dtype="float32")
    with pytest.raises(ValueError, match="incompatible shapes"):
        optimizer(KEY, w, g)
    assert (w == 1).all() and (g == 1).all() and not optimizer.nr_update[KEY]


def test_momentum_alone_is_not_known():
    w = numpy.ones(2, dtype="float32")
    with pytest.raises(NotImplementedError, match="beta1 = 0.0 with beta2"):
        Adam(beta1=0.0)(KEY, w, w.copy())
    assert (w == 1).all()


# -- settings and schedules


def test_schedules_give_numbers():
    optimizer = Adam([0.1, 0.2], L2=decaying(1.0, 1.0), beta1=iter([0.5]))
    assert (optimizer.learn_rate, optimizer.L2, optimizer.b1) == (0.1, 1.0, 0.5)
    optimizer.step_schedules()
    assert (optimizer.learn_rate, optimizer.L2, optimizer.b1) == (0.2, 0.5, 0.5)
    optimizer.step_schedules()
    assert (optimizer.learn_rate, optimizer.L2) == (0.2, pytest.approx(1 / 3))
    assert optimizer.step == 2
    optimizer.learn_rate = 7.0
    assert optimizer.learn_rate == 7.0


@pytest.mark.parametrize("value", ["fast", None, (0.1, 0.2), []])
def test_bad_schedules(value):
    with pytest.raises(ValueError, match="Invalid schedule for 'learn_rate'"):
        Adam(value)


def test_numpy_numbers_are_numbers():
    optimizer = Adam(numpy.float32(0.5), L2=numpy.int64(1))
    assert optimizer.learn_rate == 0.5 and optimizer.L2 == 1 and not optimizer.schedules
    # Set by hand, also as an array without axes; float32 weights stay so.
    optimizer.L2 = numpy.array(0.1)
    optimizer.learn_rate = numpy.float64(0.2)
    weights, _ = optimizer(KEY, numpy.ones(3, "f"), numpy.ones(3, "f"))
    assert weights.dtype == optimizer.averages[KEY].dtype == "float32"


@pytest.mark.parametrize("name", ["Adam.v1", "RAdam.v1", "SGD.v1"])
def test_registered(name):
    config = {"optimizer": {"@optimizers": name, "learn_rate": 0.5}}
    optimizer = registry.resolve(config)["optimizer"]
    assert isinstance(optimizer, Optimizer) and optimizer.learn_rate == 0.5
    assert optimizer.grad_clip == 1.0 and optimizer.averages == {}


def test_no_other_attributes():
    with pytest.raises(AttributeError):
        Adam().momentum = 1


# -- state


def trained(optimizer, n=3):
    model = Linear(2, 3).initialize()
    rng = numpy.random.RandomState(0)
    for _ in range(n):
        Y, backprop = model.begin_update(rng.normal(size=(4, 3)).astype("float32"))
        backprop(Y)
        model.finish_update(optimizer)
        optimizer.step_schedules()
    return model


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "bytes"])
def test_state_round_trip(how):
    def make():
        return Adam(constant(0.1), use_averages=True)

    optimizer = make()
    model = trained(optimizer)
    if how == "pickle":
        other = pickle.loads(pickle.dumps(optimizer))
    elif how == "deepcopy":
        other = copy.deepcopy(optimizer)
    else:
        other = make().from_bytes(optimizer.to_bytes())
        assert other.to_bytes() == optimizer.to_bytes()
    key = (model.id, "W")
    w1, w2 = (model.get_param("W").copy() for _ in range(2))
    g = numpy.ones((2, 3), dtype="float32")
    optimizer(key, w1, g.copy())
    other(key, w2, g.copy())
    assert numpy.array_equal(w1, w2)
    assert numpy.array_equal(optimizer.averages[key], other.averages[key])
    assert other.nr_update[key] == 4


def test_bytes_want_the_same_schedules():
    data = Adam(constant(0.1)).to_bytes()
    with pytest.raises(ValueError, match=r"expected the attributes with schedules to be \['learn_rate'\], .*got \[\]"):
        Adam(0.1).from_bytes(data)


def test_an_iterator_runs_forward_to_the_stored_step():
    optimizer = Adam(iter([0.1, 0.2, 0.3, 0.4]))
    optimizer.step_schedules()
    data = optimizer.to_bytes()
    other = Adam(iter([0.1, 0.2, 0.3, 0.4])).from_bytes(data)
    assert other.learn_rate == 0.2
    other.step_schedules()
    assert other.learn_rate == 0.3
    with pytest.raises(ValueError, match="at step 2 and cannot go back to 1"):
        other.from_bytes(data)


def test_finish_update_updates_what_has_a_gradient():
    optimizer = SGD(1.0, grad_clip=0.0)
    model = Linear(2, 3).initialize()
    before = model.get_param("W").copy()
    bias = model.get_param("b").copy()
    model.inc_grad("W", numpy.ones((2, 3), dtype="float32"))
    model.finish_update(optimizer)
    assert model.get_param("W") == pytest.approx(before - 1)
    assert numpy.array_equal(model.get_param("b"), bias)
    assert not model.get_grad("W").any()


def test_assigning_a_score_moves_schedules_that_watch_it():
    optimizer = SGD(plateau(max_patience=1, scale=0.5, schedule=constant(0.1)))
    assert optimizer.last_score is None
    rates = []
    for score in (1.0, 0.5, 0.5, 2.0, 1.0):
        optimizer.step_schedules()
        optimizer.last_score = score
        rates.append(optimizer.learn_rate)
    assert optimizer.last_score == (5, 1.0)
    assert rates == pytest.approx([0.1, 0.05, 0.025, 0.025, 0.0125])


def test_moving_to_the_cpu_where_it_is_already_changes_nothing():
    optimizer = Adam(0.1)
    optimizer(("w", 0), numpy.ones(3, "f"), numpy.ones(3, "f"))
    before = optimizer.to_bytes()
    optimizer.to_cpu()
    assert optimizer.to_bytes() == before


@pytest.mark.skipif(gpu_is_available(), reason="there is a GPU")
def test_moving_to_a_gpu_that_is_not_there():
    optimizer = Adam(0.1)
    optimizer(KEY, numpy.ones(3, "f"), numpy.ones(3, "f"))
    before = optimizer.to_bytes()
    with pytest.raises((ImportError, ValueError), match="needs CuPy|GPU"):
        optimizer.to_gpu()
    assert optimizer.to_bytes() == before


@pytest.mark.parametrize("use_averages", [True, False])
@pytest.mark.parametrize("make", [Adam, RAdam, SGD])
def test_all_at_once_is_one_by_one(make, use_averages):
    def parameters():
        rng = numpy.random.RandomState(0)
        for i, (shape, dtype) in enumerate([((3, 2), "f"), ((5,), "d"), ((0, 2), "f"), ((4, 3), "f"), ((2,), "f2")]):
            weights, gradient = rng.normal(size=(2, *shape)).astype(dtype)
            if i == 3:  # no kernel updates what lies apart
                weights = numpy.repeat(weights, 2, axis=1)[:, ::2]
            yield (i, "W"), weights, gradient

    one, other = (make(0.1, use_averages=use_averages) for _ in range(2))
    singly, together = list(parameters()), list(parameters())
    for _ in range(3):
        for parameter in singly:
            one(*parameter)
        updated = other.update_all(together)
        assert [id(w) for w in updated] == [id(w) for _, w, _ in together]
        for weights, (_, expected, _) in zip(updated, singly):
            assert numpy.array_equal(weights, expected)
        for _, _, gradient in together:
            assert not gradient.any()
            gradient += 0.5
        for _, _, gradient in singly:
            gradient += 0.5
    assert one.to_bytes() == other.to_bytes()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("make", [Adam, RAdam, SGD])
def test_lazy_tables_step_only_the_rows_with_a_gradient(make, at_once):
    """Each such row as if it were a parameter of its own, and the others not at all."""
    rng = numpy.random.RandomState(0)
    table = rng.normal(size=(7, 5)).astype("f")
    rows = [row.copy() for row in table]
    dense, dense_alone = table.copy(), table.copy()
    settings: dict = {"grad_clip": 0.0, "L2": 0.01}
    lazy, alone = make(0.1, **settings), make(0.1, **settings)
    lazy.lazy_tables = True
    for touched in ([1, 4], [4, 6], [0, 1, 6]):
        gradient = numpy.zeros((7, 5), dtype="f")
        gradient[touched] = rng.normal(size=(len(touched), 5))
        for i in touched:
            alone.nr_update[(i, "E")] = lazy.nr_update[(9, "E")]
            alone((i, "E"), rows[i], gradient[i].copy())
        alone((9, "W"), dense_alone, gradient.copy())
        parameters = [((9, "E"), table, gradient), ((9, "W"), dense, gradient.copy())]
        if at_once:
            lazy.update_all(parameters)
        else:
            for parameter in parameters:
                lazy(*parameter)
        assert not gradient.any()
        assert numpy.array_equal(table, rows)
    assert numpy.array_equal(dense, dense_alone)
    averages = [alone.averages.get((i, "E"), numpy.zeros(5)) for i in range(7)]
    assert numpy.array_equal(lazy.averages[(9, "E")], averages)


def test_wrong_shapes_are_found_before_any_update_of_that_parameter():
    optimizer = Adam(0.1)
    weights = numpy.ones(3, "f")
    for update in (
        lambda: optimizer.update_all([(KEY, weights, numpy.ones((3, 1), "f"))]),
        lambda: optimizer(KEY, weights, numpy.ones((3, 1), "f")),
    ):
        with pytest.raises(ValueError, match="incompatible shapes"):
            update()
    assert (weights == 1).all()
    assert not optimizer.nr_update[KEY] and KEY not in optimizer.mom1


def test_a_subclass_with_a_call_of_its_own_is_called():
    class Halving(Optimizer):
        def __call__(self, key, weights, gradient, *, lr_scale=1.0):
            return weights / 2, gradient

    model = Linear(2, 3).initialize()
    W = model.get_param("W").copy()
    model.set_grad("W", numpy.ones_like(W))
    model.finish_update(Halving(0.1))
    assert numpy.array_equal(model.get_param("W"), W / 2)
    model.finish_update(lambda key, weights, gradient: (weights * 4, gradient))
    assert numpy.array_equal(model.get_param("W"), W * 2)


def test_disk(tmp_path):
    optimizer = Adam(0.1)
    optimizer((3, "W"), numpy.ones(4, dtype="f"), numpy.ones(4, dtype="f"))
    for path in (tmp_path / "optimizer", str(tmp_path / "optimizer")):
        optimizer.to_disk(path)
        assert Adam(0.1).from_disk(path).to_bytes() == optimizer.to_bytes()
    renamed = Adam(0.1).from_disk(path, rename=lambda key: (key[0] + 1, key[1]))
    assert list(renamed.mom1) == [(4, "W")]


# -- Settings out of their range

BAD_SETTINGS = [
    ("learn_rate", [float("nan"), float("inf"), -1, -1e-9]),
    ("beta1", [1.0, -0.1, 1.5, float("nan")]),
    ("beta2", [1.0, -0.1, 2, float("nan")]),
    ("eps", [-1e-8, float("nan"), float("inf")]),
    ("grad_clip", [-1.0, float("nan")]),
    ("L2", [float("nan"), float("inf"), -float("inf")]),
]
BAD_SETTINGS = [(name, value) for name, values in BAD_SETTINGS for value in values]


@pytest.mark.parametrize("name,value", BAD_SETTINGS)
def test_a_setting_out_of_its_range_is_refused_by_name(name, value):
    said = f"Optimizer: {name} must be a number that is"
    settings = {"learn_rate": 0.1, name: value}
    for make in (lambda: Adam(**settings), lambda: RAdam(**settings), lambda: Optimizer(**settings)):
        with pytest.raises(ValueError, match=said):
            make()
    if name not in ("beta1", "beta2", "eps"):
        with pytest.raises(ValueError, match=said):
            SGD(**settings)
    config = {"optimizer": {"@optimizers": "Adam.v1", **settings}}
    with pytest.raises(ValueError, match=said):
        registry.resolve(config)
    # From schedules, when the value is taken.
    optimizer = Adam(**{"learn_rate": 0.1, name: iter([0.1, value, 0.2])})
    weights = numpy.ones(3, "f")
    with pytest.raises(ValueError, match=said):
        optimizer.step_schedules()
    assert optimizer.step == 0
    # Assigned: at the next step, which changes nothing.
    attribute = {"beta1": "b1", "beta2": "b2"}.get(name, name)
    optimizer = Adam(0.1)
    setattr(optimizer, attribute, value)
    with pytest.raises(ValueError, match=said):
        optimizer((1, "W"), weights, numpy.ones(3, "f"))
    assert (weights == 1).all()


@pytest.mark.parametrize(
    "name,value", [("learn_rate", 0), ("learn_rate", 1e3), ("eps", 0), ("grad_clip", 0), ("grad_clip", float("inf"))]
)
def test_settings_at_the_edge_of_their_range(name, value):
    weights = numpy.ones(3, "f")
    Adam(**{"learn_rate": 0.1, name: value})((1, "W"), weights, numpy.ones(3, "f"))
    assert numpy.isfinite(weights).all()
