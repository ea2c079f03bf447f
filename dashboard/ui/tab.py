"""What every page has beside its figures: a sign for every press, its own colours, and a sidebar that unfolds."""

import streamlit as st

from dashboard.components import tab
from dashboard.components.blob import pack
from dashboard.ui import charts, new_run


def attend() -> None:
    """Has the browser give every press its sign, unfold the sidebar when a button of the page opens the form there, and
    the page drawn anew when the reader's colour scheme changes.

    Plotly's charts and tables carry their colours; the canvas players take theirs in the browser.
    """
    with st.sidebar:  # where it stands beside no figure
        drawn = {"dark": charts.is_dark(), "form": new_run.opened_by_button()}
        tab.mount(key="app.tab", data=pack(drawn), on_dark_change=lambda: None)
