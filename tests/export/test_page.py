"""docs/how-to/export-to-onnx.md: its programs run, its table is what the rules say."""

import re

import pytest

pytest.importorskip("onnxruntime", reason="ONNX Runtime is missing")
pytest.importorskip("onnx", reason="the onnx package is not installed")

from tests.export import table  # noqa: E402
from thinc.export.graph import _RULES  # noqa: E402


def test_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(_RULES)
    names = {"__name__": "page"}
    programs = re.findall(r"```python\n(.*?)```", table.PAGE.read_text(encoding="utf8"), re.DOTALL)
    assert len(programs) == 3
    for program in programs:
        exec(program, names)
    _RULES.clear()
    _RULES.update(before)


def test_table_is_what_the_rules_say():
    assert table.parts()[1] == table.table(), "run: python -m tests.export.table"
