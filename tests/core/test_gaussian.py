"""Gaussian visible units learn, resume bit for bit, and are judged from both sides; fixed and learned variances."""

from typing import Any

import numpy as np
import pytest
import torch

from rbm_core.config import make_config
from rbm_core.datasets import Dataset
from rbm_core.likelihood import ais, exact_log_z, reverse_ais
from rbm_core.training import Training

KINDS: dict[str, dict[str, Any]] = {
    "fixed": {"learning_rate": 0.02},
    "learned": {"learning_rate": 0.02, "learn_variance": True},
    "learned, averaged, with momentum": {
        "learning_rate": 0.01,
        "learn_variance": True,
        "averaging": 0.5,
        "momentum": 0.5,
    },
    "learned, by CD": {"learning_rate": 0.02, "learn_variance": True, "algorithm": "cd", "k": 2},
}


def data() -> Dataset:
    """Two blobs in six grey pixels, the first three of which tell them apart; the last hardly varies."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, (600, 1))
    grey = 0.5 + 0.2 * (2 * kind - 1) * np.array([1, 1, -1, 0, 0, 0]) + rng.normal(0, 0.08, (600, 6))
    grey[:, 5] = 0.1
    grey = grey.clip(0, 1).astype(np.float32)
    return Dataset("blobs", grey[:500], None, grey[500:], None, grey[500:], None, (2, 3), "")


def training(**fields: Any) -> Training:
    base = {
        "dataset": "blobs",
        "visible": "gaussian",
        "n_hidden": 5,
        "epochs": 60,
        "batch_size": 20,
        "device": "cpu",
    }
    return Training(make_config(**{**base, **fields}), data())


def likelihood(learned: Training) -> float:
    """Mean log p(v) of the validation cases, exactly: five hidden units are enumerated."""
    rbm = learned.rbm.to(dtype=torch.float64)
    return float(-rbm.free_energy(learned.monitor.valid).mean()) - exact_log_z(rbm)


def learn(run: Training, steps: int | None = None) -> Training:
    for _ in range(run.n_steps - run.step if steps is None else steps):
        run.update()
    return run


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_learning_raises_the_exact_likelihood_of_unseen_cases(kind: str) -> None:
    run = training(**KINDS[kind])
    before = likelihood(run)
    assert (
        likelihood(learn(run)) > before + 0.3
    )  # the blobs are worth about log 2 and more, once the model separates them
    assert run.diverged() is None


@pytest.mark.slow
def test_learned_variances_fall_below_one_where_pixels_are_sure() -> None:
    log_var = learn(training(**KINDS["learned"])).rbm.log_var
    assert log_var is not None
    assert float(log_var[:3].max()) < float(log_var[3:5].min()), "the hidden units explain the first three"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_equals_an_uninterrupted_one(kind: str) -> None:
    whole, half = learn(training(**KINDS[kind])), learn(training(**KINDS[kind]), 700)
    resumed = training(**KINDS[kind])
    resumed.load_state_dict(*half.state_dict())
    learn(resumed)
    for name, value in whole.snapshot().items():
        np.testing.assert_array_equal(resumed.snapshot()[name], value, err_msg=name)


@pytest.mark.slow
def test_both_directions_of_annealing_agree_with_enumeration_after_learning() -> None:
    rbm = learn(training(**KINDS["learned"])).rbm
    exact = exact_log_z(rbm)
    for estimate in (ais(rbm, betas=1000), reverse_ais(rbm, betas=1000)):
        assert estimate.log_z == pytest.approx(exact, abs=5 * estimate.stderr + 0.01)
