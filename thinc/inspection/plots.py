"""Pictures of runs, schedules and mistakes, by matplotlib (`pip install "thinc[plot]"`)."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

import numpy

PathLike = Union[str, Path]
Run = Union[str, Path, Sequence[Dict[str, Any]]]


def plot_history(
    runs: Union[Run, Dict[str, Run]],
    *more: Run,
    keys: Sequence[str] = ("loss", "score"),
    path: Optional[PathLike] = None,
) -> Any:
    """Curves of one or several runs in one picture, a panel for each key; the figure.

    A run is the output folder of a training, its metrics.jsonl, or a list of dicts such as `Progress.history`; a dict
    gives them names. With a path the picture is written, SVG or PNG by its ending. ValueError if no run has a key.

    runs, more: of which the curves are.  keys: panels.  path: to write to.

    >>> import matplotlib
    >>> history = [{"epoch": 1, "loss": 2.0, "score": 0.5}, {"epoch": 2, "loss": 1.0, "score": 0.75}]
    >>> figure = plot_history({"first run": history}, path="run.svg")
    """
    named = dict(runs) if isinstance(runs, dict) else dict(map(_named, [runs, *more]))
    histories = {name: read_history(run) for name, run in named.items()}
    shown = [key for key in keys if any(key in row for history in histories.values() for row in history)]
    if not shown:
        known = sorted({key for history in histories.values() for row in history for key in row})
        raise ValueError(
            f"plot_history: no run has any of {', '.join(keys)}; they have {', '.join(known) or 'nothing'}"
        )
    figure = _figure(5.0 * len(shown), 3.6)
    for number, key in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), number + 1)
        for name, history in histories.items():
            points = [(row.get("epoch", i + 1), row[key]) for i, row in enumerate(history) if row.get(key) is not None]
            if points:
                axes.plot(*zip(*points), marker="o", markersize=3, label=name)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(key)
        axes.grid(alpha=0.3)
        axes.legend()
    return _finished(figure, path)


def plot_schedule(schedules: Union[Any, Dict[str, Any]], steps: int = 1000, *, path: Optional[PathLike] = None) -> Any:
    """The values of a schedule, or of several by name, over the steps of a training; the figure.

    A `Schedule` is asked without being used up; of a list or an iterator the first values are taken.

    schedules: one, or name -> schedule.  steps: how many.  path: to write to.

    >>> import matplotlib
    >>> rates = {"warm-up": warmup_linear(0.1, 100, 1000), "decay": decaying(0.1, 0.01)}
    >>> figure = plot_schedule(rates, path="rates.svg")
    """
    named = schedules if isinstance(schedules, dict) else {getattr(schedules, "name", "schedule"): schedules}
    figure = _figure(6.0, 3.6)
    axes = figure.add_subplot()
    for name, schedule in named.items():
        axes.plot(_values(schedule, steps), label=name)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend()
    return _finished(figure, path)


def plot_confusion(matrix: Any, labels: Sequence[str], *, path: Optional[PathLike] = None) -> Any:
    """Counts of (right label, given label) as a picture; each row is coloured by its shares. The figure.

    matrix: counts (labels, labels).  labels: names.  path: to write to.

    >>> import matplotlib
    >>> figure = plot_confusion(numpy.array([[8, 2], [1, 9]]), ["cat", "dog"], path="confusion.svg")
    """
    counts = numpy.asarray(matrix)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"plot_confusion: expected ({len(labels)}, {len(labels)}) for the labels, got {counts.shape}")
    size = 2.5 + 0.45 * len(labels)
    figure = _figure(size + 0.8, size)
    axes = figure.add_subplot()
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure.colorbar(axes.imshow(shares, vmin=0, vmax=1, cmap="Blues"), label="share of the row")
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("given")
    axes.set_ylabel("right")
    if len(labels) <= 20:
        for (i, j), count in numpy.ndenumerate(counts):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", color="white" if shares[i, j] > 0.5 else "black")
    return _finished(figure, path)


def read_history(run: Run) -> List[Dict[str, Any]]:
    """The epochs of a run: a folder, its metrics.jsonl, or the rows themselves."""
    if not isinstance(run, (str, Path)):
        return list(run)
    path = Path(run) / "metrics.jsonl" if Path(run).is_dir() else Path(run)
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as e:
            raise ValueError(f"{path}, line {number}: expected a JSON object, got {line[:40]!r}") from e
    return rows


def _named(run: Run) -> Any:
    if isinstance(run, (str, Path)):
        return Path(run).parent.name if Path(run).suffix else Path(run).name, run
    return "run", run


def _values(schedule: Any, steps: int) -> Iterable[float]:
    if callable(schedule):
        return [float(schedule(step, last_score=None)) for step in range(steps)]
    return [float(value) for value in islice(iter(schedule), steps)]


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise ImportError('Pictures need matplotlib: pip install "thinc[plot]"') from e
    return Figure(figsize=(width, height), layout="constrained")


def _finished(figure: Any, path: Optional[PathLike]) -> Any:
    if path is not None:
        figure.savefig(str(path))
    return figure


__all__ = ["plot_confusion", "plot_history", "plot_schedule", "read_history"]
