"""Reading a run that may be written to at this moment; nothing is written, and no torch is needed.

A page calls every method twice a second, so what did not change on disk is not read again, and growing files are
read from where the last reading ended. Threads may share one reader.
"""

import json
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.pixels import PixelScale
from rbm_core.runs.files import (
    SCHEMA,
    Cached,
    RunError,
    SnapshotError,
    lock_is_held,
    of_run,
    read_object,
    read_tensors,
)
from rbm_core.runs.snapshot import Snapshot, read_snapshot, snapshot_file
from rbm_core.runs.vocabulary import LIVE_STATES, STATES

# A run created less than this many seconds ago is "starting" although no process has locked it yet.
STARTING_GRACE_S = 20.0

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
    "seconds": 0.0,
    "learning_rate": None,
    "message": "",
}
_NUMBERS = ("heartbeat", "step", "n_steps", "epoch", "n_epochs", "steps_per_epoch", "steps_per_s", "seconds")
_SNAPSHOT_NAME = re.compile(r"(\d{9,15})\.safetensors")


@dataclass(frozen=True)
class Probe:
    """The fixed probe batch: v (P, V) uint8 = round(255 x), and labels (P,) int64 where the data has any.

    scale: how Gaussian visible units stand for grey values; None for Bernoulli ones.
    """

    v: np.ndarray
    labels: np.ndarray | None
    scale: PixelScale | None = None


class _Lines:
    """The JSON objects of a growing .jsonl file, each read once; a last line without its newline is read when it
    is complete.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget()

    def forget(self) -> None:
        self._file: int | None = None
        self._seen = 0  # size of the file at the last look
        self._offset = 0  # after the last newline read
        self.n_read = 0
        self._error: RunError | None = None

    def new(self) -> tuple[bool, list[dict[str, Any]]]:
        """(whether the file was replaced, so that rows read before are void; the rows not read before)."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            void = self._file is not None
            self.forget()
            return void, []
        except OSError as error:
            raise RunError(f"{of_run(self.path)} cannot be read: {error.strerror or error}") from error
        void = self._file is not None and (found.st_ino != self._file or found.st_size < self._offset)
        if void:
            self.forget()
        if found.st_size != self._seen or self._file is None:
            self._file = found.st_ino
            return void, self._read(found.st_size)
        if self._error is not None:
            raise self._error.with_traceback(None)
        return void, []

    def _read(self, size: int) -> list[dict[str, Any]]:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read(size - self._offset)
        except OSError as error:
            raise RunError(f"{of_run(self.path)} cannot be read: {error.strerror or error}") from error
        self._seen = self._offset + len(data)
        end = data.rfind(b"\n") + 1
        rows: list[dict[str, Any]] = []
        for line in data[:end].split(b"\n")[:-1]:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                number = self.n_read + len(rows) + 1
                self._error = RunError(
                    f"{of_run(self.path)} is damaged at line {number}: remove that line to read the others"
                )
                raise self._error
            rows.append(row)
        self._offset += end
        self.n_read += len(rows)
        self._error = None
        return rows


class _Columns:
    """metrics.jsonl as columns with room to grow: a new row costs as much after 200,000 rows as after ten."""

    def __init__(self, path: Path) -> None:
        self._lines = _Lines(path)
        self._clear()

    def _clear(self) -> None:
        self._n = 0
        self._room: dict[str, np.ndarray] = {}
        self._shown: dict[str, np.ndarray] = {}

    def get(self) -> dict[str, np.ndarray]:
        void, rows = self._lines.new()
        if void:
            self._clear()
        if rows:
            self._add(rows)
        return self._shown

    def _add(self, rows: list[dict[str, Any]]) -> None:
        first, self._n = self._n, self._n + len(rows)
        for name in {name for row in rows for name in row} - set(self._room):
            self._room[name] = np.full(0, np.nan)
        for name, room in list(self._room.items()):
            if len(room) < self._n:
                self._room[name] = np.full(max(256, 2 * self._n), np.nan)
                self._room[name][: len(room)] = room
            self._room[name][first : self._n] = [_number(row.get(name)) for row in rows]
        self._shown = {}
        for name, room in self._room.items():
            column = room[: self._n]
            if name == "step":
                column = np.nan_to_num(column, nan=-1).astype(np.int64)
            column.flags.writeable = False
            self._shown[name] = column


