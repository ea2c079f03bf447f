"""The pages' access to recorded runs, all of it: cached readers and snapshots, images of a run's data, names."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.linalg  # noqa: F401  its OpenBLAS is another than NumPy's, and the limit below is for what is loaded
import streamlit as st
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dashboard.recent import Recent
from rbm_core import datasets, pace, pixels
from rbm_core import yardsticks as yardstick
from rbm_core.config import RunConfig
from rbm_core.runs import RunError, Snapshot, store
from rbm_core.runs import notes as runs_notes
from rbm_core.runs import reader as runs_reader
from rbm_core.runs.vocabulary import LIVE_STATES
from rbm_core.visible import units_of

# OpenBLAS threads go on spinning after each product and take the trainer's time: a refresh of the live page cost 47 ms
# of processor time with two threads and 24 ms with one (two busy cores). The modes of 784 × 500 weights took 140 and 23
# ms of it and 600 and 130 ms on the clock beside fifteen busy processes, during which no other tab was answered.
threadpool_limits(limits=1, user_api="blas")

LANDING_RUN = store.LANDING_RUN
_SNAPSHOT_BYTES_KEPT = 32_000_000  # twenty of 784 × 500, 1.6 MB each as float32
_MOST_IMAGES = 10_000  # 8 MB: enough to find what excites a unit; all of MNIST's would be 43 MB


@st.cache_resource(show_spinner=False)
def _snapshots() -> Recent[Snapshot]:
    return Recent(
        _SNAPSHOT_BYTES_KEPT, lambda one: one.W.nbytes + one.particles_v.nbytes + one.particles_h.nbytes
    )


def _path_and_birth(name: str) -> tuple[Path, int]:
    path = store.resolve(store.runs_root(), name)
    try:
        return path, (path / "config.json").stat().st_mtime_ns
    except OSError:
        return path, 0


def reader(name: str) -> runs_reader.RunReader:
    """The run's reader, shared by all browser tabs; raises RunError in one sentence if there is no such run."""
    return store.reader_of(store.resolve(store.runs_root(), name))


def reader_of(info: store.RunInfo) -> runs_reader.RunReader:
    """The reader of a run of the list; it is not looked for again, which matters for 2,000 of them."""
    return store.reader_of(info.path)


def snapshot(name: str, step: int) -> Snapshot:
    """The recorded state after `step` updates; raises SnapshotError in one sentence if it cannot be read."""
    path, born = _path_and_birth(name)
    return _snapshots().get((path, born, step), lambda: store.reader_of(path).snapshot(step))


@dataclass(frozen=True, eq=False)
class Images:
    """grey (N, V) uint8 = round(255 x); labels (N,) or None; source says where they come from."""

    grey: np.ndarray
    labels: np.ndarray | None
    source: str

    def __len__(self) -> int:
        return len(self.grey)


def images(run: runs_reader.RunReader) -> Images | None:
    """Training images of the run's data where this machine has the very same data, else the run's probe batch.

    None where it has neither.
    """
    config = run.config()
    fields, recorded = config["config"], config.get("data") or {}
    name = str(fields.get("dataset", ""))
    try:
        known = datasets.available(name)  # asked each time: what is missing may be fetched
        found = _training_images(name, int(fields.get("n_valid") or 0)) if known else None
    except OSError:  # which may pass
        found = None
    if found is not None and found[1] == recorded.get("fingerprint"):
        return found[0]
    probe = run.probe()
    if probe is None:
        return None
    source = f"the run's {len(probe.v)} probe images (its data are not on this machine)"
    return Images(probe.v, probe.labels, source)


def yardsticks(run: runs_reader.RunReader) -> tuple[float | None, float] | None:
    """(nats of fair coins, nats of independent pixels) an image of the run's data: what models reach that know nothing.

    By the probe batch, so that a page need not load the data. None for the coins where pixels are not 0 and 1; None
    altogether where the run has no probe.
    """
    fields, probe = run.config()["config"], run.probe()
    if probe is None or len(probe.v) < 2:
        return None
    if units_of(fields).real:
        states = pixels.visible_states(probe.v, fields, probe.scale)
        return None, float(yardstick.independent_nats(states, real=True).mean())
    # What is evaluated is drawn as coins also where training used the grey values themselves.
    grey = pixels.cut(probe.v) if fields.get("binarisation") == "threshold" else pixels.from_bytes(probe.v)
    return yardstick.coin_toss_nats(grey.shape[1]), float(yardstick.independent_nats(grey).mean())


@lru_cache(maxsize=3)
def _training_images(dataset: str, n_valid: int) -> tuple[Images, str] | None:
    """(the first training images, the data's fingerprint), or None where this machine does not have them."""
    try:
        whole = datasets.load(dataset, n_valid=n_valid)
    except ValueError:
        return None
    first_ones = whole.train_kept[:_MOST_IMAGES]
    grey = first_ones.copy() if whole.in_bytes else pixels.as_bytes(first_ones)
    labels = None if whole.train_labels is None else whole.train_labels[:_MOST_IMAGES].copy()
    first = f"the first {len(grey):,} of " if len(grey) < len(whole.train_kept) else ""
    source = f"{first}{len(whole.train_kept):,} training images of {whole.name}"
    return Images(grey, labels, source), whole.fingerprint


def runs() -> list[store.RunInfo]:
    """Every run in the store, newest first, unreadable ones included with their reason."""
    return store.list_runs(store.runs_root())


def run_names() -> list[str]:
    return [info.name for info in runs()]


def estimate(config: RunConfig) -> pace.Estimate | None:
    """How many updates a run of these settings makes and how long they take here; see `pace.estimate`."""
    return pace.estimate(store.runs_root(), config)


def new_name(config: RunConfig, kind: str) -> str:
    """A free name that says what is trained: `mnist-<kind>-3f2a`."""
    return store.new_name(config, kind)


def name_from(typed: str) -> str:
    """The name that a run gets from what a person typed: `my drawings!` is `my-drawings`."""
    return store.name_from(typed)


def check_new_name(name: str) -> None:
    """Raises RunError in one sentence if no new run can have this name."""
    store.check_name(name)
    if store.is_taken(store.runs_root(), name):
        raise RunError(f"there is a run {name!r} already")


def rename(name: str, new: str) -> None:
    """Gives the run another name; raises RunError in one sentence if it cannot have it."""
    store.rename_run(store.runs_root(), name, new)


def delete(name: str) -> None:
    """Removes the run for good; raises RunError in one sentence if it cannot go."""
    store.delete_run(store.runs_root(), name)


def notes(name: str) -> runs_notes.Notes:
    """Tags and note of the run; raises RunError in one sentence if they cannot be read."""
    return runs_notes.read_notes(store.resolve(store.runs_root(), name))


def notes_of(info: store.RunInfo) -> runs_notes.Notes:
    """`notes` of a run of the list."""
    return runs_notes.read_notes(info.path)


def write_notes(name: str, tags: Sequence[str], note: str) -> runs_notes.Notes:
    """Replaces tags and note of the run; raises RunError in one sentence if they are out of bounds."""
    return runs_notes.write_notes(
        store.to_change(store.runs_root(), name), runs_notes.Notes(tuple(tags), note)
    )


def default_run(infos: list[store.RunInfo]) -> str | None:
    """The newest living run, else the first of the shipped ones, else the newest that can be read."""
    sound = [info for info in infos if not info.error]
    for info in sound:
        if info.state in LIVE_STATES:
            return info.name
    names = [info.name for info in sound]
    return next((name for name in (*store.SHIPPED_RUNS, *names) if name in names), None)
