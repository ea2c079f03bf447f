"""The rules about learning: each looks at one thing in a record and says whether it is well, by what evidence.

A rule that lacks what it needs returns None. Thresholds are published ones, bounds that follow from what is measured,
or three standard errors of it; tests hold them to runs that are good and to runs broken on purpose.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rbm_core.doctor import setup
from rbm_core.doctor.finding import Finding, Remedy
from rbm_core.doctor.record import Record, median, share_that_differs
from rbm_core.doctor.setup import MOST_FALLEN
from rbm_core.rbm_numpy import Parameters, free_energies, mean_hidden
from rbm_core.runs.vocabulary import MONITORED, PROBED
from rbm_core.visible import units_of
from rbm_core.yardsticks import independent_nats

__all__ = ["FANTASIES", "RULES", "SOURCES", "fantasies"]

_GUIDE = "Hinton 2010"
SOURCES = (
    "Hinton 2010: A Practical Guide to Training Restricted Boltzmann Machines. "
    "Fischer & Igel 2010: Empirical Analysis of the Divergence of Gibbs Sampling Based Learning Algorithms. "
    "Decelle, Furtlehner & Seoane 2021: Equilibrium and Non-Equilibrium Regimes in the Learning of RBMs."
)

_LAST_ROWS = 20  # rows of metrics whose median stands for "now" at a constant rate


def update_ratio(record: Record) -> Finding | None:
    """‖ΔW‖ / ‖W‖ of a typical update: "about 1e-3 … to within about an order of magnitude" (Hinton 2010, § 7).

    A schedule that lowers the rate starts high on purpose, so the upper bound, 1e-2, is held to the rows whose rate is
    at most half of the highest, and the lower bound, 1e-4, to the other rows. A constant rate has only "now". Averaged
    weights have no upper bound, since they hardly move with a single update.
    """
    ratio, rate = record.column("update_ratio"), record.column("learning_rate")
    known = (
        np.isfinite(ratio) & np.isfinite(rate) & (rate > 0) if len(ratio) == len(rate) else np.zeros(0, bool)
    )
    if known.sum() < 5:
        return None
    ratio, rate = ratio[known], rate[known]
    slow = rate <= 0.5 * rate.max()
    at_first = median(ratio[~slow])
    if record.config.get("averaging"):
        by_now = None
    elif record.config.get("lr_schedule") == "constant":
        by_now = median(ratio[-_LAST_ROWS:])
    else:
        by_now = median(ratio[slow])
    middle = at_first if by_now is None else by_now
    idle = (record.recent("dead_units") or 0) + (record.recent("saturated_units") or 0)
    # Dead and saturated units have no gradient at any learning rate; two other rules find them.
    too_small = at_first is not None and at_first < 1e-4 and idle < 0.5 * record.n_hidden
    too_large = by_now is not None and by_now > 1e-2
    if too_small:
        middle = at_first
    if middle is None:
        return None
    when = "while the learning rate is high, " if by_now is None and slow.any() else ""
    return Finding(
        "Update / weight ratio",
        not (too_small or too_large),
        f"{when}a typical update changes the weights by {100 * middle:.2g} % of their size",
        _healthy_ratio(by_now is not None, bool(record.config.get("averaging"))),
        "Try a larger learning rate."
        if too_small
        else "Try a learning rate ten times smaller, one that falls to zero, or larger batches.",
        f"{_GUIDE}, § 7",
        remedies=_at_rate(record, 10.0 if too_small else 0.1, record.newest_step()),
    )


def _healthy_ratio(both_bounds: bool, averaging: bool) -> str:
    """The bounds of the update ratio, in words, as far as they can be held to the rows so far."""
    if both_bounds:
        return "between 0.01 % and 1 %, about 0.1 % at best"
    if averaging:
        return (
            "0.01 % or more; the weights shown are averages over many updates, so that large ones do no harm"
        )
    return "0.01 % or more; its upper bound, 1 %, counts once the falling rate has halved"


def dead_units(record: Record) -> Finding | None:
    """Whether units never fire. In a layer of ordered units the last ones are off in most images because of their
    order, so there the question is whether the layer has room for more.
    """
    if record.config.get("ordered"):
        return setup.room_to_grow(record)
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
        f"{_GUIDE}, §§ 5 and 11",
        remedies=(
            *_at_rate(record, 0.5, None),
            Remedy({"n_hidden": max(1, record.n_hidden // 2)})
            if record.config.get("centred")
            else Remedy({"centred": True}),
        ),
    )


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
        "Try weight decay, fewer hidden units, more data, or to stop earlier.",
        f"{_GUIDE}, § 6",
        remedies=(
            _decay(record, record.sound_step("free_energy_gap", lambda gap: gap - first > limit / 2)),
            Remedy({"n_hidden": max(1, record.n_hidden // 2)}),
        ),
    )


def frozen_fantasies(record: Record) -> Finding | None:
    """Whether persistent chains move.

    A chain that changes a share f of its pixels in a sweep needs at least a / f sweeps to reach another image, if two
    images differ in a share a. More than 100 sweeps are too many.
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
        f"{_GUIDE}, §§ 10 and 15",
        remedies=(
            _decay(record, record.sound_step("flips_per_sweep", lambda moved: moved < 0.02 * apart)),
            *_at_rate(record, 0.5, None),
        ),
    )


