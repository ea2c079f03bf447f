"""Train's pictures of one moment: fantasies, filters, hidden units, histograms; each sent once a moment and tab."""

import re
from functools import partial

import streamlit as st

from dashboard import components, data
from dashboard.components import activity as activity_component
from dashboard.components import histograms as histograms_component
from dashboard.components import mosaic
from dashboard.components.blob import pack
from dashboard.components.messages import heard
from dashboard.figures import moment as pictures
from dashboard.figures.cases import dressed
from dashboard.ui import fantasy, link
from dashboard.ui.texts import sentence
from dashboard.views.train import audience, sight, state
from dashboard.views.train.moment import Moment, source
from dashboard.views.train.recorded import Run
from rbm_core.runs import SnapshotError

FILTERS, PARTICLES = "train.filters", "train.particles"
ACTIVITY, HISTOGRAMS = "train.activity", "train.histograms"
# CSS pixels that the tiles leave below them, for their notes and the time slider: all of it is in sight unscrolled.
LEAVES = 130
MOST_BASES = 12  # the most moments offered for comparison, so that the list stays short


def kept_order(run: Run, steps: list[int], shown: Moment) -> state.Order:
    """The units' order, made once for a choice and then kept: each unit stays in its place as training goes on."""
    watched, n_hidden = state.watched(), shown.snapshot.W.shape[1]
    kept = watched.order
    if kept is None or kept.sort != watched.sort or kept.n_hidden != n_hidden:
        earlier = None
        before = [step for step in steps if step < shown.step]
        if watched.sort == "change" and before:
            try:
                earlier = data.snapshot(run.name, before[-1])
            except SnapshotError:
                earlier = None
        units = pictures.order_of_units(watched.sort, shown.snapshot, earlier)
        made = "" if watched.sort == "index" else shown.key  # this order is the same at every moment
        kept = watched.order = state.Order(watched.sort, n_hidden, units, made)
    return kept


def filters(run: Run, steps: list[int], shown: Moment, order: state.Order) -> None:
    base, chosen = None, state.watched().base
    if chosen != "0":
        try:
            base = data.snapshot(run.name, int(chosen.removeprefix("since ")))
        except SnapshotError as error:
            st.warning(sentence(error))
    shape = run.image_shape(shown.snapshot.W.shape[0])
    version = f"{shown.key} {order.made} {order.sort} {chosen} {shape}"

    def build() -> bytes:
        header, arrays = pictures.filters(shown.snapshot, shape, order.units, base)
        header |= {
            "version": version,
            "sort": order.sort,
            "sorts": pictures.SORTS,
            "bases": pictures.evenly(steps, MOST_BASES),
            "base": chosen if base is not None else "0",
            "inspect": True,
            "leaves": LEAVES,
            "of": source(run, shown),
        }
        return pack(dressed(header, run.config), arrays)

    components.feed(
        mosaic.mount,
        FILTERS,
        version,
        partial(audience.drawn_once, FILTERS, version, build),
        rests=sight.rests(run, FILTERS),
        on_sort_change=_sort_chosen,
        on_base_change=_base_chosen,
        on_open_change=_unit_opened,
    )


def _unit_opened() -> None:
    if (unit := heard(FILTERS, "open")) is not None:
        state.watched().unit_to_inspect = unit


def _sort_chosen() -> None:
    sort = heard(FILTERS, "sort")
    if sort in link.FILTER_ORDERS:
        watched = state.watched()
        watched.sort, watched.order = sort, None
        link.remember("sort", sort)


def _base_chosen() -> None:
    base = heard(FILTERS, "base") or ""
    state.watched().base = base if re.fullmatch(r"since [0-9]{1,15}", base) else "0"


def particles(run: Run, shown: Moment) -> None:
    shape = run.image_shape(shown.snapshot.W.shape[0])
    version = f"{shown.key} {shape}"

    def build() -> bytes:
        header, arrays = pictures.particles(shown.snapshot, shape, probe=run.probe)
        more = {"version": version, "leaves": LEAVES, "of": source(run, shown), **fantasy.OPENS}
        return pack(dressed(header | more, run.config), arrays)

    step = None if state.watched().step == "live" else shown.step
    opened = fantasy.opener(PARTICLES, run.name, step)
    drawn = partial(audience.drawn_once, PARTICLES, version, build)
    rests = sight.rests(run, PARTICLES)
    components.feed(mosaic.mount, PARTICLES, version, drawn, rests=rests, on_open_change=opened)


def activity(run: Run, shown: Moment, order: state.Order) -> None:
    version = f"{shown.key} {order.made} {order.sort}"

    def build() -> bytes:
        labels = run.probe.labels if run.probe is not None else None
        header, arrays = pictures.activity(shown.snapshot, order.units, labels)
        return pack({**header, "version": version, "of": source(run, shown)}, arrays)

    drawn = partial(audience.drawn_once, ACTIVITY, version, build)
    components.feed(activity_component.mount, ACTIVITY, version, drawn, rests=sight.rests(run, ACTIVITY))


def histograms(run: Run, shown: Moment) -> None:
    def build() -> bytes:
        header, arrays = pictures.histograms(shown.snapshot)
        return pack({**header, "version": shown.key, "of": source(run, shown)}, arrays)

    drawn = partial(audience.drawn_once, HISTOGRAMS, shown.key, build)
    rests = sight.rests(run, HISTOGRAMS)
    components.feed(histograms_component.mount, HISTOGRAMS, shown.key, drawn, rests=rests)
