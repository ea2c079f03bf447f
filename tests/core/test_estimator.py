"""The estimator behaves as scikit-learn expects and as the engine computes."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from rbm_core.datasets import load
from rbm_core.estimator import BernoulliRBM
from tests import oracles


def bars() -> np.ndarray:
    return np.repeat(load("bars-and-stripes-3").train, 20, axis=0)


def fitted(**changes: object) -> BernoulliRBM:
    settings = {"n_components": 8, "n_iter": 300, "batch_size": 40, "k": 5, "learning_rate": 0.2}
    settings |= {"random_state": 0, **changes}
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
    features = BernoulliRBM(n_components=64, n_iter=5, batch_size=100, random_state=0)
    pipeline = make_pipeline(features, LogisticRegression(max_iter=300))
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
        BernoulliRBM(out_of_range="raise").fit(bars() * 2 - 1)
    with pytest.raises(ValueError, match="out_of_range must be 'clip' or 'raise', got 'ignore'"):
        BernoulliRBM(out_of_range="ignore").fit(bars())
    with pytest.raises(ValueError, match="n_components must be at least 1, got 0"):
        BernoulliRBM(n_components=0).fit(bars())


def digits() -> np.ndarray:
    """8 × 8 grey digits (1797, 64) in [0, 1]."""
    return load_digits().data / 16


def test_a_second_fit_forgets_the_log_z_of_the_first() -> None:
    model = fitted(n_iter=20)
    model.score(bars())
    again = model.set_params(n_components=30).fit(bars())
    assert not hasattr(again, "log_z_")
    assert again.score(bars()) == pytest.approx(clone(again).fit(bars()).score(bars()), abs=1e-6)
    assert again.score_samples(bars()).max() < 0  # of 0/1 rows no log-probability is above 0


def test_a_partial_fit_forgets_the_log_z_too() -> None:
    model = fitted(n_iter=5)
    model.score(bars())
    assert not hasattr(model.partial_fit(bars()[:20]), "log_z_")


def test_gibbs_goes_on_with_new_random_numbers_so_that_a_loop_is_a_chain() -> None:
    model, v = fitted(n_iter=200), bars()[:50]
    states = []
    for _ in range(30):
        v = model.gibbs(v)
        states.append(v)
    changed = [bool((a != b).any()) for a, b in itertools.pairwise(states)]
    assert sum(changed) > 25  # frozen chains never change
    np.testing.assert_array_equal(model.gibbs(v, seed=3), model.gibbs(v, seed=3))


def test_chains_of_one_bit_recreate_the_two_rows_learned() -> None:
    X = np.repeat([[0.0] * 6, [1.0] * 6], 50, axis=0)
    model = BernoulliRBM(4, n_iter=400, batch_size=20, learning_rate=0.2, random_state=0).fit(X)
    v = model.gibbs(X, n_sweeps=50)
    assert np.isin(v.sum(1), [0, 6]).mean() > 0.9
    assert model.score(X) == pytest.approx(-np.log(2), abs=0.3)


def test_hidden_units_are_sampled_with_their_probabilities() -> None:
    """Through the public door: the mean of sampled visible units is E[v | h] averaged over sampled h."""
    model = fitted(n_iter=100)
    v = np.repeat(bars()[:1], 20000, axis=0)
    p = model.transform(v[:1])[0]
    h = np.array([[(code >> j) & 1 for j in range(8)] for code in range(256)], float)
    weight = np.prod(np.where(h == 1, p, 1 - p), axis=1)
    expected = weight @ model.inverse_transform(h)
    assert np.abs(model.gibbs(v, seed=1).mean(0) - expected).max() < 5 * 0.5 / np.sqrt(20000)


def test_a_fit_that_ends_worse_than_independent_features_says_so() -> None:
    X = (digits() > 0.5).astype(float)
    with pytest.warns(
        ConvergenceWarning, match=r"worse than independent features: about -\d+.*smaller learning_rate"
    ):
        BernoulliRBM(64, n_iter=2, batch_size=10, learning_rate=30.0, random_state=0).fit(X)


def test_a_good_fit_is_silent_and_its_score_agrees_with_the_evaluation_of_both_directions() -> None:
    X = (digits() > 0.5).astype(float)
    model = BernoulliRBM(64, random_state=0).fit(X)  # warnings are errors here
    p = (X.sum(0) + 0.5) / (len(X) + 1)
    alone = (X @ np.log(p) + (1 - X) @ np.log(1 - p)).mean()
    assert alone + 3 < model.score(X) < -10
    assert model.log_z_stderr_ < 0.5


def test_scores_that_the_two_directions_do_not_confirm_come_with_a_warning() -> None:
    model = BernoulliRBM(20, n_iter=1, batch_size=50, random_state=0).fit((digits() > 0.5).astype(float))
    # Two modes hundreds of nats apart, all pixels on or off, and chains that know the lighter one.
    model.components_ = np.zeros_like(model.components_)
    model.components_[:2] = 8.0
    model.intercept_hidden_[:2] = -100.0
    model.intercept_visible_ = np.full(64, -6.0)
    model.h_samples_[:] = 0
    with pytest.warns(
        ConvergenceWarning, match=r"do not trust the scores of this fit: .*(nats|carry the weight)"
    ):
        model.score((digits() > 0.5).astype(float))


def test_grey_values_are_scored_as_draws_of_themselves_and_a_warning_says_so() -> None:
    X = digits()
    model = BernoulliRBM(32, n_iter=5, batch_size=50, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="values between 0 and 1, which have no probability"):
        grey = model.score_samples(X)
    rng = np.random.default_rng(0)
    drawn = [model.score((rng.random(X.shape) < X).astype(float)) for _ in range(5)]
    assert grey.mean() == pytest.approx(np.mean(drawn), abs=0.3)
    assert grey.max() < 0
    with pytest.warns(UserWarning, match="values between"):
        np.testing.assert_allclose(model.score_samples(sp.csr_array(X[::-1])), grey[::-1], rtol=1e-9)


def test_divergence_advises_what_an_estimator_has(monkeypatch) -> None:
    monkeypatch.setattr("rbm_core.training.monitor._APART", -1e9)
    with pytest.raises(ValueError, match=r"training diverged: .*; try a smaller learning_rate") as caught:
        BernoulliRBM(4, n_iter=1, random_state=0).fit(bars())
    assert "snapshot" not in str(caught.value)


def test_unseen_data_beyond_a_scalers_range_are_clipped() -> None:
    scaler = MinMaxScaler().fit(digits()[:50])
    model = make_pipeline(scaler, BernoulliRBM(8, n_iter=2, random_state=0)).fit(digits()[:50])
    beyond = scaler.transform(digits()[50:])
    assert beyond.max() > 1
    expected = model[-1].transform(np.clip(beyond, 0, 1))
    np.testing.assert_array_equal(model.transform(digits()[50:]), expected)


def test_sparse_rows_learn_as_dense_ones_and_are_never_unpacked_as_a_whole(monkeypatch) -> None:
    X = sp.random_array((400, 3000), density=0.01, format="csr", rng=np.random.default_rng(0))
    X.data[:] = 1
    largest = 0

    def watched(self, *args, _own=sp.csr_array.toarray, **kwargs):
        nonlocal largest
        largest = max(largest, self.shape[0])
        return _own(self, *args, **kwargs)

    monkeypatch.setattr(sp.csr_array, "toarray", watched)
    wide = sp.vstack([X] * 5, format="csr")
    model = BernoulliRBM(16, n_iter=3, batch_size=50, random_state=0).fit(wide)
    assert largest <= 1000 < wide.shape[0]  # the monitored rows, and a batch at a time
    assert model.transform(wide).shape == (2000, 16)
    np.testing.assert_allclose(model.score_samples(X), model.score_samples(X.toarray()), rtol=1e-6)


def test_a_weight_of_two_is_two_rows_and_a_weight_of_nothing_none() -> None:
    X, weights = digits()[:300], np.random.default_rng(0).integers(0, 4, 300)
    settings = {"n_components": 16, "n_iter": 3, "random_state": 5}
    weighted = BernoulliRBM(**settings).fit(X, sample_weight=weights)
    shuffled = np.random.default_rng(1).permutation(np.repeat(np.arange(300), weights))
    repeated = BernoulliRBM(**settings).fit(X[shuffled])
    np.testing.assert_array_equal(weighted.components_, repeated.components_)


def test_fractional_weights_shift_what_is_learned() -> None:
    X = np.repeat([[0.0, 1.0], [1.0, 0.0]], 500, axis=0)
    weights = np.repeat([0.1, 0.9], 500)
    model = BernoulliRBM(2, n_iter=30, batch_size=50, random_state=0).fit(X, sample_weight=weights)
    assert model.gibbs(X, n_sweeps=100)[:, 0].mean() == pytest.approx(0.9, abs=0.06)
    for wrong, words in ((np.zeros(1000), "at least one non-zero"), (-weights, "Negative values")):
        with pytest.raises(ValueError, match=words):
            BernoulliRBM(2).fit(X, sample_weight=wrong)


def test_random_state_may_be_nothing_a_number_or_a_generator() -> None:
    def weights(state):
        return BernoulliRBM(4, n_iter=1, random_state=state).fit(bars()).components_

    assert (weights(None) != weights(None)).any()
    np.testing.assert_array_equal(weights(7), weights(7))
    shared = np.random.RandomState(7)
    assert (weights(shared) != weights(shared)).any()
    np.testing.assert_array_equal(weights(np.random.RandomState(3)), weights(np.random.RandomState(3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_number_formats_and_names_are_kept(dtype) -> None:
    model = BernoulliRBM(5, n_iter=1, random_state=0).fit(bars().astype(dtype))
    for array in (model.transform(bars().astype(dtype)), model.components_, model.intercept_visible_):
        assert array.dtype == dtype
    h = model.transform(bars().astype(dtype))
    back = model.inverse_transform(h)
    expected = 1 / (1 + np.exp(-(h @ model.components_ + model.intercept_visible_)))
    np.testing.assert_allclose(back, expected, rtol=1e-5)
    assert back.dtype == dtype
    table = model.set_output(transform="pandas").transform(bars().astype(dtype))
    assert list(table.columns) == [f"bernoullirbm{i}" for i in range(5)]


@pytest.mark.slow
def test_partial_fits_raise_the_score() -> None:
    X = (digits() > 0.5).astype(float)
    model = BernoulliRBM(32, learning_rate=0.1, random_state=0)
    scores = []
    for _ in range(6):
        for batch in np.array_split(X, 90):
            model.partial_fit(batch)
        scores.append(model.score(X))
    assert scores[-1] > scores[0] + 1
    assert scores[-1] > -26


def test_a_fitted_model_survives_pickling_and_goes_on() -> None:
    model = fitted(n_iter=5)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.transform(bars()), model.transform(bars()))
    np.testing.assert_array_equal(copy.partial_fit(bars()).components_, model.partial_fit(bars()).components_)


def test_no_pass_leaves_the_random_model_and_a_grid_search_finds_the_better_one() -> None:
    assert np.abs(fitted(n_iter=0).components_).max() < 0.1
    grid = GridSearchCV(BernoulliRBM(8, batch_size=20, k=5, random_state=0), {"n_iter": [1, 150]}, cv=2).fit(
        np.random.default_rng(0).permutation(bars())
    )
    assert grid.best_params_ == {"n_iter": 150}
