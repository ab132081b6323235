"""The documentation site: `make docs` builds it into build/docs, without a network and without a warning."""

import importlib.util
import inspect
import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import api_pages  # noqa: E402

import thinc  # noqa: E402

project = "thinc"
author = "the thinc developers"
copyright = author
release = version = thinc.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design", "sphinx_copybutton"]
exclude_patterns = ["**/.ipynb_checkpoints"]
# Pages that the repository shows, too, are parts of the site.
html_theme = "pydata_sphinx_theme"
html_title = "thinc"
html_static_path = ["_static"]
html_css_files = ["thinc.css"]
html_favicon = "_static/icon.svg"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_context = {"default_mode": "auto"}


def lacking(page):
    """The packages that a page says it needs (`needs: [torch]` at its top) and that are not here."""
    (needs,) = re.findall(r"\A---\n(?:.*\n)*?needs: \[(.*)\]\n", page.read_text(encoding="utf8")) or [""]
    return [name for name in needs.split(", ") if name and importlib.util.find_spec(name) is None]


# The kernels of the pages have settings of their own, not those of the person who builds.
PROFILE = DOCS.parent / "build" / "ipython" / "profile_default"
PROFILE.mkdir(parents=True, exist_ok=True)
SETTINGS = 'c.IPKernelApp.log_level = 40\nc.InteractiveShell.xmode = "Minimal"\n'  # errors without the way to them
(PROFILE / "ipython_kernel_config.py").write_text(SETTINGS, encoding="utf8")
os.environ["IPYTHONDIR"] = str(PROFILE.parent)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a page is built beside others

nb_execution_mode = "cache"  # a cell runs again when it or one before it changed
nb_execution_cache_path = str(DOCS.parent / "build" / "docs-cells")
nb_execution_excludepatterns = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if lacking(page)]
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries = False  # each name has a heading of its own
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
suppress_warnings = ["myst.xref_missing"] if "linkcheck" in sys.argv else []


def readable(app, what, name, obj, options, lines):
    """Docstrings are plain text: what is indented is a formula, `x` is code, `name: what it is` an argument."""
    text = api_pages.TEXTS.get(name.rsplit(".", 1)[-1]) or "\n".join(lines)
    known = set(api_pages.arguments_of(obj))
    lines[:] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith(">>> "):
            lines += [*paragraph.splitlines(), ""]
        elif paragraph.startswith((" ", "\t")):
            lines += ["::", "", *paragraph.splitlines(), ""]
        else:
            for part in _arguments_apart(paragraph, known):
                lines += [*part, ""]


def _arguments_apart(paragraph, known):
    """The lines of a paragraph, with its arguments as a list."""
    starts = [
        match
        for match in re.finditer(r"(?:^|(?<=[.:]) +)((?:\w+, )*\w+): +", paragraph, re.M)
        if known.issuperset(match[1].split(", "))
    ]
    ends = [*(match.start() for match in starts), len(paragraph)]
    yield map(_escaped, _with_formulas_apart(paragraph[: ends[0]]))
    for match, end in zip(starts, ends[1:]):
        names = ", ".join(f"``{argument}``" for argument in match[1].split(", "))
        yield [f"- {names}: {_escaped(' '.join(paragraph[match.end() : end].split()))}"]


def _with_formulas_apart(paragraph):
    """Indented lines inside a paragraph become a block of their own."""
    inside = False
    for line in paragraph.splitlines():
        indented = line.startswith("    ")
        if indented != inside:
            yield from ["", "::", ""] if indented else [""]
        inside = indented
        yield line


def _escaped(line):
    if line.startswith("    ") or line == "::":
        return line
    parts = re.split(r"(`[^`]+`)", line)
    return "".join(f"`{part}`" if part.startswith("`") else re.sub(r"([*|\\_])", r"\\\1", part) for part in parts)


def say_what_was_not_run(app, docname, source):
    """A note below the title of a page whose cells did not run here."""
    missing = lacking(DOCS / f"{docname}.md") if (DOCS / f"{docname}.md").exists() else []
    if missing:
        note = f":::{{note}}\nThis page was made without {' and '.join(missing)}: its cells were not run.\n:::"
        source[0] = re.sub(r"^(# .*\n)", lambda match: f"{match[1]}\n{note}\n", source[0], count=1, flags=re.M)


def setup(app):
    app.connect("source-read", say_what_was_not_run)
    api_pages.write(DOCS / "reference")
    app.connect("autodoc-process-docstring", readable)
