"""A Ctrl-C at any moment leaves a model whole: its own weights or, inside of the block alone, the averages."""

import contextlib
import signal
import sys
import time

import numpy
import pytest
from numpy.testing import assert_array_equal

from tests.toy_models import linear, node
from thinc.api import Linear, Relu, Shim, chain


def interrupted(run, at):
    """Run with a KeyboardInterrupt before the `at`th line of what it calls. Answers the error, which holds all frames.

    (Lines of this file are left out: the first of a `finally` and the end of a `with` do not look at signals.)
    """
    left = at

    def trace(frame, event, arg):
        nonlocal left
        if event == "line" and frame.f_code.co_filename != __file__:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt as error:
        sys.settrace(None)
        return error
    finally:
        sys.settrace(None)
    return None


class Weights(Shim):
    """A shim whose parameters are replaced one by one."""

    @contextlib.contextmanager
    def use_params(self, params):
        before = list(self._model)
        try:
            for i in range(len(before)):
                self._model[i] = 7
            yield
        finally:
            try:
                self._model[:] = before
            finally:
                self._model[:] = before


def models():
    yield chain(Relu(4, 3), Linear(2, 4)).initialize()
    yield node(layers=[linear(2, 3).initialize()], shims=[Weights([1, 2]), Weights([3])])


def state(model):
    shims = [list(shim._model) for each in model.walk() for shim in each.shims]
    return [value.tolist() for _, value in params(model)], shims


@pytest.mark.parametrize("model", [*models()], ids=["layers", "shims"])
def test_use_params_interrupted_anywhere(model):
    averages = {key: numpy.full_like(value, 9) for key, value in params(model)}
    before = state(model)
    seen = []

    def run():
        with model.use_params(averages):
            seen.append(state(model) != before and all((value == 9).all() for _, value in params(model)))

    raised = 0
    for at in range(1, 2000):
        error = interrupted(run, at)
        assert state(model) == before, f"interrupted before line {at}"
        if error is None:
            break
        raised += 1
    assert 15 < raised < 1999
    assert seen and all(seen)


@pytest.mark.parametrize("model", [*models()], ids=["layers", "shims"])
def test_use_params_and_real_signals(model):
    averages = {key: numpy.full_like(value, 9) for key, value in params(model)}
    before = state(model)
    start = time.perf_counter()
    for _ in range(20):
        with model.use_params(averages):
            pass
    once = (time.perf_counter() - start) / 20
    raised = 0
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for i in range(600):  # at moments spread over twice the time that it takes
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-6 + once * (i % 200) / 100)
                with model.use_params(averages):
                    pass
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                raised += 1
                assert state(model) == before  # (while the exception holds the frames)
            assert state(model) == before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert raised


def params(model):
    return [((each.id, name), each.get_param(name)) for each in model.walk() for name in each.param_names]


@pytest.mark.parametrize("way", ["enter", "leave"])
def test_a_shim_that_fails(way):
    class Fails(Weights):
        @contextlib.contextmanager
        def use_params(self, params):
            if way == "enter":
                raise ZeroDivisionError
            yield
            raise ZeroDivisionError

    first, last = Weights([1, 2]), Weights([3])
    model = node(layers=[linear(2, 3).initialize()], shims=[first, Fails(None), last])
    W = model.layers[0].get_param("W")
    entered = False
    with pytest.raises(ZeroDivisionError):
        with model.use_params({(model.layers[0].id, "W"): W + 1}):
            entered = True
            assert first._model == [7, 7] and last._model == [7]
            assert_array_equal(model.layers[0].get_param("W"), W + 1)
    assert entered == (way == "leave")
    assert model.layers[0].get_param("W") is W and first._model == [1, 2] and last._model == [3]


def test_what_is_raised_inside_comes_out():
    model = linear(2, 3).initialize()
    for error in (ZeroDivisionError("x"), KeyboardInterrupt(), StopIteration(), GeneratorExit()):
        with pytest.raises(type(error)) as caught:
            with model.use_params({(model.id, "W"): model.get_param("W") + 1}):
                raise error
        assert caught.value is error
        assert (model.get_param("W") == 1).all()


def test_a_parameter_that_is_not_there_yet():
    model = chain(Linear(2, 3).initialize(), Linear(2, 2))
    first, last = model.layers
    W = first.get_param("W")
    with pytest.raises(KeyError, match="has not been allocated yet"):
        with model.use_params({(first.id, "W"): W + 1, (last.id, "W"): W}):
            raise AssertionError
    assert first.get_param("W") is W


def test_a_parameter_that_lives_elsewhere():
    class Proxy:
        def __init__(self):
            self.values = {}

        def get_param(self, model_id, name):
            return self.values[model_id, name]

        def set_param(self, model_id, name, value):
            self.values[model_id, name] = value

    model = linear(2, 3).initialize()
    W = model.get_param("W")
    model._params.proxy = Proxy()
    model.set_param("W", W)
    with model.use_params({(model.id, "W"): W + 1}):
        assert_array_equal(model.get_param("W"), W + 1)
    assert model.get_param("W") is W
