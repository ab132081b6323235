"""A load that fails leaves everything as it was, and says what does not fit."""

import gc

import numpy
import pytest
import srsly

from tests.mutations import mutated_bytes
from tests.shared import ROOT
from thinc.api import Adam, HashEmbed, LayerNorm, Linear, Maxout, Relu, Softmax, chain, concatenate, decaying, plateau

X = numpy.random.RandomState(0).normal(size=(4, 3)).astype("f")


def tagger(train=True):
    numpy.random.seed(0)
    model = chain(
        concatenate(Maxout(4, 3, 2, dropout=0.1), Relu(3, 3)), LayerNorm(7), Linear(5, 7), Softmax(2, 5)
    ).initialize()
    model.set_ref("output", model.layers[-1])
    model.attrs.update(rate=0.5, names=["a"], flag=True)
    return model


def empty_tagger():
    return chain(concatenate(Maxout(dropout=0.1), Relu()), LayerNorm(), Linear(), Softmax())


def step(model, optimizer):
    Y, backprop = model.begin_update(X)
    backprop(Y - 1)
    model.finish_update(optimizer)
    optimizer.step_schedules()


def optimizer_of(model, train=2):
    optimizer = Adam(plateau(2, 0.5, decaying(0.1, 0.01)), beta1=iter([0.9] * 10**6))
    for _ in range(train):
        step(model, optimizer)
        optimizer.last_score = 0.5
    return optimizer


def check_text(error):
    text = str(error)
    assert 20 < len(text) < 1500 and "pop from empty" not in text, text


def load_models(seeds):
    model = tagger()
    data = model.to_bytes()
    loaded = 0
    for seed in seeds:
        changed = mutated_bytes(data, seed)
        for target in (model, empty_tagger()):
            before = target.to_bytes()
            can = target.can_from_bytes(changed, strict=False)
            assert can in (True, False) and target.to_bytes() == before
            assert target.can_from_bytes(changed) in (True, False)
            try:
                target.from_bytes(changed)
            except ValueError as error:
                check_text(error)
                assert not can, seed
                assert target.to_bytes() == before, seed
                continue
            loaded += 1
            again = target.to_bytes()
            assert target.from_bytes(again).to_bytes() == again
            if all(node.has_param(name) for node in target.walk() for name in node.param_names):
                if all(node.get_param(name).dtype == "f4" for node in target.walk() for name in node.param_names):
                    assert target.predict(X).shape == (4, 2), seed
        model = tagger()
    assert gc.isenabled()
    return loaded


def load_optimizers(seeds):
    model = tagger()
    optimizer = optimizer_of(model)
    # With ids that do not depend on how many models there were before: the same bytes in each run.
    ids = {node.id: 10**6 + i for i, node in enumerate(model.walk())}
    renamed = optimizer_of(model, 0).from_bytes(optimizer.to_bytes(), rename=lambda key: (ids[key[0]], key[1]))
    data = renamed.to_bytes()
    loaded = 0
    for seed in seeds:
        changed = mutated_bytes(data, seed)
        before = optimizer.to_bytes()
        try:
            optimizer.from_bytes(changed)
        except ValueError as error:
            check_text(error)
            assert optimizer.to_bytes() == before, seed
            continue
        loaded += 1
        again = optimizer.to_bytes()
        step(model.copy(), optimizer)  # it works, on parameters that it does not know
        if optimizer.averages is not None:
            step(model, optimizer)
        model = tagger()
        optimizer = optimizer_of(model)
        assert len(again) > 10
    assert gc.isenabled()
    return loaded


def test_mutated_models():
    assert load_models(range(500)) > 20


def test_mutated_optimizers():
    assert load_optimizers(range(600)) > 20


@pytest.mark.slow
def test_more_mutated_models():
    load_models(range(500, 6000))


@pytest.mark.slow
def test_more_mutated_optimizers():
    load_optimizers(range(500, 6000))


# -- What does not fit, one by one


def change(message, path, value):
    *keys, last = path
    for key in keys:
        message = message[key]
    if value is KeyError:
        del message[last]
    else:
        message[last] = value


