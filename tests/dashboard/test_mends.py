"""What is changed in Streamlit's server still bears: presses that a later question crosses, what a picture says in a
question that is joined with another, questions of a page that is left, in Streamlit's own queue (what becomes of its
runs is seen in the browser), and the watch over its settings.
"""

import asyncio
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils import script_requests
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SafeSessionState, SessionState
from streamlit.watcher.polling_path_watcher import PollingPathWatcher

from dashboard import mends
from tests.live import App, until
from tests.tab import Tab

OLD, NEW = "old page", "new page"
PART = RerunData(page_script_hash=OLD, fragment_id="part", is_auto_rerun=True)
GOING = RerunData(page_script_hash=NEW)


def put_back_after(patch: pytest.MonkeyPatch, *changed: tuple[object, str]) -> None:
    """What stands in these places now stands there again after the test."""
    for place, name in changed:
        patch.setattr(place, name, getattr(place, name))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> ScriptRequests:
    put_back_after(monkeypatch, (ScriptRunner, "_run_script"), (ScriptRequests, "_request_rerun_locked"))
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


def joining(patch: pytest.MonkeyPatch) -> ScriptRequests:
    put_back_after(
        patch, (script_requests, "_coalesce_widget_states"), (ScriptRequests, "_request_rerun_locked")
    )
    mends.join_whole()
    return ScriptRequests()


BACK = RerunData(page_script_hash=OLD, is_history_navigation=True)


@pytest.mark.parametrize(
    "asked",
    [
        [BACK, replace(PART, is_auto_rerun=False)],  # a picture says something right after it
        [BACK, PART, replace(PART, is_auto_rerun=False)],
        [replace(PART, is_auto_rerun=False), BACK],
        [BACK, RerunData(page_script_hash=OLD)],
    ],
)
def test_back_keeps_its_mark_whatever_it_is_joined_with(
    monkeypatch: pytest.MonkeyPatch, asked: list[RerunData]
) -> None:
    waiting = joining(monkeypatch)
    for one in asked:
        assert waiting.request_rerun(one)
    given = waiting.on_scriptrunner_ready().rerun_data
    assert given.is_history_navigation
    assert not given.fragment_id_queue
    assert waiting.request_rerun(PART)
    assert not waiting._rerun_data.is_history_navigation, "what is asked after it was taken is not Back"


FORK, FORK_AGAIN, MAP = (
    {"event": event, "value": value} for event, value in (("fork", 6), ("fork", 7), ("rest", "a"))
)


@pytest.mark.parametrize("part", [None, "part"])
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ([[FORK], [MAP]], [FORK, MAP]),
        ([[MAP], [FORK]], [MAP, FORK]),
        ([[FORK], None, [MAP], None], [FORK, MAP]),
        ([[FORK], [FORK_AGAIN]], [FORK, FORK_AGAIN]),  # the later is the one whose value stays
        ([[FORK], [MAP], [FORK_AGAIN, MAP]], [FORK, MAP, FORK_AGAIN, MAP]),
        ([FORK, MAP], [FORK, MAP]),
        ([None, [FORK]], [FORK]),
        ([[FORK], "{", [MAP]], [FORK, MAP]),  # a stranger said the second
        ([[FORK], "[" * 100_000], [FORK]),
        (["{", [MAP]], [MAP]),
    ],
)
def test_all_that_a_picture_said_is_heard_though_its_questions_are_joined(
    monkeypatch: pytest.MonkeyPatch, part: str | None, said: list[object], heard: list[object]
) -> None:
    waiting = joining(monkeypatch)
    for message in said:
        states = WidgetStates()
        states.widgets.add(id="a box", bool_value=True)
        if message is not None:
            text = message if isinstance(message, str) else json.dumps(message)
            states.widgets.add(id="the player", json_trigger_value=text)
        assert waiting.request_rerun(RerunData(widget_states=states, fragment_id=part))
    states = waiting.on_scriptrunner_ready().rerun_data.widget_states
    told = {state.id: state.json_trigger_value for state in states.widgets}
    assert told.keys() == {"a box", "the player"}
    assert json.loads(told["the player"]) == heard


