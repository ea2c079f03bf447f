"""A model so small that its states can be enumerated: log Z, probabilities and gradients are exact.

NumPy in float64 without torch, since the app's process uses it for the Learn page. All units are Bernoulli. A state's
number is the binary number whose highest bit is the first unit. Sums run over the states of the smaller layer: the
largest model here has 16 visible and 12 hidden units and sums 4,096 terms.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from rbm_core import rbm_numpy
from rbm_core.rbm_numpy import softplus
from rbm_core.visible import sigmoid

METHODS = {"exact": 0, "cd1": 1, "cd10": 10, "pcd": 1}
"""The methods of learning, and the sweeps that chains make in one update; the exact gradient needs no chain."""
MOST_VISIBLE, MOST_HIDDEN = 16, 12
N_CHAINS = 96  # chains of an update; a multiple of the number of cases of every data set that Learn offers
N_CARRIED = 960  # persistent chains that every update moves on; PCD learns from the first N_CHAINS of them
SHOWN_CHAINS = 8  # chains whose every half step the page shows

_INITIAL, _START, _UPDATE, _COMPARE, _WALK = range(5)  # the random streams of one seed


class TinyError(ValueError):
    """A size or a method that this module does not have; one sentence with the way out."""


@lru_cache(maxsize=16)
def states(n: int) -> np.ndarray:
    """Every state of n binary units in the order of its number, (2ⁿ, n) float64; the array is read-only."""
    bits = ((np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1).astype(np.float64)
    bits.flags.writeable = False
    return bits


def numbers(bits: np.ndarray) -> np.ndarray:
    """The number of each state, its place in `states(n)`. (..., n) of 0 and 1 -> (...) uint16; n ≤ 16."""
    return (bits @ (1 << np.arange(bits.shape[-1])[::-1])).astype(np.uint16)


def logsumexp(x: np.ndarray) -> float:
    """log Σ eˣ without overflow."""
    top = float(x.max())
    return top + float(np.log(np.exp(x - top).sum()))


@dataclass(frozen=True, eq=False)
class Parameters:
    """W (V, H), vbias (V,), hbias (H,): a model's parameters, or statistics or a gradient of that shape."""

    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray

    def __add__(self, other: "Parameters") -> "Parameters":
        return Parameters(self.W + other.W, self.vbias + other.vbias, self.hbias + other.hbias)

    def __sub__(self, other: "Parameters") -> "Parameters":
        return self + other.scaled(-1)

    def scaled(self, factor: float) -> "Parameters":
        """All parameters times the factor."""
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
    """E(v,h) = −b·v − c·h − vᵀWh of at most 16 visible and 12 hidden units."""

    @classmethod
    def initial(cls, n_visible: int, n_hidden: int, seed: int, weight_std: float = 0.1) -> "TinyRBM":
        """Weights drawn from N(0, weight_std²), and biases of zero: all pictures are nearly equally likely.

        Raises TinyError beyond 16 visible or 12 hidden units, whose states are too many to hold at once.
        """
        for name, value, most in (("visible", n_visible, MOST_VISIBLE), ("hidden", n_hidden, MOST_HIDDEN)):
            if not 1 <= value <= most:
                raise TinyError(f"a model whose states are counted has 1 to {most} {name} units, got {value}")
        W = _rng(seed, _INITIAL).normal(0, weight_std, (n_visible, n_hidden))
        return cls(W, np.zeros(n_visible), np.zeros(n_hidden))

    def free_energy(self, v: np.ndarray) -> np.ndarray:
        """F(v) = −b·v − Σⱼ softplus(cⱼ + (vW)ⱼ), in nats. v: (N, V). Returns (N,)."""
        return rbm_numpy.free_energies(self._model, v)

    def mean_h_from_v(self, v: np.ndarray) -> np.ndarray:
        """p(h = 1 | v) = σ(c + vW). v: (N, V). Returns (N, H)."""
        return rbm_numpy.mean_hidden(self._model, v)

    def mean_v_from_h(self, h: np.ndarray) -> np.ndarray:
        """p(v = 1 | h) = σ(b + hWᵀ). h: (N, H). Returns (N, V)."""
        return sigmoid(h @ self.W.T + self.vbias)

    def log_z(self) -> float:
        """log Z in nats: the sum over all states of the smaller layer."""
        return logsumexp(self._smaller_layer[1])

    def log_p_v(self) -> np.ndarray:
        """log p(v) in nats of every visible state in the order of `states(V)`, (2^V,)."""
        return -self.free_energy(states(len(self.vbias))) - self.log_z()

    def statistics(self) -> Parameters:
        """⟨v h⟩, ⟨v⟩ and ⟨h⟩ under the model: the exact negative phase, which CD and PCD estimate by chains."""
        layer, log_weights = self._smaller_layer
        p = np.exp(log_weights - logsumexp(log_weights))
        if self._hidden_is_smaller:
            v = self.mean_v_from_h(layer)
            return Parameters((v * p[:, None]).T @ layer, p @ v, p @ layer)
        h = self.mean_h_from_v(layer)
        return Parameters((layer * p[:, None]).T @ h, p @ layer, p @ h)

    def statistics_of(self, v: np.ndarray) -> Parameters:
        """The means over cases v (N, V) of v p(h|v)ᵀ, v and p(h|v).

        p(h|v) in place of samples of h lowers the variance (Hinton 2010, section 3).
        """
        h = self.mean_h_from_v(v)
        return Parameters(v.T @ h / len(v), v.mean(0), h.mean(0))

    def moved(self, step: Parameters) -> "TinyRBM":
        """The model with the step added to its parameters."""
        return TinyRBM(self.W + step.W, self.vbias + step.vbias, self.hbias + step.hbias)

    @cached_property
    def _model(self) -> rbm_numpy.Parameters:
        return rbm_numpy.Parameters(self.W, self.vbias, self.hbias)

    @property
    def _hidden_is_smaller(self) -> bool:
        return len(self.hbias) <= len(self.vbias)

    @cached_property
    def _smaller_layer(self) -> tuple[np.ndarray, np.ndarray]:
        """All states of the smaller layer, and for each the log of exp(−E) summed over the other layer."""
        if self._hidden_is_smaller:
            h = states(len(self.hbias))
            return h, h @ self.hbias + softplus(h @ self.W.T + self.vbias).sum(-1)
        v = states(len(self.vbias))
        return v, -self.free_energy(v)


