"""The question: what to measure, of which snapshot, how carefully, and the button that starts it."""

from typing import Any

import numpy as np
import streamlit as st

from dashboard.ui import answers, link, run_choice
from dashboard.ui.page_state import state_of
from dashboard.views.evaluate import texts, under_way
from dashboard.views.evaluate.state import Evaluate
from rbm_core.runs import RunReader
from rbm_core.runs.evaluation_record import ESTIMATORS
from rbm_core.visible import units_of

STEP = "evaluate.step"
CARE, SWEEPS, ROUNDS = "evaluate.care", "evaluate.sweeps", "evaluate.rounds"
EXACT_UNITS = 28  # of the smaller layer, at most: its states are counted one by one
CHAINS = 100


def ask(reader: RunReader, steps: list[int]) -> None:
    answers.show(state_of(Evaluate).complaint)
    row = st.container(key="evaluate.question")
    what, when, how, button = row.columns([3.4, 1.8, 2.7, 1.4], vertical_alignment="bottom")
    estimators = offered(reader)
    estimator = what.selectbox(
        "What to measure",
        estimators,
        format_func=lambda e: ESTIMATORS[e].title,
        **link.bound("evaluate", "estimator", link.among("estimator", estimators, estimators[0])),
        help=run_choice.said(
            "\n\n".join(f"**{ESTIMATORS[e].title}** — {ESTIMATORS[e].says}" for e in estimators)
        ),
    )
    step = choose_step(when, reader, steps)
    with how:
        settings = choose_settings(estimator)
    button.button(
        "Evaluate",
        type="primary",
        icon=":material/straighten:",
        disabled=under_way.busy(reader.name),
        width="stretch",
        help="Runs in a process of its own; you may close this page. Asked again, an interrupted one goes on.",
        on_click=under_way.ask,
        args=(reader.name, step, estimator),
        kwargs=settings,
    )
    under_way.offer_again(reader.name)
    way = texts.WAYS.get(estimator)
    st.caption(texts.HOW_AIS_WORKS + way if way else ESTIMATORS[estimator].says)


def offered(reader: RunReader) -> list[str]:
    """The estimators that suit the run: counting needs a small layer of binary units."""
    config = reader.config()["config"]
    smaller = config["n_hidden"]
    if not units_of(config).real:
        shape = (reader.config().get("data") or {}).get("image_shape") or [smaller]
        smaller = min(smaller, int(np.prod(shape)))
    return [e for e in ESTIMATORS if e != "exact" or smaller <= EXACT_UNITS]


def choose_step(place: Any, reader: RunReader, steps: list[int]) -> int:
    asked = link.field("step")
    nearest = steps[-1] if asked == "live" else reader.nearest_step(asked)
    if asked not in ("live", nearest):
        st.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        link.remember("step", nearest)
    st.session_state[STEP] = nearest

    def moved() -> None:
        chosen = st.session_state[STEP]
        link.remember("step", "live" if chosen == steps[-1] else chosen)

    return place.selectbox(
        "At step",
        steps,
        format_func=lambda s: f"{s:,}" + " (newest)" * (s == steps[-1]),
        key=STEP,
        on_change=moved,
        help="Which snapshot of the run: the last one is the finished model.",
    )


def choose_settings(estimator: str) -> dict[str, Any]:
    """What else the estimator wants to know, as arguments of `begin`."""
    settings: dict[str, Any] = {"n_chains": CHAINS}
    state = state_of(Evaluate)
    if estimator in texts.WAYS:
        if "care" in link.query() or link.gone_back():
            state.care = link.field("care")
        st.session_state[CARE] = state.care

        def chosen() -> None:
            state.care = st.session_state[CARE]
            link.remember("care", state.care)

        settings["temperatures"] = st.selectbox(
            "How carefully",
            list(texts.CARE),
            format_func=lambda t: texts.CARE[t],
            key=CARE,
            on_change=chosen,
            help=texts.CARE_HELP,
        )
    elif estimator == "mixing":
        settings["sweeps"] = st.select_slider(
            "Longest sampling time, sweeps",
            [1_000, 10_000, 100_000],
            value=10_000,
            format_func=lambda n: f"{n:,}",
            key=SWEEPS,
            help=texts.SWEEPS_HELP,
        )
    elif estimator in texts.TEMPERED:
        settings["rounds"] = st.selectbox(
            "How long",
            list(texts.ROUNDS),
            format_func=lambda n: texts.ROUNDS[n],
            key=ROUNDS,
            help=texts.ROUNDS_HELP,
        )
    return settings
