"""The chain leaves p(v) as it is, and a chain that does not is caught by the same check."""

import numpy as np
import pytest
import torch

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.rbm import RBM, ShapeError
from tests import oracles

N = 200_000
PLACES = torch.tensor([8, 4, 2, 1], dtype=torch.float32)


def exact_start(arrays: tuple[np.ndarray, ...]) -> torch.Tensor:
    """N visible states drawn from p(v) itself."""
    p = oracles.p_v(*arrays)
    drawn = np.random.default_rng(5).choice(16, N, p=p / p.sum())
    return torch.tensor(np.array(oracles.states(4))[drawn], dtype=torch.float32)


def total_variation(v: torch.Tensor, arrays: tuple[np.ndarray, ...]) -> float:
    counts = np.bincount((v @ PLACES).int().numpy(), minlength=16)
    return 0.5 * float(np.abs(counts / len(v) - oracles.p_v(*arrays)).sum())


def monte_carlo_bound(arrays: tuple[np.ndarray, ...]) -> float:
    """Mean total variation of N exact draws, Σ √(2p(1−p)/πN)/2, plus five standard deviations of it (≤ 1/√4N)."""
    p = oracles.p_v(*arrays)
    return 0.5 * float(np.sqrt(2 * p * (1 - p) / (np.pi * N)).sum()) + 5 * 0.5 / np.sqrt(N)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sweeps", [1, 4, 16])
def test_the_chain_is_stationary_at_the_model(sweeps: int, dtype: torch.dtype) -> None:
    arrays = oracles.tiny_model(1)
    rbm = RBM.from_numpy(*arrays, dtype=dtype)
    chain = gibbs.sweep(rbm, gibbs.from_images(rbm, exact_start(arrays)), Rng(2, "chains"), sweeps)
    assert chain.sweep == sweeps
    assert total_variation(chain.v.float(), arrays) < monte_carlo_bound(arrays)


def test_a_kernel_that_forgets_the_hidden_bias_fails_the_same_check() -> None:
    arrays = oracles.tiny_model(1)
    W, b, c = arrays
    broken = RBM.from_numpy(W, b, np.zeros_like(c))
    chain = gibbs.sweep(broken, gibbs.from_images(broken, exact_start(arrays)), Rng(2, "chains"), 4)
    assert total_variation(chain.v, arrays) > 2 * monte_carlo_bound(arrays)


def test_one_sweep_has_the_enumerated_transition_probabilities() -> None:
    arrays = oracles.tiny_model(4)
    rbm = RBM.from_numpy(*arrays)
    T = oracles.sweep_matrix(*arrays)
    for start, state in enumerate(oracles.states(4)):
        v = torch.tensor([state] * 20_000, dtype=torch.float32)
        after = gibbs.sweep(rbm, gibbs.from_images(rbm, v), Rng(start, "chains")).v
        counts = np.bincount((after @ PLACES).int().numpy(), minlength=16)
        spread = np.sqrt(20_000 * T[start] * (1 - T[start]))
        assert np.abs(counts - 20_000 * T[start]).max() < 5 * spread.max() + 5


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_a_tempered_chain_is_stationary_at_the_tempered_model(beta: float) -> None:
    W, b, c = oracles.tiny_model(1)
    tempered = (beta * W, beta * b, beta * c)
    rbm = RBM.from_numpy(W, b, c)
    chain = gibbs.sweep(rbm, gibbs.from_images(rbm, exact_start(tempered)), Rng(2, "chains"), 4, beta=beta)
    assert total_variation(chain.v, tempered) < monte_carlo_bound(tempered)


def test_clamped_pixels_hold_and_the_others_follow_their_conditional_law() -> None:
    arrays = oracles.tiny_model(2)
    rbm = RBM.from_numpy(*arrays)
    held = torch.tensor([True, False, True, False])
    values = torch.tensor([1.0, 0.0, 0.0, 0.0])
    start = gibbs.from_bernoulli_noise(rbm, 100_000, Rng(1, "start"))
    chain = gibbs.sweep(rbm, start, Rng(1, "chains"), 40, clamp=(held, values))
    assert torch.equal(chain.v[:, held], values[held].expand(100_000, 2))
    p = oracles.p_v(*arrays)
    allowed = [i for i, s in enumerate(oracles.states(4)) if s[0] == 1 and s[2] == 0]
    counts = np.bincount((chain.v @ PLACES).int().numpy(), minlength=16)[allowed]
    expected = 100_000 * p[allowed] / p[allowed].sum()
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected.max())


def test_half_steps_alternate_and_each_layer_is_drawn_from_its_own_mean() -> None:
    rbm = RBM.from_numpy(*oracles.tiny_model(0))
    chain = gibbs.from_bernoulli_noise(rbm, 1000, Rng(0, "start"))
    assert (chain.half, chain.sweep, chain.mean_h) == ("v", 0, None)
    up = gibbs.half_step(rbm, chain, Rng(0, "chains"))
    assert (up.half, up.sweep) == ("h", 0)
    assert torch.equal(up.v, chain.v)
    torch.testing.assert_close(up.mean_h, rbm.mean_h_from_v(chain.v))
    down = gibbs.half_step(rbm, up, Rng(1, "chains"))
    assert (down.half, down.sweep) == ("v", 1)
    assert torch.equal(down.h, up.h)
    torch.testing.assert_close(down.mean_v, rbm.mean_v_from_h(up.h))


def test_the_same_stream_gives_the_same_chain_and_leaves_its_input_alone() -> None:
    rbm = RBM.from_numpy(*oracles.tiny_model(0))
    chain = gibbs.from_gaussian_noise(rbm, 50, Rng(9, "start"))
    before = chain.v.clone()
    a, b = (gibbs.sweep(rbm, chain, Rng(9, "chains"), 5) for _ in range(2))
    assert torch.equal(a.v, b.v)
    assert torch.equal(chain.v, before)


def test_impossible_chains_are_refused_with_the_value() -> None:
    rbm = RBM.from_numpy(*oracles.tiny_model(0))
    with pytest.raises(ShapeError, match="at least 1, got 0"):
        gibbs.from_bernoulli_noise(rbm, 0, Rng(0, "start"))
    with pytest.raises(ShapeError, match=r"\(chains, 4\), got \(2, 3\)"):
        gibbs.from_images(rbm, torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="not finite"):
        gibbs.from_images(rbm, torch.full((2, 4), float("nan")))
    with pytest.raises(ValueError, match="at least 0, got -1"):
        gibbs.half_step(rbm, gibbs.from_images(rbm, torch.zeros(2, 4)), Rng(0, "c"), beta=-1)
