"""What the fuzzer once found, and a second of fuzzing for each reader. `make fuzz` goes on for longer."""

import random
import sys

import pytest

pytest.importorskip("safetensors")

from tests.fuzz.__main__ import fuzz, judge  # noqa: E402
from tests.fuzz.readers import READERS, kept  # noqa: E402

if not sys.platform.startswith("linux"):
    pytest.skip("alarms and limits of Linux", allow_module_level=True)


@pytest.mark.parametrize("name", READERS)
def test_the_kept_corpus(name, tmp_path):
    for data in kept(name):
        assert judge(READERS[name], data, tmp_path) is None


@pytest.mark.parametrize("name", READERS)
def test_seeds_are_read_and_mutated(name, tmp_path):
    """The reader takes them as they are, and mutants get past the first check: some are read, and most refused."""
    reader = READERS[name]
    rng = random.Random(0)
    for seed in reader.seeds(tmp_path):
        mutants = [mutate(rng, seed) for mutate in reader.mutators for _ in range(20)]
        assert len(set(mutants)) > len(mutants) / 2
        try:
            reader.read(seed, tmp_path)
        except reader.errors as error:
            assert name in ("config", "idx"), error  # (files of the ready configs; one of both roles)


@pytest.mark.parametrize("name", READERS)
def test_a_bit_of_fuzzing(name):
    assert fuzz(name, 60, seed=1, inputs=200)


def test_a_fault_is_seen(tmp_path):
    reader = READERS["csv"]
    bad = type(reader)(reader.seeds, reader.mutators, lambda data, folder: 1 / 0, reader.errors)
    assert "ZeroDivisionError" in judge(bad, b"", tmp_path)
