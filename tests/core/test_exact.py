"""Quantities by enumeration equal brute force, also for Gaussian units and at activations of a thousand."""

import math

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.likelihood.exact import (
    NotTractableError,
    exact_gradient,
    exact_log_likelihood,
    exact_log_z,
    exact_probabilities,
    exact_samples,
)
from rbm_core.rbm import RBM
from tests import oracles
from tests.core.likelihood_models import FOR_EVERY_SHAPE, SHAPES, assert_drawn_from, model, wide


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (5, 1)])
def test_exact_quantities_equal_brute_force(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(1, *shape)
    rbm = wide(W, b, c)
    assert exact_log_z(rbm) == pytest.approx(oracles.log_z(W, b, c), abs=1e-10)
    v = torch.tensor(oracles.states(shape[0]), dtype=torch.float64)
    np.testing.assert_allclose(exact_log_likelihood(rbm, v).exp(), oracles.p_v(W, b, c), atol=1e-12)


@FOR_EVERY_SHAPE
def test_exact_gradient_equals_the_derivative_of_the_exact_log_likelihood(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(2, *shape)
    weights = np.random.default_rng(0).dirichlet(np.ones(2 ** shape[0]))
    counts = np.round(weights * 1000).astype(int)
    v = torch.tensor(oracles.states(shape[0]), dtype=torch.float64)
    v = v.repeat_interleave(torch.tensor(counts), dim=0)
    found = exact_gradient(wide(W, b, c), v)
    for ours, theirs in zip(
        found.tensors(), oracles.exact_gradient(W, b, c, counts / counts.sum()), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("visible", ["gaussian", "learned"])
def test_gaussian_quantities_equal_numerical_integration(visible: str, n_hidden: int) -> None:
    rbm = model(3, 1, n_hidden, 0.8, visible).to(dtype=torch.float64)
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None]
    integral = torch.trapezoid(torch.exp(-rbm.free_energy(grid)), grid[:, 0])
    assert exact_log_z(rbm) == pytest.approx(math.log(integral), abs=1e-9)
    data = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradient = exact_gradient(rbm, data)
    for name, ours in zip(("W", "vbias", "hbias", "log_var"), gradient.tensors(), strict=False):
        theirs = torch.zeros_like(ours)
        for index in np.ndindex(*ours.shape):
            ends = []
            for sign in (1, -1):
                moved = {key: getattr(rbm, key).clone() for key in ("W", "vbias", "hbias")}
                moved["log_var"] = None if rbm.log_var is None else rbm.log_var.clone()
                moved[name][index] += sign * 1e-5
                ends.append(exact_log_likelihood(RBM(**moved, visible="gaussian"), data).mean())
            theirs[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(ours, theirs, atol=1e-8, err_msg=name)


def test_enumeration_holds_at_activations_of_a_thousand() -> None:
    W = np.full((3, 2), 1e3)
    b, c = np.full(3, -1e3), np.zeros(2)
    # Two states tie at the top with v = 1, h = 1 alone at 6e3 − 3e3; all others are e⁻¹⁰⁰⁰ below.
    assert exact_log_z(wide(W, b, c)) == pytest.approx(3e3, rel=1e-12)
    assert exact_log_z(wide(-W, -b, c)) == pytest.approx(3e3, rel=1e-12)


def test_enumeration_counts_in_chunks_what_it_counts_at_once() -> None:
    rbm = model(4, 30, 13)
    states, p = exact_probabilities(rbm)
    assert states.shape == (2**13, 13)
    direct = torch.logsumexp(
        states @ rbm.hbias.double()
        + torch.nn.functional.softplus(states @ rbm.W.double().T + rbm.vbias.double()).sum(1),
        0,
    )
    assert exact_log_z(rbm) == pytest.approx(float(direct), abs=1e-10)
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)


def test_a_model_too_large_to_enumerate_is_refused_with_its_size() -> None:
    with pytest.raises(NotTractableError, match="got 40 visible and 30 hidden; use AIS"):
        exact_log_z(model(0, 40, 30))


@FOR_EVERY_SHAPE
def test_exact_samples_follow_p(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(5, *shape)
    assert_drawn_from(oracles.p_v(W, b, c), exact_samples(wide(W, b, c), 40_000, Rng(0, "test")))
