"""Rules about what a run was given: its images, its chains, its first weights, its targets, its number of updates.

They name causes, where the other rules name what follows; so they stand before them in the list.
"""

import numpy as np

from rbm_core.config import MOST_PENALTY
from rbm_core.doctor.finding import GUIDE, Finding, Remedy
from rbm_core.doctor.record import Record
from rbm_core.runs.files import rounded
from rbm_core.runs.vocabulary import DEAD
from rbm_core.visible import units_of

__all__ = [
    "chains",
    "ended_well",
    "first_weights",
    "images_differ",
    "likelihood_exists",
    "room_to_grow",
    "sparsity",
    "updates",
]

_FEWEST_CHAINS = 10
_FEWEST_KINDS = 4
_FEWEST_UPDATES = 100
MOST_FALLEN = 5.0
"""Nats a hidden unit that the training images' free energy may fall."""
_SURE = 5.0  # nats of input with which a unit fires in 99 of 100 draws


def ended_well(record: Record) -> Finding | None:
    """Whether training came to its end by itself, and not by numbers that left all bounds."""
    if not record.state:
        return None
    energy = record.metrics.get("free_energy_train", np.zeros(0))
    deep = -MOST_FALLEN / 2 * record.n_hidden + (energy[0] if len(energy) else 0.0)
    last = len(energy) - 1
    sound = record.sound_step("free_energy_train", lambda f: ~(f > deep) | (np.arange(len(f)) == last))
    rate = record.rate(sound)
    slower = tuple(
        Remedy({"learning_rate": float(f"{share * rate:.6g}")}, sound, rate=rate)
        for share in (0.5, 0.1)
        if rate is not None
    )
    ill = record.state == "diverged"
    return Finding(
        "Numbers stay finite",
        not ill,
        (record.message.rstrip(".") or "training diverged") if ill else "training has not diverged",
        "free energies of data and fantasies no further apart than 2,000 nats and 20 a pixel",
        "Start again from an early snapshot with a smaller learning rate.",
        f"{GUIDE}, § 7",
        remedies=slower,
    )


def images_differ(record: Record) -> Finding | None:
    """Whether there is anything to learn: images that are all alike have no structure beyond their pixels' means."""
    images = record.images()
    if images is None:
        return None
    alike = len({image.tobytes() for image in images})  # np.unique sorts them: 6 ms
    return Finding(
        "Images differ",
        alike > len(images) / 2 or alike >= _FEWEST_KINDS,
        f"of {len(images)} images of the data {alike:,} {'is' if alike == 1 else 'are'} unlike all others",
        f"{_FEWEST_KINDS} or more",
        "Give it more images that are not copies of one another.",
        "what an RBM learns is how pixels vary together",
    )


def likelihood_exists(record: Record) -> Finding | None:
    """Grey values under units of 0 and 1: log p of a grey image is not defined, so no likelihood can be told.

    Persistent chains are states of 0 and 1 while the data are not, so the two phases of the gradient describe
    different kinds of image. CD's chains begin at the grey images; its pictures are all that can be judged.
    """
    binarisation = record.config.get("binarisation")
    if binarisation is None or units_of(record.config).real:
        return None
    grey = binarisation == "none"
    cd = record.config.get("algorithm") == "cd"
    return Finding(
        "Pixels suit the units",
        not grey or cd,
        "units of 0 and 1 are trained on grey values, so the model has no likelihood"
        if grey
        else "pixels are 0 or 1, as the units are",
        "pixels of 0 and 1 under persistent chains; grey ones can only be judged by their pictures",
        "Draw the pixels as coins whose odds are the grey values (binarisation stochastic).",
        f"{GUIDE}, § 13.1; Salakhutdinov & Murray 2008",
        remedies=(Remedy({"binarisation": "stochastic"}),),
    )


