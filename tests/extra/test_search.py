"""Beam search through its C interface, against recordings and a plain Python beam."""

import ctypes
import gc
import math
import pickle

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from thinc.extra.search import Beam, MaxViolation, _softmax

from tests.backends import capi
from tests.backends.capi import FLOAT, INT, OBJECT, UINT64, VOID_P
from tests.shared import needs_shared, vectors

PYF = ctypes.PYFUNCTYPE
INIT = PYF(VOID_P, VOID_P, INT, VOID_P)
DELETE = PYF(INT, VOID_P, VOID_P, VOID_P)
STEP = PYF(INT, VOID_P, VOID_P, UINT64, VOID_P)
HASH = PYF(UINT64, VOID_P, VOID_P)
FINISH = PYF(INT, VOID_P, VOID_P)
SLOTS = capi.vtable(Beam, 8)
c_initialize = capi.py_function(SLOTS[2], INT, OBJECT, INIT, DELETE, INT, VOID_P)
c_advance = capi.py_function(SLOTS[3], INT, OBJECT, STEP, VOID_P, VOID_P)
c_check_done = capi.py_function(SLOTS[4], INT, OBJECT, FINISH, VOID_P)
c_at = capi.py_function(SLOTS[1], VOID_P, OBJECT, INT)
c_set_cell = capi.py_function(SLOTS[5], None, OBJECT, INT, INT, FLOAT, INT, FLOAT)
c_set_row = capi.py_function(SLOTS[6], INT, OBJECT, INT, VOID_P, VOID_P, VOID_P)
c_set_table = capi.py_function(SLOTS[7], INT, OBJECT, VOID_P, VOID_P, VOID_P)


class State(ctypes.Structure):
    _fields_ = [
        ("content", VOID_P),
        ("hist", VOID_P),
        ("score", FLOAT),
        ("loss", FLOAT),
        ("i", INT),
        ("t", INT),
        ("is_done", INT),
    ]


# Address of a content -> the list that records its deletion, and the content, so that
# no other gets its address.
RECORDS = {}


# Of the module, not of a Search: a beam calls it when it goes, and of a cycle the
# collector may take the callbacks first.
@DELETE
def delete(pool, state, extra):
    assert pool and extra is None
    RECORDS[state][0].append(state)
    return 0


class Search:
    """A beam over numbers: class c takes state `code` to `code * 10 + c + 1`."""

    def __init__(self, nr_class, width, min_density=0.0, hash=None, finish=None):
        self.beam = Beam(nr_class, width, min_density)
        self.codes = {}  # address of a content -> [code, length]
        self.deleted = []
        self.init_calls = 0
        self.hash, self.finish = hash, finish
        self.callbacks = (
            INIT(self._init),
            delete,
            STEP(self._step),
            HASH(lambda state, extra: self.hash(*self.codes[state])),
            FINISH(lambda state, extra: int(self.finish(*self.codes[state]))),
        )

    def _init(self, pool, n, extra):
        self.init_calls += 1
        buffer = ctypes.create_string_buffer(8)
        self.codes[ctypes.addressof(buffer)] = [0, 0]
        RECORDS[ctypes.addressof(buffer)] = (self.deleted, buffer)
        return ctypes.addressof(buffer)

    def _step(self, dest, src, clas, extra):
        code, length = self.codes[src]
        self.codes[dest][:] = [code * 10 + clas + 1, length + 1]
        return 0

    def initialize(self):
        return c_initialize(self.beam, *self.callbacks[:2], 3, None)

    def advance(self, scores, is_valid, costs):
        for i, row in enumerate(zip(scores, is_valid, costs)):
            arrays = [numpy.array(a, dtype=t) for a, t in zip(row, ("f4", "i4", "f4"))]
            assert c_set_row(self.beam, i, *map(capi.address, arrays)) == 0
        hash = ctypes.cast(self.callbacks[3], VOID_P) if self.hash else None
        assert c_advance(self.beam, self.callbacks[2], hash, None) == 0
        assert c_check_done(self.beam, self.callbacks[4], None) == 0

    @property
    def states(self):
        width = capi.field(self.beam, 40, UINT64)
        states = (State * width).from_address(capi.field(self.beam, 120, VOID_P))
        return states[: len(self.beam)]

    def table(self, offset, ctype):
        nr_class, width = (capi.field(self.beam, at, UINT64) for at in (32, 40))
        rows = (VOID_P * width).from_address(capi.field(self.beam, offset, VOID_P))
        return [list((ctype * nr_class).from_address(row)) for row in rows]


