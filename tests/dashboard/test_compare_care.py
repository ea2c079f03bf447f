"""Looking after runs on the Compare page: notes, names, and deletion, which needs the run's name typed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rbm_core.runs import files, list_runs, store
from rbm_core.runs.notes import Notes, read_notes
from tests.dashboard.opened import curve_names, open_page


def names(two_runs: Path) -> list[str]:
    return sorted(info.name for info in list_runs(two_runs))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def field(app: AppTest, label: str) -> Any:
    return next(box for box in [*app.text_input, *app.text_area] if box.label == label)


def said(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.success, *app.error])


def test_tags_and_a_note_are_kept_in_the_runs_folder_and_found_again(two_runs: Path) -> None:
    app = open_page("compare")
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "Tags").set_value("small, quick")
    field(app, "Note").set_value("Mixes well.")
    press(app, "Save tags and note")
    assert read_notes(two_runs / "two") == Notes(("small", "quick"), "Mixes well.")
    assert "are saved" in said(app)
    app.text_input(key="compare.find").set_value("quick mixes").run()
    assert list(app.dataframe[0].value["Run"]) == ["two"]


def test_renaming_moves_the_run_and_what_was_ticked(two_runs: Path) -> None:
    app = open_page("compare", runs="one,two", run="two")
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "New name").set_value("twenty")
    press(app, "Rename")
    assert names(two_runs) == ["one", "twenty"]
    assert curve_names(app) == ["one", "twenty"]
    assert np.ravel(app.query_params["run"])[-1] == "twenty"


@pytest.mark.parametrize(
    ("new", "sentence"),
    [("one", "already a run 'one'"), ("../x", "cannot be called"), ("two", "has that name")],
)
def test_a_bad_new_name_is_one_sentence_and_changes_nothing(two_runs: Path, new: str, sentence: str) -> None:
    app = open_page("compare")
    app.selectbox(key="compare.cared").set_value("two").run()
    field(app, "New name").set_value(new)
    press(app, "Rename")
    assert sentence in said(app)
    assert names(two_runs) == ["one", "two"]


@pytest.mark.parametrize("typed", ["", "on", "two", "ONE"])
def test_nothing_is_deleted_without_the_second_word(two_runs: Path, typed: str) -> None:
    app = open_page("compare")
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value(typed)
    press(app, "Delete this run")
    assert "Nothing was deleted" in said(app)
    assert names(two_runs) == ["one", "two"]


def test_the_second_word_deletes_that_run_alone(two_runs: Path) -> None:
    app = open_page("compare", run="one", runs="one,two")
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value("one")
    press(app, "Delete this run")
    assert not app.exception
    assert "one is deleted" in said(app)
    assert names(two_runs) == ["two"]
    assert curve_names(app) == ["two"]


def test_a_run_in_training_is_not_deleted(two_runs: Path) -> None:
    lock = files.hold_lock(two_runs / "one")
    assert lock is not None
    app = open_page("compare")
    app.selectbox(key="compare.cared").set_value("one").run()
    field(app, "Delete for good: type the run's name").set_value("one")
    press(app, "Delete this run")
    lock.release()
    assert "is being trained" in said(app)
    assert names(two_runs) == ["one", "two"]


def test_the_shipped_run_stays(two_runs: Path) -> None:
    (two_runs / "one").rename(two_runs / store.LANDING_RUN)
    app = open_page("compare")
    app.selectbox(key="compare.cared").set_value(store.LANDING_RUN).run()
    field(app, "Delete for good: type the run's name").set_value(store.LANDING_RUN)
    press(app, "Delete this run")
    assert "comes with RBM Observatory" in said(app)
    assert store.LANDING_RUN in names(two_runs)
