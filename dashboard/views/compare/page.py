"""Compare: all runs in a table, and some of them side by side at equal step."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import components, data
from dashboard.components import mosaic
from dashboard.components.blob import pack
from dashboard.figures import comparison, moment, plotly_look
from dashboard.figures.comparison import Record
from dashboard.ui import link, run_choice
from dashboard.ui.about import GUIDE, about
from dashboard.ui.charts import chart, choose_format, file_name, is_dark, plain_number, table_button
from dashboard.ui.new_run import label
from dashboard.ui.texts import duration, plain, sentence
from rbm_core.config import RunConfig
from rbm_core.runs import RunError, RunReader, Snapshot, SnapshotError

MOST_BESIDE = 4
CHAINS_SHOWN = 36
TRUST = {True: "yes", False: "no", None: "one side"}


def main() -> None:
    components.feed_afresh()
    records = [record(info) for info in data.runs()]
    if not records:
        st.info("There is no run to compare yet. Start one on the Train page.")
        return
    st.caption(
        "Which settings make a better machine? Tick runs to lay their curves and pictures side by side."
    )
    names = choose_runs(records)
    try:
        compare(names)
    except RunError as error:  # a run can go away under the page
        st.error(sentence(plain(str(error))))
    look_after(records, names)


def compare(names: list[str]) -> None:
    """The runs' curves over one another, and their pictures side by side."""
    if names:
        readers, steps = open_runs(names)
        common = comparison.common_steps([kept for kept in steps.values() if kept])
        at = step_compared(common) if common else None
        draw_curves(readers, at)
        if at is not None:
            draw_likelihoods(readers, at)
            side_by_side(readers, steps, common, at)
    else:
        st.info("Tick the runs to compare in the table above.")


def step_compared(common: list[int]) -> int:
    """The step in the link if these runs can be shown at it, else the nearest, and says so."""
    asked = link.field("step")
    if asked == "live":
        return common[-1]
    nearest = min(common, key=lambda step: abs(step - asked))
    if nearest != asked:
        st.warning(f"These runs have no common step {asked:,}; showing the nearest, step {nearest:,}.")
        link.remember("step", nearest)
    return nearest


# --- the table ---


def record(info: Any) -> Record:
    """One run as the table shows it. What cannot be read says so in its row, and hides no other run."""
    if info.error:
        return Record(info.name, error=info.error)
    try:
        reader = data.reader(info.name)
        config, status, metrics = reader.config(), reader.status(), reader.metrics()
        fields = comparison.as_trained(config["config"], reader.events())
        last = {key: latest(values) for key, values in metrics.items()}
        row = comparison.best_likelihood(reader.likelihood())
    except RunError as error:
        return Record(info.name, error=str(error))
    try:
        written = data.notes(info.name)
        tags, note = written.tags, written.note
    except RunError as error:
        tags, note = (), sentence(error)
    value = None if row is None else comparison.nats_of(row)
    return Record(
        name=info.name,
        state=status["state"],
        preset=config.get("preset"),
        created=str(config.get("created", "")),
        step=int(status["step"]),
        epoch=float(status["epoch"]),
        seconds=float(status["seconds"]),
        fields=fields,
        last=last,
        likelihood=None if row is None or value is None else (value, float(row.get("stderr") or 0.0)),
        trusted=None if row is None else row.get("trusted"),
        tags=tags,
        note=note,
    )


def open_runs(names: list[str]) -> tuple[dict[str, RunReader], dict[str, list[int]]]:
    """(reader, kept steps) of each run by its name; one that went away meanwhile costs a sentence."""
    readers, steps = {}, {}
    for name in names:
        try:
            reader = data.reader(name)
            steps[name] = reader.snapshot_steps()
            readers[name] = reader
        except RunError as error:
            st.warning(sentence(error))
    return readers, steps


def latest(values: np.ndarray) -> float:
    """The last value that is a number."""
    known = np.flatnonzero(np.isfinite(values))
    return float(values[known[-1]]) if len(known) else float("nan")


