"""log Z from both sides, held to enumeration: over many seeds, on easy and on nasty models, in every
precision.
"""

import itertools
import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from rbm_core.compute import Rng
from rbm_core.likelihood.ais import (
    Bracket,
    adaptive_betas,
    ais,
    base_rate,
    prepare_ais,
    prepare_reverse_ais,
    reverse_ais,
    sweeps,
    temperatures,
    tempered_samples,
)
from rbm_core.likelihood.annealing import AISResult, Annealing
from rbm_core.likelihood.exact import (
    NotTractableError,
    exact_gradient,
    exact_log_likelihood,
    exact_log_z,
    exact_probabilities,
    exact_samples,
)
from rbm_core.likelihood.online import OnlineLogZ
from rbm_core.likelihood.pseudo import pseudo_log_likelihood, stochastic_pseudo_log_likelihood
from rbm_core.rbm import RBM, ShapeError
from rbm_core.training import snapshot_schedule
from tests import oracles


def model(
    seed: int, n_visible: int = 12, n_hidden: int = 6, spread: float = 1.0, visible: str = "bernoulli"
) -> RBM:
    W, b, c = oracles.tiny_model(seed, n_visible, n_hidden, 1.0)
    log_var = np.random.default_rng(seed).normal(0, 0.3, n_visible) if visible == "learned" else None
    kind = "bernoulli" if visible == "bernoulli" else "gaussian"
    return RBM.from_numpy(spread * W, 0.5 * b, 0.5 * c, visible=kind, log_var=log_var)  # type: ignore[arg-type]


