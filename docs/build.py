"""Renders docs/*.md and the README to build/docs, after checking links and Python snippets.

python docs/build.py [--check]
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "docs"
STYLE = (
    "body{max-width:50em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;vertical-align:top}"
    "pre{background:#f6f6f6;padding:.8em;overflow:auto}"
)


def pages():
    """Every page of the documentation."""
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def problems(page):
    """Links that lead nowhere and snippets that are not Python."""
    text = page.read_text(encoding="utf8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: there is no {target}"
    for snippet in re.findall(r"```python\n(.*?)```", text, re.S):
        try:
            ast.parse(snippet)
        except SyntaxError as e:
            yield f"{page.relative_to(ROOT)}: a snippet is not Python: {e}"


def render():
    try:
        import markdown
    except ImportError:
        raise SystemExit('docs/build.py needs markdown: pip install "thinc[docs]"') from None
    for page in pages():
        text = re.sub(r"\]\(([^):]+)\.md\b", r"](\1.html", page.read_text(encoding="utf8"))
        body = markdown.markdown(text, extensions=["fenced_code", "tables"])
        target = TARGET / page.relative_to(ROOT).with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        head = f"<!doctype html><meta charset=utf-8><title>{page.stem}</title><style>{STYLE}</style>"
        target.write_text(head + body, encoding="utf8")
        print(target.relative_to(ROOT))


if __name__ == "__main__":
    found = [line for page in pages() for line in problems(page)]
    if found:
        raise SystemExit("\n".join(found))
    if "--check" not in sys.argv:
        render()
