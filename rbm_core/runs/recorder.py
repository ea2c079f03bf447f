"""Writing a run. The trainer that holds the run's lock writes everything but likelihoods, which any process appends."""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rbm_core.runs import inside, json_input, layout
from rbm_core.runs.files import (
    RunError,
    SnapshotError,
    append_line,
    explain,
    last_line,
    locked,
    of_run,
    one_line,
    read_bytes,
    read_object,
    remove,
    split_meta,
    tensor_bytes,
    unreadable,
    write_bytes,
    write_json,
)
from rbm_core.runs.past_models import PastModels, past_models_file
from rbm_core.runs.past_models import encode as encode_past_models
from rbm_core.runs.reader import RunReader
from rbm_core.runs.snapshot import Snapshot, encode, read_snapshot, snapshot_file

if TYPE_CHECKING:
    from torch import Tensor

_ASIDE = re.compile(r"\..+\.tmp")  # what a write leaves that was killed before its rename
_OF_OTHERS = (".control.json.", ".notes.json.")  # other processes may be writing these at this moment


def thinned(steps: list[int], max_snapshots: int) -> list[int]:
    """The steps to delete so that at most max_snapshots stay: every second one of the older half, repeated until
    the bound is met. The first and the last are never among them.
    """
    keep, bound = sorted(steps), max(2, max_snapshots)
    while len(keep) > bound:
        older = keep[1 : 1 + len(keep) // 2]
        gone = set(older[::2]) - {keep[-1]}
        keep = [step for step in keep if step not in gone]
    return sorted(set(steps) - set(keep))


class Recorder:
    """Writes into one run folder, which must exist. Every write is whole or not at all; RunError in one
    sentence (disk full, no permission) if it cannot be made.

    A folder that was renamed or removed meanwhile, with another run in its place, is not written to.
    """

    def __init__(self, path: Path | str, *, max_snapshots: int = 64) -> None:
        self.path = Path(path)
        self.max_snapshots = max_snapshots
        self._reader = RunReader(self.path)
        self._last_row: int | None = None
        self._folder = self._identity()

    def _identity(self) -> tuple[int, str]:
        """What tells this run's folder from another one of its name: a number that a new folder can get once this one
        is removed, and when the run was created.
        """
        try:
            created = str(self._reader.config().get("created", ""))
        except RunError:  # damaged: only the folder speaks
            created = ""
        try:
            return os.stat(self.path).st_ino, created
        except OSError:
            return 0, created

    @property
    def folder(self) -> Path:
        """The run's folder, to write in. RunError if it was taken away and another run has its name by now."""
        (inode, created), (inode_now, created_now) = self._folder, self._identity()
        other = inode and inode_now and inode != inode_now
        if other or (created and created_now and created != created_now):
            raise RunError(
                f"the folder of run {self.path.name!r} was renamed or removed, and another one stands in its place, "
                "which is left as it is; resume the run under its new name"
            )
        return self.path

    def clean(self) -> None:
        """Removes the temporary files of writers killed half-way. The caller holds the run's lock."""
        for folder in (self.path, self.path / "snapshots"):
            with suppress(FileNotFoundError, NotADirectoryError):
                for name in inside.names(folder, self.path.parent):
                    if _ASIDE.fullmatch(name) and not name.startswith(_OF_OTHERS):
                        inside.remove(folder / name)

    # --- described once ---

    def complete_config(self, **facts: Any) -> None:
        """Adds to config.json what the trainer finds out: versions, device, precision, data."""
        path = self.folder / "config.json"
        write_json(path, {**read_object(path), **facts})

    def write_probe(self, arrays: Mapping[str, np.ndarray]) -> None:
        """The probe batch: "v" (P, V) uint8 = round(255 x), and the rest of what reader.Probe holds."""
        write_bytes(self.folder / "probe.safetensors", tensor_bytes(arrays, {}))

    # --- lines ---

    def append_metrics(self, row: Mapping[str, Any]) -> bool:
        """Appends a row of metrics.jsonl, unless that step or a later one is there already: a resumed run passes a
        second time through the steps since its last saved state. Returns whether it was written.
        """
        path = self.folder / "metrics.jsonl"
        if self._last_row is None:
            self._last_row = _last_step(path)
        if row["step"] <= self._last_row:
            return False
        append_line(path, row)
        self._last_row = int(row["step"])
        return True

    def append_event(self, step: int, command: str, value: Any = None, by: str | None = None) -> None:
        """Appends a row of events.jsonl: what was done to the run, when and by whom.

        A file that would become too long to be read gets one last row, "full"; what is done later is not recorded.
        """
        row: dict[str, Any] = {"time": time.time(), "step": step, "command": command}
        if value is not None:
            row["value"] = value
        if by is not None:
            row["by"] = by
        path = self.folder / "events.jsonl"
        if not _has_room(path):
            if '"command": "full"' in (last_line(path) or ""):
                return
            row = {"time": row["time"], "step": step, "command": "full"}
        append_line(path, row)

    def append_likelihood(self, row: Mapping[str, Any]) -> None:
        """Appends a row of likelihood.jsonl; any process may, whether the run is being trained or not.

        RunError if it would become too long to be read.
        """
        path = self.folder / "likelihood.jsonl"
        lock = locked(self.folder / "likelihood.lock", timeout=5.0, poll_interval=0.05)
        if lock is None:
            raise RunError(f"another process keeps {of_run(path)} locked; try again")
        try:
            check_room(self.folder)
            append_line(path, {"time": time.time(), **row}, durable=True)
        finally:
            lock.release()

    def sync_metrics(self) -> None:
        """Forces the rows so far to the disk, so that no saved state is ahead of them after a power
        failure.
        """
        path = self.folder / "metrics.jsonl"
        try:
            handle = inside.open_to_append(path)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise RunError(explain(error, path)) from error

    # --- whole files ---

    def write_status(self, status: Mapping[str, Any], *, durable: bool = False) -> None:
        """Replaces status.json; durable where the state changed, not for a heartbeat."""
        write_json(self.folder / "status.json", status, durable=durable)

    def write_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps a snapshot at its step, then thins the kept ones to max_snapshots."""
        path = snapshot_file(self.folder, snapshot.step)
        try:
            inside.make_folder(path.parent, self.path.parent)
            write_bytes(path, encode(snapshot))
            for step in thinned(self._reader.snapshot_steps(), self.max_snapshots):
                inside.remove(snapshot_file(self.path, step))
        except OSError as error:
            raise RunError(explain(error, path)) from error

    def write_past_models(self, models: PastModels) -> None:
        """Replaces trajectory.safetensors."""
        write_bytes(past_models_file(self.folder), encode_past_models(models))

    def write_live(self, snapshot: Snapshot) -> None:
        """Replaces live.safetensors, what a page shows between two kept snapshots; not forced to the disk."""
        write_bytes(self.folder / "live.safetensors", encode(snapshot), durable=False)

    def write_best(self, snapshot: Snapshot) -> None:
        """Replaces best.safetensors, the moment with the best validation likelihood; not forced to the disk."""
        write_bytes(self.folder / "best.safetensors", encode(snapshot), durable=False)

    def keep_best(self, step: int) -> None:
        """Keeps best.safetensors among the snapshots, if it is the moment of this step, and removes it."""
        path = self.folder / "best.safetensors"
        try:
            best = read_snapshot(path)
        except (FileNotFoundError, SnapshotError):
            return
        if best.step == step:
            self.write_snapshot(best)
        remove(path)

    def drop_live(self) -> None:
        """Removes live.safetensors: the last kept snapshot is the newest state, or its space is needed."""
        remove(self.folder / "live.safetensors")

    # --- everything for a bit-exact resume ---

    def write_resume(self, tensors: Mapping[str, "Tensor"], meta: Mapping[str, Any]) -> None:
        """Replaces resume.safetensors; the metrics so far are on the disk first."""
        from safetensors.torch import save

        self.sync_metrics()
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        # allow_nan: the state must come back as it was, whatever it was.
        data = save(contiguous, metadata={"meta": json.dumps(meta)})
        write_bytes(self.folder / "resume.safetensors", data)

    def has_resume(self) -> bool:
        """Whether there is a saved state to go on from."""
        return (self.path / "resume.safetensors").exists()

    def read_resume(self) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
        """What write_resume kept, bit for bit; raises RunError in one sentence if there is none or it is damaged."""
        from safetensors.torch import load

        path = self.path / "resume.safetensors"
        try:
            data = read_bytes(path)
            return load(data), split_meta(data, json.loads)  # json.loads: as it was, be it NaN
        except FileNotFoundError:
            raise RunError(f"run {self.path.name!r} has no saved state to resume from") from None
        except RunError:
            raise
        except Exception as error:  # safetensors' own class, KeyError or ValueError, as the damage has it
            raise _cannot_go_on(path, error) from error


def check_resume(run: Path) -> None:
    """Raises RunError in one sentence if the run has a saved state that is damaged; needs no torch."""
    path = run / "resume.safetensors"
    try:
        data = read_bytes(path)
        meta = split_meta(data, json.loads)  # as read_resume takes it, NaN and all
        end = 8 + int.from_bytes(data[:8], "little")
        header = json_input.parse(data[8:end])
        length = max(
            (entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0
        )
        if len(data) != end + length:
            raise ValueError(f"it has {len(data):,} bytes instead of {end + length:,}")
        if not isinstance(meta.get("training"), dict) or not isinstance(meta.get("seconds"), (int, float)):
            raise ValueError("it does not say how far training was")
    except FileNotFoundError:
        return
    except RunError:
        raise
    except Exception as error:
        raise _cannot_go_on(path, error) from error


def _cannot_go_on(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{of_run(path)} is damaged ({one_line(error)}), so the run cannot go on; "
        "start a new run from its last snapshot"
    )


def check_room(run: Path) -> None:
    """Raises RunError in one sentence if the run's likelihood.jsonl cannot take one more row."""
    if not _has_room(path := run / "likelihood.jsonl"):
        raise RunError(
            f"{of_run(path)} is full: it holds {layout.MOST_OF_LINES:,} bytes at most; export the run, remove old "
            "lines from that file, and evaluate again"
        )


def _has_room(path: Path) -> bool:
    """Whether the file can take two more lines, however long, and still be read."""
    try:
        return os.stat(path).st_size <= layout.MOST_OF_LINES - 2 * layout.LONGEST_LINE
    except FileNotFoundError:
        return True
    except OSError as error:
        raise RunError(unreadable(error, path)) from error


def _last_step(path: Path) -> int:
    """The step of the last whole row of metrics.jsonl; -1 where there is none."""
    try:
        with os.fdopen(inside.open_to_read(path), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2 * layout.LONGEST_LINE))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise RunError(unreadable(error, path)) from error
    for line in reversed(lines):
        with suppress(ValueError, TypeError, KeyError):
            return int(json_input.parse(line)["step"])
    return -1
