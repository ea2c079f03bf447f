"""Numbers and locks of processes that are dead: locks say who lives, and nobody else is ended."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.processes import evaluators, trainers
from rbm_core.evaluation import evaluate
from rbm_core.runs import RunError, RunReader, control, files, store
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import hold_lock, read_object, write_json
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, make_run


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that has nothing to do with runs; a dead trainer's number is its number now."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_dead_trainers_number_that_another_process_has_keeps_nobody_away_and_ends_nobody(
    runs_root: Path, fake: type[FakeTraining], bystander: subprocess.Popen[bytes]
) -> None:
    run = make_run(runs_root, "dead", epochs=2)
    Recorder(run).write_status(
        {"state": "running", "pid": bystander.pid, "heartbeat": time.time(), "step": 3}
    )
    assert RunReader(run).status()["state"] == "interrupted"
    with pytest.raises(RunError, match="is not being trained"):
        trainers.send("dead", "stop")
    assert training_process.run(run) == "finished"
    store.delete_run(runs_root, "dead")
    assert bystander.poll() is None


def test_a_lock_that_somebody_removed_is_taken_again(runs_root: Path, fake: type[FakeTraining]) -> None:
    """It looks like one that was left; without it the run would look dead, and a second trainer could begin."""
    run, seen = make_run(runs_root, "bare", epochs=100), []

    def on_update(training: FakeTraining) -> None:
        if training.step == 3:
            (run / files.RUN_LOCK).unlink()
            assert RunReader(run).status()["state"] == "interrupted"
        elif training.step > 3 and (run / files.RUN_LOCK).exists():
            seen.append((RunReader(run).status()["state"], hold_lock(run, timeout=0)))
            training.step = training.n_steps - 1

    fake.cost, fake.on_update = 0.02, on_update
    assert training_process.run(run) == "finished"
    assert seen[0] == ("running", None)
    lock = hold_lock(run)
    assert lock is not None, "the new lock is kept"
    lock.release()


def test_a_trainer_whose_removed_lock_another_has_taken_ends_and_writes_nothing(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    run, taken = make_run(runs_root, "taken", epochs=100), []

    def on_update(training: FakeTraining) -> None:
        if training.step == 3:
            (run / files.RUN_LOCK).unlink()
            taken.append(hold_lock(run))
            Recorder(run).write_status({"state": "running", "pid": 1, "step": 77})

    fake.cost, fake.on_update = 0.02, on_update
    with pytest.raises(RunError, match="removed, and another process trains the run by now"):
        training_process.run(run)
    assert RunReader(run).status()["step"] == 77
    taken[0].release()


def test_interrupting_an_evaluation_that_is_starting_again_ends_no_bystander(
    trained: Path, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the moment on at which it is shown as running, the number in its progress is its own."""
    evaluate(trained, estimator="exact")
    (folder,) = (trained / "evaluations").iterdir()
    progress = read_object(folder / "progress.json")
    write_json(folder / "progress.json", {**progress, "state": "running", "pid": bystander.pid})
    (folder / "state.safetensors").write_bytes(b"what it had saved")
    assert list_evaluations(trained)[0]["state"] == "interrupted"
    shown, killed = [], []
    monkeypatch.setattr(evaluators, "os", SimpleNamespace(kill=lambda pid, number: killed.append(pid)))
    true = files.write_bytes

    def watched(path: Path, data: bytes, **options: Any) -> None:
        true(path, data, **options)
        (one,) = list_evaluations(trained)
        shown.append(one["state"])
        evaluators.interrupt(one)

    for module in ("rbm_core.evaluation.job", "rbm_core.runs.files"):
        monkeypatch.setattr(f"{module}.write_bytes", watched)
    evaluate(trained, estimator="exact")
    assert "running" in shown
    assert set(killed) == {os.getpid()}


def test_locks_that_nobody_holds_hold_nobody_up(trained: Path) -> None:
    evaluate(trained, estimator="exact")
    (folder,) = (trained / "evaluations").iterdir()
    for name in ("run.lock", "control.lock", "likelihood.lock"):
        (trained / name).write_text("1234")
    (folder / "run.lock").write_text("1234")
    Recorder(trained).write_status({**RunReader(trained).status(), "state": "running"})
    began = time.monotonic()
    assert RunReader(trained).status()["state"] == "interrupted"
    (folder / "progress.json").unlink()
    evaluate(trained, estimator="exact")
    assert training_process.run(trained) == "finished"
    lock = hold_lock(trained)
    assert lock is not None
    Recorder(trained).write_status({**RunReader(trained).status(), "state": "running"})
    control.send(trained, "pause")
    assert [command["command"] for command in control.take(trained)] == ["pause"]
    lock.release()
    assert time.monotonic() - began < 60, "it waited for a lock"
