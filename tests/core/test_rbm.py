"""The closed forms of the model agree with brute force, and wrong shapes are refused."""

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.rbm import RBM, ShapeError
from tests import oracles

SEEDS = range(5)


def double(seed: int) -> tuple[RBM, tuple[np.ndarray, ...]]:
    arrays = oracles.tiny_model(seed)
    return RBM.from_numpy(*arrays, dtype=torch.float64), arrays


@pytest.mark.parametrize("seed", SEEDS)
def test_energy_of_every_joint_state_agrees_with_enumeration(seed: int) -> None:
    rbm, arrays = double(seed)
    pairs = [(v, h) for v in oracles.states(4) for h in oracles.states(3)]
    v = torch.tensor([p[0] for p in pairs], dtype=torch.float64)
    h = torch.tensor([p[1] for p in pairs], dtype=torch.float64)
    expected = [oracles.energy(*arrays, *p) for p in pairs]
    np.testing.assert_allclose(rbm.energy(v, h).numpy(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_free_energy_agrees_with_enumeration(seed: int) -> None:
    rbm, arrays = double(seed)
    v = torch.tensor(oracles.states(4), dtype=torch.float64)
    expected = [oracles.free_energy(*arrays, s) for s in oracles.states(4)]
    np.testing.assert_allclose(rbm.free_energy(v).numpy(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_conditionals_agree_with_enumeration(seed: int) -> None:
    rbm, arrays = double(seed)
    vs, hs = oracles.states(4), oracles.states(3)
    mean_h = rbm.mean_h_from_v(torch.tensor(vs, dtype=torch.float64)).numpy()
    mean_v = rbm.mean_v_from_h(torch.tensor(hs, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(mean_h, [oracles.p_h_given_v(*arrays, v) for v in vs], atol=1e-10, rtol=0)
    np.testing.assert_allclose(mean_v, [oracles.p_v_given_h(*arrays, h) for h in hs], atol=1e-10, rtol=0)


@pytest.mark.parametrize("log_var", [None, np.array([-0.5, 0.0, 0.8, 0.1])])
def test_gaussian_free_energy_is_the_log_sum_over_hidden_states(log_var: np.ndarray | None) -> None:
    W, b, c = oracles.tiny_model(3)
    rbm = RBM.from_numpy(W, b, c, visible="gaussian", log_var=log_var, dtype=torch.float64)
    v = np.random.default_rng(0).normal(size=(20, 4))
    precision = np.ones(4) if log_var is None else np.exp(-log_var)
    for row, f in zip(v, rbm.free_energy(torch.tensor(v)).numpy(), strict=True):
        energies = [
            ((row - b) ** 2 * precision / 2).sum() - c @ h - (row * precision) @ W @ h
            for h in np.array(oracles.states(3))
        ]
        assert f == pytest.approx(-np.log(np.exp(-np.array(energies)).sum()), abs=1e-10)


@pytest.mark.parametrize("log_var", [None, np.array([-0.5, 0.0, 0.8, 0.1])])
def test_gaussian_visible_units_are_drawn_with_the_conditional_mean_and_variance(
    log_var: np.ndarray | None,
) -> None:
    W, b, c = oracles.tiny_model(3)
    rbm = RBM.from_numpy(W, b, c, visible="gaussian", log_var=log_var)
    n, h = 40_000, np.array([1.0, 0.0, 1.0])
    v = rbm.sample_v_from_h(torch.tensor(np.tile(h, (n, 1)), dtype=torch.float32), Rng(1, "v")).numpy()
    variance = np.ones(4) if log_var is None else np.exp(log_var)
    # Six standard errors of a mean and of a variance over n draws.
    assert np.abs(v.mean(0) - (b + W @ h)).max() < 6 * np.sqrt(variance.max() / n)
    assert np.abs(v.var(0) / variance - 1).max() < 6 * np.sqrt(2 / n)


def test_free_energy_and_means_stay_finite_at_activations_of_a_thousand() -> None:
    W = np.array([[1e3, -1e3], [1e3, -1e3]])
    rbm = RBM.from_numpy(W, np.zeros(2), np.zeros(2))
    v = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    # softplus(1000) = 1000 and softplus(−1000) = 0, to float32.
    np.testing.assert_allclose(rbm.free_energy(v).numpy(), [-1e3, -2e3, -2 * np.log(2)], rtol=1e-6)
    np.testing.assert_array_equal(rbm.mean_h_from_v(v)[:2].numpy(), [[1, 0], [1, 0]])
    drawn = rbm.sample_h_from_v(v[:2], Rng(0, "h")).numpy()
    np.testing.assert_array_equal(drawn, [[1, 0], [1, 0]])


def test_parameters_survive_the_way_to_numpy_and_back() -> None:
    W, b, c = oracles.tiny_model(0)
    rbm = RBM.from_numpy(W, b, c, visible="gaussian", log_var=b / 3, dtype=torch.float64)
    again = RBM.from_numpy(**rbm.to_numpy(), visible="gaussian", dtype=torch.float64)
    for name, array in again.to_numpy().items():
        np.testing.assert_array_equal(array, rbm.to_numpy()[name])


def test_first_visible_biases_reproduce_the_data_means() -> None:
    means = torch.tensor([0.1, 0.5, 0.9, 0.0])
    rbm = RBM.initial(4, 3, Rng(0, "weights"), weight_std=0.0, data_mean=means)
    mean_v = rbm.mean_v_from_h(torch.zeros(1, 3))[0]
    np.testing.assert_allclose(mean_v[:3].numpy(), means[:3].numpy(), atol=1e-6)
    assert torch.isfinite(rbm.vbias).all()  # a pixel that is never on keeps a finite bias


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vbias": np.zeros(5)}, r"needs vbias \(4,\) and hbias \(3,\), got \(5,\)"),
        ({"W": np.zeros((4, 0))}, r"both at least 1, got \(4, 0\)"),
        ({"W": np.full((4, 3), np.nan)}, "W has 12 numbers that are not finite"),
        ({"log_var": np.zeros(4)}, "Gaussian visible units only"),
        ({"visible": "poisson"}, "got 'poisson'"),
    ],
)
def test_a_model_that_does_not_fit_together_says_what_is_wrong(change: dict, said: str) -> None:
    W, b, c = oracles.tiny_model(0)
    with pytest.raises(ShapeError, match=said):
        RBM.from_numpy(**{"W": W, "vbias": b, "hbias": c, **change})


def test_wrong_cases_and_mixed_dtypes_are_refused_with_both_shapes() -> None:
    rbm, _ = double(0)
    with pytest.raises(ShapeError, match=r"v must have shape \(cases, 4\), got \(2, 5\)"):
        rbm.free_energy(torch.zeros(2, 5, dtype=torch.float64))
    with pytest.raises(ShapeError, match="share one device and one dtype"):
        RBM(rbm.W, rbm.vbias.float(), rbm.hbias)
    with pytest.raises(ShapeError, match="is on meta"):
        rbm.free_energy(torch.zeros(2, 4, device="meta"))
