"""The rules about chains: whether fantasies move, differ, stand where the data stand, and mix in k sweeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rbm_core.doctor.finding import GUIDE, Finding, Remedy
from rbm_core.doctor.record import Record, share_that_differs
from rbm_core.doctor.remedies import at_rate, decay, more_chains, more_sweeps
from rbm_core.rbm_numpy import Parameters, free_energies, mean_hidden

__all__ = ["FANTASIES", "collapsed_fantasies", "fantasies", "frozen_fantasies", "mixing"]

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
        f"{GUIDE}, § 6",
        hint=above > limit and record.ended,
        remedies=(Remedy(more, record.newest_step(), newest=True), more_sweeps(record))
        if well
        else (more_sweeps(record), *at_rate(record, 0.5, None)),
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
        f"{GUIDE}, §§ 10 and 15",
        remedies=(
            decay(record, record.sound_step("flips_per_sweep", lambda moved: moved < 0.02 * apart)),
            *at_rate(record, 0.5, None),
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
        "Fischer & Igel 2010; " + GUIDE + ", § 15",
        remedies=(more_sweeps(record), more_chains(record), *at_rate(record, 0.5, None)),
    )


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
                more_sweeps(record, int(np.ceil(apart / max(flips, 1e-4)))),
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
        remedies=(more_sweeps(record), *at_rate(record, 0.5, record.newest_step())),
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
        remedies=(more_sweeps(record), *_better_chains(record)),
    )


def _better_chains(record: Record) -> tuple[Remedy, ...]:
    """The run with chains that wander further: persistent ones after CD, on the ladder of its past after those."""
    now, step = record.config.get("algorithm"), record.newest_step()
    better = {"cd": "pcd", "pcd": "ptt", "pt": "ptt"}.get(str(now))
    return (Remedy({"algorithm": better}, step, newest=step is not None),) if better else ()
