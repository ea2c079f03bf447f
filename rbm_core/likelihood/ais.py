"""log Z by annealed importance sampling, from both sides, and whether to believe it.

Forward (Salakhutdinov & Murray 2008) chains run from a base model without weights, whose Z is known, to the
RBM: each one's weight is an unbiased estimate of Z, so its logarithm errs downwards on average. In reverse
(Burda, Grosse & Salakhutdinov 2015) they run from the RBM's own samples back to the base and estimate 1/Z:
log Z errs upwards. The two bracket the truth, as far as the reverse chains begin at true samples.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.likelihood.annealing import AISResult, Annealing
from rbm_core.likelihood.exact import enumerated_units, exact_samples
from rbm_core.rbm import RBM, ShapeError

__all__ = [
    "Betas",
    "Bracket",
    "adaptive_betas",
    "ais",
    "base_rate",
    "prepare_ais",
    "prepare_reverse_ais",
    "reverse_ais",
    "temperatures",
    "tempered_samples",
]

Betas = str | int | np.ndarray
Progress = Callable[[int, int], None]

# 0:.001:.5, .5:.0001:.9, .9:.00001:1, the 14,500 temperatures of Salakhutdinov & Murray 2008.
_SALAKHUTDINOV_MURRAY = ((0.0, 0.5, 500), (0.5, 0.9, 4000), (0.9, 1.0, 10000))
_ADAPTIVE_STEPS = 5000
_MOST_STEPS = 10_000_000  # beyond, the list of them alone would fill the memory
_SHOWN_EVERY = 250  # temperatures between two calls of progress
_EXACT_UNITS = 16  # up to here true samples cost less than good chains


# The path --------------------------------------------------------------------------------


def temperatures(betas: Betas) -> np.ndarray:
    """The inverse temperatures (K,) that a name, a number of equal steps or an array stands for.

    "salakhutdinov-murray": 14,500 steps, dense towards 1. Raises ValueError unless they rise from 0 to 1.
    """
    if isinstance(betas, str):
        if betas != "salakhutdinov-murray":
            raise ValueError(
                "betas must be 'salakhutdinov-murray', 'adaptive', a number of steps or an array, "
                f"got {betas!r}"
            )
        parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in _SALAKHUTDINOV_MURRAY]
        return np.concatenate([*parts, [1.0]])
    if isinstance(betas, (int, np.integer)):
        _check_steps(int(betas))
        return np.linspace(0.0, 1.0, int(betas) + 1)
    array = np.asarray(betas, np.float64)
    if array.ndim != 1 or len(array) < 2 or array[0] != 0 or array[-1] != 1 or not (np.diff(array) > 0).all():
        got = f"{array[0]:g} … {array[-1]:g}" if array.ndim == 1 and len(array) else f"shape {array.shape}"
        raise ValueError(f"betas must rise strictly from 0 to 1, got {got}")
    return array


def _check_steps(n: int) -> None:
    if not 1 <= n <= _MOST_STEPS:
        raise ValueError(f"the number of temperature steps must lie in 1 … {_MOST_STEPS:,}, got {n:,}")


def adaptive_betas(
    rbm: RBM,
    n_steps: int = _ADAPTIVE_STEPS,
    *,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
    precision: str = "auto",
) -> np.ndarray:
    """n_steps temperature steps (n_steps + 1,), close where the weights would spread most. The pilot costs
    500 sweeps.

    A step Δβ adds Var_β(d log p*_β/dβ) Δβ² to the weights' variance, so the sum is least where Δβ is inverse
    to the standard deviation; a pilot of 64 chains measures that. A quarter of the steps stay equal, since a
    pilot that missed a mode also misses where it freezes. Chains of the estimate itself are drawn afresh, so
    the estimate stays unbiased.
    """
    _check_steps(n_steps)
    grid = np.linspace(0.0, 1.0, 501)
    pilot = _forward(rbm, grid, 64, _base(rbm, base_vbias, seed), seed, "ais-pilot", precision)
    spread = np.empty(len(grid) - 1)
    for k in range(len(spread)):
        before = pilot.log_weights.clone()
        pilot.advance(1)
        spread[k] = float((pilot.log_weights - before).std())
    smooth = np.convolve(np.pad(spread, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    share = smooth / smooth.sum() if smooth.sum() > 0 else np.full(len(spread), 1 / len(spread))
    cumulative = np.concatenate([[0.0], np.cumsum(0.75 * share + 0.25 / len(spread))])
    betas = np.interp(np.linspace(0.0, cumulative[-1], n_steps + 1), cumulative, grid)
    betas[0], betas[-1] = 0.0, 1.0
    return betas


def base_rate(rbm: RBM, data_mean: Tensor | np.ndarray | None = None, *, seed: int = 0) -> Tensor:
    """The biases (V,) of a base model: log-odds of the pixels' means, or the means of Gaussian units
    themselves.

    data_mean: (V,), the training data's; the closer to the model's own means the better the estimate. None
    takes the model's means as a short annealing from a base without any bias finds them, so that every mode
    is seen.
    """
    if data_mean is not None:
        mean = torch.as_tensor(data_mean, dtype=torch.float64, device=rbm.device)
        if mean.shape != rbm.vbias.shape or not torch.isfinite(mean).all():
            raise ShapeError(
                f"data_mean must be {rbm.n_visible} finite numbers, got shape {tuple(mean.shape)}"
            )
    elif (own := rbm.law.base_bias(rbm.vbias)) is not None:
        return own
    else:
        flat = torch.zeros(rbm.n_visible, dtype=torch.float64, device=rbm.device)
        pilot = _forward(rbm, np.linspace(0, 1, 201), 100, flat, seed, "ais-base", "auto")
        pilot.advance(len(pilot.betas))
        mean = pilot.visible_states().double().mean(0) * 0.98 + 0.01
    return rbm.law.bias_of(mean)


def _base(rbm: RBM, base_vbias: Tensor | np.ndarray | None, seed: int) -> Tensor:
    if base_vbias is None:
        return base_rate(rbm, seed=seed)
    base = torch.as_tensor(base_vbias, dtype=torch.float64)
    if base.shape != rbm.vbias.shape or not torch.isfinite(base).all():
        raise ShapeError(f"base_vbias must be {rbm.n_visible} finite numbers, got shape {tuple(base.shape)}")
    return base


def _path(
    rbm: RBM, betas: Betas, n_chains: int, base_vbias: Tensor | np.ndarray | None, seed: int, precision: str
) -> tuple[np.ndarray, Tensor]:
    if n_chains < 2:
        raise ValueError(f"n_chains must be at least 2, since their spread is the error bar; got {n_chains}")
    base = _base(rbm, base_vbias, seed)
    if isinstance(betas, str) and betas == "adaptive":
        return adaptive_betas(rbm, base_vbias=base, seed=seed, precision=precision), base
    return temperatures(betas), base


# Forward --------------------------------------------------------------------------------


def _forward(
    rbm: RBM, betas: np.ndarray, n: int, base: Tensor, seed: int, stream: str, precision: str
) -> Annealing:
    """Chains drawn from the base model, ready to be annealed."""
    start = Rng(seed, f"{stream}-start", rbm.device)
    base = base.to(rbm.device)
    v = rbm.law.at_means(rbm.law.mean(base), n, start, rbm.sigma)
    return Annealing(rbm, betas, base, v, seed=seed, stream=stream, precision=precision)


def _run(annealing: Annealing, progress: Progress | None) -> AISResult:
    while not annealing.done:
        annealing.advance(_SHOWN_EVERY)
        if progress is not None:
            progress(annealing.position, len(annealing.betas) - 1)
    return annealing.result()


def prepare_ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
    precision: str = "auto",
) -> Annealing:
    """What `ais` runs, not yet advanced: for callers who stop, save and watch it."""
    path, base = _path(rbm, betas, n_chains, base_vbias, seed, precision)
    return _forward(rbm, path, n_chains, base, seed, "ais", precision)


def ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
    precision: str = "auto",
    progress: Progress | None = None,
) -> AISResult:
    """An estimate of log Z in nats by annealing from a base model to the RBM.

    Errs downwards on average, so likelihoods come out too high, and silently if a mode is missed. Without
    base_vbias it has one base only, which a short annealing of the model itself found: both miss the same
    mode, and no error bar shows it. `likelihood.judge` asks several bases and starts. betas:
    "salakhutdinov-murray" (14,500), "adaptive" (5,000 placed by a pilot), a number of equal steps or an
    array from 0 to 1. n_chains: at least 2. base_vbias: (V,), the base model's biases, best the data's
    log-odds (`base_rate(rbm, data_mean)`); None asks the model itself. precision: of the products; the
    estimate is of the model as given in any. progress: called with (temperatures done, all). Raises
    ShapeError for parameters that are not finite, ValueError for what no annealing can have.
    """
    annealing = prepare_ais(
        rbm, betas=betas, n_chains=n_chains, base_vbias=base_vbias, seed=seed, precision=precision
    )
    return _run(annealing, progress)


# Reverse --------------------------------------------------------------------------------


def sweeps(rbm: RBM, v: Tensor, n: int, *, seed: int = 0, stream: str = "sweeps") -> Tensor:
    """The chains v (N, V) after n sweeps of the model itself, by the same kernels as annealing. Returns (N,
    V).
    """
    held = _held(rbm, v, n, seed, stream)
    held.advance(n + 1)
    return held.visible_states()


def each_sweep(rbm: RBM, v: Tensor, n: int, *, seed: int = 0, stream: str = "sweeps") -> Iterator[Tensor]:
    """The chains v (N, V) after each of n sweeps, each (N, V): what `sweeps` makes, at the cost of one call of it."""
    held = _held(rbm, v, n, seed, stream)
    for _ in range(n):
        held.advance(1)
        yield held.visible_states().clone()


def _held(rbm: RBM, v: Tensor, n: int, seed: int, stream: str) -> Annealing:
    """Chains that stay at the model for n temperatures."""
    flips = rbm.device.type == "cpu" and rbm.bitwise
    precision = "differences" if flips else "float32"  # not timed: that would take longer than the sweeps
    return Annealing(
        rbm, np.ones(n + 2), rbm.vbias.double(), v, seed=seed, stream=stream, precision=precision
    )


def tempered_samples(
    rbm: RBM,
    n: int,
    *,
    n_steps: int = 2000,
    n_sweeps: int = 200,
    base_vbias: Tensor | np.ndarray | None = None,
    seed: int = 0,
) -> Tensor:
    """n samples (n, V) as near p(v) as annealing gets: cooled over n_steps, resampled by weight, and swept
    on.

    Up to 16 units in the smaller layer they are exact and independent instead.
    """
    if enumerated_units(rbm) <= _EXACT_UNITS:
        return exact_samples(rbm, n, Rng(seed, "exact-samples", rbm.device))
    annealing = _forward(
        rbm, np.linspace(0, 1, n_steps + 1), n, _base(rbm, base_vbias, seed), seed, "tempered", "auto"
    )
    annealing.advance(n_steps)
    share = torch.softmax(annealing.log_weights, 0).cumsum(0)
    # Systematic resampling: one uniform number, n equally spaced picks.
    picks = (torch.arange(n, device=rbm.device) + Rng(seed, "resample").uniform((1,)).to(rbm.device)) / n
    chosen = torch.searchsorted(share, picks.double()).clamp(max=n - 1)
    return sweeps(rbm, annealing.visible_states()[chosen], n_sweeps, seed=seed, stream="tempered-sweeps")


def prepare_reverse_ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    starts: Tensor | None = None,
    seed: int = 0,
    precision: str = "auto",
) -> Annealing:
    """What `reverse_ais` runs, not yet advanced: for callers who stop, save and watch it."""
    path, base = _path(rbm, betas, n_chains, base_vbias, seed, precision)
    if starts is None:
        starts = tempered_samples(rbm, n_chains, base_vbias=base, seed=seed)
    elif len(starts) < n_chains:
        raise ShapeError(f"reverse AIS of {n_chains} chains needs as many starts, got {len(starts)}")
    v = starts[:n_chains].to(rbm.device)
    return Annealing(rbm, path[::-1].copy(), base, v, seed=seed, stream="reverse-ais", precision=precision)


def reverse_ais(
    rbm: RBM,
    *,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    base_vbias: Tensor | np.ndarray | None = None,
    starts: Tensor | None = None,
    seed: int = 0,
    precision: str = "auto",
    progress: Progress | None = None,
) -> AISResult:
    """An estimate of log Z in nats by annealing from the RBM's samples back to the base model.

    Errs upwards on average if the starts are samples of the model; starts that over-represent one mode can
    push it below the truth, and then the forward estimate lies above it. A mode that neither direction ever
    visits stays unseen. starts: (at least n_chains, V), the run's persistent chains after some more sweeps,
    say; None takes `tempered_samples`. The rest as in `ais`.
    """
    annealing = prepare_reverse_ais(
        rbm,
        betas=betas,
        n_chains=n_chains,
        base_vbias=base_vbias,
        starts=starts,
        seed=seed,
        precision=precision,
    )
    return _run(annealing, progress)


# Both --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bracket:
    """Forward and reverse AIS of one model along one path, and what they say together.

    max_gap: nats between the two beyond which neither is believed. min_ess: the share of the chains that must
    carry the weight in each direction.
    """

    forward: AISResult
    reverse: AISResult
    max_gap: float = 1.0
    min_ess: float = 0.1
    _joint: tuple[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_joint", _bennett(self.forward.log_weights, self.reverse.log_weights))

    @property
    def gap(self) -> float:
        """Reverse less forward, in nats: at least about zero where both are right."""
        return self.reverse.log_z - self.forward.log_z

    @property
    def lower(self) -> float:
        """Two standard errors below the lower of the two estimates."""
        return min(r.log_z - 2 * r.stderr for r in (self.forward, self.reverse))

    @property
    def upper(self) -> float:
        """Two standard errors above the higher of the two estimates."""
        return max(r.log_z + 2 * r.stderr for r in (self.forward, self.reverse))

    @property
    def log_z(self) -> float:
        """Both directions' weights joined by Bennett's acceptance ratio (1976), the estimate of least
        variance.
        """
        return self._joint[0]

    @property
    def stderr(self) -> float:
        """Bennett's standard error, or half the gap between the two directions where that is larger."""
        return max(self._joint[1], abs(self.gap) / 2)

    @property
    def doubts(self) -> list[str]:
        """Why not to believe it, one clause each; empty where there is no reason."""
        found = []
        error = math.hypot(self.forward.stderr, self.reverse.stderr)
        if not (math.isfinite(self.gap) and math.isfinite(error)):
            return ["the estimates are not finite"]
        if self.gap > self.max_gap:
            found.append(f"forward and reverse AIS are {self.gap:.1f} nats apart")
        elif self.gap < -max(3 * error, 0.05):
            found.append(
                f"forward AIS lies {-self.gap:.2f} nats above reverse AIS, "
                "which happens when the reverse chains did not begin at samples of the model"
            )
        for name, result in (("forward", self.forward), ("reverse", self.reverse)):
            n = len(result.log_weights)
            if result.ess < max(self.min_ess * n, 2.0):
                found.append(f"only {result.ess:.0f} of {n} {name} chains carry the weight")
        return found

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against the two."""
        return not self.doubts

    @property
    def verdict(self) -> str:
        """One plain sentence, and the way out where it is needed."""
        if self.trusted:
            f, r = self.forward, self.reverse
            return (
                f"Trust it: forward and reverse AIS agree to {abs(self.gap):.2f} nats, and {f.ess:.0f} of "
                f"{len(f.log_weights)} forward and {r.ess:.0f} of {len(r.log_weights)} reverse chains "
                "carry the weight."
            )
        words = "Do not trust it: " + "; ".join(self.doubts) + "."
        # Chains that did not begin at samples of the model gain nothing from a longer way.
        way_out = " Try more temperatures, or adaptive ones."
        return words + way_out if "apart" in words or "carry" in words else words


def _bennett(forward: np.ndarray, reverse: np.ndarray) -> tuple[float, float]:
    """(log Z, standard error) from both directions' per-chain estimates, by Bennett's acceptance ratio.

    Solves Σ_forward σ(x − L − M) = Σ_reverse σ(L + M − x), M = log(n_forward / n_reverse); the left side
    falls in L and the right rises, so bisection finds it.
    """
    both = np.concatenate([forward, reverse])
    if not np.isfinite(both).all():
        return math.nan, math.inf
    m = math.log(len(forward) / len(reverse))

    def fermi(x: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + np.tanh(x / 2))

    low, high = both.min() - abs(m) - 1, both.max() + abs(m) + 1
    for _ in range(200):
        middle = 0.5 * (low + high)
        if fermi(forward - middle - m).sum() > fermi(middle + m - reverse).sum():
            low = middle
        else:
            high = middle
    log_z = 0.5 * (low + high)
    variance = 0.0
    for f in (fermi(forward - log_z - m), fermi(log_z + m - reverse)):
        mean = f.mean()
        variance += math.inf if mean == 0 else float((f**2).mean() / mean**2 - 1) / len(f)
    return log_z, math.sqrt(max(variance, 0.0))  # equal weights leave a rounding error, of either sign
