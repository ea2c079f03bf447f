"""Compare: all runs in a table, and some of them side by side at equal step."""

import streamlit as st

from dashboard import components, data
from dashboard.figures.comparison import moments
from dashboard.ui import fantasy, link
from dashboard.ui.texts import sentence
from dashboard.views.compare import care, curves, likelihoods, recorded, side_by_side, table
from rbm_core.runs import RunError, RunReader


def main() -> None:
    fantasy.follow()
    components.feed_afresh()
    records = [recorded.record(info) for info in data.runs()]
    if not records:
        st.info("There is no run to compare yet. Start one on the Train page.")
        return
    st.caption(
        "Which settings make a better machine? Tick runs to lay their curves and pictures side by side."
    )
    names = table.choose_runs(records)
    care.look_after(records, names)
    try:
        compare(names)
    except RunError as error:  # a run can go away under the page
        st.error(sentence(error))


def compare(names: list[str]) -> None:
    """The runs' curves over one another, and their pictures side by side."""
    if not names:
        st.info("Tick the runs to compare in the table above.")
        return
    readers, steps = open_runs(names)
    common = moments.common_steps([kept for kept in steps.values() if kept])
    at = step_compared(common) if common else None
    curves.draw(readers, at)
    if at is not None:
        likelihoods.draw(readers, at)
        side_by_side.draw(readers, steps, common, at)


def open_runs(names: list[str]) -> tuple[dict[str, RunReader], dict[str, list[int]]]:
    """(reader, kept steps) of each run by its name; one that went away meanwhile costs a sentence."""
    readers, steps = {}, {}
    for name in names:
        try:
            reader = data.reader(name)
            steps[name] = reader.snapshot_steps()
            readers[name] = reader
        except RunError as error:
            st.warning(sentence(error))
    return readers, steps


def step_compared(common: list[int]) -> int:
    """The step in the link if these runs can be shown at it, else the nearest, and says so."""
    asked = link.field("step")
    if asked == "live":
        return common[-1]
    nearest = min(common, key=lambda step: abs(step - asked))
    if nearest != asked:
        st.warning(f"These runs have no common step {asked:,}; showing the nearest, step {nearest:,}.")
        link.remember("step", nearest)
    return nearest


main()
