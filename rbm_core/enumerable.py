"""A machine small enough to be exact: every state is counted, so nothing is estimated unless asked for.

Pure numpy in float64, no torch: the app's own process teaches with it. Bernoulli units; states are numbered
as binary numbers whose first unit is the highest bit. Sums run over the smaller layer, so the largest
machine here, 16 visible and 12 hidden units, sums 4,096 terms.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

METHODS = {"exact": 0, "cd1": 1, "cd10": 10, "pcd": 1}
"""Sweeps of the negative phase's chains in one update; the exact gradient needs no chain."""
MOST_VISIBLE, MOST_HIDDEN = 16, 12
N_CHAINS = 96  # of an update; a multiple of the cases of every data set below
N_CARRIED = 960  # persistent chains carried along beside the learning; PCD learns from the first N_CHAINS
SHOWN_CHAINS = 8  # whose every half step is kept

_INITIAL, _START, _UPDATE, _COMPARE, _WALK = range(5)  # the streams of chance drawn from one seed


class TinyError(ValueError):
    """A machine or a method that cannot be; one sentence with the way out."""


@lru_cache(maxsize=16)
def states(n: int) -> np.ndarray:
    """(2ⁿ, n) float64, not to be written to: every state of n binary units, by their binary numbers."""
    bits = ((np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1).astype(np.float64)
    bits.flags.writeable = False
    return bits


def numbers(bits: np.ndarray) -> np.ndarray:
    """(..., n) 0/1 -> (...) uint16: the place of each state in `states(n)`, n ≤ 16."""
    return (bits @ (1 << np.arange(bits.shape[-1])[::-1])).astype(np.uint16)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + eˣ) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e⁻ˣ) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def logsumexp(x: np.ndarray) -> float:
    """log Σ eˣ without overflow."""
    top = float(x.max())
    return top + float(np.log(np.exp(x - top).sum()))


@dataclass(frozen=True, eq=False)
class Parameters:
    """W (V, H), vbias (V,), hbias (H,): a machine's parameters, or statistics or a gradient of that shape."""

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray

    def __add__(self, other: "Parameters") -> "Parameters":
        return Parameters(self.W + other.W, self.vbias + other.vbias, self.hbias + other.hbias)

    def __sub__(self, other: "Parameters") -> "Parameters":
        return self + other.scaled(-1)

    def scaled(self, factor: float) -> "Parameters":
        return Parameters(factor * self.W, factor * self.vbias, factor * self.hbias)

    def flat(self) -> np.ndarray:
        """(VH + V + H,): W row by row, then both biases."""
        return np.concatenate([self.W.ravel(), self.vbias, self.hbias])


def angle(a: Parameters, b: Parameters) -> float:
    """The angle between two gradients over all parameters, in degrees from 0 to 180; NaN if one is zero."""
    x, y = a.flat(), b.flat()
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.degrees(np.arccos(np.clip(x @ y / lengths, -1, 1)))) if lengths else float("nan")


@dataclass(frozen=True, eq=False)
class TinyRBM(Parameters):
    """E(v,h) = −b·v − c·h − vᵀWh with all its states within reach."""

    @classmethod
    def initial(cls, n_visible: int, n_hidden: int, seed: int, weight_std: float = 0.1) -> "TinyRBM":
        """Weights N(0, weight_std²), biases zero: nearly every picture equally likely.

        Raises TinyError beyond 16 visible or 12 hidden units, which can no longer be counted at once.
        """
        for name, value, most in (("visible", n_visible, MOST_VISIBLE), ("hidden", n_hidden, MOST_HIDDEN)):
            if not 1 <= value <= most:
                raise TinyError(f"a machine that is counted out has 1 to {most} {name} units, got {value}")
        W = _rng(seed, _INITIAL).normal(0, weight_std, (n_visible, n_hidden))
        return cls(W, np.zeros(n_visible), np.zeros(n_hidden))

    def free_energy(self, v: np.ndarray) -> np.ndarray:
        """F(v) = −b·v − Σⱼ softplus(cⱼ + (vW)ⱼ), in nats. v: (N, V). Returns (N,)."""
        return -v @ self.vbias - softplus(v @ self.W + self.hbias).sum(-1)

    def mean_h_from_v(self, v: np.ndarray) -> np.ndarray:
        return sigmoid(v @ self.W + self.hbias)

    def mean_v_from_h(self, h: np.ndarray) -> np.ndarray:
        return sigmoid(h @ self.W.T + self.vbias)

    def log_z(self) -> float:
        """log Z in nats, summed over all states of the smaller layer."""
        return logsumexp(self._smaller_layer[1])

    def log_p_v(self) -> np.ndarray:
        """(2^V,) log p(v) of every visible state, in nats, in the order of `states(V)`."""
        return -self.free_energy(states(len(self.vbias))) - self.log_z()

    def statistics(self) -> Parameters:
        """⟨v h⟩, ⟨v⟩ and ⟨h⟩ under the model itself: the negative phase that every chain tries to reach."""
        layer, log_weights = self._smaller_layer
        p = np.exp(log_weights - logsumexp(log_weights))
        if self._hidden_is_smaller:
            v = self.mean_v_from_h(layer)
            return Parameters((v * p[:, None]).T @ layer, p @ v, p @ layer)
        h = self.mean_h_from_v(layer)
        return Parameters((layer * p[:, None]).T @ h, p @ layer, p @ h)

    def statistics_of(self, v: np.ndarray) -> Parameters:
        """The means over cases v (N, V) of v p(h|v)ᵀ, v and p(h|v).

        Probabilities, not samples, of the last hidden layer: lower variance (Hinton 2010, section 3).
        """
        h = self.mean_h_from_v(v)
        return Parameters(v.T @ h / len(v), v.mean(0), h.mean(0))

    def moved(self, step: Parameters) -> "TinyRBM":
        return TinyRBM(self.W + step.W, self.vbias + step.vbias, self.hbias + step.hbias)

    @property
    def _hidden_is_smaller(self) -> bool:
        return len(self.hbias) <= len(self.vbias)

    @cached_property
    def _smaller_layer(self) -> tuple[np.ndarray, np.ndarray]:
        """All states of the smaller layer, and the log of what each sums to over the other."""
        if self._hidden_is_smaller:
            h = states(len(self.hbias))
            return h, h @ self.hbias + softplus(h @ self.W.T + self.vbias).sum(-1)
        v = states(len(self.vbias))
        return v, -self.free_energy(v)