class PlainBeam:
    """The same search in Python, on dicts; a slot keeps its finished flag here too."""

    def __init__(self, nr_class, width, min_density, hash, finish):
        self.nr_class, self.width, self.min_density = nr_class, width, min_density
        self.hash, self.finish = hash, finish
        self.t, self.size = 0, 1
        self.states = [self._state() for _ in range(width)]
        self.parents = [self._state() for _ in range(width)]

    @staticmethod
    def _state():
        return dict(code=0, length=0, score=numpy.float32(0), loss=0.0, hist=[], done=False)

    def advance(self, scores, is_valid, costs):
        found = []
        for i, s in enumerate(self.states[: self.size]):
            if s["done"]:
                bonus = s["score"] / numpy.float32(self.t) if s["hist"] else 0
                found.append((s["score"] + bonus, i * self.nr_class))
            else:
                for j in range(self.nr_class):
                    if is_valid[i][j]:
                        score = s["score"] + numpy.float32(scores[i][j])
                        found.append((score, i * self.nr_class + j))
        if self.min_density:
            best = max(float(score) for score, _ in found)
            found = [f for f in found if math.exp(f[0] - best) >= self.min_density]
        self.states, self.parents = self.parents, self.states
        seen, i = set(), 0
        for score, index in sorted(found, reverse=True):
            if i == self.width:
                break
            p, c = divmod(index, self.nr_class)
            parent = self.parents[p]
            if parent["done"]:
                self.states[i], self.parents[p] = parent, self.states[i]
                self.parents[p]["done"] = False
                # The history belongs to the parent's place, not to what is swapped.
                self.parents[p]["hist"] = list(parent["hist"])
                self.states[i]["hist"] = list(parent["hist"])
            else:
                state = self.states[i]
                state["code"] = parent["code"] * 10 + c + 1
                state["length"] = parent["length"] + 1
                key = self.hash(state["code"], state["length"]) if self.hash else 0
                if key > 1 and key in seen:
                    continue
                seen.add(key)
                state["loss"] = parent["loss"] + costs[p][c]
                state["hist"] = parent["hist"] + [c]
            self.states[i]["score"] = numpy.float32(score)
            i += 1
        self.size = i
        self.t += 1
        for s in self.states[: self.size]:
            s["done"] = s["done"] or bool(self.finish(s["code"], s["length"]))


HASHES = {None: None, "5 + code % 10": lambda code, length: 5 + code % 10}
FINISHES = {
    "last code digit == 3 or length >= 9": lambda code, n: code % 10 == 3 or n >= 9,
    "last code digit == 3 or length >= 2": lambda code, n: code % 10 == 3 or n >= 2,
    "code == 1": lambda code, n: code == 1,
}


def test_layout_is_what_clients_were_built_for():
    assert [cls.__basicsize__ - object.__basicsize__ for cls in (Beam, MaxViolation)] == [120, 88]
    assert ctypes.sizeof(State) == 40
    for cls in (Beam, MaxViolation):
        table = vars(cls)["__pyx_vtable__"]
        assert capi.capsule_name(table) is None
        obj = cls(3, 2) if cls is Beam else cls()
        assert capi.field(obj, 16, VOID_P) == capi.capsule_pointer(table)
        assert gc.is_tracked(obj)
        assert not hasattr(obj, "__dict__")
    beam = Beam(3, 2, 0.25)
    assert [capi.field(beam, at, UINT64) for at in (32, 40, 48)] == [3, 2, 1]
    assert capi.field(beam, 56, FLOAT) == 0.25
    assert capi.field(beam, 72, OBJECT) is beam.histories
    assert capi.field(beam, 128, VOID_P) is None


def test_fresh_beam():
    beam = Beam(5, 3)
    assert len(beam) == 1
    assert (beam.score, beam.min_score, beam.loss) == (0.0, 0.0, 0.0)
    assert (beam.scores, beam.probs) == ([0.0], [1.0])
    assert beam.histories == [[], [], []]
    assert beam.is_done is False
    beam.min_density = 0.5
    assert beam.min_density == 0.5
    for name in ("is_done", "histories", "scores", "probs", "score"):
        with pytest.raises(AttributeError):
            setattr(beam, name, None)
    with pytest.raises(TypeError):
        pickle.dumps(beam)


@pytest.mark.parametrize("args", [(0, 3), (3, 0)])
def test_beam_needs_classes_and_width(args):
    with pytest.raises(AssertionError, match="at least 1, got 0"):
        Beam(*args)


def test_beam_too_large_to_count():
    with pytest.raises(MemoryError):
        Beam(2**40, 2**40)


def test_beam_without_construction_is_harmless():
    beam = Beam.__new__(Beam)
    with pytest.raises(ValueError, match="not constructed"):
        beam.score  # noqa: B018
    assert beam.probs == []
    with pytest.raises(ValueError, match="not constructed"):
        MaxViolation().check(beam, beam)


