"""Runs are renamed, deleted and written about without harm to what was recorded or to who trains."""

import json
from pathlib import Path

import pytest

from rbm_core.runs import RunError, RunReader, create_run, files, list_runs, store
from rbm_core.runs.notes import LONGEST_NOTE, MOST_TAGS, Notes, read_notes, write_notes

CONFIG = {"dataset": "bars-and-stripes", "n_hidden": 6, "algorithm": "pcd", "k": 5}


def finished(root: Path, name: str) -> Path:
    path = create_run(root, name, CONFIG)
    files.write_json(path / "status.json", {"state": "finished", "step": 7})
    (path / "snapshots" / "000000007.safetensors").write_bytes(b"not looked at")
    return path


def names(root: Path) -> list[str]:
    return sorted(info.name for info in list_runs(root))


def test_a_renamed_run_is_the_same_record_under_the_new_name(tmp_path: Path) -> None:
    before = (finished(tmp_path, "old") / "status.json").read_bytes()
    path = store.rename_run(tmp_path, "old", "new")
    assert names(tmp_path) == ["new"]
    assert path == tmp_path / "new"
    assert (path / "status.json").read_bytes() == before
    assert RunReader(path).config()["name"] == "new"
    assert RunReader(path).snapshot_steps() == [7]


def test_a_run_is_never_renamed_onto_another(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    finished(tmp_path, "two")
    with pytest.raises(RunError, match="already a run 'two'"):
        store.rename_run(tmp_path, "one", "two")
    assert names(tmp_path) == ["one", "two"]


@pytest.mark.parametrize("bad", ["", "../out", "a/b", ".hidden", "con", "two words", "x" * 81])
def test_a_run_cannot_get_a_name_that_leaves_the_store(tmp_path: Path, bad: str) -> None:
    finished(tmp_path, "one")
    with pytest.raises(RunError, match="a run cannot be called"):
        store.rename_run(tmp_path, "one", bad)
    assert names(tmp_path) == ["one"]


def test_a_deleted_run_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    kept = finished(tmp_path, "two")
    store.delete_run(tmp_path, "one")
    assert names(tmp_path) == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["two"], "no files are left behind"
    assert RunReader(kept).status()["step"] == 7


@pytest.mark.parametrize("act", [store.delete_run, lambda root, name: store.rename_run(root, name, "new")])
def test_a_run_with_a_trainer_is_neither_deleted_nor_renamed(tmp_path: Path, act) -> None:
    path = finished(tmp_path, "one")
    lock = files.hold_lock(path)
    assert lock is not None
    with pytest.raises(RunError, match=r"is being trained, so it cannot be (deleted|renamed); stop it first"):
        act(tmp_path, "one")
    lock.release()
    assert names(tmp_path) == ["one"]
    act(tmp_path, "one")
    assert "one" not in names(tmp_path)


def test_a_run_whose_trainer_is_on_its_way_is_not_deleted(tmp_path: Path) -> None:
    create_run(tmp_path, "one", CONFIG)  # says "starting"; its trainer has not locked it yet
    with pytest.raises(RunError, match="is being trained"):
        store.delete_run(tmp_path, "one")
    assert names(tmp_path) == ["one"]


@pytest.mark.parametrize("act", [store.delete_run, lambda root, name: store.rename_run(root, name, "new")])
def test_the_shipped_run_is_protected_by_one_sentence(tmp_path: Path, act) -> None:
    finished(tmp_path, store.LANDING_RUN)
    with pytest.raises(RunError, match="comes with RBM Observatory and cannot be"):
        act(tmp_path, store.LANDING_RUN)
    assert names(tmp_path) == [store.LANDING_RUN]


def test_a_damaged_run_can_be_renamed_and_deleted(tmp_path: Path) -> None:
    path = finished(tmp_path, "broken")
    (path / "config.json").write_text("{ not json")
    (path / "status.json").write_text("[]")
    store.rename_run(tmp_path, "broken", "debris")
    assert names(tmp_path) == ["debris"]
    store.delete_run(tmp_path, "debris")
    assert names(tmp_path) == []


def test_changing_a_run_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    finished(tmp_path, "one")
    for act in (store.delete_run, lambda root, name: store.rename_run(root, name, "new")):
        with pytest.raises(RunError, match=r"no run 'two' in .*there are: one"):
            act(tmp_path, "two")


def test_notes_read_back_as_written_without_doubles_or_blanks(tmp_path: Path) -> None:
    path = finished(tmp_path, "one")
    assert read_notes(path) == Notes()
    kept = write_notes(path, Notes(("good", " good ", "", "two  words"), "  It mixes well.\n"))
    assert kept == read_notes(path) == Notes(("good", "two words"), "It mixes well.")


def test_notes_travel_with_a_renamed_run(tmp_path: Path) -> None:
    write_notes(finished(tmp_path, "one"), Notes(("good",), "kept"))
    assert read_notes(store.rename_run(tmp_path, "one", "two")) == Notes(("good",), "kept")


@pytest.mark.parametrize(
    "notes",
    [
        Notes(tuple(map(str, range(MOST_TAGS + 1)))),
        Notes(("x" * 41,)),
        Notes((), "x" * (LONGEST_NOTE + 1)),
    ],
)
def test_notes_without_bounds_are_refused_and_the_old_ones_stay(tmp_path: Path, notes: Notes) -> None:
    path = finished(tmp_path, "one")
    write_notes(path, Notes(("good",)))
    with pytest.raises(RunError, match="can have at most"):
        write_notes(path, notes)
    assert read_notes(path) == Notes(("good",))


@pytest.mark.parametrize(
    "damage", ["{", "[]", json.dumps({"tags": 5}), json.dumps({"tags": [1]}), '{"note": 1}']
)
def test_damaged_notes_are_one_sentence_and_can_be_replaced(tmp_path: Path, damage: str) -> None:
    path = finished(tmp_path, "one")
    (path / "notes.json").write_text(damage)
    with pytest.raises(RunError, match=r"notes\.json of run 'one' is damaged"):
        read_notes(path)
    write_notes(path, Notes(("good",)))
    assert read_notes(path).tags == ("good",)
