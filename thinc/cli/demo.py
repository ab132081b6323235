"""`thinc demo`: a tagger of Python source, trained in a minute, beside what it has to beat."""

import argparse
import time
from pathlib import Path
from typing import Any, Dict

from ..training import load_run, most_frequent_baseline, tag_python
from . import train
from ._command import Command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, default=FOLDER, help="where it is saved; by default %(default)s, anew")


FOLDER = Path("runs") / "demo"

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
    print("A tagger learns what each name in Python source is, from the library of your Python.", flush=True)
    code = train.run(
        argparse.Namespace(
            config="tagger",
            output=args.output,
            resume=False,
            overwrite=args.output == FOLDER,
            checkpoint_every=0,
            code=None,
        ),
        overrides,
    )
    if code:
        return code
    tagger = load_run(args.output)
    data = tagger.corpus.read()
    score = tagger.score(data.dev).values["accuracy"]
    print(
        f"\nOn {len(data.dev):,} pieces of source that it has not seen:\n"
        f"  each word's most frequent role  {100 * most_frequent_baseline(data):6.2f} %\n"
        f"  the tagger                      {100 * score:6.2f} %\n\n"
        f"  {'name':<10} {'role':<18} wrong ones are marked"
    )
    ((words, roles),) = tag_python(DEMO_SOURCE)
    (tags,) = tagger.predict([words])
    for word, role, tag in zip(words, roles, tags):
        if role is not None:
            print(f"  {word:<10} {tag:<18}" + ("" if tag == role else f" x it is: {role}"))
    print(f"\n{time.perf_counter() - start:.0f} s in all. Tag your own: thinc predict {args.output} FILE.py | head")
    return 0


COMMAND = Command(
    "demo",
    "train a tagger on this Python's own source and show what it learnt",
    _add_arguments,
    run,
    examples=("thinc demo", "thinc demo --output /tmp/demo --training.max_epochs=1"),
    overrides="any value of the config tagger",
)

__all__ = ["COMMAND", "run"]
