"""Train's time slider: every saved moment, the newest state, and the export of them all as an animation.

Its view in the browser moves at once and asks for the step wanted; each refresh says which question it answers.
"""

import time
from typing import Any

import streamlit as st

from dashboard.components import timeline
from dashboard.components.blob import pack
from dashboard.figures import curves as curve_rows
from dashboard.ui import link
from dashboard.ui.texts import unbroken_duration
from dashboard.views.train import commands, export, landing, moment, state
from dashboard.views.train.moment import Moment
from dashboard.views.train.recorded import Run
from rbm_core.runs.files import rounded

AT_REST_AFTER_S = 0.4


def draw(run: Run, steps: list[int], shown: Moment | None) -> None:
    watched = state.watched()
    header: dict[str, Any] = {
        "run": run.name,
        "steps": steps,
        "newest": max([run.status["step"], *steps[-1:], shown.step if shown else 0]),
        "n_steps": run.status["n_steps"],
        "steps_per_epoch": moment.steps_per_epoch(run, shown),
        "shown": shown.step if shown else None,
        "follows": watched.step == "live",
        "alive": run.alive,
        "moving": run.status["state"] == "running",
        "events": curve_rows.marks(run.events),
        "answers": watched.answers,
        "heard": state.page().presses,
        # Streamlit does not pass on a payload that equals the last one; the view takes silence for a busy app.
        "beat": time.monotonic(),
        "plays": landing.plays(run, steps),
    }
    about_export, arrays = export.payload()
    timeline.mount(
        key=state.TIMELINE,
        data=pack(header | about_export, arrays | landing.payload(run, steps, shown)),
        on_at_change=_moved,
        on_export_change=export.wished,
        on_frames_change=landing.wished,
        on_wake_change=lambda: None,  # the question itself makes a refresh
        on_away_change=lambda: None,  # as what comes into sight does; sight.py reads it
        on_press_change=commands.obey_named,
    )


def _moved() -> None:
    """The reader moved the slider, or the timelapse that plays did."""
    if at := state.said("at"):
        watched = state.watched()
        watched.step, watched.answers = at["step"], at["nonce"]
        watched.moved_at = time.monotonic()


def caption(shown: Moment | None) -> None:
    """Says which moment every picture below belongs to, and keeps it in the link once the slider rests."""
    if shown is None:
        return
    watched = state.watched()
    if time.monotonic() - watched.moved_at > AT_REST_AFTER_S:
        link.remember("step", watched.step)
    meta = shown.snapshot.meta
    words = [f"Shown below: step **{shown.step:,}**"]
    if isinstance(meta.get("epoch"), (int, float)):
        words.append(f"epoch {rounded(meta['epoch'])}")
    if isinstance(meta.get("seconds"), (int, float)):
        words.append(f"after {unbroken_duration(meta['seconds'])}")
    st.caption(" · ".join(words), width="content")
