"""Train's chart of the recorded metrics, which grows by the rows that the browser does not have yet."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from dashboard.components import curves
from dashboard.components.blob import pack
from dashboard.components.messages import heard
from dashboard.figures import cases
from dashboard.figures import curves as curve_rows
from dashboard.ui import link
from dashboard.ui.texts import sentence
from dashboard.views.train import health, moment, state
from dashboard.views.train.moment import Moment
from dashboard.views.train.recorded import Run
from rbm_core.runs import RunError

KEY = "train.curves"
T = TypeVar("T")


def draw(run: Run, shown: Moment | None) -> None:
    """Sends the rows that this tab has not had yet; the chart keeps the others, its zoom and its legend."""
    metrics: dict[str, Any] = _read(run.reader.metrics, {})
    events: list[dict[str, Any]] = _read(run.reader.events, [])
    estimates = curve_rows.estimates(_read(run.reader.likelihood, []))
    steps: Any = metrics.get("step", ())
    # A run begun anew under its old name starts at another step, and a long record is thinned now and then: the chart
    # drops the rows it has.
    version = f"{run.name} {int(steps[0]) if len(steps) else ''} {run.reader.metrics_thinned()}"
    start = _rows_sent(version, len(steps))
    header = {
        "version": version,
        "from": start,
        "columns": curve_rows.COLUMNS,
        "cursor": shown.step if shown else None,
        "events": curve_rows.marks(events),
        "steps_per_epoch": moment.steps_per_epoch(run, shown),
        "view": {"group": link.field("curves"), "axis": link.field("axis")},
        "of": moment.source(run, shown),
        "alive": run.alive,
        "fantasies": health.caption(run),
    }
    arrays = {"rows": curve_rows.rows_of(metrics, start), "estimates": estimates}
    curves.mount(
        key=KEY,
        data=pack(cases.dressed(header, run.config), arrays),
        on_view_change=_chosen,
        on_need_change=_needed,
    )


def _read(read: Callable[[], T], otherwise: T) -> T:
    """What this reads; in place of what cannot be read a sentence, and this."""
    try:
        return read()
    except RunError as error:
        st.warning(sentence(error))
        return otherwise


def _rows_sent(version: str, n: int) -> int:
    """How many of the n rows the tab has; after this refresh it has them all."""
    watched = state.watched()
    sent, watched.curves_sent = watched.curves_sent, (version, n)
    return sent[1] if sent is not None and sent[0] == version and sent[1] <= n else 0


def _needed() -> None:
    """The chart missed a message: the next refresh sends every row."""
    state.watched().curves_sent = None


def _chosen() -> None:
    """The reader chose a group of curves or an axis: the link keeps it."""
    view = heard(KEY, "view") or {}
    wished = {"curves": (view.get("group"), link.CURVE_GROUPS), "axis": (view.get("axis"), link.CURVE_AXES)}
    link.remember_all({field: value for field, (value, options) in wished.items() if value in options})
