"""Diagnostics against cases whose answer is known in closed form."""

import math

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.diagnostics import (
    adversarial_accuracy,
    autocorrelation,
    autocorrelation_time,
    dead_units,
    effective_sample_size,
    flips_per_sweep,
    moment_distance,
    nearest_case,
    sampling_times,
    saturated_units,
    update_ratio,
)
from rbm_core.rbm import RBM, ShapeError
from tests import oracles


def autoregressive(phi: float, n_steps: int, n_chains: int, seed: int = 0) -> np.ndarray:
    """Stationary AR(1) chains: ρ(t) = φᵗ and τ = (1 + φ) / (1 − φ)."""
    rng = np.random.default_rng(seed)
    x = np.empty((n_steps, n_chains))
    x[0] = rng.normal(size=n_chains) / math.sqrt(1 - phi**2)
    for t in range(1, n_steps):
        x[t] = phi * x[t - 1] + rng.normal(size=n_chains)
    return x


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregressive_chain_is_the_known_one(phi: float) -> None:
    x = autoregressive(phi, 4000, 20)
    assert autocorrelation_time(x) == pytest.approx((1 + phi) / (1 - phi), rel=0.1)
    assert effective_sample_size(x) == pytest.approx(80_000 * (1 - phi) / (1 + phi), rel=0.1)
    np.testing.assert_allclose(autocorrelation(x)[:6], phi ** np.arange(6), atol=0.05)


def test_a_constant_series_never_forgets() -> None:
    assert autocorrelation_time(np.ones((100, 3))) == math.inf
    assert effective_sample_size(np.ones((100, 3))) == 0.0


def test_chains_stuck_apart_show_as_correlation_that_stays() -> None:
    stuck = autoregressive(0.2, 1000, 10) + 20 * np.arange(10)
    assert autocorrelation(stuck)[400] > 0.9
    assert autocorrelation_time(stuck) > 50


def test_too_short_or_broken_series_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 finite recordings"):
        autocorrelation(np.ones(1))
    with pytest.raises(ValueError, match="finite"):
        autocorrelation(np.array([1.0, math.nan]))


def binary(n: int, p: np.ndarray, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy((rng.random((n, len(p))) < p).astype(np.float32))


def test_adversarial_accuracy_is_one_half_for_samples_of_the_same_law() -> None:
    p = np.random.default_rng(0).random(40)
    found = adversarial_accuracy(binary(500, p, 1), binary(500, p, 2))
    assert abs(found.truth - 0.5) < 5 * 0.5 / math.sqrt(500)
    assert abs(found.synthetic - 0.5) < 5 * 0.5 / math.sqrt(500)
    assert found.mean == pytest.approx((found.truth + found.synthetic) / 2)


def test_adversarial_accuracy_tells_strangers_bunches_and_copies() -> None:
    p = np.random.default_rng(0).random(40)
    data = binary(300, p, 1)
    strangers = adversarial_accuracy(1 - data, data)
    assert strangers.truth > 0.9
    assert strangers.synthetic > 0.9
    one = data[:1].clone()
    one[:, :5] = 1 - one[:, :5]
    bunched = adversarial_accuracy(one.repeat(300, 1), data)
    assert bunched.synthetic > 0.95
    copies = adversarial_accuracy(data.clone(), data)
    assert copies.truth == pytest.approx(0.0, abs=0.05)
    assert copies.synthetic == pytest.approx(0.0, abs=0.05)


def test_adversarial_accuracy_wants_equal_numbers() -> None:
    with pytest.raises(ValueError, match=r"got \(3, 4\) and \(2, 4\)"):
        adversarial_accuracy(torch.zeros(3, 4), torch.zeros(2, 4))


def test_the_nearest_training_case_is_found_with_its_distance_in_pixels() -> None:
    train = binary(2500, np.full(30, 0.5), 3)
    samples = train[[7, 2400]].clone()
    samples[1, :3] = 1 - samples[1, :3]
    index, distance = nearest_case(samples, train)
    brute = ((samples[:, None] - train[None]) ** 2).sum(2)
    assert index[0] == 7
    torch.testing.assert_close(distance, brute.min(1).values)


def test_sampling_times_lead_from_noise_to_the_model() -> None:
    W, b, c = oracles.tiny_model(5, 3, 2)
    rbm = RBM.from_numpy(W, b, c)
    start = (Rng(0, "test").uniform((20_000, 3)) < 0.5).float()
    seen = dict(sampling_times(rbm, start, [0, 1, 30], seed=2))
    assert torch.equal(seen[0], start)
    for state, q in zip(oracles.states(3), oracles.p_v(W, b, c), strict=True):
        share = float((seen[30].int() == torch.tensor(state)).all(1).float().mean())
        assert abs(share - q) < 5 * math.sqrt(q * (1 - q) / 20_000)
    with pytest.raises(ValueError, match="must rise"):
        list(sampling_times(rbm, start, [3, 1]))


def test_units_and_ratios_are_counted_as_documented() -> None:
    mean = np.array([0.0, 0.005, 0.02, 0.5, 0.98, 0.995])
    assert dead_units(mean) == 2
    assert saturated_units(torch.from_numpy(mean)) == 1
    assert update_ratio(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 50.0])) == pytest.approx(0.1)
    assert math.isnan(update_ratio(torch.ones(2), torch.zeros(2)))
    assert flips_per_sweep(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 1.0]])) == 0.5


def test_second_moments_part_by_sampling_noise_alone_for_one_law_and_more_for_another() -> None:
    rng = Rng(0, "test")
    p = 0.3
    one, two, other = ((rng.uniform((2000, 30)) < q).float() for q in (p, p, 0.5))
    # Of a pair: variance q(1 − q)/N each, q = p² off the diagonal and p on it.
    noise = np.sqrt(2 * (29 * p**2 * (1 - p**2) + p * (1 - p)) / 30 / 2000)
    assert 0.7 * noise < moment_distance(one, two) < 1.5 * noise
    exact = np.sqrt((29 * (0.25 - p**2) ** 2 + (0.5 - p) ** 2) / 30)
    assert moment_distance(one, other) == pytest.approx(exact, rel=0.1)
    with pytest.raises(ShapeError, match="equal V"):
        moment_distance(one, one[:, :5])
