"""Hopfield's network and the Boltzmann machine, counted out, agree with brute force."""

import itertools
import math

import numpy as np
import pytest

from rbm_core import enumerable, symmetric
from rbm_core.symmetric import Network
from tests import oracles

EXACT = 1e-10
N, V = 5, 3  # units, and how many of them are visible


def energy(net: Network, s: tuple[int, ...]) -> float:
    """By plain loops over units and pairs."""
    units = range(len(s))
    pairs = sum(net.W[i, j] * s[i] * s[j] for i in units for j in units if i < j)
    return float(-sum(net.bias[i] * s[i] for i in units) - pairs)


def probabilities(net: Network, temperature: float = 1.0) -> list[float]:
    weights = [math.exp(-energy(net, s) / temperature) for s in oracles.states(len(net.bias))]
    return [w / math.fsum(weights) for w in weights]


@pytest.fixture(params=range(3))
def net(request: pytest.FixtureRequest) -> Network:
    drawn = symmetric.joined(N, request.param, 1.5)
    return Network(drawn.W, np.random.default_rng(request.param).normal(0, 1, N))


def cases() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 2, (7, V)).astype(float)


def test_energies_and_probabilities_agree_with_brute_force(net: Network) -> None:
    want = [energy(net, s) for s in oracles.states(N)]
    np.testing.assert_allclose(net.energies, want, atol=EXACT, rtol=0)
    for temperature in (0.3, 1.0, 4.0):
        p = np.exp(net.log_p(temperature))
        np.testing.assert_allclose(p, probabilities(net, temperature), atol=EXACT, rtol=0)


def test_what_is_hidden_is_summed_over(net: Network) -> None:
    want = np.zeros(2**V)
    for s, p in zip(oracles.states(N), probabilities(net), strict=True):
        want[int("".join(map(str, s[:V])), 2)] += p
    np.testing.assert_allclose(np.exp(net.log_p_v(V)), want, atol=EXACT, rtol=0)


def test_an_input_is_the_gap_of_energies(net: Network) -> None:
    for s in oracles.states(N):
        x = net.inputs(np.array(s, float))
        for i in range(N):
            off, on = (s[:i] + (value,) + s[i + 1 :] for value in (0, 1))
            assert x[i] == pytest.approx(energy(net, off) - energy(net, on), abs=EXACT)


def test_a_unit_that_would_change_lowers_the_energy_and_no_other(net: Network) -> None:
    for k, s in enumerate(oracles.states(N)):
        for i in range(N):
            flipped = s[:i] + (1 - s[i],) + s[i + 1 :]
            would = bool(net.unrest[k] >> (N - 1 - i) & 1)
            assert would == (energy(net, flipped) < energy(net, s) - 1e-12)


def test_it_rests_where_asking_unit_after_unit_ends(net: Network) -> None:
    for k, start in enumerate(oracles.states(N)):
        s, moved = list(start), True
        while moved:
            moved = False
            for i in range(N):
                x = net.bias[i] + sum(net.W[i, j] * s[j] for j in range(N))
                wanted = int(x > 0) if x else s[i]
                moved, s[i] = moved or wanted != s[i], wanted
        assert oracles.states(N)[net.rests[k]] == tuple(s)


def test_stored_patterns_that_have_nothing_in_common_are_remembered() -> None:
    """Orthogonal patterns of ±1: each is at rest, and so is its negative; the energy is −½ ξᵀwξ and a constant."""
    patterns = np.array([[1] * 8 + [0] * 8, [1, 1, 1, 1, 0, 0, 0, 0] * 2, [1, 1, 0, 0] * 4])
    net = Network.remembering(patterns)
    for stored in (patterns, 1 - patterns):
        own = enumerable.numbers(stored)
        np.testing.assert_array_equal(net.rests[own], own)
    xi = 2 * patterns - 1
    w = xi.T @ xi / 16 - np.diag(np.full(16, 3 / 16))
    some = enumerable.states(16)[::997]
    spins = 2 * some - 1
    constant = net.energy(some) + 0.5 * ((spins @ w) * spins).sum(-1)
    np.testing.assert_allclose(constant, constant[0], atol=EXACT)
    damaged = enumerable.numbers(np.where(np.arange(16) == 5, 1 - patterns, patterns))
    np.testing.assert_array_equal(
        net.rests[damaged], enumerable.numbers(patterns), "one wrong pixel is repaired"
    )


