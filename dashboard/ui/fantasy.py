"""A fantasy that is clicked, in whatever picture of a page, goes on in Gibbs from where it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.components.messages import heard
from dashboard.ui import pages
from dashboard.ui.page_state import state_of

OPENS: dict[str, Any] = {"opens": True, "hint": "Click one: its chain goes on in Gibbs."}
"""What the header of a mosaic of fantasies says beside its own."""

MOST = 100
"""Chains that Gibbs is asked to run at most: of more fantasies the others open nothing."""
_FEWEST = 25


@dataclass
class _Clicked:
    where: dict[str, str] | None = None


def opener(key: str, run: str, step: int | None) -> Callable[[], None]:
    """The picture's `on_open_change`. key: the picture's own. step: the snapshot that it shows; None for the newest."""

    def clicked() -> None:
        chain = heard(key, "open")
        if chain is None or chain >= MOST:
            return
        where = {
            "run": run,
            "start": "particles",
            "chains": str(max(_FEWEST, chain + 1)),
            "chain": str(chain + 1),
        }
        state_of(_Clicked).where = where if step is None else {**where, "step": str(step)}

    return clicked


def follow() -> None:
    """Goes to Gibbs if a fantasy was clicked; called before the page draws anything."""
    state = state_of(_Clicked)
    where, state.where = state.where, None
    if where is not None:
        st.switch_page(pages.script("gibbs"), query_params=where)
