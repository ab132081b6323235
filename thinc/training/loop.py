"""The training loop: a function to read, copy and change, and what a long run needs around it.

    for epoch in ...:
        for X, Y in minibatches(...):
            Yh, backprop = model.begin_update(X)
            d_loss, loss = calculate_loss(Yh, Y)
            model.finish_update(optimizer)

Everything random in a run comes from its seed and the state that a checkpoint holds, so a run that was stopped and
resumed ends with the same weights as one that was not.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy

from ..api import Model, Optimizer, fix_random_seed, to_categorical
from ..loss import Loss
from .datasets import Data, Examples
from .errors import ConfigProblem, TrainingError
from .scores import LOWER_IS_BETTER, Scores, decode, default_score, score_answers


@dataclass
class Progress:
    """Where a run stands.

    epoch, step, steps: from 0; batches done in this epoch, and of a whole one.  items, seconds: trained on, and
    spent, in all.  loss: of this epoch, a sum.  score, scores: of the held-out part, at the end of an epoch.
    best_score, best_epoch: so far.  history: a dict for each epoch.

    >>> Progress(loss=3.0, step=4, items=100, seconds=2.0).speed
    50.0
    """

    epoch: int = 0  # counted from 0
    step: int = 0  # batches done in this epoch; 0: the epoch before it is complete
    steps: int = 0  # batches of an epoch
    items: int = 0  # words, texts or images trained on, in all
    seconds: float = 0.0  # spent training, over all sessions of the run
    loss: float = 0.0  # of this epoch so far: the sum over its steps
    score: Optional[float] = None  # the one that keeps the best, of the held-out examples; set at the end of an epoch
    scores: Optional[Scores] = None  # all of them, then
    best_score: Optional[float] = None
    best_epoch: int = -1
    history: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Items a second."""
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def improved(self) -> bool:
        """Whether the epoch that just ended has the best score; one of the same number, kept before, may be better."""
        return self.best_epoch == self.epoch and self.score in (self.best_score,)  # (NaN is itself)

    @property
    def mean_loss(self) -> float:
        """The loss of a step, the mean of this epoch so far."""
        return self.loss / self.step if self.step else 0.0


