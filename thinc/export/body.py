"""The language that the bodies of exported layers are written in: ONNX's text syntax, with two liberties.

    A = Gemm <transB = 1> (X, W, b)
    Y = Mul(A, Sigmoid(Clip(A, -20.0, 20.0)))

Calls may be arguments of calls, and numbers too: 0.5 is a scalar of the layer's float type, 2 an int64 scalar,
[0, 1] an int64 vector, 33u a uint64 scalar. `expand` writes it out, one call a line and each number once.
What stands between < and > is left as it is, graphs of Loop included, but for FLOAT, which is the layer's float type.
"""

import re
from typing import Dict, List

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+(?:e[-+]?\d+)?|u)?(?![\w.]))|(?P<name>[A-Za-z_][\w.]*)|(?P<vector>\[[-\d,\s]*\])|(?P<mark>[(),=]))"
)


def expand(body: str, float_type: str) -> str:
    """The body in plain ONNX text; `float_type` is "float" or "double"."""
    return _Writer(body, float_type).written()


class _Writer:
    """A reader of one body by recursive descent, which writes as it goes."""

    def __init__(self, body: str, float_type: str):
        self.body = re.sub(r"\bFLOAT\b", float_type, body)
        self.at = 0
        self.float_type = float_type
        self.constants: Dict[str, str] = {}
        self.lines: List[str] = []
        self.temporaries = 0

    def written(self) -> str:
        while self.body[self.at :].strip():
            self._statement()
        constants = [f"{name} = Constant <value = {value}> ()" for value, name in self.constants.items()]
        return "\n".join([*constants, *self.lines])

    def _next(self) -> re.Match:
        match = _TOKEN.match(self.body, self.at)
        if match is None:
            raise SyntaxError(f"cannot read the body of a layer at: {self.body[self.at :].strip()[:60]!r}")
        self.at = match.end()
        return match

    def _peek(self) -> str:
        return self.body[self.at :].lstrip()[:1]

    def _statement(self) -> None:
        names = [self._next()["name"]]
        while (mark := self._next()["mark"]) == ",":
            names.append(self._next()["name"])
        if mark != "=" or None in names:
            raise SyntaxError(f"cannot read the body of a layer: expected NAME, ... = in {self.body.strip()!r}")
        self._call(self._next()["name"], ", ".join(names))

    def _call(self, operator: str, target: str) -> None:
        attributes = self._attributes() if self._peek() == "<" else ""
        arguments = []
        self._next()  # (
        while True:
            arguments.append("" if self._peek() in ",)" else self._argument())
            if self._next()["mark"] == ")":
                break
        self.lines.append(f"{target} = {operator} {attributes}({', '.join(arguments)})")

    def _argument(self) -> str:
        token = self._next()
        if token["number"] or token["vector"]:
            return self._constant(token["number"] or token["vector"])
        name = token["name"]
        if self._peek() not in "(<" or not self._peek():
            return name
        self.temporaries += 1
        target = f"t{self.temporaries}"
        self._call(name, target)
        return target

    def _attributes(self) -> str:
        start = self.body.index("<", self.at)
        depth, end = 0, start
        while end < len(self.body):
            depth += {"<": 1, ">": -1}.get(self.body[end], 0)
            if self.body[end - 1 : end + 1] == "=>":  # the arrow of a graph
                depth += 1
            end += 1
            if not depth:
                self.at = end
                return self.body[start:end] + " "
        raise SyntaxError(f"cannot read the body of a layer: no > for {self.body[start:].strip()[:60]!r}")

    def _constant(self, text: str) -> str:
        if text.startswith("["):
            items = text[1:-1].split(",")
            value = f"int64[{len(items)}] {{{', '.join(item.strip() for item in items)}}}"
        elif text.endswith("u"):
            value = f"uint64 {{{text[:-1]}}}"
        elif "." in text:
            value = f"{self.float_type} {{{text}}}"
        else:
            value = f"int64 {{{text}}}"
        return self.constants.setdefault(value, f"c{len(self.constants) + 1}")


__all__ = ["expand"]
