"""A trainer that is killed while it starts is seen to be dead at once; runs that were stopped leave no process."""

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


def trainers_of(path: Path) -> list[int]:
    """The processes whose command names the run, or one of the store."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(path) in command:
                found.append(int(folder.name))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")


@needs_proc
def test_killed_while_starting_a_run_is_shown_as_interrupted_within_five_seconds(runs_root: Path) -> None:
    killed: list[Path] = []
    for pause in (0.0, 0.2, 0.6):
        path = runs_root / trainers.start(CONFIG, f"early-{pause}")
        (pid,) = trainers_of(path)
        time.sleep(pause)  # the moment of the kill, not a wait for a state
        assert RunReader(path).status()["state"] in LIVE_STATES
        os.kill(pid, signal.SIGKILL)
        killed.append(path)
    for path in killed:
        until(
            lambda path=path: RunReader(path).status()["state"] == "interrupted", 5, f"{path} seems to live"
        )


def test_a_run_that_nobody_took_up_is_shown_as_starting_for_less_than_five_seconds(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create_run(runs_root, "early", CONFIG)
    true, later = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: true() + later[0])
    assert RunReader(path).status()["state"] == "starting"
    later[0] = 5.0
    assert RunReader(path).status()["state"] == "interrupted"


RUNS = 10 if os.environ.get("RBM_SOAK") else 2


@needs_proc
@pytest.mark.slow
def test_runs_started_and_stopped_leave_no_process(runs_root: Path) -> None:
    names = [f"run-{n}" for n in range(RUNS)]
    for first in range(0, RUNS, 2):  # two at a time: ten would wait for two cores
        for name in names[first : first + 2]:
            trainers.start(CONFIG, name)
            trainers.send(name, "stop")
        for name in names[first : first + 2]:
            wait_for(lambda name=name: RunReader(runs_root / name).status()["state"] == "stopped")
    wait_for(lambda: trainers_of(runs_root) == [])