@dataclass
class Settings:
    """How long and in which portions to train: the block [training] of a config.

    loss: of guesses and answers.  batch_size: examples a step.  max_epochs: at most.  patience: epochs without a
    better score, 0 for ever.  seed: of all that is random.  score: which keeps the best; by default that of the kind
    of answers.

    >>> Settings(CategoricalCrossentropy(), batch_size=16).max_epochs
    10
    """

    loss: Loss
    batch_size: int = 32
    max_epochs: int = 10
    patience: int = 3  # epochs without a better score before the run ends; 0: never
    seed: int = 0
    score: str = ""  # which keeps the best model; empty: accuracy, span_f, micro_f or r2, by the kind of answers


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
    model: initialized.  optimizer: that updates it.  data: to learn from.  settings: how long.

    >>> X = numpy.random.normal(size=(200, 2)).astype("f")
    >>> points = Examples(X, (X.sum(1) > 0).astype("i"))
    >>> data = Data(points, points, ["below", "above"])
    >>> model, settings = chain(Relu(8), Softmax()), Settings(CategoricalCrossentropy(), max_epochs=5)
    >>> initialize(model, data)
    >>> for progress in train(model, Adam(0.05), data, settings):
    ...     pass
    >>> len(progress.history), progress.best_score > 0.9
    (5, True)
    """
    progress = progress or Progress()
    train_data, calculate_loss = data.train, settings.loss
    score_name = settings.score or default_score(data)
    while not is_finished(progress, settings):
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
            progress.scores = evaluate(model, data.dev, data, settings.batch_size)
            progress.score = progress.scores.values[score_name]
            optimizer.last_score = -progress.score if score_name in LOWER_IS_BETTER else progress.score
            if _is_better(progress.score, progress.best_score, score_name):
                progress.best_score, progress.best_epoch = (progress.score, progress.epoch)
            progress.history.append({**_history_entry(progress), **(group.metrics() if group is not None else {})})
            yield progress
        progress.epoch += 1
        progress.step, progress.loss, progress.score, progress.scores = 0, 0.0, None, None
        yield progress


def backward(model: Model, examples: Examples, calculate_loss: Loss, indices: numpy.ndarray) -> float:
    """Add the gradients of some of the examples to those of the model, if their loss, which is returned, is finite.

    calculate_loss: (guesses, answers) -> (gradient, loss).  indices: which examples.

    >>> examples = Examples(numpy.eye(4, dtype="f"), numpy.array([0, 1, 0, 1]))
    >>> model = Softmax(2, 4).initialize()
    >>> backward(model, examples, CategoricalCrossentropy(), numpy.arange(4))
    0.125
    """
    X, Y = select(examples, indices)
    Yh, backprop = model.begin_update(X)
    d_loss, loss = calculate_loss(Yh, Y)
    loss = float(loss)
    if numpy.isfinite(loss):
        backprop(d_loss)
    return loss


def is_finished(progress: Progress, settings: Settings) -> bool:
    """Whether all epochs are done, or the score has not become better for `patience` epochs.

    progress: where the run stands.  settings: its limits.

    >>> is_finished(Progress(epoch=10), Settings(CategoricalCrossentropy(), max_epochs=10))
    True
    """
    waited = progress.epoch - 1 - progress.best_epoch
    patient = not settings.patience or progress.best_epoch < 0 or waited < settings.patience
    return progress.epoch >= settings.max_epochs or not patient


def _is_better(score: float, best: Optional[float], name: str) -> bool:
    return best is None or (score < best if name in LOWER_IS_BETTER else score > best)


def _history_entry(progress: Progress) -> Dict[str, Any]:
    assert progress.scores is not None
    return {
        "epoch": progress.epoch + 1,
        "loss": progress.mean_loss,
        "score": progress.score,
        **progress.scores.values,
        "items_per_second": round(progress.speed, 1),
        "seconds": round(progress.seconds, 3),
    }


def initialize(model: Model, data: Data, seed: int = 0) -> None:
    """Give the model its parameters, their sizes taken from the first examples and the number of labels.

    data: the corpus.  seed: of the weights.

    >>> pets = Examples(numpy.eye(4, dtype="f"), numpy.array([0, 1, 0, 0]))
    >>> model = chain(Relu(8), Softmax())
    >>> initialize(model, Data(pets, pets, ["cat", "dog"]))
    >>> model
    <Model 'relu>>softmax': nO=2, nI=4, 58 parameters>
    """
    fix_random_seed(seed)
    width = model.maybe_get_dim("nO")
    if width not in (None, data.width):
        raise ConfigProblem(f"[model] gives nO={width} numbers, the corpus asks for {data.width}: leave nO unset")
    X, Y = select(data.train, numpy.arange(min(len(data.train), 32)))
    sample: Any = Y
    if data.kind == "sequence":
        sample = [to_categorical(numpy.maximum(y, 0), data.width) for y in Y]
    elif data.kind == "class":
        sample = to_categorical(numpy.maximum(Y, 0), data.width)
    model.initialize(X=X, Y=sample)


def shuffled_batches(n: int, settings: Settings, epoch: int) -> List[numpy.ndarray]:
    """The numbers of the examples in each batch. The order depends on seed and epoch alone.

    n: how many examples.  settings: batch size and seed.  epoch: from 0.

    >>> [len(batch) for batch in shuffled_batches(10, Settings(CategoricalCrossentropy(), batch_size=4), epoch=0)]
    [4, 4, 2]
    """
    order = numpy.random.RandomState([settings.seed, epoch]).permutation(n)
    return [order[i : i + settings.batch_size] for i in range(0, n, settings.batch_size)]


def select(examples: Examples, indices: numpy.ndarray) -> Tuple[Any, Any]:
    """Some of the examples: arrays stay arrays, lists stay lists.

    indices: which.

    >>> select(Examples(["meow", "woof", "purr"], numpy.array([0, 1, 0])), numpy.array([2, 0]))
    (['purr', 'meow'], array([0, 0]))
    """

    def pick(values: Any) -> Any:
        if isinstance(values, numpy.ndarray):
            return values[indices]
        return [values[i] for i in indices]

    return pick(examples.X), pick(examples.Y)


def count_items(Y: Any, data: Data) -> int:
    """Words if the answers label the items of sequences, else examples.

    Y: the answers.  data: says of which kind they are.

    >>> pets = Examples(["meow", "woof"], numpy.array([0, 1]))
    >>> count_items(pets.Y, Data(pets, pets, ["cat", "dog"]))
    2
    """
    return sum(len(y) for y in Y) if data.sequences else len(Y)


def evaluate(model: Model, examples: Examples, data: Data, batch_size: int = 128) -> Scores:
    """Score a model on examples, whose answers are of the kind and have the labels of `data`.

    batch_size: of the predictions.

    >>> pets = Examples(numpy.eye(4, dtype="f"), numpy.array([0, 1, 0, 0]))
    >>> evaluate(Softmax(2, 4).initialize(), pets, Data(pets, pets, ["cat", "dog"])).values["accuracy"]
    0.75
    """
    guesses: List[Any] = []
    for i in range(0, len(examples), batch_size):
        X, _ = select(examples, numpy.arange(i, min(i + batch_size, len(examples))))
        guesses.extend(predict_answers(model, X, data.kind))
    scores = score_answers(guesses, examples.Y, data.labels, data.kind)
    if not scores.count:
        raise TrainingError("There is nothing to score: the held-out part has no labelled examples")
    return scores


def predict_answers(model: Model, X: Any, kind: str) -> Any:
    """The model's answers, one for each input: see `decode`.

    X: a batch.  kind: of the answers.

    >>> predict_answers(Softmax(2, 3).initialize(), numpy.eye(3, dtype="f"), "class")
    array([0, 0, 0])
    """
    scores: Any = model.predict(X)
    to_numpy = model.ops.to_numpy
    arrays = [to_numpy(item) for item in scores] if isinstance(scores, list) else to_numpy(scores)
    return decode(arrays, kind)


__all__ = [
    "Progress",
    "Settings",
    "backward",
    "count_items",
    "evaluate",
    "initialize",
    "is_finished",
    "predict_answers",
    "select",
    "shuffled_batches",
    "train",
]
