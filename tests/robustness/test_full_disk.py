"""The disk fills up in the middle of a write: one sentence, nothing half-written, and with room again the same end."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.processes import exchange
from rbm_core.cli import main
from rbm_core.evaluation import evaluate
from rbm_core.exchange.importing import import_model
from rbm_core.runs import RunError, RunReader, control, create_run, files
from rbm_core.runs import notes as run_notes
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import hold_lock
from rbm_core.training import process as training_process
from rbm_core.training import report
from tests.core.run_record import CONFIG
from tests.core.training_runs import make_run
from tests.live import REPO
from tests.robustness.after import fingerprint, nothing_half_written, same_end
from tests.robustness.damage import one_sentence

SOAK = bool(os.environ.get("RBM_SOAK"))
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


class Disk:
    """full(name): from the next write to a file of this name on, no write of any file finds room; `free` ends it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_full = False

    def full(self, name: str) -> None:
        self.name, self.is_full = name, False

    def free(self) -> None:
        self.name, self.is_full = None, False

    def refuses(self, handle: int) -> bool:
        if self.name is not None and self.name in Path(os.readlink(f"/proc/self/fd/{handle}")).name:
            self.is_full = True
        return self.is_full


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that fills up in the middle of a write: half of it is written, as the system does."""
    one, true_open = Disk(), os.fdopen

    class Cut:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "Cut":
            self.file.__enter__()
            return self

        def __exit__(self, *error: Any) -> Any:
            return self.file.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            if not one.refuses(self.file.fileno()):
                return self.file.write(data)
            written = self.file.write(data[: len(data) // 2])
            if isinstance(self.file, _RAW):
                return written  # the system writes what there is room for, and says how much that was
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(handle: int, mode: str = "r", *args: Any, **options: Any) -> Any:
        file = true_open(handle, mode, *args, **options)
        return Cut(file) if mode in ("wb", "r+b") else file

    monkeypatch.setattr(os, "fdopen", opened)
    return one


with open(os.devnull, "r+b", buffering=0) as _raw:
    _RAW = type(_raw)

WRITTEN_BY_A_TRAINER: dict[str, dict[str, float]] = {
    **{f"{name}.json": {} for name in ("config", "status")},
    **{f"{name}.jsonl": {} for name in ("metrics", "events")},
    **{f"{name}.safetensors": {} for name in ("probe", "live", "000000000", "resume")},
    "trajectory.safetensors": {"learning_rate": 0.1},
    "best.safetensors": {"patience": 10_000},
}
"""The files, and the settings that a run needs to write them."""


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("name", WRITTEN_BY_A_TRAINER)
def test_a_disk_that_fills_up_in_any_write_of_a_trainer_costs_a_sentence_and_no_row(
    runs_root: Path, disk: Disk, calm: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.05)
    monkeypatch.setattr(report, "SHOW_S", 0.05)
    if settings := WRITTEN_BY_A_TRAINER[name]:
        calm = make_run(runs_root.parent / "calm", "calm", **settings)
        assert training_process.run(calm) == "finished"
    run = make_run(runs_root, "full", **settings)
    disk.full(name)
    try:
        assert training_process.run(run) == "failed"
        said = RunReader(run).status()["message"]
    except RunError as error:  # there was no room for the last status either
        said = files.sentence(error)
    assert disk.is_full, "the trainer never wrote it"
    assert one_sentence(said)
    assert "isk is full" in said
    nothing_half_written(run)
    disk.free()
    assert not files.lock_is_held(run), "who resumes it is turned away"
    assert training_process.run(run) == "finished"
    same_end(run, calm)


@pytest.mark.slow
def test_a_trainer_whose_disk_is_full_ends_with_a_sentence_and_goes_on_once_there_is_room(
    runs_root: Path,
) -> None:
    """The system itself refuses: the trainer is a process of its own, and no function is another than ever."""
    settings = {"epochs": 4, "log_every": 1}
    whole = make_run(runs_root.parent / "other", "calm", **settings)
    assert training_process.run(whole) == "finished"
    sizes = {file.name: file.stat().st_size for file in whole.rglob("*") if file.is_file()}
    most = sizes.pop("metrics.jsonl") // 2
    assert max(sizes.values()) < most, "another file finds no room before the rows do"
    run = make_run(runs_root, "full", **settings)
    command = [sys.executable, "-m", "rbm_core.training.process", str(run)]
    with no_file_larger_than(most):
        ended = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    status = RunReader(run).status()
    assert status["state"] == "failed"
    assert one_sentence(status["message"])
    assert "isk is full: metrics.jsonl of run 'full'" in status["message"]
    nothing_half_written(run)
    recorded = RunReader(run).metrics()["step"].tolist()
    assert len(recorded) > 20
    assert subprocess.run(command, cwd=REPO, capture_output=True).returncode == 0
    same_end(run, whole)
    assert RunReader(run).metrics()["step"].tolist()[: len(recorded)] == recorded


OTHER_WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an evaluation's progress": ("progress.json", lambda run: evaluate(run, estimator="exact")),
    "an evaluation's answer": ("likelihood.jsonl", lambda run: evaluate(run, estimator="exact")),
    "an evaluation's pictures": (
        "samples.safetensors",
        lambda run: evaluate(run, estimator="mixing", sweeps_max=20, n_chains=4),
    ),
    "an evaluation's saved state": (
        "state.safetensors",
        lambda run: evaluate(run, estimator="bracket", betas=200, n_chains=4),
    ),
    "the snapshot that an evaluation keeps": (
        "snapshot.safetensors",
        lambda run: evaluate(run, estimator="bracket", betas=200, n_chains=4),
    ),
    "an import": (
        "origin.safetensors",
        lambda run: import_model(
            {"W": np.zeros((16, 8))}, "new", root=run.parent, dataset="bars-and-stripes", preset="quick"
        ),
    ),
    "notes": ("notes.json", lambda run: run_notes.write_notes(run, run_notes.Notes((), "after"))),
    "a new run": ("config.json", lambda run: create_run(run.parent, "new", CONFIG)),
    "a new run's start": (
        "origin.safetensors",
        lambda run: create_run(
            run.parent, "new", {**CONFIG, "n_hidden": 8}, origin={"run": run.name, "step": 0}
        ),
    ),
}


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("case", OTHER_WRITERS)
def test_a_disk_that_fills_up_under_another_writer_costs_a_sentence_and_changes_nothing(
    trained: Path, disk: Disk, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rbm_core.evaluation.job.SAVE_S", 0.0)
    name, write = OTHER_WRITERS[case]
    before = fingerprint(trained)
    disk.full(name)
    with pytest.raises(RunError, match="disk is full") as refused:
        write(trained)
    assert disk.is_full
    assert one_sentence(str(refused.value))
    nothing_half_written(trained)
    disk.free()
    # An evaluation's folder says how it failed; a first line that found no room leaves its file empty.
    after = {
        path: sha
        for path, sha in fingerprint(trained).items()
        if not path.startswith("evaluations/") and (trained / path).stat().st_size
    }
    assert after == before
    assert os.listdir(trained.parent) == ["trained"], "a half-made run is left"
    assert all(one["state"] in ("failed", "interrupted") for one in list_evaluations(trained))
    write(trained)


@needs_proc
def test_a_command_that_finds_no_room_is_refused_and_those_before_it_are_kept(
    runs_root: Path, disk: Disk
) -> None:
    run = make_run(runs_root, "live")
    lock = hold_lock(run)
    assert lock is not None
    control.send(run, "pause")
    disk.full("control.json")
    with pytest.raises(RunError, match="disk is full"):
        control.send(run, "resume")
    disk.free()
    assert [command["command"] for command in control.take(run)] == ["pause"]
    lock.release()


@contextmanager
def no_file_larger_than(n_bytes: int) -> Iterator[None]:
    """The system itself refuses to write more, to this process and those that it starts."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