def wide(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> RBM:
    return RBM.from_numpy(W, b, c, dtype=torch.float64)


# Enumeration


# More visible units, more hidden units, as many of each: either layer may be the one that is enumerated.
SHAPES = ((4, 3), (3, 5), (3, 3))
FOR_EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (5, 1)])
def test_exact_quantities_equal_brute_force(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(1, *shape)
    rbm = wide(W, b, c)
    assert exact_log_z(rbm) == pytest.approx(oracles.log_z(W, b, c), abs=1e-10)
    v = torch.tensor(oracles.states(shape[0]), dtype=torch.float64)
    np.testing.assert_allclose(exact_log_likelihood(rbm, v).exp(), oracles.p_v(W, b, c), atol=1e-12)


@FOR_EVERY_SHAPE
def test_exact_gradient_equals_the_derivative_of_the_exact_log_likelihood(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(2, *shape)
    weights = np.random.default_rng(0).dirichlet(np.ones(2 ** shape[0]))
    counts = np.round(weights * 1000).astype(int)
    v = torch.tensor(oracles.states(shape[0]), dtype=torch.float64)
    v = v.repeat_interleave(torch.tensor(counts), dim=0)
    found = exact_gradient(wide(W, b, c), v)
    for ours, theirs in zip(
        found.tensors(), oracles.exact_gradient(W, b, c, counts / counts.sum()), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("n_hidden", [1, 3])
@pytest.mark.parametrize("visible", ["gaussian", "learned"])
def test_gaussian_quantities_equal_numerical_integration(visible: str, n_hidden: int) -> None:
    rbm = model(3, 1, n_hidden, 0.8, visible).to(dtype=torch.float64)
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None]
    integral = torch.trapezoid(torch.exp(-rbm.free_energy(grid)), grid[:, 0])
    assert exact_log_z(rbm) == pytest.approx(math.log(integral), abs=1e-9)
    data = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradient = exact_gradient(rbm, data)
    for name, ours in zip(("W", "vbias", "hbias", "log_var"), gradient.tensors(), strict=False):
        theirs = torch.zeros_like(ours)
        for index in np.ndindex(*ours.shape):
            ends = []
            for sign in (1, -1):
                moved = {key: getattr(rbm, key).clone() for key in ("W", "vbias", "hbias")}
                moved["log_var"] = None if rbm.log_var is None else rbm.log_var.clone()
                moved[name][index] += sign * 1e-5
                ends.append(exact_log_likelihood(RBM(**moved, visible="gaussian"), data).mean())
            theirs[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(ours, theirs, atol=1e-8, err_msg=name)


def test_enumeration_holds_at_activations_of_a_thousand() -> None:
    W = np.full((3, 2), 1e3)
    b, c = np.full(3, -1e3), np.zeros(2)
    # Two states tie at the top with v = 1, h = 1 alone at 6e3 − 3e3; all others are e⁻¹⁰⁰⁰ below.
    assert exact_log_z(wide(W, b, c)) == pytest.approx(3e3, rel=1e-12)
    assert exact_log_z(wide(-W, -b, c)) == pytest.approx(3e3, rel=1e-12)


def test_enumeration_counts_in_chunks_what_it_counts_at_once() -> None:
    rbm = model(4, 30, 13)
    states, p = exact_probabilities(rbm)
    assert states.shape == (2**13, 13)
    direct = torch.logsumexp(
        states @ rbm.hbias.double()
        + torch.nn.functional.softplus(states @ rbm.W.double().T + rbm.vbias.double()).sum(1),
        0,
    )
    assert exact_log_z(rbm) == pytest.approx(float(direct), abs=1e-10)
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)


def test_a_model_too_large_to_enumerate_is_refused_with_its_size() -> None:
    with pytest.raises(NotTractableError, match="got 40 visible and 30 hidden; use AIS"):
        exact_log_z(model(0, 40, 30))


def assert_drawn_from(p: np.ndarray, v: torch.Tensor) -> None:
    """The share of each state among the rows of v, in the order of oracles.states, lies within 5 standard errors."""
    places = 2 ** torch.arange(v.shape[1]).flip(0)
    found = torch.bincount((v.long() * places).sum(1), minlength=len(p)).numpy() / len(v)
    assert (np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / len(v))).all()


@FOR_EVERY_SHAPE
def test_exact_samples_follow_p(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(5, *shape)
    assert_drawn_from(oracles.p_v(W, b, c), exact_samples(wide(W, b, c), 40_000, Rng(0, "test")))


@FOR_EVERY_SHAPE
def test_reverse_ais_of_a_small_model_starts_at_exact_samples(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(5, *shape)
    assert_drawn_from(oracles.p_v(W, b, c), tempered_samples(RBM.from_numpy(W, b, c), 40_000))


# Coverage of the error bars


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


# Brackets


def two_modes(depth: float, n: int = 12, tilt: float = 0.0) -> RBM:
    """Nearly all units on (e^tilt as often) or nearly all off, with a wall of states between that grows with
    depth.
    """
    return RBM.from_numpy(np.full((n, 1), depth), np.full(n, -depth / 2), np.full(1, tilt - n * depth / 2))


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


# The path


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


def test_annealing_leaves_the_callers_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    ais(model(14, 100, 110, 0.1), betas=5, base_vbias=torch.zeros(100))
    assert torch.get_num_threads() == before


@FOR_EVERY_SHAPE
def test_sweeps_keep_the_model_invariant(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(6, *shape)
    rbm = RBM.from_numpy(W, b, c)
    assert_drawn_from(oracles.p_v(W, b, c), sweeps(rbm, exact_samples(rbm, 40_000, Rng(1, "test")), 3))


def test_tempered_samples_find_both_modes() -> None:
    one = two_modes(1.0, 40)
    # Thirteen copies of no weight more: enough hidden units that the samples are annealed, not enumerated.
    model_of_two_modes = RBM(
        torch.cat([one.W, torch.zeros(40, 13)], 1), one.vbias, torch.cat([one.hbias, torch.zeros(13)])
    )
    v = tempered_samples(model_of_two_modes, 200)
    share = float((v.mean(1) > 0.5).float().mean())
    assert abs(share - 0.5) < 5 * math.sqrt(0.25 / 200)


# Pseudo-likelihood


@FOR_EVERY_SHAPE
def test_pseudo_likelihood_is_the_sum_over_units_and_equals_brute_force(shape: tuple[int, int]) -> None:
    W, b, c = oracles.tiny_model(15, *shape)
    states = oracles.states(shape[0])
    found = pseudo_log_likelihood(wide(W, b, c), torch.tensor(states, dtype=torch.float64))
    np.testing.assert_allclose(found, [oracles.pseudo_log_likelihood(W, b, c, state) for state in states])


@pytest.mark.parametrize("visible", ["gaussian", "learned"])
def test_gaussian_pseudo_likelihood_of_one_unit_is_its_log_likelihood(visible: str) -> None:
    rbm = model(16, 1, 4, 2.0, visible).to(dtype=torch.float64)
    v = torch.tensor([[-3.0], [0.1], [4.0]], dtype=torch.float64)
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, v), exact_log_likelihood(rbm, v), atol=1e-10)


@pytest.mark.parametrize("visible", ["bernoulli", "learned"])
@pytest.mark.parametrize("n_units", [1, 3])
def test_stochastic_pseudo_likelihood_is_unbiased(visible: str, n_units: int) -> None:
    rbm = model(17, 6, 4, visible=visible)
    v = torch.tensor(oracles.states(6), dtype=torch.float32)
    rng = Rng(0, "test")
    draws = torch.stack([stochastic_pseudo_log_likelihood(rbm, v, rng, n_units) for _ in range(300)])
    error = draws.std(0) / math.sqrt(300) + 1e-6
    z = (draws.mean(0) - pseudo_log_likelihood(rbm, v)) / error
    assert float(z.abs().max()) < 5


# Online


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
