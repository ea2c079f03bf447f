"""What is changed in Streamlit's server still bears: presses that a later question crosses, questions of a page that is
left, in Streamlit's own queue (what becomes of its runs is seen in the browser), and the watch over its settings.
"""

import re
import time
from pathlib import Path

import pytest
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests
from streamlit.watcher.polling_path_watcher import PollingPathWatcher

from dashboard import mends
from tests.live import App, until
from tests.tab import Tab

OLD, NEW = "old page", "new page"
PART = RerunData(page_script_hash=OLD, fragment_id="part", is_auto_rerun=True)
GOING = RerunData(page_script_hash=NEW)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> ScriptRequests:
    for kind, method in ((ScriptRunner, "_run_script"), (ScriptRequests, "_request_rerun_locked")):
        monkeypatch.setattr(kind, method, getattr(kind, method))  # put back after the test
    mends.drop_what_left_pages_ask()
    return ScriptRequests()


@pytest.mark.parametrize("asked", [[GOING, PART], [PART, GOING], [PART, GOING, PART, PART]])
def test_a_tab_on_its_way_goes_there(queue: ScriptRequests, asked: list[RerunData]) -> None:
    assert all(queue.request_rerun(one) for one in asked)
    given = queue.on_scriptrunner_ready().rerun_data
    assert given.page_script_hash == NEW
    assert not given.fragment_id_queue


@pytest.mark.parametrize("first", [PART, RerunData(page_script_hash=OLD)])
def test_a_part_of_the_page_that_stays_is_asked(queue: ScriptRequests, first: RerunData) -> None:
    assert queue.request_rerun(first)
    assert queue.request_rerun(PART)
    given = queue.on_scriptrunner_ready().rerun_data
    assert given.page_script_hash == OLD
    assert given.fragment_id_queue == (["part"] if first is PART else [])


@pytest.mark.slow
def test_a_press_is_heard_though_another_question_of_its_page_follows_at_once(
    runs_root: Path, tmp_path: Path
) -> None:
    with App(tmp_path / "app.log", {}) as app, Tab(app.port, "learn") as tab:

        def lesson() -> int:
            said = (re.match(r"\*\*(\d+) of ", text) for text in reversed(tab.texts))
            return next(int(found[1]) for found in said if found)

        def turned(before: int) -> bool:
            tab.next(0.2)
            return lesson() == before + 1

        for after_s in (0, 0.0005, 0.001, 0.002, 0.003) * 3:
            before = lesson()
            tab.ask(states={tab.buttons["Next step"]: {"trigger_value": True}})
            time.sleep(after_s)
            tab.ask()
            until(
                lambda before=before: turned(before), 30, f"pressed in lesson {before}, and nothing follows"
            )
            tab.rerun()
        assert tab.errors == []


def test_nothing_watches_over_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    looks: list[object] = []
    monkeypatch.setattr(PollingPathWatcher._executor, "submit", looks.append)
    monkeypatch.setattr(
        PollingPathWatcher, "_schedule", PollingPathWatcher._schedule
    )  # put back after the test
    for watched in (True, False):
        looks.clear()
        if not watched:
            mends.watch_no_settings()
        PollingPathWatcher(str(tmp_path / "config.toml"), looks.append, allow_nonexistent=True)
        assert bool(looks) is watched
