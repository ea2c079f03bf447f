"""A run with ordered hidden units from the command line: grown, drawn from, judged, exported, imported, refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rbm_core.cli import main
from rbm_core.doctor.learning import dead_units
from rbm_core.doctor.record import record_of
from rbm_core.doctor.setup import first_weights, room_to_grow
from rbm_core.rbm import RBM
from rbm_core.runs.reader import RunReader
from rbm_core.runs.snapshot import Snapshot
from tests.small_run import GROWN, grow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the run "grown", which no test changes."""
    return grow(tmp_path_factory.mktemp("ordered"))


@pytest.fixture(scope="module")
def newest(root: Path) -> Snapshot:
    reader = RunReader(root / GROWN)
    return reader.snapshot(reader.snapshot_steps()[-1])


def test_the_record_shows_the_layer_growing(root: Path, newest: Snapshot) -> None:
    reader = RunReader(root / GROWN)
    steps, metrics = reader.snapshot_steps(), reader.metrics()
    in_use = [reader.snapshot(step).in_use for step in steps]
    assert in_use[0] == 0 < in_use[-1] == newest.in_use <= 14
    assert metrics["units_in_use"][0] == 0
    assert metrics["units_in_use"][-1] == newest.in_use
    assert (metrics["units_taking_part"] <= metrics["units_in_use"]).all()
    for step in steps:
        one = reader.snapshot(step)
        assert not one.W[:, one.in_use :].any()
        assert one.meta["penalty"] == 1.01


def test_annealing_and_the_ladder_find_what_enumeration_counts(root: Path) -> None:
    store = ["--runs", str(root)]
    assert main(["evaluate", GROWN, "--estimator", "exact", *store]) == 0
    exact = RunReader(root / GROWN).likelihood()[-1]["log_z"]
    for more in (["--temperatures", "300"], ["--estimator", "trajectory", "--chains", "20"]):
        assert main(["evaluate", GROWN, *more, *store]) == 0
        found = RunReader(root / GROWN).likelihood()[-1]
        assert found["log_z"] == pytest.approx(exact, abs=max(5 * found["stderr"], 0.3))


def test_samples_are_drawn_from_every_start(root: Path, tmp_path: Path) -> None:
    for start in ("noise", "gaussian", "data", "particles"):
        out = tmp_path / f"{start}.png"
        common = ["--chains", "4", "--sweeps", "5", "--runs", str(root), "--out", str(out)]
        assert main(["sample", GROWN, "--start", start, *common]) == 0
        assert out.exists()


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_export_and_import_keep_the_order(root: Path, newest: Snapshot, tmp_path: Path, ending: str) -> None:
    out, store = tmp_path / f"grown.{ending}", tmp_path / "runs"
    assert main(["export", GROWN, "--out", str(out), "--runs", str(root)]) == 0
    again = ["import", str(out), "--name", "again", "--dataset", "digits-8", "--runs", str(store)]
    assert main(again) == 0
    reader = RunReader(store / "again")
    kept, config = reader.snapshot(0), reader.config()["config"]
    assert config["ordered"]
    assert config["penalty"] == kept.parameters()["penalty"] == 1.01
    np.testing.assert_array_equal(kept.W, newest.W)


def test_a_bundle_opens_elsewhere_and_a_run_starts_at_its_weights(root: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "grown.zip", tmp_path / "runs"
    assert main(["export", GROWN, "--out", str(out), "--runs", str(root)]) == 0
    assert main(["import", str(out), "--name", "again", "--runs", str(store)]) == 0
    more = ["--name", "further", "--set", "updates=20", "--runs", str(store)]
    assert main(["train", "--from", "again", *more]) == 0
    metrics = RunReader(store / "further").metrics()
    assert metrics["units_in_use"][0] == RunReader(store / "again").metrics()["units_in_use"][-1]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.split())


def test_what_does_not_fit_is_refused_in_a_sentence(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, data = ["--runs", str(tmp_path)], ["--dataset", "digits-8"]
    train = ["train", *data, "--set", "ordered=true", *store]
    assert "need labels false, got true" in refused([*train, "--set", "labels=true"], capsys)
    assert "penalty must be greater than 1" in refused([*train, "--set", "penalty=1"], capsys)
    out = tmp_path / "grown.onnx"
    said = refused(["export", GROWN, "--out", str(out), "--runs", str(root)], capsys)
    assert "without ordered hidden units" in said
    assert main(["export", GROWN, "--out", str(tmp_path / "a.safetensors"), "--runs", str(root)]) == 0
    arrays = load_file(tmp_path / "a.safetensors")
    for number, penalty in enumerate(([0.9], [np.nan], [1.1, 1.2], [])):
        path = tmp_path / f"{number}.safetensors"
        save_file({**arrays, "penalty": np.array(penalty, np.float64)}, path)
        said = refused(["import", str(path), "--name", f"new-{number}", *data, *store], capsys)
        assert "penalty must be one number above 1" in said


def test_a_starting_model_of_another_layer_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = ["train", "--from", GROWN, "--name", "other", "--runs", str(root)]
    said = refused([*start, "--set", "ordered=false"], capsys)
    assert "ordered hidden units of penalty 1.01" in said


def test_the_doctor_says_when_the_layer_is_full(root: Path, newest: Snapshot) -> None:
    record = record_of(RunReader(root / GROWN))
    rows = len(record.metrics["step"])
    for used, well in ((13, True), (14, False)):
        told = room_to_grow(replace(record, metrics={**record.metrics, "units_in_use": np.full(rows, used)}))
        assert told is not None
        assert told.well is well
        assert f"{used} of 14 places" in told.evidence
    assert dead_units(record) == room_to_grow(record)
    assert first_weights(record) is None
    assert RBM.from_numpy(**newest.parameters()).in_use == newest.in_use