class Runners:
    """Streamlit's own runners of one tab, whose script is no more than the hearing of what was asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        put_back_after(patch, *HEARING)
        self.heard: list[str] = []
        self.held: dict[str, threading.Event] = {}  # what the script waits for before it hears a press
        self.tab, self.loop = MemoryFragmentStorage(), asyncio.new_event_loop()
        self.all: list[ScriptRunner] = []
        patch.setattr(SafeSessionState, "on_script_will_rerun", lambda _, asked: self.heard.extend(asked))
        patch.setattr(ScriptRunner, "_run_script", lambda runner, asked: self.run(runner, asked))
        mends.hear_every_press()
        joining(patch)

    def run(self, runner: ScriptRunner, asked: RerunData) -> None:
        presses = [state.id for state in asked.widget_states.widgets]
        for press in presses:
            if press in self.held:
                assert self.held[press].wait(60)
        runner._session_state.on_script_will_rerun(presses)

    def ask(self, press: str, back: bool = False) -> ScriptRunner:
        """What Streamlit does with a question of the whole page."""
        if self.all:
            self.all[-1].request_stop()
        self.all.append(
            ScriptRunner(
                "tab",
                "app.py",
                SessionState(),
                uploaded_file_mgr=Mock(),
                script_cache=Mock(),
                initial_rerun_data=replace(pressed(press), is_history_navigation=back),
                user_info={},
                fragment_storage=self.tab,
                pages_manager=Mock(),
                event_loop=self.loop,
            )
        )
        self.all[-1].start()
        return self.all[-1]

    def end(self) -> list[str]:
        """Every press that was heard, in the order of hearing."""
        for gate in self.held.values():
            gate.set()
        for runner in self.all:
            thread = runner._script_thread
            assert thread is not None
            thread.join(60)
            assert not thread.is_alive()
        self.loop.close()
        return self.heard


HEARING = [
    *((ScriptRunner, name) for name in ("start", "request_stop", "_run_script_thread", "_run_script")),
    (ScriptRunner, "_maybe_handle_execution_control_request"),
    *((ScriptRequests, name) for name in ("__init__", "on_scriptrunner_ready", "on_scriptrunner_yield")),
    (SafeSessionState, "on_script_will_rerun"),
]


def pressed(name: str, part: str | None = None) -> RerunData:
    states = WidgetStates()
    states.widgets.add(id=name, trigger_value=True)
    return RerunData(widget_states=states, fragment_id=part)


def taken(runner: ScriptRunner) -> None:
    until(lambda: runner._requests._state is ScriptRequestType.CONTINUE, 30, "a question that is taken")


def test_what_is_asked_later_is_heard_later_though_its_runner_was_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runners = Runners(monkeypatch)
    runners.held["first"] = threading.Event()
    taken(runners.ask("first"))
    for press in ("second", "third"):
        thread = runners.ask(press)._script_thread
        assert thread is not None
        thread.join(0.2)  # so long it could be heard before the first
    assert runners.end() == ["first", "second", "third"]


def test_a_run_that_was_stopped_ends_before_the_next_begins_if_it_ends_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both would change what the tab remembers; one that shows nothing for long is not waited for."""
    monkeypatch.setattr(mends, "_ENDS_S", 30)
    runners, gate = Runners(monkeypatch), threading.Event()
    run = runners.run

    def run_on(runner: ScriptRunner, asked: RerunData) -> None:
        run(runner, asked)
        if runner is runners.all[0]:
            assert gate.wait(60)
            runners.heard.append("first ended")

    runners.run = run_on  # type: ignore[method-assign]
    runners.ask("first")
    until(lambda: runners.heard == ["first"], 30, "a press that is heard")
    thread = runners.ask("second")._script_thread
    assert thread is not None
    thread.join(0.2)  # so long it could run beside the first
    gate.set()
    assert runners.end() == ["first", "first ended", "second"]


def test_what_a_runner_did_not_come_to_is_asked_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    runners = Runners(monkeypatch)
    runners.held["first"] = threading.Event()
    first = runners.ask("first")
    taken(first)
    assert first.request_rerun(pressed("in a part", part="part"))
    runners.ask("second")
    heard = runners.end()
    assert heard[0] == "first"
    assert sorted(heard[1:]) == ["in a part", "second"]


def test_a_runner_that_is_stopped_before_it_began_leaves_its_press_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, ready = threading.Event(), ScriptRequests.on_scriptrunner_ready
    monkeypatch.setattr(
        ScriptRequests, "on_scriptrunner_ready", lambda requests: (gate.wait(60), ready(requests))[1]
    )
    runners = Runners(monkeypatch)
    for press in ("first", "second", "third"):
        runners.ask(press, back=press == "second")
    assert runners.all[-1]._requests._rerun_data.is_history_navigation
    gate.set()
    assert sorted(runners.end()) == ["first", "second", "third"]


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
