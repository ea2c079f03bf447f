"""A run's folder is removed, renamed or replaced under its trainer, or copied while it is trained."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbm_core.runs import RunReader, control, list_runs, store
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, Watcher, make_run
from tests.robustness.after import fingerprint, nothing_half_written, same_end
from tests.robustness.damage import one_sentence


def at_step(n: int, act: Callable[[], object]) -> Callable[[FakeTraining], None]:
    def look(training: FakeTraining) -> None:
        if training.step == n:
            act()

    return look


def ends_with_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the trainer's process prints when it ends because it cannot write any more."""
    assert training_process.main([str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert one_sentence(said.strip())
    return said


def test_a_folder_removed_under_its_trainer_ends_it_with_a_sentence_and_does_not_come_back(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_root, "gone", epochs=100, log_every=10)
    fake.on_update = at_step(400, lambda: shutil.rmtree(run))
    assert f"folder {run}" in ends_with_one_line(run, capsys)
    assert os.listdir(runs_root) == []
    assert list_runs(runs_root) == []


def test_a_run_renamed_under_its_trainer_goes_on_under_its_new_name(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str]
) -> None:
    run, moved = make_run(runs_root, "before", epochs=100, log_every=10), runs_root / "after"
    fake.on_update = at_step(400, lambda: run.rename(moved))
    assert "is gone" in ends_with_one_line(run, capsys)
    assert os.listdir(runs_root) == ["after"]
    assert RunReader(moved).status()["state"] == "interrupted"
    nothing_half_written(moved)
    fake.on_update = None
    assert training_process.run(moved) == "finished"
    assert RunReader(moved).metrics()["step"].tolist() == list(range(0, 1601, 10))


@pytest.mark.parametrize("away", ["renamed", "removed"])
def test_a_trainer_never_writes_into_another_run_that_took_its_folders_name(
    runs_root: Path, fake: type[FakeTraining], capsys: pytest.CaptureFixture[str], away: str
) -> None:
    run, other = make_run(runs_root, "name", epochs=100, log_every=10), {}

    def replace() -> None:
        if away == "renamed":
            run.rename(runs_root / "elsewhere")
        else:
            shutil.rmtree(run)
        make_run(runs_root, "name", epochs=7)
        control.send(run, "pause")  # for the trainer of the new run
        other.update(fingerprint(run))

    fake.on_update = at_step(400, replace)
    assert "another one stands in its place" in ends_with_one_line(run, capsys)
    assert fingerprint(run) == other


@pytest.mark.slow
def test_a_run_copied_while_it_is_trained_is_a_run_of_its_own(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, calm: Path
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.05)
    run, copy = make_run(runs_root, "original"), runs_root / "copy"
    watcher = Watcher(run)
    copied: dict[str, Any] = {}

    def take_copy() -> None:
        shutil.copytree(run, copy)
        copied.update(RunReader(copy).status())
        control.send(run, "snapshot")

    watcher.when(lambda status: status["state"] == "running" and status["step"] > 0, take_copy)
    assert training_process.run(run, watcher) == "finished"
    assert copied["state"] == "interrupted", "nobody trains the copy"
    before = fingerprint(run)
    assert training_process.run(copy) == "finished"
    assert fingerprint(run) == before, "training the copy touched the original"
    for one in (run, copy):
        nothing_half_written(one)
        same_end(one, calm)
    assert {info.name: info.error for info in list_runs(runs_root)} == {"original": None, "copy": None}
    store.delete_run(runs_root, "copy")
    assert fingerprint(run) == before