def collapsed_fantasies(record: Record) -> Finding | None:
    """Whether persistent chains show as many kinds of image as the data do.

    Images are compared by their hidden units, which are binary whatever the visible units are. Two fantasies must
    differ in at least half as many hidden units as two images. With labels, each fantasy gets the class of its nearest
    probe image, and exp(entropy of the classes) counts the kinds. The chains of CD start at the data at every update,
    so they always show all kinds, and the rule says nothing.
    """
    if record.newest is None or record.probe is None or record.config.get("algorithm") == "cd":
        return None
    fantasies = record.newest.particles_h.astype(np.float32)
    known = record.newest.probe_hidden.astype(np.float32) / 255
    if len(fantasies) < 20 or len(known) < 20 or not record.in_earnest().any():
        return None
    apart, apart_data = share_that_differs(fantasies), share_that_differs(known)
    if apart_data < 0.01:
        return None  # the hidden units tell no two images apart; the rule on dead units finds that
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
        "Fischer & Igel 2010; " + _GUIDE + ", § 15",
        remedies=(_more_sweeps(record), *_at_rate(record, 0.5, None)),
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
    return Finding(
        "Size of free energies",
        bool(deepest < MOST_FALLEN or at_its_best),
        evidence,
        f"less than {MOST_FALLEN:g}: a unit whose input is 5 fires with probability 0.99, and units that sure are "
        "switches",
        "Try a smaller learning rate or weight decay; start again from an early snapshot.",
        f"Fischer & Igel 2010; {_GUIDE}, § 10",
        remedies=_at_rate(
            record,
            0.5,
            record.sound_step("free_energy_train", lambda f: (energy[0] - f) / H > MOST_FALLEN / 2),
        )
        + _at_rate(record, 0.1, None),
    )


def _at_its_best(record: Record) -> bool:
    """Whether the newest of at least 20 log-likelihoods is no lower than the best by more than 2 % or two errors."""
    values = record.column("log_likelihood_valid")
    values = values[np.isfinite(values)]
    error = record.recent("log_z_stderr") or 0.0
    return len(values) >= 20 and bool(
        np.median(values[-5:]) > values.max() - max(0.02 * abs(values.max()), 2 * error)
    )


FANTASIES = (
    "Fantasies are the model's own samples: above the data while there is more to learn, as low as the data in a "
    "model that has learned, and never far below them"
)
"""What the curve of the fantasies' free energy should do: a caption's words for the bounds of `fantasies`."""


