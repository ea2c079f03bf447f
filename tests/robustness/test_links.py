"""No link in a run's folder is followed for writing or deleting, and none out of the store for reading."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.processes import evaluators, trainers
from rbm_core import sweeps
from rbm_core.evaluation import evaluate
from rbm_core.exchange.bundle import write_bundle
from rbm_core.runs import RunError, RunReader, control, inside, resolve, store
from rbm_core.runs import notes as run_notes
from rbm_core.runs.files import LOG_FILE, write_json
from rbm_core.runs.recorder import Recorder
from rbm_core.training import process as training_process
from tests.core.run_record import moment
from tests.core.training_runs import FakeTraining, make_run
from tests.robustness.damage import one_sentence

FILES = (
    "metrics.jsonl",
    "events.jsonl",
    "likelihood.jsonl",
    "status.json",
    "live.safetensors",
    "resume.safetensors",
)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder outside the store, full of files that a run might have."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for name in (*FILES, "run.lock", "trainer.log", "notes.json", "control.lock", "000000000.safetensors"):
        (folder / name).write_text(f"the only copy of {name}\n")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


WRITES: dict[str, Callable[[Path], object]] = {
    "metrics.jsonl": lambda run: Recorder(run).append_metrics({"step": 1}),
    "events.jsonl": lambda run: Recorder(run).append_event(1, "pause"),
    "likelihood.jsonl": lambda run: Recorder(run).append_likelihood({"step": 1}),
    "status.json": lambda run: Recorder(run).write_status({"state": "running"}),
    "live.safetensors": lambda run: Recorder(run).write_live(moment(1)),
    "notes.json": lambda run: run_notes.write_notes(run, run_notes.Notes((), "x")),
    "run.lock": lambda run: training_process.run(run),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("hard", [False, True])
def test_a_link_in_the_place_of_a_file_is_refused_and_what_it_leads_to_stays(
    run: Path, foreign: Path, name: str, hard: bool
) -> None:
    (run / name).unlink(missing_ok=True)
    (os.link if hard else os.symlink)(foreign / name, run / name)
    before = contents(foreign)
    if hard and name in ("status.json", "live.safetensors", "notes.json"):
        WRITES[name](run)  # replaced as a whole: the other name keeps its content
    else:
        with pytest.raises(RunError, match="link") as refusal:
            WRITES[name](run)
        assert one_sentence(str(refusal.value))
    assert contents(foreign) == before


def test_snapshots_behind_a_link_are_neither_listed_nor_thinned_nor_overwritten(
    run: Path, foreign: Path
) -> None:
    (run / "snapshots").rmdir()
    (run / "snapshots").symlink_to(foreign)
    before = contents(foreign)
    with pytest.raises(RunError, match="link"):
        RunReader(run).snapshot_steps()
    with pytest.raises(RunError, match="link"):
        Recorder(run, max_snapshots=2).write_snapshot(moment(0))
    assert contents(foreign) == before


def test_nothing_is_removed_through_a_folder_that_is_a_link(run: Path, foreign: Path) -> None:
    (run / "snapshots").rmdir()
    (run / "snapshots").symlink_to(foreign)
    before = contents(foreign)
    with pytest.raises(OSError, match="link"):
        inside.remove(run / "snapshots" / "000000000.safetensors")
    assert contents(foreign) == before


def test_an_evaluation_makes_and_removes_nothing_behind_a_link(trained: Path, foreign: Path) -> None:
    before = contents(foreign)
    (trained / "evaluations").symlink_to(foreign)
    with pytest.raises(RunError, match="evaluations of run 'trained' is a link") as refusal:
        evaluate(trained, estimator="exact")
    assert one_sentence(str(refusal.value))
    assert contents(foreign) == before
    (trained / "evaluations").unlink()
    evaluate(trained, estimator="exact")
    (folder,) = (trained / "evaluations").iterdir()
    shutil.rmtree(folder)
    for name in ("state.safetensors", "snapshot.safetensors", "progress.json"):
        (foreign / name).write_text("kept")
    before = contents(foreign)
    folder.symlink_to(foreign)
    with pytest.raises(RunError, match="is a link") as refusal:
        evaluate(trained, estimator="exact")
    assert one_sentence(str(refusal.value))
    assert contents(foreign) == before


@pytest.mark.parametrize(
    "name", ["notes.json", "likelihood.jsonl", "snapshots", "snapshots/000000000.safetensors"]
)
def test_what_a_link_shows_from_elsewhere_is_not_given_away_in_a_bundle(
    trained: Path, foreign: Path, tmp_path: Path, name: str
) -> None:
    place = trained / name
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    place.symlink_to(foreign if name == "snapshots" else foreign / Path(name).name)
    with pytest.raises(RunError, match=r"is a link to .*, outside the folder of runs") as refusal:
        write_bundle(trained, tmp_path / "bundle.zip")
    assert one_sentence(str(refusal.value))
    assert not (tmp_path / "bundle.zip").exists()


@pytest.mark.parametrize("link", [True, False])
def test_a_new_file_is_never_one_that_stood_there(run: Path, foreign: Path, link: bool) -> None:
    if link:
        (run / "new").symlink_to(foreign / "metrics.jsonl")
    else:
        (run / "new").write_text("kept")
    before = contents(foreign)
    with inside.parent_of(run / "new") as (name, at), pytest.raises(FileExistsError):
        inside.open_new(name, at)
    assert contents(foreign) == before
    assert link or (run / "new").read_text() == "kept"


def test_training_on_a_run_of_links_touches_nothing_and_says_so(
    runs_root: Path, fake: type[FakeTraining], foreign: Path
) -> None:
    path = make_run(runs_root, "linked", epochs=2)
    for name in ("metrics.jsonl", "trainer.log"):
        (path / name).symlink_to(foreign / name)
    before = contents(foreign)
    assert training_process.run(path) == "failed"
    assert "is a link" in RunReader(path).status()["message"]
    assert contents(foreign) == before


def test_a_run_that_is_a_link_out_of_the_store_is_shown_as_such_and_never_changed(
    runs_root: Path, run: Path, tmp_path: Path
) -> None:
    shutil.move(run, tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    before = sorted(path.name for path in (tmp_path / "elsewhere").rglob("*"))
    (info,) = store.list_runs(runs_root)
    assert "outside the folder of runs" in str(info.error)
    for change in (
        lambda: store.delete_run(runs_root, "demo"),
        lambda: store.rename_run(runs_root, "demo", "new"),
    ):
        with pytest.raises(RunError, match="link"):
            change()
    with pytest.raises(RunError):
        control.send(resolve(runs_root, "demo"), "stop")
    assert sorted(path.name for path in (tmp_path / "elsewhere").rglob("*")) == before


def test_a_link_within_the_store_is_read_and_the_store_itself_may_be_a_link(
    runs_root: Path, run: Path, tmp_path: Path
) -> None:
    Recorder(run).write_snapshot(moment(3))
    other = store.create_run(runs_root, "other", {"dataset": "bars-and-stripes", "n_hidden": 6})
    (other / "snapshots" / "000000003.safetensors").symlink_to(run / "snapshots" / "000000003.safetensors")
    assert RunReader(other).snapshot(3).step == 3
    (tmp_path / "store").symlink_to(runs_root)
    through = tmp_path / "store" / "demo"
    Recorder(through).append_metrics({"step": 1})
    assert RunReader(through).metrics()["step"].tolist() == [1]


@given(
    st.lists(
        st.sampled_from(["..", ".", "a", "snapshots", "link", "dangling", "loop"]), min_size=1, max_size=5
    )
)
def test_no_path_of_links_leads_out_of_the_store(shared_run: Path, parts: list[str]) -> None:
    secret = shared_run.parents[1] / "secret"
    secret.write_text("secret")
    for name, target in (("link", ".."), ("dangling", "/nowhere/at/all"), ("loop", "loop")):
        if not (shared_run / name).is_symlink():
            (shared_run / name).symlink_to(target)
    path = shared_run.joinpath(*parts, "..", "..", "..", "secret")
    try:
        found = inside.read(path, 100, shared_run.parent)
    except (OSError, ValueError):
        found = b""
    assert found != b"secret"


@pytest.mark.parametrize(
    ("log", "start"),
    [
        (LOG_FILE, lambda run: trainers.resume(run.name)),
        (evaluators.LOG_FILE, lambda run: evaluators.start(run.name, 0, "exact")),
    ],
)
def test_a_page_starts_no_process_that_would_print_through_a_link(
    trained: Path,
    foreign: Path,
    log: str,
    start: Callable[[Path], object],
    runs_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RBM_RUNS_DIR", str(runs_root))
    (trained / log).unlink(missing_ok=True)
    (trained / log).symlink_to(foreign / LOG_FILE)
    status = RunReader(trained).status()
    write_json(trained / "status.json", {**status, "state": "stopped"})
    before = contents(foreign)
    with pytest.raises(RunError, match="link") as refusal:
        start(trained)
    assert one_sentence(str(refusal.value))
    assert contents(foreign) == before


def test_a_sweep_starts_no_trainer_that_would_print_through_a_link(
    runs_root: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = sweeps.points("quick", {"dataset": "bars-and-stripes"}, {"k": ["1", "2"]}, "swept")
    for point in wanted:
        run = store.create_run(runs_root, point.name, point.config)
        (run / LOG_FILE).symlink_to(foreign / LOG_FILE)
    monkeypatch.setattr(sweeps.subprocess, "Popen", lambda *_, **__: pytest.fail("a trainer was started"))
    before, said = contents(foreign), []
    assert sweeps.train_all(runs_root, "swept", "quick", wanted, 2, said.append) == ["failed", "failed"]
    assert sum("is a link" in sentence for sentence in said) == 2
    assert all(map(one_sentence, said))
    assert contents(foreign) == before


@pytest.mark.parametrize("name", ["snapshots", "evaluations", "trainer.log"])
def test_a_run_is_deleted_without_what_its_links_lead_to(
    runs_root: Path, run: Path, foreign: Path, name: str
) -> None:
    place = run / name
    if place.is_dir():
        place.rmdir()
    place.symlink_to(foreign / name if name == LOG_FILE else foreign)
    before = contents(foreign)
    Recorder(run).write_status({"state": "stopped"})
    store.delete_run(runs_root, run.name)
    assert not run.exists()
    assert contents(foreign) == before
