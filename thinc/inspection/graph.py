"""A model as a picture: how its layers hang together, in the language of Graphviz."""

import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from ..api import Model
from ..layers.chain import IN_SERIES
from ..layers.residual import forward as residual_forward
from ..model._observe import Place, observed, places, shape_of

Position = Tuple[int, ...]


def to_dot(model: Model, X: Any = None) -> str:
    r"""The graph of a model as DOT text: layers as boxes, combinators as frames around theirs.

    Given a batch X, the arrows carry the shapes of what passes.

    model: to draw.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> print(to_dot(Relu(4).initialize(X), X).rstrip())
    digraph "relu" {
      rankdir=TB; node [shape=box, style=rounded, fontname=Helvetica];
      edge [fontname=Helvetica, fontsize=10];
      input [label="X", shape=plaintext];
      output [label="Y", shape=plaintext];
      n [label="relu\nnO=4, nI=3"];
      input -> n [label="(5, 3)"];
      n -> output [label="(5, 4)"];
    }
    """
    shapes = _shapes(model, X)
    tree = {place.position: place for place in places(model)}
    drawing = _Drawing(tree, shapes)
    entry, exit = drawing.add((), 1)
    lines = [f'digraph "{_quoted(model.name[:80])}" {{']
    lines += ["  rankdir=TB; node [shape=box, style=rounded, fontname=Helvetica];"]
    lines += ["  edge [fontname=Helvetica, fontsize=10];", '  input [label="X", shape=plaintext];']
    lines += ['  output [label="Y", shape=plaintext];', *drawing.lines]
    drawing.arrow("input", entry, shapes.get(((), "in")))
    drawing.arrow(exit, "output", shapes.get(((), "out")))
    return "\n".join([*lines, *drawing.arrows, "}", ""])


def to_svg(model: Model, X: Any = None, path: Optional[Union[str, Path]] = None) -> str:
    """`to_dot` drawn as SVG by Graphviz' program `dot`; written to a file if a path is given.

    RuntimeError if the program is not installed.

    model: to draw.  X: a batch.  path: to write to.

    >>> import shutil
    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> picture = to_svg(model) if shutil.which("dot") else None
    """
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "to_svg: the program `dot` of Graphviz is not installed. Install the package graphviz of your system, or "
            "paste the text of to_dot(model) into a viewer"
        )
    drawn = subprocess.run([program, "-Tsvg"], input=to_dot(model, X), capture_output=True, text=True, encoding="utf8")
    if drawn.returncode:
        raise RuntimeError(f"to_svg: dot failed: {drawn.stderr.strip()}")
    if path is not None:
        Path(path).write_text(drawn.stdout, encoding="utf8")
    return drawn.stdout


class _Drawing:
    def __init__(self, tree: Dict[Position, Place], shapes: Dict[Any, str]):
        self.tree = tree
        self.shapes = shapes
        self.lines: List[str] = []
        self.arrows: List[str] = []

    def add(self, position: Position, depth: int) -> Tuple[str, str]:
        """Draw what stands at a place; the names of the boxes where data enters and leaves it."""
        place = self.tree[position]
        below = [p for p in ((*position, i) for i in range(len(place.node.layers))) if p in self.tree]
        name = "n" + "_".join(map(str, position))
        indent = "  " * depth
        if not below:
            label = f"{place.kind}{_sizes(place.node)}{' (again)' if place.repeated else ''}"
            self.lines.append(f'{indent}{name} [label="{_quoted(label)}"];')
            return name, name
        self.lines.append(f'{indent}subgraph cluster_{name} {{ label="{_quoted(place.kind)}"; color=gray; fontsize=10;')
        ends = [self.add(p, depth + 1) for p in below]
        entry, exit = self._joined(place, name, below, ends, indent)
        self.lines.append(f"{indent}}}")
        return entry, exit

    def _joined(
        self, place: Place, name: str, below: List[Position], ends: List[Tuple[str, str]], indent: str
    ) -> Tuple[str, str]:
        forward = place.node._func
        if forward in IN_SERIES or (len(ends) == 1 and forward is not residual_forward):
            for (_, left), (right, _), p in zip(ends, ends[1:], below):
                self.arrow(left, right, self.shapes.get((p, "out")))
            return ends[0][0], ends[-1][1]
        # Side by side: what comes in is split, what goes out is joined; a residual layer goes around its own.
        kind = "+" if forward is residual_forward else forward.__module__.rpartition(".")[2]
        self.lines.append(f"{indent}  {name}_in [shape=point];")
        self.lines.append(f'{indent}  {name}_out [label="{_quoted(kind)}", shape=oval];')
        for (entry, exit), p in zip(ends, below):
            self.arrow(f"{name}_in", entry, self.shapes.get((p, "in")))
            self.arrow(exit, f"{name}_out", self.shapes.get((p, "out")))
        if forward is residual_forward:
            self.arrow(f"{name}_in", f"{name}_out", None)
        return f"{name}_in", f"{name}_out"

    def arrow(self, left: str, right: str, shape: Optional[str]) -> None:
        label = f' [label="{_quoted(shape)}"]' if shape else ""
        self.arrows.append(f"  {left} -> {right}{label};")


def _sizes(node: Model) -> str:
    dims = [f"{name}={node.maybe_get_dim(name)}" for name in node.dim_names if node.maybe_get_dim(name) is not None]
    return f"\\n{', '.join(dims)}" if dims else ""


def _quoted(text: str) -> str:
    return text.replace('"', '\\"')


def _shapes(model: Model, X: Any) -> Dict[Any, str]:
    shapes: Dict[Any, str] = {}

    def watch(place: Place, forward: Callable, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        Y, backprop = forward(X, is_train)
        shapes.setdefault((place.position, "in"), shape_of(X))
        shapes.setdefault((place.position, "out"), shape_of(Y))
        return Y, backprop

    if X is not None:
        with observed(model, watch):
            model.predict(X)
    return shapes


__all__ = ["to_dot", "to_svg"]
