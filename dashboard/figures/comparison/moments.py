"""Snapshots of several runs at equal step."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dashboard.figures import moment
from dashboard.figures.moment import Blob
from rbm_core.runs import Snapshot


def common_steps(kept: Sequence[Sequence[int]]) -> list[int]:
    """Every step at which some run has a snapshot, up to where the shortest run ends."""
    if not kept or not all(kept):
        return sorted({step for steps in kept for step in steps})
    end = min(steps[-1] for steps in kept)
    return sorted({step for steps in kept for step in steps if step <= end} | {end})


def snapshot_up_to(steps: Sequence[int], step: int) -> int | None:
    """The newest snapshot taken up to this step: what the run knew by then."""
    return max((known for known in steps if known <= step), default=None)


def strongest_filters(snapshot: Snapshot, shape: tuple[int, int], scale: float, n: int = 24) -> Blob:
    """The n filters with the largest norms, on a scale that several runs share."""
    order = moment.order_of_units("norm", snapshot, None)[:n]
    part = dataclasses.replace(
        snapshot,
        W=snapshot.W[:, order],
        hbias=snapshot.hbias[order],
        mean_hidden=snapshot.mean_hidden[order],
    )
    header, arrays = moment.filters(part, shape, np.arange(len(order)))
    total = snapshot.W.shape[1]
    header |= {
        "scale": scale,
        "in_use": snapshot.in_use,  # counts the run's units, whose numbers the tiles keep
        "note": f"{_how_many(len(order), total)} filters, largest norm first, on one scale for all runs.",
    }
    return header, {**arrays, "units": order.astype(np.int32)}


def _how_many(shown: int, total: int) -> str:
    return f"All {total:,}" if shown == total else f"{shown:,} of {total:,}"
