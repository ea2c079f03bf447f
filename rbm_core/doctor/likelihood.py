"""The rules about how well the model explains images: validation beside training, independent pixels, its own past."""

import numpy as np

from rbm_core.doctor.finding import GUIDE, Finding, Remedy
from rbm_core.doctor.learning import update_ratio
from rbm_core.doctor.record import Record, median
from rbm_core.doctor.remedies import at_rate, at_share, decay, early_stopping, fewer_units, more_sweeps
from rbm_core.doctor.setup import MOST_FALLEN
from rbm_core.rbm_numpy import Parameters, free_energies
from rbm_core.runs.vocabulary import MONITORED, PROBED
from rbm_core.visible import units_of
from rbm_core.yardsticks import independent_nats

__all__ = ["beats_pixels", "exploding", "false_comfort", "overfitting"]


def overfitting(record: Record) -> Finding | None:
    """How much the gap F(validation) − F(training) has grown since the first epoch; log Z cancels in it.

    During the first epoch no training image has been seen twice, so the gap is the difference of the two subsets.
    """
    now, images = record.recent("free_energy_gap"), record.images()
    if now is None or images is None or record.newest is None:
        return None
    # Two subsets differ by chance, by as much as the free energies of single images scatter under the model.
    cases = min(int(record.config.get("n_valid") or MONITORED), MONITORED)
    if len(images) < PROBED:
        cases = len(images)  # then the probe holds every validation case
    scatter = float(free_energies(Parameters.of(record.newest), images).std())
    noise = scatter * float(np.sqrt(1 / MONITORED + 1 / cases))
    first = median(record.metrics["free_energy_gap"][record.metrics["epoch"] <= 1], 1)
    if first is None:
        return None
    limit = max(5.0, 3 * noise)
    return Finding(
        "Training / validation gap",
        now - first < limit,
        f"validation images have fallen {now - first:.1f} nats behind training images since the first epoch",
        f"less than {limit:.1f} nats: three standard errors of the subsets' difference, 5 at least",
        "Try weight decay, to stop earlier, fewer hidden units, or more data.",
        f"{GUIDE}, § 6",
        remedies=(
            decay(record, record.sound_step("free_energy_gap", lambda gap: gap - first > limit / 2)),
            early_stopping(record),
            fewer_units(record),
        ),
    )


def exploding(record: Record) -> Finding | None:
    """How far the training images' free energy ever fell below its start; log Z rose by as much.

    A unit whose input is 5 adds about 5 nats. Where a log-likelihood that was estimated many times stands at its best,
    the images need units that sure, as bars and stripes do. The deepest row counts, of the first epoch too: a run
    whose learning rate falls recovers from an explosion in part, by how much depends on seed and number format.
    """
    now, H = record.recent("free_energy_train"), record.n_hidden
    if now is None:
        return None
    energy = record.metrics["free_energy_train"]
    fallen, deepest = (energy[0] - now) / H, (energy[0] - np.nanmin(energy)) / H
    evidence = (
        f"the training images' free energy has fallen by {fallen:.1f} nats a hidden unit since the start"
    )
    if at_its_best := deepest >= MOST_FALLEN and _at_its_best(record):
        evidence += ", and the log-likelihood stands at its best"
    elif deepest >= MOST_FALLEN:
        at = int(record.metrics["step"][np.nanargmin(energy)])
        evidence += f", and had fallen by {deepest:.1f} at step {at:,}"
    sound = record.sound_step("free_energy_train", lambda f: (energy[0] - f) / H > MOST_FALLEN / 2)
    return Finding(
        "Size of free energies",
        bool(deepest < MOST_FALLEN or at_its_best),
        evidence,
        f"less than {MOST_FALLEN:g}: a unit whose input is 5 fires with probability 0.99, and units that sure are "
        "switches",
        "Try a smaller learning rate or weight decay; start again from an early snapshot.",
        f"Fischer & Igel 2010; {GUIDE}, § 10",
        remedies=(*at_rate(record, 0.5, sound), decay(record, sound), *at_rate(record, 0.1, None)),
    )


def _at_its_best(record: Record) -> bool:
    """Whether the newest of at least 20 log-likelihoods is no lower than the best by more than 2 % or two errors."""
    values = record.column("log_likelihood_valid")
    values = values[np.isfinite(values)]
    error = record.recent("log_z_stderr") or 0.0
    return len(values) >= 20 and bool(
        np.median(values[-5:]) > values.max() - max(0.02 * abs(values.max()), 2 * error)
    )


