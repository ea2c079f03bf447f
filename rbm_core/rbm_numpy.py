"""The model in NumPy: what follows from its parameters in closed form, without torch, random numbers or files.

The app's process uses it for one image or a few thousand, since it must not load torch. Tests compare every number
with `RBM`. The notation is that of `rbm.py`; energies are in nats.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rbm_core.runs.snapshot import Snapshot
from rbm_core.visible import UNITS, VisibleUnits, sigmoid, units_of

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Parameters:
    """W (V, H), vbias (V,), hbias (H,); log_var (V,) is log σ² of Gaussian visible units, None for σ = 1.

    label_W U (K, H), label_bias d (K,): of label units, None for a model without. What follows for pixels alone then
    has the label summed out; `given` has it held. penalty: P of ordered hidden units (`ordered.py`), None for others.
    """

    W: Floats
    vbias: Floats
    hbias: Floats
    units: VisibleUnits = UNITS["bernoulli"]
    log_var: Floats | None = None
    label_W: Floats | None = None
    label_bias: Floats | None = None
    penalty: float | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Parameters":
        """The parameters that a snapshot recorded."""
        units = units_of(snapshot.meta)
        labels = (snapshot.label_W, snapshot.label_bias)
        return cls(
            snapshot.W,
            snapshot.vbias,
            snapshot.hbias,
            units,
            snapshot.log_var,
            *labels,
            snapshot.meta.get("penalty"),
        )

    def given(self, label: int) -> "Parameters":
        """The model of the pixels given this label, whose hidden biases are c + U_y."""
        assert self.label_W is not None
        return replace(self, hbias=self.hbias + self.label_W[label], label_W=None, label_bias=None)

    def scaled(self, v: np.ndarray) -> np.ndarray:
        """v/σ² of Gaussian units, v itself of Bernoulli ones. v: (..., V)."""
        return v if self.log_var is None else v * np.exp(-self.log_var)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + eˣ), without overflow at any x."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def hidden_logits(model: Parameters, v: np.ndarray, units: slice | np.ndarray = np.s_[:]) -> np.ndarray:
    """c + vW of these hidden units, of all unless `units` is given, without a label. v: (B, V). Returns (B, units)."""
    return model.scaled(v) @ model.W[:, units] + model.hbias[units]


def mean_hidden(model: Parameters, v: np.ndarray, units: slice | np.ndarray = np.s_[:]) -> np.ndarray:
    """p(h = 1 | v) = σ(c + vW), with label units Σ_y p(y | v) σ(c + vW + U_y), of ordered units p(z ≥ j | v) σ(c + vW).

    v: (B, V). Returns (B, units).
    """
    if model.penalty is not None:
        logits = hidden_logits(model, v)
        return (sigmoid(logits) * taking_part(logits, model.hbias, model.penalty))[:, units]
    logits = hidden_logits(model, v, units)
    if model.label_W is None:
        return sigmoid(logits)
    p = np.exp(log_p_label(model, v))
    means = (p[:, y, None] * sigmoid(logits + U[units]) for y, U in enumerate(model.label_W))
    return np.sum(list(means), axis=0)


def _log_z(logits: np.ndarray, hbias: np.ndarray, penalty: float) -> np.ndarray:
    """log of the unnormalised p(z | v) of ordered units, for z = 1 … H and last for all above. (B, H) -> (B, H + 1)."""
    S = np.cumsum(softplus(logits) - penalty * softplus(hbias), axis=1, dtype=np.float64)
    return np.concatenate([S, S[:, -1:] + _log_tail(penalty)], axis=1)


def _log_tail(penalty: float) -> float:
    """As `ordered.log_tail`."""
    return -math.log(math.expm1((penalty - 1) * math.log(2.0)))


def taking_part(logits: np.ndarray, hbias: np.ndarray, penalty: float) -> np.ndarray:
    """p(z ≥ j | v), the chance that each ordered unit takes part. logits (B, H), hbias (H,) -> (B, H)."""
    return _reached(_p_z(_log_z(logits, hbias, penalty))).astype(logits.dtype)


def _p_z(log_z: np.ndarray) -> np.ndarray:
    """p(z | v) of `_log_z`, (B, H + 1)."""
    return np.exp(log_z - np.logaddexp.reduce(log_z, axis=1, keepdims=True))


def _reached(p: np.ndarray) -> np.ndarray:
    """p(z ≥ j | v) of p(z | v), (B, H + 1) -> (B, H)."""
    return np.minimum(p[:, ::-1].cumsum(axis=1)[:, :0:-1], 1.0)


def _label_scores(model: Parameters, v: np.ndarray) -> np.ndarray:
    """d_y + Σⱼ softplus(cⱼ + (vW)ⱼ + U_yj) of every label. v: (B, V). Returns (B, K)."""
    assert model.label_W is not None
    assert model.label_bias is not None
    logits = hidden_logits(model, v)
    return np.stack([softplus(logits + U).sum(axis=1) for U in model.label_W], axis=1) + model.label_bias


def log_p_label(model: Parameters, v: np.ndarray) -> np.ndarray:
    """log p(y | v) of every label. v: (B, V). Returns (B, K)."""
    scores = _label_scores(model, v)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


@dataclass(frozen=True)
class EnergyTerms:
    """The terms of the energy of one image, in nats, where p = p(h = 1 | v).

    visible: −b·v, or ½‖v − b‖²/σ² for Gaussian units. hidden: −c·p. pairs: −vᵀWp. Their sum is the energy averaged
    over p(h | v). entropy: Σⱼ H(pⱼ), which is large where hidden units are undecided. softplus (H,):
    log(1 + e^(cⱼ + (vW)ⱼ)). The free energy follows in two ways:

        F(v) = visible + hidden + pairs − entropy = visible − Σ softplus

    Of ordered hidden units, with z = 1 … H or "above H" and qⱼ = p(z ≥ j | v): penalty is Σ qⱼ P softplus(cⱼ), less
    the weight of the units above H; entropy is that of z and Σ qⱼ H(σ(xⱼ)); softplus holds
    qⱼ (softplus(xⱼ) − P softplus(cⱼ)); order is the entropy of z and the weight of the units above H. Then

        F(v) = visible + hidden + pairs + penalty − entropy = visible − Σ softplus − order
    """

    visible: float
    hidden: float
    pairs: float
    entropy: float
    softplus: np.ndarray
    penalty: float = 0.0
    order: float = 0.0

    @property
    def mean_energy(self) -> float:
        """Mean E(v, h) over p(h | v), in nats."""
        return self.visible + self.hidden + self.pairs + self.penalty

    @property
    def free_energy(self) -> float:
        """F(v), in nats."""
        return self.visible - float(self.softplus.sum()) - self.order


def energy_terms(model: Parameters, v: np.ndarray) -> EnergyTerms:
    """The energy of one image v (V,), term by term, in float64."""
    v64 = v.astype(np.float64)
    drive = model.scaled(v64) @ model.W.astype(np.float64)
    logits = model.hbias + drive
    p = sigmoid(logits)
    visible = float(model.units.own_energy(v64, model.vbias, model.log_var))
    # H(p) = softplus(x) − x p at p = σ(x): no logarithm of 0.
    entropy = float((softplus(logits) - logits * p).sum())
    if model.penalty is not None:
        return _ordered_terms(model, visible, drive, logits)
    return EnergyTerms(visible, -float(p @ model.hbias), -float(p @ drive), entropy, softplus(logits))


def _ordered_terms(model: Parameters, visible: float, drive: np.ndarray, logits: np.ndarray) -> EnergyTerms:
    assert model.penalty is not None
    p_z = _p_z(_log_z(logits[None], model.hbias, model.penalty))[0]
    q = _reached(p_z[None])[0]
    p, price = q * sigmoid(logits), model.penalty * softplus(model.hbias.astype(np.float64))
    above = float(p_z[-1]) * _log_tail(model.penalty)
    of_z = -float(np.sum(p_z * np.log(np.maximum(p_z, np.finfo(float).tiny))))
    return EnergyTerms(
        visible,
        -float(p @ model.hbias),
        -float(p @ drive),
        of_z + float((q * softplus(logits) - logits * p).sum()),
        q * (softplus(logits) - price),
        penalty=float(q @ price) - above,
        order=of_z + above,
    )


def free_energies(model: Parameters, v: np.ndarray) -> np.ndarray:
    """F(v) of many images, in nats. v: (B, V). Returns (B,)."""
    visible = model.units.own_energy(v, model.vbias, model.log_var)
    if model.penalty is not None:
        return visible - np.logaddexp.reduce(
            _log_z(hidden_logits(model, v), model.hbias, model.penalty), axis=1
        )
    if model.label_W is not None:
        return visible - np.logaddexp.reduce(_label_scores(model, v), axis=1)
    return visible - softplus(hidden_logits(model, v)).sum(axis=1)


@dataclass(frozen=True, eq=False)
class BuildUp:
    """An image rebuilt from its hidden units, which are added one by one, the strongest first.

    order (H,): the units by strength, the largest first. strength (H,): pⱼ‖Wⱼ‖, how far a unit moves the picture's
    logits. p (H,): p(h = 1 | v). means (n, V): the pictures. counts (n,): the number of units in each picture.
    error (n,): the mean over pixels of each picture's squared distance from the image.
    """

    order: np.ndarray
    strength: np.ndarray
    p: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    error: np.ndarray


def build_up(model: Parameters, v: np.ndarray, most: int = 64) -> BuildUp:
    """Pictures E[v] at the logits b + Σ pⱼWⱼ, summed over the strongest units of one image v (V,).

    There are at most `most` pictures: one for each of the first units, then one for ever more units, the last for all.
    """
    p = mean_hidden(model, v[None])[0]
    strength = p * norms(model.W)
    order = np.argsort(-strength, kind="stable")
    counts = _counts(len(order), most)
    logits = np.empty((len(counts), len(v)), np.float32)
    total, added = model.vbias.astype(np.float64), 0
    for place, count in enumerate(counts):
        fresh = order[added:count]
        total = total + model.W[:, fresh] @ p[fresh].astype(np.float64)
        logits[place], added = total, count
    means = model.units.mean(logits)
    return BuildUp(order, strength, p, counts, means, ((means - v) ** 2).mean(axis=1))


def _counts(n: int, most: int) -> np.ndarray:
    """At most `most` numbers from 0 to n: 0, 1, 2, … at first, then in geometric steps; n is the last."""
    if n + 1 <= most:
        return np.arange(n + 1)
    dense = most // 2
    sparse = np.geomspace(dense, n, most - dense)
    return np.unique(np.concatenate([np.arange(dense), np.rint(sparse).astype(int)]))


def norms(vectors: np.ndarray) -> np.ndarray:
    """The length of every column. (D, N) -> (N,)."""
    return np.sqrt(np.einsum("dn,dn->n", vectors, vectors))


def cosines(vectors: np.ndarray, one: int) -> np.ndarray:
    """The cosine of the angle between column `one` and every column; 0 where either is zero. (D, N) -> (N,)."""
    lengths = norms(vectors)
    products = vectors.T @ vectors[:, one]
    scale = lengths * lengths[one]
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