def _number(value: Any) -> float:
    """A cell of a column: NaN for null, for a missing cell and for text."""
    return float(value) if isinstance(value, (int, float)) else float("nan")


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
        self._metrics = _Columns(self.path / "metrics.jsonl")
        self._events = _Lines(self.path / "events.jsonl")
        self._likelihood = _Lines(self.path / "likelihood.jsonl")
        self._event_rows: list[dict[str, Any]] = []
        self._likelihood_rows: list[dict[str, Any]] = []

    def config(self) -> dict[str, Any]:
        """config.json as written: "config" holds the fields of the RunConfig. Shared: do not change it."""
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
        """Every column of metrics.jsonl as an array of one length: "step" int64, the others float64 with
        NaN where a row has no value. The same dict, with the same read-only arrays, until rows are added.
        """
        with self._guard:
            return self._metrics.get()

    def events(self) -> list[dict[str, Any]]:
        """The rows of events.jsonl, oldest first."""
        with self._guard:
            return self._grow(self._events, self._event_rows)

    def likelihood(self) -> list[dict[str, Any]]:
        """The rows of likelihood.jsonl, oldest first."""
        with self._guard:
            return self._grow(self._likelihood, self._likelihood_rows)

    @staticmethod
    def _grow(lines: _Lines, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        void, new = lines.new()
        if void:
            rows.clear()
        rows.extend(new)
        return list(rows)

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
        try:
            return read_snapshot(snapshot_file(self.path, int(step)))
        except FileNotFoundError:
            nearest = self.nearest_step(step)
            there = "it has none yet" if nearest is None else f"the nearest is at step {nearest}"
            raise SnapshotError(f"run {self.name!r} has no snapshot at step {step}; {there}") from None

    def live(self) -> Snapshot | None:
        """The state that the trainer showed last, at most half a second old while it runs; the same object until it
        changes. None where there is none, or where it is damaged: the next one replaces it.
        """
        with self._guard:
            try:
                return self._live.get()
            except RunError:
                return None

    def probe(self) -> Probe | None:
        """The probe batch, whose hidden probabilities the snapshots hold; None before the trainer wrote it."""
        with self._guard:
            return self._probe.get()


def _parse_config(path: Path) -> dict[str, Any]:
    config = read_object(path)
    schema = config.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise RunError(f"{of_run(path)} is damaged: it names no schema")
    if schema > SCHEMA:
        raise RunError(
            f"run {path.parent.name!r} was written by a newer version (schema {schema}); "
            f"this one reads schema {SCHEMA}: update RBM Observatory"
        )
    if not isinstance(config.get("config"), dict):
        raise RunError(f'{of_run(path)} is damaged: it holds no "config"')
    return config


def _parse_status(path: Path) -> dict[str, Any]:
    status = {**_STATUS, **read_object(path)}
    if status["state"] not in STATES:
        raise RunError(f"{of_run(path)} is damaged: it holds the unknown state {status['state']!r}")
    for name in _NUMBERS:
        if status[name] is None:
            status[name] = _STATUS[name]
        elif isinstance(status[name], bool) or not isinstance(status[name], (int, float)):
            raise RunError(f"{of_run(path)} is damaged: {name} is {status[name]!r}, not a number")
    if not isinstance(status["message"], str):
        status["message"] = ""
    return status


def _just_created(status: dict[str, Any]) -> bool:
    """Whether the run's trainer may yet have to lock the run."""
    return status["state"] == "starting" and 0 <= time.time() - status["heartbeat"] < STARTING_GRACE_S


def _list_steps(path: Path) -> tuple[int, ...]:
    try:
        names = os.listdir(path)
    except NotADirectoryError as error:
        raise RunError(f"{path} should be a folder of snapshots, not a file") from error
    except PermissionError as error:
        raise RunError(f"no permission to read {path}") from error
    matches = (_SNAPSHOT_NAME.fullmatch(name) for name in names)
    return tuple(sorted(int(match[1]) for match in matches if match))


def _parse_probe(path: Path) -> Probe:
    arrays, _ = read_tensors(path)
    if "v" not in arrays or arrays["v"].ndim != 2:
        raise SnapshotError(f"{of_run(path)} is damaged: it holds no probe batch")
    return Probe(arrays["v"], arrays.get("labels"), PixelScale.found_in(arrays))
