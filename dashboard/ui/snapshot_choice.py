"""The sidebar's choice of a recorded moment, for pages at rest."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard import data
from dashboard.ui import link
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import sentence
from rbm_core.runs import RunReader, Snapshot, SnapshotError
from rbm_core.runs.vocabulary import LIVE_STATES

MOST_TRIED = 8
"""Other snapshots that are tried where the one asked for is damaged."""

HELP = (
    "How far training had come, in parameter updates. Every picture on the page belongs to this moment; "
    "*newest* follows the run."
)


@dataclass
class _Shown:
    """For each page, what its slider showed last: a step, or "live"."""

    of_page: dict[str, int | str] = field(default_factory=dict)


def choose(reader: RunReader, page: str) -> Snapshot | None:
    """The snapshot that the reader of `page`, or the link, asks for; None where the run has none yet.

    Where it is damaged, the nearest one that can be read is shown, and a sentence says so; SnapshotError, in one
    sentence, where none of them can.
    """
    steps = reader.snapshot_steps()
    live = reader.live() if reader.status()["state"] in LIVE_STATES else None
    if not steps and live is None:
        return None
    newest = max(live.step if live else 0, steps[-1] if steps else 0)
    options = [*(step for step in steps if step != newest), "live"]
    chosen = _slider(options, _asked(reader, steps, newest), newest, page)
    link.remember("step", chosen)
    if chosen == "live" and live is not None and live.step >= newest:
        return live
    return _nearest_readable(reader, steps, newest if chosen == "live" else chosen)


def _nearest_readable(reader: RunReader, steps: list[int], wanted: int) -> Snapshot:
    try:
        return data.snapshot(reader.name, wanted)
    except SnapshotError as error:
        others = sorted((step for step in steps if step != wanted), key=lambda step: abs(step - wanted))
        for step in others[:MOST_TRIED]:
            try:
                found = data.snapshot(reader.name, step)
            except SnapshotError:
                continue
            st.warning(f"{sentence(error)} Showing step {step:,} instead; the slider has the others.")
            return found
        raise


def _asked(reader: RunReader, steps: list[int], newest: int) -> Any:
    """The step in the link, or "live"; a step that the run does not have is replaced, and a sentence says so."""
    asked = link.field("step")
    if asked in ("live", newest):
        return "live"
    if asked not in steps:
        nearest = reader.nearest_step(asked)
        st.warning(f"This run has no snapshot at step {asked:,}; showing the nearest, step {nearest:,}.")
        asked = nearest
    return "live" if asked == newest else asked


def _slider(options: list[Any], asked: Any, newest: int, page: str) -> Any:
    """The step chosen, or "live". What is asked for moves the slider only when it is not what was shown last.

    The browser sends the words of the option chosen: those of the newest moment name no step, since another becomes
    the newest, and an option that is gone would be taken for the first.
    """
    key, shown = f"{page}.step", state_of(_Shown).of_page
    before = shown.get(page)
    if st.session_state.get(key) not in options or asked != before or before not in options:
        st.session_state[key] = asked
    chosen = asked
    if len(options) > 1:
        chosen = st.sidebar.select_slider(
            "Moment of training",
            options,
            key=key,
            format_func=lambda step: "newest" if step == "live" else f"step {step:,}",
            help=HELP,
        )
        if chosen == "live":
            st.sidebar.caption(f"The newest is step {newest:,}.")
    shown[page] = chosen
    return chosen
