"""Commands are strangers' input: a bad one is dropped with a sentence, the good ones beside it are obeyed, and training
goes on.
"""

import json
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbm_core.runs import RunError, control
from rbm_core.runs.json_input import DamagedError, parse
from rbm_core.runs.vocabulary import COMMANDS, SETTABLE
from rbm_core.training import process as training_process
from rbm_core.training import report
from tests.core.training_runs import FakeTraining, Watcher, make_run
from tests.robustness.after import nothing_half_written, same_end
from tests.robustness.damage import DEEP, json_values, one_sentence

BAD: dict[str, Any] = {
    "no object": 7,
    "no name": {"time": 1.0},
    "a name that is none": {"command": "explode"},
    "a name of another type": {"command": ["stop"]},
    "a huge setting": {"command": "set", "value": {"name": "k", "value": 10**18}},
    "a setting that is not": {"command": "set", "value": {"name": ["k"], "value": 1}},
    "a setting of text": {"command": "set", "value": {"name": "learning_rate", "value": "fast"}},
    "a huge step": {"command": "step", "value": {"n": 2**63}},
    "a step of a list": {"command": "step", "value": [1]},
    "a time of text": {"command": "pause", "time": "now"},
    "a time beyond all": {"command": "pause", "time": 1e300},
    "a long name": {"command": "x" * 9000},
    "a stop with a value": {"command": "stop", "value": {"now": True}},
}
WHOLE = {
    "empty": b"",
    "half": b'{"commands": [{"comm',
    "bytes": bytes(range(256)),
    "NaN": b'{"commands": [{"command": "step", "value": {"n": NaN}}]}',
    "1e999": b'{"commands": [{"command": "set", "value": {"name": "k", "value": 1e999}}]}',
    "400 digits": b'{"commands": [{"command": "step", "value": {"n": ' + b"9" * 400 + b"}}]}",
    "deep": b'{"commands": ' + DEEP + b"}",
    "of another type": b'{"commands": {"0": "stop"}}',
    "a list": b"[]",
    "huge": b'{"commands": [' + b'{"command": "pause"}, ' * 100_000 + b'{"command": "pause"}]}',
}


def put(run: Path, *commands: Any) -> None:
    (run / "control.json").write_text(json.dumps({"commands": commands}))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_command_is_dropped_with_a_sentence_and_those_beside_it_are_obeyed(
    run: Path, name: str
) -> None:
    complaints: list[str] = []
    put(run, {"command": "pause"}, BAD[name], {"command": "resume", "time": 1.0})
    taken = control.take(run, complaints.append)
    assert [entry["command"] for entry in taken] == ["pause", "resume"]
    assert len(complaints) == 1
    assert complaints[0].startswith("a command was dropped: ")
    assert one_sentence(complaints[0])
    assert control.take(run) == []


@pytest.mark.parametrize("name", WHOLE)
def test_training_goes_on_beside_a_damaged_file_of_commands(
    runs_root: Path, fake: type[FakeTraining], name: str
) -> None:
    path = make_run(runs_root, "attacked", epochs=100_000)
    watcher, said = Watcher(path), []
    watcher.when(lambda status: status["step"] > 0, lambda: write(path, WHOLE[name]) or None)
    watcher.when(lambda status: bool(said.append(status["message"]) or status["message"]), lambda: None)
    watcher.when(lambda status: True, lambda: control.send(path, "stop"))
    assert training_process.run(path, watcher) == "stopped"
    assert "control.json" in said[-1]
    assert one_sentence(said[-1])


def write(run: Path, content: bytes) -> None:
    (run / "control.json").write_bytes(content)


def test_a_file_of_commands_that_cannot_be_removed_stops_no_training(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    path = make_run(runs_root, "folder", epochs=2)
    (path / "control.json").mkdir()
    assert training_process.run(path) == "finished"


def test_a_lock_that_another_process_keeps_holds_no_training_up(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    from filelock import FileLock

    path = make_run(runs_root, "held", epochs=2)
    put(path, {"command": "stop", "time": 9e9})
    with FileLock(path / "control.lock"):
        assert training_process.run(path) == "finished"


MANY = 60 if os.environ.get("RBM_SOAK") else 2  # sequences of commands


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(MANY))
def test_whatever_is_commanded_at_whatever_moment_the_run_ends_as_one_that_nobody_commanded(
    runs_root: Path, calm: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it starts, is paused, and ends; a run that was stopped is trained on."""
    monkeypatch.setattr(report, "SHOW_S", 0.01)
    monkeypatch.setattr(training_process, "POLL_S", 0.002)
    run, draw, seen = make_run(runs_root, "commanded"), random.Random(seed), []

    def wish() -> tuple[Any, ...]:
        return draw.choice(
            [
                *(("pause",), ("resume",), ("stop",), ("snapshot",)),
                ("step", {"n": draw.choice([1, 7, 60, 10**9])}),
                ("speed", {"updates_per_second": draw.choice([1000.0, 1e6, None])}),
            ]
        )

    def tell(status: dict[str, Any], row: dict[str, Any]) -> None:
        seen.append(status["state"])
        go_on = [("speed", {"updates_per_second": None}), ("resume",)]
        for command in [wish() for _ in range(draw.choice([0, 1, 1, 3]))] if len(seen) < 40 else go_on:
            with suppress(RunError):  # it has just ended
                control.send(run, *command)

    for _ in range(100):
        if (state := training_process.run(run, tell)) == "finished":
            break
        assert state == "stopped"
    assert len(seen) >= 5, "hardly a moment was commanded at"
    nothing_half_written(run)
    same_end(run, calm)


def test_more_commands_than_anybody_gives_are_cut_off(run: Path) -> None:
    complaints: list[str] = []
    put(run, *[{"command": "pause"}] * 5000)
    assert len(control.take(run, complaints.append)) == 1000
    assert "5,000 commands" in complaints[0]


@given(st.lists(st.one_of(json_values, st.fixed_dictionaries(
    {"command": st.one_of(st.sampled_from(COMMANDS), st.text(max_size=9))},
    optional={
        "time": st.one_of(st.floats(), st.integers(), st.text(max_size=5)),
        "value": st.one_of(
            json_values,
            st.fixed_dictionaries({"n": st.one_of(st.integers(), st.floats())}),
            st.fixed_dictionaries({"name": st.sampled_from(SETTABLE), "value": st.one_of(st.floats(), st.integers())}),
        ),
    },
)), max_size=6))  # fmt: skip
def test_whatever_is_written_what_is_taken_is_a_command(shared_run: Path, commands: list[Any]) -> None:
    try:
        put(shared_run, *commands)
        parse((shared_run / "control.json").read_bytes())
    except (DamagedError, ValueError):
        return  # numbers that are none, thrown at the whole file below
    said: list[str] = []
    for entry in control.take(shared_run, said.append):
        control.check(entry["command"], entry.get("value"))
        assert 0 <= entry.get("time", 0.0) < 1e10
    assert all(map(one_sentence, said))
    assert not os.path.lexists(shared_run / "control.json")


@given(st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())))
def test_a_file_that_is_none_is_removed_with_a_sentence(shared_run: Path, content: bytes) -> None:
    (shared_run / "control.json").write_bytes(content)
    try:
        assert control.take(shared_run) == []
    except RunError as error:
        said = str(error)
    else:
        said = "nothing was wrong with it."
    assert one_sentence(said)
    assert not os.path.lexists(shared_run / "control.json")
