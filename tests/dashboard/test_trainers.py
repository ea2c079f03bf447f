"""Trainers started from the app: detached, obedient within a second, and found again by their run alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.processes import trainers
from rbm_core.config import make_config
from rbm_core.runs import RunError, RunReader, files, list_runs
from rbm_core.runs.recorder import Recorder
from tests.live import until

# About an hour of updates, so that it is still running whenever a test looks.
ENDLESS = {
    "dataset": "bars-and-stripes",
    "n_hidden": 16,
    "n_chains": 20,
    "batch_size": 1,
    "epochs": 100_000,
    "log_every": 500,
    "learning_rate": 1e-3,
    "precision": "float32",
}


@pytest.fixture
def started(runs_root: Path) -> Iterator[list[str]]:
    """Names of runs whose trainers are ended with the test."""
    names: list[str] = []
    yield names
    for name in names:
        read = RunReader(runs_root / name)
        if files.lock_is_held(read.path) and (pid := read.status()["pid"]):
            os.kill(pid, signal.SIGKILL)
            until(lambda read=read: not files.lock_is_held(read.path), 10, "the trainer lives on")


def is_state(read: RunReader, *states: str) -> Callable[[], bool]:
    return lambda: read.status()["state"] in states


@pytest.mark.slow
def test_trainer_obeys_within_a_second_and_is_found_again(runs_root: Path, started: list[str]) -> None:
    name = trainers.start(make_config(**ENDLESS), preset="quick")
    started.append(name)
    read = RunReader(runs_root / name)
    assert read.status()["state"] == "starting", "the start waits for the trainer"
    assert [info.name for info in list_runs(runs_root) if info.live] == [name]
    until(is_state(read, "running"), 60, "the run is not running")
    status = read.status()

    # Detached: a session of its own, no input, OpenMP told not to spin.
    pid = status["pid"]
    assert pid != os.getpid()
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert {b"OMP_WAIT_POLICY=passive", b"GOMP_SPINCOUNT=0"} <= set(environment)

    with pytest.raises(RunError, match=f"run {name!r} is already being trained"):
        trainers.resume(name)
    second = subprocess.run(
        [sys.executable, "-m", "rbm_core.training.process", str(read.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    assert second.stderr == (
        f"run {name!r} is already being trained by process {pid}; watch that one, or stop it first\n"
    )

    trainers.send(name, "pause")
    until(is_state(read, "paused"), 1, "the trainer does not obey")
    step = read.status()["step"]
    live = read.live()
    assert live is not None
    assert live.step == step
    trainers.send(name, "step", {"n": 10})
    until(lambda: read.status()["step"] == step + 10, 1, "the trainer does not obey")
    trainers.send(name, "resume")
    until(lambda: read.status()["step"] > step + 10, 1, "the trainer does not obey")
    trainers.send(name, "set", {"name": "learning_rate", "value": 2e-3})
    until(lambda: read.status()["learning_rate"] > 1.5e-3, 1, "the trainer does not obey")
    trainers.send(name, "stop")
    until(is_state(read, "stopped"), 1, "the trainer does not obey")
    assert {event.get("by") for event in read.events()} >= {"page"}
    until(lambda: not Path(f"/proc/{pid}").exists(), 10, "the ended trainer stays a zombie")

    step = read.status()["step"]
    trainers.resume(name)
    assert read.status()["state"] == "starting"
    assert read.status()["step"] == step
    until(is_state(read, "running"), 60, "the run is not running")
    until(lambda: read.status()["step"] > step, 10, "training does not go on")
    assert read.events()[-1]["command"] == "continue"
    trainers.send(name, "stop")
    until(is_state(read, "stopped"), 10, "the run is not stopped")


@pytest.mark.slow
def test_trainer_outlives_the_process_that_started_it(runs_root: Path, started: list[str]) -> None:
    """Killed with its whole process group, as by Ctrl-C on the server, the starter takes no trainer along."""
    program = (
        "import signal, time; from dashboard.processes import trainers; from rbm_core.config import make_config\n"
        # Where the tests run in a shell's background, it has children ignore what Ctrl-C sends.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"print(trainers.start(make_config(**{ENDLESS!r})), flush=True)\n"
        "time.sleep(600)"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert app.stdout is not None
    name = app.stdout.readline().strip()
    started.append(name)
    read = RunReader(runs_root / name)
    until(lambda: files.lock_is_held(read.path), 30, "no trainer holds the run")
    os.killpg(app.pid, signal.SIGINT)
    app.wait(60)
    app.stdout.close()
    until(is_state(read, "running"), 60, "the run is not running")
    os.kill(read.status()["pid"], signal.SIGKILL)
    until(is_state(read, "interrupted"), 10, "the run is not interrupted")
    assert "Resume goes on from the last saved state" in read.status()["message"]


def test_failure_while_starting_stands_in_the_status(runs_root: Path, started: list[str]) -> None:
    name = trainers.start(make_config(**{**ENDLESS, "dataset": str(runs_root / "no-pictures")}), "hopeless")
    started.append(name)
    read = RunReader(runs_root / name)
    until(is_state(read, "failed"), 60, "the run is not failed")
    message = read.status()["message"]
    assert "no-pictures" in message
    assert "\n" not in message


def test_trainer_that_ends_before_it_writes_a_status_gets_one(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "REPO", runs_root)  # where there is no rbm_core to import
    monkeypatch.chdir(runs_root)
    name = trainers.start(make_config(**ENDLESS), "mute")
    read = RunReader(runs_root / name)
    until(is_state(read, "failed"), 30, "the run is not failed")
    message = read.status()["message"]
    assert message.startswith("The trainer ended before it began (exit code 1):")
    assert "No module named" in message
    assert "\n" not in message


def test_program_that_cannot_be_run_is_one_sentence(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers.sys, "executable", "/nowhere/python")
    with pytest.raises(RunError, match="the trainer could not be started") as error:
        trainers.start(make_config(**ENDLESS), "unborn")
    assert "\n" not in str(error.value)
    assert RunReader(runs_root / "unborn").status()["state"] == "failed"


def test_taken_name_is_refused_before_anything_starts(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs_root / "taken").mkdir()
    monkeypatch.setattr(trainers, "_launch", lambda *_: pytest.fail("must not start"))
    with pytest.raises(RunError, match="there is already a run 'taken'"):
        trainers.start(make_config(**ENDLESS), "taken")
    with pytest.raises(RunError, match=r"a run cannot be called '\.\./out'"):
        trainers.start(make_config(**ENDLESS), "../out")


@pytest.mark.parametrize("state", ["finished", "diverged"])
def test_run_with_nothing_to_go_on_with_is_not_resumed(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(trainers, "_launch", lambda *_, **__: None)
    name = trainers.start(make_config(**ENDLESS), "ended")
    Recorder(runs_root / name).write_status({"state": state})
    with pytest.raises(RunError, match="start a new run from one of its snapshots"):
        trainers.resume(name)


def test_commands_to_a_run_that_nobody_trains_are_refused(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "_launch", lambda *_, **__: None)
    name = trainers.start(make_config(**ENDLESS), "quiet")
    Recorder(runs_root / name).write_status({"state": "stopped"})
    with pytest.raises(RunError, match="resume it first"):
        trainers.send(name, "pause")
    with pytest.raises(RunError, match="no run 'other'"):
        trainers.send("other", "pause")
