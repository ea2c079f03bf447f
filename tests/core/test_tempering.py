"""Exchanges leave every rung's p(v) as it is, and carry states over barriers that plain chains do not cross."""

import numpy as np
import pytest
import torch

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import load
from rbm_core.likelihood.ais import base_rate
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.likelihood.ladder import Tempered, bennett, independent_log_z, ladder_log_z
from rbm_core.rbm import RBM, ShapeError
from rbm_core.training import Training
from tests import oracles

SHAPES = [(4, 3), (3, 4), (4, 4)]
SEEDS = 24  # estimates of one kind whose error bars are judged together


def model(seed: int, shape: tuple[int, int], spread: float = 1.0) -> RBM:
    return RBM.from_numpy(*oracles.tiny_model(seed, *shape, spread))


def table(rbm: RBM) -> np.ndarray:
    """p(v) of every visible state, in the order of `oracles.states`."""
    arrays = rbm.to_numpy()
    return oracles.p_v(arrays["W"], arrays["vbias"], arrays["hbias"])


def places(v: torch.Tensor) -> np.ndarray:
    n = v.shape[1]
    return (v @ (2.0 ** torch.arange(n - 1, -1, -1))).long().numpy()


def total_variation(v: torch.Tensor, p: np.ndarray) -> float:
    return 0.5 * float(np.abs(np.bincount(places(v), minlength=len(p)) / len(v) - p).sum())


def bound(p: np.ndarray, n: int) -> float:
    """Mean total variation of n exact draws plus five standard deviations of it (≤ 1/√4n)."""
    return 0.5 * float(np.sqrt(2 * p * (1 - p) / (np.pi * n)).sum()) + 5 * 0.5 / np.sqrt(n)


def exact_replicas(ladder: tempering.Ladder, n: int) -> torch.Tensor:
    """(K, n, V): states of every rung drawn from its own p(v)."""
    draw = np.random.default_rng(11)
    states = np.array(oracles.states(ladder[0].n_visible), np.float32)
    rungs = [states[draw.choice(len(states), n, p=table(rbm) / table(rbm).sum())] for rbm in ladder]
    return torch.from_numpy(np.stack(rungs))


def tiny_ladder(shape: tuple[int, int]) -> tempering.Ladder:
    path = tempering.temperature_path(model(1, shape, 1.5), torch.zeros(shape[0]))
    return tuple(path(t) for t in (0.0, 0.4, 0.7, 1.0))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_rung_stays_at_its_own_law(shape: tuple[int, int]) -> None:
    n, ladder, rng = 30_000, tiny_ladder(shape), Rng(3, "temper")
    replicas = tempering.replicas_at(exact_replicas(ladder, n))
    for _ in range(4):
        replicas, _ = tempering.temper(ladder, replicas, rng)
    for rbm, v in zip(ladder, replicas.v, strict=True):
        assert total_variation(v, table(rbm)) < bound(table(rbm), n)