def fantasies(record: Record) -> Finding | None:
    """How the free energy of the model's own samples stands to that of the data, from below and from above.

    F(fantasies) − F(data) is the entropy of the model's images less what the data cost under it. Below: the model has
    moved its mass to images of its own, which is ill. Above, at the end of a run: its images are still more various
    than the data, so more training would help; until then it is what learning looks like.
    """
    fantasy, train = record.recent("free_energy_fantasy"), record.recent("free_energy_train")
    if fantasy is None or train is None or record.newest is None or len(record.newest.particles_v) < 10:
        return None
    scatter = free_energies(Parameters.of(record.newest), record.newest.particles_v.astype(np.float32)).std()
    limit = max(5.0, 3 * float(scatter) / float(np.sqrt(len(record.newest.particles_v))))
    above = fantasy - train
    well = above > -limit
    planned = record.planned()
    more = {"updates": 2 * planned} if planned else {"epochs": 2 * int(record.config.get("epochs") or 1)}
    return Finding(
        "Free energy of fantasies",
        well,
        f"fantasies stand {abs(above):.1f} nats {'above' if above >= 0 else 'below'} the training images"
        + (
            ": the run ended with more to learn"
            if above > limit and record.ended
            else ": there is more to learn"
            if above > limit
            else ""
        ),
        f"not more than {limit:.1f} nats below: three standard errors of so few fantasies, 5 at least; as near above "
        "once a run has learned what it can",
        "Train longer, or with more sweeps (k)."
        if well
        else "The model has moved its mass away from the data: try more sweeps (k) or a smaller learning rate.",
        f"{_GUIDE}, § 6",
        hint=above > limit and record.ended,
        remedies=(Remedy(more, record.newest_step(), newest=True),)
        if well
        else (_more_sweeps(record), *_at_rate(record, 0.5, None)),
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
    return Finding(
        "Better than independent pixels",
        not (worse or nothing),
        evidence,
        "above that of independent pixels, which need no hidden units",
        _why_nothing(record)
        if nothing and not worse
        else "Start afresh with smaller first weights and a smaller rate.",
        "Salakhutdinov & Murray 2008",
        remedies=_against_nothing(record)
        if nothing and not worse
        else (
            Remedy({"weight_std": 0.01})
            if (record.config.get("weight_std") or 0.0) > 0.1
            else Remedy(_at_share(record, 0.1, None), rate=record.rate(None)),
        ),
    )


def _gain(record: Record) -> float | None:
    """Mean log p(x) over that of independent pixels on the probe images at the newest snapshot; None if not known."""
    newest, images = record.newest, record.images()
    log_z = None if newest is None else _at(record, "log_z", newest.step)
    if newest is None or images is None or log_z is None:
        return None
    own = -free_energies(Parameters.of(newest), images) - log_z
    return float((own - independent_nats(images, real=units_of(record.config).real)).mean())


def _why_nothing(record: Record) -> str:
    if _penalties(record):
        return "The weights' cost keeps them at zero: take it away."
    if record.config.get("max_grad_norm"):
        return "The gradient is cut down to next to nothing: do not limit its norm."
    return "Train longer, or with a larger learning rate."


def _against_nothing(record: Record) -> tuple[Remedy, ...]:
    if penalties := _penalties(record):
        return (Remedy(dict.fromkeys(penalties, 0.0)),)
    if record.config.get("max_grad_norm"):
        return (Remedy({"max_grad_norm": 0.0}),)
    if record.config.get("weight_std") == 0:
        return (Remedy({"weight_std": 0.01}),)
    planned, steps = record.planned(), update_ratio(record)
    if planned is not None and planned < 1000 and (steps is None or steps.well):
        return (Remedy({"updates": max(2000, 2 * planned)}),)
    return _at_rate(record, 10.0, None)


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


# --- remedies ---


def _at_share(record: Record, share: float, step: int | None) -> dict[str, float]:
    """The learning rate of a run from `step` (None: from new weights), as this share of what it was until then."""
    rate = record.rate(step)
    return {} if rate is None else {"learning_rate": min(100.0, float(f"{share * rate:.6g}"))}


def _at_rate(record: Record, share: float, step: int | None) -> tuple[Remedy, ...]:
    """The run at this share of its learning rate, from `step`."""
    changes = _at_share(record, share, step)
    return (Remedy(changes, step, step == record.newest_step(), record.rate(step)),) if changes else ()


def _decay(record: Record, step: int | None) -> Remedy:
    decay = max(1e-4, 10 * float(record.config.get("weight_decay") or 0.0))
    return Remedy({"weight_decay": min(10.0, decay)}, step, step == record.newest_step())


def _more_sweeps(record: Record, k: int | None = None) -> Remedy:
    now = int(record.recent("k") or record.config.get("k") or 1)
    step = record.newest_step()
    return Remedy({"k": min(10_000, k or 5 * now)}, step, newest=step is not None)


def mixing(record: Record) -> Finding | None:
    """Whether the k sweeps of an update suffice.

    Where samples were measured against sampling time (estimator "mixing"), by that: see `_out_of_equilibrium`. Else
    by what the record has. CD: k sweeps from an image must be able to change as many pixels as two images differ in.
    Persistent chains: of the hidden states at one snapshot, less than half may be remembered at the next.
    """
    k = int(record.recent("k") or record.config.get("k") or 1)  # k may be changed during training
    if record.sampled is not None and record.sampled["settings"].get("sweeps", 0) >= 10 * k:
        return _out_of_equilibrium(record, record.sampled)
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
            remedies=(
                _more_sweeps(record, int(np.ceil(apart / max(flips, 1e-4)))),
                Remedy({"algorithm": "pcd"}, record.newest_step(), newest=True),
            ),
        )
    now, then = record.newest, record.before
    if now is None or then is None or now.step - then.step < 50 or not record.in_earnest().any():
        return None
    if now.particles_h.shape != then.particles_h.shape or len(now.particles_h) < 20:
        return None
    # Two draws of h from one image differ in a share 2p(1 − p) of the units: that much is noise, not movement.
    p = mean_hidden(Parameters.of(now), now.particles_v.astype(np.float32))
    noise, apart = float((2 * p * (1 - p)).mean()), share_that_differs(now.particles_h)
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
        remedies=(_more_sweeps(record), *_at_rate(record, 0.5, record.newest_step())),
    )