def test_uninitialized_beam_can_be_deleted():
    for _ in range(3):
        Beam(4, 4)
    gc.collect()


def test_contents_are_made_and_deleted_once():
    search = Search(3, 4)
    assert search.initialize() == 0
    assert search.init_calls == 8
    assert c_at(search.beam, 0) in search.codes
    del search.beam
    assert sorted(search.deleted) == sorted(search.codes)


def test_initialize_twice_deletes_the_first_contents():
    search = Search(3, 2)
    search.initialize()
    first = set(search.codes)
    search.initialize()
    assert set(search.deleted) == first
    with pytest.raises(TypeError, match="again"):
        search.beam.__init__(3, 2)


def test_initialize_that_fails():
    """At the first content; test_client_initializes has those that were made before."""
    search = Search(3, 2)
    no_memory = INIT(ctypes.cast(ctypes.pythonapi.PyErr_NoMemory, VOID_P).value)  # raises, whatever it is given
    with pytest.raises(MemoryError):
        c_initialize(search.beam, no_memory, delete, 3, None)
    del search.beam
    assert search.deleted == []


def test_collected_beam_still_has_its_pool():
    search = Search(3, 2)
    search.initialize()
    search.beam.histories[0].append(search.beam)  # a cycle
    del search.beam
    gc.collect()
    assert len(search.deleted) == 4


def test_set_cell_and_set_table_fill_the_three_tables():
    search = Search(2, 2)
    c_set_cell(search.beam, 1, 0, 1.5, 1, 4.0)
    assert search.table(88, FLOAT) == [[0, 0], [1.5, 0]]
    assert search.table(96, INT) == [[0, 0], [1, 0]]
    assert search.table(104, FLOAT) == [[0, 0], [4, 0]]
    scores = numpy.arange(4, dtype="f4").reshape(2, 2)
    valid = numpy.array([[1, 0], [0, 1]], dtype="i4")
    costs = scores + 10
    rows = [(VOID_P * 2)(*map(capi.address, a)) for a in (scores, valid, costs)]
    assert c_set_table(search.beam, *[ctypes.addressof(row) for row in rows]) == 0
    assert search.table(88, FLOAT) == scores.tolist()
    assert search.table(96, INT) == valid.tolist()
    assert search.table(104, FLOAT) == costs.tolist()


def test_ties_go_to_the_higher_candidate_and_tables_are_cleared():
    search = Search(3, 2, finish=lambda code, n: False)
    search.initialize()
    search.advance([[2, 1, 2]], [[1, 1, 1]], [[0, 3, 1]])
    assert search.beam.histories[:2] == [[2], [0]]
    assert search.beam.loss == 1.0
    for offset, ctype in ((88, FLOAT), (96, INT), (104, FLOAT)):
        assert search.table(offset, ctype) == [[0] * 3] * 2


def test_no_valid_candidate():
    search = Search(2, 2)
    search.initialize()
    with pytest.raises(AssertionError, match="no candidate"):
        c_advance(search.beam, search.callbacks[2], None, None)


@needs_shared
@pytest.mark.parametrize("case", vectors("beam"), ids=lambda case: case["case"])
def test_beam_replays_the_recording(case):
    search = Search(
        case["nr_class"], case["width"], case["min_density"], HASHES[case["hash"]], FINISHES[case["finish"]]
    )
    search.initialize()
    for step in case["steps"]:
        scores = step["scores_in"]
        search.advance(
            scores, step.get("is_valid", numpy.ones_like(scores)), step.get("costs", numpy.zeros_like(scores))
        )
        beam, states = search.beam, search.states
        assert len(beam) == step["size"]
        assert_allclose(beam.scores, step["scores"], rtol=1e-6)
        if "losses" in step:
            assert_allclose([s.loss for s in states], step["losses"])
        assert [s.is_done for s in states] == step["state_is_done"]
        assert [search.codes[s.content][0] for s in states] == step["codes"]
        assert beam.histories[: len(beam)] == step["histories"]
        if "probs" in step:
            assert_allclose(beam.probs, step["probs"], rtol=1e-6)
        assert beam.is_done == step["is_done"]


