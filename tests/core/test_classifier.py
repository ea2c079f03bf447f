"""The classifier behaves as scikit-learn expects, names classes of any kind, and draws a class that is asked for."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from rbm_core import RBMClassifier
from rbm_core.datasets import load

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


@parametrize_with_checks([RBMClassifier(n_components=8, n_iter=8, learning_rate=1.0, discriminative=1.0)])
def test_scikit_learn_accepts_the_classifier(estimator, check) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    data = load("digits-8")
    return data.train, NAMES[data.train_labels], data.test, NAMES[data.test_labels]


@pytest.fixture(scope="module")
def fitted(digits: tuple[np.ndarray, ...]) -> RBMClassifier:
    return RBMClassifier(64, n_iter=20, random_state=0).fit(*digits[:2])


@pytest.mark.slow
def test_it_names_classes_that_are_words(fitted: RBMClassifier, digits: tuple[np.ndarray, ...]) -> None:
    X, y = digits[2:]
    assert fitted.score(X, y) > 0.8
    p = fitted.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-9)
    assert (fitted.classes_[p.argmax(1)] == fitted.predict(X)).all()
    assert (fitted.predict(sp.csr_array(X)) == fitted.predict(X)).all()


@pytest.mark.slow
def test_what_it_draws_of_a_class_it_names_so(fitted: RBMClassifier) -> None:
    for name in ("three", "seven"):
        drawn = fitted.sample(name, 40)
        assert drawn.shape == (40, 64)
        assert set(np.unique(drawn)) <= {0.0, 1.0}
        assert (fitted.predict(drawn) == name).mean() > 0.3  # chance is 0.1
    np.testing.assert_array_equal(fitted.sample("six", 3), fitted.sample("six", 3))
    assert fitted.sample("six", 2, means=True).max() < 1.0


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_classifier(digits: tuple[np.ndarray, ...]) -> None:
    X, y = digits[0][:200], digits[1][:200]
    one, other = (RBMClassifier(8, n_iter=2, random_state=3).fit(X, y) for _ in range(2))
    assert torch.equal(one.rbm_.W, other.rbm_.W)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"n_components": 0}, "n_components must be at least 1"),
        ({"discriminative": 2.0}, "discriminative must be at most 1"),
        ({"out_of_range": "wrap"}, "out_of_range must be"),
        ({"n_iter": -1}, "n_iter must be"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_their_names(changes: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RBMClassifier(**changes).fit(np.eye(4), [0, 1, 0, 1])


def test_classes_that_cannot_be_used_are_refused_in_a_sentence() -> None:
    X = np.tile(np.eye(300), (3, 1))
    with pytest.raises(ValueError, match="2 to 255 classes, got 1 class"):
        RBMClassifier(4).fit(X, np.zeros(900, int))
    with pytest.raises(ValueError, match="2 to 255 classes, got 300"):
        RBMClassifier(4).fit(X, np.arange(900) % 300)
    fitted = RBMClassifier(4, n_iter=1).fit(X, np.arange(900) % 2)
    with pytest.raises(ValueError, match="there is no class 'seven'; the classes are 0, 1"):
        fitted.sample("seven")
