"""The gradient is the derivative of the log-likelihood, and the fast path computes the same numbers."""

import numpy as np
import pytest
import torch

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.gradient import Phases, gradient
from rbm_core.rbm import RBM
from tests import oracles


def visible_states(weights: np.ndarray, n: int, seed: int, dtype: torch.dtype) -> torch.Tensor:
    drawn = np.random.default_rng(seed).choice(16, n, p=weights / weights.sum())
    return torch.tensor(np.array(oracles.states(4))[drawn], dtype=dtype)


@pytest.mark.parametrize("seed", range(3))
def test_data_and_exact_model_statistics_give_the_derivative_of_the_log_likelihood(seed: int) -> None:
    arrays = oracles.tiny_model(seed)
    data = np.random.default_rng(seed).dirichlet(np.ones(16))
    expected = oracles.exact_gradient(*arrays, data)
    positive = oracles.expected_statistics(*arrays, data)
    negative = oracles.expected_statistics(*arrays, oracles.p_v(*arrays))
    for e, p, n in zip(expected, positive, negative, strict=True):
        np.testing.assert_allclose(p - n, e, atol=1e-8)
    # `gradient` averages over cases: whole multiples of every state stand in for the weights.
    counts = np.random.default_rng(seed).integers(1, 9, 16)
    v_data = torch.tensor(np.repeat(oracles.states(4), counts, axis=0), dtype=torch.float64)
    v_model = torch.tensor(oracles.states(4), dtype=torch.float64)
    got = gradient(RBM.from_numpy(*arrays, dtype=torch.float64), v_data, v_model)
    positive = oracles.expected_statistics(*arrays, counts / counts.sum())
    negative = oracles.expected_statistics(*arrays, np.full(16, 1 / 16))
    for tensor, p, n in zip(got.tensors(), positive, negative, strict=True):
        np.testing.assert_allclose(tensor.numpy(), p - n, atol=1e-10)


def test_centring_changes_the_metric_and_not_the_direction_of_ascent() -> None:
    """The centred gradient is A·∇ with A positive definite: same zeros, and it always climbs."""
    rbm = RBM.from_numpy(*oracles.tiny_model(1), dtype=torch.float64)
    v_data = visible_states(np.random.default_rng(0).dirichlet(np.ones(16)), 500, 1, torch.float64)
    v_model = visible_states(oracles.p_v(*oracles.tiny_model(1)), 500, 2, torch.float64)
    mu, lam = torch.tensor([0.2, 0.5, 0.7, 0.4]).double(), torch.tensor([0.3, 0.6, 0.5]).double()
    plain = gradient(rbm, v_data, v_model)
    centred = gradient(rbm, v_data, v_model, v_offset=mu, h_offset=lam)
    # In the centred parametrisation b′ = b + Wλ, c′ = c + Wᵀμ the chain rule gives these three.
    W = plain.W - torch.outer(plain.vbias, lam) - torch.outer(mu, plain.hbias)
    torch.testing.assert_close(centred.W, W)
    torch.testing.assert_close(centred.vbias, plain.vbias - W @ lam)
    torch.testing.assert_close(centred.hbias, plain.hbias - W.T @ mu)
    ascent = sum(float((p * c).sum()) for p, c in zip(plain.tensors(), centred.tensors(), strict=True))
    assert ascent > 0


@pytest.mark.parametrize("k", [1, 3])
def test_cd_k_has_its_enumerated_expectation(k: int) -> None:
    arrays = oracles.tiny_model(2)
    rbm = RBM.from_numpy(*arrays)
    data = np.random.default_rng(7).dirichlet(np.ones(16) * 0.3)
    after = data @ np.linalg.matrix_power(oracles.sweep_matrix(*arrays), k)
    positive = oracles.expected_statistics(*arrays, data)
    negative = oracles.expected_statistics(*arrays, after)
    n = 400_000
    v = visible_states(data, n, 3, torch.float32)
    model = gibbs.sweep(rbm, gibbs.from_images(rbm, v), Rng(3, "chains"), k).v
    for got, p, q in zip(gradient(rbm, v, model).tensors(), positive, negative, strict=True):
        # Entries are means of n numbers in [−1, 1]: five standard errors, each at most 1/√n a phase.
        assert np.abs(got.numpy() - (p - q)).max() < 5 * np.sqrt(2 / n)


