"""`thinc.sklearn` is an estimator as scikit-learn checks it, learns, and can be searched, cloned and pickled."""

import pickle

import numpy
import pytest

pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from thinc.api import Maxout, RAdam, Softmax, chain
from thinc.sklearn import ThincClassifier, ThincRegressor


@pytest.mark.parametrize(
    "estimator, check",
    [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
        for make in (ThincClassifier, ThincRegressor)
        for estimator, check in estimator_checks_generator(make(max_epochs=30))
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, random_state=0)


def test_digits(digits):
    X, dev_X, y, dev_y = digits
    state = numpy.random.get_state()[1].tolist()
    model = ThincClassifier(max_epochs=5, random_state=0).fit(X, y)
    assert numpy.random.get_state()[1].tolist() == state, "the global state is left as it was"
    assert model.score(dev_X, dev_y) >= 0.93
    assert len(model.loss_curve_) == 5 and model.loss_curve_[-1] < model.loss_curve_[0]
    proba = model.predict_proba(dev_X)
    numpy.testing.assert_allclose(proba.sum(axis=1), 1)
    again = clone(model).fit(X, y)
    numpy.testing.assert_array_equal(again.predict_proba(dev_X), proba)
    numpy.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(dev_X), proba)


def test_own_models_and_optimizers(digits):
    X, dev_X, y, dev_y = digits
    model = chain(Maxout(32, nP=2, dropout=0.1), Softmax())
    one = ThincClassifier(model, max_epochs=4, random_state=0, optimizer=lambda: RAdam(0.01)).fit(X, y)
    assert one.score(dev_X, dev_y) > 0.9
    assert not any(node.has_param(name) for node in model.walk() for name in node.param_names), (
        "the model that was given is not trained itself"
    )
    two = ThincClassifier(lambda: chain(Maxout(32, nP=2), Softmax()), max_epochs=4).fit(X, y)
    assert two.score(dev_X, dev_y) > 0.9


def test_searches_and_pipelines(digits):
    X, _, y, _ = digits
    X, y = X[:400], y[:400]
    pipeline = make_pipeline(StandardScaler(), ThincClassifier(max_epochs=5, random_state=0))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.8
    search = GridSearchCV(pipeline, {"thincclassifier__hidden": [(2,), (48,)]}, cv=2).fit(X, y)
    assert search.best_params_ == {"thincclassifier__hidden": (48,)}


def test_regression():
    X, y = load_diabetes(return_X_y=True)
    X, dev_X, y, dev_y = train_test_split(X * 20, y, random_state=0)
    assert ThincRegressor(max_epochs=10, random_state=0).fit(X, y).score(dev_X, dev_y) > 0.3
    both = ThincRegressor(max_epochs=3).fit(X, numpy.stack([y, -y], axis=1))
    assert both.predict(dev_X).shape == (len(dev_X), 2)


def test_mistakes():
    with pytest.raises(ValueError, match="max_epochs and batch_size of at least 1, got 0 and 32"):
        ThincClassifier(max_epochs=0).fit([[0.0], [1.0]], [0, 1])
