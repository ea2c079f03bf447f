"""What every page has beside its figures: a sign for every press, and its own colours."""

import streamlit as st

from dashboard.components import tab
from dashboard.components.blob import pack
from dashboard.ui import charts


def attend() -> None:
    """Has the browser give every press its sign, and the page drawn anew when the reader's colour scheme changes.

    Plotly's charts and tables carry their colours; the canvas players take theirs in the browser.
    """
    with st.sidebar:  # where it stands beside no figure
        tab.mount(key="app.tab", data=pack({"dark": charts.is_dark()}), on_dark_change=lambda: None)
