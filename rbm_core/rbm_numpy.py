"""What follows from recorded parameters in closed form, in NumPy: no torch, no chance, no files.

For pages that look at one image, or at a few thousand, in a process that holds no torch. Tests compare
every number with `RBM`. Notation as in `rbm.py`; energies in nats.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rbm_core.runs.snapshot import Snapshot
from rbm_core.visible import UNITS, VisibleUnits, sigmoid, units_of

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Parameters:
    """W (V, H), vbias (V,), hbias (H,); log_var (V,) is log σ² of Gaussian visible units, None for σ = 1."""

    W: Floats
    vbias: Floats
    hbias: Floats
    units: VisibleUnits = UNITS["bernoulli"]
    log_var: Floats | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Parameters":
        """The parameters that a snapshot recorded."""
        units = units_of(snapshot.meta)
        return cls(snapshot.W, snapshot.vbias, snapshot.hbias, units, snapshot.log_var)

    def scaled(self, v: np.ndarray) -> np.ndarray:
        """v/σ² of Gaussian units, v itself of Bernoulli ones. v: (..., V)."""
        return v if self.log_var is None else v * np.exp(-self.log_var)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + eˣ), without overflow at any x."""
    return np.logaddexp(0.0, x)


def mean_visible(model: Parameters, logits: np.ndarray) -> np.ndarray:
    """E[v | h] of b + hWᵀ: σ of it, or the value itself for Gaussian units. Any shape."""
    return model.units.mean(logits)


def hidden_logits(model: Parameters, v: np.ndarray, units: slice | np.ndarray = np.s_[:]) -> np.ndarray:
    """c + vW of some hidden units (all unless said). v: (B, V). Returns (B, number of units)."""
    return model.scaled(v) @ model.W[:, units] + model.hbias[units]


def mean_hidden(model: Parameters, v: np.ndarray, units: slice | np.ndarray = np.s_[:]) -> np.ndarray:
    """p(h = 1 | v) = σ(c + vW). v: (B, V). Returns (B, number of units)."""
    return sigmoid(hidden_logits(model, v, units))


@dataclass(frozen=True)
class EnergyTerms:
    """The energy of one image, taken apart; p = p(h = 1 | v), everything in nats.

    visible −b·v (½‖v − b‖²/σ² for Gaussian units) · hidden −c·p · pairs −vᵀWp: their sum is the energy
    averaged over p(h | v). entropy: Σⱼ H(pⱼ), how undecided the hidden units are. softplus (H,):
    log(1 + e^(cⱼ + (vW)ⱼ)). Two ways to the same free energy:
        F(v) = visible + hidden + pairs − entropy = visible − Σ softplus
    """

    visible: float
    hidden: float
    pairs: float
    entropy: float
    softplus: np.ndarray

    @property
    def mean_energy(self) -> float:
        return self.visible + self.hidden + self.pairs

    @property
    def free_energy(self) -> float:
        return self.visible - float(self.softplus.sum())


def energy_terms(model: Parameters, v: np.ndarray) -> EnergyTerms:
    """The energy of one image v (V,), term by term, in float64."""
    v64 = v.astype(np.float64)
    drive = model.scaled(v64) @ model.W.astype(np.float64)
    logits = model.hbias + drive
    p = sigmoid(logits)
    visible = float(model.units.own_energy(v64, model.vbias, model.log_var))
    # H(p) = softplus(x) − x p at p = σ(x): no logarithm of 0.
    entropy = float((softplus(logits) - logits * p).sum())
    return EnergyTerms(visible, -float(p @ model.hbias), -float(p @ drive), entropy, softplus(logits))


def free_energies(model: Parameters, v: np.ndarray) -> np.ndarray:
    """F(v) of many images, in nats. v: (B, V). Returns (B,)."""
    visible = model.units.own_energy(v, model.vbias, model.log_var)
    return visible - softplus(hidden_logits(model, v)).sum(axis=1)


@dataclass(frozen=True, eq=False)
class BuildUp:
    """An image built from its units, the strongest first.

    order (H,): units by strength, largest first. strength (H,): pⱼ‖Wⱼ‖, how far a unit moves the picture's
    logits. counts (n,): how many units each picture of `means` (n, V) adds up. error (n,): its mean squared
    distance from the image, per pixel.
    """

    order: np.ndarray
    strength: np.ndarray
    p: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    error: np.ndarray


def build_up(model: Parameters, v: np.ndarray, most: int = 64) -> BuildUp:
    """The mean of v given the strongest units of one image v (V,), one after the other: E[v] at b + Σ pⱼWⱼ.

    At most `most` pictures: every one of the first units, then thinning out, always the last.
    """
    p = mean_hidden(model, v[None])[0]
    strength = p * np.sqrt(np.einsum("vh,vh->h", model.W, model.W))
    order = np.argsort(-strength, kind="stable")
    counts = _counts(len(order), most)
    logits = np.empty((len(counts), len(v)), np.float32)
    total, added = model.vbias.astype(np.float64), 0
    for place, count in enumerate(counts):
        fresh = order[added:count]
        total = total + model.W[:, fresh] @ p[fresh].astype(np.float64)
        logits[place], added = total, count
    means = mean_visible(model, logits)
    return BuildUp(order, strength, p, counts, means, ((means - v) ** 2).mean(axis=1))


def _counts(n: int, most: int) -> np.ndarray:
    """0, 1, 2, … densely, then geometrically, ending with n: at most `most` numbers."""
    if n + 1 <= most:
        return np.arange(n + 1)
    dense = most // 2
    sparse = np.geomspace(dense, n, most - dense)
    return np.unique(np.concatenate([np.arange(dense), np.rint(sparse).astype(int)]))


def cosines(vectors: np.ndarray, one: int) -> np.ndarray:
    """Cosine of the angle between column `one` and every column; 0 where either is zero. (D, N) -> (N,)."""
    lengths = np.sqrt(np.einsum("dn,dn->n", vectors, vectors))
    products = vectors.T @ vectors[:, one]
    scale = lengths * lengths[one]
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
