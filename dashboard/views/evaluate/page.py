"""Evaluate: how probable the model finds images it has never seen, and whether to believe the number."""

import streamlit as st

from dashboard import data
from dashboard.ui import link, run_choice
from dashboard.ui.charts import choose_format
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import sentence
from dashboard.views.evaluate import answer, found, question, table, under_way
from dashboard.views.evaluate.state import Evaluate
from rbm_core.runs import RunError
from rbm_core.visible import units_of


def main() -> None:
    name = run_choice.chosen()
    if name is None:
        st.info("There is no run to evaluate yet. Start one on the Train page.")
        return
    state = state_of(Evaluate)
    if state.run not in (None, name):  # another run has other evaluations
        link.remember("evaluation", "")
    state.run = name
    choose_format()
    try:
        with st.container(key="stack-evaluate"):
            show(name)
    except RunError as error:  # a run can go away under the page
        st.error(sentence(error))
    table.draw()


def show(name: str) -> None:
    """One run: its best answer, what to ask, what is under way, what was found."""
    reader = data.reader(name)
    config, steps = reader.config()["config"], reader.snapshot_steps()
    seen = "digits" if run_choice.digits() else "data"
    st.caption(f"How probable does it find {seen} it has never seen, and is the number to be trusted?")
    if not steps:
        st.info("This run has no snapshot yet: its trainer writes the first one when training begins.")
        return
    top = st.container()
    question.ask(reader, steps)
    under_way.watch(name)
    best = answer.best(reader)
    shown = found.choose(name, best)
    with top:
        on_top = answer.headline(reader, units_of(config), under_way.busy(name), best, shown)
    if shown is not None:
        found.draw(name, config, shown, on_top)


main()
