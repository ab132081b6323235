"""Models saved by the published release load here and predict the same, and the other way round."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import model_bytes

SCRIPT = Path(model_bytes.__file__)
RECORDED = model_bytes.read(SCRIPT.with_suffix(".msgpack"))
REFERENCE = os.environ.get("THINC_REFERENCE", "")

needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="set THINC_REFERENCE to an interpreter that has the published thinc 8.3"
)


def run(interpreter: str, command: str, path: Path) -> None:
    subprocess.run([interpreter, str(SCRIPT), command, str(path)], check=True)


def test_every_architecture_is_recorded():
    assert set(RECORDED) == set(model_bytes.ARCHITECTURES)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bytes_predict_the_same(name):
    model_bytes.check(name, RECORDED[name])


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_bytes_are_written_again(name):
    model = model_bytes.build(name, seed=2)
    model.from_bytes(RECORDED[name]["bytes"])
    assert model.to_bytes() == RECORDED[name]["bytes"]


def test_other_weights_do_not_predict_the_same():
    name = "tagger"
    other = model_bytes.build(name, seed=3).to_bytes()
    with pytest.raises(AssertionError):
        model_bytes.check(name, {**RECORDED[name], "bytes": other})


@needs_reference
@pytest.mark.parametrize("writer, reader", [(sys.executable, REFERENCE), (REFERENCE, sys.executable)])
def test_the_other_release(tmp_path, writer, reader):
    path = tmp_path / "models.msgpack"
    run(writer, "write", path)
    run(reader, "check", path)
