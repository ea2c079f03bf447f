"""One evaluation as a job: its folder and lock, its progress, and the state from which an interrupted one resumes.

Asked again, a finished one keeps its answer until the new one is there: the job's progress stands beside it until then.
This module knows neither models nor estimators. The files are described in runs/evaluation_record.py.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rbm_core.runs import inside, json_input, layout
from rbm_core.runs.evaluation_record import AGAIN, PROGRESS, read_evaluation
from rbm_core.runs.files import (
    Lock,
    RunError,
    SnapshotError,
    explain,
    hold_lock,
    read_bytes,
    read_tensors,
    remove,
    tensor_bytes,
    write_bytes,
    write_json,
)
from rbm_core.runs.json_input import DamagedError
from rbm_core.runs.snapshot import Snapshot, read_snapshot

__all__ = ["Interrupted", "Job", "OnProgress", "State"]

OnProgress = Callable[[dict[str, Any]], None]
State = tuple[dict[str, Tensor], dict[str, Any]]
"""What an estimator resumes from: tensors by name, and the rest as JSON."""

SAVE_S = (
    5.0  # seconds between two saved states, more where saving one takes long: what is done again after a kill
)
SHOW_S = 0.5  # seconds between two writes of progress.json

# What estimators keep in progress.json. A resumed job takes it from the saved state, which may be older.
_RESUMED = ("rounds", "log_weights", "trace", "evidence", "curve", "done", "total")


class Interrupted(Exception):
    """An evaluation was stopped on request and its state saved; the same call resumes it."""


class Job:
    """The folder of one evaluation, locked from `open` to `close`, and its progress.

    progress: the content of progress.json, which estimators add to. resumed: whether `saved` gave a state. on_progress:
    called with the progress at every write. should_stop: called between two chunks of work.
    """

    def __init__(
        self,
        folder: Path,
        lock: Lock,
        *,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.folder, self._lock = folder, lock
        self._on_progress, self._should_stop = on_progress, should_stop
        self.resumed = False
        self._state_file = folder / "state.safetensors"
        self._snapshot_file = folder / "snapshot.safetensors"
        answered = (_read(folder, PROGRESS) or {}).get("state") == "finished"
        self._file = folder / (AGAIN if answered else PROGRESS)
        before = _read(folder, self._file.name) or {}
        if not self._state_file.exists():
            # It begins anew; its row may be there, if its process was killed before it wrote that it ended.
            before = {"started": before["started"]} if "started" in before else {}
        self.progress: dict[str, Any] = {**before, "state": "running", "message": "", "pid": os.getpid()}
        self.progress.setdefault("started", time.time())
        self._seconds_before = float(before.get("seconds", 0.0))
        self._clock = time.perf_counter()
        self._next_save, self._next_show = self._clock + SAVE_S, self._clock
        self._resumed_at = float(self.progress.get("done", 0))

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> "Job":
        """The job of this folder, which is made if need be. Raises RunError if another process works on it."""
        try:
            for one in (folder.parent, folder):
                inside.make_folder(one, folder.parents[2])
        except OSError as error:
            raise RunError(explain(error, folder.parent)) from error
        lock = hold_lock(folder)
        if lock is None:
            raise RunError(
                f"this evaluation of run {folder.parents[1].name!r} is already under way; "
                "watch it on the page Evaluate"
            )
        return cls(folder, lock, on_progress=on_progress, should_stop=should_stop)

    def close(self) -> None:
        """Releases the lock, and drops the kept snapshot unless the job was interrupted."""
        try:
            if self.progress["state"] != "interrupted":
                remove(self._snapshot_file)
        finally:
            self._lock.release()

    def keep_snapshot(self, file: Path) -> None:
        """Copies the run's snapshot: a run that goes on training may delete it before the job is resumed."""
        if not self._snapshot_file.exists():
            with suppress(FileNotFoundError):
                write_bytes(self._snapshot_file, read_bytes(file))

    @property
    def seconds(self) -> float:
        """The time worked so far, all resumptions together."""
        return self._seconds_before + time.perf_counter() - self._clock

    def show(self, stage: str | None = None, *, force: bool = False) -> None:
        """Writes progress.json if SHOW_S has passed since the last time, or at once if forced."""
        now = time.perf_counter()
        if stage is not None:
            self.progress["stage"] = stage
        if not force and now < self._next_show:
            return
        self._next_show = now + SHOW_S
        done, total = float(self.progress.get("done", 0)), float(self.progress.get("total", 0))
        gained, spent = done - self._resumed_at, now - self._clock
        left = spent * (total - done) / gained if gained > 0 else None
        self.progress |= {"seconds": self.seconds, "updated": time.time(), "seconds_left": left}
        # One line: indented, each of its thousands of numbers would have a line of its own.
        write_json(self._file, self.progress, durable=False, indent=None)
        if self._on_progress is not None:
            self._on_progress(self.progress)

    def stop_if_asked(self) -> None:
        """Raises Interrupted if should_stop says so; for work that saves no state and begins anew."""
        if self._should_stop is not None and self._should_stop():
            raise Interrupted

    def pause_point(self, state: Callable[[], State]) -> None:
        """Between two chunks of work: shows progress, saves the state every SAVE_S, and stops if asked to."""
        self.show()
        stopping = self._should_stop is not None and self._should_stop()
        if stopping or time.perf_counter() >= self._next_save:
            begun = time.perf_counter()
            tensors, meta = state()
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            write_bytes(self._state_file, tensor_bytes(arrays, {**meta, "progress": self.progress}))
            now = time.perf_counter()
            self._next_save = now + max(SAVE_S, 20 * (now - begun))  # long ladders keep hundreds of megabytes
        if stopping:
            raise Interrupted

    def saved(self) -> State | None:
        """The state to resume from, with `progress` as it was then; None where there is none, it is damaged, or it is
        of another question. What an estimator keeps in it only the estimator can check: see `begin_anew`.
        """
        try:
            arrays, meta = read_tensors(self._state_file)
            then = json_input.typed(layout.PROGRESS, meta.pop("progress", None))
        except (FileNotFoundError, RunError, DamagedError):
            return None
        if then["id"] != self.folder.name:
            return None
        self.resumed = True
        for key in _RESUMED:
            self.progress.pop(key, None)
            if key in then:
                self.progress[key] = then[key]
        self._resumed_at = float(self.progress.get("done", 0))
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, meta

    def begin_anew(self) -> None:
        """Drops the saved state and what `progress` has of it."""
        remove(self._state_file)
        for key in _RESUMED:
            self.progress.pop(key, None)
        self.resumed, self._resumed_at = False, 0.0

    def end(self, state: str, message: str = "") -> None:
        """Writes how the job ended: "finished", "interrupted" or "failed". A finished one drops its saved state, and
        replaces the answer that there was.
        """
        self.progress |= {"state": state, "message": message}
        if state == "finished":
            self._file = self.folder / PROGRESS
        self.show("Done." if state == "finished" else None, force=True)
        if state == "finished":
            remove(self._state_file)
            remove(self.folder / AGAIN)


def _read(folder: Path, name: str) -> dict[str, Any] | None:
    """`read_evaluation`; None also where the file is damaged, and what the job writes will replace it."""
    try:
        return read_evaluation(folder, name)
    except RunError:
        return None


def kept_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot that an interrupted job kept, None where there is none that can be read."""
    try:
        return read_snapshot(folder / "snapshot.safetensors")
    except (FileNotFoundError, SnapshotError):
        return None
