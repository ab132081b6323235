"""The training loop: a function to read, copy and change, and what a long run needs around it.

    for epoch in ...:
        for X, Y in minibatches(...):
            Yh, backprop = model.begin_update(X)
            d_loss, loss = calculate_loss(Yh, Y)
            backprop(d_loss)
            model.finish_update(optimizer)

Everything random in a run comes from its seed and the state that a checkpoint holds, so a run that was stopped and
resumed ends with the same weights as one that was not.
"""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy
import srsly

from ..api import Model, Optimizer, fix_random_seed, to_categorical
from ..loss import Loss
from ..util import write_atomically
from .datasets import MISSING, Data, Examples


class TrainingError(RuntimeError):
    """A run that cannot go on. What was saved before it stays valid."""


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0  # counted from 0
    step: int = 0  # batches done in this epoch; 0: the epoch before it is complete
    steps: int = 0  # batches of an epoch
    items: int = 0  # words, texts or images trained on, in all
    seconds: float = 0.0  # spent training, over all sessions of the run
    loss: float = 0.0  # of this epoch so far
    score: Optional[float] = None  # accuracy on the held-out examples; set at the end of an epoch
    best_score: float = -1.0
    best_epoch: int = -1
    history: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Items a second."""
        return self.items / self.seconds if self.seconds else 0.0


@dataclass
class Settings:
    """How long and in which portions to train: the block [training] of a config."""

    loss: Loss
    batch_size: int = 32
    max_epochs: int = 10
    patience: int = 3  # epochs without a better score before the run ends; 0: never
    seed: int = 0


def train(
    model: Model,
    optimizer: Optimizer,
    data: Data,
    settings: Settings,
    progress: Optional[Progress] = None,
    group: Optional[Any] = None,
) -> Iterator[Progress]:
    """Train an initialized model, yielding the progress for the caller to show, save or stop by.

    It yields after each step; then, once an epoch, with a score and with the averaged weights in the model, which is
    the time to keep the best; then with step 0 and the plain weights, the time for a checkpoint. Pass the progress of
    a loaded checkpoint to go on from there. Raises TrainingError if the loss is no longer a finite number.

    group: of several workers, which all run this loop, the `Sync` or `Sharded` of thinc.distributed.
    """
    progress = progress or Progress()
    train_data, calculate_loss = data.train, settings.loss
    while progress.epoch < settings.max_epochs and not _out_of_patience(progress, settings):
        batches = shuffled_batches(len(train_data), settings, progress.epoch)
        progress.steps = len(batches)
        for indices in batches[progress.step :]:
            start = time.perf_counter()
            if group is None:
                loss = backward(model, train_data, calculate_loss, indices)
            else:
                loss = group.backward(model, optimizer, train_data, calculate_loss, indices, progress)
            if not numpy.isfinite(loss):
                raise TrainingError(
                    f"The loss became {loss} in epoch {progress.epoch + 1}, step {progress.step + 1}. "
                    "Lower the learning rate, or clip the gradient harder"
                )
            model.finish_update(optimizer)
            optimizer.step_schedules()
            progress.seconds += time.perf_counter() - start
            progress.items += count_items(select(train_data, indices)[1], data)
            progress.loss += loss
            progress.step += 1
            yield progress
        if group is not None:
            group.settle(optimizer, progress)
        with model.use_params(optimizer.averages or {}):
            progress.score = evaluate(model, data.dev, settings.batch_size)
            optimizer.last_score = progress.score
            if progress.score > progress.best_score:
                progress.best_score, progress.best_epoch = (progress.score, progress.epoch)
            progress.history.append(
                {
                    "epoch": progress.epoch + 1,
                    "loss": progress.loss,
                    "score": progress.score,
                    "items_per_second": round(progress.speed, 1),
                    "seconds": round(progress.seconds, 3),
                    **(group.metrics() if group is not None else {}),
                }
            )
            yield progress
        progress.epoch += 1
        progress.step, progress.loss, progress.score = 0, 0.0, None
        yield progress


def backward(model: Model, examples: Examples, calculate_loss: Loss, indices: numpy.ndarray) -> float:
    """Add the gradients of some of the examples to those of the model, if their loss, which is returned, is finite."""
    X, Y = select(examples, indices)
    Yh, backprop = model.begin_update(X)
    d_loss, loss = calculate_loss(Yh, Y)
    loss = float(loss)
    if numpy.isfinite(loss):
        backprop(d_loss)
    return loss


def _out_of_patience(progress: Progress, settings: Settings) -> bool:
    waited = progress.epoch - 1 - progress.best_epoch
    return bool(settings.patience) and progress.best_epoch >= 0 and waited >= settings.patience


def initialize(model: Model, data: Data, seed: int = 0) -> None:
    """Give the model its parameters, their sizes taken from the first examples and the number of labels."""
    fix_random_seed(seed)
    X, Y = select(data.train, numpy.arange(min(len(data.train), 32)))
    n_classes = len(data.labels)
    if data.sequences:
        sample: Any = [to_categorical(numpy.maximum(y, 0), n_classes) for y in Y]
    else:
        sample = to_categorical(numpy.maximum(Y, 0), n_classes)
    model.initialize(X=X, Y=sample)


def shuffled_batches(n: int, settings: Settings, epoch: int) -> List[numpy.ndarray]:
    """The numbers of the examples in each batch. The order depends on seed and epoch alone."""
    order = numpy.random.RandomState([settings.seed, epoch]).permutation(n)
    return [order[i : i + settings.batch_size] for i in range(0, n, settings.batch_size)]


def select(examples: Examples, indices: numpy.ndarray) -> Tuple[Any, Any]:
    """Some of the examples: arrays stay arrays, lists stay lists."""

    def pick(values: Any) -> Any:
        if isinstance(values, numpy.ndarray):
            return values[indices]
        return [values[i] for i in indices]

    return pick(examples.X), pick(examples.Y)


def count_items(Y: Any, data: Data) -> int:
    """Words if the answers label the items of sequences, else examples."""
    return sum(len(y) for y in Y) if data.sequences else len(Y)


def evaluate(model: Model, examples: Examples, batch_size: int = 128) -> float:
    """The share of right answers among the known ones."""
    right = known = 0
    for i in range(0, len(examples), batch_size):
        X, Y = select(examples, numpy.arange(i, min(i + batch_size, len(examples))))
        gold = numpy.concatenate(Y) if isinstance(Y, list) else Y
        guess = predict_classes(model, X)
        flat = numpy.concatenate(guess) if isinstance(guess, list) else guess
        right += int(((flat == gold) & (gold != MISSING)).sum())
        known += int((gold != MISSING).sum())
    if not known:
        raise TrainingError("There is nothing to score: the held-out part has no labelled examples")
    return right / known


def predict_classes(model: Model, X: Any) -> Any:
    """The number of the highest score: an array, or an array for each sequence."""
    scores = model.predict(X)
    to_numpy = model.ops.to_numpy
    if isinstance(scores, list):
        return [to_numpy(item).argmax(axis=-1) for item in scores]
    return to_numpy(scores).argmax(axis=-1)


# Checkpoints


def save_checkpoint(path: Path, model: Model, optimizer: Optimizer, progress: Progress) -> None:
    """All that a run needs to go on, in one file that is replaced as a whole or not at all."""
    random_state: Any = numpy.random.get_state()
    message = {
        "model": model.to_bytes(),
        "keys": [[node.id, *(shim.id for shim in node.shims)] for node in model.walk()],
        "optimizer": optimizer.to_bytes(),
        "progress": {name: getattr(progress, name) for name in progress.__dataclass_fields__},
        "numpy_random": [random_state[0], random_state[1].tolist(), *random_state[2:]],
        "python_random": _to_lists(random.getstate()),
    }
    write_atomically(path, srsly.msgpack_dumps(message))


def load_checkpoint(path: Path, model: Model, optimizer: Optimizer) -> Progress:
    """Set model, optimizer and the random states back to a checkpoint; returns its progress.

    Raises TrainingError if the file is not a checkpoint, or not one of this model.
    """
    try:
        message = srsly.msgpack_loads(path.read_bytes())
        model.from_bytes(message["model"])
        # Ids are counted anew in each process, so the optimizer's keys are matched by place in the tree.
        new_ids = [[node.id, *(shim.id for shim in node.shims)] for node in model.walk()]
        ids = {old: new for olds, news in zip(message["keys"], new_ids) for old, new in zip(olds, news)}
        optimizer.from_bytes(message["optimizer"], rename=lambda key: (ids[key[0]], key[1]))
    except (ValueError, KeyError, TypeError) as e:
        raise TrainingError(f"{path} is not a checkpoint of this model and optimizer: {e}") from e
    name, keys, *rest = message["numpy_random"]
    numpy.random.set_state((name, numpy.array(keys, dtype="uint32"), *rest))
    random.setstate(_to_tuples(message["python_random"]))
    return Progress(**message["progress"])


def _to_lists(value: Any) -> Any:
    return [_to_lists(item) for item in value] if isinstance(value, tuple) else value


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value


def most_frequent_baseline(data: Data) -> float:
    """The accuracy of giving each word the tag it most often has in the training part; the commonest tag if unseen.

    What a tagger has to beat.
    """
    counts: Dict[str, Dict[int, int]] = {}
    totals: Dict[int, int] = {}
    for words, tags in zip(data.train.X, data.train.Y):
        for word, tag in zip(words, tags.tolist()):
            if tag != MISSING:
                by_tag = counts.setdefault(word, {})
                by_tag[tag] = by_tag.get(tag, 0) + 1
                totals[tag] = totals.get(tag, 0) + 1
    common = max(totals, key=lambda tag: totals[tag])
    best = {word: max(by_tag, key=lambda tag: by_tag[tag]) for word, by_tag in counts.items()}
    pairs = [
        (best.get(word, common), tag)
        for words, tags in zip(data.dev.X, data.dev.Y)
        for word, tag in zip(words, tags.tolist())
        if tag != MISSING
    ]
    return sum(guess == tag for guess, tag in pairs) / max(len(pairs), 1)


__all__ = [
    "Progress",
    "Settings",
    "TrainingError",
    "evaluate",
    "initialize",
    "load_checkpoint",
    "most_frequent_baseline",
    "predict_classes",
    "save_checkpoint",
    "select",
    "shuffled_batches",
    "train",
    "write_atomically",
]
