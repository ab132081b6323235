"""Which backend is in use: names, contexts, threads. And the store of parameters."""

import contextvars
import inspect
import threading

import numpy
import pytest

import thinc.backends
from thinc.backends import (
    CupyOps,
    MPSOps,
    NumpyOps,
    Ops,
    ParamServer,
    context_ops,
    contextvars_eq_thread_ops,
    get_array_ops,
    get_current_ops,
    get_ops,
    set_current_ops,
    set_gpu_allocator,
    use_ops,
)
from thinc.config import registry


def in_fresh_context(function):
    return contextvars.Context().run(function)


def in_thread(function):
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_get_ops_by_name():
    for name, cls in (("numpy", NumpyOps), ("cupy", CupyOps), ("mps", MPSOps)):
        ops = get_ops(name)
        assert type(ops) is cls and ops.name == name
        assert get_ops(name) is not ops
    assert isinstance(get_ops("cpu"), NumpyOps)
    assert get_ops("numpy", use_blis=False).use_blis is False
    for name in ("base", "NumpyOps", "gpu", ""):
        with pytest.raises(ValueError, match=f"Invalid backend: {name}"):
            get_ops(name)


def test_a_registered_backend_is_found_by_its_name():
    @registry.ops("TestOps.v1")
    class TestOps(NumpyOps):
        name = "test-ops"

    assert type(get_ops("test-ops")) is TestOps
    with use_ops("test-ops"):
        assert type(get_current_ops()) is TestOps


def test_get_array_ops():
    assert type(get_array_ops(numpy.zeros(3))) is NumpyOps
    assert type(get_array_ops([1, 2])) is NumpyOps


def test_default_is_the_cpu_and_stays():
    def check():
        assert context_ops.get() is None
        ops = get_current_ops()
        assert isinstance(ops, NumpyOps)
        assert get_current_ops() is ops

    in_fresh_context(check)
    in_thread(check)


def test_use_ops_restores_the_object():
    def check():
        mine = NumpyOps()
        set_current_ops(mine)
        with use_ops("cupy"):
            assert isinstance(get_current_ops(), CupyOps)
            with use_ops("mps"):
                assert isinstance(get_current_ops(), MPSOps)
            assert isinstance(get_current_ops(), CupyOps)
        assert get_current_ops() is mine
        with pytest.raises(KeyError), use_ops("cupy"):
            raise KeyError
        assert get_current_ops() is mine
        with pytest.raises(ValueError), use_ops("nothing"):
            pass
        assert get_current_ops() is mine

    in_fresh_context(check)


def test_a_thread_starts_without_ops():
    def check():
        set_current_ops(get_ops("cupy"))
        assert isinstance(in_thread(get_current_ops), NumpyOps)
        assert isinstance(get_current_ops(), CupyOps)

    in_fresh_context(check)


def test_contextvars_eq_thread_ops():
    def check():
        assert contextvars_eq_thread_ops()  # neither has any
        set_current_ops(NumpyOps())
        assert contextvars_eq_thread_ops()
        # A copy of the context loses what is set in it; the thread does not.
        contextvars.copy_context().run(lambda: set_current_ops(get_ops("cupy")))
        return contextvars_eq_thread_ops()

    assert in_thread(check) is False


def test_gpu_allocator_name():
    text = "Invalid 'gpu_allocator' argument: 'x'. Available allocators are: 'pytorch'"
    with pytest.raises(ValueError, match=text):
        set_gpu_allocator("x")


def test_ops_take_anything():
    ops = Ops(numpy, 3, something=1)
    assert ops.device_type is numpy and ops.device_id == 3
    assert (Ops().device_type, Ops().device_id) == ("cpu", -1)
    assert (NumpyOps().device_type, NumpyOps().device_id) == ("cpu", -1)
    assert (CupyOps().device_type, CupyOps().device_id) == ("gpu", 0)
    with pytest.raises(TypeError):
        NumpyOps(something=1)


def test_cblas():
    for ops in (Ops(), CupyOps()):
        text = f"{type(ops).__name__} does not provide C BLAS functions"
        with pytest.raises(NotImplementedError, match=text):
            ops.cblas()
    assert NumpyOps().cblas() is not NumpyOps().cblas()


@pytest.mark.parametrize("cls", [NumpyOps, CupyOps, MPSOps])
def test_backends_have_the_signatures_of_the_base(cls):
    for name in dir(cls):
        if name.startswith("_"):
            continue
        assert hasattr(Ops, name), name
        theirs, ours = getattr(cls, name), getattr(Ops, name)
        if not callable(ours):
            continue
        got = inspect.signature(theirs).parameters
        want = inspect.signature(ours).parameters
        assert list(got) == list(want), name
        for key in want:
            assert got[key].default == want[key].default, (name, key)


def test_all_names_are_there():
    for name in thinc.backends.__all__:
        assert hasattr(thinc.backends, name)
    with pytest.raises(AttributeError):
        thinc.backends.nothing  # noqa: B018


# ParamServer


class Proxy:
    def __init__(self):
        self.calls = []

    def get_param(self, model_id, name):
        self.calls.append(("get_param", model_id, name))
        return numpy.full(2, 7.0)

    def set_param(self, model_id, name, value):
        self.calls.append(("set_param", model_id, name))

    def set_grad(self, model_id, name, value):
        self.calls.append(("set_grad", model_id, name))

    def inc_grad(self, model_id, name, value):
        self.calls.append(("inc_grad", model_id, name))


def test_param_server():
    W = numpy.ones(2)
    params = {(1, "W"): W}
    server = ParamServer(params, {(9, "orphan"): W})
    server.set_param(1, "b", W)
    assert params == {(1, "W"): W}
    assert server.param_keys == ((1, "W"), (1, "b"))
    assert server.get_param(1, "W") is W
    assert server.has_param(1, "b") and not server.has_param(2, "W")
    assert server.grad_keys == () and not server.has_grad(1, "W")
    for get in (server.get_param, server.get_grad):
        with pytest.raises(KeyError):
            get(1, "nothing")


def test_param_server_gradients_add_up():
    server = ParamServer({(1, "W"): numpy.ones(2)})
    d = numpy.array([1.0, 2.0])
    server.inc_grad(1, "W", d)
    stored = server.get_grad(1, "W")
    assert stored is not d
    server.inc_grad(1, "W", d)
    assert server.get_grad(1, "W") is stored
    assert stored.tolist() == [2.0, 4.0] and d.tolist() == [1.0, 2.0]
    assert server.grad_keys == ((1, "W"),)
    server.set_grad(1, "W", d)
    assert server.get_grad(1, "W") is d


def test_param_server_with_a_proxy():
    proxy = Proxy()
    server = ParamServer({(1, "W"): numpy.ones(2)}, proxy=proxy)
    assert server.get_param(1, "W").tolist() == [7.0, 7.0]
    server.set_param(1, "W", numpy.zeros(2))
    server.set_grad(1, "W", numpy.zeros(2))
    server.inc_grad(1, "W", numpy.zeros(2))
    assert [call[0] for call in proxy.calls] == ["get_param", "set_param", "set_grad", "inc_grad"]
    assert not server.has_grad(1, "W")