@pytest.mark.parametrize(
    "path,value,said",
    [
        (["params", 3, "W"], numpy.zeros((5, 6), "f"), "arameter 'W'"),
        (["params", 3, "b"], numpy.zeros(5, "d"), "float64 in the data, float32 here"),
        (["params", 3, "b"], KeyError, "the data has the parameters"),
        (["params", 3, "c"], numpy.zeros(3, "f"), "the data has the parameters"),
        (["params", 3, "b"], "text", "expected an array of numbers"),
        (["params", 8], KeyError, "'params' of 8 layers, the model 9"),
        (["attrs", 8], KeyError, "'attrs' of 8 layers"),
        (["shims", 3], [b""], "1 shims, the layer 0"),
        (["nodes", 3, "dims", "nO"], 7, "dimension 'nO' is 7 in the data, 5 in the layer"),
        (["nodes", 3, "dims", "nX"], 7, "the data has a dimension 'nX'"),
        (["nodes", 3, "dims"], [], "expected a dict of dims"),
        (["nodes", 3, "name"], 5, "expected a name"),
        (["nodes", 0, "refs", "output"], 9, "reference 'output' points to node 9 of 9"),
        (["attrs", 0, "rate"], b"\xc1", "attr 'rate' cannot be read"),
        (["attrs", 0, "rate"], srsly.msgpack_dumps("text"), "attr 'rate' is object of type str"),
        (["nodes"], KeyError, "no entry 'nodes'"),
    ],
)
def test_what_does_not_fit_is_named(path, value, said):
    model = tagger()
    message = srsly.msgpack_loads(model.to_bytes())
    assert [node.name for node in model.walk()][3] == "linear"
    change(message, path, value)
    before = model.to_bytes()
    with pytest.raises(ValueError) as caught:
        model.from_bytes(srsly.msgpack_dumps(message))
    text = str(caught.value)
    assert said in text
    if len(path) > 2:
        assert f"(number {path[1]})" in text and ("chain.2.linear" if path[1] else "'chain'") in text
    assert model.to_bytes() == before
    assert model.can_from_bytes(srsly.msgpack_dumps(message), strict=False) is False


@pytest.mark.parametrize(
    "junk", [b"", b"garbage", b"\xc1", b"\x81" * 2000, b"\x91" * 5000, b"\xdd\xff\xff\xff\xff", 5, "x"]
)
def test_junk(junk):
    for each, name in ((Linear(2, 3).initialize(), "a model"), (Adam(0.1), "an optimizer")):
        before = each.to_bytes()
        with pytest.raises(ValueError, match=f"these bytes are not {name}"):
            each.from_bytes(junk)
        assert each.to_bytes() == before
    assert Linear(2, 3).can_from_bytes(junk) is False
    assert gc.isenabled()
    for message in (None, 5, [], {}, {"nodes": 1}, {"nodes": [1]}):
        assert Linear(2, 3).can_from_dict(message) is False
        with pytest.raises(ValueError, match="Model.to_dict"):
            Linear(2, 3).from_dict(message)


def test_other_layers_of_as_many_nodes():
    data = chain(Relu(4, 3), Relu(4, 4), Softmax(2, 4)).initialize().to_bytes()
    for model in (
        chain(Maxout(4, 3), Maxout(4, 4), Softmax(2, 4)),
        chain(Maxout(), Maxout(), Softmax()),
        chain(Maxout(4, 3), Maxout(4, 4), Softmax(2, 4)).initialize(),
    ):
        before = model.to_bytes()
        with pytest.raises(ValueError, match=r"layer 'chain.0.maxout' \(number 1\): Parameter 'W'|'W'"):
            model.from_bytes(data)
        assert model.to_bytes() == before


def test_disk(tmp_path):
    model = tagger()
    before = model.to_bytes()
    for data in (b"", before[:-7], before + b"\x00", Linear(2, 3).initialize().to_bytes()):
        (tmp_path / "model").write_bytes(data)
        with pytest.raises(ValueError):
            model.from_disk(tmp_path / "model")
        assert model.can_from_disk(tmp_path / "model") is False
        assert model.to_bytes() == before
    with pytest.raises(FileNotFoundError):
        model.from_disk(tmp_path / "none")


