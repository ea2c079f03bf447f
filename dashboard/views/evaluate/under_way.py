"""The evaluation under way: begun, watched, interrupted, gone on with."""

import time
from typing import Any

import streamlit as st

from dashboard.processes import evaluators
from dashboard.ui import link
from dashboard.ui.answers import Answer
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import duration, plain, sentence
from dashboard.views.evaluate import pictures, texts
from dashboard.views.evaluate.state import Evaluate, Question
from rbm_core.runs import RunError

REFRESH_S = 1.0
STARTS_WITHIN_S = 30.0
OURS = {
    "betas": "temperatures",
    "n_chains": "n_chains",
    "sweeps": "sweeps",
    "rounds": "rounds",
    "seed": "seed",
}
"""The settings of a record by their names as arguments of `evaluators.start`."""
# Pictures are drawn anew after each tenth of the work: a Plotly figure that changes is mounted afresh.
PARTS = 10


def begin(run: str, step: int, estimator: str, **settings: Any) -> None:
    """Starts the evaluation, and has the page show it when it is done, and not before."""
    state, since = state_of(Evaluate), time.time()
    try:
        evaluators.start(run, step, estimator, **settings)
    except RunError as error:
        state.complaint = Answer(sentence(error))
        return
    state.begun, state.again = (run, since), None


def ask(run: str, step: int, estimator: str, **settings: Any) -> None:
    """Starts the evaluation, unless the same question has an answer: the page then asks whether to measure again."""
    answers = [one for one in evaluators.of_run(run) if _answers(one, step, estimator, settings)]
    if not answers:
        begin(run, step, estimator, **settings)
        return
    seed = 1 + max(int(one.get("settings", {}).get("seed") or 0) for one in answers)
    state_of(Evaluate).again = Question(run, step, estimator, settings, answers[0]["id"], seed)


def offer_again(run: str) -> None:
    """Where the question just asked has an answer: the answer, and a button that measures again beside it."""
    state = state_of(Evaluate)
    asked = state.again
    if asked is None or asked.run != run:
        return

    def decide(again: bool) -> None:
        state.again = None
        if again:
            begin(run, asked.step, asked.estimator, seed=asked.seed, **asked.settings)
        else:
            link.remember("evaluation", asked.answered)

    with st.container(horizontal=True, vertical_alignment="center", key="evaluate.again"):
        st.markdown(
            ":material/history: This was measured before. Measuring again takes other random numbers; the answer that "
            "there is stays.",
            width="content",
        )
        st.button(
            "Measure again", key="evaluate.measure-again", type="primary", on_click=decide, args=(True,)
        )
        st.button("Show the answer", key="evaluate.show-answer", on_click=decide, args=(False,))


def _answers(one: dict[str, Any], step: int, estimator: str, settings: dict[str, Any]) -> bool:
    """Whether the evaluation is finished and had this question, whatever its seed."""
    had = one.get("settings") or {}
    given = {ours: str(had[theirs]) for theirs, ours in OURS.items() if theirs in had}
    return (
        one["state"] == "finished"
        and (one["step"], one["estimator"]) == (step, estimator)
        and all(given.get(name, str(value)) == str(value) for name, value in settings.items())
    )


def go_on(run: str, one: dict[str, Any]) -> None:
    """Asks an interrupted evaluation's own question again: it goes on from where it was."""
    settings = one.get("settings", {})
    given = {OURS[key]: value for key, value in settings.items() if key in OURS}
    begin(run, one["step"], one["estimator"], **given)


def busy(run: str) -> bool:
    """Whether an evaluation of the run is under way, or about to be."""
    state = state_of(Evaluate)
    if state.begun is None:
        state.begun = _begun_before(run)
    return evaluators.running(run) is not None or state.begun_on(run) is not None


def _begun_before(run: str) -> tuple[str, float] | None:
    """An evaluation that another view of this app has started and that shows no progress yet: a reload keeps it."""
    since = evaluators.started(run)
    if since is None or time.time() - since > STARTS_WITHIN_S:
        return None
    shows = any(float(one.get("updated", 0.0)) >= since for one in evaluators.of_run(run))
    return None if shows else (run, since)


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
        with st.container(border=True):
            st.markdown(f"**Under way: {plain(texts.question(running))}**")
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
        state.complaint = Answer(
            sentence(reason) if reason else "The evaluation did not start within half a minute."
        )
    state.begun = None
    if done := next((one["id"] for one in ended if one["state"] == "finished"), None):
        link.remember("evaluation", done)
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
        try:
            evaluators.interrupt(running)
        except RunError as error:
            state_of(Evaluate).complaint = Answer(sentence(error))
            st.rerun()  # the complaint stands where questions are asked, just above


def _latest_pictures(running: dict[str, Any]) -> None:
    state = state_of(Evaluate)
    part = (running["id"], int(PARTS * _share(running)))
    if state.drawn is None or state.drawn[0] != part:
        state.drawn = (part, running)
    pictures.draw(running["run"], {}, state.drawn[1], f"live-{running['id']}")