def choose_runs(records: list[Record]) -> list[str]:
    """The table of runs; returns the names ticked in it, which the link holds."""
    left, middle, right = st.columns([4, 3, 3], vertical_alignment="bottom")
    st.session_state["compare-words"] = link.field("find")
    words = left.text_input(
        "Find runs",
        key="compare-words",
        max_chars=200,
        on_change=lambda: link.remember("find", st.session_state["compare-words"]),
        placeholder="a name, a state, a tag, or n_hidden=500",
        help="Shows only the runs that contain every word you type, in name, state, preset, tags, note "
        "or settings.",
    )
    shown = [one for one in records if comparison.matches(one, words)]
    settings = comparison.differing(records)[0]
    st.session_state["compare-order"] = link.among("order", [*comparison.ORDERS, *settings], "newest")
    order_by = middle.selectbox(
        "Sort by",
        [*comparison.ORDERS, *settings],
        key="compare-order",
        format_func=lambda by: comparison.ORDERS.get(by, label(by)),
        on_change=lambda: link.remember("order", st.session_state["compare-order"]),
        help="The order of the rows, which the link keeps. A click on a column's head sorts for the moment.",
    )
    shown = comparison.ordered(shown, order_by)
    right.caption(f"{len(shown)} of {len(records)} runs. Tick rows to compare them.")
    readable = {one.name for one in records if one.error is None}
    chosen = chosen_names(readable, comparison.comparable(records, run_choice.chosen(), 3))
    if not shown:
        st.info("No run contains all these words.")
        return chosen
    apart, shared = comparison.differing(shown)
    positions = [place for place, one in enumerate(shown) if one.name in chosen]
    order = [one.name for one in shown]
    key = f"compare-table-{hash(tuple(order))}"

    def ticked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        here = [order[row] for row in rows if row < len(order) and order[row] in readable]
        elsewhere = [name for name in chosen if name not in order]
        names = [*elsewhere, *here]
        st.session_state["compare-chosen"] = names
        link.remember("runs", ",".join(names))

    st.dataframe(
        table(shown, apart),
        key=key,
        hide_index=True,
        on_select=ticked,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": positions, "columns": [], "cells": []}},
        column_config=columns(apart),
        height=min(38 + 35 * len(shown) + 3, 390),
        placeholder="–",
        alt="All runs with their results and the settings in which they differ.",
    )
    if len(shown) > 1:
        same = ", ".join(f"{label(name)} {value}" for name, value in shared.items() if name not in ("seed",))
        words_apart = ", ".join(map(label, apart)) if apart else "none"
        st.caption(
            f"Settings in which these runs differ (**{plain(words_apart)}**) have a column each. Coloured: what "
            "departs from the value most runs have, or every value where none is the most frequent.",
            help=f"The same in all of them: {plain(same)}.",
        )
    return chosen


def chosen_names(readable: set[str], otherwise: list[str]) -> list[str]:
    """The runs in the link, else those last ticked, else what the page proposes."""
    if "runs" in st.query_params:
        asked = [name for name in link.field("runs").split(",") if name]
        missing = [name for name in asked if name not in readable]
        if missing:
            st.warning(
                f"The link names runs that are not there or cannot be read: {plain(', '.join(missing))}."
            )
            link.remember("runs", ",".join(name for name in asked if name in readable))
        st.session_state["compare-chosen"] = [name for name in asked if name in readable]
    kept = [name for name in st.session_state.setdefault("compare-chosen", otherwise) if name in readable]
    if len(kept) > comparison.MOST_RUNS:
        st.warning(
            f"{len(kept)} runs are ticked; the first {comparison.MOST_RUNS} are compared, as many as have a colour of "
            "their own."
        )
    return kept[: comparison.MOST_RUNS]


def table(shown: list[Record], apart: list[str]) -> Any:
    rows = []
    for one in shown:
        value = one.likelihood
        rows.append(
            {
                "Run": one.name,
                "State": "unreadable" if one.error else one.state,
                "Log-likelihood": None if value is None else value[0],
                "Trust it?": "" if value is None else TRUST.get(one.trusted, TRUST[None]),
                **{name: setting(one.fields.get(name)) for name in apart},
                "Gap": one.last.get("free_energy_gap"),
                "Pseudo-likelihood": one.last.get("pseudo_likelihood_valid"),
                "Epochs": one.epoch if not one.error else None,
                "Steps": one.step if not one.error else None,
                "Time": duration(one.seconds) if not one.error else "",
                "Tags": list(one.tags),
                "Note": sentence(one.error) if one.error else one.note,
            }
        )
    frame = pd.DataFrame(rows)
    # A column in which no run has anything to say only takes room.
    silent = [
        name for name in ("Tags", "Log-likelihood", "Trust it?", "Note") if not any(row[name] for row in rows)
    ]
    frame = frame.drop(columns=silent)
    usual = {name: comparison.usual(shown, name) for name in apart}
    tint = plotly_look.soft(plotly_look.lines(is_dark())["orange"], 0.3)

    def paint(column: Any) -> list[str]:
        return [
            f"background-color: {tint}"
            if one.error is None and repr(one.fields.get(column.name)) != usual[column.name]
            else ""
            for one in shown
        ]

    digits = {"Log-likelihood": 2, "Pseudo-likelihood": 1, "Gap": 2, "Steps": 0}
    written: dict[str, Any] = {name: plain_number(n) for name, n in digits.items() if name in frame}
    styled = frame.style.format(written | dict.fromkeys(apart, setting_words))
    return styled.apply(paint, subset=list(apart)) if apart else styled


