"""Draws the pictures of the README, a model and a run: `python docs/pictures.py`.

Needs matplotlib, scikit-learn and Graphviz.
"""

import subprocess
from pathlib import Path

import matplotlib
import numpy

from thinc.api import Adam, CategoricalCrossentropy, Maxout, Softmax, chain, concatenate, fix_random_seed, registry
from thinc.inspection import plot_history, to_dot
from thinc.training import Settings, initialize, train

FOLDER = Path(__file__).parent / "pictures"
matplotlib.rcParams.update({"svg.hashsalt": "thinc", "font.size": 9})  # the same file each time


def run(model, rate=0.003, epochs=12):
    data = registry.datasets.get("digits.v1")().read()
    initialize(model, data)
    settings = Settings(CategoricalCrossentropy(), max_epochs=epochs, patience=0)
    *_, progress = train(model, Adam(rate), data, settings)
    return progress.history


def main():
    FOLDER.mkdir(exist_ok=True)
    fix_random_seed(0)
    model = chain(concatenate(Maxout(64, normalize=True), Maxout(32)), Maxout(64), Softmax(10))
    X = numpy.zeros((32, 64), dtype="f")
    dot = to_dot(model.initialize(X), X).replace("rankdir=TB;", "rankdir=LR; bgcolor=white;")
    svg = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, check=True).stdout
    (FOLDER / "model.svg").write_text(svg[svg.index("<svg") :], encoding="utf8")
    figure = plot_history({"linear": run(Softmax()), "two layers": run(chain(Maxout(64, dropout=0.2), Softmax()))})
    figure.set_size_inches(7, 2.6)
    figure.savefig(FOLDER / "run.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
