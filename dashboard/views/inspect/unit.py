"""The view of one hidden unit: its filter, the filter's history, and the images that switch the unit on."""

import numpy as np
import streamlit as st

from dashboard import data
from dashboard.components.messages import heard
from dashboard.figures.dissection import unit as figures
from dashboard.figures.numbers import significant
from dashboard.ui import link, run_choice
from dashboard.ui.about import about
from dashboard.ui.charts import chart, is_dark, table_button
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain
from dashboard.views.inspect import texts
from dashboard.views.inspect.opened import Opened, choose, metrics, mount_map, mount_mosaic, number_of
from dashboard.views.inspect.state import Inspect
from rbm_core import rbm_numpy
from rbm_core.runs import RunReader, Snapshot, SnapshotError

UNIT, SHELF, TIMELAPSE = "inspect.unit", "inspect.units", "inspect.history"
EXTREMES = 25
SHORT_SHELF = 256  # the tiles of at most this many units leave room in their column for the nearest ones


def show(opened: Opened) -> None:
    H = opened.snapshot.W.shape[1]
    norms = rbm_numpy.norms(opened.snapshot.W)
    unit = number_of("unit", H, lambda: int(np.argmax(norms)), "hidden units")
    head(opened, unit, norms)
    # The unit first, the shelf of all units beside it: in a narrow window the shelf comes last.
    beside, shelf = st.columns([7, 4], gap="large")
    with shelf:
        pick(opened, unit)
    with beside:
        history(opened, unit)
        about(f"unit {unit} and its training", **texts.UNIT_HISTORY)
        answers(opened, unit)
    with shelf if H <= SHORT_SHELF else beside:
        neighbours(opened, unit, norms)


def pick(opened: Opened, unit: int) -> None:
    """All hidden units, to pick one from."""
    sort = link.field("sort")
    blob = figures.unit_mosaic(opened.snapshot, opened.shape, sort if sort != "change" else "index", unit)

    def sorted_anew() -> None:
        asked = heard(SHELF, "sort")
        if asked in link.FILTER_ORDERS:
            link.remember("sort", asked)

    mount_mosaic(opened, "units", blob, "filters", "unit", on_sort_change=sorted_anew)
    about("the filters", **texts.FILTERS)


def head(opened: Opened, unit: int, norms: np.ndarray) -> None:
    """Which unit, how to get to another, and its numbers."""
    snapshot, H = opened.snapshot, len(norms)
    with st.container(horizontal=True, vertical_alignment="bottom", key="inspect.unit-head"):
        st.session_state[UNIT] = unit
        st.number_input(
            "Hidden unit",
            0,
            H - 1,
            key=UNIT,
            on_change=lambda: choose({"unit": int(st.session_state[UNIT])}),
            width=160,
            help=run_choice.said(
                f"It switches on when the picture fits its weights. Click a tile, or type 0 to {H - 1}."
            ),
        )
        rank = int((norms > norms[unit]).sum()) + 1
        bias, on = float(snapshot.hbias[unit]), 100 * snapshot.mean_hidden[unit]
        metrics(
            [
                ("Norm", significant(float(norms[unit])), f"‖Wⱼ‖: rank {rank} of {H} by strength."),
                (
                    "Bias",
                    significant(bias),
                    run_choice.said("cⱼ, the logit it starts from on a blank picture."),
                ),
                (
                    "On for",
                    f"{on:.1f} %",
                    run_choice.said(
                        "The share of images that switch it on: the mean of p(h=1|v) over the training images that "
                        "the run follows."
                    ),
                ),
            ]
        )
        if state_of(Inspect).settings.value("unit") == "strongest":
            st.caption(f"It has the strongest weights of all {H:,}. Click a tile to open another.")


def history(opened: Opened, unit: int) -> None:
    """The timelapse of the unit's filter, played in the browser; where it is left, the whole page follows."""
    at = opened.snapshot
    moments = [s for s in kept_moments(opened.reader) if s.step != at.step and s.W.shape == at.W.shape]
    moments = sorted([*moments, at], key=lambda s: s.step)

    def left_at() -> None:
        frame = heard(TIMELAPSE, "moment")
        if isinstance(frame, int) and frame < len(moments):
            newest = frame == len(moments) - 1
            link.remember("step", "live" if newest else moments[frame].step)

    place = next(i for i, s in enumerate(moments) if s.step == at.step)
    blob = figures.history(moments, opened.shape, unit, place)
    mount_map(opened, "history", blob, "pixel", on_moment_change=left_at)


def kept_moments(reader: RunReader) -> list[Snapshot]:
    """Every kept moment that can be read; a damaged one does not hide the others."""
    found = []
    for step in reader.snapshot_steps():
        try:
            found.append(data.snapshot(reader.name, step))
        except SnapshotError:
            continue
    return found


def answers(opened: Opened, unit: int) -> None:
    """How probable each class makes the unit, and the images that excite it most and least."""
    st.subheader(f"What unit {unit} answers to", anchor=False)
    pool = opened.pool
    if pool is None:
        st.info(
            "This machine has neither the run's data nor its probe images, so what the unit answers to is unknown."
        )
        return
    seen = opened.seen(pool.grey)
    logits = rbm_numpy.hidden_logits(opened.model, seen, np.array([unit]))[:, 0]
    U, told = opened.snapshot.label_W, ""
    if U is not None and pool.labels is not None:
        logits = logits + U[pool.labels, unit]
        told = ", each with its label's unit on"
    ordered = opened.model.penalty is not None
    p = (
        rbm_numpy.mean_hidden(opened.model, seen, np.array([unit]))[:, 0]
        if ordered
        else rbm_numpy.sigmoid(logits)
    )
    st.caption(run_choice.said(f"Among {plain(pool.source)}{texts.seen_as(opened.fields)}{told}."))
    chart(
        figures.activation_by_class(p, pool.labels, unit, is_dark()),
        f"unit-{unit}-by-class",
        f"Histograms of unit {unit}'s probability of being on, one for each class.",
        opened.file("unit", unit, "by-class"),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        about("these histograms", **texts.UNIT_BY_CLASS)
        labels = pool.labels if pool.labels is not None else np.full(len(p), -1)
        table_button(
            "Its answers",
            opened.file("unit", unit, "answers"),
            ("image", "class", "p(h=1|v)"),
            lambda: zip(range(len(p)), labels, p, strict=True),
        )
    most, least = figures.extremes(p, logits, min(EXTREMES, len(p) // 2 or 1))
    left, right = st.columns(2, gap="medium")
    for place, which, name in ((left, most, "most"), (right, least, "least")):
        with place:
            blob = figures.exciting(pool.grey, pool.labels, opened.shape, p, which, name == "most")
            mount_mosaic(opened, name, blob, f"unit-{unit}-{name}", "image")
            about(f"the {name} exciting", **texts.exciting(len(which), name == "most"))


def neighbours(opened: Opened, unit: int, norms: np.ndarray) -> None:
    """The units whose weights are most like this one's, and least."""
    snapshot = opened.snapshot
    blob, cosine = figures.neighbours(snapshot, opened.shape, unit)
    mount_mosaic(opened, "neighbours", blob, f"unit-{unit}-nearest", "unit")
    with st.container(horizontal=True, vertical_alignment="center"):
        about("the nearest units", **texts.UNIT_NEIGHBOURS)
        table_button(
            "All units",
            opened.file("unit", unit, "neighbours"),
            ("unit", "cosine", "norm", "bias", "mean_activation"),
            lambda: zip(range(len(norms)), cosine, norms, snapshot.hbias, snapshot.mean_hidden, strict=True),
        )
