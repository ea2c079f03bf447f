"""What this app changes in Streamlit's server, which has no settings for it; tests show that each still bears."""

import threading
from typing import Any

from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests, ScriptRequestType
from streamlit.runtime.state import SafeSessionState
from streamlit.watcher.polling_path_watcher import PollingPathWatcher


def watch_no_settings() -> None:
    """Ends the watch over three places for settings, which looks at each five times a second, whatever
    server.fileWatcherType says: 1 % of a core for as long as the server lives. Settings are read at its start.
    """
    PollingPathWatcher._schedule = lambda watcher: None  # type: ignore[assignment, method-assign]


def hear_every_press() -> None:
    """A press is heard to its end before a later question of its page ends the run that it began.

    Streamlit looks for a later question before it calls what a press calls, and at each thing that this shows or writes
    into the link. It finds one where a picture of the page says something in the same moment: the press was then lost,
    or half done. runner.fastReruns stays on: without it a question that comes while Back is answered undoes it.
    """
    hear, interrupt = (
        SafeSessionState.on_script_will_rerun,
        ScriptRunner._maybe_handle_execution_control_request,
    )
    hearing = threading.local()

    def hear_whole(state: SafeSessionState, *asked: Any, **how: Any) -> None:
        hearing.now = True
        try:
            hear(state, *asked, **how)
        finally:
            hearing.now = False

    def interrupt_later(runner: ScriptRunner) -> None:
        if not getattr(hearing, "now", False):  # Streamlit looks again as soon as all is heard
            interrupt(runner)

    SafeSessionState.on_script_will_rerun = hear_whole  # type: ignore[assignment, method-assign]
    ScriptRunner._maybe_handle_execution_control_request = interrupt_later  # type: ignore[assignment, method-assign]


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
