"""The table of docs/how-to/export-to-onnx.md, from the rules themselves.  python -m tests.export.table writes it."""

import copy

import numpy

from tests.export.rows import ALL as CASES
from tests.layers.rows import EXEMPT
from tests.layers.values import cast
from tests.shared import ROOT
from thinc.api import registry
from thinc.export.graph import build, forward_of, reason_against
from thinc.export.values import ExportError, value_of
from thinc.export.write import float_dtype

PAGE = ROOT / "docs" / "how-to" / "export-to-onnx.md"
START, END = "<!-- layers: written by python -m tests.export.table -->\n", "<!-- end of layers -->\n"
SILENT = {"Constant", "Identity"}
# What layers over sequences share: computed once for each array of lengths.
SHARED = "rows of sequences"


def operators():
    """layer -> the operators of its own nodes in all its rows, or the reason against it."""
    found = {name: "refused: a layer of another framework" for name in EXEMPT}
    for case in CASES:
        numpy.random.seed(0)
        X = cast(case.inputs(numpy.random.RandomState(1)), "float32")
        model = case.build()
        model.initialize(X=copy.deepcopy(X), Y=case.outputs(X))
        if case.name not in registry.layers.get_all():
            continue
        if "reads texts" in (reason_against(model) or ""):
            found[case.name] = "refused: it reads texts"
            continue
        try:
            graph, _ = build(model, value_of(X, float_dtype(model, X)), 20)
        except ExportError:  # a sample of no arrays
            continue
        found.setdefault(case.name, set())
        module = registry.layers.get(case.name).__module__
        own = [forward for forward in map(forward_of, model.walk()) if forward.__module__ == module]
        for key, forwards in ((case.name, own), (SHARED, [None])):
            for forward in forwards:
                found.setdefault(key, set()).update(graph.operators.get(forward, set()) - SILENT)
    return found


def table():
    lines = ["| layer | operators |", "| --- | --- |"]
    for name, found in sorted(operators().items(), key=lambda item: item[0].lower()):
        text = found if isinstance(found, str) else ", ".join(sorted(found)) or "none: done while the graph is written"
        lines.append(f"| {name if name == SHARED else f'`{name}`'} | {text} |")
    return "\n".join(lines) + "\n"


def parts():
    """The page before, in and after the table."""
    before, _, rest = PAGE.read_text(encoding="utf8").partition(START)
    inside, _, after = rest.partition(END)
    return before, inside, after


if __name__ == "__main__":
    before, _, after = parts()
    PAGE.write_text(f"{before}{START}{table()}{END}{after}", encoding="utf8")