def setting(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def setting_words(value: Any) -> str:
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def columns(apart: list[str]) -> dict[str, Any]:
    number, fields = st.column_config.NumberColumn, RunConfig.model_fields
    heads: dict[str, Any] = {
        "Run": st.column_config.TextColumn(pinned=True),
        "Tags": st.column_config.ListColumn(help="Words you gave a run, below the pictures."),
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
            width="medium", help="What you wrote about a run, below the pictures."
        ),
    }
    for name in apart:
        told = fields[name].description if name in fields else ""
        heads[name] = st.column_config.Column(
            "Sweeps, k" if name == "k" else label(name),  # the widest head, and the shortest numbers
            help=f"{told} An arrow: it was changed while the run trained. To find runs by it, type `{name}=…`.",
        )
    return heads


# --- curves ---


def draw_curves(readers: dict[str, RunReader], at: int | None) -> None:
    runs = []
    for name, reader in readers.items():
        try:
            runs.append((name, reader.metrics(), reader.likelihood()))
        except RunError as error:
            st.warning(sentence(error))
    metrics = [key for key in comparison.METRICS if any(comparison.has(m, rows, key) for _, m, rows in runs)]
    if not metrics:
        st.info("These runs have no curves yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = comparison.first_metric([(m, rows) for _, m, rows in runs]) or metrics[0]
        st.session_state["compare-metric"] = link.among("metric", metrics, first)
        metric = st.selectbox(
            "Curve",
            metrics,
            key="compare-metric",
            format_func=lambda key: comparison.METRICS[key].name,
            on_change=lambda: link.remember("metric", st.session_state["compare-metric"]),
            width=340,
            help="The quantity laid over one another, one line a run.",
        )
        st.session_state["compare-axis"] = link.field("axis")
        axis = st.segmented_control(
            "Against",
            list(comparison.AXES),
            key="compare-axis",
            required=True,
            on_change=lambda: link.remember("axis", st.session_state["compare-axis"]),
            help="Steps compare updates, epochs compare data seen, time compares what a machine costs you.",
        )
        st.session_state["compare-smooth"] = link.field("smooth")
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.98,
            step=0.02,
            key="compare-smooth",
            on_change=lambda: link.remember("smooth", st.session_state["compare-smooth"]),
            width=120,
            help="An exponential moving average: the share of the past that each point keeps.",
        )
        st.session_state["compare-log"] = link.field("log")
        log_x = st.toggle(
            "Log axis",
            key="compare-log",
            on_change=lambda: link.remember("log", st.session_state["compare-log"]),
            help="Spreads out the beginning, where most happens.",
        )
    choose_format()
    told = comparison.METRICS[metric]
    st.caption(told.tells)
    figure = comparison.overlay(runs, metric, str(axis), smoothing, log_x, at, is_dark())
    file = file_name("compare", metric, "by", axis)
    chart(figure, f"compare-{metric}", f"{told.name} of {', '.join(name for name, _, _ in runs)}.", file)
    with st.container(horizontal=True, vertical_alignment="center"):
        about("this curve", told.tells, formula=told.formula, source=told.source)
        table_button(
            "These curves",
            file,
            ("run", str(axis), metric),
            lambda: (
                (trace.name, x, y)
                for trace in figure.data
                if trace.name  # a band has none
                for x, y in zip(trace.x, trace.y, strict=True)
            ),
        )


# --- likelihoods ---


