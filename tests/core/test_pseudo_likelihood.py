"""The pseudo-likelihood equals brute force, and its stochastic estimate is unbiased."""

import math

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.likelihood.exact import (
    exact_log_likelihood,
)
from rbm_core.likelihood.pseudo import pseudo_log_likelihood, stochastic_pseudo_log_likelihood
from tests import oracles
from tests.core.likelihood_models import FOR_EVERY_SHAPE, model, wide


@FOR_EVERY_SHAPE
def test_pseudo_likelihood_is_the_sum_over_units_and_equals_brute_force(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(15, *shape)
    states = oracles.states(shape[0])
    found = pseudo_log_likelihood(wide(W, b, c), torch.tensor(states, dtype=torch.float64))
    np.testing.assert_allclose(found, [oracles.pseudo_log_likelihood(W, b, c, state) for state in states])


@pytest.mark.parametrize("visible", ["gaussian", "learned"])
def test_gaussian_pseudo_likelihood_of_one_unit_is_its_log_likelihood(visible: str) -> None:
    rbm = model(16, 1, 4, 2.0, visible).to(dtype=torch.float64)
    v = torch.tensor([[-3.0], [0.1], [4.0]], dtype=torch.float64)
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, v), exact_log_likelihood(rbm, v), atol=1e-10)


@pytest.mark.parametrize("visible", ["bernoulli", "learned"])
@pytest.mark.parametrize("n_units", [1, 3])
def test_stochastic_pseudo_likelihood_is_unbiased(visible: str, n_units: int) -> None:
    rbm = model(17, 6, 4, visible=visible)
    v = torch.tensor(oracles.states(6), dtype=torch.float32)
    rng = Rng(0, "test")
    draws = torch.stack([stochastic_pseudo_log_likelihood(rbm, v, rng, n_units) for _ in range(300)])
    error = draws.std(0) / math.sqrt(300) + 1e-6
    z = (draws.mean(0) - pseudo_log_likelihood(rbm, v)) / error
    assert float(z.abs().max()) < 5
