"""The evaluation under way: begun, watched, interrupted, gone on with."""

import time
from typing import Any

import streamlit as st

from dashboard.processes import evaluators
from dashboard.ui import link
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import duration, plain, sentence
from dashboard.views.evaluate import pictures, texts
from dashboard.views.evaluate.state import Evaluate
from rbm_core.runs import RunError

REFRESH_S = 1.0
STARTS_WITHIN_S = 30.0
# Pictures are drawn anew after each tenth of the work: a Plotly figure that changes is mounted afresh.
PARTS = 10


def begin(run: str, step: int, estimator: str, **settings: Any) -> None:
    """Starts the evaluation, and has the page show it when it is done."""
    state, since = state_of(Evaluate), time.time()
    try:
        evaluators.start(run, step, estimator, **settings)
    except RunError as error:
        state.complaint = sentence(error)
        return
    state.begun = (run, since)
    link.remember("evaluation", "")


def go_on(run: str, one: dict[str, Any]) -> None:
    """Asks an interrupted evaluation's own question again: it goes on from where it was."""
    settings = one.get("settings", {})
    ours = {"betas": "temperatures", "n_chains": "n_chains", "sweeps": "sweeps", "seed": "seed"}
    given = {ours[key]: value for key, value in settings.items() if key in ours}
    begin(run, one["step"], one["estimator"], **given)


def busy(run: str) -> bool:
    """Whether an evaluation of the run is under way, or about to be."""
    return evaluators.running(run) is not None or state_of(Evaluate).begun_on(run) is not None


def watch(run: str) -> None:
    """Progress of the evaluation under way; when it ends the whole page is drawn with its result."""
    if busy(run):
        _progress(run)


@st.fragment(run_every=REFRESH_S)
def _progress(run: str) -> None:
    try:
        running = evaluators.running(run)
    except RunError as error:
        st.error(sentence(error))
        return
    if running is not None:
        _bar(running)
        _latest_pictures(running)
    elif _starting(run):
        st.progress(0.0, text="Starting: the engine and the data are being loaded.")
    else:
        st.rerun()


def _starting(run: str) -> bool:
    """Whether the process begun here has yet to show its first progress; what kept it from that is complained of."""
    state = state_of(Evaluate)
    since = state.begun_on(run)
    if since is None:
        return False
    ended = [one for one in evaluators.of_run(run) if float(one.get("updated", 0.0)) >= since]
    if not ended:
        reason = evaluators.last_log_line(run, since)
        if reason is None and time.time() - since < STARTS_WITHIN_S:
            return True
        state.complaint = sentence(reason) if reason else "The evaluation did not start within half a minute."
    state.begun = None
    return False


def _share(running: dict[str, Any]) -> float:
    done, total = float(running.get("done", 0)), float(running.get("total", 0))
    return min(done / total, 1.0) if total else 0.0


def _bar(running: dict[str, Any]) -> None:
    left = running.get("seconds_left")
    tail = f" About {duration(left)} left." if texts.is_number(left) and left > 1 else ""
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    stage = running.get("stage", "Starting.")
    bar.progress(_share(running), text=f"{plain(texts.title(running))}: {plain(stage)}{tail}")
    if stop.button(
        "Interrupt", icon=":material/pause:", help="Saves what is done; Evaluate goes on from there."
    ):
        evaluators.interrupt(running)


def _latest_pictures(running: dict[str, Any]) -> None:
    state = state_of(Evaluate)
    part = (running["id"], int(PARTS * _share(running)))
    if state.drawn is None or state.drawn[0] != part:
        state.drawn = (part, running)
    pictures.draw(running["run"], {}, state.drawn[1], f"live-{running['id']}")
