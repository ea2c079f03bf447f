"""The error bars of both directions of AIS cover the exact log Z as often as they say."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from rbm_core.likelihood.ais import (
    ais,
    base_rate,
    prepare_ais,
    reverse_ais,
)
from rbm_core.likelihood.annealing import AISResult
from rbm_core.likelihood.exact import (
    exact_log_z,
)
from rbm_core.rbm import RBM
from tests.core.likelihood_models import model


def coverage(results: Sequence[AISResult], truth: float) -> dict[int, float]:
    """The share of the runs whose error bar, times 1 and times 2, holds the truth."""
    z = np.array([(r.log_z - truth) / r.stderr for r in results])
    return {width: float((np.abs(z) < width).mean()) for width in (1, 2)}


def is_nominal(covered: dict[int, float], n: int) -> bool:
    """Within 3.5 binomial standard errors of 68.3 % and 95.4 %; false alarms for about one seed in a
    thousand.
    """
    nominal = {1: 0.6827, 2: 0.9545}
    return all(abs(covered[w] - p) < 3.5 * math.sqrt(p * (1 - p) / n) for w, p in nominal.items())


N_RUNS = 150


def repeated(estimate: Callable[[int], AISResult]) -> list[AISResult]:
    return [estimate(seed) for seed in range(N_RUNS)]


@pytest.mark.slow
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian", "learned"])
@pytest.mark.parametrize("direction", [ais, reverse_ais])
def test_error_bars_cover_the_truth_as_often_as_they_say(
    visible: str, direction: Callable[..., AISResult]
) -> None:
    rbm = model(7, spread=1.0 if visible == "bernoulli" else 0.3, visible=visible)
    base = base_rate(rbm)
    found = repeated(lambda seed: direction(rbm, betas=40, base_vbias=base, seed=seed, precision="float32"))
    covered = coverage(found, exact_log_z(rbm))
    assert is_nominal(covered, N_RUNS), covered


@pytest.mark.slow
@pytest.mark.parametrize("direction", [ais, reverse_ais])
def test_error_bars_of_flip_driven_chains_cover_the_truth_too(direction: Callable[..., AISResult]) -> None:
    """Over steps of which the first are long and the others short enough for one exponential a unit."""
    rbm, betas = model(7), np.concatenate([np.linspace(0, 0.9, 20), np.linspace(0.9, 1, 30)[1:]])
    base = base_rate(rbm)
    found = repeated(
        lambda seed: direction(rbm, betas=betas, base_vbias=base, seed=seed, precision="differences")
    )
    covered = coverage(found, exact_log_z(rbm))
    assert is_nominal(covered, N_RUNS), covered


def test_the_same_check_fails_for_biased_estimators() -> None:
    rbm = model(7, spread=1.5)
    base, truth = base_rate(rbm), exact_log_z(rbm)
    honest = repeated(lambda seed: ais(rbm, betas=8, base_vbias=base, seed=seed, precision="float32"))
    assert is_nominal(coverage(honest, truth), N_RUNS)

    def mean_of_logs(result: AISResult) -> AISResult:
        spread = result.log_weights.std() / math.sqrt(len(result.log_weights))
        return AISResult(result.log_weights.mean(), spread, result.ess, result.log_weights)

    assert not is_nominal(coverage([mean_of_logs(r) for r in honest], truth), N_RUNS)

    # A kernel that forgets the hidden biases does not leave the intermediate models invariant.
    forgetful = RBM(rbm.W, rbm.vbias, torch.zeros_like(rbm.hbias))

    def broken(seed: int) -> AISResult:
        annealing = prepare_ais(rbm, betas=8, base_vbias=base, seed=seed, precision="float32")
        (part,) = annealing._parts
        for k in range(8):
            beta, following = annealing.betas[k : k + 2]
            part.weigh_and_draw_h(beta, following)
            annealing._v.copy_(
                (
                    forgetful.mean_v_from_h(
                        forgetful.sample_h_from_v(annealing._v, part.rng, following), following
                    )
                ).bernoulli()
            )
            annealing._field.copy_(annealing._fields())
        return annealing.result()

    torch.manual_seed(0)
    assert not is_nominal(coverage(repeated(broken), truth), N_RUNS)
