"""Tags and a note of a run, another name, and deletion, which is confirmed by typing the run's name."""

from collections.abc import Callable

import streamlit as st

from dashboard import data
from dashboard.figures.comparison.records import Record
from dashboard.ui import answers, link, run_choice
from dashboard.ui.answers import Answer
from dashboard.ui.page_state import state_of
from dashboard.ui.texts import plain, sentence
from dashboard.views.compare.state import Compare
from rbm_core.runs import RunError

PANEL, RUN = "compare.care", "compare.cared"


def open_for(run: str) -> None:
    """Opens the panel for this run, from a callback."""
    st.session_state.update({PANEL: True, RUN: run})


def look_after(records: list[Record], ticked: list[str]) -> None:
    panel = st.expander(
        "Tags, note, rename, delete",
        icon=":material/edit_note:",
        key=PANEL,
        on_change="rerun",
    )
    with panel:
        notices = st.container()  # always there: a message that came and went would fold the panel
        answers.show(state_of(Compare).changed, notices)
        by_name = {one.name: one for one in records}
        if st.session_state.get(RUN) not in by_name:
            st.session_state[RUN] = ticked[0] if ticked else records[0].name
        name = st.selectbox(
            "Run to look after", list(by_name), key=RUN, help="What you change below is this run's."
        )
        left, middle, right = st.columns(3, gap="large")
        with left:
            notes_form(by_name[name])
        with middle:
            rename_form(name)
        with right:
            delete_form(name)


def notes_form(run: Record) -> None:
    with st.form(f"notes-{run.name}", border=False):
        tags = st.text_input(
            "Tags", ", ".join(run.tags), placeholder="baseline, good mixing",
            help="Words to find the run by, with commas between them.",
        )  # fmt: skip
        note = st.text_area("Note", run.note, help="Anything worth remembering; kept in the run's folder.")
        if st.form_submit_button("Save tags and note", icon=":material/save:"):
            act(
                lambda: data.write_notes(run.name, tags.split(","), note),
                f"Tags and note of {plain(run.name)} are saved.",
            )


def rename_form(name: str) -> None:
    with st.form(f"rename-{name}", border=False):
        new = st.text_input(
            "New name",
            name,
            help="Letters, digits, '.', '_' and '-'; spaces become dashes. The record stays as it is.",
        ).strip()
        if st.form_submit_button("Rename", icon=":material/drive_file_rename_outline:"):
            named = data.name_from(new)
            act(lambda: rename(name, named), f"{plain(name)} is now called {plain(named)}.")


def delete_form(name: str) -> None:
    with st.form(f"delete-{name}", border=False):
        typed = st.text_input(
            "Delete for good: type the run's name", placeholder=name,
            help="Everything recorded in the run goes: curves, snapshots, saved state. There is no "
            "way back.",
        )  # fmt: skip
        if st.form_submit_button("Delete this run", icon=":material/delete:"):
            act(lambda: delete(name, typed.strip()), f"{plain(name)} is deleted.")


def act(change: Callable[[], object], done: str) -> None:
    """Makes the change and says so above the forms; what cannot be done is said there in one sentence."""
    state = state_of(Compare)
    try:
        change()
        state.changed = Answer(done, failed=False)
    except RunError as error:
        state.changed = Answer(sentence(error))
    st.rerun()


def rename(name: str, new: str) -> None:
    if new == name:
        raise RunError(f"run {name!r} already has that name; type another one")
    data.rename(name, new)
    follow(name, new)


def delete(name: str, typed: str) -> None:
    if typed != name:
        raise RunError(f"nothing was deleted: to delete run {name!r}, type exactly its name, got {typed!r}")
    data.delete(name)
    follow(name, None)


def follow(name: str, new: str | None) -> None:
    """The pages and the link follow a run to its new name, or drop one that is gone."""
    state, change = state_of(Compare), {}
    renamed = [new if one == name else one for one in state.ticked or ()]
    state.ticked = [one for one in renamed if one is not None]
    if "runs" in link.query():
        change["runs"] = ",".join(state.ticked)
    if run_choice.chosen() == name:
        run_choice.choose(new)
        change["run"] = new or ""
    link.remember_all(change)
