"""A trainer obeys commands and signals between two updates, and records them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbm_core.runs import RunReader, control
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, Watcher, final_state, make_run


def test_commands_are_obeyed_in_turn_and_recorded(runs_root: Path, fake: type[FakeTraining]) -> None:
    fake.cost = 0.001
    path = make_run(runs_root, "obedient", epochs=100_000, log_every=1000)
    read, watcher, saw = RunReader(path), Watcher(path), {}

    def note(name: str, *commands: tuple[Any, ...]) -> Callable[[], None]:
        def act() -> None:
            saw[name] = read.status()
            for command in commands:
                control.send(path, *command)

        return act

    def paused(status: dict[str, Any]) -> bool:
        return status["state"] == "paused"

    watcher.when(lambda status: status["step"] > 0, note("ran", ("pause",)))
    watcher.when(paused, note("paused"))
    watcher.when(paused, note("still paused", ("step", {"n": 1})))
    watcher.when(lambda s: paused(s) and s["step"] > saw["paused"]["step"], note("one", ("step", {"n": 10})))
    watcher.when(lambda s: paused(s) and s["step"] > saw["one"]["step"], note("ten", ("snapshot",)))
    watcher.when(paused, note("kept", ("set", {"name": "learning_rate", "value": 0.007})))
    watcher.when(
        lambda s: s["learning_rate"] == 0.007, note("set", ("set", {"name": "learning_rate", "value": -1}))
    )
    watcher.when(lambda s: bool(s["message"]), note("refused", ("resume",)))
    watcher.when(lambda s: s["state"] == "running", note("resumed", ("stop",)))
    assert training_process.run(path, watcher) == "stopped"
    assert saw["still paused"]["step"] == saw["paused"]["step"]
    assert saw["still paused"]["heartbeat"] > saw["paused"]["heartbeat"], "also while paused"
    assert saw["still paused"]["seconds"] == saw["paused"]["seconds"], "pauses do not count as training"
    assert saw["one"]["step"] == saw["paused"]["step"] + 1
    assert saw["ten"]["step"] == saw["paused"]["step"] + 11
    assert saw["ten"]["step"] in read.snapshot_steps()
    assert saw["refused"]["message"] == "Not done: learning_rate must be greater than 0, got -1."
    assert saw["refused"]["learning_rate"] == 0.007
    assert [event["command"] for event in read.events()] == [
        *("start", "pause", "step", "step", "snapshot", "set", "resume", "stop")
    ]
    assert read.events()[5]["value"] == {"name": "learning_rate", "value": 0.007}
    assert read.status()["step"] == read.snapshot_steps()[-1]


def test_setting_changed_by_hand_is_saved_at_once(runs_root: Path, fake: type[FakeTraining]) -> None:
    """A run killed right after goes on with the new value, as its record says."""
    path = make_run(runs_root, "set", epochs=100_000)
    watcher = Watcher(path)
    watcher.when(
        lambda status: status["state"] == "running",
        lambda: control.send(path, "set", {"name": "learning_rate", "value": 0.02}),
    )

    def die() -> None:
        raise KeyboardInterrupt  # as good as a kill: nothing below catches it

    watcher.when(lambda status: status["learning_rate"] == 0.02, die)
    with pytest.raises(KeyboardInterrupt):
        training_process.run(path, watcher)
    assert final_state(path)[1]["rate"] == 0.02


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_cleanly_with_the_last_state_saved(
    runs_root: Path, fake: type[FakeTraining], number: signal.Signals
) -> None:
    path = make_run(runs_root, "signal", epochs=100_000, log_every=10_000)
    before = signal.getsignal(number)

    def interrupt(training: FakeTraining) -> None:
        if training.step == 333:
            os.kill(os.getpid(), number)

    fake.on_update = interrupt
    assert training_process.run(path) == "stopped"
    assert signal.getsignal(number) is before
    read = RunReader(path)
    status = read.status()
    assert status["state"] == "stopped"
    assert number.name in status["message"]
    assert status["step"] == read.snapshot_steps()[-1] == final_state(path)[1]["step"]
    assert 334 <= status["step"] <= 336
    assert read.live() is None


def test_signal_while_starting_stops_before_training(runs_root: Path, fake: type[FakeTraining]) -> None:
    path = make_run(runs_root, "early")
    watcher = Watcher(path)
    watcher.when(lambda status: "Loading" in status["message"], lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert training_process.run(path, watcher) == "stopped"
    status = RunReader(path).status()
    assert (status["state"], status["message"]) == ("stopped", "Stopped by SIGTERM before training began.")


def test_commands_left_to_a_dead_trainer_are_not_obeyed_by_the_next(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    path = make_run(runs_root, "stale", epochs=2)
    control.send(path, "stop")
    Recorder(path).write_status({"state": "running", "heartbeat": time.time()})
    assert training_process.run(path) == "finished"


def test_command_given_while_starting_is_obeyed(runs_root: Path, fake: type[FakeTraining]) -> None:
    path = make_run(runs_root, "eager", epochs=100_000)
    control.send(path, "stop")
    assert training_process.run(path) == "stopped"
    assert RunReader(path).status()["step"] == 0
