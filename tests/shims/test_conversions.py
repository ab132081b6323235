"""Arrays to tensors and back: right, or a clear error, and never a dead process."""

import importlib.util
import subprocess
import sys

import pytest

from tests.shared import ROOT


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "mxnet", "jax"])
def test_odd_arrays(framework):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.shims.odd_arrays", framework], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.strip().endswith("survived"), (done.returncode, done.stderr[-3000:])
