"""The watch speed holds the trainer back by its clock; commands are obeyed at once, and the numbers stay the same."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rbm_core.runs import RunError, RunReader, control
from rbm_core.training import clock as clocks
from rbm_core.training import process as training_process
from tests.core.training_runs import FakeTraining, Watcher, final_state, make_run

BY_THE_CLOCK = ("seconds", "time", "steps_per_s")


def test_watched_run_has_the_numbers_of_an_unwatched_one(runs_root: Path) -> None:
    """Bit for bit: parameters, chains, random streams, every row of the curves and every snapshot."""
    plain, watched = make_run(runs_root, "plain", epochs=20), make_run(runs_root, "watched", epochs=20)
    assert training_process.run(plain) == "finished"
    watcher = Watcher(watched)
    watcher.when(
        lambda status: status["state"] == "running",
        lambda: control.send(watched, "speed", {"updates_per_second": 3000}),
    )
    watcher.when(
        lambda status: status["updates_per_second"] == 3000,
        lambda: control.send(watched, "speed", {"updates_per_second": None}),
    )
    assert training_process.run(watched, watcher, updates_per_second=500) == "finished"
    tensors, meta = final_state(watched)
    expected, expected_meta = final_state(plain)
    assert meta == expected_meta
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    rows = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (plain, watched)
    ]
    for ours, theirs in zip(*rows, strict=True):
        assert {k: v for k, v in ours.items() if k not in BY_THE_CLOCK} == {
            k: v for k, v in theirs.items() if k not in BY_THE_CLOCK
        }
    assert RunReader(watched).snapshot_steps() == RunReader(plain).snapshot_steps()
    changes = [event["value"] for event in RunReader(watched).events() if event["command"] == "speed"]
    assert [change["updates_per_second"] for change in changes] == [500, 3000, None]


def test_commands_are_obeyed_between_two_updates_that_lie_an_hour_apart(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    path = make_run(runs_root, "slow", epochs=100_000)
    saw: dict[str, Any] = {}
    watcher = Watcher(path)

    def then(name: str, command: str, value: Any = None) -> Any:
        def act() -> None:
            saw[name] = RunReader(path).status()
            control.send(path, command, value)

        return act

    hourly = {"updates_per_second": 1 / 3600}
    watcher.when(lambda s: s["step"] == 1, then("one", "set", {"name": "learning_rate", "value": 0.003}))
    watcher.when(lambda s: s["learning_rate"] == 0.003, then("set", "pause"))
    watcher.when(lambda s: s["state"] == "paused", then("paused", "resume"))
    watcher.when(lambda s: s["state"] == "running", then("resumed", "speed", {"updates_per_second": None}))
    watcher.when(lambda s: s["step"] > 50, then("full", "speed", hourly))
    watcher.when(lambda s: s["updates_per_second"] is not None, then("held", "stop"))
    assert training_process.run(path, watcher, updates_per_second=1 / 3600) == "stopped"
    assert saw["paused"]["step"] == 1
    assert saw["full"]["updates_per_second"] is None
    assert RunReader(path).status()["step"] - saw["held"]["step"] <= 1


def test_each_update_is_shown_where_the_page_can_follow(
    runs_root: Path, fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown one by one at a speed below that of the reports (twice a second; here a hundred times)."""
    monkeypatch.setattr(training_process, "SHOW_S", 0.01)
    path = make_run(runs_root, "shown", epochs=100_000)
    seen: list[tuple[int, int]] = []

    def look(status: dict[str, Any], row: dict[str, Any]) -> None:
        live = RunReader(path).live()
        if live is not None:
            seen.append((status["step"], live.step))
        if status["step"] == 6 and status["state"] == "running":
            control.send(path, "stop")

    assert training_process.run(path, look, updates_per_second=20) == "stopped"
    assert {(step, step) for step in range(1, 7)} <= set(seen)


def test_time_of_training_leaves_out_what_the_watch_speed_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of 20 ms at 2 updates a second: 40 are 0.8 s of training, made in 20 s."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(clocks, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep))
    clock = clocks.Clock()
    clock.start()
    clock.keep_to(2.0)
    begun = now[0]
    for step in range(1, 41):
        while clock.rest(0.05):
            pass
        now[0] += 0.02
        clock.measure(step)
    assert clock.seconds() == pytest.approx(0.8)
    assert now[0] - begun == pytest.approx(39 * 0.5 + 0.02)
    assert clock.rate == pytest.approx(2.0, rel=0.01)
    now[0] += 60.0
    assert not clock.rest(0.05)
    assert clock.rest(0.05), "after a pause the next update is due at once, but not two"


def test_speed_is_steady_once_its_measures_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first second loads and compiles; only after it can the time left be said."""
    now = [0.0]
    monkeypatch.setattr(clocks, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    clock = clocks.Clock()
    clock.start()
    step, steady = 0, []
    for rate in [2.0] * 2 + [400.0] * 14:
        now[0] += 0.5
        step += int(rate / 2)
        clock.measure(step)
        steady.append(clock.steady)
    assert not any(steady[:8])
    assert all(steady[-3:])
    assert clock.rate == pytest.approx(400, rel=0.1)
    clock.keep_to(10.0)
    assert not clock.steady, "another speed is to be measured anew"


def test_speed_that_is_none_is_refused_before_anything_is_changed(runs_root: Path) -> None:
    path = make_run(runs_root, "refused")
    before = (path / "status.json").read_bytes()
    with pytest.raises(RunError, match="a number from 0"):
        training_process.run(path, updates_per_second=0)
    assert (path / "status.json").read_bytes() == before