def test_the_pcd_negative_phase_at_stationarity_gives_the_exact_gradient() -> None:
    arrays = oracles.tiny_model(3)
    rbm = RBM.from_numpy(*arrays)
    data = np.random.default_rng(8).dirichlet(np.ones(16))
    exact = oracles.exact_gradient(*arrays, data)
    n, updates = 2000, 150
    phases = Phases(rbm, n, n, dtype=torch.float32, rng=Rng(4, "chains"))
    phases.chains_h.copy_(
        rbm.sample_h_from_v(visible_states(oracles.p_v(*arrays), n, 5, torch.float32), Rng(6, "h"))
    )
    total = [np.zeros_like(g) for g in exact]
    for update in range(updates):
        phases.v_batch.copy_(visible_states(data, n, 100 + update, torch.float32))
        phases.run(5)
        for sum_, g in zip(total, phases.gradient().tensors(), strict=True):
            sum_ += g.numpy()
    for sum_, e in zip(total, exact, strict=True):
        # Chains are correlated from update to update: allow for a tenth of the draws being independent.
        assert np.abs(sum_ / updates - e).max() < 5 * np.sqrt(2 / (n * updates / 10))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("chains", [30, 50])
@pytest.mark.parametrize("algorithm", ["cd", "pcd"])
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "as on a GPU"])
def test_the_fast_path_computes_the_gradient_of_its_own_samples(
    dtype: torch.dtype, chains: int, algorithm: str, compiled: bool
) -> None:
    if algorithm == "cd" and chains != 30:
        chains = 30
    rng = np.random.default_rng(1)
    rbm = RBM.from_numpy(rng.normal(0, 0.3, (40, 25)), rng.normal(size=40), rng.normal(size=25))
    phases = Phases(rbm, 30, chains, dtype=dtype, rng=Rng(2, "chains"), algorithm=algorithm)
    phases._on_cpu = compiled
    phases.v_batch.copy_(torch.tensor(rng.random((30, 40)) < 0.4))
    phases.chains_h.copy_(torch.tensor(rng.random((chains, 25)) < 0.5))
    phases.run(3)
    mu, lam = torch.full((40,), 0.3), torch.full((25,), 0.4)
    v_data, v_model = phases.v_batch.float(), phases.v_chains.float()
    got = phases.gradient(mu, lam)
    data, model = phases.free_energies()
    expected = gradient(rbm, v_data, v_model, v_offset=mu, h_offset=lam)
    # bfloat16 keeps 8 significant bits of weights, means and sums.
    tolerance = 2e-6 if dtype == torch.float32 else 1e-2
    for g, e in zip(got.tensors(), expected.tensors(), strict=True):
        assert (g - e).abs().max() < tolerance * max(1.0, float(e.abs().max()))
    assert float(data) == pytest.approx(float(rbm.free_energy(v_data).mean()), rel=10 * tolerance)
    assert float(model) == pytest.approx(float(rbm.free_energy(v_model).mean()), rel=10 * tolerance)
    assert set(v_model.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("log_var", [None, np.linspace(-0.5, 0.5, 12)])
def test_the_fast_path_agrees_for_gaussian_visible_units(log_var: np.ndarray | None) -> None:
    rng = np.random.default_rng(1)
    rbm = RBM.from_numpy(
        rng.normal(0, 0.3, (12, 7)),
        rng.normal(size=12),
        rng.normal(size=7),
        visible="gaussian",
        log_var=log_var,
    )
    phases = Phases(rbm, 20, 20, dtype=torch.float32, rng=Rng(2, "chains"))
    phases.v_batch.copy_(torch.tensor(rng.normal(size=(20, 12))))
    phases.run(2)
    v_data, v_model = phases.v_batch.clone(), phases.v_chains.clone()
    mu, lam = torch.zeros(12), torch.full((7,), 0.4)
    got = phases.gradient(mu, lam)
    data, model = phases.free_energies()
    expected = gradient(rbm, v_data, v_model, v_offset=mu, h_offset=lam)
    assert len(got.tensors()) == (3 if log_var is None else 4)
    for g, e in zip(got.tensors(), expected.tensors(), strict=True):
        torch.testing.assert_close(g, e, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(data.float(), rbm.free_energy(v_data).mean(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(model.float(), rbm.free_energy(v_model).mean(), rtol=1e-5, atol=1e-4)


def test_the_gaussian_variance_gradient_is_the_derivative_of_the_free_energies() -> None:
    rng = np.random.default_rng(2)
    W, b, c = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3)
    z = rng.normal(0, 0.3, 5)
    v_data, v_model = torch.tensor(rng.normal(size=(9, 5))), torch.tensor(rng.normal(size=(11, 5)))

    def objective(z: np.ndarray) -> float:
        rbm = RBM.from_numpy(W, b, c, visible="gaussian", log_var=z, dtype=torch.float64)
        return float(rbm.free_energy(v_model).mean() - rbm.free_energy(v_data).mean())

    rbm = RBM.from_numpy(W, b, c, visible="gaussian", log_var=z, dtype=torch.float64)
    got = gradient(rbm, v_data, v_model).log_var
    assert got is not None
    for i in range(5):
        step = np.eye(5)[i] * 1e-5
        assert float(got[i]) == pytest.approx((objective(z + step) - objective(z - step)) / 2e-5, abs=1e-6)
