"""The table of all runs, searched, sorted and ticked."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.figures import plotly_look
from dashboard.figures.comparison import look, records
from dashboard.figures.comparison.records import Record
from dashboard.ui import link, run_choice, tables
from dashboard.ui.charts import is_dark, plain_number
from dashboard.ui.new_run import label
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import duration, plain, unformatted
from dashboard.views.compare import care
from dashboard.views.compare.state import Compare
from rbm_core.config import RunConfig

PROPOSED = 3  # runs ticked when the page is opened without a link
TRUST = {True: "yes", False: "no", None: "one side"}
DIGITS = {"Log-likelihood": 2, "Pseudo-likelihood": 1, "Gap": 2, "Steps": 0}  # after the point


def choose_runs(every: list[Record]) -> list[str]:
    """The table of runs; returns the names ticked in it, which the link holds."""
    shown = found(every)
    readable = {one.name for one in every if one.error is None}
    ticked = ticked_names(readable, records.comparable(every, run_choice.chosen(), PROPOSED))
    if not shown:
        st.info("No run contains all these words.")
        return ticked
    apart, shared = records.differing(shown)
    draw(shown, apart, ticked, readable)
    if len(shown) > 1:
        same = ", ".join(
            f"{label(name)} {tables.words(value)}" for name, value in shared.items() if name != "seed"
        )
        words_apart = ", ".join(map(label, apart)) if apart else "none"
        st.caption(
            "Settings in which these runs differ have a column each. Coloured: what departs from most runs, or every "
            "value where none is the most frequent.",
            help=f"They differ in: {plain(words_apart)}. The same in all of them: {plain(same)}.",
        )
    return ticked


def found(every: list[Record]) -> list[Record]:
    """The runs that contain the words typed, in the order chosen."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    words = left.text_input(
        "Find runs",
        max_chars=200,
        placeholder="name, state, tag, n_hidden=500",
        help="Shows only the runs that contain every word you type, in name, state, preset, tags, note "
        "or settings.",
        **link.bound("compare", "find"),
    )
    orders = [*records.ORDERS, *records.differing(every)[0]]
    order = right.selectbox(
        "Sort by",
        orders,
        format_func=lambda by: records.ORDERS.get(by, label(by)),
        help="The order of the rows, which the link keeps. A click on a column's head sorts for the moment.",
        **link.bound("compare", "order", link.among("order", orders, "newest")),
    )
    shown = records.ordered([one for one in every if records.matches(one, words)], order)
    st.caption(
        f"{len(shown)} of {len(every)} runs. Tick rows to compare them; click into one for its tags, note and name."
    )
    return shown


def ticked_names(readable: set[str], proposed: list[str]) -> list[str]:
    """The runs in the link, else those ticked last, else what the page proposes; as many as have a colour."""
    state = state_of(Compare)
    if link.gone_back():
        state.ticked = None
    if "runs" in link.query():
        asked = [name for name in link.field("runs").split(",") if name]
        state.ticked = [name for name in asked if name in readable]
        missing = [name for name in asked if name not in readable]
        if missing:
            st.warning(
                f"The link names runs that are not there or cannot be read: {plain(', '.join(missing))}."
            )
            link.remember("runs", ",".join(state.ticked))
    if state.ticked is None:
        state.ticked = proposed
    kept = [name for name in state.ticked if name in readable]
    if len(kept) > look.MOST_RUNS:
        st.warning(
            f"{len(kept)} runs are ticked; the first {look.MOST_RUNS} are compared, as many as have a colour of "
            "their own."
        )
    return kept[: look.MOST_RUNS]


def draw(shown: list[Record], apart: list[str], ticked: list[str], readable: set[str]) -> None:
    order = [one.name for one in shown]
    key = f"compare.table-{hash(tuple(order))}"  # Other rows have other ticks, so they are another table.

    def changed() -> None:
        rows, cells = (st.session_state[key]["selection"][kind] for kind in ("rows", "cells"))
        for row, _ in cells:  # a click into a row, beside its tick
            if isinstance(row, int) and 0 <= row < len(order):
                care.open_for(order[row])
        told = [row for row in rows if isinstance(row, int) and 0 <= row < len(order)]
        here = [order[row] for row in told if order[row] in readable]
        if set(here) != {name for name in ticked if name in order}:
            tick([*(name for name in ticked if name not in order), *here])

    positions = [place for place, name in enumerate(order) if name in ticked]
    st.dataframe(
        styled(shown, apart),
        key=key,
        hide_index=True,
        on_select=changed,
        selection_mode=["multi-row", "single-cell"],
        selection_default={"selection": {"rows": positions, "columns": [], "cells": []}},
        column_config=heads(apart),
        height=min(38 + 35 * len(shown) + 3, 390),
        placeholder="–",
        alt="All runs with their results and the settings in which they differ.",
    )


