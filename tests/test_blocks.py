"""What holds inside of a block ends with it: closed by whom and in whatever order, without a trace elsewhere."""

import asyncio
import contextvars
import gc
import threading

import catalogue
import pytest

from tests.toy_models import node
from thinc.api import Model, Ops, data_validation, get_current_ops, registry, set_current_ops, use_ops
from thinc.backends import context_ops
from thinc.util import make_tempfile, use_nvtx_range, validates


class OneOps(Ops):
    name = "test_blocks_one"


class TwoOps(Ops):
    name = "test_blocks_two"


@pytest.fixture(autouse=True, scope="module")
def registered():
    for ops in (OneOps, TwoOps):
        registry.ops.register(ops.name, func=ops)
    yield
    for ops in (OneOps, TwoOps):
        catalogue.REGISTRY.pop((*registry.ops.namespace, ops.name))


def operator_bound():
    try:
        return node() + 1
    except TypeError:
        return None


# The block, what is read inside of two of them, and how.
BLOCKS = {
    "use_ops": (lambda i: use_ops(("test_blocks_one", "test_blocks_two")[i]), ("test_blocks_one", "test_blocks_two")),
    "define_operators": (lambda i: Model.define_operators({"+": lambda a, b: f"plus {i}"}), ("plus 0", "plus 1")),
    "data_validation": (lambda i: data_validation(("yes", "very")[i]), ("yes", "very")),
}
READ = {
    "use_ops": lambda: get_current_ops().name,
    "define_operators": operator_bound,
    "data_validation": lambda: validates(),
}
pytestmark = pytest.mark.parametrize("name", BLOCKS)


def holding(name, i=0):
    with BLOCKS[name][0](i):
        yield BLOCKS[name][1][i]


async def holding_async(name, i=0):
    with BLOCKS[name][0](i):
        yield BLOCKS[name][1][i]


def in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_nested(name):
    before = READ[name]()
    block, inside = BLOCKS[name]
    with block(0):
        assert READ[name]() == inside[0]
        with pytest.raises(ZeroDivisionError):
            with block(1):
                assert READ[name]() == inside[1]
                raise ZeroDivisionError
        assert READ[name]() == inside[0]
    assert READ[name]() == before


def test_closed_by_another_thread(name):
    before = READ[name]()
    generator = holding(name)
    assert next(generator) == READ[name]()
    seen = []

    def close():
        elsewhere = READ[name]()
        generator.close()
        seen.append(READ[name]() == elsewhere)

    in_thread(close)
    assert seen == [True]
    assert READ[name]() == before
    with BLOCKS[name][0](1):
        assert READ[name]() == BLOCKS[name][1][1]
    assert READ[name]() == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("close", [lambda g: g.close(), lambda g: in_thread(g.close)], ids=["here", "in a thread"])
def test_two_closed_in_either_order(name, order, close):
    before = READ[name]()
    generators = [holding(name, 0), holding(name, 1)]
    inside = [next(generator) for generator in generators]
    assert READ[name]() == inside[1]
    close(generators[order[0]])
    assert READ[name]() == inside[1 - order[0]]
    close(generators[order[1]])
    assert READ[name]() == before


def test_closed_by_the_finalizer_of_asyncio(name):
    problems = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        before = READ[name]()
        generator = holding_async(name)
        assert await generator.__anext__() == READ[name]()
        del generator
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert READ[name]() == before

    asyncio.run(main())
    assert not problems


def test_a_task_keeps_what_it_was_started_with(name):
    async def later(go):
        await go.wait()
        return READ[name]()

    async def main():
        go = asyncio.Event()
        before = READ[name]()
        with BLOCKS[name][0](0):
            task = asyncio.create_task(later(go))
        assert READ[name]() == before
        go.set()
        assert await task == BLOCKS[name][1][0]

    asyncio.run(main())


def test_another_thread_sees_nothing(name):
    fresh = []
    in_thread(lambda: fresh.append(READ[name]()))
    with BLOCKS[name][0](0):
        in_thread(lambda: fresh.append(READ[name]()))
    assert fresh[0] == fresh[1]


def test_what_is_set_after_a_foreign_end_stays(name):
    if name != "use_ops":
        return

    def run():
        generator = holding(name)
        next(generator)
        in_thread(generator.close)
        set_current_ops(TwoOps())
        assert get_current_ops().name == context_ops.get().name == "test_blocks_two"

    contextvars.Context().run(run)


def test_files_and_ranges_in_threads(name):
    def generate():
        with use_nvtx_range("range"), make_tempfile() as file:
            yield file

    generator = generate()
    file = next(generator)
    in_thread(generator.close)
    assert file.closed
