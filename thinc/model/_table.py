"""A table that prints as text and shows as HTML in notebooks."""

import html
from dataclasses import dataclass
from typing import List


@dataclass
class Table:
    head: List[str]
    cells: List[List[str]]
    caption: str = ""
    texts: int = 1  # columns that stand to the left; numbers stand to the right

    def __str__(self) -> str:
        lines = [self.head, *self.cells]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.head))]
        rendered = [
            "  ".join(
                cell.ljust(width) if i < self.texts else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([rendered[0], "-" * max(map(len, rendered)), *rendered[1:], "", self.caption]).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        style = "font-family: monospace; white-space: pre; text-align: "

        def line(tag: str, values: List[str]) -> str:
            sides = ["left" if i < self.texts else "right" for i in range(len(values))]
            cells = [f'<{tag} style="{style}{s}">{html.escape(v)}</{tag}>' for s, v in zip(sides, values)]
            return f"<tr>{''.join(cells)}</tr>"

        head, body = line("th", self.head), "".join(line("td", values) for values in self.cells)
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p>{html.escape(self.caption)}</p>"