def test_an_rbm_is_the_network_without_weights_inside_a_layer() -> None:
    rbm = enumerable.TinyRBM(*oracles.tiny_model(3, 4, 3))
    net = Network.of_rbm(rbm)
    assert net.log_z() == pytest.approx(rbm.log_z(), abs=EXACT)
    np.testing.assert_allclose(net.log_p_v(4), rbm.log_p_v(), atol=EXACT, rtol=0)
    data = np.random.default_rng(1).integers(0, 2, (9, 4)).astype(float)
    ours, theirs = net.gradient(data), enumerable.exact_gradient(rbm, data)
    np.testing.assert_allclose(ours.W[:4, 4:], theirs.W, atol=EXACT, rtol=0)
    np.testing.assert_allclose(ours.bias, np.concatenate([theirs.vbias, theirs.hbias]), atol=EXACT, rtol=0)


def test_statistics_agree_with_brute_force(net: Network) -> None:
    found, p = net.statistics(), probabilities(net)
    for i, j in itertools.combinations(range(N), 2):
        want = math.fsum(q * s[i] * s[j] for q, s in zip(p, oracles.states(N), strict=True))
        assert found.W[i, j] == pytest.approx(want, abs=EXACT)
    want = [math.fsum(q * s[i] for q, s in zip(p, oracles.states(N), strict=True)) for i in range(N)]
    np.testing.assert_allclose(found.bias, want, atol=EXACT, rtol=0)


def test_the_gradient_is_that_of_the_log_likelihood(net: Network) -> None:
    data, step = cases(), 1e-5

    def score(W: np.ndarray, bias: np.ndarray) -> float:
        return float(Network(W, bias).log_p_v(V)[enumerable.numbers(data)].mean())

    g = net.gradient(data)
    for i, j in itertools.combinations(range(N), 2):
        moved = np.zeros((N, N))
        moved[i, j] = moved[j, i] = step
        slope = (score(net.W + moved, net.bias) - score(net.W - moved, net.bias)) / (2 * step)
        assert g.W[i, j] == pytest.approx(slope, abs=1e-8)
    for i in range(N):
        moved = np.eye(N)[i] * step
        slope = (score(net.W, net.bias + moved) - score(net.W, net.bias - moved)) / (2 * step)
        assert g.bias[i] == pytest.approx(slope, abs=1e-8)


def test_climbing_raises_the_likelihood() -> None:
    data, net = cases(), symmetric.joined(N, 0)
    scores = []
    for _ in range(4):
        scores.append(net.log_p_v(V)[enumerable.numbers(data)].mean())
        net = net.climbed(data, 0.2, 5)
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.1


def visits(net: Network, groups: list[list[int]], sweeps: int, temperature: float) -> np.ndarray:
    uniforms = np.random.default_rng(8).random((sweeps, len(net.bias)))
    path = net.walk(np.zeros(len(net.bias)), uniforms, groups, temperature)
    ends = enumerable.numbers(path[len(groups) - 1 :: len(groups)])
    return np.bincount(ends, minlength=2 ** len(net.bias)) / sweeps


def mild(seed: int) -> Network:
    return symmetric.joined(4, seed, 0.7)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_walk_visits_every_state_as_often_as_p_says(temperature: float) -> None:
    net, sweeps = mild(0), 30_000
    p = np.exp(net.log_p(temperature))
    # Weights of at most 2 nats in all on each unit: a chain forgets within a few sweeps, of which eight are allowed.
    bound = 5 * np.sqrt(8 * p / sweeps)
    assert (np.abs(visits(net, symmetric.alone(4), sweeps, temperature) - p) < bound).all()
    other = np.exp(net.log_p(4 * temperature))
    assert (np.abs(other - p) > bound).any(), "the bound would let another temperature pass"


def test_layers_are_drawn_at_once_only_where_nothing_joins_them() -> None:
    rbm = enumerable.TinyRBM(*oracles.tiny_model(3, 2, 2))
    net, sweeps = Network.of_rbm(rbm), 30_000
    p = np.exp(net.log_p())
    assert (np.abs(visits(net, symmetric.layers(2, 2), sweeps, 1.0) - p) < 5 * np.sqrt(8 * p / sweeps)).all()
    with pytest.raises(symmetric.TinyError, match="units that are joined cannot be drawn at once"):
        mild(0).walk(np.zeros(4), np.zeros((1, 4)), symmetric.layers(2, 2))


@pytest.mark.parametrize(
    ("W", "said"),
    [
        (np.ones((2, 2)), "W must be symmetric, 2 × 2, with zeros on its diagonal"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "W must be symmetric, 2 × 2, with zeros on its diagonal"),
        (np.zeros((17, 17)), "a network whose states are counted has 1 to 16 units, got 17"),
    ],
)
def test_another_matrix_is_refused_in_one_sentence(W: np.ndarray, said: str) -> None:
    with pytest.raises(symmetric.TinyError) as refusal:
        Network(W, np.zeros(len(W)))
    assert str(refusal.value) == said
