"""The enumerable model agrees with brute force, and its chains agree with its exact probabilities."""

import math
from dataclasses import replace

import numpy as np
import pytest

from rbm_core import enumerable
from tests import oracles

# More visible units, more hidden units, as many of each: sums run over either layer.
SIZES = ((4, 3), (3, 5), (3, 3))
EXACT = 1e-10

Model = tuple[np.ndarray, ...]


def tiny(model: Model) -> enumerable.TinyRBM:
    return enumerable.TinyRBM(*model)


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def model(request: pytest.FixtureRequest) -> Model:
    return oracles.tiny_model(3, *request.param)


def cases(n_visible: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (12, n_visible)).astype(np.float64)


def weights(data: np.ndarray) -> np.ndarray:
    """The cases' distribution over oracles.states."""
    return np.bincount(enumerable.numbers(data), minlength=2 ** data.shape[1]) / len(data)


def assert_equal(found: enumerable.Parameters, expected: tuple[np.ndarray, ...], within: float) -> None:
    for name, want in zip(("W", "vbias", "hbias"), expected, strict=True):
        np.testing.assert_allclose(getattr(found, name), want, atol=within, rtol=0, err_msg=name)


def test_states_are_numbered_as_binary_numbers() -> None:
    assert [tuple(state) for state in enumerable.states(3)] == oracles.states(3)
    assert enumerable.numbers(enumerable.states(7)).tolist() == list(range(128))


def test_free_energy_and_log_z_agree_with_brute_force(model: Model) -> None:
    rbm = tiny(model)
    want = [oracles.free_energy(*model, v) for v in oracles.states(len(model[1]))]
    np.testing.assert_allclose(rbm.free_energy(enumerable.states(len(model[1]))), want, atol=EXACT, rtol=0)
    assert rbm.log_z() == pytest.approx(oracles.log_z(*model), abs=EXACT)


def test_every_probability_agrees_with_brute_force(model: Model) -> None:
    p = np.exp(tiny(model).log_p_v())
    np.testing.assert_allclose(p, oracles.p_v(*model), atol=EXACT, rtol=0)
    assert p.sum() == pytest.approx(1, abs=EXACT)


def test_the_models_statistics_agree_with_brute_force(model: Model) -> None:
    want = oracles.expected_statistics(*model, oracles.p_v(*model))
    assert_equal(tiny(model).statistics(), want, EXACT)


def test_the_datas_statistics_agree_with_brute_force(model: Model) -> None:
    data = cases(len(model[1]))
    want = oracles.expected_statistics(*model, weights(data))
    assert_equal(tiny(model).statistics_of(data), want, EXACT)


def test_the_exact_gradient_is_that_of_the_log_likelihood(model: Model) -> None:
    data = cases(len(model[1]))
    want = oracles.exact_gradient(*model, weights(data))
    # Central differences with a step of 1e-5 err by the third derivative times 1e-10, and by rounding.
    assert_equal(enumerable.exact_gradient(tiny(model), data), want, 1e-8)


def test_log_likelihood_and_entropy_make_the_divergence(model: Model) -> None:
    data, p = cases(len(model[1])), oracles.p_v(*model)
    q = weights(data)
    divergence = sum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a)
    ours = -enumerable.entropy(data) - enumerable.log_likelihood(tiny(model), data)
    assert ours == pytest.approx(divergence, abs=EXACT)


@pytest.mark.parametrize("k", [1, 3])
def test_expected_cd_gradient_agrees_with_the_transition_matrix(model: Model, k: int) -> None:
    data = cases(len(model[1]))
    after = weights(data) @ np.linalg.matrix_power(oracles.sweep_matrix(*model), k)
    positive = oracles.expected_statistics(*model, weights(data))
    negative = oracles.expected_statistics(*model, after)
    want = tuple(a - b for a, b in zip(positive, negative, strict=True))
    assert_equal(enumerable.expected_cd_gradient(tiny(model), data, k), want, EXACT)


def test_more_sweeps_bring_cd_to_the_exact_gradient(model: Model) -> None:
    rbm, data = tiny(model), cases(len(model[1]))
    exact = enumerable.exact_gradient(rbm, data)
    angles = [enumerable.angle(enumerable.expected_cd_gradient(rbm, data, k), exact) for k in (1, 10, 300)]
    assert angles[0] > angles[1] > angles[2]
    assert angles[2] < 1e-3


def test_angles_are_those_of_geometry() -> None:
    def gradient(*x: float) -> enumerable.Parameters:
        return enumerable.Parameters(np.array([[x[0]]]), np.array([x[1]]), np.zeros(1))

    assert enumerable.angle(gradient(1, 0), gradient(5, 0)) == pytest.approx(0, abs=1e-5)
    assert enumerable.angle(gradient(1, 0), gradient(1, 1)) == pytest.approx(45)
    assert enumerable.angle(gradient(1, 0), gradient(-1, 0)) == pytest.approx(180)
    assert math.isnan(enumerable.angle(gradient(0, 0), gradient(1, 0)))


def test_no_activation_overflows() -> None:
    rbm = enumerable.TinyRBM(np.array([[1e3, -1e3]]), np.array([1e3]), np.array([-1e3, 1e3]))
    v = enumerable.states(1)
    assert np.isfinite(rbm.free_energy(v)).all()
    assert np.isfinite(rbm.log_z())
    assert np.isfinite(rbm.statistics().flat()).all()
    np.testing.assert_array_equal(rbm.mean_h_from_v(v), [[0, 1], [0.5, 0.5]])


