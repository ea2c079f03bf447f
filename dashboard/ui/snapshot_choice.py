"""The sidebar's choice of a recorded moment, for pages at rest."""

from typing import Any

import streamlit as st

from dashboard import data
from dashboard.ui import link
from rbm_core.runs import RunReader, Snapshot

HELP = (
    "How far training had come, in parameter updates. Every picture on the page belongs to this moment; "
    "*newest* follows the run."
)


def choose(reader: RunReader, key: str) -> Snapshot | None:
    """The snapshot that the reader, or the link, asks for; None where the run has none yet.

    Raises SnapshotError in one sentence if it cannot be read.
    """
    steps = reader.snapshot_steps()
    live = reader.live() if reader.status()["state"] in data.LIVE_STATES else None
    if not steps and live is None:
        return None
    newest = max(live.step if live else 0, steps[-1] if steps else 0)
    asked = link.field("step")
    if asked != "live" and asked not in steps and asked != newest:
        nearest = reader.nearest_step(asked)
        st.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        asked = nearest
    options: list[Any] = [*(step for step in steps if step != newest), "live"]
    if asked == newest or asked not in options:
        asked = "live"
    if st.session_state.get(key) not in options or asked != st.session_state.get(f"{key}-shown"):
        st.session_state[key] = asked
    chosen = asked
    if len(options) > 1:
        chosen = st.sidebar.select_slider(
            "Moment of training",
            options,
            key=key,
            format_func=lambda step: f"newest · {newest:,}" if step == "live" else f"step {step:,}",
            help=HELP,
        )
    link.remember("step", chosen)
    st.session_state[f"{key}-shown"] = chosen
    if chosen == "live":
        return live if live is not None and live.step >= newest else data.snapshot(reader.name, newest)
    return data.snapshot(reader.name, chosen)
