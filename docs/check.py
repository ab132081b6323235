"""Checks README and docs without building them: links lead somewhere, snippets are Python.

python docs/check.py                   a line for each problem
python docs/check.py --requirements    what the site is built with, as in the extra `docs`
python docs/check.py --site            links of the built site, to pages and to places in them
python docs/check.py --run PAGE        runs the cells of a page, without building it
"""

import ast
import re
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent


def pages():
    """Every page of the documentation that somebody wrote."""
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    yield from (page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "reference")


def problems(page):
    """Links that lead nowhere and snippets that are not Python."""
    text = page.read_text(encoding="utf8")
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", prose):
        written = "/reference/" in f"/{target}"  # when the site is built
        if "://" not in target and not written and not (page.parent / target).exists():
            yield f"{page.relative_to(ROOT)}: there is no {target}"
    for snippet in re.findall(r"```(?:python|\{code-cell\})\n(?::[^\n]*\n)*(.*?)```", text, re.S):
        try:
            ast.parse(snippet)
        except SyntaxError as e:
            yield f"{page.relative_to(ROOT)}: a snippet is not Python: {e}"


def run(page):
    """The cells of a page, one after another, as a notebook does; one with the tag raises-exception has to fail.
    Returns the variables at the end."""
    scope = {"__name__": "__main__"}
    for options, code in re.findall(
        r"```\{code-cell\}\n((?::[^\n]*\n)*)(.*?)```", page.read_text(encoding="utf8"), re.S
    ):
        try:
            exec(compile(code, str(page), "exec"), scope)
        except Exception as e:
            if "raises-exception" not in options:
                raise SystemExit(f"{page}: {type(e).__name__}: {e}\n{code}") from e
        else:
            if "raises-exception" in options:
                raise SystemExit(f"{page}: this should have failed:\n{code}")
    return scope


def broken_links(site):
    """Links of built pages to pages or places that are not there."""
    texts = {path: path.read_text(encoding="utf8") for path in site.rglob("*.html") if "_static" not in path.parts}
    places = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    for path, text in texts.items():
        for link in sorted(set(re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text))):
            target, _, place = link.partition("#")
            if "://" in link or link.startswith("mailto:"):
                continue
            found = (path.parent / unquote(target)).resolve() if target else path
            if not found.exists() or (place and found in places and unquote(place) not in places[found]):
                yield f"{path.relative_to(site)}: there is no {link}"


def requirements():
    """Read by hand: the standard library has no reader of TOML before 3.11."""
    (listed,) = re.findall(r"^docs = (\[.*\])$", (ROOT / "pyproject.toml").read_text(encoding="utf8"), re.M)
    return ast.literal_eval(listed)


if __name__ == "__main__":
    if "--site" in sys.argv:
        raise SystemExit("\n".join(broken_links(ROOT / "build" / "docs")) or 0)
    elif "--run" in sys.argv:
        run(Path(sys.argv[2]))
    elif "--requirements" in sys.argv:
        print(*(f"'{requirement}'" for requirement in requirements()))
    else:
        found = [line for page in pages() for line in problems(page)]
        if found:
            raise SystemExit("\n".join(found))
