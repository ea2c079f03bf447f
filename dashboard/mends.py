"""What this app changes in Streamlit's server, which has no settings for it; tests show that each still bears."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils import script_requests
from streamlit.runtime.scriptrunner_utils.script_requests import (
    RerunData,
    ScriptRequest,
    ScriptRequests,
    ScriptRequestType,
)
from streamlit.runtime.state import SafeSessionState
from streamlit.watcher.polling_path_watcher import PollingPathWatcher

_ENDS_S = 0.25  # how long a run is waited for that was stopped: it ends at the next thing that it shows


@dataclass
class _Turns:
    """The runners of a tab that are at work, in their order, and what the last one that was stopped did not come to."""

    at_work: list[ScriptRunner] = field(default_factory=list)
    unheard: RerunData | None = None


def watch_no_settings() -> None:
    """Ends the watch over three places for settings, which looks at each five times a second, whatever
    server.fileWatcherType says: 1 % of a core for as long as the server lives. Settings are read at its start.
    """
    PollingPathWatcher._schedule = lambda watcher: None  # type: ignore[assignment, method-assign]


def hear_every_press() -> None:
    """What a tab asks is heard whole, in the order in which it was asked, and though it asks more in the same moment.

    A later question of the whole page stops the runner of the one before and begins with another, in a thread of its
    own. Streamlit stops the first before it has called what a press calls, or in the midst of it, or before it has
    looked at the question at all: then the press was lost. It finds such a question where a picture of the page says
    something in the same moment. So a runner that hears a question hears it to its end, the next one waits for that,
    or what the first one heard late would put the controls back; and what it did not come to is asked by the next.
    runner.fastReruns stays on: without it a question that comes while Back is answered undoes it.
    """
    hear, interrupt = (
        SafeSessionState.on_script_will_rerun,
        ScriptRunner._maybe_handle_execution_control_request,
    )
    prepare, start, work = ScriptRequests.__init__, ScriptRunner.start, ScriptRunner._run_script_thread
    tabs: WeakKeyDictionary[Any, _Turns] = (
        WeakKeyDictionary()
    )  # by the tab's store of fragments: each has its own
    changing, own = threading.Lock(), threading.local()

    def with_mark(requests: Any) -> None:
        prepare(requests)
        requests.heard = threading.Event()  # cleared while a question is taken that was not heard to its end

    def start_in_turn(runner: Any) -> None:
        with changing:
            turns = tabs.setdefault(runner._fragment_storage, _Turns())
            runner.earlier = list(turns.at_work)
            turns.at_work.append(runner)
            unheard, turns.unheard = turns.unheard, None
        if unheard is not None:
            asked, runner._requests = runner._requests._rerun_data, ScriptRequests()
            runner._requests.request_rerun(unheard)
            runner._requests.request_rerun(asked)
        start(runner)

    def stop_and_leave(runner: Any) -> None:
        requests = runner._requests
        with requests._lock:
            unheard = requests._rerun_data if requests._state is ScriptRequestType.RERUN else None
            requests._state = ScriptRequestType.STOP
        with changing:
            tabs.setdefault(runner._fragment_storage, _Turns()).unheard = unheard
        runner._wake_parallel_join_barrier_if_waiting()

    def work_in_turn(runner: Any) -> None:
        own.runner, own.hearing = runner, False
        try:
            work(runner)
        finally:
            runner._requests.heard.set()
            with changing:
                tabs[runner._fragment_storage].at_work.remove(runner)

    def hear_whole(state: SafeSessionState, *asked: Any, **how: Any) -> None:
        earlier, own.runner.earlier = own.runner.earlier, []
        for one in earlier:
            one._requests.heard.wait()
            one._script_thread.join(_ENDS_S)  # until then both change what the tab remembers
        own.hearing = True
        try:
            hear(state, *asked, **how)
        finally:
            own.hearing = False
            own.runner._requests.heard.set()

    def interrupt_later(runner: ScriptRunner) -> None:
        if not getattr(own, "hearing", False):  # Streamlit looks again as soon as all is heard
            interrupt(runner)

    def to_be_heard(take: Callable[[ScriptRequests], ScriptRequest | None]) -> Any:
        def taken(requests: Any) -> ScriptRequest | None:
            requests.heard.clear()
            request = take(requests)
            if request is None or request.type is not ScriptRequestType.RERUN:
                requests.heard.set()
            return request

        return taken

    changed: tuple[tuple[type, str, Any], ...] = (
        (ScriptRequests, "__init__", with_mark),
        (ScriptRequests, "on_scriptrunner_ready", to_be_heard(ScriptRequests.on_scriptrunner_ready)),
        (ScriptRequests, "on_scriptrunner_yield", to_be_heard(ScriptRequests.on_scriptrunner_yield)),
        (ScriptRunner, "start", start_in_turn),
        (ScriptRunner, "request_stop", stop_and_leave),
        (ScriptRunner, "_run_script_thread", work_in_turn),
        (ScriptRunner, "_maybe_handle_execution_control_request", interrupt_later),
        (SafeSessionState, "on_script_will_rerun", hear_whole),
    )
    for kind, method, new in changed:
        setattr(kind, method, new)


def join_whole() -> None:
    """Of questions that wait, and that Streamlit makes one of, nothing is lost.

    It keeps a button's press that the later question does not tell of. But all that a picture of the page says once is
    one value there, and the later took the place of the earlier: the player's fork was lost where it asked for its map
    in the same moment. And Back lost its mark where a picture said something right after it, which then undid it: what
    the browser still said of the settings was taken for newer than the link.
    """
    join, put = script_requests._coalesce_widget_states, ScriptRequests._request_rerun_locked

    def join_all(earlier: WidgetStates | None, later: WidgetStates | None) -> WidgetStates | None:
        joined = join(earlier, later)
        before, after = _said_once(earlier), _said_once(later)
        for state in joined.widgets if joined else ():
            if state.id in before:
                state.json_trigger_value = json.dumps(before[state.id] + after.get(state.id, []))
        return joined

    def put_with_mark(queue: ScriptRequests, asked: RerunData) -> bool:
        back = queue._state is ScriptRequestType.RERUN and queue._rerun_data.is_history_navigation
        is_put = put(queue, asked)
        if back and is_put:
            queue._rerun_data = replace(queue._rerun_data, is_history_navigation=True)
        return is_put

    script_requests._coalesce_widget_states = join_all  # type: ignore[assignment]
    ScriptRequests._request_rerun_locked = put_with_mark  # type: ignore[assignment, method-assign]


def _said_once(states: WidgetStates | None) -> dict[str, list[Any]]:
    """What each picture says once, in its order; what cannot be read was said by no picture of this app."""
    said = {}
    for state in states.widgets if states else ():
        if state.json_trigger_value:
            try:
                message = json.loads(state.json_trigger_value)
            except (ValueError, RecursionError):
                continue
            said[state.id] = message if isinstance(message, list) else [message]
    return said


def drop_what_left_pages_ask() -> None:
    """A tab that goes to another page stays there, whatever the page that is left still asks for.

    Until the browser hears of the new page it refreshes parts of the old one. Streamlit answers such a question after
    the new page's run, as one of the old page: the browser clears all it shows, and what the new page writes next finds
    no place. Or it folds the question into the way to the new page, which is then not gone.
    """
    run, put = ScriptRunner._run_script, ScriptRequests._request_rerun_locked

    def run_of_this_page(runner: ScriptRunner, asked: RerunData) -> None:
        if not _is_of_a_part_elsewhere(asked, runner._get_script_run_ctx().page_script_hash):
            run(runner, asked)

    def put_of_this_page(queue: ScriptRequests, asked: RerunData) -> bool:
        waiting = queue._rerun_data
        going = queue._state is ScriptRequestType.RERUN and not waiting.fragment_id_queue
        return (going and _is_of_a_part_elsewhere(asked, waiting.page_script_hash)) or put(queue, asked)

    ScriptRunner._run_script = run_of_this_page  # type: ignore[assignment, method-assign]
    ScriptRequests._request_rerun_locked = put_of_this_page  # type: ignore[assignment, method-assign]


def _is_of_a_part_elsewhere(asked: RerunData, page: str) -> bool:
    part = asked.fragment_id or asked.fragment_id_queue
    return bool(part and page and asked.page_script_hash and asked.page_script_hash != page)
