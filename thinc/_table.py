"""What notebooks show: tables, which print as text, too; batches of sequences; configs. All of bounded size."""

from dataclasses import dataclass
from itertools import islice
from typing import Any, Iterable, List, Tuple

SEQUENCES, NUMBERS, LINES = 10, 5, 200  # that are shown of a batch, of a row, of a config
# (the module html is read, with its thousands of names, by nothing else that `import thinc.api` needs)
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#x27;"}


def escape(text: str) -> str:
    """Text as HTML shows it."""
    return text.translate(_ESCAPES)


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
            cells = [f'<{tag} style="{style}{s}">{escape(v)}</{tag}>' for s, v in zip(sides, values)]
            return f"<tr>{''.join(cells)}</tr>"

        head, body = line("th", self.head), "".join(line("td", values) for values in self.cells)
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><p>{escape(self.caption)}</p>"


def batch_html(batch: Any, sequences: Iterable[Tuple[int, Any]], first_rows: Iterable[Any]) -> str:
    """A batch of sequences: its shape, then number, length and first row of some. What is no such batch, as it is."""
    try:
        data, name = batch.data, type(batch).__name__
        cells = [
            [str(int(number)), str(int(length)), _row(row) if length else ""]
            for (number, length), row in islice(zip(sequences, first_rows), SEQUENCES)
        ]
        more = f", the first {SEQUENCES}:" if len(batch) > len(cells) else ":"
        summary = f"{name} of {len(batch)} sequences, data {tuple(data.shape)} {data.dtype}{more}"
        return f"<p>{escape(summary)}</p>{Table(['sequence', 'length', 'first row'], cells)._repr_html_()}"
    except Exception:  # lengths that are none, say: whoever looks at it wants to see that
        return f"<pre>{escape(repr(batch)[:2000])}</pre>"


def _row(row: Any) -> str:
    numbers = row.reshape(-1)[:NUMBERS].tolist()
    return f"{' '.join(f'{number:.4g}' for number in numbers)}{' …' if row.size > NUMBERS else ''}"


def config_html(config: Any) -> str:
    """A config as it stands in its file, its sections in bold."""
    try:
        text = config.to_str(interpolate=False)
    except Exception:  # values that no file can hold
        text = repr(dict(config))
    lines = text.split("\n")
    shown = [escape(line[:500]) for line in lines[:LINES]]
    shown = [f"<b>{line}</b>" if line.startswith("[") else line for line in shown]
    if len(lines) > LINES:
        shown.append(f"… {len(lines) - LINES} more lines")
    return "<pre>" + "\n".join(shown) + "</pre>"
