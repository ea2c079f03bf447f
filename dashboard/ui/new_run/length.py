"""How long the run that the form describes would take on this machine, and where that number comes from."""

import streamlit as st

from dashboard import data
from dashboard.processes import trials
from dashboard.ui.texts import duration, plain
from rbm_core import datasets
from rbm_core.config import RunConfig
from rbm_core.pace import Estimate

_LOOK_S = 1.0  # how often the end of a trial is looked for


def show(config: RunConfig, watched_at: float | None = None) -> None:
    """One line: updates and time. Where nothing like it was timed here, a trial is begun and waited for.

    watched_at: updates a second that the run is held to at first, so that one sees it learn.
    """
    found = data.estimate(config)
    if found and found.seconds is not None:
        st.caption(_words(found, watched_at))
    elif datasets.available(config.dataset) and trials.under_way(config):
        st.fragment(_wait, run_every=_LOOK_S)(config)
    elif found:
        st.caption(f"{found.updates:,} updates.")


def _wait(config: RunConfig) -> None:
    if not trials.under_way(config):
        st.rerun()
    found = data.estimate(config)
    st.caption(f"{found.updates:,} updates: measuring this machine…" if found else "Measuring this machine…")


def _words(found: Estimate, watched_at: float | None) -> str:
    assert found.seconds is not None
    full = f"{found.updates:,} updates: about {duration(found.seconds)} here, {plain(found.source)}."
    if watched_at is None or found.updates / watched_at < found.seconds:
        return full
    slow = duration(found.updates / watched_at)
    return (
        f"{full} It begins at {watched_at:g} updates a second, slow enough to see strokes appear ({slow} in all); "
        "**full speed** stands above the pictures."
    )
