"""What is written of a run is what is read: snapshots, metrics, events, resume states, status."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.config import make_config
from rbm_core.runs import (
    RunReader,
    files,
)
from rbm_core.runs.layout import Status
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import Snapshot, encode
from tests.core.run_record import CONFIG, moment, running


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_snapshot_read_back_equals_what_was_written(run: Path, visible: str) -> None:
    written = moment(40, visible)
    Recorder(run).write_snapshot(written)
    read = RunReader(run).snapshot(40)
    assert read.step == 40
    assert read.meta == {**written.meta, "step": 40}
    for field in dataclasses.fields(Snapshot):
        if field.name in ("step", "meta"):
            continue
        ours, theirs = getattr(written, field.name), getattr(read, field.name)
        if ours is None:
            assert theirs is None, field.name
            continue
        assert theirs.dtype == ours.dtype, field.name
        assert_array_equal(theirs, ours, err_msg=field.name)


@pytest.mark.parametrize("largest", [65_504.0, 65_536.0, 1e30])
def test_weights_beyond_half_precision_are_kept_finite(run: Path, largest: float) -> None:
    W = moment(3).W.copy()
    W[1, 2] = -largest
    Recorder(run).write_snapshot(dataclasses.replace(moment(3), W=W))
    assert_array_equal(RunReader(run).snapshot(3).W, W)


def test_weights_are_stored_in_half_precision_where_it_holds_them(run: Path) -> None:
    arrays, _ = files.tensors_from(encode(moment(3)))
    assert arrays["W"].dtype == np.float16


def test_metrics_read_back_as_columns_of_one_length(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    assert read.metrics() == {}
    record.append_metrics({"step": 0, "free_energy_train": 1.5, "dead_units": np.int64(3)})
    record.append_metrics({"step": 10, "free_energy_train": float("nan"), "late": np.float32(0.25)})
    columns = read.metrics()
    assert_array_equal(columns["step"], [0, 10])
    assert columns["step"].dtype == np.int64
    assert_array_equal(columns["free_energy_train"], [1.5, np.nan])
    assert_array_equal(columns["dead_units"], [3, np.nan])
    assert_array_equal(columns["late"], [np.nan, 0.25])
    assert '"free_energy_train": null' in (run / "metrics.jsonl").read_text()


def test_many_metrics_rows_survive_growth_of_the_columns(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    early = None
    for step in range(1500):
        record.append_metrics({"step": step, "x": step / 2} if step < 1000 else {"step": step, "y": 1})
        if step % 100 == 0:
            columns = read.metrics()
            early = columns if early is None else early
    columns = read.metrics()
    assert_array_equal(columns["step"], np.arange(1500))
    assert_array_equal(columns["x"][:1000], np.arange(1000) / 2)
    assert np.isnan(columns["x"][1000:]).all()
    assert_array_equal(columns["y"][1000:], np.ones(500))
    assert early is not None
    assert len(early["step"]) == 1, "what was handed out earlier must not change"


def test_resume_state_comes_back_bit_for_bit(run: Path) -> None:
    import torch

    tensors = {
        "f32": torch.randn(5, 3),
        "bf16": torch.randn(4, 4).to(torch.bfloat16),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
        "ints": torch.arange(7),
        "transposed": torch.randn(3, 2).T,
        "half_of_a_buffer": torch.arange(10.0)[5:],
    }
    meta = {"training": {"rngs": {"chains": {"calls": 2**53 - 1}}, "loss": [0.1, 3]}, "seconds": 1.25}
    Recorder(run).write_resume(tensors, meta)
    read, read_meta = Recorder(run).read_resume()
    assert read_meta == meta
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert read[name].contiguous().view(torch.uint8).equal(tensor.contiguous().view(torch.uint8)), name


def test_events_likelihood_and_probe_read_back(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    assert (read.events(), read.likelihood(), read.probe()) == ([], [], None)
    record.append_event(12, "set", {"name": "learning_rate", "value": 0.01}, by="page")
    record.append_likelihood(
        {"step": 12, "estimator": "ais", "log_z": np.float64(3.5), "stderr": float("inf")}
    )
    record.write_probe({"v": np.arange(8, dtype=np.uint8).reshape(2, 4), "labels": np.array([3, 1])})
    (event,) = read.events()
    assert event.items() >= {"step": 12, "command": "set", "by": "page"}.items()
    assert event["value"] == {"name": "learning_rate", "value": 0.01}
    (row,) = read.likelihood()
    assert (row["log_z"], row["stderr"]) == (3.5, None)
    probe = read.probe()
    assert probe is not None
    assert_array_equal(probe.v, np.arange(8).reshape(2, 4))
    assert_array_equal(probe.labels, [3, 1])


def test_created_run_is_whole_from_the_first_moment(run: Path) -> None:
    read = RunReader(run)
    config = read.config()
    assert json.loads((run / "config.json").read_text())["config"] == CONFIG
    assert config["config"] == make_config(**CONFIG).model_dump(), "what it does not say is at its default"
    assert (config["schema"], config["name"], config["preset"], config["origin"]) == (
        1,
        "demo",
        "quick",
        None,
    )
    assert read.status()["state"] == "starting"
    assert read.snapshot_steps() == []
    Recorder(run).complete_config(precision="bfloat16", device={"name": "cpu", "kind": "cpu"})
    assert read.config()["precision"] == "bfloat16"
    assert read.config()["config"] == config["config"]


def test_status_always_has_every_key(run: Path) -> None:
    running(run)
    (run / "status.json").write_text('{"state": "stopped", "step": 9, "seconds": null}')
    status = RunReader(run).status()
    assert (status["state"], status["step"], status["seconds"], status["message"]) == ("stopped", 9, 0.0, "")
    assert status.keys() == Status.__annotations__.keys()
    (run / "status.json").unlink()
    assert RunReader(run).status()["state"] == "interrupted"
