"""The documents are true: links lead somewhere, snippets run."""

import importlib
import re
import subprocess
import sys

from tests.shared import ROOT


def test_links_and_snippets():
    done = subprocess.run([sys.executable, "docs/check.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_broken_links_of_a_built_site_are_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    check = importlib.import_module("check")
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="b.html#x">there</a><a href="#top">up</a>')
    (tmp_path / "b.html").write_text('<a class="c" href="c.html">gone</a>')
    assert sorted(check.broken_links(tmp_path)) == ["a.html: there is no b.html#x", "b.html: there is no c.html"]


def test_every_public_name_has_a_page_its_arguments_and_an_example():
    done = subprocess.run([sys.executable, "docs/api_pages.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_of_the_docstrings_print_what_they_say():
    """Of all that is installed; .ci/frameworks has the others."""
    done = subprocess.run([sys.executable, "docs/api_pages.py", "--run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 200


def test_an_example_that_prints_something_else_is_found(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import api_pages

    monkeypatch.setitem(api_pages.TEXTS, "Row", ">>> 1 + 1\n3")
    count, _, wrong = api_pages.run(["Row"])
    assert count == 1 and "Got:\n    2" in wrong[0]


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    scope = {}
    exec(code.replace("/tmp/", f"{tmp_path}/"), scope)
    assert scope["accuracy"] > 0.9
    assert (tmp_path / "quadrants.bin").is_file()


def test_backend_how_to_runs(capsys):
    from thinc.api import Ragged, reduce_sum, registry, use_ops

    text = (ROOT / "docs" / "how-to" / "add-a-backend.md").read_text(encoding="utf8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {"__name__": "how_to"})
    ops = registry.ops.get("LoudOps")()
    with use_ops("loud"):
        model = reduce_sum()
        assert type(model.ops) is type(ops)
        model.predict(Ragged(ops.alloc2f(3, 2), ops.asarray1i([3])))
    assert "reduce_sum of (3, 2)" in capsys.readouterr().out


def test_every_promise_has_its_test():
    """Each row of docs/promises.md names tests, and there are such."""
    table = (ROOT / "docs" / "promises.md").read_text(encoding="utf8")
    rows = [
        row for row in re.findall(r"^\| (.+?) \| (.+?) \| (.+) \|$", table, re.M) if row[0] not in ("Promise", "---")
    ]
    assert len(rows) > 20
    for promise, _, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", tests)
        assert named, promise
        for path, name in named:
            text = (ROOT / path).read_text(encoding="utf8")
            assert not name or re.search(rf"^def {name}\(", text, re.M), f"{promise}: there is no {path}::{name}"
