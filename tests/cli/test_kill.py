"""kill -9 at any moment: old labels with old weights, or new with new, or a refusal; never a mixture."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy
import pytest

from tests.newcomer import TAGGER, conllu
from thinc.cli import main

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

MOMENTS = [pytest.param(5, id="5"), pytest.param(50, id="50", marks=pytest.mark.slow)]
WORDS = "train run.cfg --output run --training.max_epochs=12 --training.patience=0".split()


@pytest.fixture
def folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("run.cfg").write_text(TAGGER.replace("learn_rate = 0.02", "learn_rate = 0.2"))
    Path("t.conllu").write_text(conllu())
    Path("raw.txt").write_text("w0 w1 w2 w3 w4\n")
    return tmp_path


def new_corpus():
    """The same words with other labels, and as many of them: old labels would fit the new weights."""
    text = conllu()
    for old, new in zip("ABCD", "WXYZ"):
        text = text.replace(f"\t{old}\t", f"\t{new}\t")
    Path("t.conllu").write_text(text)


def in_a_child(words, kill_after=None):
    """Run a command in a fork; how long it took."""
    start = time.perf_counter()
    child = os.fork()
    if not child:
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            main(words)
        finally:
            os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.perf_counter() - start


def predicted(capsys):
    """The labels that `predict` gives, or None if it refuses in a sentence."""
    capsys.readouterr()
    code = main(["predict", "run", "raw.txt"])
    shown = capsys.readouterr()
    if code:
        assert code == 1 and shown.err.count("\n") == 1 and "Traceback" not in shown.err
        return None
    return "".join(word.rpartition("/")[2] for word in shown.out.split())


@pytest.mark.parametrize("n", MOMENTS)
@pytest.mark.parametrize("second", [False, True], ids=["first run", "second run"])
def test_killed_at_any_moment(folder, capsys, n, second):
    seen = set()
    if second:
        assert main(WORDS) == 0
        assert predicted(capsys) == "ABCDA"
        shutil.copytree("run", "old")
        new_corpus()
    right = {"ABCDA"} if not second else {"ABCDA", "WXYZW"}
    words = [*WORDS, "--overwrite"] if second else WORDS
    whole = in_a_child(words)
    rng = numpy.random.RandomState(n)
    for moment in rng.uniform(0, 1.1 * whole, n):
        shutil.rmtree("run", ignore_errors=True)
        if second:
            shutil.copytree("old", "run")
        in_a_child(words, moment)
        labels = predicted(capsys)
        seen.add(labels)
        if labels is not None and labels not in right:  # early epochs err; labels must be all old or all new
            assert set(labels) <= set("ABCD") if not second else set(labels) <= set("WXYZ"), labels
        # What was left can be gone on with, or says why not.
        capsys.readouterr()
        if Path("run/checkpoint.bin").exists() and labels != "ABCDA":
            assert main(["train", "--resume", "--output", "run"]) == 0, capsys.readouterr()
            assert predicted(capsys) == ("WXYZW" if second else "ABCDA")
    assert seen
