"""No more trainers than the machine bears, and none that would not fit in its memory: refused before a run is made."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from dashboard.processes import capacity, evaluators, trainers
from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.runs import RunError, RunReader, create_run, files
from rbm_core.runs.evaluation_record import evaluation_folder, evaluation_id
from rbm_core.runs.recorder import Recorder

SMALL = make_config(dataset="bars-and-stripes", n_hidden=16)


@pytest.fixture(autouse=True)
def nothing_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainers, "_launch", lambda path, download: None)


def test_one_trainer_too_many_is_refused_with_the_names_of_the_others(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "most_at_once", lambda: 1)
    monkeypatch.setattr(capacity, "bytes_free", lambda: None)
    lock = files.hold_lock(create_run(runs_root, "first", SMALL))
    assert lock is not None
    with pytest.raises(
        RunError, match=r"bears 1 trainers and evaluations at once, and as many are under way \(first\)"
    ):
        trainers.start(SMALL, "second")
    assert not (runs_root / "second").exists(), "a run is left that nobody trains"
    monkeypatch.setattr(capacity, "most_at_once", lambda: 2)
    assert trainers.start(SMALL, "second") == "second"
    lock.release()


def test_a_run_that_would_not_fit_is_refused_before_it_begins(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "bytes_free", lambda: 2_000_000_000)
    with pytest.raises(RunError, match=r"about \d+\.\d GB of memory, and 2\.0 GB are free"):
        trainers.start(make_config(dataset="mnist-5k", n_hidden=60_000), "wide")
    assert not (runs_root / "wide").exists()
    trainers.start(make_config(dataset="mnist-5k", n_hidden=500), "usual")


class Child:
    """A process that lives for as long as a test says."""

    def __init__(self, *args: object, **options: object) -> None:
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> None:
        pass


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    """The processes that evaluations are started as; none of them does anything."""
    made: list[Child] = []
    monkeypatch.setattr(capacity, "evaluating", [])
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: made.append(Child()) or made[-1])
    return made


def test_evaluations_and_trainers_are_counted_together_from_their_start_to_their_end(
    runs_root: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "most_at_once", lambda: 3)
    monkeypatch.setattr(capacity, "bytes_free", lambda: None)
    runs = [create_run(runs_root, name, SMALL) for name in ("trained", "judged", "else")]

    def finished(run: Path) -> None:
        Recorder(run).write_status({**RunReader(run).status(), "state": "finished"})

    finished(runs[1])
    finished(runs[2])
    training = files.hold_lock(runs[0])
    evaluators.start("judged", 0, "ais")  # its engine is being loaded: it holds no lock yet
    folder = evaluation_folder(runs[2], evaluation_id(0, "ais", {}))  # begun by another app
    folder.mkdir(parents=True)
    judging = files.hold_lock(folder)
    assert training is not None
    assert judging is not None
    said = r"bears 3 trainers and evaluations at once.*\(trained, an evaluation of judged, an evaluation of else\)"
    with pytest.raises(RunError, match=said):
        evaluators.start("trained", 0, "ais")
    with pytest.raises(RunError, match=said):
        trainers.start(SMALL, "more")
    assert len(children) == 1
    assert not (runs_root / "more").exists()
    for end in (lambda: setattr(children[0], "code", 0), judging.release, lambda: finished(runs[0])):
        end()
        evaluators.start("judged", 0, "ais")
        with pytest.raises(RunError, match="bears 3"):
            evaluators.start("judged", 0, "ais")


def test_an_evaluation_that_would_not_fit_is_not_begun(
    runs_root: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run(runs_root, "wide", make_config(dataset="mnist-5k", n_hidden=60_000))
    monkeypatch.setattr(capacity, "bytes_free", lambda: 2_000_000_000)
    with pytest.raises(RunError, match=r"about \d+\.\d GB of memory, and 2\.0 GB are free"):
        evaluators.start("wide", 0, "ais")
    assert not children


@pytest.mark.parametrize("kept", [True, False], ids=["brought in", "a path"])
@pytest.mark.parametrize("shape", [(300, 5, 6), (300, 7), (300, 9)], ids=["pictures", "table", "square"])
def test_the_memory_for_data_of_ones_own_is_that_of_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, shape: tuple[int, ...]
) -> None:
    monkeypatch.setenv("RBM_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "a.npy"
    np.save(file, (np.random.default_rng(0).random(shape) > 0.5).astype(np.uint8))
    name = datasets.brought_in(file) if kept else str(file)
    loaded = datasets.load(name, n_valid=20).train
    assert datasets.most_values(name, 20) == loaded.shape
    assert datasets.n_train(name, 20) == len(loaded)
    assert datasets.sizes(name, 20) == (loaded.shape if kept else None)
    few = capacity.bytes_needed(make_config(dataset=name, n_hidden=16, n_valid=20))
    assert few < capacity.ENGINE_BYTES + 2_000_000
    if kept:
        place = next((tmp_path / "data" / "own").iterdir())
        place.write_bytes(place.read_bytes()[:-1])
    else:
        file.unlink()
    assert datasets.most_values(name, 20) is None


def test_the_estimate_grows_with_the_model_and_the_free_memory_is_known_here() -> None:
    wide = capacity.bytes_needed(make_config(dataset="mnist-5k", n_hidden=50_000))
    assert wide > 784 * 50_000 * 4 * capacity.COPIES
    assert capacity.bytes_needed(SMALL) < 1e9
    free = capacity.bytes_free()
    assert free is None or free > 0