def _out_of_equilibrium(record: Record, row: Mapping[str, Any]) -> Finding:
    """Whether samples from noise stay as near to data as they once come, by the distance of second moments.

    A model learned with chains that were too short is right after about as many sweeps as these made, and wrong after
    more: the distance falls, then rises. Up to twice the distance of two sets of test images is sampling noise.
    """
    best, end, noise = row["moments_best"], row["moments_end"], row["moments_of_data"]
    at, last = row["moments_best_sweeps"], row["settings"]["sweeps"]
    return Finding(
        "Enough Gibbs sweeps",
        end <= max(1.5 * best, 2 * noise),
        f"samples from noise come within {best:.2g} of the data's second moments after {at:,} "
        f"sweep{'' if at == 1 else 's'} and stand {end:.2g} from them after {last:,} (two sets of test cases: "
        f"{noise:.2g})",
        "at the end at most 1.5 times the least, or twice what two sets of test cases are apart",
        "The model is right only after about as many sweeps as its training made: try more sweeps (k), persistent "
        "chains, or chains on a ladder.",
        "Decelle, Furtlehner & Seoane 2021",
        remedies=(_more_sweeps(record), *_better_chains(record)),
    )


def _better_chains(record: Record) -> tuple[Remedy, ...]:
    """The run with chains that wander further: persistent ones after CD, on the ladder of its past after those."""
    now, step = record.config.get("algorithm"), record.newest_step()
    better = {"cd": "pcd", "pcd": "ptt", "pt": "ptt"}.get(str(now))
    return (Remedy({"algorithm": better}, step, newest=step is not None),) if better else ()


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
            Remedy({"lr_schedule": "linear", **_at_share(record, 0.5, kept)}, kept, rate=record.rate(kept)),
            _more_sweeps(record),
        ),
    )


def _kept_at(record: Record, rows: np.ndarray) -> int | None:
    """The last snapshot up to the last of these rows that count; None where there is none but the first."""
    until = record.metrics["step"][record.in_earnest()][rows[-1]]
    kept = [step for step in record.steps if 0 < step <= until]
    return kept[-1] if kept else None


def _nearest(x: np.ndarray, known: np.ndarray, *, others: bool = False) -> np.ndarray:
    """(N,) the row of `known` nearest to each row of x; others: not the row itself."""
    far = (known**2).sum(1)[None] - 2 * x @ known.T
    if others:
        np.fill_diagonal(far, np.inf)
    return far.argmin(1)


def _kinds(classes: np.ndarray) -> float:
    """exp(entropy of the classes): n if n classes are equally frequent."""
    p = np.unique(classes, return_counts=True)[1] / len(classes)
    return float(np.exp(-(p * np.log(p)).sum()))


RULES: tuple[Callable[[Record], Finding | None], ...] = (
    setup.ended_well,
    setup.images_differ,
    setup.likelihood_exists,
    setup.chains,
    setup.sparsity,
    setup.first_weights,
    setup.updates,
    beats_pixels,
    update_ratio,
    dead_units,
    saturated_units,
    overfitting,
    frozen_fantasies,
    collapsed_fantasies,
    exploding,
    fantasies,
    mixing,
    false_comfort,
)