@given(
    nr_class=st.integers(1, 5),
    width=st.integers(1, 6),
    min_density=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
    hash=st.sampled_from(list(HASHES)),
    steps=st.integers(1, 5),
    seed=st.integers(0, 100_000),
)
@settings(max_examples=150, deadline=None)
def test_beam_equals_the_plain_search(nr_class, width, min_density, hash, steps, seed):
    rng = numpy.random.RandomState(seed)

    def finish(code, length):
        return code % 10 == 3

    search = Search(nr_class, width, min_density, HASHES[hash], finish)
    plain = PlainBeam(nr_class, width, min_density, HASHES[hash], finish)
    search.initialize()
    for _ in range(steps):
        # Eighths: ties happen, and no sum of five rounds.
        scores = rng.randint(-8, 9, (width, nr_class)) / 8
        is_valid = rng.rand(width, nr_class) < 0.8
        is_valid[:, 0] = True
        costs = rng.randint(0, 3, (width, nr_class))
        search.advance(scores, is_valid, costs)
        plain.advance(scores, is_valid, costs)
        want, got = plain.states[: plain.size], search.states
        assert len(search.beam) == plain.size
        assert_allclose(search.beam.scores, [s["score"] for s in want], rtol=1e-6)
        assert [s.loss for s in got] == [s["loss"] for s in want]
        assert [bool(s.is_done) for s in got] == [s["done"] for s in want]
        assert search.beam.histories[: plain.size] == [s["hist"] for s in want]
        assert [search.codes[s.content][0] for s in got] == [s["code"] for s in want]
        assert search.beam.is_done == all(s["done"] for s in want)


@pytest.fixture
def beams():
    """Predicted: wrong [1] scores 2, right [0] 1 and [2] 0.5. Gold: [0] scores 1."""
    pred, gold = (Search(3, 3, finish=lambda code, n: False) for _ in range(2))
    for search in (pred, gold):
        search.initialize()
    pred.advance([[1, 2, 0.5]], [[1, 1, 1]], [[0, 2, 0]])
    gold.advance([[1, 0, 0]], [[1, 0, 0]], [[0, 0, 0]])
    return pred, gold


def test_fresh_max_violation():
    violn = MaxViolation()
    names = ("p_score", "g_score", "Z", "gZ", "p_hist", "g_hist", "p_probs", "g_probs")
    assert [getattr(violn, name) for name in names] == [0.0] * 4 + [[]] * 4
    assert (capi.field(violn, 32, FLOAT), capi.field(violn, 36, FLOAT)) == (0.0, -1.0)
    for name in ("cost", "delta", "n", "mem"):
        assert not hasattr(violn, name)
    with pytest.raises(AttributeError):
        violn.Z = 1.0


def test_check_records_the_best_paths(beams):
    pred, gold = beams
    violn = MaxViolation()
    assert violn.check(pred.beam, gold.beam) == 0
    assert (violn.p_hist, violn.g_hist) == ([1], [0])
    assert (violn.p_score, violn.g_score) == (2.0, 1.0)
    assert_allclose([violn.Z, violn.gZ], [math.exp(2) + math.exp(1), math.exp(1)])
    assert violn.p_probs == []
    assert capi.field(violn, 72, OBJECT) is violn.p_hist
    # Neither a right prediction nor a smaller margin changes it.
    violn.check(gold.beam, gold.beam)
    pred.advance([[0, 0, 0]], [[0, 1, 0]], [[0, 5, 0]])
    assert violn.check(pred.beam, gold.beam) == 0
    assert violn.p_hist == [1]


def test_check_crf_records_gradients(beams):
    pred, gold = beams
    violn = MaxViolation()
    assert violn.check_crf(pred.beam, gold.beam) == 0
    assert violn.p_hist == [[1]]
    assert violn.g_hist == [[2], [0]]  # [2] is right and in no gold state; [0] is gold
    every, right = numpy.exp([2, 0.5, 1]), numpy.exp([0.5, 1])
    every, right = every / every.sum(), right / right.sum()
    assert_allclose(violn.p_probs, every[:1])
    assert_allclose(violn.g_probs, every[1:] - right)
    assert_allclose(sum(violn.p_probs) + sum(violn.g_probs), 0, atol=1e-12)
    assert (capi.field(violn, 32, FLOAT), capi.field(violn, 36, FLOAT)) == (2.0, 1.0)
    assert (violn.p_score, violn.Z) == (0.0, 0.0)
    assert MaxViolation().check_crf(gold.beam, gold.beam) == 0


def test_max_violation_survives_pickling(beams):
    violn = MaxViolation()
    violn.check_crf(beams[0].beam, beams[1].beam)
    back = pickle.loads(pickle.dumps(violn))
    assert (back.p_hist, back.g_probs) == (violn.p_hist, violn.g_probs)


def test_softmax_of_lists():
    assert _softmax([]) == []
    assert_allclose(_softmax([1000.0, 1000.0]), [0.5, 0.5])
    values = _softmax([1.0, None, 2.0])
    assert values[1] is None
    assert_allclose([values[0], values[2]], [1 / (1 + math.e), math.e / (1 + math.e)])
