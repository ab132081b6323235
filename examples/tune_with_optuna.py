"""Search for width, depth, dropout and learning rate with Optuna; trials that fall behind end early.

    pip install "thinc[optuna]"
    python tune_with_optuna.py [TRIALS]

The data are the 1,797 digits that come with scikit-learn.
"""

import sys
from typing import Tuple

import numpy
import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from thinc.api import Adam, CategoricalCrossentropy, Model, Relu, Softmax, chain, clone, fix_random_seed
from thinc.types import Floats2d, Ints1d

EPOCHS = 6
Examples = Tuple[Floats2d, Ints1d]


def read_digits() -> Tuple[Examples, Examples]:
    X, y = load_digits(return_X_y=True)
    train_X, dev_X, train_y, dev_y = train_test_split((X / 16).astype("float32"), y, random_state=0, stratify=y)
    return (train_X, train_y), (dev_X, dev_y)


def build(trial: optuna.Trial) -> Model[Floats2d, Floats2d]:
    width = trial.suggest_int("width", 8, 128, log=True)
    depth = trial.suggest_int("depth", 1, 3)
    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    return chain(Relu(width), clone(Relu(width, dropout=dropout), depth), Softmax(10))


def objective(trial: optuna.Trial, train: Examples, dev: Examples) -> float:
    fix_random_seed(0)
    (X, y), (dev_X, dev_y) = train, dev
    model = build(trial).initialize(X[:8])
    optimizer = Adam(trial.suggest_float("learn_rate", 1e-4, 3e-2, log=True))
    loss, accuracy = CategoricalCrossentropy(), 0.0
    for epoch in range(EPOCHS):
        for indices in model.ops.minibatch(32, numpy.random.permutation(len(X))):
            guesses, backprop = model.begin_update(X[indices])
            backprop(loss.get_grad(guesses, y[indices]))
            model.finish_update(optimizer)
        accuracy = float((model.predict(dev_X).argmax(axis=1) == dev_y).mean())
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return accuracy


def main(n_trials: int = 12) -> float:
    train, dev = read_digits()
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=optuna.pruners.MedianPruner())
    study.optimize(lambda trial: objective(trial, train, dev), n_trials=n_trials)
    print(f"{study.best_value:.1%} right with {study.best_params}")
    return float(study.best_value)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
