"""Train: start a run, watch it learn, and scrub through what it has learned."""

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import components
from dashboard.figures import curves as curve_rows
from dashboard.figures import moment as pictures
from dashboard.figures import spectrum as spectrum_figure
from dashboard.ui import fantasy, files, link, new_run, pages, run_choice, styles
from dashboard.ui.about import about
from dashboard.ui.texts import sentence
from dashboard.views.train import (
    audience,
    curves,
    figures,
    header,
    health,
    moment,
    recorded,
    slider,
    spectrum,
    state,
)
from dashboard.views.train.state import Order
from rbm_core.runs import RunError

PURPOSE = (
    "A restricted Boltzmann machine (RBM) learns strokes, its **filters**, until what it makes of them, its "
    "**fantasies**, looks like the data. Watch both take shape."
)
REST_PERIOD_S = 2.0


@dataclass(frozen=True)
class Places:
    """Where the pictures below the first screen stand, between the words about them.

    They are laid out when the page is run as a whole, and a refresh fills them: sixteen elements that never change
    were a tenth of what it cost.
    """

    curves: DeltaGenerator
    activity: DeltaGenerator
    spectrum: DeltaGenerator
    histograms: DeltaGenerator

    def leave_out(self, *, curves: bool = False) -> None:
        """No picture for now. Streamlit lets a refresh write only where the page, run as a whole, has written."""
        for place in (*([self.curves] if curves else []), self.activity, self.spectrum, self.histograms):
            place.empty()


def main() -> None:
    styles.use("train")
    components.feed_afresh()
    name = run_choice.chosen()
    asked = new_run.is_open()
    if asked:  # the reader is at its fields, which are to answer first
        sidebar()
    if name is None:
        first_visit()
    else:
        show(name)
    if not asked:  # what a page is opened for goes out before its closed forms
        sidebar()


def sidebar() -> None:
    new_run.sidebar(lambda: state.watched().step)
    files.sidebar()


def show(name: str) -> None:
    if state.watched().run != name or link.gone_back():
        state.page().watched = state.Watched(name, step=link.field("step"), sort=link.field("sort"))
    with st.container(horizontal=True, vertical_alignment="center", key="train.purpose"):
        st.caption(run_choice.said(PURPOSE))
        newcomers()
    watched = state.watched()
    watched.curves_sent = None  # the chart is mounted anew and has no rows yet
    watched.alive = recorded.alive(name)
    watched.period = audience.period() if watched.alive else REST_PERIOD_S
    first_screen, examined, places = st.container(), st.container(), below(name)
    with first_screen:
        st.fragment(run_every=watched.period)(watch)(name, places)
    with examined:
        health.watch(name)


def first_visit() -> None:
    st.title("RBM Observatory")
    st.markdown(
        "There is no run to show yet. **Start one in the sidebar**: the *quick* preset is "
        "the first to show recognisable digits."
    )
    newcomers()


def newcomers() -> None:
    st.page_link(pages.script("learn"), label="New to this? Start with Learn", icon=":material/school:")


def below(name: str) -> Places:
    """Lays out what stands under the first screen, with the words about each picture; see Places."""
    watched = state.watched()
    watched.told = link.field("curves")
    left, right = st.container(key="stack-about").columns(2, gap="medium")
    with left:
        about("the filters", **pictures.ABOUT["filters"])
    with right:
        about("the fantasies", **pictures.ABOUT["particles"])
    left, right = st.container(key="stack-now").columns([5, 3], gap="medium")
    with left:
        curves = st.container()
        told = curve_rows.ABOUT | (curve_rows.ABOUT_ORDERED if recorded.ordered(name) else {})
        about("these curves", **told[watched.told])
    with right:
        activity = st.container()
        about("the hidden units", **pictures.ABOUT["activity"])
    spectrum = st.container()
    about("the spectrum", **spectrum_figure.ABOUT)
    histograms = st.container()
    about("the histograms", **pictures.ABOUT["histograms"])
    return Places(curves, activity, spectrum, histograms)


def watch(name: str, places: Places) -> None:
    """One refresh of everything that follows the run. A file that cannot be read costs a sentence; the rest stays."""
    fantasy.follow()
    watched = state.watched()
    if watched.unit_to_inspect is not None:
        inspect(name)
    watched.away = state.said("away") or []
    try:
        run = recorded.read(name)
    except RunError as error:
        st.error(f"{sentence(error)} Choose another run in the sidebar.")
        places.leave_out(curves=True)
        return
    if run.alive != watched.alive or (run.alive and audience.period() != watched.period):
        st.rerun()  # The period of the refresh changes only when the whole page is run.
    if link.field("curves") != watched.told:
        st.rerun()  # as do the words about the curves
    header.draw(run)
    try:
        steps = run.reader.snapshot_steps()
        shown = moment.current(run, steps)
    except RunError as error:
        steps, shown = [], None
        st.warning(sentence(error))
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="train.head"
    ):
        st.markdown(header.progress_words(run, shown), width="content")
        slider.caption(shown)
    if shown is not None and shown.note:
        st.warning(shown.note)
    order = None if shown is None else figures.kept_order(run, steps, shown)
    draw_first_screen(run, steps, shown, order)
    slider.draw(run, steps, shown)
    draw_below(run, steps, shown, order, places)


def draw_first_screen(
    run: recorded.Run, steps: list[int], shown: moment.Moment | None, order: Order | None
) -> None:
    """What one comes for, side by side: the filters, and what the model makes of them."""
    left, right = st.columns(2, gap="medium")
    if shown is None or order is None:
        with left:
            st.caption("The first pictures appear as soon as the trainer has written its first state.")
        return
    with left:
        figures.filters(run, steps, shown, order)
    with right:
        figures.particles(run, shown)


def draw_below(
    run: recorded.Run, steps: list[int], shown: moment.Moment | None, order: Order | None, places: Places
) -> None:
    with places.curves:
        curves.draw(run, shown)
    if shown is None or order is None:
        places.leave_out()
        return
    with places.activity:
        figures.activity(run, shown, order)
    with places.spectrum:
        spectrum.draw(run, steps, shown)
    with places.histograms:
        figures.histograms(run, shown)


def inspect(name: str) -> None:
    """Opens the filter that was clicked in Inspect, at the moment shown here."""
    watched = state.watched()
    unit, watched.unit_to_inspect = watched.unit_to_inspect, None
    where: dict[str, Any] = {"run": name, "look": "unit", "unit": str(unit)}
    if watched.step != "live":
        where["step"] = str(watched.step)
    st.switch_page(pages.script("inspect"), query_params=where)


main()
