"""A trainer that is killed while it starts is seen to be dead at once; ten runs leave no process behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from dashboard.processes import trainers
from rbm_core.config import make_config
from rbm_core.runs import RunReader, create_run
from rbm_core.runs.vocabulary import LIVE_STATES
from tests.core.training_runs import TINY, wait_for
from tests.live import until

CONFIG = make_config(**{**TINY, "epochs": 100_000})


def trainers_of(root: Path) -> list[int]:
    """The processes whose command names the store."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(root) in command:
                found.append(int(folder.name))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("pause", [0.0, 0.2, 0.6])
def test_killed_while_starting_a_run_is_shown_as_interrupted_within_five_seconds(
    runs_root: Path, pause: float
) -> None:
    path = runs_root / trainers.start(CONFIG, "early")
    (pid,) = trainers_of(runs_root)
    time.sleep(pause)  # the moment of the kill, not a wait for a state
    assert RunReader(path).status()["state"] in LIVE_STATES
    os.kill(pid, signal.SIGKILL)
    until(lambda: RunReader(path).status()["state"] == "interrupted", 5, "it is not seen to be dead")


def test_a_run_that_nobody_took_up_is_shown_as_starting_for_less_than_five_seconds(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create_run(runs_root, "early", CONFIG)
    true, later = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: true() + later[0])
    assert RunReader(path).status()["state"] == "starting"
    later[0] = 5.0
    assert RunReader(path).status()["state"] == "interrupted"


@needs_proc
@pytest.mark.slow
def test_ten_runs_started_and_stopped_leave_no_process(runs_root: Path) -> None:
    names = [f"run-{n}" for n in range(10)]
    for first in range(0, 10, 2):  # two at a time: ten would wait for two cores
        for name in names[first : first + 2]:
            trainers.start(CONFIG, name)
            trainers.send(name, "stop")
        for name in names[first : first + 2]:
            wait_for(lambda name=name: RunReader(runs_root / name).status()["state"] == "stopped")
    wait_for(lambda: trainers_of(runs_root) == [])