def test_an_exchange_that_forgets_half_of_its_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    n, ladder, rng = 30_000, tiny_ladder((4, 4)), Rng(3, "temper")

    def half(ladder: tempering.Ladder, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ahead, behind = honest(ladder, v)
        return ahead, torch.zeros_like(behind)

    honest = tempering.differences
    monkeypatch.setattr(tempering, "differences", half)
    replicas = tempering.replicas_at(exact_replicas(ladder, n))
    for _ in range(4):
        replicas, _ = tempering.temper(ladder, replicas, rng, sweeps=0)
    worst = max(
        total_variation(v, table(rbm)) / bound(table(rbm), n)
        for rbm, v in zip(ladder, replicas.v, strict=True)
    )
    assert worst > 2


def two_modes(n_visible: int = 10, n_hidden: int = 8, weight: float = 2.0) -> RBM:
    """All units on or all off, equally likely, with nothing in between that a plain chain would pass."""
    W = torch.full((n_visible, n_hidden), weight)
    vbias = torch.full((n_visible,), -weight * n_hidden / 2)
    hbias = torch.full((n_hidden,), -weight * n_visible / 2)
    return RBM(W, vbias, hbias)


def units_on(rbm: RBM) -> np.ndarray:
    """p(number of visible units on), exact, (V + 1,)."""
    states = torch.tensor(oracles.states(rbm.n_visible), dtype=torch.float64)
    p = torch.softmax(-rbm.free_energy(states.float()).double(), 0)
    return np.bincount(states.sum(1).long().numpy(), p.numpy(), rbm.n_visible + 1)


def away_from(v: torch.Tensor, p: np.ndarray) -> float:
    """The total variation between the numbers of units on in v (N, V) and p (V + 1,)."""
    found = np.bincount(v.sum(1).long().numpy(), minlength=len(p)) / len(v)
    return 0.5 * float(np.abs(found - p).sum())


def bent_past(rbm: RBM) -> list[RBM]:
    """Models on the way to this one, none on the straight line to it; turning all units over changes no energy."""
    away = torch.from_numpy(np.random.default_rng(6).normal(0, 0.2, tuple(rbm.W.shape))).float()
    weights = [t * rbm.W + t * (1 - t) * away for t in (0.05, 0.15, 0.4, 0.7)]
    return [RBM(W, -W.sum(1) / 2, -W.sum(0) / 2) for W in weights]


@pytest.mark.parametrize("along", ["temperatures", "trajectory"])
def test_tempering_reaches_both_modes_from_one_and_plain_chains_do_not(along: str) -> None:
    rbm, n, rounds = two_modes(), 300, 240
    exact = units_on(rbm)
    assert exact[:5].sum() == pytest.approx(0.5, abs=0.01)
    path = tempering.temperature_path(rbm, torch.zeros(rbm.n_visible))
    if along == "trajectory":
        path = tempering.trajectory_path([*bent_past(rbm), rbm])
    ladder = tuple(path(t) for t in tempering.place_rungs(path, Rng(0, "place")))
    bad = torch.ones(len(ladder), n, rbm.n_visible)
    replicas, rng = tempering.replicas_at(bad), Rng(1, "temper")
    for _ in range(rounds):
        replicas, _ = tempering.temper(ladder, replicas, rng)
    assert away_from(replicas.v[-1], exact) < bound(exact, n)
    assert int(replicas.round_trips.sum()) > n
    plain = gibbs.sweep(rbm, gibbs.from_images(rbm, bad[-1]), Rng(1, "plain"), rounds * len(ladder))
    assert away_from(plain.v, exact) > 2 * bound(exact, n), (
        "plain chains mix here too, so the test says nothing"
    )


def test_walks_keep_their_origins_and_trips_are_counted_once() -> None:
    ladder = tiny_ladder((4, 3))
    replicas, rng = tempering.replicas_at(exact_replicas(ladder, 50)), Rng(2, "temper")
    trips = replicas.round_trips
    for _ in range(60):
        replicas, exchange = tempering.temper(ladder, replicas, rng)
        assert (replicas.origin.sort(0).values == torch.arange(4)[:, None]).all(), (
            "a permutation of the walks"
        )
        assert (replicas.round_trips - trips <= 1).all()
        assert not exchange.accepted[~exchange.proposed].any()
        trips = replicas.round_trips
    assert int(trips.sum()) > 0


def test_rungs_are_placed_where_neighbours_exchange_in_three_of_ten_cases() -> None:
    rng = np.random.default_rng(4)
    W = rng.normal(0, 0.5, (60, 20))
    rbm = RBM.from_numpy(W, rng.normal(0, 0.5, 60), rng.normal(0, 0.5, 20))
    path = tempering.temperature_path(rbm, torch.zeros(60))
    ladder = tuple(path(t) for t in tempering.place_rungs(path, Rng(0, "place")))
    work = Tempered(ladder, n_ladders=200, settle=40, seed=1)
    work.advance(120)
    rate = work.result().acceptance
    assert len(ladder) >= 4
    # The last pair may stand closer together; none may be so far apart that walks stop there.
    assert ((rate[:-1] > 0.15) & (rate[:-1] < 0.5)).all(), rate
    assert rate[-1] > 0.15


def past(rbm: RBM, seed: int) -> list[RBM]:
    """Models on the way to this one, none of them on a straight line to it."""
    rng = np.random.default_rng(seed)
    away = torch.from_numpy(rng.normal(0, 0.2, tuple(rbm.W.shape)).astype(np.float32))
    return [RBM(t * rbm.W + t * (1 - t) * away, rbm.vbias, t * rbm.hbias) for t in (0.1, 0.4, 0.7)]


@pytest.mark.slow
@pytest.mark.parametrize("along", ["temperatures", "trajectory"])
@pytest.mark.parametrize("shape", [(7, 5), (6, 6)])
def test_log_z_of_the_ladder_covers_the_exact_one(shape: tuple[int, int], along: str) -> None:
    away = []
    for seed in range(SEEDS):
        rbm = model(seed, shape, 1.2)
        path = tempering.temperature_path(rbm, torch.zeros(shape[0]))
        if along == "trajectory":
            path = tempering.trajectory_path([*past(rbm, seed), rbm])
        ladder = tuple(path(t) for t in (0.0, 0.5, 1.0))
        found = ladder_log_z(ladder, n_ladders=20, rounds=40, settle=15, seed=seed)
        away.append((found.log_z - exact_log_z(rbm)) / found.stderr)
    check_bars(away)


@pytest.mark.slow
def test_log_z_of_placed_rungs_covers_the_exact_one_of_a_trained_model() -> None:
    config = make_config(
        dataset="bars-and-stripes",
        n_hidden=18,
        n_chains=30,
        batch_size=30,
        updates=5000,
        learning_rate=0.2,
        n_valid=0,
        device="cpu",
        precision="float32",
    )
    training = Training(config, load("bars-and-stripes", n_valid=0))
    while not training.finished:
        training.update()
    rbm = training.rbm
    exact = exact_log_z(rbm)
    path = tempering.temperature_path(rbm, base_rate(rbm))
    ladder = tuple(map(path, tempering.place_rungs(path, Rng(0, "place"))))
    assert len(ladder) > 3
    found = [ladder_log_z(ladder, n_ladders=20, rounds=100, settle=100, seed=seed) for seed in range(SEEDS)]
    check_bars([(one.log_z - exact) / one.stderr for one in found])


def check_bars(away: list[float]) -> None:
    """Errors in units of their own bars: neither larger nor, by a bar that is too wide, much smaller than one."""
    assert len(away) == SEEDS
    # Nominal 95 %: fewer than 19 of 24 has a probability of 0.1 %; a bar half as wide covers 68 %, 16 of 24.
    assert np.sum(np.abs(away) < 2) >= 19, away
    # The sum of 24 squares lies below 8.1 with a probability of 0.1 %; a bar twice as wide gives 6.
    assert np.sum(np.square(away)) > 8.1, away


def test_bennett_without_a_chain_is_bennett_of_the_others() -> None:
    rng = np.random.default_rng(8)
    ahead, behind = rng.normal(1.0, 1.4, (40, 12)), rng.normal(-1.0, 1.4, (40, 12))
    whole, without = bennett(ahead, behind)
    direct = [bennett(np.delete(ahead, n, 1), np.delete(behind, n, 1))[0] for n in range(12)]
    assert np.abs(without - direct).max() < 0.05 * np.abs(np.array(direct) - whole).max()


def test_trajectory_begins_at_independent_pixels_and_ends_at_the_last_model() -> None:
    models = [model(seed, (4, 3)) for seed in (1, 2)]
    path = tempering.trajectory_path(models)
    assert not path(0.0).W.any()
    assert path(0.5) is models[0]
    assert path(1.0) is models[1]
    between = path(0.75)
    assert torch.allclose(between.W, (models[0].W + models[1].W) / 2)
    ladder = tuple(path(t) for t in (0.0, 0.5, 0.75, 1.0))
    found = ladder_log_z(ladder, n_ladders=20, rounds=400, settle=50, seed=1)
    assert abs(found.log_z - exact_log_z(models[1])) < 4 * found.stderr + 1e-3
    assert found.log_z_rungs[0] == pytest.approx(independent_log_z(ladder[0]))


def test_ladders_that_do_not_fit_say_what_is_wrong() -> None:
    with pytest.raises(ShapeError, match=r"equal layers, got \(4, 3\) and \(5, 3\)"):
        tempering.trajectory_path([model(1, (4, 3)), model(1, (5, 3))])
    with pytest.raises(ShapeError, match="as many rungs, got 4"):
        tempering.temper(tiny_ladder((4, 3)), tempering.replicas_at(torch.zeros(3, 2, 4)), Rng(0, "x"))
    with pytest.raises(ValueError, match="no weights"):
        independent_log_z(model(1, (4, 3)))
    with pytest.raises(ValueError, match="n_ladders ≥ 2"):
        ladder_log_z(tiny_ladder((4, 3)), n_ladders=1)
    with pytest.raises(ValueError, match="no round counts yet"):
        ladder_log_z(tiny_ladder((4, 3)), rounds=0)


def test_ladders_that_were_saved_go_on_bit_for_bit() -> None:
    ladder = tiny_ladder((4, 3))
    whole, begun = Tempered(ladder, settle=5, seed=3), Tempered(ladder, settle=5, seed=3)
    whole.advance(40)
    begun.advance(17)
    resumed = Tempered(ladder, settle=5, seed=4)
    resumed.load_state_dict(*begun.state_dict())
    resumed.advance(23)
    assert resumed.result().log_z == whole.result().log_z
    assert torch.equal(resumed.replicas.v, whole.replicas.v)
    with pytest.raises(ValueError, match="other rungs or chains"):
        Tempered(ladder, n_ladders=7).load_state_dict(*begun.state_dict())
