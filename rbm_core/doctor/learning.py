"""The rules about single updates and units: how far the weights move, and which units have stopped learning."""

import numpy as np

from rbm_core.doctor import setup
from rbm_core.doctor.finding import GUIDE, Finding, Remedy
from rbm_core.doctor.record import Record, median
from rbm_core.doctor.remedies import at_rate, fewer_units

__all__ = ["dead_units", "saturated_units", "update_ratio"]

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
    falls = record.config.get("lr_schedule") == "linear"
    newest = record.newest_step()
    return Finding(
        "Update / weight ratio",
        not (too_small or too_large),
        f"{when}a typical update changes the weights by {100 * middle:.2g} % of their size",
        _healthy_ratio(by_now is not None, bool(record.config.get("averaging"))),
        "Try a larger learning rate."
        if too_small
        else f"Try a learning rate ten times smaller{'' if falls else ', or one that falls to zero'}.",
        f"{GUIDE}, § 7",
        remedies=at_rate(record, 10.0, newest)
        if too_small
        else (
            *at_rate(record, 0.1, newest),
            Remedy({"lr_schedule": "linear"}, newest, newest=newest is not None),
        ),
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
    """Whether units are on in all images."""
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
        remedies=(
            *at_rate(record, 0.5, None),
            Remedy({"centred": True}),
            Remedy({"sparsity_target": 0.1, "sparsity_cost": 0.03}),
            fewer_units(record),
        ),
    )
