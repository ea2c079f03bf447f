"""While a run trains, pictures that nobody sees are made seldom, and what comes into sight is new at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.components.blob import unpack
from dashboard.views.train import sight, state
from dashboard.views.train.recorded import Run
from rbm_core.runs import RunReader, control
from rbm_core.runs.recorder import Recorder
from tests.live import App, until
from tests.small_run import train_small
from tests.stand_in import StandIn
from tests.tab import Tab

PICTURES = ("filters", "particles", "activity", "spectrum", "histograms")


@pytest.fixture
def tells(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether a picture rests, of a page whose browser says that the histograms are out of sight."""
    reader_is_unused: Any = None
    watched, now = state.Watched(away=["histograms"]), [100.0]
    monkeypatch.setattr(sight, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(state, "watched", lambda: watched)

    def rests(key: str, after_s: float = 0, step: int | str = "live", run_state: str = "running") -> bool:
        now[0] += after_s
        watched.step = step
        return sight.rests(Run("run", reader_is_unused, {}, {"state": run_state}), key)

    return rests


def test_a_picture_out_of_sight_rests_for_half_a_minute(tells: Callable[..., bool]) -> None:
    assert not tells("train.filters"), "it is in sight"
    assert not tells("train.histograms")
    assert tells("train.histograms", after_s=0.5)
    assert tells("train.histograms", after_s=sight.SELDOM_S - 0.6)
    assert not tells("train.histograms", after_s=0.2)
    assert tells("train.histograms", after_s=0.2)


def test_pictures_of_a_run_at_rest_and_of_its_past_are_made_in_sight_or_not(
    tells: Callable[..., bool],
) -> None:
    assert not tells("train.histograms")
    assert tells("train.histograms")
    assert not tells("train.histograms", run_state="paused")
    assert not tells("train.histograms", step=40)


@pytest.mark.slow
def test_a_refresh_sends_the_new_pictures_in_sight_and_no_other(runs_root: Path, tmp_path: Path) -> None:
    run = train_small(runs_root, "small")
    newest = RunReader(run).snapshot(RunReader(run).snapshot_steps()[-1])
    with StandIn(run), App(tmp_path / "app.log", {}) as app:
        control.send(run, "resume")
        until(lambda: RunReader(run).status()["state"] == "running", 10, "the stand-in does not run")
        with Tab(app.port, run="small") as tab:
            step = newest.step

            def sent(away: list[str]) -> set[str]:
                """The pictures of a new state that a refresh sends to a browser that says so."""
                nonlocal step
                step += 10
                Recorder(run).write_live(replace(newest, step=step))
                fragment = tab.fastest
                said = {tab.components["train.timeline"]: {"json_value": json.dumps({"away": away})}}
                tab.rerun(fragment, said)
                assert tab.errors == []
                headers = {name: unpack(tab.sent[f"train.{name}"])[0] for name in PICTURES}
                new = {name: header["of"]["step"] for name, header in headers.items() if "of" in header}
                assert {new[name] for name in new if name != "spectrum"} == {step}
                return set(new)

            seen = {"filters", "particles", "activity", "histograms"}  # and the spectrum every few seconds
            assert sent([]) >= seen
            below = ["activity", "spectrum", "histograms"]
            sent(below)  # once more, from now on seldom
            assert sent(below) == {"filters", "particles"}
            assert sent(["filters", "particles"]) >= {"activity", "histograms"}
            assert sent([]) >= seen
