"""The backends that run on a CPU, for every test that asks for `ops`.

The readable reference, and the compiled backend once for each instruction set this CPU
has. What needs a GPU has tests of its own.
"""

import pytest

from thinc.backends import NumpyOps, Ops

try:
    from thinc.backends._kernels.levels import isa_levels, isa_name, use_isa
except ImportError:  # a source tree that was not built

    def isa_levels():
        return ("python",)

    def isa_name():
        return "python"

    def use_isa(isa):
        pass


NUMPY = [f"numpy[{level}]" for level in isa_levels()]


def _backend(name):
    if name == "base":
        yield Ops()
        return
    previous = isa_name()
    use_isa(name[len("numpy[") : -1])
    try:
        yield NumpyOps()
    finally:
        use_isa(previous)


@pytest.fixture(params=["base"] + NUMPY)
def ops(request):
    """The reference, and the compiled backend at every level of this CPU."""
    yield from _backend(request.param)


@pytest.fixture(params=NUMPY)
def fast_ops(request):
    """The compiled backend at every level of this CPU."""
    yield from _backend(request.param)
