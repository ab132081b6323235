"""The diff of docs/how-to/add-an-op.md is as small as it says, applies to this tree, and what it adds works."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.shared import ROOT

PAGE = ROOT / "docs" / "how-to" / "add-an-op.md"


def diffs():
    """That of the op, that of the layer."""
    return re.findall(r"```diff\n(.*?)```", PAGE.read_text(encoding="utf8"), re.S)


def size(diff):
    """(edits, files): a new file is one edit."""
    return len(re.findall(r"^@@ ", diff, re.M)), len(re.findall(r"^diff --git ", diff, re.M))


def run(command, folder, **settings):
    env = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture
def tree(tmp_path):
    """A copy of what is compiled and tested, with both diffs applied."""
    if not (ROOT / "setup.py").is_file() or shutil.which("git") is None:
        pytest.skip("needs the sources, and git")
    ignored = shutil.ignore_patterns("__pycache__", "*.cpp", "reference", "performance*")
    for name in ("include", "thinc", "tests", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "added.diff").write_text("".join(diffs()), encoding="utf8")
    run(["git", "init", "-q"], tmp_path)  # so that it is not part of a repository around it
    run(["git", "apply", "added.diff"], tmp_path)
    return tmp_path


def test_the_diffs_are_as_small_as_the_page_says():
    op, layer = diffs()
    assert size(op) == (3, 2)
    assert size(op + layer) == (8, 5)


def test_the_diffs_apply(tree):
    assert "Softsign" in (tree / "thinc" / "api.py").read_text(encoding="utf8")


@pytest.mark.slow
def test_op_and_layer_pass_their_rows(tree):
    run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], tree)
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", "softsign or Softsign"]
    said = run([sys.executable, "-m", "pytest", *options, "tests/backends", "tests/layers"], tree)
    assert int(re.findall(r"(\d+) passed", said)[0]) > 100
    run([sys.executable, "docs/api_pages.py", "--check"], tree)
    said = run(
        [sys.executable, "docs/api_pages.py", "--run", "Softsign", "Ops.softsign", "Ops.backprop_softsign"], tree
    )
    assert said.startswith("3 examples, 0 wrong")
