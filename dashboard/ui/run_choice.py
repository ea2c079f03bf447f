"""The run that the pages show: chosen in the sidebar, by the link, or by a page that has made or removed one."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.figures import cases
from dashboard.ui import link
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain, sentence
from rbm_core.runs import RunError, RunReader

PICKER = "app.run"


@dataclass
class _Choice:
    """reader: of the run, once it was asked. opened: whether the run was just made of a file, until a page said so."""

    run: str | None = None
    reader: RunReader | None = None
    picker: bool = False
    opened: bool = False


def chosen() -> str | None:
    """The name of the run that the page shows; None where there is no run that can be read."""
    return state_of(_Choice).run


def table() -> dict[str, Any] | None:
    """The table that the run of this page learns; None for pictures, and for a page that shows no run."""
    choice = state_of(_Choice)
    if choice.run is None or not choice.picker:
        return None
    try:
        choice.reader = choice.reader or data.reader(choice.run)  # a refresh asks twenty times
        return cases.table_of(choice.reader.config())
    except RunError:
        return None


def digits() -> bool:
    """Whether the run of this page learns MNIST's digits: a drawing is then laid out as those are."""
    try:
        return cases.are_digits(data.reader(chosen() or "").config())
    except RunError:
        return False


def said(text: str) -> str:
    """A text about pictures in the words for what the page's run learns."""
    return text if table() is None else cases.in_words(text)


def choose(run: str | None) -> None:
    """From now on the pages show this run."""
    choice = state_of(_Choice)
    choice.run, choice.reader = run, None


def lead_to(run: str, *, opened: bool = False) -> None:
    """Shows a run that was just made: from a callback, or before the page is run again. opened: of a file.

    The link names another run, and would win.
    """
    choose(run)
    state_of(_Choice).opened = opened
    link.only({"run": run})


def offer(picker: bool, notices: Any) -> None:
    """Settles which run the page shows, and puts it into the link.

    The link's run, else the one shown last, else the store's default. With `picker` the sidebar has a list of all
    runs; a run that does not exist costs a sentence in `notices`.
    """
    state_of(_Choice).picker = picker
    try:
        infos = data.runs()
    except RunError as error:  # the store cannot be listed; Learn does without
        notices.error(sentence(error))
        if picker:
            st.stop()
        return
    names = [info.name for info in infos]
    asked = link.field("run") or chosen()
    run = asked if asked in names else data.default_run(infos)
    if asked and asked not in names and picker:
        instead = f"showing {plain(run)} instead" if run else "there are no runs yet"
        notices.warning(f"There is no run {plain(repr(asked))}; {instead}.")
    choose(run)
    if run is None or not picker:
        return
    if state_of(_Choice).opened:
        state_of(_Choice).opened = False
        notices.success(f"**{plain(run)}** is open: this page shows it now.", icon=":material/folder_open:")
    link.remember("run", run)
    # A run's state changes by itself and stands on the page, which refreshes; the list says only what stays true.
    damaged = {info.name: str(info.error) for info in infos if info.error}
    st.session_state[PICKER] = run
    st.sidebar.selectbox(
        "Run",
        names,
        key=PICKER,
        format_func=lambda name: f"{name} (damaged)" if name in damaged else name,
        on_change=_picked,
        help="A run is one training, recorded step by step; every page shows the run chosen here.",
    )
    if len(damaged) > (run in damaged):  # the page itself says what is wrong with the run that it shows
        with st.sidebar.expander(f":small[{len(damaged)} damaged]", icon=":material/broken_image:"):
            for name, reason in damaged.items():
                st.caption(f"**{plain(name)}**: {sentence(reason)}")


def _picked() -> None:
    choose(st.session_state[PICKER])
    link.remember_all({"run": st.session_state[PICKER], "step": "live"})
