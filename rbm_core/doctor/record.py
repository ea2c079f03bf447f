"""The input of the rules: a run's metrics up to one moment, two of its snapshots and its probe batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from rbm_core.pixels import cut, from_bytes
from rbm_core.runs.files import RunError
from rbm_core.runs.reader import Probe, RunReader
from rbm_core.runs.snapshot import Snapshot
from rbm_core.visible import units_of
from rbm_core.yardsticks import independent_nats

__all__ = ["Record", "median", "record_of", "share_that_differs"]

_FIRST_EPOCH, _FIRST_STEP = 1, 500  # before both, or half of the run, have passed, no row counts
_WINDOW = 20  # rows of metrics whose median stands for "now"
_FEWEST_IMAGES = 10
# Of probes that are in use: a page that follows a run has it examined every few seconds, and a run's probe stays.
_yardsticks: WeakKeyDictionary[Probe, dict[tuple[bool, str], tuple[float, float]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Record:
    """A run up to one moment. metrics: columns of one length. config: the fields of its RunConfig.

    newest: the snapshot of that moment. before: a snapshot at least a tenth of the steps older. probe: fixed cases
    of the data. What is None was not recorded, and a rule that needs it says nothing.

    steps: of all snapshots up to that moment, ascending. damaged: why the last of them cannot be read, if so. state,
    message: of the run, as its status says. data: what config.json says of the images: n_train and others. forked:
    whether the run started from another one's weights. sampled: the newest row of likelihood.jsonl by estimator
    "mixing" that measured second moments, of a snapshot in the second half of the updates so far.
    """

    metrics: Mapping[str, np.ndarray]
    config: Mapping[str, Any]
    n_hidden: int
    newest: Snapshot | None = None
    before: Snapshot | None = None
    probe: Probe | None = None
    steps: tuple[int, ...] = ()
    damaged: str = ""
    state: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    forked: bool = False
    sampled: Mapping[str, Any] | None = None

    def in_earnest(self) -> np.ndarray:
        """Which rows of the metrics count: those after one epoch and 500 updates, or in the second half of the run."""
        if not {"epoch", "step"} <= set(self.metrics):
            return np.zeros(0, bool)
        step, epoch = self.metrics["step"], self.metrics["epoch"]
        late = (epoch >= _FIRST_EPOCH) & (step >= _FIRST_STEP)
        planned = self.planned()
        return late if planned is None else late | ((step >= planned / 2) & (step > 0))

    def planned(self) -> int | None:
        """The updates that the run was to make; None where that cannot be told."""
        if isinstance(updates := self.config.get("updates"), int) and updates:
            return updates
        epochs, batch, images = (
            self.config.get("epochs"),
            self.config.get("batch_size"),
            self.data.get("n_train"),
        )
        if not (isinstance(epochs, int) and isinstance(batch, int) and isinstance(images, int)):
            return None
        return epochs * max(1, images // max(batch, 1))

    @property
    def ended(self) -> bool:
        """Whether the run trained to its end, or was stopped."""
        return self.state in ("finished", "stopped")

    def rate(self, until: int | None) -> float | None:
        """The highest learning rate that the run had up to this step, or the one it was given; None if unknown.

        What raised the rate later is no part of a run that starts again from there.
        """
        step, rates = self.metrics.get("step"), self.metrics.get("learning_rate")
        if until is not None and step is not None and rates is not None:
            early = rates[(step <= until) & np.isfinite(rates) & (rates > 0)]
            if len(early):
                return float(early.max())
        given = self.config.get("learning_rate")
        return None if given is None else float(given)

    def last(self, name: str) -> tuple[int, float] | None:
        """(step, value) of the newest row that has a value in this column."""
        values = self.metrics.get(name, np.zeros(0))
        known = np.flatnonzero(np.isfinite(values))
        return (int(self.metrics["step"][known[-1]]), float(values[known[-1]])) if len(known) else None

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

    def sound_step(self, name: str, ill: Callable[[np.ndarray], np.ndarray]) -> int | None:
        """The last snapshot well before the column was ill: at least a tenth of the steps before its first ill row.

        None where only the first weights are left; the newest readable snapshot where no row is ill.
        """
        with np.errstate(invalid="ignore"):
            bad = np.flatnonzero(ill(self.metrics[name])) if name in self.metrics else np.zeros(0, int)
        if not len(bad):
            return self.newest_step()
        kept = [step for step in self.steps if 0 < step <= 0.9 * float(self.metrics["step"][bad[0]])]
        return kept[-1] if kept else None

    def newest_step(self) -> int | None:
        """The step of the newest snapshot that can be read; None where there is none but that of the first weights."""
        return self.newest.step if self.newest is not None and self.newest.step > 0 else None

    def yardstick(self) -> tuple[float, float] | None:
        """(nats of independent pixels with the data's means, their standard error), by the probe batch.

        None where such pixels are no model of the run's kind: grey values under units of 0 and 1, learned variances.
        """
        units, images = units_of(self.config), self.images()
        binarisation = self.config.get("binarisation", "stochastic")
        if self.probe is None or images is None or self.config.get("learn_variance"):
            return None
        if not units.real and binarisation == "none":
            return None
        known, kind = _yardsticks.setdefault(self.probe, {}), (units.real, binarisation)
        if kind not in known:
            if not units.real and binarisation == "stochastic":
                images = from_bytes(self.probe.v)  # the odds of the coins
            nats = independent_nats(images, real=units.real)
            known[kind] = float(nats.mean()), float(nats.std() / np.sqrt(len(nats)))
        return known[kind]

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

    def load_if_readable(at: int) -> tuple[Snapshot | None, str]:
        try:
            return load(at), ""
        except RunError as error:
            return None, str(error)

    described, metrics, steps = reader.config(), reader.metrics(), reader.snapshot_steps()
    fields, status = described["config"], reader.status()
    at_its_end = step is None or [step] == steps[-1:]
    if step is None:
        newest, damaged = load_if_readable(steps[-1]) if steps else (None, "")
    else:
        newest, damaged = load(step), ""
        steps = [one for one in steps if one <= step]
        if "step" in metrics:
            kept = metrics["step"] <= step
            metrics = {name: column[kept] for name, column in metrics.items()}
    earlier = [] if newest is None else [one for one in steps if one <= 0.9 * newest.step]
    return Record(
        metrics=metrics,
        config=fields,
        n_hidden=int(fields.get("n_hidden") or (newest.W.shape[1] if newest else 1)),
        newest=newest,
        before=load_if_readable(earlier[-1])[0] if earlier else None,
        probe=reader.probe(),
        steps=tuple(steps),
        damaged=damaged,
        state=str(status["state"]) if at_its_end else "",
        message=str(status["message"]) if at_its_end else "",
        data=described.get("data") or {},
        forked=bool(described.get("origin")),
        sampled=None if newest is None else _sampled(reader, newest.step),
    )


def _sampled(reader: RunReader, step: int) -> Mapping[str, Any] | None:
    try:
        rows = reader.likelihood()
    except RunError:
        return None
    needed = ("moments_best", "moments_best_sweeps", "moments_end", "moments_of_data")
    measured = (
        row
        for row in reversed(rows)
        if all(row.get(name) is not None for name in needed)
        and isinstance((row.get("settings") or {}).get("sweeps"), int)
        and step <= 2 * row["step"]
        and row["step"] <= step
    )
    return next(measured, None)


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
