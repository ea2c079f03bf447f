"""How well a model's chains mix, how near its samples are to the data, and how many hidden units are dead.

Nothing here needs Z, and none of it can be read from the likelihood.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rbm_core.likelihood.ais import sweeps
from rbm_core.rbm import RBM, ShapeError
from rbm_core.runs.vocabulary import DEAD, SATURATED

__all__ = [
    "SampleAccuracy",
    "adversarial_accuracy",
    "autocorrelation",
    "autocorrelation_time",
    "dead_units",
    "effective_sample_size",
    "flips_per_sweep",
    "moment_distance",
    "nearest_case",
    "sampling_times",
    "saturated_units",
    "update_ratio",
]

# Mixing


def autocorrelation(series: np.ndarray) -> np.ndarray:
    """ρ(t) at lags 0 … T − 1 of T recordings of N chains, from the sum of their covariances. (T, N) or (T,) -> (T,).

    Deviations are taken from the mean over all chains: if chains are stuck in different modes, ρ does not fall to 0.
    A constant series has ρ = 1 at every lag.
    """
    x = np.asarray(series, np.float64)
    x = x[:, None] if x.ndim == 1 else x.reshape(len(x), -1)
    if len(x) < 2 or not np.isfinite(x).all():
        raise ShapeError(f"autocorrelation needs at least 2 finite recordings, got shape {np.shape(series)}")
    x = x - x.mean()
    n, size = len(x), 1 << (2 * len(x) - 1).bit_length()
    spectrum = np.fft.rfft(x, size, axis=0)
    covariance = np.fft.irfft((spectrum * spectrum.conj()).real, size, axis=0)[:n].sum(1)
    covariance /= np.arange(n, 0, -1)  # a sum over fewer pairs at longer lags: no bias towards 0
    return covariance / covariance[0] if covariance[0] > 0 else np.ones(n)


def autocorrelation_time(series: np.ndarray, window: float = 5.0) -> float:
    """τ = 1 + 2 Σ ρ(t): the number of recordings that are worth one independent draw; infinite for a constant series.

    The sum ends at the first lag M ≥ window · τ(M) (Sokal 1997). An estimate above T/50 is unreliable, and usually too
    low. series: (T, N) or (T,).
    """
    rho = autocorrelation(series)
    if np.all(rho == 1.0):
        return math.inf
    tau = 2 * np.cumsum(rho) - 1
    enough = np.arange(len(tau)) >= window * tau
    return float(max(tau[int(np.argmax(enough))] if enough.any() else tau.max(), 1.0))


def effective_sample_size(series: np.ndarray) -> float:
    """The number of independent draws that T recordings of N chains are worth: T N / τ."""
    return float(np.size(series) / autocorrelation_time(series))


def flips_per_sweep(before: Tensor, after: Tensor) -> float:
    """The share of binary units that differ between the states before and after a sweep, both (N, V)."""
    return float((before != after).float().mean())


def sampling_times(
    rbm: RBM, start: Tensor, times: Sequence[int], *, seed: int = 0, stream: str = "sampling-time"
) -> Iterator[tuple[int, Tensor]]:
    """(t, v (N, V)): the states of chains that begin at `start`, after each of these numbers of sweeps, which ascend.

    Started from noise and run far beyond the k sweeps of training, the chains show whether the samples are right only
    after exactly k sweeps (Decelle, Furtlehner & Seoane 2021). Raises ValueError for times that do not ascend from 0.
    """
    if list(times) != sorted(set(times)) or (times and times[0] < 0):
        raise ValueError(f"sampling times must rise from 0 or more, got {list(times)}")
    v, done = start, 0
    for time in times:
        if time > done:
            v = sweeps(rbm, v, time - done, seed=seed, stream=f"{stream}-{done}")
        done = time
        yield time, v


# Sample quality


class SampleAccuracy(tuple[float, float]):
    """The two halves (truth, synthetic) of the adversarial accuracy; each is ½ if samples and data are alike."""

    @property
    def truth(self) -> float:
        """The share of data cases whose nearest neighbour is a data case. Above ½: some data have no samples nearby."""
        return self[0]

    @property
    def synthetic(self) -> float:
        """The share of samples whose nearest neighbour is a sample.

        Above ½: the samples lie close together, or far from the data. Below ½: they copy the data.
        """
        return self[1]

    @property
    def mean(self) -> float:
        """AA_TS itself, from 0 to 1."""
        return (self[0] + self[1]) / 2


def adversarial_accuracy(samples: Tensor, data: Tensor) -> SampleAccuracy:
    """AA_TS of N samples and N data cases, both (N, V): the shares of cases whose nearest neighbour is of their kind.

    Source: Yale et al. 2020, "Generation and evaluation of privacy preserving synthetic health data". Held-out data in
    place of samples give values that scatter about ½ by 1/√N. Raises ShapeError for arrays of different shapes.
    """
    if samples.shape != data.shape or len(samples) < 2:
        raise ShapeError(
            f"adversarial accuracy needs as many samples as data cases, at least 2 of each, "
            f"got {tuple(samples.shape)} and {tuple(data.shape)}"
        )
    across = _squared_distances(data, samples)
    within_data, within_samples = _squared_distances(data, data), _squared_distances(samples, samples)
    within_data.fill_diagonal_(math.inf)
    within_samples.fill_diagonal_(math.inf)
    halves = []
    for own, other in ((within_data, across), (within_samples, across.T)):
        nearest_own, nearest_other = own.min(1).values, other.min(1).values
        # Distances between binary images are often equal; an equal pair counts one half.
        wins = (nearest_own < nearest_other).double() + 0.5 * (nearest_own == nearest_other).double()
        halves.append(float(wins.mean()))
    return SampleAccuracy(halves)


def moment_distance(samples: Tensor, data: Tensor) -> float:
    """Root mean square over all pairs of units of ⟨vᵢvⱼ⟩_samples − ⟨vᵢvⱼ⟩_data; both (N, V), N of each may differ.

    Two sets of N independent cases of one law are about √(2 p(1 − p) / N) apart for pairs that are on with
    probability p. Source: Decelle, Furtlehner & Seoane 2021, "Equilibrium and non-equilibrium regimes in the learning
    of restricted Boltzmann machines". Raises ShapeError for different numbers of units.
    """
    if samples.dim() != 2 or data.dim() != 2 or samples.shape[1] != data.shape[1]:
        raise ShapeError(
            f"samples and data must be (N, V) with equal V, got {tuple(samples.shape)} and {tuple(data.shape)}"
        )
    a, b = samples.double(), data.double()
    return float((a.T @ a / len(a) - b.T @ b / len(b)).square().mean().sqrt())


def nearest_case(samples: Tensor, train: Tensor) -> tuple[Tensor, Tensor]:
    """The training case nearest to each sample: (index (N,), squared distance (N,)).

    Between binary images the squared distance is the number of pixels that differ. A sample that is nearer to a
    training case than held-out cases are is a copy of it.
    """
    index, distance = [], []
    for part in samples.split(1000):
        nearest = _squared_distances(part, train).min(1)
        index.append(nearest.indices)
        distance.append(nearest.values)
    return torch.cat(index), torch.cat(distance)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖aᵢ − bⱼ‖² (A, B) by one matrix product, which is exact for 0/1 states."""
    a, b = a.float(), b.float()
    return ((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)).clamp_(min=0)


# Units and weights


def dead_units(mean_hidden: np.ndarray | Tensor) -> int:
    """The number of hidden units with a mean p(h=1|v) below 1 %. mean_hidden: (H,), the means over the data."""
    return int((mean_hidden < DEAD).sum())


def saturated_units(mean_hidden: np.ndarray | Tensor) -> int:
    """The number of hidden units with a mean p(h=1|v) above 99 %. mean_hidden: (H,), the means over the data."""
    return int((mean_hidden > SATURATED).sum())


def update_ratio(increment: Tensor, weights: Tensor) -> float:
    """‖ΔW‖ / ‖W‖ of one update; about 1e-3 is healthy (Hinton 2010, §7). NaN if all weights are 0."""
    norm = float(torch.linalg.vector_norm(weights))
    return float(torch.linalg.vector_norm(increment)) / norm if norm else math.nan
