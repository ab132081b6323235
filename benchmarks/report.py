"""Ratios, geometric means, the table and the figures of docs/performance.md."""

import datetime
import math
import platform
import re
from pathlib import Path
from typing import Dict, List, Optional

from benchmarks import plan

OTHERS = ("reference", "reference, generic blis", "reference, NumPy's BLAS", "PyTorch", "ONNX Runtime")

Seconds = Dict[str, Dict[str, float]]


def ratio(times: Dict[str, float], other: str) -> Optional[float]:
    """How many times longer the other takes."""
    if other not in times or "ours" not in times:
        return None
    return times[other] / times["ours"]


def work(case: plan.Case) -> Optional[float]:
    """Floating-point operations of a product."""
    if case.kind not in ("gemm_forward", "gemm_backward"):
        return None
    m, k, n = case.args
    return 2.0 * m * k * n * (2 if case.kind == "gemm_backward" else 1)


def line(case: plan.Case, times: Dict[str, float]) -> str:
    """A case as text: microseconds of ours, ratios of the others, GFLOP/s of products."""
    ratios = "".join(f"{_number(ratio(times, other)):>9}" for other in OTHERS)
    flops = work(case)
    rate = f"{flops / times['ours'] * 1e-9:9.0f} GFLOP/s" if flops else ""
    return f"{case.name:<40}{times['ours'] * 1e6:10.1f} us{ratios}{rate}"


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.2f}"


def geometric_mean(values: List[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def means(best: Seconds) -> Dict[str, Dict[str, float]]:
    """{group: {other: geometric mean of the ratios}}"""
    groups: Dict[str, Dict[str, List[float]]] = {}
    for name, times in best.items():
        group = groups.setdefault(plan.BY_NAME[name].group, {})
        for other in OTHERS:
            value = ratio(times, other)
            if value is not None:
                group.setdefault(other, []).append(value)
    return {
        group: {other: geometric_mean(values) for other, values in ratios.items()} for group, ratios in groups.items()
    }


def summary(best: Seconds, imports: Dict[str, float]) -> str:
    """The means of the groups beside the goals, as a table in Markdown."""
    rows = [f"| group | {' | '.join(OTHERS)} |", "| --- " * (len(OTHERS) + 1) + "|"]
    for group, ratios in means(best).items():
        of_reference, *goals = plan.GOALS.get(group, (None, None, None))
        wanted = dict(zip(OTHERS, (of_reference, of_reference, None, *goals)))
        cells = [_cell(ratios.get(other), wanted.get(other)) for other in OTHERS]
        rows.append(f"| {group} | {' | '.join(cells)} |")
    times = ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in imports.items())
    return "\n".join([*rows, "", f"Import, CPU time of the process: {times}."])


def _cell(value: Optional[float], goal: Optional[float]) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" + (f" (goal {goal})" if goal else "")


def machine() -> str:
    """The CPU, the level in use and the date."""
    from thinc.backends._kernels import gemm, levels  # type: ignore

    try:
        text = Path("/proc/cpuinfo").read_text()
        fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", text, re.M))
        cpu = "{model name} (family {cpu family}, model {model})".format(**fields)
    except (OSError, KeyError):
        cpu = platform.processor() or platform.machine()
    today = datetime.date.today()
    return f"{cpu}; level {levels.isa_name()}, gemm engine {gemm.engine_name()}, one thread; {today:%B %Y}"


BEGIN, END = "<!-- figures: {} -->", "<!-- end: {} -->"


def write_docs(docs: Path, best: Seconds, table: str) -> None:
    """Replace the part of docs/performance.md for the CPU level in use, and its figure."""
    from thinc.backends._kernels import levels  # type: ignore

    level = levels.isa_name()
    figure = docs / f"performance-{level}.svg"
    figure.write_text(bars(means(best)))
    cases = "\n".join(line(plan.BY_NAME[name], times) for name, times in best.items())
    part = (
        f"{machine()}.\n\n{table}\n\n![]({figure.name})\n\n"
        f"<details><summary>All cases</summary>\n\n```\n{_header()}\n{cases}\n```\n\n</details>"
    )
    page = docs / "performance.md"
    begin, end = BEGIN.format(level), END.format(level)
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{part}\n{end}{after}")


def _header() -> str:
    names = ("ref", "generic", "ref+BLAS", "PyTorch", "ORT")
    return f"{'':<40}{'ours':>13}" + "".join(f"{name:>9}" for name in names)


def bars(groups: Dict[str, Dict[str, float]]) -> str:
    """Horizontal bars of the ratios on a logarithmic axis, as SVG."""
    colours = dict(zip(OTHERS, ("#4c72b0", "#8fa9d0", "#b9cae3", "#dd8452", "#55a868")))
    left, width, bar, gap = 260, 420, 9, 8
    top = max(value for ratios in groups.values() for value in ratios.values())
    low, high = math.log(0.5), math.log(max(top, 2) * 1.1)

    def x(value: float) -> float:
        return left + width * (math.log(max(value, 0.5)) - low) / (high - low)

    y = 40
    shapes = []
    for group, ratios in groups.items():
        middle = y + bar * len(ratios) / 2 + 4
        shapes.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{group}</text>')
        for other in OTHERS:
            if other in ratios:
                end = x(ratios[other])
                start = min(x(1), end)
                shapes.append(
                    f'<rect x="{start:.1f}" y="{y}" width="{abs(end - x(1)):.1f}" '
                    f'height="{bar - 1}" fill="{colours[other]}"/>'
                )
                y += bar
        y += gap
    for tick in (0.5, 1, 2, 5, 10, 20, 50):
        if math.log(tick) <= high:
            shapes.append(
                f'<line x1="{x(tick):.1f}" y1="34" x2="{x(tick):.1f}" y2="{y}" stroke="#999" '
                f'stroke-width="{1.2 if tick == 1 else 0.4}"/>'
                f'<text x="{x(tick):.1f}" y="30" text-anchor="middle">{tick}</text>'
            )
    legend = "".join(
        f'<rect x="{8 + 140 * i}" y="6" width="9" height="9" fill="{colours[other]}"/>'
        f'<text x="{21 + 140 * i}" y="14">{other}</text>'
        for i, other in enumerate(OTHERS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {y + 8}" '
        f'font-family="sans-serif" font-size="11">\n'
        f"{legend}\n" + "\n".join(shapes) + "\n</svg>\n"
    )