def log_likelihood(rbm: TinyRBM, data: np.ndarray) -> float:
    """The exact mean log p(v) over the cases, in nats."""
    return float(-rbm.free_energy(data).mean() - rbm.log_z())


def entropy(data: np.ndarray) -> float:
    """−Σ p log p of the cases' own distribution, in nats. KL(data ‖ model) = −entropy − log-likelihood."""
    p = np.unique(numbers(data), return_counts=True)[1] / len(data)
    return float(-(p * np.log(p)).sum())


def exact_gradient(rbm: TinyRBM, data: np.ndarray) -> Parameters:
    """∂ mean log p(v) / ∂W = ⟨v h⟩ under the data − ⟨v h⟩ under the model; with ⟨v⟩ and ⟨h⟩ for the biases."""
    return rbm.statistics_of(data) - rbm.statistics()


def _rng(seed: int, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64([seed, *stream]))


def walk(rbm: TinyRBM, v: np.ndarray, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gibbs sweeps with given random numbers: a unit is 1 where its uniform number is below its probability.

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
    """A model that learns: its parameters after `step` updates, and the persistent chains then."""

    rbm: TinyRBM
    step: int
    carried: np.ndarray  # (N_CARRIED, V)


@dataclass(frozen=True, eq=False)
class UpdateInfo:
    """One update of the state `before`: the statistics of both phases, and the chains of the negative phase.

    starts (N_CHAINS, V): where the chains began. h, v (k, N_CHAINS, ·): their states after each sweep. All three are
    empty for the exact gradient, which needs no chain.
    """

    before: State
    positive: Parameters
    negative: Parameters
    starts: np.ndarray
    h: np.ndarray
    v: np.ndarray

    @property
    def gradient(self) -> Parameters:
        """The direction of the update: positive less negative phase."""
        return self.positive - self.negative


def begin(n_visible: int, n_hidden: int, seed: int) -> State:
    """The model before its first update; the units of its persistent chains are fair coin tosses."""
    rbm = TinyRBM.initial(n_visible, n_hidden, seed)
    carried = _rng(seed, _START).integers(0, 2, (N_CARRIED, n_visible)).astype(np.float32)
    return State(rbm, 0, carried)


def update(
    state: State, data: np.ndarray, method: str, learning_rate: float, seed: int
) -> tuple[State, UpdateInfo]:
    """One full-batch update of gradient ascent on the log-likelihood.

    method: exact; cd1 or cd10, whose chains start at the data; or pcd, whose chains go on from the update before. The
    same state and seed give the same update. Raises TinyError for another method.
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
    """The state after each of n_updates updates, with that update.

    The learning rate falls linearly to zero (`rate_at`). At a constant rate the noise of the last updates stays in the
    weights, and the persistent chains lag behind the model.
    """
    state = begin(data.shape[1], n_hidden, seed)
    for step in range(n_updates):
        state, info = update(state, data, method, rate_at(step, n_updates, learning_rate), seed)
        yield state, info


def relearn(
    data: np.ndarray, n_hidden: int, ends: np.ndarray | None, learning_rate: float, n_updates: int, seed: int
) -> Iterator[tuple[TinyRBM, Parameters | None, Parameters | None]]:
    """The models of `learn` again, each with both halves of its next update (None after the last), without chains.

    ends (n_updates, N_CHAINS): the numbers of the states in which the chains of each update of `learn` ended;
    None for the exact gradient. Nothing is drawn, so this takes a fraction of the time.
    """
    rbm = begin(data.shape[1], n_hidden, seed).rbm
    for step in range(n_updates):
        positive = rbm.statistics_of(data)
        negative = rbm.statistics() if ends is None else rbm.statistics_of(states(data.shape[1])[ends[step]])
        yield rbm, positive, negative
        rbm = rbm.moved((positive - negative).scaled(rate_at(step, n_updates, learning_rate)))
    yield rbm, None, None


def rate_at(step: int, n_updates: int, learning_rate: float) -> float:
    """The rate of the update from step to step + 1: learning_rate · (1 − step / n_updates)."""
    return learning_rate * (1 - step / n_updates)


def estimates(state: State, data: np.ndarray, n_chains: int, seed: int) -> dict[str, Parameters]:
    """The gradient at this state as CD-1, CD-10 and PCD estimate it, by method, each from n_chains ≤ N_CARRIED chains.

    With few chains noise dominates the error; with many the bias remains.
    """
    rbm, rng = state.rbm, _rng(seed, _COMPARE, state.step)
    positive = rbm.statistics_of(data)
    starts = _repeated(data, n_chains)
    _, v = walk(rbm, starts, _uniforms(rng, METHODS["cd10"], n_chains, rbm))
    _, carried = walk(rbm, state.carried[:n_chains], _uniforms(rng, 1, n_chains, rbm))
    ends = {"cd1": v[0], "cd10": v[-1], "pcd": carried[-1]}
    return {name: positive - rbm.statistics_of(end.astype(np.float64)) for name, end in ends.items()}


def expected_cd_gradient(rbm: TinyRBM, data: np.ndarray, k: int) -> Parameters:
    """The expected value of CD-k's gradient, whose error is CD-k's bias.

    The data's distribution is multiplied k times by the transition matrix of a sweep, which has 2^(V+H) entries: a few
    million at most.
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
    """log p of each outcome (B, n) of n units with each row of logits (A, n). Returns (A, B)."""
    return logits @ outcomes.T - softplus(logits).sum(-1, keepdims=True)


def walk_chance(n_visible: int, n_hidden: int, n_sweeps: int, seed: int) -> np.ndarray:
    """The uniform numbers of one chain, (n_sweeps, H + V) float32; the same after any number of updates."""
    return _rng(seed, _WALK).random((n_sweeps, n_hidden + n_visible), dtype=np.float32)
