"""What looks wrong with a run, and what to try: rules over its recorded metrics and snapshots.

Pure: arrays in, findings out. Each finding carries its evidence, the threshold it was held to, and the
source. A rule that lacks what it needs says nothing. The thresholds were set on runs of 200 to 1,500 hidden
units on MNIST's digits, good ones and ones broken on purpose; good ones must come out without a word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rbm_core.runs import Snapshot

GUIDE = "Hinton 2010"
SOURCES = (
    "Hinton 2010: A Practical Guide to Training Restricted Boltzmann Machines. "
    "Fischer & Igel 2010: Empirical Analysis of the Divergence of Gibbs Sampling Based Learning Algorithms. "
    "Decelle, Furtlehner & Seoane 2021: Equilibrium and Non-Equilibrium Regimes in the Learning of RBMs."
)


@dataclass(frozen=True)
class Record:
    """What the rules look at. probe: (P, V) in [0, 1], fixed images; before: a snapshot before newest."""

    metrics: Mapping[str, np.ndarray]
    config: Mapping[str, Any]
    n_hidden: int
    newest: Snapshot | None = None
    before: Snapshot | None = None
    probe: np.ndarray | None = None

    def column(self, name: str) -> np.ndarray:
        """The metric's values once training is in earnest (an epoch and 500 updates), NaN where it has none;
        empty if it was never recorded.
        """
        if not {name, "epoch", "step"} <= set(self.metrics):
            return np.zeros(0)
        return self.metrics[name][(self.metrics["epoch"] >= 1) & (self.metrics["step"] >= 500)]

    def recent(self, name: str, rows: int = 20) -> float | None:
        """The median of the last rows; None where fewer than five have a value."""
        values = self.column(name)[-rows:]
        values = values[np.isfinite(values)]
        return float(np.median(values)) if len(values) >= 5 else None


@dataclass(frozen=True)
class Finding:
    """One rule's answer: is it well, by what evidence, held to what, and what to try if it is not."""

    rule: str
    well: bool
    evidence: str
    healthy: str
    advice: str
    source: str


def update_ratio(record: Record) -> Finding | None:
    """The size of an update beside the weights', over the part of the run with a high learning rate."""
    ratio, rate = record.column("update_ratio"), record.column("learning_rate")
    if not len(rate):
        return None
    fast = np.isfinite(ratio) & (rate > 0.2 * np.nanmax(rate))
    if fast.sum() < 5:
        return None
    middle = float(np.median(ratio[fast]))
    if middle > 1e-3:
        advice = "Try a learning rate ten times smaller, or larger batches."
    else:
        advice = "Try a larger learning rate."
    return Finding(
        "Update / weight ratio",
        2e-5 < middle < 5e-2,
        f"a typical update changes the weights by {middle:.1e} of their size",
        "about 1e-3; up to 5e-2 early in a run with a falling rate, above 2e-5 to learn at all",
        advice,
        f"{GUIDE}, § 7",
    )


def dead_units(record: Record) -> Finding | None:
    return _idle(record, "dead_units", "Dead units", "never fire")


def saturated_units(record: Record) -> Finding | None:
    return _idle(record, "saturated_units", "Saturated units", "are always on")


def _idle(record: Record, column: str, rule: str, what: str) -> Finding | None:
    n = record.recent(column)
    if n is None:
        return None
    return Finding(
        rule,
        n < 2 or n <= 0.05 * record.n_hidden,
        f"{n:.0f} of {record.n_hidden:,} hidden units {what}",
        "fewer than 5 %",
        "Try a smaller learning rate, the centred gradient, a sparsity target, or fewer hidden units.",
        f"{GUIDE}, §§ 5 and 11",
    )


