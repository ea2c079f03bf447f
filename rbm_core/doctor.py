"""What looks wrong with a run, and what to try: rules over its recorded metrics and snapshots.

Pure: arrays in, findings out. Each finding carries its evidence, the threshold it was held to, and the source. A rule
that lacks what it needs says nothing. Thresholds are published ones, bounds that follow from what is measured, or
three standard errors of it; runs that are good, and runs broken on purpose, check them in tests/dashboard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rbm_core.pixels import cut, from_bytes
from rbm_core.runs import Probe, Snapshot
from rbm_core.runs.vocabulary import MONITORED, PROBED

GUIDE = "Hinton 2010"
SOURCES = (
    "Hinton 2010: A Practical Guide to Training Restricted Boltzmann Machines. "
    "Fischer & Igel 2010: Empirical Analysis of the Divergence of Gibbs Sampling Based Learning Algorithms. "
    "Decelle, Furtlehner & Seoane 2021: Equilibrium and Non-Equilibrium Regimes in the Learning of RBMs."
)

_WINDOW = 20  # rows whose median stands for "now"


@dataclass(frozen=True)
class Record:
    """What the rules look at. probe: fixed images of the data; before: a snapshot before newest."""

    metrics: Mapping[str, np.ndarray]
    config: Mapping[str, Any]
    n_hidden: int
    newest: Snapshot | None = None
    before: Snapshot | None = None
    probe: Probe | None = None

    def in_earnest(self) -> np.ndarray:
        """Which rows count: those after an epoch and 500 updates."""
        if not {"epoch", "step"} <= set(self.metrics):
            return np.zeros(0, bool)
        return (self.metrics["epoch"] >= 1) & (self.metrics["step"] >= 500)

    def column(self, name: str) -> np.ndarray:
        """The metric's values once training is in earnest, NaN where it has none; empty if never recorded."""
        return self.metrics[name][self.in_earnest()] if name in self.metrics else np.zeros(0)

    def recent(self, name: str) -> float | None:
        """The median of the last rows; None where fewer than five have a value."""
        return _median(self.column(name)[-_WINDOW:])

    @property
    def gaussian(self) -> bool:
        return self.config.get("visible") == "gaussian"

    def images(self) -> np.ndarray | None:
        """(P, V), the probe batch as visible states; None where there is none."""
        if self.probe is None or len(self.probe.v) < 10:
            return None
        scale = self.probe.scale
        return cut(self.probe.v) if scale is None else scale.standardised(from_bytes(self.probe.v))

    def apart(self) -> float | None:
        """The share of pixels in which two real images differ; None for Gaussian units."""
        images = self.images()
        return None if images is None or self.gaussian else _spread(images) or None


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
    """The size of an update beside the weights': "about 1e-3 … to within about an order of magnitude" (Hinton 2010,
    § 7).

    A rate that falls begins high on purpose: whether it is too high is asked of its lower half, whether it is too low
    of its upper half. Averaged weights do not feel how far a single update goes.
    """
    ratio, rate = record.column("update_ratio"), record.column("learning_rate")
    known = (
        np.isfinite(ratio) & np.isfinite(rate) & (rate > 0) if len(ratio) == len(rate) else np.zeros(0, bool)
    )
    if known.sum() < 5:
        return None
    ratio, rate = ratio[known], rate[known]
    slow = rate <= 0.5 * rate.max()
    at_first = _median(ratio[~slow])
    if record.config.get("averaging"):
        by_now = None
    elif record.config.get("lr_schedule") == "constant":
        by_now = _median(ratio[-_WINDOW:])
    else:
        by_now = _median(ratio[slow])
    middle = at_first if by_now is None else by_now
    idle = (record.recent("dead_units") or 0) + (record.recent("saturated_units") or 0)
    # Units that never change their mind have no gradient, at any rate: another rule's finding.
    too_small = at_first is not None and at_first < 1e-4 and idle < 0.5 * record.n_hidden
    too_large = by_now is not None and by_now > 1e-2
    if too_small:
        middle = at_first
    if middle is None:
        return None
    when = "while the learning rate is high, " if by_now is None and slow.any() else ""
    if by_now is not None:
        healthy = "between 0.01 % and 1 %, about 0.1 % at best"
    elif record.config.get("averaging"):
        healthy = (
            "0.01 % or more; the weights shown are averages over many updates, so that large ones do no harm"
        )
    else:
        healthy = "0.01 % or more; its upper bound, 1 %, counts once the falling rate has halved"
    return Finding(
        "Update / weight ratio",
        not (too_small or too_large),
        f"{when}a typical update changes the weights by {100 * middle:.2g} % of their size",
        healthy,
        "Try a larger learning rate."
        if too_small
        else "Try a learning rate ten times smaller, one that falls to zero, or larger batches.",
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
    """How far validation images have fallen behind since the first epoch, in which no image was seen twice; log Z
    cancels in the gap.
    """
    now, images = record.recent("free_energy_gap"), record.images()
    if now is None or images is None or record.newest is None:
        return None
    # The subsets differ in difficulty by chance, and the more so the further the model tells images apart.
    cases = min(int(record.config.get("n_valid") or MONITORED), MONITORED)
    if len(images) < PROBED:
        cases = len(images)  # a probe that small holds every validation case there is
    scatter = float(_free_energy(record.newest, images).std())
    noise = scatter * float(np.sqrt(1 / MONITORED + 1 / cases))
    first = _median(record.metrics["free_energy_gap"][record.metrics["epoch"] <= 1], 1)
    if first is None:
        return None
    limit = max(5.0, 3 * noise)
    return Finding(
        "Training / validation gap",
        now - first < limit,
        f"validation images have fallen {now - first:.1f} nats behind training images since the first epoch",
        f"less than {limit:.1f} nats: three standard errors of the subsets' difference, 5 at least",
        "Try weight decay, fewer hidden units, more data, or to stop earlier.",
        f"{GUIDE}, § 6",
    )


def frozen_fantasies(record: Record) -> Finding | None:
    """Whether persistent chains move: they need at least as many sweeps to forget as two images lie apart, counted
    in what a sweep changes.
    """
    flips, apart = record.recent("flips_per_sweep"), record.apart()
    if flips is None or apart is None or record.config.get("algorithm") == "cd":
        return None
    return Finding(
        "Fantasies move",
        flips > 0.01 * apart,
        f"a sweep changes {100 * flips:.2g} % of a fantasy's pixels; two images differ in {100 * apart:.2g} %",
        "a hundredth of that difference at least, or a chain needs more than 100 sweeps to become another image",
        "The weights have grown too stiff to sample: try weight decay or a smaller learning rate.",
        f"{GUIDE}, §§ 10 and 15",
    )


def collapsed_fantasies(record: Record) -> Finding | None:
    """Whether persistent chains show as many kinds of image as the data do.

    Compared by hidden units, which hold what the model tells apart, for Gaussian pixels as well. With labels: the
    class of the nearest probe image; the exponential of the classes' entropy counts the kinds. Without: how far
    two fantasies are apart. Chains of CD start at the data anew each time, and so prove nothing.
    """
    if record.newest is None or record.probe is None or record.config.get("algorithm") == "cd":
        return None
    fantasies = record.newest.particles_h.astype(np.float32)
    known = record.newest.probe_hidden.astype(np.float32) / 255
    if len(fantasies) < 20 or len(known) < 20 or not record.in_earnest().any():
        return None
    apart, apart_data = _spread(fantasies), _spread(known)
    if apart_data < 0.01:
        return None  # dead units tell nothing apart; that is another rule's finding
    well = apart > 0.5 * apart_data
    evidence = (
        f"two fantasies differ in {100 * apart:.0f} % of the hidden units, two real images in "
        f"{100 * apart_data:.0f} %"
    )
    healthy = "at least half as much as real images"
    labels = record.probe.labels
    if labels is not None and len(labels) == len(known) and len(np.unique(labels)) > 1:
        kinds = _kinds(labels[_nearest(fantasies, known)])
        kinds_data = _kinds(labels[_nearest(known, known, others=True)])
        well &= kinds > 0.5 * kinds_data
        evidence = (
            f"fantasies look like {kinds:.1f} kinds of image, real ones like {kinds_data:.1f}; {evidence}"
        )
        healthy = "at least half as many kinds, and half as far apart, as real images"
    return Finding(
        "Fantasies differ",
        bool(well),
        evidence,
        healthy,
        "The chains have collapsed to a few kinds: try more sweeps (k), more chains, or a smaller learning rate.",
        "Fischer & Igel 2010; " + GUIDE + ", § 15",
    )


def exploding(record: Record) -> Finding | None:
    """How far the free energy of the data has fallen; log Z, which takes it all back, has risen as far."""
    now, H = record.recent("free_energy_train"), record.n_hidden
    if now is None:
        return None
    each = (float(record.metrics["free_energy_train"][0]) - now) / H
    return Finding(
        "Size of free energies",
        each < 5.0,
        f"the training images' free energy has fallen by {each:.1f} nats a hidden unit since the start",
        "less than 5: a unit whose input is 5 fires with probability 0.99, and units that sure are switches",
        "Try a smaller learning rate or weight decay; start again from an early snapshot.",
        f"Fischer & Igel 2010; {GUIDE}, § 10",
    )


def preferred_fantasies(record: Record) -> Finding | None:
    fantasy, train = record.recent("free_energy_fantasy"), record.recent("free_energy_train")
    if fantasy is None or train is None or record.newest is None or len(record.newest.particles_v) < 10:
        return None
    scatter = _free_energy(record.newest, record.newest.particles_v.astype(np.float32)).std()
    limit = max(5.0, 3 * float(scatter) / float(np.sqrt(len(record.newest.particles_v))))
    below = train - fantasy
    return Finding(
        "Free energy of fantasies",
        below < limit,
        f"fantasies stand {abs(below):.1f} nats {'below' if below > 0 else 'above'} the training images",
        f"not more than {limit:.1f} nats below: three standard errors of so few fantasies, 5 at least",
        "The model has moved its mass away from the data: try more sweeps (k) or a smaller learning rate.",
        f"{GUIDE}, § 6",
    )


def mixing(record: Record) -> Finding | None:
    """Whether the sweeps of an update suffice: for CD, whether a sample can become another image at all; for
    persistent chains, whether one forgets itself between two snapshots.
    """
    k = int(record.recent("k") or record.config.get("k") or 1)  # a person may have changed it while it ran
    if record.config.get("algorithm") == "cd":
        flips, apart = record.recent("flips_per_sweep"), record.apart()
        if flips is None or apart is None:
            return None
        return Finding(
            "Enough Gibbs sweeps",
            k * flips > apart,
            f"{k} sweep{'s' if k > 1 else ''} from an image change at most {100 * k * flips:.2g} % of its pixels; "
            f"two images differ in {100 * apart:.2g} %",
            "as much as that: with less the chains stay near the data and see nothing of the model elsewhere",
            f"Try {int(np.ceil(apart / max(flips, 1e-4)))} sweeps (k) or more, or persistent chains.",
            "Decelle, Furtlehner & Seoane 2021",
        )
    now, then = record.newest, record.before
    if now is None or then is None or now.step - then.step < 50 or not record.in_earnest().any():
        return None
    if now.particles_h.shape != then.particles_h.shape or len(now.particles_h) < 20:
        return None
    # Hidden states drawn twice from the same image differ too: that much is noise, not movement.
    p = _hidden_means(now, now.particles_v.astype(np.float32))
    noise, apart = float((2 * p * (1 - p)).mean()), _spread(now.particles_h)
    if apart < 0.01 or apart < 1.1 * noise:
        return None  # the hidden units do not tell the chains apart
    kept = 1 - (float((now.particles_h != then.particles_h).mean()) - noise) / (apart - noise)
    return Finding(
        "Enough Gibbs sweeps",
        kept < 0.5,
        f"after {now.step - then.step:,} updates of {k} sweep{'s' if k > 1 else ''} a chain still remembers "
        f"{100 * max(kept, 0):.0f} % of where it was",
        "less than half between two snapshots",
        "The chains mix more slowly than the weights change: try more sweeps (k) or a smaller learning rate.",
        "Decelle, Furtlehner & Seoane 2021",
    )


def false_comfort(record: Record) -> Finding | None:
    """Reconstruction that gets better while the likelihood gets worse, by the log-likelihood where it was estimated
    often enough, else by the pseudo-likelihood.
    """
    error = record.column("reconstruction_error")
    for name, words, fewest in (  # noqa: B007  `words` is that of the first with enough values
        ("log_likelihood_valid", "log-likelihood", 5),
        ("pseudo_likelihood_valid", "pseudo-likelihood", 50),
    ):
        values = record.column(name)
        known = np.isfinite(values) & np.isfinite(error) if len(values) == len(error) else np.zeros(0, bool)
        if known.sum() >= fewest:
            break
    else:
        return None
    parts = np.array_split(np.flatnonzero(known), 5)
    means = np.array([values[part].mean() for part in parts])
    errors = np.array([values[part].std() / np.sqrt(len(part)) for part in parts])
    bars = record.column("log_z_stderr")
    if name == "log_likelihood_valid" and len(bars) == len(values):
        # Estimates that rest on the same annealing err alike: their mean is no better than each.
        errors = np.hypot(errors, [np.nanmedian(bars[part]) for part in parts])
    best = int(np.argmax(means[:-1] - errors[:-1]))
    fall = float(means[best] - means[-1])
    noise = 4.0 * float(np.hypot(errors[best], errors[-1]))
    limit = max(0.03 * abs(float(means[best])), noise)
    better = float(error[parts[-1]].mean()) < float(error[parts[best]].mean())
    return Finding(
        "Reconstruction and likelihood agree",
        not (better and fall > limit),
        f"the validation {words} stands {max(fall, 0):.1f} nats below its best, the reconstruction error "
        f"{'fell' if better else 'did not fall'} since",
        f"a fall below {limit:.1f} nats: four standard errors, 3 % of the best at least",
        "Go back to the snapshot of the best likelihood; try more sweeps (k) or a decaying learning rate.",
        "Fischer & Igel 2010",
    )


def _median(values: np.ndarray, fewest: int = 5) -> float | None:
    """The median of the finite values; None if there are fewer than so many."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) >= fewest else None


def _spread(x: np.ndarray) -> float:
    """The mean share of units in which two different rows of (N, U) differ; entries are 0, 1 or probabilities."""
    n, on = len(x), x.sum(axis=0, dtype=np.float64)
    square = (x.astype(np.float64) ** 2).sum(axis=0)
    same = on**2 - square  # Σ over pairs of xᵢ xⱼ
    return float((2 * (n - 1) * on - 2 * same).sum() / (n * (n - 1) * x.shape[1]))


def _nearest(x: np.ndarray, known: np.ndarray, *, others: bool = False) -> np.ndarray:
    """(N,) the row of `known` nearest to each row of x; others: not the row itself."""
    far = (known**2).sum(1)[None] - 2 * x @ known.T
    if others:
        np.fill_diagonal(far, np.inf)
    return far.argmin(1)


def _kinds(classes: np.ndarray) -> float:
    """The exponential of the entropy: as many kinds as equally frequent classes would be."""
    p = np.unique(classes, return_counts=True)[1] / len(classes)
    return float(np.exp(-(p * np.log(p)).sum()))


def _inputs(snapshot: Snapshot, v: np.ndarray) -> np.ndarray:
    scaled = v if snapshot.log_var is None else v * np.exp(-snapshot.log_var)
    return snapshot.hbias + scaled @ snapshot.W


def _hidden_means(snapshot: Snapshot, v: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * _inputs(snapshot, v)))


def _free_energy(snapshot: Snapshot, v: np.ndarray) -> np.ndarray:
    """F (N,) of visible states (N, V), in nats."""
    if snapshot.meta.get("visible") == "gaussian":
        square = (v - snapshot.vbias) ** 2
        own = 0.5 * (square if snapshot.log_var is None else square * np.exp(-snapshot.log_var)).sum(1)
    else:
        own = -(v @ snapshot.vbias)
    return own - np.logaddexp(0, _inputs(snapshot, v)).sum(1)


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
