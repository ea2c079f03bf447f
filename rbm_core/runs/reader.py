"""Reading a run that may be written to at this moment; nothing is written, and no torch is needed.

A page calls every method twice a second, so what did not change on disk is not read again, and growing files are
read from where the last reading ended. Threads may share one reader.
"""

import math
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.pixels import PixelScale
from rbm_core.runs import inside, json_input, layout
from rbm_core.runs.cached import Cached
from rbm_core.runs.columns import Columns, latest
from rbm_core.runs.files import (
    SCHEMA,
    RunError,
    SnapshotError,
    lock_is_held,
    of_run,
    read_object,
    read_tensors,
    read_typed,
    unreadable,
)
from rbm_core.runs.json_input import DamagedError
from rbm_core.runs.lines import Lines
from rbm_core.runs.snapshot import Snapshot, read_snapshot, snapshot_file
from rbm_core.runs.vocabulary import LIVE_STATES

# A run created less than this many seconds ago is "starting" although no process has locked it yet. A page's trainer
# is born with the lock; one of the command line takes it before it loads the engine.
STARTING_GRACE_S = 4.0

_STATUS: dict[str, Any] = {
    "state": "interrupted",
    "pid": None,
    "pid_started": None,
    "heartbeat": 0.0,
    "step": 0,
    "n_steps": 0,
    "epoch": 0.0,
    "n_epochs": 0,
    "steps_per_epoch": 0,
    "steps_per_s": 0.0,
    "steady": True,  # of a record that does not say
    "updates_per_second": None,
    "seconds": 0.0,
    "learning_rate": None,
    "message": "",
}
_SNAPSHOT_NAME = re.compile(r"(\d{9,15})\.safetensors")


@dataclass(frozen=True, eq=False)
class Probe:
    """The fixed probe batch: v (P, V) uint8 = round(255 x), and labels (P,) int64 where the data has any.

    scale: how Gaussian visible units stand for grey values; None for Bernoulli ones.
    """

    v: np.ndarray
    labels: np.ndarray | None
    scale: PixelScale | None = None


class RunReader:
    """What one run's folder holds. Creating a reader reads nothing; every method may raise a one-sentence
    RunError.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self._guard = threading.RLock()
        self._config = Cached(self.path / "config.json", _parse_config)
        self._status = Cached(self.path / "status.json", _parse_status)
        self._steps = Cached(self.path / "snapshots", _list_steps)
        self._live = Cached(self.path / "live.safetensors", read_snapshot)
        self._probe = Cached(self.path / "probe.safetensors", _parse_probe)
        self._metrics = Columns(self.path / "metrics.jsonl")
        self._latest = Cached(self.path / "metrics.jsonl", latest)
        self._events = Lines(self.path / "events.jsonl", layout.EVENT)
        self._likelihood = Lines(self.path / "likelihood.jsonl", layout.LIKELIHOOD)

    def config(self) -> dict[str, Any]:
        """config.json: "config" holds every field of the RunConfig, those that an older version did not know at their
        default. Shared: do not change it.
        """
        with self._guard:
            config = self._config.get()
        if config is None and not self.path.is_dir():
            raise RunError(f"there is no run {self.name!r} in {self.path.parent}")
        if config is None:
            raise RunError(f"run {self.name!r} has lost its config.json, so it cannot be shown or trained")
        return config

    def status(self) -> dict[str, Any]:
        """status.json with every key present; "interrupted" where it says that a trainer lives and no process holds
        the run's lock. A new dict each time.
        """
        with self._guard:
            status = self._status.get()
            if status is None:
                status = {**_STATUS, "state": "starting" if lock_is_held(self.path) else "interrupted"}
            living = status["state"] in LIVE_STATES and lock_is_held(self.path)
            if status["state"] in LIVE_STATES and not living:
                # A trainer writes its final status before it releases the lock, so this second reading has it.
                status = self._status.get() or status
        status = dict(status)
        if status["state"] in LIVE_STATES and not living and not _just_created(status):
            status["state"], status["steps_per_s"] = "interrupted", 0.0
            status["message"] = (
                f"The trainer's process ended unexpectedly at step {int(status['step']):,}; "
                "Resume goes on from the last saved state."
            )
        return status

    def metrics(self) -> dict[str, np.ndarray]:
        """Every column of metrics.jsonl as an array of one length, with NaN where a row has no value: "step" int64,
        the other axes float64, what was measured float32. Of a record of more than `columns.MOST_ROWS` rows the
        older ones stand in pairs that keep each column's smallest and largest value. The same dict, with the same
        read-only arrays, until rows are added.
        """
        with self._guard:
            return self._metrics.get()

    def latest(self) -> dict[str, float]:
        """The last number of each column of metrics.jsonl, from the end of the file alone; see `columns.latest`."""
        with self._guard:
            return self._latest.get() or {}

    def metrics_thinned(self) -> int:
        """How often older rows of `metrics` were thinned or replaced: rows given out before it changed are void."""
        with self._guard:
            return self._metrics.thinned

    def events(self) -> list[dict[str, Any]]:
        """The rows of events.jsonl, oldest first."""
        with self._guard:
            return self._events.rows()

    def likelihood(self) -> list[dict[str, Any]]:
        """The rows of likelihood.jsonl, oldest first."""
        with self._guard:
            return self._likelihood.rows()

    def snapshot_steps(self) -> list[int]:
        """The steps with a snapshot, ascending."""
        with self._guard:
            return list(self._steps.get() or ())

    def nearest_step(self, step: int) -> int | None:
        """The step with a snapshot that is closest to `step` (the earlier of two); None where there is
        none.
        """
        return min(self.snapshot_steps(), key=lambda known: (abs(known - step), known), default=None)

    def snapshot(self, step: int) -> Snapshot:
        """The snapshot at a step, read anew each time; SnapshotError names the nearest step or the damage."""
        path = snapshot_file(self.path, int(step))
        try:
            snapshot = self._fitting(read_snapshot(path), path)
        except FileNotFoundError:
            nearest = self.nearest_step(step)
            there = "it has none yet" if nearest is None else f"the nearest is at step {nearest}"
            raise SnapshotError(f"run {self.name!r} has no snapshot at step {step}; {there}") from None
        if snapshot.step != step:
            raise SnapshotError(f"{of_run(path)} is damaged: it holds step {snapshot.step}")
        return snapshot

    def _fitting(self, snapshot: Snapshot, path: Path) -> Snapshot:
        """The snapshot, if it has as many units as config.json says; pages draw it in the image's shape."""
        V, H = snapshot.W.shape
        try:
            config = self.config()
        except RunError:
            return snapshot
        pixels = self._pixels()
        for units, n, expected in (
            ("visible", V, V if pixels is None else pixels),
            ("hidden", H, config["config"]["n_hidden"]),
        ):
            if n != expected:
                raise SnapshotError(
                    f"{of_run(path)} does not belong to its run: it has {n} {units} units, "
                    f"and config.json says {expected}"
                )
        return snapshot

    def live(self) -> Snapshot | None:
        """The state that the trainer showed last, at most half a second old while it runs; the same object until it
        changes. None where there is none, or where it is damaged: the next one replaces it.
        """
        with self._guard:
            try:
                live = self._live.get()
                return live and self._fitting(live, self._live.path)
            except RunError:
                return None

    def class_names(self) -> tuple[str, ...]:
        """What the label units stand for, in order; empty for a run without them."""
        return tuple((self.config().get("data") or {}).get("classes") or ())

    def probe(self) -> Probe | None:
        """The probe batch, whose hidden probabilities the snapshots hold; None before the trainer wrote it.

        Raises SnapshotError where its images have another number of pixels than config.json says.
        """
        with self._guard:
            found = self._probe.get()
        if found is not None and (pixels := self._pixels()) not in (None, found.v.shape[1]):
            raise SnapshotError(
                f"probe.safetensors of run {self.name!r} does not belong to its run: its images have "
                f"{found.v.shape[1]} pixels, and config.json says {pixels}"
            )
        return found

    def _pixels(self) -> int | None:
        """The pixels of an image as config.json says; None where it does not."""
        try:
            shape = (self.config().get("data") or {}).get("image_shape")
        except RunError:
            return None
        return math.prod(shape) if shape else None


