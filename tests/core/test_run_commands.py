"""Commands reach a trainer once and in order; those without meaning are refused."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from rbm_core.runs import (
    RunError,
    control,
    files,
)
from tests.core.run_record import running


@pytest.fixture
def live_run(run: Path) -> Any:
    """A run that seems to be trained: its lock is held."""
    running(run)
    lock = files.hold_lock(run)
    assert lock is not None
    yield run
    lock.release()


def test_commands_arrive_once_and_in_order(live_run: Path) -> None:
    assert control.take(live_run) == []
    control.send(live_run, "pause", by="page")
    control.send(live_run, "step", {"n": 10})
    control.send(live_run, "set", {"name": "learning_rate", "value": 0.01})
    taken = control.take(live_run)
    assert [(entry["command"], entry.get("value")) for entry in taken] == [
        ("pause", None),
        ("step", {"n": 10}),
        ("set", {"name": "learning_rate", "value": 0.01}),
    ]
    assert taken[0]["by"] == "page"
    assert len({entry["id"] for entry in taken}) == 3
    assert control.take(live_run) == []


def test_no_command_is_lost_between_senders_and_the_taker(live_run: Path) -> None:
    program = f"""
        from pathlib import Path
        from rbm_core.runs import control
        for n in range(60):
            control.send(Path({str(live_run)!r}), "step", {{"n": n + 1}})
    """
    senders = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)]) for _ in range(2)]
    taken: list[int] = []
    while any(sender.poll() is None for sender in senders):
        taken += [entry["value"]["n"] for entry in control.take(live_run)]
    taken += [entry["value"]["n"] for entry in control.take(live_run)]
    assert [sender.returncode for sender in senders] == [0, 0]
    assert sorted(taken) == sorted([*range(1, 61), *range(1, 61)])


@pytest.mark.parametrize(
    ("command", "value", "sentence"),
    [
        ("explode", None, "no command 'explode'; there are: pause, resume"),
        ("pause", 3, "pause takes no value"),
        ("set", {"name": "n_hidden", "value": 3}, "set changes one of learning_rate"),
        ("set", {"name": "learning_rate", "value": "fast"}, "learning_rate must be a number"),
        ("set", {"name": "learning_rate", "value": float("nan")}, "learning_rate must be a number"),
        ("step", {"n": 0}, "step needs"),
        ("step", None, "step needs"),
        ("speed", None, "speed needs"),
        ("speed", {}, "speed needs"),
        *[
            ("speed", {"updates_per_second": wrong}, "speed needs")
            for wrong in (0, -1, 1e-300, True, "10", float("nan"), float("inf"), 1e9, [1])
        ],
    ],
)
def test_commands_without_meaning_are_refused(
    live_run: Path, command: str, value: Any, sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence):
        control.send(live_run, command, value)
    assert control.take(live_run) == []


@pytest.mark.parametrize(
    ("state", "way"),
    [("stopped", "resume it first"), ("finished", "start a new run"), ("diverged", "start a new run")],
)
def test_command_to_a_run_that_nobody_trains_says_so_and_the_way_out(run: Path, state: str, way: str) -> None:
    running(run, state=state)
    with pytest.raises(RunError, match=f"'demo' is not being trained \\(it is {state}\\); {way}"):
        control.send(run, "pause")


def test_damaged_control_file_blocks_nobody(live_run: Path) -> None:
    (live_run / "control.json").write_text("{half")
    with pytest.raises(RunError, match=r"control\.json of run 'demo' is damaged"):
        control.take(live_run)
    assert control.take(live_run) == []
    (live_run / "control.json").write_text("{half")
    control.send(live_run, "stop")
    assert [entry["command"] for entry in control.take(live_run)] == ["stop"]
