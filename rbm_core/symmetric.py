"""Networks in which any two units may be joined, so small that all states are counted: the steps before the RBM.

Hopfield's network follows the energy down to a stored pattern; the Boltzmann machine draws its units by chance and
visits every state s as often as p(s) = e^(−E(s)) / Z says. Both have the energy of `Network`. A TinyRBM is the
network without weights inside a layer (`of_rbm`); then each layer's units can be drawn at once.

NumPy in float64 without torch. Units are 0 or 1; a state's number is that of `enumerable.states`. Sums run over all 2^N
states, N ≤ 16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rbm_core.enumerable import TinyError, TinyRBM, logsumexp, numbers, states
from rbm_core.visible import sigmoid

MOST_UNITS = 16


@dataclass(frozen=True, eq=False)
class Network:
    """E(s) = −b·s − ½ sᵀWs, in nats, of N units in {0, 1}; W (N, N) is symmetric with a zero diagonal, b (N,).

    Raises TinyError for another W, and beyond 16 units, whose states are too many to hold at once.
    """

    W: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.bias)
        if not 1 <= n <= MOST_UNITS:
            raise TinyError(f"a network whose states are counted has 1 to {MOST_UNITS} units, got {n}")
        if self.W.shape != (n, n) or not np.array_equal(self.W, self.W.T) or np.diag(self.W).any():
            raise TinyError(f"W must be symmetric, {n} × {n}, with zeros on its diagonal")

    @classmethod
    def remembering(cls, patterns: np.ndarray) -> "Network":
        """Hopfield's network with these patterns (P, N) of 0 and 1 stored by Hebb's rule.

        With ξ = 2·pattern − 1 the rule is w = Σ ξξᵀ / N without the diagonal, for units of ±1 and the energy −½ ξᵀwξ.
        In units of 0 and 1 that is W = 4w and b = −2 Σⱼ wᵢⱼ, up to a constant (Hopfield 1982).
        """
        xi = 2 * patterns.astype(np.float64) - 1
        w = xi.T @ xi / xi.shape[1]
        np.fill_diagonal(w, 0)
        return cls(4 * w, -2 * w.sum(1))

    @classmethod
    def of_rbm(cls, rbm: TinyRBM) -> "Network":
        """The RBM's visible units, then its hidden ones, with weights between the layers only."""
        V, H = rbm.W.shape
        W = np.block([[np.zeros((V, V)), rbm.W], [rbm.W.T, np.zeros((H, H))]])
        return cls(W, np.concatenate([rbm.vbias, rbm.hbias]))

    def inputs(self, s: np.ndarray) -> np.ndarray:
        """x = b + Ws (..., N): with unit i on, all others as they are, the energy is xᵢ nats lower than with it off."""
        return s @ self.W + self.bias

    def energy(self, s: np.ndarray) -> np.ndarray:
        """E(s) in nats. s: (..., N). Returns (...)."""
        return -(s @ self.bias) - 0.5 * ((s @ self.W) * s).sum(-1)

    @cached_property
    def energies(self) -> np.ndarray:
        """E of every state in the order of `states(N)`, (2^N,)."""
        return self.energy(states(len(self.bias)))

    # --- Hopfield: always downhill ---

    @cached_property
    def unrest(self) -> np.ndarray:
        """For every state the units that would change: bit i from the highest is set where unit i would. (2^N,) uint16.

        Unit i turns on where xᵢ > 0 and off where xᵢ < 0, so that each change lowers the energy by |xᵢ|; at xᵢ = 0 it
        stays. (Sums that are zero but for rounding count as zero.)
        """
        s = states(len(self.bias))
        x = self.inputs(s)
        x[np.abs(x) < 1e-12] = 0.0
        return numbers(((x > 0) & (s == 0)) | ((x < 0) & (s == 1)))

    @cached_property
    def rests(self) -> np.ndarray:
        """For every state the one in which the network comes to rest, (2^N,) uint16.

        The units are asked one after the other in their order, again and again until none would change.
        """
        n = len(self.bias)
        now = np.arange(2**n, dtype=np.uint16)
        while True:
            before = now.copy()
            for i in range(n):
                now ^= self.unrest[now] & np.uint16(1 << (n - 1 - i))
            if np.array_equal(now, before):
                return now

    # --- Boltzmann: by chance, at a temperature ---

    def log_z(self, temperature: float = 1.0) -> float:
        """log Σ e^(−E(s)/T) over all 2^N states."""
        return logsumexp(-self.energies / temperature)

    def log_p(self, temperature: float = 1.0) -> np.ndarray:
        """log p(s) = −E(s)/T − log Z of every state, (2^N,)."""
        return -self.energies / temperature - self.log_z(temperature)

    def log_p_v(self, n_visible: int, temperature: float = 1.0) -> np.ndarray:
        """log p(v) of every state of the first n_visible units, (2^V,): the others are hidden and summed over."""
        joint = self.log_p(temperature).reshape(2**n_visible, -1)
        top = joint.max(1)
        return top + np.log(np.exp(joint - top[:, None]).sum(1))

    def walk(
        self, s: np.ndarray, uniforms: np.ndarray, groups: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> np.ndarray:
        """Gibbs sweeps of one chain with given random numbers; the units of a group are drawn at once.

        Unit i is 1 where its number is below σ(xᵢ / T). That is a Gibbs sampler of p only where no two units of a group
        are joined: else a unit would be drawn from the old state of its neighbour; TinyError. s: (N,), the start.
        uniforms: (sweeps, N). Returns the states after each group, (sweeps · groups, N) uint8.
        """
        for group in groups:
            if self.W[np.ix_(group, group)].any():
                raise TinyError(
                    "units that are joined cannot be drawn at once; put them into groups of their own"
                )
        now, path = s.astype(np.float64), []
        for u in uniforms:
            for group in map(list, groups):
                now[group] = u[group] < sigmoid(self.inputs(now)[group] / temperature)
                path.append(now.astype(np.uint8))
        return np.array(path)

    # --- learning ---

    def statistics(self) -> "Network":
        """⟨s sᵀ⟩ without its diagonal and ⟨s⟩ under p at T = 1, in the places of W and b."""
        return _means(states(len(self.bias)), np.exp(self.log_p()))

    def statistics_of(self, v: np.ndarray) -> "Network":
        """The same with the first V units held at the cases v (B, V), and exact means over p(h | v)."""
        n = len(self.bias)
        joint = self.log_p().reshape(2 ** v.shape[1], -1)[numbers(v).astype(np.int64)]  # (B, 2^H)
        p = np.exp(joint - joint.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True) * len(v)
        s = np.concatenate([np.repeat(v, p.shape[1], 0), np.tile(states(n - v.shape[1]), (len(v), 1))], 1)
        return _means(s, p.ravel())

    def gradient(self, v: np.ndarray) -> "Network":
        """∂ mean log p(v) / ∂wᵢⱼ = ⟨sᵢ sⱼ⟩ with the data held − ⟨sᵢ sⱼ⟩ free (Ackley, Hinton and Sejnowski 1985)."""
        data, free = self.statistics_of(v), self.statistics()
        return Network(data.W - free.W, data.bias - free.bias)

    def climbed(self, v: np.ndarray, learning_rate: float, n_updates: int) -> "Network":
        """After n_updates steps of gradient ascent on the mean log p(v), each over all data and exact."""
        now = self
        for _ in range(n_updates):
            g = now.gradient(v)
            now = Network(now.W + learning_rate * g.W, now.bias + learning_rate * g.bias)
        return now


def _means(s: np.ndarray, p: np.ndarray) -> Network:
    pairs = (s * p[:, None]).T @ s
    pairs = (pairs + pairs.T) / 2  # equal but for rounding
    np.fill_diagonal(pairs, 0)
    return Network(pairs, p @ s)


def joined(n_units: int, seed: int, weight_std: float = 0.1) -> Network:
    """A network with every two units joined by weights from N(0, weight_std²), and biases of zero."""
    upper = np.triu(np.random.Generator(np.random.SFC64(seed)).normal(0, weight_std, (n_units, n_units)), 1)
    return Network(upper + upper.T, np.zeros(n_units))


def alone(n_units: int) -> list[list[int]]:
    """The groups of `walk` in which every unit is drawn by itself."""
    return [[i] for i in range(n_units)]


def layers(n_visible: int, n_hidden: int) -> list[list[int]]:
    """The groups of `walk` for a network without weights inside a layer: the hidden units, then the visible ones."""
    return [list(range(n_visible, n_visible + n_hidden)), list(range(n_visible))]
