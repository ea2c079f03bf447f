"""Forward and reverse AIS hold the exact log Z between them, and the verdict trusts only what agrees."""

import math

import numpy as np
import pytest
import torch

from rbm_core.likelihood.ais import (
    Bracket,
    ais,
    base_rate,
    reverse_ais,
    sweeps,
)
from rbm_core.likelihood.annealing import AISResult
from rbm_core.likelihood.exact import (
    exact_log_z,
)
from rbm_core.rbm import RBM
from tests.core.likelihood_models import model, two_modes

MODELS = {
    "zero weights": lambda: RBM.from_numpy(np.zeros((8, 4)), np.linspace(-2, 2, 8), np.linspace(-1, 1, 4)),
    "one unit a side": lambda: RBM.from_numpy(np.array([[1.5]]), np.array([-0.5]), np.array([0.3])),
    "two far modes": lambda: two_modes(3.0),
    "large weights": lambda: model(8, 10, 5, 6.0),
    "more hidden than visible": lambda: model(9, 5, 20),
    "as many hidden as visible": lambda: model(9, 9, 9),
    "too many of each for a table": lambda: model(9, 18, 18, 0.5),
    "twenty hidden units": lambda: model(10, 40, 20, 0.3),
    "gaussian": lambda: model(11, spread=0.3, visible="gaussian"),
    "learned variances": lambda: model(11, spread=0.3, visible="learned"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_bracket_holds_exact_log_z(name: str) -> None:
    rbm = MODELS[name]()
    truth = exact_log_z(rbm)
    brackets = [
        Bracket(*(run(rbm, betas=500, seed=seed, precision="float32") for run in (ais, reverse_ais)))
        for seed in range(8)
    ]
    # Two standard errors to either side and a gap between: each holds it with 95 % or more.
    held = [b.lower - 1e-3 <= truth <= b.upper + 1e-3 for b in brackets]
    assert sum(held) >= 7, [(b.lower, truth, b.upper) for b in brackets]
    assert np.mean([b.log_z for b in brackets]) == pytest.approx(truth, abs=0.02)


@pytest.mark.slow
def test_activations_of_a_thousand_neither_overflow_nor_mislead() -> None:
    rbm = RBM.from_numpy(np.full((4, 3), 1e3), np.full(4, -1.5e3), np.full(3, -2e3))
    truth = exact_log_z(rbm)  # two states at 0: all off, all on at 12e3 − 6e3 − 6e3
    assert truth == pytest.approx(math.log(2), abs=1e-3)
    for run in (ais, reverse_ais):
        result = run(rbm, betas=2000, n_chains=200, base_vbias=torch.zeros(4))
        assert np.isfinite(result.log_weights).all()
        assert result.log_z == pytest.approx(truth, abs=max(1.0, 4 * result.stderr))


def test_zero_weights_leave_no_doubt_at_all() -> None:
    rbm = MODELS["zero weights"]()
    result = ais(rbm, betas=10, base_vbias=rbm.vbias, n_chains=10, precision="float64")
    assert result.log_z == pytest.approx(exact_log_z(rbm), abs=1e-12)
    assert result.stderr < 1e-12
    assert result.ess == pytest.approx(10)


def test_forward_errs_downwards_and_reverse_upwards_when_rushed() -> None:
    rbm = model(7, spread=3.0)
    base, truth = torch.zeros(12), exact_log_z(rbm)
    options = {"betas": 2, "n_chains": 5, "base_vbias": base, "precision": "float32"}
    below = np.array([ais(rbm, seed=seed, **options).log_z - truth for seed in range(60)])
    above = np.array([reverse_ais(rbm, seed=seed, **options).log_z - truth for seed in range(60)])
    assert below.mean() < -3 * below.std() / math.sqrt(60)
    assert above.mean() > 3 * above.std() / math.sqrt(60)


def result_of(log_weights: list[float], direction: str = "forward") -> AISResult:
    return AISResult.from_log_weights(np.array(log_weights), 100, direction)  # type: ignore[arg-type]


def test_the_verdict_trusts_only_what_agrees_with_many_chains() -> None:
    rng = np.random.default_rng(0)
    calm = rng.normal(10, 0.1, 100)
    good = Bracket(result_of(calm), result_of(calm + 0.05, "reverse"))
    assert good.trusted
    assert good.verdict.startswith("Trust it")
    wide_gap = Bracket(result_of(calm), result_of(calm + 3, "reverse"))
    assert wide_gap.verdict.startswith("Do not trust it: forward and reverse AIS are 3.0 nats apart")
    wild = rng.normal(10, 6, 100)
    few = Bracket(result_of(wild), result_of(calm + result_of(wild).log_z - 10, "reverse"))
    assert "forward chains carry the weight" in few.verdict
    assert not few.trusted
    crossed = Bracket(result_of(calm), result_of(calm - 0.6, "reverse"))
    assert "did not begin at samples of the model" in crossed.verdict
    assert not Bracket(result_of([math.nan] * 4), result_of([1.0] * 4, "reverse")).trusted


def test_reverse_chains_that_miss_a_mode_are_found_out() -> None:
    # Forward chains find both modes; all reverse ones begin in the smaller, which half of the base leads to.
    rbm = two_modes(4.0, tilt=3.0)
    options = {"betas": 200, "n_chains": 400, "precision": "float32", "base_vbias": torch.zeros(12)}
    forward = ais(rbm, **options)
    assert Bracket(forward, reverse_ais(rbm, **options)).trusted
    misled = Bracket(forward, reverse_ais(rbm, starts=sweeps(rbm, torch.zeros(400, 12), 5), **options))
    assert misled.gap < -0.3
    assert not misled.trusted


@pytest.mark.slow
def test_bennetts_estimate_lies_between_and_is_the_sharpest() -> None:
    rbm = model(7, spread=1.5)
    base, truth = base_rate(rbm), exact_log_z(rbm)
    errors: dict[str, list[float]] = {"forward": [], "reverse": [], "both": []}
    for seed in range(60):
        f, r = (
            run(rbm, betas=20, base_vbias=base, seed=seed, precision="float32") for run in (ais, reverse_ais)
        )
        errors["forward"].append(f.log_z - truth)
        errors["reverse"].append(r.log_z - truth)
        errors["both"].append(Bracket(f, r).log_z - truth)
    rms = {name: float(np.sqrt(np.mean(np.square(e)))) for name, e in errors.items()}
    assert rms["both"] < min(rms["forward"], rms["reverse"]), rms
