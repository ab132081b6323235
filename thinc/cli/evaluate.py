"""`thinc evaluate`: how good a trained model is, by label."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict

from ..training import ConfigProblem, Scores, TrainingError, load_run, shown_score
from ._command import Command, read_code


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the output folder of `thinc train`, or its model.bin")
    parser.add_argument("file", type=Path, nargs="?", help="a file with answers; by default the held-out part")
    parser.add_argument("--labels", action="store_true", help="also precision, recall and F of each label, and errors")
    parser.add_argument("--json", action="store_true", help="all scores as JSON")
    parser.add_argument("--code", type=Path, help="instead of the file that was given in training")


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    """Score a model; the exit code."""
    _check(overrides)
    loaded = load_run(args.run, overrides, read_code(args.code))
    if args.file is not None:
        scores = loaded.evaluate(args.file)
    else:
        loaded.corpus.check()
        data = loaded.corpus.read()
        if data.labels != loaded.labels:
            raise TrainingError(
                f"the corpus has other labels than the model: {_brief(data.labels)} instead of "
                f"{_brief(loaded.labels)}. Name a file: thinc evaluate RUN FILE"
            )
        scores = loaded.score(data.dev)
    if args.json:
        print(json.dumps(scores.to_json(), ensure_ascii=False))
        return 0
    chosen = loaded.about["score_name"]
    names = [chosen, *(name for name in scores.values if name != chosen)]
    print(f"{shown_score(chosen, scores.values[chosen])} on {scores.count:,} {loaded.corpus.unit}")
    for name in names[1:]:
        print(f"  {shown_score(name, scores.values[name])}")
    if args.labels:
        show_labels(scores)
    return 0


def _check(overrides: Dict[str, Any]) -> None:
    for key in overrides:
        if not key.startswith("corpus."):
            raise ConfigProblem(f"--{key}: the model is as it was trained; only [corpus] can be overridden here")


def _brief(labels: Any) -> str:
    text = ", ".join(labels[:5])
    return f"{text}, … ({len(labels)})" if len(labels) > 5 else text


def show_labels(scores: Scores) -> None:
    """A table of the labels, of the spans, and of the commonest errors."""
    for title, rows in (("label", scores.labels), ("span", scores.spans)):
        if rows:
            width = max(len(title), *map(len, rows))
            print(f"\n{title:<{width}}  precision  recall       F   count")
            for name, row in rows.items():
                figures = "  ".join(
                    f"{100 * row[key]:>{n}.2f}" for key, n in (("precision", 9), ("recall", 6), ("f", 6))
                )
                print(f"{name:<{width}}  {figures}  {row['count']:>6,.0f}")
    if scores.confusion:
        print("\nerrors: wanted, given, how often")
        for wanted, given, count in scores.confusion[:10]:
            print(f"  {wanted}  {given}  {count}")


COMMAND = Command(
    "evaluate",
    "score a trained model",
    _add_arguments,
    run,
    "Score a trained model on the held-out part of its corpus, or on a file with answers.",
    (
        "thinc evaluate runs/en",
        "thinc evaluate runs/en test.conllu --labels",
        "thinc evaluate runs/texts test.csv --json > scores.json",
    ),
    "of [corpus] alone, e.g. --corpus.label_column=topic",
)

__all__ = ["COMMAND", "run", "show_labels"]
