"""What a trainer writes follows the clock and the schedule of its snapshots, and costs little."""

import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rbm_core.runs import RunReader, control
from rbm_core.runs.snapshot import read_snapshot, snapshot_file
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, Watcher, final_state, make_run


def test_live_view_and_status_follow_the_wall_clock(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice a second, by a clock on which an update takes a millisecond."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    fake.on_update = lambda training: now.__setitem__(0, now[0] + 0.001)
    path = make_run(runs_root, "live", epochs=100_000, log_every=100_000)
    read = RunReader(path)
    seen: list[tuple[float, int, int]] = []

    def look(status: dict[str, Any], row: dict[str, Any]) -> None:
        live = read.live()
        seen.append((now[0], status["step"], live.step if live else -1))
        if len(seen) == 8:
            control.send(path, "stop")

    assert training_process.run(path, look) == "stopped"
    shown = seen[4:8]
    assert all(step == live for _, step, live in shown)
    np.testing.assert_allclose(np.diff([moment for moment, _, _ in shown]), 0.5, atol=0.06)


def test_between_logged_steps_the_clock_decides_what_is_done_and_not_the_number_of_updates(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 500 and at 5,000 updates a second commands are looked for every 50 ms, the state is shown twice a second."""
    now, done = [100.0], Counter[str]()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def counted(module: Any, name: str) -> None:
        own = getattr(module, name)

        def call(*args: Any, **options: Any) -> Any:
            done[name] += 1
            return own(*args, **options)

        monkeypatch.setattr(module, name, call)

    for module, name in ((os, "open"), (os, "lstat"), (os, "stat"), (os, "fsync"), (control, "take")):
        counted(module, name)
    counted(fake, "snapshot")
    spent = []
    for rate in (500, 5000):
        path = make_run(runs_root, f"at-{rate}", epochs=100_000, log_every=10**7, max_snapshots=4)

        def second(training: FakeTraining, rate: int = rate, path: Path = path) -> None:
            now[0] += 1 / rate
            if training.step == rate:
                done.clear()
            if training.step == 5 * rate:
                spent.append(Counter(done))
                control.send(path, "stop")

        fake.on_update = second
        assert training_process.run(path) == "stopped"
    for counts in spent:  # of four seconds
        assert 3.5 < counts["take"] * training_process.POLL_S < 4.5, counts
        assert 7 <= counts["snapshot"] <= 9, counts
        assert sum(counts[name] for name in ("open", "lstat", "stat")) < 1000, counts
        assert counts["fsync"] <= 4, "it waits for the disk beside a snapshot"


def test_state_is_saved_every_half_minute(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "SAVE_S", 0.6)
    fake.cost = 0.001
    path = make_run(runs_root, "saved", epochs=100_000, log_every=10**6)
    watcher = Watcher(path)
    saved: list[int] = []
    watcher.when(
        lambda status: (path / "resume.safetensors").exists(),
        lambda: control.send(path, "stop") or saved.append(final_state(path)[1]["step"]),  # type: ignore
    )
    assert training_process.run(path, watcher) == "stopped"
    assert 0 < saved[0] <= RunReader(path).status()["step"]


def test_snapshots_stand_where_the_schedule_says_also_after_a_resume(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    reference = make_run(runs_root, "reference", epochs=100)
    assert training_process.run(reference) == "finished"
    path = make_run(runs_root, "resumed", epochs=100)

    def stop(training: FakeTraining) -> None:
        if training.step == 700:
            os.kill(os.getpid(), signal.SIGINT)

    fake.on_update = stop
    assert training_process.run(path) == "stopped"
    fake.on_update = None
    assert training_process.run(path) == "finished"
    expected = set(RunReader(reference).snapshot_steps())
    steps = RunReader(path).snapshot_steps()
    assert len(set(steps) - expected) == 1, "the one more is that of the stop"
    assert expected <= set(steps)
    assert read_snapshot(snapshot_file(path, 1600)).step == 1600
