"""The watch speed: how many updates a second the trainer makes while someone watches, chosen while it trains."""

import time

import streamlit as st

from dashboard.views.train import commands, state
from dashboard.views.train.recorded import Run

KEY = "train.do_speed"
ASKED_FOR_S = 20.0  # a choice is shown so long before the trainer's own word counts again


def choose(run: Run) -> None:
    """The speeds, with the one that the trainer keeps to marked."""
    asked, limit = state.watched().speed, run.status.get("updates_per_second")
    if asked is not None and (asked.limit == limit or time.monotonic() - asked.since > ASKED_FOR_S):
        asked = state.watched().speed = None
    shown = limit if asked is None else asked.limit
    word = next((word for word, speed in state.SPEEDS.items() if speed == shown), None)
    # Written only where it is another: the browser takes a value written here for its own and sends it back, and one
    # that crossed a click would be heard as a second choice, and the click's as a third.
    if KEY not in st.session_state or st.session_state[KEY] != word:
        st.session_state[KEY] = word
    st.segmented_control(
        "Updates a second",
        list(state.SPEEDS),
        key=KEY,
        label_visibility="collapsed",
        on_change=_chosen,
        args=(run.name,),
        help="Updates a second: slow enough to watch, or as fast as this machine can. The run's numbers stay the same.",
    )


def _chosen(name: str) -> None:
    """The control has another value: a press, or what the page wrote into it and the browser gives back.

    Only the browser can tell the two apart. In a tab where it names presses, nothing else is a choice.
    """
    word = st.session_state[KEY]
    if any(state.page().presses) and not state.said("press"):
        return
    if word is not None:  # else the chosen speed was pressed again
        commands.pressed(name, "speed", {"updates_per_second": state.SPEEDS[word]})