def beats_pixels(record: Record) -> Finding | None:
    """Whether the model is better than one without hidden units: pixels that are independent, with the data's means.

    By the newest log-likelihood of validation images, else by their pseudo-likelihood. Any learning model passes
    soon. At the end of a run the two are compared image by image on the probe batch, where their common scatter
    cancels: a model that gains less than 3 % has learned nothing but the pixels' means.
    """
    yardstick, known = record.yardstick(), record.last("log_likelihood_valid")
    if yardstick is None:
        return None
    floor, noise = yardstick
    if known is not None:
        words, value = "log-likelihood", known[1] + 3 * (_at(record, "log_z_stderr", known[0]) or 0.0)
        reached = known[1]
    elif (pseudo := record.recent("pseudo_likelihood_valid")) is not None:
        words, value, reached = "pseudo-likelihood", pseudo, pseudo
    else:
        return None
    hopeless = value < 2 * floor  # an ill start is seen at once; a slow one is given its time
    if not hopeless and not record.in_earnest().any():
        return None
    worse = value < floor - max(0.05 * abs(floor), 3 * noise)
    gain = _gain(record) if record.ended else None
    nothing = gain is not None and gain < 0.03 * abs(floor)
    evidence = f"validation images get a {words} of {reached:,.1f} nats, independent pixels {floor:,.1f}"
    if nothing and not worse:
        evidence += ": the hidden units have learned next to nothing"
    advice, remedies = _against_nothing(record) if nothing and not worse else _against_worse(record)
    return Finding(
        "Better than independent pixels",
        not (worse or nothing),
        evidence,
        "above that of independent pixels, which need no hidden units",
        advice,
        "Salakhutdinov & Murray 2008",
        remedies=remedies,
    )


def _gain(record: Record) -> float | None:
    """Mean log p(x) over that of independent pixels on the probe images at the newest snapshot; None if not known."""
    newest, images = record.newest, record.images()
    log_z = None if newest is None else _at(record, "log_z", newest.step)
    if newest is None or images is None or log_z is None:
        return None
    own = -free_energies(Parameters.of(newest), images) - log_z
    return float((own - independent_nats(images, real=units_of(record.config).real)).mean())


def _against_worse(record: Record) -> tuple[str, tuple[Remedy, ...]]:
    """The advice and its remedies where the model is worse than independent pixels."""
    if (record.config.get("weight_std") or 0.0) > 0.1:
        return "Start afresh with smaller first weights.", (Remedy({"weight_std": 0.01}),)
    return "Start afresh at a smaller learning rate.", at_rate(record, 0.1, None)


def _against_nothing(record: Record) -> tuple[str, tuple[Remedy, ...]]:
    """The advice and its remedies where the hidden units have learned next to nothing."""
    if penalties := _penalties(record):
        return "The weights' cost keeps them at zero: take it away.", (Remedy(dict.fromkeys(penalties, 0.0)),)
    if record.config.get("max_grad_norm"):
        advice = "The gradient is cut down to next to nothing: do not limit its norm."
        return advice, (Remedy({"max_grad_norm": 0.0}),)
    if record.config.get("weight_std") == 0:
        return "Begin with small random weights: from 0 hidden units hardly come to differ.", (
            Remedy({"weight_std": 0.01}),
        )
    planned, steps = record.planned(), update_ratio(record)
    if planned is not None and planned < 1000 and (steps is None or steps.well):
        return "Train longer.", (Remedy({"updates": max(2000, 2 * planned)}),)
    return "Try a larger learning rate.", at_rate(record, 10.0, None)


def _penalties(record: Record) -> list[str]:
    """The costs of a run that are large enough to hold its weights at zero."""
    costs = {"l1": 1e-3, "weight_decay": 1e-2, "sparsity_cost": 1e-2}
    return [name for name, large in costs.items() if (record.config.get(name) or 0) >= large]


def _at(record: Record, name: str, step: int) -> float | None:
    """The column's value in the row of this step."""
    if name not in record.metrics:
        return None
    values = record.metrics[name][record.metrics["step"] == step]
    values = values[np.isfinite(values)]
    return float(values[-1]) if len(values) else None


def false_comfort(record: Record) -> Finding | None:
    """Whether the reconstruction error falls while the likelihood falls too (Fischer & Igel 2010).

    The likelihood is the log-likelihood if it has at least 5 estimates, else the pseudo-likelihood. The rows are cut
    into 5 parts of equal length, and the last part is compared with the best one.
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
        # Estimates that continue the same annealing share its error, so their mean has that error too.
        errors = np.hypot(errors, [np.nanmedian(bars[part]) for part in parts])
    best = int(np.argmax(means[:-1] - errors[:-1]))
    fall = float(means[best] - means[-1])
    noise = 4.0 * float(np.hypot(errors[best], errors[-1]))
    limit = max(0.03 * abs(float(means[best])), noise)
    better = float(error[parts[-1]].mean()) < float(error[parts[best]].mean())
    kept = _kept_at(record, parts[best])
    return Finding(
        "Reconstruction and likelihood agree",
        not (better and fall > limit),
        f"the validation {words} stands {max(fall, 0):.1f} nats below its best, the reconstruction error "
        f"{'fell' if better else 'did not fall'} since",
        f"a fall below {limit:.1f} nats: four standard errors, 3 % of the best at least",
        "Go back to the snapshot of the best likelihood; try more sweeps (k) or a decaying learning rate.",
        "Fischer & Igel 2010",
        remedies=(
            Remedy({"lr_schedule": "linear", **at_share(record, 0.5, kept)}, kept, rate=record.rate(kept)),
            more_sweeps(record),
        ),
    )


def _kept_at(record: Record, rows: np.ndarray) -> int | None:
    """The last snapshot up to the last of these rows that count; None where there is none but the first."""
    until = record.metrics["step"][record.in_earnest()][rows[-1]]
    kept = [step for step in record.steps if 0 < step <= until]
    return kept[-1] if kept else None