OUTSIDE = {
    ending: ["export", "trained", "--out", f"file{ending}"]
    for ending in (
        ".npz",
        ".safetensors",
        ".csv",
        ".zip",
        ".png",
        *((".html", ".gif", ".webp") if SOAK else ()),
    )
} | {"sample": ["sample", "trained", "--chains", "2", "--sweeps", "1", "--out", "file.png"]}


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", [0, 60] if SOAK else [60])
@pytest.mark.parametrize("case", OUTSIDE)
def test_a_file_that_finds_no_room_leaves_what_stood_in_its_place(
    trained: Path,
    case: str,
    n_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wish = [*OUTSIDE[case], "--runs", str(trained.parent)]
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    file = Path(wish[wish.index("--out") + 1])
    file.write_bytes(b"of last week")
    with no_file_larger_than(n_bytes):
        assert main(wish) == 2
    said = capsys.readouterr().err.strip()
    assert one_sentence(said)
    assert f"cannot write {file}" in said or f"cannot write {folder / file}" in said
    assert os.listdir(folder) == [file.name], "something half-written is left"
    assert file.read_bytes() == b"of last week"
    assert main(wish) == 0
    assert file.read_bytes() != b"of last week"
    assert os.listdir(folder) == [file.name]


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes", [0, 300, 2000] if SOAK else [300])
@pytest.mark.parametrize("ending", [".npz", ".zip"])
def test_a_model_that_finds_no_room_becomes_no_run(
    trained: Path, tmp_path: Path, ending: str, n_bytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = tmp_path / f"model{ending}", trained.parent
    assert main(["export", "trained", "--out", str(file), "--runs", str(root)]) == 0
    wish = ["import", str(file), "--name", "new", "--runs", str(root)]
    capsys.readouterr()
    with no_file_larger_than(n_bytes):
        assert main(wish) == 2
    said = capsys.readouterr().err.strip()
    assert one_sentence(said)
    assert "'new'" in said
    assert os.listdir(root) == ["trained"], "a half-made run is left"
    assert main(wish) == 0


def test_an_upload_that_finds_no_room_costs_a_sentence(runs_root: Path) -> None:
    with no_file_larger_than(100), pytest.raises(RunError, match="found no place") as refused:
        exchange.imported(b"x" * 1000, "model.npz", "new", None)
    assert one_sentence(str(refused.value))
    assert os.listdir(runs_root) == []
