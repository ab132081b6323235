"""Models as scikit-learn estimators: `ThincClassifier` and `ThincRegressor` (`pip install "thinc[sklearn]"`).

They fit into pipelines, cross-validation and searches over settings; `estimator.model_` is the trained `Model`.
"""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union

import numpy

from .api import (
    Adam,
    CategoricalCrossentropy,
    L2Distance,
    Linear,
    Model,
    Optimizer,
    Relu,
    Softmax,
    chain,
    to_categorical,
)
from .loss import Loss

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as e:
    raise ImportError('thinc.sklearn needs scikit-learn 1.6 or later: pip install "thinc[sklearn]"') from e


class _ThincEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no annotations
    """What both estimators have: settings, the loop, and how a batch becomes float32."""

    def __init__(
        self,
        model: Optional[Union[Model, Callable[[], Model]]] = None,
        *,
        hidden: Sequence[int] = (64,),
        optimizer: Optional[Callable[[], Optimizer]] = None,
        learn_rate: float = 0.005,
        max_epochs: int = 20,
        batch_size: int = 32,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.optimizer = optimizer
        self.learn_rate = learn_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def _build(self, last: Callable[[], Model]) -> Model:
        if self.model is None:
            return chain(*(Relu(width) for width in self.hidden), last())
        return self.model.copy() if isinstance(self.model, Model) else self.model()

    def _train(self, model: Model, X: Any, Y: Any, targets: Any, calculate_loss: Loss) -> None:
        """Y is what `initialize` takes the width from, targets what the loss compares with."""
        if self.max_epochs < 1 or self.batch_size < 1:
            raise ValueError(
                f"{type(self).__name__}: expected max_epochs and batch_size of at least 1, got {self.max_epochs} and "
                f"{self.batch_size}"
            )
        optimizer = Adam(self.learn_rate) if self.optimizer is None else self.optimizer()
        self.loss_curve_: List[float] = []
        with _seeded(check_random_state(self.random_state)):
            model.initialize(X, Y)
            for _ in range(self.max_epochs):
                total = 0.0
                order = numpy.random.permutation(len(X))
                for start in range(0, len(X), self.batch_size):
                    rows = order[start : start + self.batch_size]
                    Yh, backprop = model.begin_update(X[rows])
                    dYh, loss = calculate_loss(Yh, targets[rows])
                    backprop(dYh)
                    model.finish_update(optimizer)
                    optimizer.step_schedules()
                    total += float(loss)
                self.loss_curve_.append(total / len(X))
        self.model_ = model
        self.n_iter_ = self.max_epochs

    def _predict(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype="float32", order="C")
        return self.model_.ops.to_numpy(self.model_.predict(X))


class ThincClassifier(ClassifierMixin, _ThincEstimator):
    """A classifier of rows of numbers.

    model: a `Model` that is not initialized (it is copied), a function that makes one, or None for `Relu` layers of the
        widths in `hidden` and a `Softmax`. Its output must be a probability for each class.
    optimizer: a function that makes one; None for Adam at `learn_rate`.
    random_state: an int gives the same model each time; NumPy's global state is left as it was.

    After `fit`: classes_, model_, loss_curve_ (the mean loss of each epoch), n_features_in_, n_iter_.

    hidden, learn_rate: for the defaults.  max_epochs, batch_size: of the training.

    >>> X = numpy.random.RandomState(0).normal(size=(200, 2))
    >>> y = numpy.where(X[:, 0] > 0, "right", "left")
    >>> classifier = ThincClassifier(max_epochs=10, random_state=0).fit(X, y)
    >>> classifier.predict([[2.0, 0.0], [-2.0, 0.0]])
    array(['right', 'left'], dtype='<U5')
    """

    def fit(self, X: Any, y: Any) -> "ThincClassifier":
        """Train on rows X and their classes y, of any type."""
        X, y = validate_data(self, X, y, dtype="float32", order="C")
        check_classification_targets(y)
        self.classes_, places = numpy.unique(y, return_inverse=True)
        numbers: Any = places.astype("int32")
        Y = to_categorical(numbers, max(len(self.classes_), 2))
        self._train(self._build(Softmax), X, Y, numbers, CategoricalCrossentropy())
        return self

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class in `classes_`, (N, classes) float64; each row sums to 1."""
        scores = self._predict(X).astype("float64")[:, : len(self.classes_)]
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Any:
        """The most probable class of each row."""
        scores = self._predict(X)[:, : len(self.classes_)]
        return self.classes_[scores.argmax(axis=1)]


class ThincRegressor(RegressorMixin, _ThincEstimator):
    """A regression of rows of numbers, to one number or several.

    As `ThincClassifier`, with a `Linear` layer at the end and the squared distance for a loss. The targets are brought
    to mean 0 and variance 1 for training, and predictions back.

    model, hidden, optimizer, learn_rate, max_epochs, batch_size, random_state: as there.

    >>> X = numpy.random.RandomState(0).normal(size=(200, 2))
    >>> regressor = ThincRegressor(max_epochs=20, random_state=0).fit(X, X[:, 0] - X[:, 1])
    >>> regressor.score(X, X[:, 0] - X[:, 1]) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> "ThincRegressor":
        """Train on rows X and their numbers y, (N,) or (N, targets)."""
        X, y = validate_data(self, X, y, dtype="float32", order="C", multi_output=True, y_numeric=True)
        y = numpy.asarray(y, dtype="float64")
        self._one_target = y.ndim == 1
        Y = y.reshape((len(y), -1))
        self._mean, deviation = Y.mean(axis=0), Y.std(axis=0)
        self._scale = numpy.where(deviation > 0, deviation, 1.0)
        targets = ((Y - self._mean) / self._scale).astype("float32")
        self._train(self._build(Linear), X, targets, targets, L2Distance(normalize=True))
        return self

    def predict(self, X: Any) -> Any:
        """The number of each row, or (N, targets)."""
        guesses = self._predict(X) * self._scale + self._mean
        return guesses[:, 0] if self._one_target else guesses

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@contextmanager
def _seeded(random_state: Any) -> Iterator[None]:
    """NumPy's global random state, from which initializers and dropout draw, seeded for a block."""
    before = numpy.random.get_state()
    numpy.random.seed(random_state.randint(2**31 - 1))
    try:
        yield
    finally:
        numpy.random.set_state(before)


__all__ = ["ThincClassifier", "ThincRegressor"]