def _parse_config(path: Path) -> dict[str, Any]:
    config = read_object(path)
    schema = config.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise RunError(f"{of_run(path)} is damaged: it names no schema")
    if schema > SCHEMA:
        raise RunError(
            f"run {path.parent.name!r} was written by a newer version (schema {schema}); "
            f"this one reads schema {SCHEMA}: update RBM Observatory"
        )
    if not isinstance(config.get("config"), dict):
        raise RunError(f'{of_run(path)} is damaged: it holds no "config"')
    try:
        typed = json_input.typed(layout.CONFIG, config)
        return {**typed, "config": layout.recorded_settings(config["config"])}
    except DamagedError as error:
        raise RunError(f"{of_run(path)} is damaged: {error}") from error


def _parse_status(path: Path) -> dict[str, Any]:
    found = read_typed(path, layout.STATUS)
    return {**_STATUS, **{name: value for name, value in found.items() if value is not None}}


def _just_created(status: dict[str, Any]) -> bool:
    """Whether the run's trainer may yet have to lock the run."""
    return status["state"] == "starting" and 0 <= time.time() - status["heartbeat"] < STARTING_GRACE_S


def _list_steps(path: Path) -> tuple[int, ...]:
    try:
        names = inside.names(path, path.parents[1])
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise RunError(f"{path} should be a folder of snapshots, not a file") from error
    except PermissionError as error:
        raise RunError(f"no permission to read {path}") from error
    except OSError as error:
        raise RunError(unreadable(error, path)) from error
    matches = (_SNAPSHOT_NAME.fullmatch(name) for name in names)
    return tuple(sorted(int(match[1]) for match in matches if match))


def _parse_probe(path: Path) -> Probe:
    arrays, _ = read_tensors(path)
    v, labels = arrays.get("v"), arrays.get("labels")
    if v is None or v.ndim != 2 or v.dtype != np.uint8 or not v.size:
        raise SnapshotError(f"{of_run(path)} is damaged: it holds no probe batch")
    if labels is not None and (labels.dtype != np.int64 or labels.shape != (len(v),)):
        raise SnapshotError(f"{of_run(path)} is damaged: its labels are not one whole number an image")
    scale = PixelScale.found_in(arrays)
    if scale is not None and not all(x.shape == (v.shape[1],) and (x > 0).all() for x in (scale.std,)):
        raise SnapshotError(f"{of_run(path)} is damaged: its scale is not one a pixel")
    return Probe(v, labels, scale)