def log_likelihood(rbm: TinyRBM, data: np.ndarray) -> float:
    """The exact mean log p(v) over the cases, in nats."""
    return float(-rbm.free_energy(data).mean() - rbm.log_z())


def entropy(data: np.ndarray) -> float:
    """−Σ p log p of the cases' own distribution, in nats: KL(data ‖ model) = −entropy − log-likelihood."""
    p = np.unique(numbers(data), return_counts=True)[1] / len(data)
    return float(-(p * np.log(p)).sum())


def exact_gradient(rbm: TinyRBM, data: np.ndarray) -> Parameters:
    """∂ mean log p(v) / ∂(W, b, c) = ⟨v h⟩ under the data − ⟨v h⟩ under the model, and so for the biases."""
    return rbm.statistics_of(data) - rbm.statistics()


def _rng(seed: int, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([seed, *stream]))


def walk(rbm: TinyRBM, v: np.ndarray, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gibbs sweeps with given chance: a unit turns on where its uniform number is below its probability.

    v: (N, V), the start. uniforms: (k, N, H + V) in [0, 1), hidden units first. Returns h (k, N, H) and
    v (k, N, V) after each sweep's half steps, float32.
    """
    n_hidden = len(rbm.hbias)
    hs = np.empty((*uniforms.shape[:2], n_hidden), dtype=np.float32)
    vs = np.empty((*uniforms.shape[:2], len(rbm.vbias)), dtype=np.float32)
    W, vbias, hbias = (x.astype(np.float32) for x in (rbm.W, rbm.vbias, rbm.hbias))
    for sweep, u in enumerate(uniforms):
        hs[sweep] = u[:, :n_hidden] < sigmoid(v @ W + hbias)
        vs[sweep] = v = (u[:, n_hidden:] < sigmoid(hs[sweep] @ W.T + vbias)).astype(np.float32)
    return hs, vs


def _uniforms(rng: np.random.Generator, k: int, n: int, rbm: TinyRBM) -> np.ndarray:
    return rng.random((k, n, len(rbm.hbias) + len(rbm.vbias)), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class State:
    """A machine while it learns: its parameters, how many updates made it, and the chains carried along."""

    rbm: TinyRBM
    step: int
    carried: np.ndarray  # (N_CARRIED, V)


@dataclass(frozen=True, eq=False)
class UpdateInfo:
    """One update of the state `before`: its statistics, and its chains where it ran any.

    starts (N_CHAINS, V), h and v (k, N_CHAINS, ·) after each sweep; empty for the exact gradient.
    """

    before: State
    positive: Parameters
    negative: Parameters
    starts: np.ndarray
    h: np.ndarray
    v: np.ndarray

    @property
    def gradient(self) -> Parameters:
        return self.positive - self.negative


def begin(n_visible: int, n_hidden: int, seed: int) -> State:
    """The machine before its first update, its carried chains at fair coins."""
    rbm = TinyRBM.initial(n_visible, n_hidden, seed)
    carried = _rng(seed, _START).integers(0, 2, (N_CARRIED, n_visible)).astype(np.float32)
    return State(rbm, 0, carried)


def update(
    state: State, data: np.ndarray, method: str, learning_rate: float, seed: int
) -> tuple[State, UpdateInfo]:
    """One full-batch update of gradient ascent on the log-likelihood.

    method: exact, cd1, cd10 (chains start at the data) or pcd (chains go on where they were). The same state
    and seed give the same update. Raises TinyError for another method.
    """
    if method not in METHODS:
        raise TinyError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    rbm, rng = state.rbm, _rng(seed, _UPDATE, state.step)
    h, v = walk(rbm, state.carried, _uniforms(rng, 1, N_CARRIED, rbm))
    carried = v[-1]
    starts = state.carried[:N_CHAINS]
    if method == "pcd":
        h, v = h[:, :N_CHAINS], v[:, :N_CHAINS]
    elif method == "exact":
        starts, h, v = starts[:0], h[:0, :0], v[:0, :0]
    else:
        starts = _repeated(data, N_CHAINS)
        h, v = walk(rbm, starts, _uniforms(rng, METHODS[method], N_CHAINS, rbm))
    negative = rbm.statistics() if method == "exact" else rbm.statistics_of(v[-1].astype(np.float64))
    info = UpdateInfo(state, rbm.statistics_of(data), negative, starts, h, v)
    moved = replace(state, rbm=rbm.moved(info.gradient.scaled(learning_rate)), step=state.step + 1)
    return replace(moved, carried=carried), info


def _repeated(data: np.ndarray, n: int) -> np.ndarray:
    return np.resize(data, (n, data.shape[1])).astype(np.float32)


def learn(
    data: np.ndarray, n_hidden: int, method: str, learning_rate: float, n_updates: int, seed: int
) -> Iterator[tuple[State, UpdateInfo]]:
    """The state after each update and that update, n_updates times.

    The learning rate falls linearly to zero (`rate_at`): at a constant one the last steps' noise stays in the
    weights, and persistent chains fall behind a machine that never stops moving.
    """
    state = begin(data.shape[1], n_hidden, seed)
    for step in range(n_updates):
        state, info = update(state, data, method, rate_at(step, n_updates, learning_rate), seed)
        yield state, info


def rate_at(step: int, n_updates: int, learning_rate: float) -> float:
    """The learning rate of the update from step to step + 1: linear, from learning_rate towards zero."""
    return learning_rate * (1 - step / n_updates)


def estimates(state: State, data: np.ndarray, n_chains: int, seed: int) -> dict[str, Parameters]:
    """What CD-1, CD-10 and PCD each take for the gradient at this state, from n_chains chains.

    n_chains ≤ N_CARRIED; few chains show the noise, many the bias that stays.
    """
    rbm, rng = state.rbm, _rng(seed, _COMPARE, state.step)
    positive = rbm.statistics_of(data)
    starts = _repeated(data, n_chains)
    _, v = walk(rbm, starts, _uniforms(rng, METHODS["cd10"], n_chains, rbm))
    _, carried = walk(rbm, state.carried[:n_chains], _uniforms(rng, 1, n_chains, rbm))
    ends = {"cd1": v[0], "cd10": v[-1], "pcd": carried[-1]}
    return {name: positive - rbm.statistics_of(end.astype(np.float64)) for name, end in ends.items()}


def expected_cd_gradient(rbm: TinyRBM, data: np.ndarray, k: int) -> Parameters:
    """The mean of CD-k's gradient over all chance: what remains of its error is bias alone.

    Pushes the data's distribution through k sweeps of the whole transition matrix; for 2^(V+H) up to a
    few million.
    """
    vs, hs = states(len(rbm.vbias)), states(len(rbm.hbias))
    p_h = np.exp(_log_bernoulli(vs @ rbm.W + rbm.hbias, hs))
    p_v = np.exp(_log_bernoulli(hs @ rbm.W.T + rbm.vbias, vs))
    weights = np.bincount(numbers(data), minlength=len(vs)) / len(data)
    for _ in range(k):
        weights = (weights @ p_h) @ p_v
    h = rbm.mean_h_from_v(vs)
    negative = Parameters((vs * weights[:, None]).T @ h, weights @ vs, weights @ h)
    return rbm.statistics_of(data) - negative


def _log_bernoulli(logits: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """(A, B): log p of each outcome (B, n) where units are on with the logits (A, n)."""
    return logits @ outcomes.T - softplus(logits).sum(-1, keepdims=True)


def walk_chance(n_visible: int, n_hidden: int, n_sweeps: int, seed: int) -> np.ndarray:
    """(n_sweeps, H + V) float32: the uniform numbers of one chain, the same for a machine of any age."""
    return _rng(seed, _WALK).random((n_sweeps, n_hidden + n_visible), dtype=np.float32)
