"""How long the run that the form describes would take on this machine, and where that number comes from."""

import streamlit as st

from dashboard import data
from dashboard.processes import trials
from dashboard.ui.texts import duration, plain
from rbm_core import datasets
from rbm_core.config import RunConfig
from rbm_core.pace import Estimate

_LOOK_S = 1.0  # how often the end of a trial is looked for


def show(config: RunConfig) -> None:
    """One line: updates and time. Where nothing like it was timed here, a trial is begun and waited for."""
    found = data.estimate(config)
    if found and found.seconds is not None:
        st.caption(_words(found))
    elif datasets.available(config.dataset) and trials.under_way(config):
        st.fragment(_wait, run_every=_LOOK_S)(config)
    elif found:
        st.caption(f"{found.updates:,} updates.")


def _wait(config: RunConfig) -> None:
    if not trials.under_way(config):
        st.rerun()
    found = data.estimate(config)
    st.caption(f"{found.updates:,} updates: measuring this machine…" if found else "Measuring this machine…")


def _words(found: Estimate) -> str:
    assert found.seconds is not None
    return f"{found.updates:,} updates: about {duration(found.seconds)} here, {plain(found.source)}."
