"""The snapshot that runs the chains. That of a run in training stays until the reader asks for a newer one."""

import streamlit as st

from dashboard import data
from dashboard.ui import link, snapshot_choice
from dashboard.views.gibbs.state import gibbs
from rbm_core.runs import RunError, RunReader, Snapshot


def choose(reader: RunReader) -> Snapshot | None:
    """The snapshot that the reader, or the link, asks for; None where the run has none yet.

    Where the newest one of a living run is asked for, the one taken first stays: a film does not change while it is
    watched.
    """
    page = gibbs()
    chosen = snapshot_choice.choose(reader, "gibbs")
    kept, page.taken = page.taken, None
    if chosen is None or link.field("step") != "live":
        return chosen
    taken = kept[1] if kept and kept[0] == identity(reader) else chosen
    if not _is_live(reader) and taken.step == chosen.step:
        return chosen
    page.taken = (identity(reader), taken)
    _show_age(reader.name, taken.step)
    return taken


@st.fragment(run_every=1.0)
def wait_for_the_first(name: str) -> None:
    """The page goes on by itself when the run has its first snapshot."""
    try:
        reader = data.reader(name)
        if reader.snapshot_steps() or (_is_live(reader) and reader.live() is not None):
            st.rerun()
    except (RunError, OSError):
        st.rerun()  # the page says what became of the run
    st.info(
        "This run has no snapshot yet; its first one comes within seconds of the start, and the page goes on then."
    )


def identity(reader: RunReader) -> tuple[str, int]:
    """Differs for two runs, also for two that had the same name one after the other."""
    return str(reader.path), (reader.path / "config.json").stat().st_mtime_ns


def _is_live(reader: RunReader) -> bool:
    return reader.status()["state"] in data.LIVE_STATES


@st.fragment(run_every=2.0)
def _show_age(name: str, taken: int) -> None:
    """How far training has gone on since the snapshot was taken, and a button that takes the newest."""
    try:
        reader = data.reader(name)
        now = reader.status()["step"] if _is_live(reader) else None
    except (RunError, OSError):
        now = None
    with st.container(horizontal=True, vertical_alignment="center", key="gibbs.age"):
        if now is None:
            st.markdown(f":material/history: These chains run in the machine of step {taken:,}.")
        else:
            st.markdown(
                f":material/model_training: This run is training, now at step {now:,}. "
                f"These chains run in the machine of step {taken:,}."
            )
        if st.button(
            "Take the newest",
            disabled=now == taken,
            help="Runs the same chains in the machine of this moment.",
        ):
            gibbs().taken = None
            st.rerun(scope="app")