def overfitting(record: Record) -> Finding | None:
    """How far validation images have fallen behind since the first epochs; log Z cancels in the gap."""
    gap = record.column("free_energy_gap")
    gap = gap[np.isfinite(gap)]
    if len(gap) < 10:
        return None
    tenth = max(3, len(gap) // 10)
    rise = float(np.mean(gap[-tenth:]) - np.mean(gap[:tenth]))
    return Finding(
        "Training / validation gap",
        rise < 5.0,
        f"the gap has grown by {rise:.1f} nats since the first epochs",
        "less than 5 nats",
        "Try weight decay, fewer hidden units, more data, or to stop earlier.",
        f"{GUIDE}, § 6",
    )


def frozen_fantasies(record: Record) -> Finding | None:
    flips = record.recent("flips_per_sweep")
    if flips is None:
        return None
    return Finding(
        "Fantasies move",
        flips > 0.005,
        f"a sweep changes {100 * flips:.2g} % of the fantasies' pixels",
        "more than 0.5 %",
        "The weights have grown too stiff to sample: try weight decay or a smaller learning rate.",
        f"{GUIDE}, § 15",
    )


def collapsed_fantasies(record: Record) -> Finding | None:
    """How different the fantasies are from each other, beside how different real images are."""
    if record.newest is None or record.probe is None or record.newest.meta.get("visible") == "gaussian":
        return None
    if len(record.newest.particles_v) < 10 or len(record.probe) < 10 or not len(record.column("epoch")):
        return None
    fantasies = _spread(record.newest.particles_v)
    data = _spread(record.probe > 0.5)
    if data == 0:
        return None
    return Finding(
        "Fantasies differ",
        fantasies > 0.6 * data,
        f"two fantasies differ in {100 * fantasies:.1f} % of their pixels, two real images in "
        f"{100 * data:.1f} %",
        "at least 0.6 times as much as real images",
        "The chains have collapsed to a few kinds: try more sweeps (k), persistent chains, a smaller rate.",
        "Fischer & Igel 2010; " + GUIDE + ", § 15",
    )


def exploding(record: Record) -> Finding | None:
    """Filters far longer than those of good models."""
    norm = record.recent("weight_norm")
    if norm is None:
        return None
    each = norm / np.sqrt(record.n_hidden)
    return Finding(
        "Size of the weights",
        each < 12.0,
        f"the length of a typical filter is {each:.1f}",
        "below 12; good models of digits stand between 2 and 7",
        "Try a smaller learning rate or weight decay; start again from an early snapshot.",
        f"{GUIDE}, § 10",
    )


def preferred_fantasies(record: Record) -> Finding | None:
    fantasy, train = record.recent("free_energy_fantasy"), record.recent("free_energy_train")
    if fantasy is None or train is None:
        return None
    below = train - fantasy
    return Finding(
        "Free energy of fantasies",
        below < 10.0,
        f"fantasies stand {abs(below):.1f} nats {'below' if below > 0 else 'above'} the training images",
        "not more than 10 nats below",
        "The model has moved its mass away from the data: try more sweeps (k) or a smaller learning rate.",
        f"{GUIDE}, § 6",
    )


def mixing(record: Record) -> Finding | None:
    """Whether the sweeps of an update suffice: for CD, whether the samples leave their image at all; for
    persistent chains, whether a chain forgets itself between two snapshots.
    """
    k = int(record.config.get("k") or 1)
    if record.config.get("algorithm") == "cd":
        flips = record.recent("flips_per_sweep")
        if flips is None:
            return None
        left = min(1.0, k * flips)
        return Finding(
            "Enough Gibbs sweeps",
            left > 0.1,
            f"{k} sweep{'s' if k > 1 else ''} from the data change at most {100 * left:.1f} % of the pixels",
            "more than 10 %",
            "Try more sweeps (k) or persistent chains; what lies far from the data goes unseen.",
            "Decelle, Furtlehner & Seoane 2021",
        )
    now, then = record.newest, record.before
    if now is None or then is None or now.meta.get("visible") == "gaussian" or now.step - then.step < 50:
        return None
    if now.particles_v.shape != then.particles_v.shape or len(now.particles_v) < 10:
        return None
    apart = _spread(now.particles_v)
    if apart == 0 or not len(record.column("epoch")):
        return None
    moved = float(np.mean(now.particles_v != then.particles_v))
    return Finding(
        "Enough Gibbs sweeps",
        moved > 0.4 * apart,
        f"in {now.step - then.step:,} updates a chain went {moved / apart:.2f} times as far from itself as "
        "chains are apart",
        "more than 0.4 times",
        "The chains mix more slowly than the weights change: try more sweeps (k) or a smaller learning rate.",
        "Decelle, Furtlehner & Seoane 2021",
    )


def false_comfort(record: Record) -> Finding | None:
    """Reconstruction that gets better while the (pseudo-)likelihood gets worse."""
    error = record.column("reconstruction_error")
    for name, words in (  # noqa: B007  `words` is that of the first with enough values
        ("log_likelihood_valid", "log-likelihood"),
        ("pseudo_likelihood_valid", "pseudo-likelihood"),
    ):
        values = record.column(name)
        known = np.isfinite(values) & np.isfinite(error) if len(values) == len(error) else np.zeros(0, bool)
        if known.sum() >= (3 if name.startswith("log") else 50):
            break
    else:
        return None
    parts = np.array_split(np.flatnonzero(known), 5 if known.sum() >= 50 else 3)
    means = np.array([values[part].mean() for part in parts])
    errors = np.array([values[part].std() / np.sqrt(len(part)) for part in parts])
    best = int(np.argmax(means[:-1]))
    fall = float(means[best] - means[-1])
    noise = 4.0 * float(np.hypot(errors[best], errors[-1]))
    better = float(error[parts[-1]].mean()) < float(error[parts[best]].mean())
    return Finding(
        "Reconstruction and likelihood agree",
        not (better and fall > max(3.0, noise)),
        f"the validation {words} stands {max(fall, 0):.1f} nats below its best, the reconstruction error "
        f"{'fell' if better else 'did not fall'} since",
        f"a fall below 3 nats, or within its noise ({noise:.1f})",
        "Go back to the snapshot of the best likelihood; try more sweeps (k) or a decaying learning rate.",
        "Fischer & Igel 2010",
    )


def _spread(v: np.ndarray) -> float:
    """The mean share of pixels in which two different rows of a binary (N, V) array differ."""
    n = len(v)
    on = v.astype(np.float64).sum(axis=0)
    return float((on * (n - on)).sum() * 2 / (n * (n - 1) * v.shape[1]))


RULES: tuple[Callable[[Record], Finding | None], ...] = (
    update_ratio,
    dead_units,
    saturated_units,
    overfitting,
    frozen_fantasies,
    collapsed_fantasies,
    exploding,
    preferred_fantasies,
    mixing,
    false_comfort,
)


def examine(record: Record) -> list[Finding]:
    """Every rule that could be applied, those with something to look at first."""
    findings = [finding for rule in RULES if (finding := rule(record)) is not None]
    return sorted(findings, key=lambda finding: finding.well)
