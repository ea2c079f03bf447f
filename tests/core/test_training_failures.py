"""A run that fails or diverges says why in one sentence, and keeps its last good state."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.runs import RunError, RunReader, files
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, final_state, make_run


@pytest.mark.parametrize("bad_from", [1, 7, 100, 101, 155, 1600])
def test_diverged_run_keeps_only_what_was_good(
    runs_root: Path, fake: type[FakeTraining], bad_from: int
) -> None:
    fake.bad_from = bad_from
    path = make_run(runs_root, "diverged", epochs=100, log_every=50, max_snapshots=40)
    assert training_process.run(path) == "diverged"
    read = RunReader(path)
    status = read.status()
    assert status["state"] == "diverged"
    assert "start again from a snapshot with a smaller learning rate" in status["message"]
    assert status["message"].startswith("Parameters are no longer finite at step")
    assert f"The last good snapshot is step {read.snapshot_steps()[-1]:,}." in status["message"]
    assert "smaller learning rate" in status["message"]
    assert max(read.snapshot_steps()) < bad_from
    live = read.live()
    assert live is None or live.step < bad_from
    assert not (path / "resume.safetensors").exists() or final_state(path)[1]["step"] < bad_from


def test_how_a_run_ends_does_not_depend_on_when_it_is_shown(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two rows data and particles may stand far apart for a moment; a slow machine shows that moment."""
    monkeypatch.setattr("rbm_core.training.report.SHOW_S", 0.0)
    monkeypatch.setattr("rbm_core.training.process.POLL_S", 0.0)
    seen: list[int] = []

    def apart_for_a_moment(training: FakeTraining, info: int | None = None) -> str | None:
        seen.append(training.step)
        return "data and fantasy particles are far apart" if info == 33 else None

    monkeypatch.setattr(fake, "diverged", apart_for_a_moment)
    path = make_run(runs_root, "shown", epochs=10, log_every=50, max_snapshots=4)
    assert training_process.run(path) == "finished"
    assert 33 in seen
    assert 33 not in RunReader(path).snapshot_steps()


def test_unforeseen_failure_is_a_sentence_with_the_traceback_in_the_log(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(training: FakeTraining) -> None:
        if training.step == 40:
            raise IndexError("list index\nout of range")

    fake.on_update = fail
    path = make_run(runs_root, "broken")
    assert training_process.main([str(path)]) == 1
    status = RunReader(path).status()
    assert status["state"] == "failed"
    assert status["message"] == (
        "The trainer failed with IndexError: list index out of range (details in trainer.log)."
    )
    assert "Traceback" in (path / "trainer.log").read_text()
    assert capsys.readouterr().err == status["message"] + "\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory.\nTried to allocate 9 GiB"),
        RuntimeError("can't allocate memory"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_lack_of_memory_says_what_to_choose_smaller(
    runs_root: Path, fake: type[FakeTraining], error: Exception
) -> None:
    def fail(training: FakeTraining) -> None:
        raise error

    fake.on_update = fail
    path = make_run(runs_root, "huge")
    assert training_process.run(path) == "failed"
    assert (
        RunReader(path)
        .status()["message"]
        .startswith("Not enough memory for 12 hidden units, 10 chains and 2 images a batch: choose fewer")
    )


def test_full_disk_fails_in_one_sentence_and_goes_on_once_there_is_room(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(runs_root, "full", epochs=100, log_every=10)
    fsync = os.fsync

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(training: FakeTraining) -> None:
        if training.step == 400:
            monkeypatch.setattr(files.os, "fsync", full)

    fake.on_update = fill
    assert training_process.run(path) == "failed"
    message = RunReader(path).status()["message"]
    assert message.startswith("The disk is full: 0")
    assert message.endswith("of run 'full' could not be written; free some space, then resume the run.")
    monkeypatch.setattr(files.os, "fsync", fsync)
    fake.on_update = None
    assert training_process.run(path) == "finished"
    assert_array_equal(RunReader(path).metrics()["step"], np.arange(0, 1601, 10))


def test_final_status_finds_room_where_the_disposable_view_was(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(runs_root, "full", epochs=100_000, log_every=10)
    write = files.write_bytes
    seen = []

    def nearly_full(file: Path, data: bytes, **options: Any) -> None:
        if (path / "live.safetensors").exists():
            seen.append(file.name)
            raise RunError(files.explain(OSError(errno.ENOSPC, ""), file)) from OSError(errno.ENOSPC)
        write(file, data, **options)

    monkeypatch.setattr(files, "write_bytes", nearly_full)
    monkeypatch.setattr("rbm_core.runs.recorder.write_bytes", nearly_full)
    assert training_process.run(path) == "failed"
    assert seen
    status = RunReader(path).status()
    assert status["state"] == "failed"
    assert status["message"].startswith("The disk is full")


def test_folder_without_write_permission_is_one_sentence(
    runs_root: Path,
    fake: type[FakeTraining],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make_run(runs_root, "locked")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(files.os, "replace", refuse)
    assert training_process.main([str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"No permission to write in {path}")
    assert said.count("\n") == 1
