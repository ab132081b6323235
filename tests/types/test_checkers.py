"""mypy, with the plugin and without it, and pyright on programs of users: from a folder elsewhere, against the
installed package.

THINC_CHECKED_PYTHON names another interpreter whose thinc is to be read, e.g. one that has the wheel.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHECKED = os.environ.get("THINC_CHECKED_PYTHON", sys.executable)
README = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf8"), re.DOTALL)
PROGRAMS = {
    "readme": README[1] if README else "",
    "sample": (HERE / "programs" / "sample.py").read_text(encoding="utf8"),
    "mistakes": (HERE / "programs" / "mistakes.py").read_text(encoding="utf8"),
}
WRONG = {number for number, line in enumerate(PROGRAMS["mistakes"].splitlines(), 1) if "# wrong" in line}
CHECKERS = ["mypy", "mypy with the plugin", "pyright"]


def run_mypy(folder, *options):
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        CHECKED,
        "--cache-dir",
        str(folder / "cache"),
    ]
    result = subprocess.run(
        [*command, *options, *(f"{name}.py" for name in PROGRAMS)], cwd=folder, capture_output=True, text=True
    )
    assert result.returncode == 1 and not result.stderr, result.stderr or result.stdout
    matches = [re.match(r"(\w+)\.py:(\d+): error: (.*)", line) for line in result.stdout.splitlines()]
    return [(match[1], int(match[2]), match[3]) for match in matches if match]


def run_pyright(folder):
    result = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", CHECKED, "--outputjson"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    return [
        (Path(each["file"]).stem, each["range"]["start"]["line"] + 1, each["message"])
        for each in json.loads(result.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """{checker: [(program, line, message), ...]}, each checker run once, when it is asked for."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name, text in PROGRAMS.items():
        (folder / f"{name}.py").write_text(text, encoding="utf8")
    (folder / "plugin.ini").write_text("[mypy]\nplugins = thinc.mypy\n", encoding="utf8")
    (folder / "pyrightconfig.json").write_text('{"include": ["*.py"], "typeCheckingMode": "standard"}', encoding="utf8")
    found = {}

    def of(checker):
        if checker not in found:
            module = checker.split()[0]
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{module} is not installed")
            if checker == "pyright":
                found[checker] = run_pyright(folder)
            else:
                found[checker] = run_mypy(folder, *(["--config-file=plugin.ini"] if "plugin" in checker else []))
        return found[checker]

    return of


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("program", ["readme", "sample"])
def test_nothing_is_reported_that_is_right(reports, checker, program):
    assert [report for report in reports(checker) if report[0] == program] == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_reported_on_its_line(reports, checker):
    assert len(WRONG) >= 15
    assert {line for program, line, _ in reports(checker) if program == "mistakes"} == WRONG
