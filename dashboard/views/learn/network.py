"""The picture of a lesson about the networks before the RBM: computed once, and looked up in the browser."""

from functools import lru_cache

import streamlit as st

from dashboard import components
from dashboard.components import network as component
from dashboard.components.blob import pack
from dashboard.figures import networks
from dashboard.figures.learn import Blob
from dashboard.views.learn.player import guess_note, obeyed, rested
from dashboard.views.learn.state import NETWORK, learn


@lru_cache(maxsize=len(networks.TITLES))
def _network(kind: str) -> Blob:
    return networks.network(kind)


@st.fragment
def show(kind: str) -> None:
    """The network of this kind."""
    header, arrays = _network(kind)
    note = {"command": learn().command, **guess_note()}
    components.feed(
        component.mount,
        NETWORK,
        kind,
        lambda: pack({**header, **note, "version": kind}, arrays),
        note,
        on_moment_change=lambda: rested(NETWORK),
        on_done_change=lambda: obeyed(NETWORK),
    )