def draw_likelihoods(readers: dict[str, RunReader], at: int) -> None:
    """The newest estimate of each run up to the step compared. One made later is only named: it would be unfair."""
    estimates, later = [], []
    for name, reader in readers.items():
        try:
            rows = reader.likelihood()
            row = comparison.best_likelihood(rows, at)
            estimates.append((name, row))
            if row is None and (made := comparison.best_likelihood(rows)) is not None:
                later.append(f"{name} (at step {made['step']:,})")
        except RunError as error:
            st.warning(sentence(error))
    if any(row is not None for _, row in estimates):
        figure = comparison.likelihood_figure(estimates, at, is_dark())
        chart(figure, "compare-likelihoods", "Log-likelihood of each run, with its standard error.")
        about(
            "the log-likelihoods",
            "Bars are one standard error of the estimate of $\\log Z$. Compare only runs on the same data with the "
            "same binarisation: another set of pixels is another question.",
            formula=r"\log p(v) = -F(v) - \log Z",
            source=comparison.METRICS["log_likelihood"].source,
        )
        words = "No estimate up to here"
        none = [name for name, row in estimates if row is None]
    else:
        words, none = f"No log-likelihood has been estimated up to step {at:,}", list(readers)
    if none:
        words += f": {plain(', '.join(none))}."
        if later:
            words += f" Made later, so not fair to lay beside the others: {plain(', '.join(later))}."
        st.caption(f"{words} The Evaluate page makes one at any saved step.")


# --- side by side ---


def side_by_side(
    readers: dict[str, RunReader], steps: dict[str, list[int]], common: list[int], at: int
) -> None:
    beside = list(readers)[:MOST_BESIDE]
    st.subheader("Side by side at equal step", anchor=False)
    if len(common) > 1:
        st.session_state["compare-step"] = at

        def moved() -> None:
            link.remember("step", st.session_state["compare-step"])

        st.select_slider(
            "Step",
            common,
            key="compare-step",
            format_func=lambda step: f"step {step:,}",
            on_change=moved,
            help="Each run is shown as it was after so many parameter updates: its newest snapshot up to "
            "there. The slider ends where the shortest run does.",
        )
    if len(readers) > len(beside):
        st.caption(f"The first {len(beside)} of the {len(readers)} runs ticked.")
    taken: dict[str, Snapshot] = {}
    for name in beside:
        step = comparison.snapshot_up_to(steps[name], at)
        try:
            if step is not None:
                taken[name] = data.snapshot(name, step)
        except SnapshotError as error:
            st.warning(sentence(error))
    if any(one.step < at for one in taken.values()):
        st.caption(f"Each run stands at its last snapshot up to step {at:,}.")
    scale = max((moment.common_scale(one.W) for one in taken.values()), default=1.0)
    places = st.columns(len(beside), gap="medium")
    colours = plotly_look.lines(is_dark())
    for number, (place, name) in enumerate(zip(places, beside, strict=True)):
        with place:
            colour = colours[comparison.COLOURS[list(readers).index(name)]]
            st.html(f'<div style="border-top: 4px solid {colour}; margin-bottom: -0.4rem"></div>')
            if name not in taken:
                st.markdown(f"**{plain(name)}**")
                st.caption(f"No snapshot up to step {at:,}.")
                continue
            snapshot = taken[name]
            epoch = snapshot.meta.get("epoch")
            st.markdown(f"**{plain(name)}**")
            st.caption(f"step {snapshot.step:,}" + (f" · epoch {epoch:.3g}" if epoch is not None else ""))
            config = readers[name].config()
            shape = moment.image_shape(len(snapshot.vbias), (config.get("data") or {}).get("image_shape"))
            source = {"of": {"run": name, "step": snapshot.step, "seed": config["config"].get("seed")}}
            header, arrays = comparison.strongest_filters(snapshot, shape, scale)
            header |= {"name": "strongest-filters", **source}
            draw_mosaic(f"filters-{number}", f"{name} {snapshot.step} {scale}", header, arrays)
            try:
                probe = readers[name].probe()
            except RunError:
                probe = None
            header, arrays = moment.particles(snapshot, shape, CHAINS_SHOWN, probe)
            header |= {"name": "fantasies", **source}
            draw_mosaic(f"samples-{number}", f"{name} {snapshot.step}", header, arrays)
    with st.container(horizontal=True):
        about(
            "the filters side by side",
            "Each run's units with the largest weights, all on one scale, so that a run whose weights are small looks "
            "pale. Units of different runs do not correspond: each run numbers them as it likes.",
            formula=r"\lVert W_j \rVert = \Bigl(\sum_i W_{ij}^2\Bigr)^{1/2}",
            source=f"{GUIDE}, §15.",
        )
        about(
            "the fantasies side by side",
            "What each run's own chains had reached at that moment: what the next half step would draw, or, for runs "
            "with Gaussian pixels, its mean.",
            formula=r"p(v_i = 1 \mid h) = \sigma\Bigl(b_i + \sum_j W_{ij} h_j\Bigr)",
            source=f"{GUIDE}, §15.",
        )


