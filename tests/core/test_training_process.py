"""A real training in a run's folder: the record is complete, and what cannot begin says why."""

import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.config import PRECISIONS, make_config
from rbm_core.gradient import Phases
from rbm_core.runs import RunReader, control, create_run
from rbm_core.runs.recorder import Recorder
from rbm_core.sparse import SparsePhases
from rbm_core.training import Training, begin
from rbm_core.training import process as training_process
from tests.core.training_runs import TINY, Watcher, final_state, make_run


def test_record_of_a_run_is_complete(runs_root: Path) -> None:
    path = make_run(runs_root, "whole", epochs=30)
    seen: list[tuple[str, int]] = []
    assert (
        training_process.run(path, lambda status, row: seen.append((status["state"], row.get("step", -1))))
        == "finished"
    )
    read = RunReader(path)
    status, config = read.status(), read.config()
    assert (status["step"], status["n_steps"], status["epoch"], status["n_epochs"]) == (480, 480, 30.0, 30)
    assert status["steps_per_epoch"] == 16
    assert config["data"]["image_shape"] == [4, 4]
    assert config["data"]["n_train"] == 32
    assert config["device"]["kind"] in ("cpu", "cuda")
    assert config["precision"] in PRECISIONS
    assert set(config["versions"]) == {"python", "torch", "numpy", "rbm_core"}
    assert (read.snapshot_steps()[0], read.snapshot_steps()[-1]) == (0, 480)
    assert len(read.snapshot_steps()) <= TINY["max_snapshots"]
    rows = read.metrics()
    assert (rows["step"][0], rows["step"][-1]) == (0, 480)
    assert (np.diff(rows["step"]) > 0).all()
    assert (np.diff(rows["seconds"]) >= 0).all()
    probe = read.probe()
    assert probe is not None
    assert probe.v.shape[0] == read.snapshot(480).probe_hidden.shape[0]
    assert read.live() is None, "the last snapshot is the newest view of a finished run"
    assert seen[0][0] == "starting"
    assert seen[-1] == ("finished", 480)
    last = read.snapshot(480)
    parameters = final_state(path)[0]
    assert_array_equal(last.W, parameters["parameter.0"].numpy().astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("binarisation", "begun", "later", "phases"),
    [
        ("stochastic", "int16", "differences", SparsePhases),
        ("stochastic", "differences", "float32", SparsePhases),
        ("stochastic", "float32", "differences", Phases),
        ("none", "differences", "float32", Phases),  # grey pixels
    ],
)
def test_the_precision_that_auto_chose_at_the_first_start_is_recorded_and_kept(
    binarisation: str,
    begun: str,
    later: str,
    phases: type,
    runs_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = {
        "dataset": "mnist-5k",
        "n_hidden": 128,
        "n_chains": 100,
        "updates": 100_000,
        "precision": "auto",
    }
    path = make_run(runs_root, "kept", **fields, binarisation=binarisation)
    used: list[tuple[int, str, type]] = []
    update = Training.update

    def noted(self: Training) -> Any:
        used.append((self.step, self.state.precision, type(self.state.phases)))
        return update(self)

    monkeypatch.setattr(Training, "update", noted)
    for chosen_now in (begun, later):
        monkeypatch.setenv("RBM_PRECISION", chosen_now)
        watcher = Watcher(path)
        watcher.when(lambda status: status["state"] == "running", lambda: control.send(path, "stop"))
        assert training_process.run(path, watcher) == "stopped"
        config = RunReader(path).config()
        assert config["config"]["precision"] == "auto"
        assert (config["precision"], config["precision_note"]) == (begun, f"{begun} (set by RBM_PRECISION)")
        assert final_state(path)[1]["dtype"] == begun
    assert {(precision, kind) for _, precision, kind in used} == {(begun, phases)}
    steps = [step for step, *_ in used]
    assert steps == list(range(len(steps))), "the second start went on from the first"


def test_the_memory_of_a_saved_state_is_free_when_it_is_handed_back(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[weakref.ref[Any]] = []
    alive: list[int] = []
    write = Recorder.write_resume

    def noted(self: Recorder, tensors: Any, meta: Any) -> None:
        write(self, tensors, meta)
        own = {name for name, _ in tensors.items() if name.startswith("parameter.")}
        written[:] = [weakref.ref(tensors[name]) for name in own]

    monkeypatch.setattr(Recorder, "write_resume", noted)
    monkeypatch.setattr(
        training_process,
        "hand_back_memory",
        lambda: alive.append(sum(kept() is not None for kept in written)),
    )
    assert training_process.run(make_run(runs_root, "saved", epochs=5)) == "finished"
    assert written
    assert alive
    assert set(alive) == {0}


def test_run_trained_to_its_end_has_nothing_left_to_do(runs_root: Path) -> None:
    path = make_run(runs_root, "done", epochs=5)
    assert training_process.run(path) == "finished"
    rows = (path / "metrics.jsonl").read_bytes()
    assert training_process.run(path) == "finished"
    assert (path / "metrics.jsonl").read_bytes() == rows


def test_run_that_starts_from_a_snapshot_has_its_parameters_and_new_settings(runs_root: Path) -> None:
    first = make_run(runs_root, "first", epochs=10)
    assert training_process.run(first) == "finished"
    start = RunReader(first).snapshot(160)
    fork = create_run(
        runs_root,
        "fork",
        make_config(**{**TINY, "epochs": 3, "learning_rate": 0.001, "algorithm": "cd", "k": 1}),
        origin={"run": "first", "step": 160},
    )
    assert training_process.run(fork) == "finished"
    read = RunReader(fork)
    begun = read.snapshot(0)
    for name in ("W", "vbias", "hbias"):
        assert_array_equal(getattr(begun, name), getattr(start, name), err_msg=name)
    assert read.metrics()["learning_rate"][0] == 0.001
    assert np.abs(read.snapshot(48).W - start.W).max() > 0


def test_run_does_not_go_on_with_other_data(runs_root: Path) -> None:
    path = make_run(runs_root, "changed", epochs=5)
    assert training_process.run(path) == "finished"
    config = RunReader(path).config()
    Recorder(path).complete_config(data={**config["data"], "fingerprint": "0123456789abcdef"})
    assert training_process.run(path) == "failed"
    assert "have changed since this run began" in RunReader(path).status()["message"]


def test_missing_data_is_one_sentence_in_the_status(runs_root: Path, tmp_path: Path) -> None:
    path = make_run(runs_root, "no-data", dataset=str(tmp_path / "pictures"))
    assert training_process.run(path) == "failed"
    message = RunReader(path).status()["message"]
    assert "pictures" in message
    assert "\n" not in message
    assert not (path / "trainer.log").exists(), "a sentence for the user needs no traceback"


def test_the_engine_is_used_after_its_import_has_ended(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images are read while a thread imports; a second import meanwhile would meet half a numba, and hang."""
    images_read, happened = threading.Event(), []

    def import_engine() -> None:
        images_read.wait(60)
        threading.Event().wait(0.2)  # time for a trainer that does not wait to go on
        happened.append("imported")

    def say(sentence: str) -> None:
        if sentence == "Preparing the first update.":
            images_read.set()

    def ready(*_: Any) -> tuple[None, None]:
        happened.append("used")
        return None, None

    monkeypatch.setattr(begin, "_import_engine", import_engine)
    monkeypatch.setattr(begin, "_ready", ready)
    path = make_run(runs_root, "young")
    begin.begun(Recorder(path), RunReader(path).config(), say, download=False, on_download=lambda *_: None)
    assert happened == ["imported", "used"]