def tick(names: list[str]) -> None:
    """From now on these runs are compared."""
    state_of(Compare).ticked = names
    link.remember("runs", ",".join(names))


def styled(shown: list[Record], apart: list[str]) -> Any:
    """The rows as a styled data frame, without the columns in which no run has anything to say."""
    rows = [cells(one, apart) for one in shown]
    silent = [
        name for name in ("Tags", "Log-likelihood", "Trust it?", "Note") if not any(row[name] for row in rows)
    ]
    frame = tables.frame(rows).drop(columns=silent)
    numbers = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name])]
    written: dict[str, Any] = {name: plain_number(n) for name, n in DIGITS.items() if name in numbers}
    style = frame.style.format(written | {name: words_for(name) for name in apart if name in numbers})
    if not apart:
        return style
    usual = {name: records.usual(shown, name) for name in apart}
    tint = plotly_look.soft(plotly_look.lines(is_dark())["orange"], 0.3)

    def paint(column: Any) -> list[str]:
        name = column.name
        unusual = [one.error is None and repr(one.fields.get(name)) != usual[name] for one in shown]
        return [f"background-color: {tint}" if one else "" for one in unusual]

    return style.apply(paint, subset=list(apart))


def cells(one: Record, apart: list[str]) -> dict[str, Any]:
    sound = one.error is None
    return {
        "Run": one.name,
        "State": one.state if sound else "unreadable",
        "Log-likelihood": None if one.likelihood is None else one.likelihood[0],
        "Trust it?": "" if one.likelihood is None else TRUST.get(one.trusted, TRUST[None]),
        **{name: one.fields.get(name) for name in apart},
        "Gap": one.last.get("free_energy_gap"),
        "Pseudo-likelihood": one.last.get("pseudo_likelihood_valid"),
        "Epochs": one.epoch if sound else None,
        "Steps": one.step if sound else None,
        "Time": duration(one.seconds) if sound else "",
        "Tags": list(one.tags),
        "Note": one.note if sound else unformatted(one.error),
    }


def words_for(setting: str) -> Callable[[Any], str]:
    """How a cell writes the setting: a seed is a name, which nobody types with commas."""

    def words(value: Any) -> str:
        if tables.missing(value):
            return "–"
        return str(int(value)) if setting == "seed" else tables.words(value)

    return words


def heads(apart: list[str]) -> dict[str, Any]:
    number, fields = st.column_config.NumberColumn, RunConfig.model_fields
    heads: dict[str, Any] = {
        "Run": st.column_config.TextColumn(pinned=True),
        "Tags": st.column_config.ListColumn(help="Words you gave a run; click into its row to change them."),
        "Log-likelihood": number(
            help="Newest estimate in nats, on data held out where there is one. One that is not to be trusted "
            "stands here only where there is no other.",
        ),
        "Trust it?": st.column_config.TextColumn(
            help="*yes*: exact, or forward and reverse AIS agree. *one side*: AIS alone, which tends to flatter. "
            "*no*: the Evaluate page says why."
        ),
        "Pseudo-likelihood": number(help="Of validation images, nats, summed over the pixels."),
        "Gap": number(help="Free energy of validation minus training images, nats: overfitting."),
        "Epochs": number("Epochs done", format="%.3g", help="Passes over the training data so far."),
        "Steps": number("Steps done", help="Parameter updates so far."),
        "Time": st.column_config.TextColumn(help="Training time, pauses excluded."),
        "Note": st.column_config.TextColumn(
            width="medium", help="What you wrote about a run; click into its row to change it."
        ),
    }
    for name in apart:
        told = fields[name].description if name in fields else ""
        heads[name] = st.column_config.Column(
            "Sweeps, k"
            if name == "k"
            else label(name),  # This column has the widest head and the shortest numbers.
            help=f"{told} An arrow: it was changed while the run trained. To find runs by it, type {plain(name)}=….",
        )
    return heads