def chains(record: Record) -> Finding | None:
    """Whether the negative phase is a mean over enough chains; its variance falls with their number."""
    n, algorithm = record.config.get("n_chains"), record.config.get("algorithm")
    if algorithm not in ("pcd", "cd") or not isinstance(n, int):
        return None
    if algorithm == "cd":
        n = int(record.config.get("batch_size", n))
    return Finding(
        "Enough chains",
        n >= _FEWEST_CHAINS,
        f"the model's side of every update is the mean over {n:,} chain{'s' * (n != 1)}",
        f"{_FEWEST_CHAINS} or more, best as many as images in an update",
        "Start afresh with 100 chains.",
        "Tieleman 2008",
        remedies=(Remedy({"n_chains" if algorithm == "pcd" else "batch_size": 100}),),
    )


def sparsity(record: Record) -> Finding | None:
    """Whether the sparsity target leaves a hidden unit something to say: a unit that is on for every image is none."""
    cost, target = record.config.get("sparsity_cost"), record.config.get("sparsity_target")
    if cost is None or target is None:
        return None
    return Finding(
        "Sparsity target",
        not cost or DEAD < target <= 0.5,
        f"hidden units are pushed to be on for {100 * target:.3g} % of the images"
        if cost
        else "hidden units are not pushed to a target",
        "between 1 % and 50 %, usually 1 % to 10 %: a unit that is hardly ever or nearly always on says little",
        "Start afresh with a sparsity target of 0.1, or without a sparsity cost.",
        f"{GUIDE}, § 11",
        remedies=(Remedy({"sparsity_target": 0.1}), Remedy({"sparsity_cost": 0.0})),
    )


def first_weights(record: Record) -> Finding | None:
    """How far from undecided the first random weights put a hidden unit: its input scatters by std · ‖v‖."""
    std, images = record.config.get("weight_std"), record.images()
    if std is None or images is None or record.forked or record.config.get("ordered"):
        return None  # ordered units begin at 0
    spread = float(std) * float(np.sqrt((images.astype(np.float64) ** 2).sum(axis=1)).mean())
    return Finding(
        "First weights",
        spread < _SURE,
        f"the first random weights give a hidden unit an input of about ±{spread:.2g} nats",
        f"less than {_SURE:g}, best below 1: at {_SURE:g} a unit is on or off in 99 of 100 draws, and hardly learns",
        "Start afresh with a weight spread of 0.01.",
        f"{GUIDE}, § 8",
        remedies=(Remedy({"weight_std": 0.01}),),
    )


def room_to_grow(record: Record) -> Finding | None:
    """Whether a layer of ordered units still has places left: one that is full no longer finds its own size."""
    places, used = record.config.get("n_hidden"), record.recent("units_in_use")
    if not record.config.get("ordered") or used is None or not isinstance(places, int):
        return None
    dearer = 1 + 10 * (float(record.config.get("penalty", 1.01)) - 1)
    return Finding(
        "Room to grow",
        used < places,
        f"{used:.0f} of {places:,} places for hidden units are in use",
        "fewer than all: the layer stops growing where more units no longer pay for their penalty",
        "Start afresh with twice as many places, or with a larger penalty.",
        "Côté & Larochelle 2016",
        remedies=(
            Remedy({"n_hidden": min(2 * places, 65536)}),
            Remedy({"penalty": float(f"{min(dearer, MOST_PENALTY):.6g}")}),
        ),
    )


def updates(record: Record) -> Finding | None:
    """Whether the run is long enough to learn at all."""
    planned, images, size = record.planned(), record.data.get("n_train"), record.config.get("batch_size")
    if planned is None or not images or not size:  # a run that is starting has yet to count its images
        return None
    n_train, batch = int(images), int(size)
    large = 10 * batch > n_train
    more = Remedy({"updates": 1000}, record.steps[-1] if record.ended and record.steps else None, True)
    smaller = Remedy({"batch_size": max(10, n_train // 10), "updates": 1000})
    return Finding(
        "Enough updates",
        planned >= _FEWEST_UPDATES,
        f"the whole run is {planned:,} updates: {rounded(planned * batch / n_train)} epochs of {n_train:,} images, "
        f"{batch:,} an update",
        f"{_FEWEST_UPDATES} or more; a thousand show strokes",
        f"Train for more updates{', or with fewer images in each' if large else ''}.",
        f"{GUIDE}, § 4",
        remedies=(more, smaller) if large else (more,),
    )
