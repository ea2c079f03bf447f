"""The temperatures of AIS, its precisions, its saved state, and the samples that its reverse starts from."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from numba import njit
from torch.nn.functional import softplus

from rbm_core.compute import DRAW_RESOLUTION, Rng
from rbm_core.kernels import annealing
from rbm_core.likelihood.ais import (
    adaptive_betas,
    ais,
    base_rate,
    each_sweep,
    prepare_ais,
    prepare_reverse_ais,
    reverse_ais,
    sweeps,
    temperatures,
    tempered_samples,
)
from rbm_core.likelihood.annealing import Annealing
from rbm_core.likelihood.exact import (
    exact_log_z,
    exact_samples,
)
from rbm_core.rbm import RBM, ShapeError
from tests import oracles
from tests.core.likelihood_models import FOR_EVERY_SHAPE, assert_drawn_from, model, two_modes


@FOR_EVERY_SHAPE
def test_reverse_ais_of_a_small_model_starts_at_exact_samples(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(5, *shape)
    assert_drawn_from(oracles.p_v(W, b, c), tempered_samples(RBM.from_numpy(W, b, c), 40_000))


def test_the_named_schedule_is_the_published_one() -> None:
    betas = temperatures("salakhutdinov-murray")
    assert len(betas) == 14_501
    assert betas[500] == 0.5
    assert betas[4500] == pytest.approx(0.9)
    np.testing.assert_allclose(
        np.diff(betas)[[0, 499, 500, 4499, 4500, -1]], [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    )


@pytest.mark.slow
def test_adaptive_temperatures_beat_equal_ones_of_the_same_number() -> None:
    rbm = model(12, 40, 20, 0.8)
    base = base_rate(rbm)
    betas = adaptive_betas(rbm, 100, base_vbias=base)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert (np.diff(betas) > 0).all()
    assert len(betas) == 101

    def spread(path: np.ndarray | int) -> float:
        return float(
            np.mean([ais(rbm, betas=path, base_vbias=base, seed=s).log_weights.var() for s in range(10)])
        )

    assert spread(betas) < spread(100)


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        (np.array([0.0, 0.5, 0.4, 1.0]), "must rise strictly from 0 to 1"),
        (np.array([0.1, 1.0]), "got 0.1 … 1"),
        (0, "must lie in 1 … 10,000,000, got 0"),
        (10**12, "got 1,000,000,000,000"),
        ("fast", "got 'fast'"),
    ],
)
def test_a_wrong_path_is_named(betas: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ais(model(0), betas=betas)  # type: ignore[arg-type]


def test_one_chain_or_wrong_biases_are_refused() -> None:
    with pytest.raises(ValueError, match="n_chains must be at least 2"):
        ais(model(0), n_chains=1)
    with pytest.raises(ValueError, match="12 finite numbers, got shape"):
        ais(model(0), base_vbias=np.zeros(5))
    with pytest.raises(ValueError, match="needs as many starts, got 3"):
        reverse_ais(model(0), betas=10, starts=torch.zeros(3, 12))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["W", "vbias", "hbias"])
@pytest.mark.parametrize("estimate", [ais, reverse_ais, exact_log_z, base_rate, tempered_samples])
def test_a_model_that_is_not_finite_is_refused_by_name(
    estimate: Callable[..., object], name: str, value: float
) -> None:
    rbm = model(0)
    getattr(rbm, name).flatten()[-1] = value
    more = (5,) if estimate is tempered_samples else ()
    with pytest.raises(ShapeError, match=f"^{name} has 1 numbers that are not finite"):
        estimate(rbm, *more)


@pytest.mark.slow
def test_every_precision_estimates_the_model_as_given() -> None:
    """Large weights that bfloat16 rounds visibly: the last weight leads back to the model itself."""
    rbm = model(13, 60, 10, 1.2)
    truth, base = exact_log_z(rbm), base_rate(rbm)
    rounded = rbm.to(dtype=torch.bfloat16).to(dtype=torch.float32)
    assert abs(exact_log_z(rounded) - truth) > 0.02
    for precision in ("differences", "bfloat16", "float32", "float64"):
        # Many chains rather than many seeds: an emulated product costs the same for any number of rows.
        found = ais(rbm, betas=500, n_chains=800, base_vbias=base, seed=0, precision=precision)
        assert abs(found.log_z - truth) < 4 * found.stderr < 0.025, precision


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["differences", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("prepare", [prepare_ais, prepare_reverse_ais])
def test_saved_and_loaded_annealing_goes_on_bit_for_bit(
    prepare: Callable[..., Annealing], precision: str
) -> None:
    rbm = model(14, 100, 110, 0.1)  # large enough to run in two halves

    def fresh() -> Annealing:
        return prepare(rbm, betas=60, base_vbias=rbm.vbias, n_chains=100, seed=3, precision=precision)

    whole, first, second = fresh(), fresh(), fresh()
    whole.advance(60)
    first.advance(23)
    second.load_state_dict(*first.state_dict())
    second.advance(60)
    assert torch.equal(whole.log_weights, second.log_weights)
    assert torch.equal(whole.visible_states(), second.visible_states())
    with pytest.raises(ValueError, match="other chains or temperatures"):
        prepare(rbm, betas=61, base_vbias=rbm.vbias).load_state_dict(*first.state_dict())


@pytest.mark.parametrize("precision", ["differences", "float32"])
@pytest.mark.parametrize("rising", [True, False])
def test_a_weight_grows_by_the_ratio_of_the_probabilities_that_its_chain_passes(
    rising: bool, precision: str
) -> None:
    """Steps shorter and longer than those for which one exponential does, and logits up to ±60."""
    rbm = model(3, 70, 40, 3.0)
    base = torch.linspace(-1, 1, 70, dtype=torch.float64)
    betas = np.array([0.0, 0.3, 0.3001, 0.305, 0.31, 0.5, 0.51, 0.7, 0.7 + 1e-5, 0.99, 1.0])
    betas = betas if rising else betas[::-1].copy()
    chains = Annealing(rbm, betas, base, Rng(0, "coins").bernoulli(torch.zeros(50, 70)), precision=precision)
    wide = rbm.to(dtype=torch.float64)
    for beta, following in pairwise(betas):
        v, before = chains.visible_states().double(), chains.log_weights.clone()
        logits = wide.logits_h_from_v(v)
        own = (following - beta) * (v @ (wide.vbias - base))
        expected = own + (softplus(following * logits) - softplus(beta * logits)).sum(1)
        chains.advance(1)
        if rising and following == 1.0:
            before -= chains._rounding()
        # float32 sums of 70 products and of 40 units of up to 60 each
        torch.testing.assert_close(chains.log_weights - before, expected, rtol=2e-6, atol=2e-4)


@njit
def drawn_growing(
    x: np.ndarray, bias: np.ndarray, beta: float, following: float, random: np.ndarray, fired: np.ndarray
) -> float:
    growths = np.empty(len(x), np.float32)
    return annealing._draw_growing(x, bias, np.float32(beta), np.float32(following), random, fired, growths)


@pytest.mark.parametrize("following", [0.985, 1.015])
def test_the_draw_of_a_small_step_fires_with_its_probability_to_within_the_resolution(
    following: float,
) -> None:
    every = np.arange(2**23, dtype=np.uint32) << np.uint32(9)  # all uniform numbers that a draw can have
    x, zeros, fired = (np.zeros(len(every), kind) for kind in (np.float32, np.float32, np.uint8))
    for p in (1e-7, 1e-6, 1e-3, 0.1545, 0.5, 0.525, 0.982, 0.999, 1 - 1e-6, 1 - 1e-7):
        x[:] = np.log(p / (1 - p)) / following
        drawn_growing(x, zeros, 1.0, following, every, fired)
        exact = 1 / (1 + np.exp(-np.float64(np.float32(following)) * np.float64(x[0])))
        assert abs(fired.mean(dtype=np.float64) - exact) < DRAW_RESOLUTION, p


@pytest.mark.parametrize("p", [1e-6, 1 - 1e-6])
def test_chains_of_small_steps_draw_hidden_units_as_often_as_their_probability_says(p: float) -> None:
    n, H, steps, rare = 1000, 1000, 40, 0
    rbm = RBM(torch.zeros(64, H), torch.zeros(64), torch.full((H,), float(np.log(p / (1 - p)))))
    betas = np.concatenate([[1.0 - 1e-9], np.full(steps + 1, 1.0)])
    chains = Annealing(rbm, betas, rbm.vbias.double(), torch.zeros(n, 64), precision="differences")
    for _ in range(steps):
        chains.advance(1)
        fired = int(chains.state_dict()[0]["h"].sum())
        rare += fired if p < 0.5 else n * H - fired
    share = min(p, 1 - p) + (np.array([-1, 1]) * DRAW_RESOLUTION / 2)
    low, high = n * H * steps * share
    assert low - 5 * low**0.5 < rare < high + 5 * high**0.5


@pytest.mark.parametrize("rising", [True, False])
def test_rounding_stays_bounded_over_a_thousand_temperatures(rising: bool) -> None:
    rng = np.random.default_rng(1)
    rbm = RBM.from_numpy(rng.normal(0, 0.15, (200, 130)), rng.normal(size=200), rng.normal(size=130))
    betas = np.linspace(0, 1, 2001) if rising else np.linspace(1, 0, 2001)
    start = Rng(0, "coins").bernoulli(torch.zeros(64, 200))
    chains = Annealing(rbm, betas, torch.zeros(200, dtype=torch.float64), start, precision="differences")
    for _ in range(8):
        chains.advance(125)
        tensors = chains.state_dict()[0]
        v, h, W = tensors["v"].double(), tensors["h"].double(), rbm.W.double()
        # Between two fresh sums lie at most 256 temperatures of at most 200 rows, a float32 rounding of up to
        # 2⁻²⁴ · 8 each: a random walk of standard deviation √(256 · 200) · 2⁻²⁴ · 8 / √3; five of them.
        assert float(torch.cat([tensors["x"].flatten(), tensors["y"].flatten()]).abs().max()) < 8
        bound = 5 * np.sqrt(256 * 200 / 3) * 8 * 2.0**-24
        assert bound < 4e-4
        assert float((tensors["x"] - v @ W).abs().max()) < bound
        assert float((tensors["y"] - h @ W.T).abs().max()) < bound
    assert chains.position == 1000


def test_annealing_leaves_the_callers_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    ais(model(14, 100, 110, 0.1), betas=5, base_vbias=torch.zeros(100))
    assert torch.get_num_threads() == before


@FOR_EVERY_SHAPE
def test_sweeps_keep_the_model_invariant(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(6, *shape)
    rbm = RBM.from_numpy(W, b, c)
    assert_drawn_from(oracles.p_v(W, b, c), sweeps(rbm, exact_samples(rbm, 40_000, Rng(1, "test")), 3))


@FOR_EVERY_SHAPE
def test_each_of_many_sweeps_keeps_the_model_invariant_and_no_later_one_changes_it(
    shape: tuple[int, int],
) -> None:
    W, b, c = oracles.tiny_model(6, *shape)
    rbm = RBM.from_numpy(W, b, c)
    states = list(each_sweep(rbm, exact_samples(rbm, 40_000, Rng(1, "test")), 4))
    assert len(states) == 4
    for v in (states[0], states[3]):
        assert_drawn_from(oracles.p_v(W, b, c), v)
    assert not torch.equal(states[2], states[3])
    for n, v in enumerate(states, start=1):
        assert torch.equal(v, sweeps(rbm, exact_samples(rbm, 40_000, Rng(1, "test")), n))


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_states_after_each_sweep_are_those_of_as_many_sweeps(visible: str) -> None:
    rbm, v = model(14, 100, 110, 0.1, visible), Rng(0, "coins").bernoulli(torch.zeros(30, 100))
    for n, state in enumerate(each_sweep(rbm, v, 12, seed=3, stream="test"), start=1):
        assert torch.equal(state, sweeps(rbm, v, n, seed=3, stream="test"))


def test_tempered_samples_find_both_modes() -> None:
    one = two_modes(1.0, 40)
    # Thirteen copies of no weight more: enough hidden units that the samples are annealed, not enumerated.
    model_of_two_modes = RBM(
        torch.cat([one.W, torch.zeros(40, 13)], 1), one.vbias, torch.cat([one.hbias, torch.zeros(13)])
    )
    v = tempered_samples(model_of_two_modes, 200)
    share = float((v.mean(1) > 0.5).float().mean())
    assert abs(share - 0.5) < 5 * math.sqrt(0.25 / 200)