def draw_mosaic(key: str, version: str, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    components.feed(mosaic.mount, key, version, lambda: pack({**header, "version": version}, arrays))


# --- look after a run ---


def look_after(records: list[Record], names: list[str]) -> None:
    """Tags and a note, another name, and deletion, which wants a second word."""
    panel = st.expander(
        "Look after a run: tags, note, rename, delete",
        icon=":material/edit_note:",
        key="compare-care",
        on_change="rerun",
    )
    with panel:
        # A place that is always there: a message that came and went would fold the panel away.
        notices, said = st.container(), st.session_state.pop("compare-said", None)
        if said:
            (notices.error if said[0] == "error" else notices.success)(said[1])
        every = [one.name for one in records]
        by_name = {one.name: one for one in records}
        if st.session_state.get("compare-cared") not in every:
            st.session_state["compare-cared"] = names[0] if names else every[0]
        name = st.selectbox(
            "Run to look after", every, key="compare-cared", help="What you change below is this run's."
        )
        one = by_name[name]
        left, middle, right = st.columns(3, gap="large")
        with left, st.form(f"notes-{name}", border=False):
            tags = st.text_input(
                "Tags", ", ".join(one.tags), placeholder="baseline, good mixing",
                help="Words to find the run by, with commas between them.",
            )  # fmt: skip
            note = st.text_area(
                "Note", one.note, help="Anything worth remembering; kept in the run's folder."
            )
            if st.form_submit_button("Save tags and note", icon=":material/save:"):
                act(
                    lambda: data.write_notes(name, tags.split(","), note),
                    f"Tags and note of {name} are saved.",
                )
        with middle, st.form(f"rename-{name}", border=False):
            new = st.text_input(
                "New name", name, help="Letters, digits, '.', '_' and '-'. The record stays as it is."
            )
            if st.form_submit_button("Rename", icon=":material/drive_file_rename_outline:"):
                rename(name, new.strip())
        with right, st.form(f"delete-{name}", border=False):
            typed = st.text_input(
                "Delete for good: type the run's name", placeholder=name,
                help="Everything recorded in the run goes: curves, snapshots, saved state. There is no "
                "way back.",
            )  # fmt: skip
            if st.form_submit_button("Delete this run", icon=":material/delete:"):
                delete(name, typed.strip())


def act(change: Any, done: str) -> None:
    """Makes the change and says so above the forms; what cannot be done is said there in one sentence."""
    try:
        change()
        st.session_state["compare-said"] = ("done", done)
    except RunError as error:
        st.session_state["compare-said"] = ("error", sentence(error))
    st.rerun()


def rename(name: str, new: str) -> None:
    def change() -> None:
        if new == name:
            raise RunError(f"run {name!r} already has that name; type another one")
        data.rename(name, new)
        names = [new if one == name else one for one in st.session_state.get("compare-chosen", [])]
        st.session_state["compare-chosen"] = names
        if "runs" in st.query_params:
            link.remember("runs", ",".join(names))
        if run_choice.chosen() == name:
            run_choice.choose(new)
            link.remember("run", new)

    act(change, f"{name} is now called {new}.")


def delete(name: str, typed: str) -> None:
    def change() -> None:
        if typed != name:
            raise RunError(
                f"nothing was deleted: to delete run {name!r}, type exactly its name, got {typed!r}"
            )
        data.delete(name)
        names = [one for one in st.session_state.get("compare-chosen", []) if one != name]
        st.session_state["compare-chosen"] = names
        if "runs" in st.query_params:
            link.remember("runs", ",".join(names))
        if run_choice.chosen() == name:
            run_choice.choose(None)
            link.remember("run", "")

    act(change, f"{name} is deleted.")


main()
