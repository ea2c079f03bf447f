"""The settings of a run that may change while it trains."""

import streamlit as st

from dashboard.ui import new_run
from dashboard.ui.texts import plain
from dashboard.views.train import commands, state
from dashboard.views.train.recorded import Run
from rbm_core.runs.vocabulary import SETTABLE


def change(run: Run) -> None:
    """The button that opens the form. The form's widgets are made when it opens and start at the values of that
    moment, so that a refresh does not change a value while the reader edits it.
    """
    watched = state.watched()
    with st.popover("Change", icon=":material/tune:", key=state.CHANGE, on_change="rerun") as opened:
        if not opened.open:
            watched.change = None
            return
        watched.change = watched.change or state.Change()
        _form(run, watched.change)


def _form(run: Run, change: state.Change) -> None:
    what = st.selectbox(
        "Setting",
        SETTABLE,
        format_func=lambda field: field.replace("_", " "),
        key=state.CHANGE_WHAT,
        help="Changed while it trains; the curves mark when, and the run's record keeps it.",
    )
    made = [event["value"] for event in run.events if event.get("command") == "set"]
    now = next((one["value"] for one in reversed(made) if one["name"] == what), run.settings.get(what))
    begun = change.begun.setdefault(what, float(now or 0))
    new = st.number_input("New value", value=begun, format="%g", key=state.change_key(what))
    found = new_run.wrong({**run.settings, what: int(new) if what == "k" else new})
    wrong = found[1] if found is not None and found[0] == what else None
    schedule = run.settings.get("lr_schedule")
    if what == "learning_rate" and schedule != "constant" and now and wrong is None:
        st.caption(
            f"The run's {plain(schedule)} schedule scales it down as training goes on: set to "
            f"{new:g}, it is {new * run.status['learning_rate'] / now:.3g} at this step."
        )
    if wrong is not None:
        st.caption(f":red[{plain(wrong)}]")
    elif warning := new_run.daring(what, new, float(now or 0)):
        st.caption(f":orange[{plain(warning)}]")
    st.button(
        "Set it",
        key=commands.key_of("set", None),
        disabled=wrong is not None,
        on_click=_set,
        args=(run.name,),
    )
    change.made = len(made)
    if change.sent is None:
        return
    if len(made) > change.sent:
        st.markdown(f":green[✓ {plain(what.replace('_', ' '))} is set to {made[-1]['value']:g}.]")
    elif refusal := commands.refusal(run.status):
        st.markdown(f":red[{plain(refusal)}]")
    else:
        st.caption("Passed on: the trainer takes it before its next update.")


def _set(name: str) -> None:
    commands.pressed(name, "set", state.wish())  # what the fields say now, which may be newer than this form
