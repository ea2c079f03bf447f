"""Brute force: every quantity of a tiny RBM by plain loops over all its states, to hold the engine to.

Nothing here shares a line with the engine. Bernoulli units; a 4 × 3 model has 128 joint states.
"""

import itertools
import math

import numpy as np

State = tuple[int, ...]


def tiny_model(
    seed: int, n_visible: int = 4, n_hidden: int = 3, spread: float = 1.0
) -> tuple[np.ndarray, ...]:
    """(W, vbias, hbias) in float64."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, spread, (n_visible, n_hidden)),
        rng.normal(0, spread, n_visible),
        rng.normal(0, spread, n_hidden),
    )


def states(n: int) -> list[State]:
    return list(itertools.product((0, 1), repeat=n))


def energy(W: np.ndarray, b: np.ndarray, c: np.ndarray, v: State, h: State) -> float:
    total = 0.0
    for i in range(len(b)):
        total -= b[i] * v[i]
    for j in range(len(c)):
        total -= c[j] * h[j]
    for i in range(len(b)):
        for j in range(len(c)):
            total -= v[i] * W[i, j] * h[j]
    return total


def free_energy(W: np.ndarray, b: np.ndarray, c: np.ndarray, v: State) -> float:
    return -math.log(sum(math.exp(-energy(W, b, c, v, h)) for h in states(len(c))))


def log_z(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return math.log(sum(math.exp(-energy(W, b, c, v, h)) for v in states(len(b)) for h in states(len(c))))


def p_v(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """p(v) of every visible state, in the order of `states`."""
    z = log_z(W, b, c)
    return np.array([math.exp(-free_energy(W, b, c, v) - z) for v in states(len(b))])


def p_h_given_v(W: np.ndarray, b: np.ndarray, c: np.ndarray, v: State) -> np.ndarray:
    """E[h | v] by summing over all h."""
    weights = np.array([math.exp(-energy(W, b, c, v, h)) for h in states(len(c))])
    return (weights[:, None] * np.array(states(len(c)))).sum(0) / weights.sum()


def p_v_given_h(W: np.ndarray, b: np.ndarray, c: np.ndarray, h: State) -> np.ndarray:
    weights = np.array([math.exp(-energy(W, b, c, v, h)) for v in states(len(b))])
    return (weights[:, None] * np.array(states(len(b)))).sum(0) / weights.sum()


def expected_statistics(
    W: np.ndarray, b: np.ndarray, c: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    """E[v hᵀ], E[v], E[h] with v weighted by `weights` (over `states`) and h ~ p(h | v)."""
    vh, v_mean, h_mean = np.zeros_like(W), np.zeros_like(b), np.zeros_like(c)
    for weight, v in zip(weights, states(len(b)), strict=True):
        h = p_h_given_v(W, b, c, v)
        vh += weight * np.outer(v, h)
        v_mean += weight * np.array(v)
        h_mean += weight * h
    return vh, v_mean, h_mean


def exact_gradient(W: np.ndarray, b: np.ndarray, c: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, ...]:
    """∂ mean log p(v) / ∂(W, b, c) for data weights over `states`, by differences of the log-likelihood itself."""
    step = 1e-5

    def mean_log_p(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
        z = log_z(W, b, c)
        return sum(
            weight * (-free_energy(W, b, c, v) - z)
            for weight, v in zip(data, states(len(b)), strict=True)
            if weight
        )

    gradients = []
    for which in range(3):
        parameters = [W.copy(), b.copy(), c.copy()]
        gradient = np.zeros_like(parameters[which])
        for index in np.ndindex(gradient.shape):
            original = parameters[which][index]
            parameters[which][index] = original + step
            up = mean_log_p(*parameters)
            parameters[which][index] = original - step
            down = mean_log_p(*parameters)
            parameters[which][index] = original
            gradient[index] = (up - down) / (2 * step)
        gradients.append(gradient)
    return tuple(gradients)


def sweep_matrix(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """T[v, v′] = Σ_h p(h | v) p(v′ | h): the transition matrix of one sweep over visible states."""
    vs, hs = states(len(b)), states(len(c))
    joint = np.array([[math.exp(-energy(W, b, c, v, h)) for h in hs] for v in vs])
    return (joint / joint.sum(1, keepdims=True)) @ (joint / joint.sum(0, keepdims=True)).T


def pseudo_log_likelihood(W: np.ndarray, b: np.ndarray, c: np.ndarray, v: State) -> float:
    """Σᵢ log p(vᵢ | v₋ᵢ)."""
    total = 0.0
    for i in range(len(v)):
        flipped = tuple(1 - x if j == i else x for j, x in enumerate(v))
        here, there = free_energy(W, b, c, v), free_energy(W, b, c, flipped)
        total -= math.log(1 + math.exp(here - there))
    return total
