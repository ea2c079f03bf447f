"""The estimator behaves as scikit-learn expects and as the engine computes."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from rbm_core.datasets import load
from rbm_core.estimator import BernoulliRBM
from tests import oracles


def bars() -> np.ndarray:
    return np.repeat(load("bars-and-stripes-3").train, 20, axis=0)


def fitted(**changes: object) -> BernoulliRBM:
    settings = {"n_components": 8, "n_iter": 300, "batch_size": 40, "k": 5, "learning_rate": 0.2, **changes}
    return BernoulliRBM(**settings).fit(bars())


@pytest.mark.slow
@pytest.mark.parametrize(
    "n_components", [8, 9]
)  # nine pixels: a hidden layer that is smaller, and one as large
def test_learning_raises_the_score_and_the_score_is_the_log_likelihood(n_components: int) -> None:
    model = fitted(n_components=n_components)
    untrained = fitted(n_components=n_components, n_iter=1, learning_rate=1e-6)
    v = torch.tensor(np.array(oracles.states(9)), dtype=torch.float64)
    exact_z = float(torch.logsumexp(-model.rbm_.to(dtype=torch.float64).free_energy(v), 0))
    exact = float(-model.free_energy(bars()).mean()) - exact_z
    assert model.score(bars()) == pytest.approx(exact, abs=0.1)  # AIS on nine pixels is good to a hundredth
    assert model.score(bars()) > untrained.score(bars()) + 1


@pytest.mark.slow
def test_transform_gives_the_hidden_probabilities_and_fits_into_a_pipeline() -> None:
    model = fitted(n_iter=20)
    X = bars()
    expected = 1 / (1 + np.exp(-(X @ model.components_.T + model.intercept_hidden_)))
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-5)
    digits = load("mnist-5k")
    pipeline = make_pipeline(BernoulliRBM(n_components=64, n_iter=5), LogisticRegression(max_iter=300))
    pipeline.fit(digits.train[:2000], digits.train_labels[:2000])
    assert pipeline.score(digits.test, digits.test_labels) > 0.75  # chance is 0.1


def test_the_same_random_state_gives_the_same_model_and_clones_copy_settings() -> None:
    a, b = fitted(n_iter=5), clone(fitted(n_iter=5)).fit(bars())
    np.testing.assert_array_equal(a.components_, b.components_)
    assert clone(a).get_params() == a.get_params()


def test_chains_start_at_the_rows_and_stay_binary() -> None:
    states = fitted(n_iter=50).gibbs(bars()[:10], n_sweeps=3, seed=1)
    assert states.shape == (10, 9)
    assert set(np.unique(states)) <= {0.0, 1.0}


def test_values_outside_the_unit_interval_are_refused_with_their_range() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got -1 … 1"):
        BernoulliRBM().fit(bars() * 2 - 1)
    with pytest.raises(ValueError, match="n_components must be at least 1, got 0"):
        BernoulliRBM(n_components=0).fit(bars())
