"""Ratios, geometric means, and docs/performance.md with its figures, from what machines have measured."""

import datetime
import json
import math
import platform
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from benchmarks import plan

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"  # a file for each machine and level
OTHERS = ("reference", "reference, generic blis", "reference, NumPy's BLAS", "PyTorch", "ONNX Runtime", "floor")
SHORT = ("ref", "generic", "ref+BLAS", "PyTorch", "ORT", "floor")

Seconds = Dict[str, Dict[str, float]]  # {case: {side: seconds}}


class Result(NamedTuple):
    """What one machine has measured at one CPU level."""

    cpu: str
    level: str
    date: str
    seconds: Seconds
    imports: Dict[str, float]

    @classmethod
    def of(cls, seconds: Seconds, imports: Dict[str, float]) -> "Result":
        return cls(cpu(), level(), f"{datetime.date.today():%B %Y}", seconds, imports)

    @property
    def name(self) -> str:
        return re.sub(r"\W+", "-", f"{self.cpu} {self.level}".lower())

    def save(self, path: Path) -> None:
        rounded = {case: {side: float(f"{s:.4g}") for side, s in sides.items()} for case, sides in self.seconds.items()}
        path.write_text(json.dumps(self._replace(seconds=rounded)._asdict(), indent=1) + "\n", encoding="utf8")


def level() -> str:
    """The CPU level in use."""
    from thinc.backends._kernels import levels  # type: ignore

    return str(levels.isa_name())


def cpu() -> str:
    """As the system calls it: the names of virtual machines say little without family and model."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", text, re.M))
        return (
            "{model name} (family {cpu family}, model {model})".format(**fields)
            .replace("(R)", "")
            .replace(" Processor", "")
        )
    except (OSError, KeyError):
        return platform.processor() or platform.machine()


def ratio(times: Dict[str, float], other: str) -> Optional[float]:
    """How many times longer the other takes."""
    if other not in times or "ours" not in times:
        return None
    return times[other] / times["ours"]


def operations(case: plan.Case) -> Optional[float]:
    """Floating-point operations of a product."""
    if case.kind not in ("gemm_forward", "gemm_backward"):
        return None
    m, k, n = case.args
    return 2.0 * m * k * n * (2 if case.kind == "gemm_backward" else 1)


def line(case: plan.Case, times: Dict[str, float]) -> str:
    """A case as text: microseconds of ours, ratios of the others, GFLOP/s of products."""
    ratios = "".join(f"{_number(ratio(times, other)):>9}" for other in OTHERS)
    flops = operations(case)
    rate = f"{flops / times['ours'] * 1e-9:9.0f} GFLOP/s" if flops else ""
    return f"{case.name:<40}{times['ours'] * 1e6:10.1f} us{ratios}{rate}"


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.2f}"


def geometric_mean(values: List[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def means(seconds: Seconds) -> Dict[str, Dict[str, float]]:
    """{group: {other: geometric mean of the ratios}}"""
    groups: Dict[str, Dict[str, List[float]]] = {}
    for name, times in seconds.items():
        group = groups.setdefault(plan.BY_NAME[name].group, {})
        for other in OTHERS:
            value = ratio(times, other)
            if value is not None:
                group.setdefault(other, []).append(value)
    return {
        group: {other: geometric_mean(values) for other, values in ratios.items()} for group, ratios in groups.items()
    }


def _table(header: List[str], rows: List[List[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def summary(result: Result) -> str:
    """The means of the groups beside the goals, as a table in Markdown."""
    rows = []
    for group, ratios in means(result.seconds).items():
        goals = plan.GOALS.get(group, {})
        rows.append([group, *(_cell(ratios.get(other), goals.get(other)) for other in OTHERS)])
    times = ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in result.imports.items())
    return f"{_table(['group', *OTHERS], rows)}\n\nImport, CPU time of the process: {times}."


def _cell(value: Optional[float], goal: Optional[float]) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" + (f" (goal {goal})" if goal else "")


def side_by_side(results: List[Result]) -> str:
    """A row for each group, and for each machine the library of the goal, the reference and the floor."""
    names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(results)]
    legend = "\n".join(f"- {name}: {result.cpu}, {result.level}" for name, result in zip(names, results))
    header = [
        "group",
        "against",
        "goal",
        *(cell for name in names for cell in (name, f"{name}, reference", f"{name}, floor")),
    ]
    all_means = [means(result.seconds) for result in results]
    rows = []
    for group in dict.fromkeys(case.group for case in plan.CASES):
        (rival, goal), *_ = [*plan.GOALS.get(group, {}).items(), ("PyTorch", None)]
        ratios = [groups.get(group, {}).get(other) for groups in all_means for other in (rival, "reference", "floor")]
        if any(ratios):
            there = any(ratios[::3])
            rows.append([group, rival if there else "", str(goal or ""), *map(_number, ratios)])
    return f"{legend}\n\n{_table(header, rows)}"


BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of the figures -->"


def write_docs(result: Result) -> None:
    """Keep the result, and write the figures of all machines into docs/performance.md."""
    RESULTS.mkdir(exist_ok=True)
    result.save(RESULTS / f"{result.name}.json")
    results = [Result(**json.loads(path.read_text(encoding="utf8"))) for path in sorted(RESULTS.glob("*.json"))]
    page = ROOT / "docs" / "performance.md"
    before, _, rest = page.read_text(encoding="utf8").partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = "\n\n".join(["## Side by side", side_by_side(results), *map(_part, results)])
    page.write_text(f"{before}{BEGIN}\n{parts}\n{END}{after}", encoding="utf8")


def _part(result: Result) -> str:
    figure = f"performance-{result.name}.svg"
    plot(result, ROOT / "docs" / figure)
    header = f"{'':<40}{'ours':>13}" + "".join(f"{name:>9}" for name in SHORT)
    cases = "\n".join(line(plan.BY_NAME[name], times) for name, times in result.seconds.items())
    return (
        f"## {result.cpu}, {result.level}\n\nOne thread; {result.date}.\n\n{summary(result)}\n\n![]({figure})\n\n"
        f"<details><summary>All cases</summary>\n\n```\n{header}\n{cases}\n```\n\n</details>"
    )


def plot(result: Result, path: Path) -> None:
    """The means as bars on a logarithmic axis: right of 1 the other takes longer, left of it the floor is."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    groups = means(result.seconds)
    names = [group for group, ratios in groups.items() if set(ratios) - {"floor"}]
    colours = dict(zip(OTHERS, ("#4c72b0", "#8fa9d0", "#b9cae3", "#dd8452", "#55a868", "#444444")))
    height = 0.8 / len(OTHERS)
    style: Any = {"svg.hashsalt": result.name, "svg.fonttype": "none", "font.size": 9}
    with matplotlib.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(9, 0.6 * len(names) + 1), layout="constrained")
        for i, other in enumerate(OTHERS):
            there = [(y, groups[name][other]) for y, name in enumerate(names) if other in groups[name]]
            if there:
                ys, values = zip(*there)
                places = [y + (i - len(OTHERS) / 2) * height for y in ys]
                axes.barh(places, [v - 1 for v in values], height, left=1, color=colours[other], label=other)
        axes.set_xscale("log")
        ticks = [0.2, 0.5, 1, 2, 5, 10, 20]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xlabel("time of the other ÷ ours")
        figure.legend(loc="outside lower center", ncols=len(OTHERS))
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
