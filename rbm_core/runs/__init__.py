"""The record of a run on disk: find it, write it, read it, command its trainer. Reading needs no torch."""

from rbm_core.runs.files import RunError, SnapshotError
from rbm_core.runs.reader import Probe, RunReader
from rbm_core.runs.snapshot import Snapshot
from rbm_core.runs.store import RunInfo, create_run, list_runs, new_name, resolve, runs_root

__all__ = [
    "Probe",
    "RunError",
    "RunInfo",
    "RunReader",
    "Snapshot",
    "SnapshotError",
    "create_run",
    "list_runs",
    "new_name",
    "resolve",
    "runs_root",
]
