"""The clock is set back or forward: no decision about a living trainer compares times."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.processes import trainers
from rbm_core.runs import RunReader, control, list_runs
from rbm_core.runs.files import hold_lock
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, Watcher, make_run
from tests.robustness.after import nothing_half_written

YEAR = 365.0 * 86_400
set_back = pytest.mark.parametrize("back", [3600.0, 40 * YEAR, -60.0, -10 * YEAR], ids="{:g} s".format)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """clock(seconds) sets this process's clock back by so much; forward where it is negative."""
    true, true_ns, back = time.time, time.time_ns, [0.0]
    monkeypatch.setattr(time, "time", lambda: true() - back[0])
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() - int(back[0] * 1e9))
    return lambda seconds: back.__setitem__(0, seconds)


@set_back
def test_a_clock_that_is_set_during_a_run_changes_nothing(
    runs_root: Path, fake: type[FakeTraining], clock: Callable[[float], None], back: float
) -> None:
    fake.cost = 0.001
    run = make_run(runs_root, "back", epochs=100_000, log_every=10)
    reader, watcher = RunReader(run), Watcher(run)
    seen: dict[str, Any] = {}

    def note(name: str, then: str) -> Callable[[], None]:
        def act() -> None:
            seen[name] = reader.status()
            control.send(run, then)

        return act

    watcher.when(lambda status: status["state"] == "running" and status["step"] > 0, lambda: clock(back))
    watcher.when(lambda status: status["state"] == "running", note("running", "pause"))
    watcher.when(lambda status: status["state"] == "paused", note("paused", "resume"))
    watcher.when(lambda status: status["state"] == "running", note("resumed", "stop"))
    assert training_process.run(run, watcher) == "stopped"
    assert [seen[name]["state"] for name in ("running", "paused", "resumed")] == [
        "running",
        "paused",
        "running",
    ]
    assert 0 < seen["running"]["seconds"] <= seen["paused"]["seconds"] <= seen["resumed"]["seconds"] < 600
    nothing_half_written(run)
    seconds = reader.metrics()["seconds"]
    assert (np.diff(seconds) >= 0).all()
    (info,) = list_runs(runs_root)
    assert (info.state, info.error) == ("stopped", None)


@set_back
def test_commands_given_after_the_clock_was_set_are_obeyed_by_the_trainer_that_starts(
    runs_root: Path, fake: type[FakeTraining], clock: Callable[[float], None], back: float
) -> None:
    run = make_run(runs_root, "eager", epochs=100_000)
    clock(back)
    lock = hold_lock(run)  # as a trainer that is starting
    assert lock is not None
    control.send(run, "stop")
    lock.release()
    assert training_process.run(run) == "stopped"
    assert RunReader(run).status()["step"] == 0


@set_back
def test_commands_left_to_a_dead_trainer_are_dropped_by_whoever_resumes_the_run(
    runs_root: Path,
    fake: type[FakeTraining],
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    back: float,
) -> None:
    run = make_run(runs_root, "left", epochs=2)
    lock = hold_lock(run)
    assert lock is not None
    control.send(run, "stop")
    lock.release()
    Recorder(run).write_status({"state": "running", "heartbeat": time.time()})
    clock(back)
    monkeypatch.setattr(trainers, "_launch", lambda path, download: None)
    trainers.resume("left")
    assert training_process.run(run) == "finished"