def total_variation_after_a_sweep(rbm: enumerable.TinyRBM, kernel: enumerable.TinyRBM, n: int) -> float:
    """Chains that start exactly at p(v) of rbm make one sweep of the kernel: how far are they from p(v) then?"""
    rng = np.random.default_rng(11)
    p = np.exp(rbm.log_p_v())
    start = enumerable.states(len(rbm.vbias))[rng.choice(len(p), n, p=p / p.sum())]
    uniforms = rng.random((1, n, len(rbm.hbias) + len(rbm.vbias)), dtype=np.float32)
    _, v = enumerable.walk(kernel, start.astype(np.float32), uniforms)
    found = np.bincount(enumerable.numbers(v[-1]), minlength=len(p)) / n
    return 0.5 * float(np.abs(found - p).sum())


def test_a_sweep_leaves_the_model_where_it_is_and_a_broken_one_does_not(model: Model) -> None:
    rbm, n = tiny(model), 40_000
    p = np.exp(rbm.log_p_v())
    # E|found - p| per state is at most its standard deviation; TV then exceeds its mean by 5 of its own.
    mean = 0.5 * float(np.sqrt(p * (1 - p) / n).sum())
    bound = mean + 5 * 0.5 / math.sqrt(n)
    assert total_variation_after_a_sweep(rbm, rbm, n) < bound
    broken = replace(rbm, hbias=np.zeros_like(rbm.hbias))
    assert total_variation_after_a_sweep(rbm, broken, n) > bound


def test_estimates_scatter_about_the_expected_cd_gradient() -> None:
    model = oracles.tiny_model(3)
    data = cases(4)
    rbm = tiny(model)
    expected = enumerable.expected_cd_gradient(rbm, data, 1).flat()
    carried = np.zeros((enumerable.N_CARRIED, 4), np.float32)
    many = [
        enumerable.estimates(enumerable.State(rbm, step, carried), data, 960, 1)["cd1"].flat()
        for step in range(40)
    ]
    # Every entry is a mean of 40 × 960 values in [0, 1], whose standard deviation is at most 1/2.
    assert np.abs(np.mean(many, axis=0) - expected).max() < 5 * 0.5 / math.sqrt(40 * 960)
    other = enumerable.expected_cd_gradient(rbm, data, 2).flat()
    assert np.abs(np.mean(many, axis=0) - other).max() > 5 * 0.5 / math.sqrt(40 * 960)


@pytest.mark.parametrize("method", enumerable.METHODS)
def test_an_update_moves_the_weights_by_rate_times_difference(method: str) -> None:
    data = cases(4)
    state = enumerable.begin(4, 3, seed=2)
    after, info = enumerable.update(state, data, method, 0.3, seed=2)
    assert info.before is state
    want = state.rbm.flat() + 0.3 * (info.positive.flat() - info.negative.flat())
    np.testing.assert_allclose(after.rbm.flat(), want, atol=1e-15)
    assert after.step == 1


@pytest.mark.parametrize("method", enumerable.METHODS)
def test_the_same_seed_gives_the_same_learning(method: str) -> None:
    def last(seed: int) -> np.ndarray:
        *_, (state, _) = enumerable.learn(cases(4), 3, method, 0.3, 5, seed)
        return state.rbm.flat()

    np.testing.assert_array_equal(last(1), last(1))
    assert not np.array_equal(last(1), last(2))


def test_cd_starts_at_the_data_and_pcd_where_it_ended() -> None:
    data = cases(4)
    known = set(enumerable.numbers(data).tolist())
    for _, info in enumerable.learn(data, 3, "cd1", 0.3, 3, seed=4):
        assert set(enumerable.numbers(info.starts).tolist()) == known
    ends = None
    for _, info in enumerable.learn(data, 3, "pcd", 0.3, 4, seed=4):
        if ends is not None:
            np.testing.assert_array_equal(info.starts, ends)
        ends = info.v[-1]


def test_the_exact_gradient_climbs_at_every_step() -> None:
    data = cases(4)
    before = enumerable.log_likelihood(enumerable.begin(4, 3, 1).rbm, data)
    for state, _ in enumerable.learn(data, 3, "exact", 0.1, 50, seed=1):
        now = enumerable.log_likelihood(state.rbm, data)
        assert now > before
        before = now


def test_the_rate_falls_linearly_towards_zero() -> None:
    assert [enumerable.rate_at(step, 4, 0.8) for step in range(4)] == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_chance_of_the_walk_does_not_depend_on_its_length() -> None:
    np.testing.assert_array_equal(enumerable.walk_chance(4, 3, 5, 1), enumerable.walk_chance(4, 3, 9, 1)[:5])


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            lambda: enumerable.begin(17, 3, 0),
            "a model whose states are counted has 1 to 16 visible units, got 17",
        ),
        (
            lambda: enumerable.begin(4, 0, 0),
            "a model whose states are counted has 1 to 12 hidden units, got 0",
        ),
        (
            lambda: enumerable.update(enumerable.begin(4, 3, 0), cases(4), "cd7", 0.1, 0),
            "method must be one of exact, cd1, cd10, pcd, got 'cd7'",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_sentence(act: object, said: str) -> None:
    with pytest.raises(enumerable.TinyError) as refusal:
        act()  # type: ignore[operator]
    assert str(refusal.value) == said
