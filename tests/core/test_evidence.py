"""The verdict on log Z: what agrees and what does not, on models made to deceive and on ordinary ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rbm_core import tempering
from rbm_core.likelihood.ais import Bracket
from rbm_core.likelihood.annealing import AISResult
from rbm_core.likelihood.evidence import Evidence, Verdict, judge, origins, parallel_tempered
from rbm_core.likelihood.exact import exact_log_z
from tests.core.likelihood_models import model, two_modes
from tests.core.verdict_models import DECEIVING, ORDINARY


def judged(**changed: Evidence) -> Verdict:
    """The verdict on six sound estimates of 10 nats, with some of them exchanged, by origin."""
    normal = np.random.default_rng(0).normal(10, 0.1, 100)
    forward, reverse = (AISResult.from_log_weights(normal, 100, way) for way in ("forward", "reverse"))
    evidence = [
        Evidence.of(forward if method == "forward" else reverse, origin)
        for method, origin in origins(True, True)
    ]
    return Verdict.of(
        Bracket(forward, reverse), [changed.get(e.origin.replace("-", "_"), e) for e in evidence]
    )


def an(method: str, origin: str, log_z: float, *, ess: float = 40) -> Evidence:
    return Evidence(method, origin, log_z, 0.1, ess, 50)  # type: ignore[arg-type]


def test_agreement_is_trusted_and_says_whose_it_is() -> None:
    verdict = judged()
    assert verdict.trusted
    assert verdict.sentence.startswith("Trust it: 7 estimates lie within 0.0")
    assert (
        "from the run's own chains, annealed samples, data, after many sweeps and samples" in verdict.sentence
    )
    assert verdict.sentence.endswith("A mode that none of these enters no method sees.")


@pytest.mark.parametrize(
    "other",
    [
        an("forward", "coins", 11),
        an("forward", "coins", 9),
        an("reverse", "data", 11),
        an("reverse", "tempered", 9),
    ],
)
def test_one_estimate_that_differs_is_enough_for_doubt(other: Evidence) -> None:
    verdict = judged(**{other.origin: other})
    assert not verdict.trusted
    assert verdict.sentence.startswith(f"Do not trust it: {other.words} lies 1.0 nats")


def test_two_others_on_either_side_of_what_is_believed_are_no_contradiction() -> None:
    assert judged(coins=an("forward", "coins", 9.7), tempered=an("reverse", "tempered", 10.3)).trusted
    assert not judged(coins=an("forward", "coins", 9.7), tempered=an("reverse", "tempered", 10.6)).trusted
    two = judged(data_means=an("forward", "data-means", 9.4))
    assert two.sentence.startswith(
        "Do not trust it: reverse AIS from the run's own chains lies 0.6 nats above"
    )


def test_a_weak_estimate_says_nothing_unless_it_errs_against_its_direction_or_began_elsewhere() -> None:
    low = judged(coins=an("forward", "coins", 3, ess=2))
    assert low.trusted
    assert "Not counted: only 2 of 50 chains of forward AIS from coin tosses" in low.sentence
    assert not judged(coins=an("forward", "coins", 17, ess=2)).trusted
    # Chains that begin in a well which the others never enter end with a few weights and too high a log Z.
    assert not judged(data=an("reverse", "data", 17, ess=2)).trusted
    assert judged(data=an("reverse", "data", 10.2, ess=2)).trusted


def test_the_record_says_which_estimates_lie_apart_from_the_others() -> None:
    verdict = judged(
        data_means=an("forward", "data-means", 10, ess=2),  # a doubt, but not that it differs
        coins=an("forward", "coins", 17, ess=2),
        own_means=an("forward", "own-means", 3, ess=2),  # weak, and as it errs
        tempered=an("reverse", "tempered", 9),
    )
    record = {one["origin"]: one for one in verdict.record()}
    assert {origin for origin, one in record.items() if one["differs"]} == {"coins", "tempered"}
    assert {origin for origin, one in record.items() if one["doubt"]} == {"data-means", "coins", "tempered"}


def test_two_bases_and_two_starts_must_be_left() -> None:
    weak = {name.replace("-", "_"): an("forward", name, 8, ess=2) for name in ("coins", "own-means")}
    assert "no two bases of forward AIS could be compared" in judged(**weak).sentence


@pytest.mark.parametrize("ess", [2, 9])
def test_few_chains_in_effect_are_never_trusted(ess: float) -> None:
    verdict = judged(data_means=an("forward", "data-means", 10, ess=ess))
    assert f"only {ess} of 50 chains of forward AIS from pixels with the data's means" in verdict.sentence
    assert not verdict.trusted


def test_where_chains_are_too_few_more_of_them_are_advised_and_not_more_temperatures() -> None:
    few = judged(data_means=replace(an("forward", "data-means", 10, ess=9.9), chains=10)).sentence
    assert "only 9 of 10 chains of forward AIS" in few
    assert few.endswith("Try more chains.")
    many = judged(data_means=an("forward", "data-means", 10, ess=2)).sentence
    assert many.endswith("Try more temperatures, or adaptive ones.")


def test_an_estimate_that_is_not_finite_is_not_trusted() -> None:
    assert not judged(data_means=an("forward", "data-means", math.nan)).trusted
    assert not judged(data=replace(an("reverse", "data", math.inf), stderr=math.inf)).trusted


def test_tempered_samples_have_the_law_of_the_model() -> None:
    rbm = two_modes(1.0, 20, tilt=1.0)
    v = parallel_tempered(rbm, 150, base=torch.zeros(20))
    share = float((v.mean(1) > 0.5).float().mean())
    # ten ladders, whose states of twenty rounds are not independent
    assert abs(share - 1 / (1 + math.exp(-1.0))) < 4 * math.sqrt(0.2 / 30)


def test_states_of_one_ladder_that_resemble_each_other_widen_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    stuck, free = np.tile(rng.normal(0, 0.5, 10), 5), rng.normal(0, 0.5, 50)
    bars = []
    for log_weights in (stuck, free):
        result = AISResult.from_log_weights(log_weights, 100, "reverse")
        bars.append(Evidence.of(result, "tempered").stderr / result.stderr)
        assert Evidence.of(result, "annealed").stderr == result.stderr
    assert bars[0] == pytest.approx(5**0.5, rel=0.2), "ten ladders of five equal states"
    assert 1 <= bars[1] < 1.6
    monkeypatch.setattr(tempering, "temper", lambda ladder, replicas, *rest, **options: (replicas, None))
    still = parallel_tempered(model(1, 20), 25, base=torch.zeros(20))
    assert torch.equal(still[:10], still[10:20])
    assert torch.equal(still[:5], still[20:])
    assert not torch.equal(still[0], still[1])


def test_the_same_question_has_the_same_answer() -> None:
    rbm = model(3, 30, 17)
    data = (torch.arange(90).reshape(3, 30) % 7 < 3).float()
    one, again = (judge(rbm, data=data, particles=data, betas=50, n_chains=20, seed=5) for _ in range(2))
    assert one == again


@pytest.mark.slow
def test_models_that_deceive_are_not_trusted_and_ordinary_ones_are() -> None:
    """False trust: believed and off by more than half a nat. Every mode is entered by some of the data."""
    deceived, alarmed = [], []
    for name, make in (DECEIVING | ORDINARY).items():
        case = make()
        verdict = judge(
            case.rbm, data=case.data, particles=case.particles, betas=500, precision="differences"
        )
        off = verdict.log_z - exact_log_z(case.rbm)
        if verdict.trusted and abs(off) > 0.5:
            deceived.append((name, off, verdict.sentence))
        if name in ORDINARY and not verdict.trusted:
            alarmed.append((name, off, verdict.sentence))
    assert len(DECEIVING) >= 16
    assert len(DECEIVING) + len(ORDINARY) >= 40
    assert len(deceived) <= 1, deceived
    assert len(alarmed) <= 0.1 * len(ORDINARY), alarmed


@pytest.mark.slow
def test_without_data_the_same_models_do_deceive() -> None:
    """Forward and reverse AIS that both follow an annealing agree on the mode that it finds."""
    names = ("few or all on", "few or all on, of 90")
    trusted = 0
    for name in names:
        rbm = DECEIVING[name]().rbm
        one = judge(rbm, betas=500, precision="differences").evidence[:2]
        truth = exact_log_z(rbm)
        trusted += not one[0].apart(one[1]) and all(e.log_z < truth - 0.5 for e in one)
    assert trusted == len(names)
