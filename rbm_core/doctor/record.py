"""The input of the rules: a run's metrics up to one moment, two of its snapshots and its probe batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rbm_core.pixels import cut, from_bytes
from rbm_core.runs.files import RunError
from rbm_core.runs.reader import Probe, RunReader
from rbm_core.runs.snapshot import Snapshot
from rbm_core.visible import units_of

__all__ = ["Record", "median", "record_of", "share_that_differs"]

_FIRST_EPOCH, _FIRST_STEP = 1, 500  # before both have passed, no row counts
_WINDOW = 20  # rows of metrics whose median stands for "now"
_FEWEST_IMAGES = 10


@dataclass(frozen=True)
class Record:
    """A run up to one moment. metrics: columns of one length. config: the fields of its RunConfig.

    newest: the snapshot of that moment. before: a snapshot at least a tenth of the steps older. probe: fixed cases
    of the data. What is None was not recorded, and a rule that needs it says nothing.
    """

    metrics: Mapping[str, np.ndarray]
    config: Mapping[str, Any]
    n_hidden: int
    newest: Snapshot | None = None
    before: Snapshot | None = None
    probe: Probe | None = None

    def in_earnest(self) -> np.ndarray:
        """Which rows of the metrics count: those after one epoch and 500 updates."""
        if not {"epoch", "step"} <= set(self.metrics):
            return np.zeros(0, bool)
        return (self.metrics["epoch"] >= _FIRST_EPOCH) & (self.metrics["step"] >= _FIRST_STEP)

    def column(self, name: str) -> np.ndarray:
        """The metric in the rows that count, NaN where a row has no value; empty if it was never recorded."""
        return self.metrics[name][self.in_earnest()] if name in self.metrics else np.zeros(0)

    def recent(self, name: str) -> float | None:
        """The median of the last 20 rows that count; None if fewer than five of them have a value."""
        return median(self.column(name)[-_WINDOW:])

    def images(self) -> np.ndarray | None:
        """(P, V), the probe batch as visible states; None if it has fewer than ten cases."""
        if self.probe is None or len(self.probe.v) < _FEWEST_IMAGES:
            return None
        scale = self.probe.scale
        return cut(self.probe.v) if scale is None else scale.standardised(from_bytes(self.probe.v))

    def apart(self) -> float | None:
        """The share of pixels in which two probe images differ; None for real-valued ones."""
        images = self.images()
        return None if images is None or units_of(self.config).real else share_that_differs(images) or None


def record_of(
    reader: RunReader, step: int | None = None, *, snapshot: Callable[[int], Snapshot] | None = None
) -> Record:
    """The record of a run up to the snapshot at `step`; None: up to its newest snapshot and its last row of metrics.

    snapshot: reads a snapshot by its step, `reader.snapshot` unless given. Raises RunError if there is no readable
    snapshot at `step` or the run cannot be read; without `step`, a damaged snapshot counts as not recorded.
    """
    load = snapshot or reader.snapshot

    def load_if_readable(at: int) -> Snapshot | None:
        try:
            return load(at)
        except RunError:
            return None

    fields, metrics, steps = reader.config()["config"], reader.metrics(), reader.snapshot_steps()
    if step is not None:
        newest: Snapshot | None = load(step)
    else:
        newest = load_if_readable(steps[-1]) if steps else None
    if step is not None and "step" in metrics:
        kept = metrics["step"] <= step
        metrics = {name: column[kept] for name, column in metrics.items()}
    earlier = [] if newest is None else [one for one in steps if one <= 0.9 * newest.step]
    return Record(
        metrics=metrics,
        config=fields,
        n_hidden=int(fields.get("n_hidden") or (newest.W.shape[1] if newest else 1)),
        newest=newest,
        before=load_if_readable(earlier[-1]) if earlier else None,
        probe=reader.probe(),
    )


def median(values: np.ndarray, fewest: int = 5) -> float | None:
    """The median of the finite values; None if there are fewer of them than `fewest`."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) >= fewest else None


def share_that_differs(x: np.ndarray) -> float:
    """The mean share of units in which two different rows of (N, U) differ; entries are 0, 1 or probabilities."""
    n, on = len(x), x.sum(axis=0, dtype=np.float64)
    square = (x.astype(np.float64) ** 2).sum(axis=0)
    same = on**2 - square  # Σ over pairs of xᵢ xⱼ
    return float((2 * (n - 1) * on - 2 * same).sum() / (n * (n - 1) * x.shape[1]))
