"""log Z while a model learns: the estimate and its error bar follow the exact value within their share of work."""

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.likelihood.ais import (
    base_rate,
)
from rbm_core.likelihood.exact import (
    exact_log_likelihood,
    exact_log_z,
    exact_samples,
)
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.rbm import RBM
from rbm_core.training import snapshot_schedule
from tests.core.likelihood_models import model


def growing(t: float) -> RBM:
    """A model on its way from hardly any weights to large ones."""
    start, end = model(18, 20, 14, 0.01), model(19, 20, 14, 1.0)
    pairs = ((getattr(start, name), getattr(end, name)) for name in ("W", "vbias", "hbias"))
    return RBM(*(a + t * (b - a) for a, b in pairs))


def data() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 2, (200, 20)).astype(np.float32))


def mean_energy(rbm: RBM) -> float:
    return float(rbm.free_energy(data()).mean())


UPDATES, ROWS = 40_000, 1300


MOMENTS = [UPDATES * k // 200 for k in range(201)]


def watched() -> OnlineLogZ:
    return OnlineLogZ(growing(0.0), MOMENTS, ROWS, base_vbias=base_rate(growing(0.0)), seed=1)


def anchors(online: OnlineLogZ) -> list[int]:
    return [step for step, _ in online.state()["_passed"]]


@pytest.mark.slow
def test_the_online_estimate_follows_a_model_that_learns() -> None:
    online, inside = watched(), []
    for k in range(201):
        rbm = growing(k / 200)
        seen = online.observe(rbm, mean_energy(rbm), k * UPDATES // 200)
        if seen is not None:
            inside.append(abs(seen[0] - exact_log_z(rbm)) < 3 * seen[1])
    assert len(inside) > 190
    assert sum(inside) >= 0.95 * len(inside), inside
    assert anchors(online)[-1] == UPDATES


def test_the_online_estimate_goes_on_from_its_first_anchor_as_it_came_from_step_0() -> None:
    """Without step 0 the likelihood stands still until a second anchor; with it, it keeps falling here."""

    def gained(steps: tuple[int, ...]) -> float:
        online, likelihoods = watched(), []
        for step in steps:
            rbm = growing(0.5 if step else 0.0)
            seen = online.observe(rbm, mean_energy(rbm), step)
            likelihoods.append(math.nan if seen is None else -mean_energy(rbm) - seen[0])
        return likelihoods[-1] - likelihoods[-2]

    assert gained((200, 390)) == 0
    lost = [float(exact_log_likelihood(growing(t), data()).mean()) for t in (0.0, 0.5)]
    expected = 0.75 * (lost[1] - lost[0]) / math.log(200) * math.log(390 / 200)
    assert gained((0, 200, 390)) == pytest.approx(expected, rel=0.1)


@pytest.mark.slow
def test_the_online_error_bar_grows_until_an_anchor_and_learns_from_it() -> None:
    def bars(way: Callable[[int], RBM]) -> list[float]:
        online, seen = watched(), []
        for step in range(200, UPDATES + 1, 100):
            rbm = way(step)
            estimate = online.observe(rbm, mean_energy(rbm), step)
            assert estimate is not None
            seen.append(estimate[1])
        at = [(step - 200) // 100 for step in anchors(online)]
        for start, end in itertools.pairwise(at):
            assert seen[start:end] == sorted(seen[start:end])
            assert seen[end - 1] > seen[start]
        return [seen[end - 1] for end in at[3:]]

    still, jumping = (
        bars(way) for way in (lambda step: growing(0.0), lambda step: growing(step // 4000 % 2))
    )
    assert np.mean(jumping) > 2 * np.mean(still), "a model that surprises is known less between two anchors"


@pytest.mark.parametrize("updates", [20, 1000, UPDATES, 4_000_000])
@pytest.mark.parametrize("kept", [4, 64])
def test_the_online_estimate_anneals_at_kept_moments_within_its_share_of_counted_work(
    updates: int, kept: int
) -> None:
    moments = snapshot_schedule(updates, kept)
    plan = OnlineLogZ(growing(0.0), moments, ROWS, base_vbias=base_rate(growing(0.0))).plan
    assert max(plan) == updates
    assert set(plan) <= set(moments) - {0}
    work = 0.04 * updates * (ROWS * 20 * 14 + 1.1e8)
    assert sum(plan.values()) * (120 * 20 * 14 + 2e6) <= work


def test_a_run_too_short_to_afford_an_annealing_is_not_judged() -> None:
    rbm = RBM.from_numpy(np.zeros((784, 500)), np.zeros(784), np.zeros(500))
    online = OnlineLogZ(rbm, [0, 1], 5, base_vbias=rbm.vbias)
    assert online.plan == {}
    assert online.observe(rbm, 0.0, 1) is None


def test_the_run_s_own_chains_show_the_online_estimate_a_mode_that_annealing_hardly_enters() -> None:
    """One unit that, once on, draws 20 dark pixels on: 88 % of the mass, behind a wall at every lower temperature."""
    W, vbias, hbias = np.zeros((20, 14)), np.full(20, -2.0), np.zeros(14)
    W[:, 0] = 4.0
    hbias[0] = 2 - 20 * (np.logaddexp(0, 2) - np.logaddexp(0, -2))
    rbm = RBM.from_numpy(W, vbias, hbias)
    truth, off = exact_log_z(rbm), []
    for seed in range(6):
        particles = exact_samples(rbm, 100, Rng(seed, "particles")).float()
        pair = []
        for starts in (None, particles):
            online = OnlineLogZ(rbm, [60], ROWS, base_vbias=rbm.vbias, seed=seed)
            seen = online.observe(rbm, 0.0, 60, particles=starts)
            assert seen is not None
            pair.append(abs(seen[0] - truth))
        off.append(pair)
    alone, beside = np.mean(off, 0)
    assert alone > 1.5
    assert beside < 0.5


@pytest.mark.slow
def test_the_online_estimate_times_no_precision_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[object] = []
    online, rbm = watched(), growing(1.0)
    monkeypatch.setattr("rbm_core.likelihood.annealing.pick_precision", lambda *shape: timed.append(shape))
    particles = torch.zeros(200, rbm.n_visible)
    for step in (0, MOMENTS[-1]):
        online.observe(rbm, mean_energy(rbm), step, particles=particles, precision="float32")
    assert anchors(online)
    assert not timed, "what a run records would depend on a clock"


@pytest.mark.slow
def test_the_online_estimate_goes_on_exactly_from_its_state() -> None:
    through, stopped = watched(), watched()
    for k in range(30):
        rbm = growing(k / 30)
        if k == 17:
            resumed = watched()
            resumed.load(json.loads(json.dumps(stopped.state())))
            stopped = resumed
        pair = [online.observe(rbm, mean_energy(rbm), k * 1000) for online in (through, stopped)]
        assert pair[0] == pair[1]
    assert len(anchors(through)) > 5


@pytest.mark.parametrize("n_hidden", [14, 12])
def test_a_model_that_blows_up_has_no_online_estimate_and_stops_nothing(n_hidden: int) -> None:
    rbm = model(3, 20, n_hidden)
    online = OnlineLogZ(rbm, [1], ROWS, base_vbias=rbm.vbias)
    rbm.W[0, 0] = math.nan
    assert online.observe(rbm, mean_energy(rbm), 1) is None


@pytest.mark.parametrize("shape", [(20, 12), (12, 20), (12, 12)])
def test_a_model_that_can_be_enumerated_is_not_estimated(shape: tuple[int, int]) -> None:
    rbm = model(3, *shape)
    assert OnlineLogZ(rbm, [1], 1, base_vbias=rbm.vbias).observe(rbm, 0.0, 0) == (
        pytest.approx(exact_log_z(rbm)),
        0.0,
    )


@pytest.mark.parametrize(("visible", "reached"), [("bernoulli", False), ("gaussian", True)])
def test_a_line_that_leads_above_a_chance_of_1_is_no_estimate(visible: str, reached: bool) -> None:
    """A density may exceed 1, so the likelihood of real units has no such bound."""
    rbm = model(3, 20, 14, 0.01, visible)
    online = OnlineLogZ(rbm, [UPDATES], ROWS, base_vbias=rbm.vbias)
    seen = {}
    for step in (410, 4000):
        online.load({"_step": 400, "_passed": [[200, -200.0], [400, -50.0]]})
        seen[step] = online.observe(rbm, 0.0, step)
    assert seen[410] is not None
    assert (seen[4000] is not None) is reached
