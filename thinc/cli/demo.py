"""`thinc demo`: a tagger of Python source, trained in a minute, beside what it has to beat."""

import argparse
import time
from pathlib import Path
from typing import Any, Dict

from ..training import evaluate, most_frequent_baseline, predict_classes, tag_python
from . import train
from ._command import Command
from .predict import load


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=Path("runs") / "demo", help="where it is saved: %(default)s")


DEMO_SOURCE = """\
import statistics

def summary(self, prices, digits=2):
    middle = statistics.median(prices)
    self.count = len(prices)
    return round(middle, ndigits=digits)
"""


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    """Train the config `tagger`; compare with what knows each word's most frequent tag alone; tag a sample."""
    start = time.perf_counter()
    train_args = argparse.Namespace(config="tagger", output=args.output, resume=False, checkpoint_every=0)
    code = train.run(train_args, overrides)
    if code:
        return code
    settled, labels = load(args.output)
    data = settled.corpus.read()
    baseline = most_frequent_baseline(data)
    score = evaluate(settled.model, data.dev)
    print(
        f"\nEach name in Python source has a role. On {len(data.dev)} held-out pieces of source:\n"
        f"  each word's most frequent role  {100 * baseline:6.2f} %\n"
        f"  the tagger                      {100 * score:6.2f} %\n"
    )
    ((words, roles),) = tag_python(DEMO_SOURCE)
    (guess,) = predict_classes(settled.model, [words])
    for word, role, i in zip(words, roles, guess):
        if role is not None:
            print(f"  {word:<10} {labels[i]:<18}" + ("" if labels[i] == role else f" (it is: {role})"))
    print(f"\n{time.perf_counter() - start:.0f} s in all. Tag your own: thinc predict {args.output} FILE.py")
    return 0


COMMAND = Command("demo", "train a tagger on this Python's own source and show what it learnt", _add_arguments, run)

__all__ = ["COMMAND", "run"]