class Counted:
    """A shim that fails where it is told to."""

    def __init__(self, state, fails=False):
        self.state, self.fails = state, fails

    def to_bytes(self):
        return self.state

    def from_bytes(self, data):
        if self.fails:
            raise OSError("no")
        self.state = data
        return self


def test_shims_before_one_that_fails_go_back():
    model = Linear(2, 3).initialize()
    shims = [Counted(b"one"), Counted(b"two"), Counted(b"three")]
    model.shims.extend(shims)
    message = model.to_dict()
    message["shims"] = [[b"1", b"2", b"3"]]
    message["params"] = [{**message["params"][0], "b": numpy.ones(2, "f")}]
    before = model.to_bytes()
    for i in range(3):
        shims[i].fails = True
        with pytest.raises(ValueError, match="layer 'linear': its Counted refuses the data .OSError: no."):
            model.from_dict(message)
        shims[i].fails = False
        assert model.to_bytes() == before
    assert [shim.state for shim in model.from_dict(message).shims] == [b"1", b"2", b"3"]
    assert model.get_param("b").tolist() == [1, 1]


@pytest.mark.parametrize(
    "path,value,said",
    [
        (["mom1", 0, 2], numpy.zeros((2, 6), "f"), "one dimension"),
        (["mom1", 0, 2], numpy.zeros(5, "f"), "of shape"),
        (["mom1", 0, 2], numpy.zeros(24, "i"), "array of floats"),
        (["mom1", 0, 2], [1.0], "array of floats"),
        (["mom1", 0], KeyError, "different keys"),
        (["mom1", 0, 0], "x", "id of a model"),
        (["nr_update", 0, 2], -1, "to be a count"),
        (["nr_update", 0, 2], 1.5, "to be a count"),
        (["numbers", "learn_rate"], float("nan"), "learn_rate must be a number"),
        (["numbers", "b1"], "0.9", "beta1 must be a number"),
        (["numbers", "eps"], KeyError, "numbers for"),
        (["schedules", "learn_rate", "position"], "3", "position"),
        (["schedules", "learn_rate", "inner"], {}, "inner"),
        (["schedules", "learn_rate"], KeyError, "schedules to be"),
        (["step"], None, "step to be a count"),
        (["last_score"], [1], "step and a score"),
        (["averages"], KeyError, "no entry 'averages'"),
        (["schedules", "learn_rate", "state", "n_plateaus"], float("nan"), "expected 'n_plateaus' to be a count"),
        (["schedules", "learn_rate", "state", "patience"], -1, "expected 'patience' to be a count"),
        (["schedules", "learn_rate", "state", "last_score_step"], 3, "learn_rate saw a score of step 3"),
    ],
)
def test_what_does_not_fit_an_optimizer(path, value, said):
    optimizer = optimizer_of(tagger())
    message = srsly.msgpack_loads(optimizer.to_bytes())
    change(message, path, value)
    before = optimizer.to_bytes()
    with pytest.raises(ValueError, match=said):
        optimizer.from_bytes(srsly.msgpack_dumps(message))
    assert optimizer.to_bytes() == before


def test_moments_of_another_model():
    optimizer = Adam(0.1)
    model = Linear(3, 4).initialize()
    optimizer((model.id, "W"), model.get_param("W"), model.get_param("W") * 0 + 1)
    other = Adam(0.1)
    wide = numpy.ones((4, 4), "f")
    other((model.id, "W"), wide, wide.copy())
    before = optimizer.to_bytes()
    with pytest.raises(ValueError, match="that here"):
        optimizer.from_bytes(other.to_bytes())
    assert optimizer.to_bytes() == before


def test_a_schedule_takes_no_state_of_another():
    schedule = plateau(2, 0.5, decaying(0.1, 0.01))
    next(schedule)
    before = schedule.get_state()
    for state in (
        None,
        {},
        {"position": 1},
        decaying(1, 1).get_state(),
        {**before, "position": -1},
        {**before, "x": 1},
    ):
        with pytest.raises(ValueError):
            schedule.set_state(state)
        assert schedule.get_state() == before


def test_bytes_of_another_release_load():
    from tests.fixtures import model_bytes

    assert (ROOT / "tests" / "fixtures" / "model_bytes.msgpack").exists() and model_bytes
    assert HashEmbed(4, 10).initialize().can_from_bytes(b"") is False
