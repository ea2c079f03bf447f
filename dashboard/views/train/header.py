"""Train's first line: the run's state, the buttons that command it, and how far it is."""

from typing import Any

import streamlit as st

from dashboard.ui import answers, new_run, pages
from dashboard.ui.texts import plain, sentence, unbroken_duration
from dashboard.views.train import commands, settings, speed, state
from dashboard.views.train.moment import Moment
from dashboard.views.train.recorded import Run
from rbm_core.runs.files import rounded

STATE_COLOURS = {
    "starting": "orange",
    "running": "green",
    "paused": "orange",
    "finished": "blue",
    "stopped": "grey",
    "interrupted": "red",
    "diverged": "red",
    "failed": "red",
}
STATES_WITH_NEWS = ("running", "paused", "stopped", "finished", "diverged", "failed", "interrupted")


def draw(run: Run) -> None:
    run_state, underway = run.status["state"], commands.underway(run.status["state"])
    at_rest = "imported" if run_state == "stopped" and run.only_imported else plain(run_state)
    badge = f":{STATE_COLOURS.get(run_state, 'grey')}-badge[● {underway or at_rest}]"
    with st.container(horizontal=True, vertical_alignment="center", key="train.top"):
        st.markdown(f"**{plain(run.name)}** &nbsp; {badge}", width="content")
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content", key="train.controls"
        ):
            controls(run, disabled=underway is not None)
    answers.show(state.watched().complaint)  # below the buttons, which it must not move
    if run.status["message"] and run_state in STATES_WITH_NEWS:
        show = st.info if run_state in ("finished", "stopped") else st.warning
        show(sentence(run.status["message"]))


def controls(run: Run, disabled: bool) -> None:
    """The buttons that the state allows. Those that come and go stand last: nothing moves away under the pointer."""

    def button(
        label: str,
        command: str,
        value: Any = None,
        *,
        icon: str | None = None,
        help: str,
        primary: bool = False,
    ) -> None:
        st.button(
            label,
            key=commands.key_of(command, value),
            icon=icon and f":material/{icon}:",
            help=help,
            type="primary" if primary else "secondary",
            disabled=disabled,
            on_click=commands.pressed,
            args=(run.name, command, value),
        )

    run_state = run.status["state"]
    if run_state in ("running", "paused"):
        with st.container(
            width="content", key="train.turn"
        ):  # both stand in one place, also while they change
            if run_state == "running":
                button("Pause", "pause", icon="pause", help="Hold after the current update; nothing is lost.")
            else:
                button("Resume", "resume", icon="play_arrow", help="Go on training.", primary=True)
    elif run_state in ("stopped", "interrupted"):
        resumed = "Start a trainer that goes on from the last saved state."
        button("Resume", "restart", icon="play_arrow", help=resumed)
    if run_state in ("running", "paused"):
        button(
            "Stop", "stop", icon="stop", help="End the run here and save its state; it can be resumed later."
        )
        settings.change(run)
    if run_state in ("running", "paused"):  # a trainer that starts has not said yet to which speed it keeps
        speed.choose(run)
    if run_state == "paused":
        epoch = max(1, int(run.status["steps_per_epoch"] or 1))
        button("1 step", "step", {"n": 1}, help="Make one parameter update, then hold again.")
        button("10 steps", "step", {"n": 10}, help="Make ten updates, then hold again.")
        button("1 epoch", "step", {"n": epoch}, help="Train one pass over the data, then hold again.")
    if run_state in ("finished", "stopped"):
        what_next(run.name)


def what_next(name: str) -> None:
    """What one does with a model that has learned."""
    where = {"run": name}
    st.page_link(pages.script("gibbs"), label="Play its chain", icon=":material/casino:", query_params=where)
    st.page_link(
        pages.script("evaluate"), label="Evaluate it", icon=":material/straighten:", query_params=where
    )
    if st.button(
        "Train longer",
        key="train.longer",
        icon=":material/fork_right:",
        help="A new run that starts from this one's weights, with its settings to change first.",
        on_click=new_run.offer_to_go_on,
    ):
        st.rerun()  # the form is not part of what refreshes


def progress_words(run: Run, shown: Moment | None) -> str:
    """`step 4,210 of 22,000 · epoch 7.2 of 40 · 312 steps/s · 1 min 20 s left`; the last where it is known.

    A trainer writes its status once a second and its pictures twice, so the step shown may be the newer of the two.
    """
    status = run.status
    if status["state"] == "stopped" and run.only_imported:
        return f"not trained here; Resume would make {status['n_steps']:,} updates"
    if not status["n_steps"]:
        if status["state"] != "starting":
            return "no update yet"
        return sentence(status["message"] or "The trainer is waking up")
    step, epoch = int(status["step"]), status["epoch"]
    if shown is not None and shown.step > step:
        step, epoch = shown.step, shown.snapshot.meta.get("epoch", epoch)
    if status["state"] == "starting" and not step:
        return sentence(status["message"] or "The trainer is waking up")
    words = [
        f"step **{step:,}** of {status['n_steps']:,}",
        f"epoch **{rounded(epoch)}** of {rounded(status['n_epochs'])}",
    ]
    pace = status["steps_per_s"] if status["state"] == "running" else 0.0
    if pace >= 0.5:
        words.append(f"{pace:,.0f} steps/s")
        # Below a quarter of the run's mean pace the processor is busy with something else for an unknown time.
        held = status.get("updates_per_second") is not None
        if status.get("steady", True) and (held or pace * status["seconds"] >= step / 4):
            words.append(f"{unbroken_duration((status['n_steps'] - step) / pace)} left")
    elif step:
        words.append(f"trained {unbroken_duration(status['seconds'])}")
    return " · ".join(words)
