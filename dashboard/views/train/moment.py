"""The moment of training that Train shows: the snapshot at the time slider, or the newest state."""

from dataclasses import dataclass
from typing import Any

from dashboard import data
from dashboard.ui.texts import sentence
from dashboard.views.train import state
from dashboard.views.train.recorded import Run
from rbm_core.runs import Snapshot, SnapshotError


@dataclass(frozen=True)
class Moment:
    """A recorded state. `key` changes exactly when the picture does; `note` says why another is shown than wished."""

    snapshot: Snapshot
    key: str
    note: str = ""

    @property
    def step(self) -> int:
        return self.snapshot.step


def current(run: Run, steps: list[int]) -> Moment | None:
    """The snapshot at the slider, or the newest state; None before the first. Raises RunError if unreadable."""
    wanted = state.watched().step
    if wanted != "live":
        return _at(run, steps, int(wanted))
    live = run.reader.live() if run.alive or not steps else None
    if live is not None and (not steps or live.step >= steps[-1]):
        return Moment(live, f"{run.name} live {live.step} {live.meta.get('seconds')}")
    return _newest(run, steps) if steps else None


def _newest(run: Run, steps: list[int]) -> Moment:
    """The newest snapshot that can be read: a damaged one does not hide the others."""
    for step in reversed(steps):
        note = f"The snapshot at step {steps[-1]:,} cannot be read; showing step {step:,}."
        try:
            return _recorded(run, step, "" if step == steps[-1] else note)
        except SnapshotError as error:
            failure = error
    raise failure


def _at(run: Run, steps: list[int], wanted: int) -> Moment:
    """The snapshot at the step wanted, else the nearest of three that can be read."""
    try:
        return _recorded(run, wanted)
    except SnapshotError as error:
        others = sorted((s for s in steps if s != wanted), key=lambda s: (abs(s - wanted), s))
        for step in others[:3]:
            try:
                return _recorded(run, step, f"{sentence(error)} Showing step {step:,} instead.")
            except SnapshotError:
                continue
        raise


def _recorded(run: Run, step: int, note: str = "") -> Moment:
    return Moment(data.snapshot(run.name, step), f"{run.name} {step}", note)


def source(run: Run, shown: Moment | None) -> dict[str, Any]:
    """What a saved figure says about where it comes from."""
    return {"run": run.name, "step": shown.step if shown else None, "seed": run.settings.get("seed")}


def steps_per_epoch(run: Run, shown: Moment | None) -> float:
    """The updates of an epoch, from the trainer's status; before it is there, from the snapshot's step and epoch."""
    if run.status["steps_per_epoch"]:
        return float(run.status["steps_per_epoch"])
    if shown is not None and shown.snapshot.meta.get("epoch"):
        return shown.step / float(shown.snapshot.meta["epoch"])
    return 1.0
