"""The runs' curves, laid over one another."""

import streamlit as st

from dashboard.figures.comparison import curves as figures
from dashboard.figures.comparison.metrics import AXES, METRICS
from dashboard.ui import link
from dashboard.ui.about import about
from dashboard.ui.charts import chart, choose_format, file_name, is_dark, table_button
from dashboard.ui.texts import sentence
from rbm_core.runs import RunError, RunReader

Run = tuple[str, figures.Columns, figures.Rows]


def draw(readers: dict[str, RunReader], at: int | None) -> None:
    """at: the step compared below, marked in the figure."""
    runs = read(readers)
    metrics = [key for key in METRICS if any(figures.has(columns, rows, key) for _, columns, rows in runs)]
    if not metrics:
        st.info("These runs have no curves yet.")
        return
    metric, axis, smoothing, log_x = choose(runs, metrics)
    choose_format()
    quantity = METRICS[metric]
    st.caption(quantity.tells)
    figure = figures.overlay(runs, metric, axis, smoothing, log_x, at, is_dark())
    file = file_name("compare", metric, "by", axis)
    chart(figure, f"compare-{metric}", f"{quantity.name} of {', '.join(name for name, _, _ in runs)}.", file)
    with st.container(horizontal=True, vertical_alignment="center"):
        about("this curve", quantity.tells, formula=quantity.formula, source=quantity.source)
        table_button(
            "These curves",
            file,
            ("run", axis, metric),
            lambda: (
                (trace.name, x, y)
                for trace in figure.data
                if trace.name  # a band has none
                for x, y in zip(trace.x, trace.y, strict=True)
            ),
        )


def read(readers: dict[str, RunReader]) -> list[Run]:
    """What the runs recorded; one that cannot be read costs a sentence."""
    runs: list[Run] = []
    for name, reader in readers.items():
        try:
            runs.append((name, reader.metrics(), reader.likelihood()))
        except RunError as error:
            st.warning(sentence(error))
    return runs


def choose(runs: list[Run], metrics: list[str]) -> tuple[str, str, float, bool]:
    """(metric, axis, smoothing, whether the axis is logarithmic), which the link holds."""
    first = figures.first_metric([(columns, rows) for _, columns, rows in runs]) or metrics[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox(
            "Curve",
            metrics,
            format_func=lambda key: METRICS[key].name,
            width=340,
            help="The quantity laid over one another, one line a run.",
            **link.bound("compare", "metric", link.among("metric", metrics, first)),
        )
        axis = st.segmented_control(
            "Against",
            list(AXES),
            required=True,
            help="Steps compare updates, epochs compare data seen, time compares what a machine costs you.",
            **link.bound("compare", "axis"),
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.98,
            step=0.02,
            width=120,
            help="An exponential moving average: the share of the past that each point keeps.",
            **link.bound("compare", "smooth"),
        )
        log_x = st.toggle(
            "Log axis",
            help="Spreads out the beginning, where most happens.",
            **link.bound("compare", "log"),
        )
    return metric, str(axis), smoothing, log_x
