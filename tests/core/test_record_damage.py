"""A damaged file costs one sentence, and the rest of the run still reads; a failed write loses nothing."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.evaluation import evaluate
from rbm_core.runs import (
    RunError,
    RunReader,
    SnapshotError,
    create_run,
    files,
    layout,
    list_runs,
)
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import encode, snapshot_file
from tests.core.run_record import CONFIG, H, N, P, V, moment, one_sentence, rot


def test_damaged_snapshot_is_one_sentence_and_the_others_still_read(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    record.write_snapshot(moment(0))
    record.write_snapshot(moment(5))
    file = snapshot_file(run, 5)
    for bad in rot(file.read_bytes()):
        file.write_bytes(bad)
        with pytest.raises(SnapshotError, match=r"000000005\.safetensors of run 'demo' is damaged") as error:
            read.snapshot(5)
        assert one_sentence(str(error.value))
        assert read.snapshot(0).step == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("W", np.zeros(4, np.float16)),
        ("vbias", np.zeros(V + 1, np.float32)),
        ("particles_v", np.zeros((N, 1), np.uint8)),
        ("particles_v", np.zeros((N, 2), np.float32)),
        ("probe_hidden", np.zeros((P, H + 1), np.uint8)),
        ("hbias", None),
    ],
)
def test_snapshot_whose_parts_do_not_fit_is_refused(run: Path, name: str, value: np.ndarray | None) -> None:
    arrays, meta = files.tensors_from(encode(moment(5)))
    del arrays[name]
    if value is not None:
        arrays[name] = value
    snapshot_file(run, 5).write_bytes(files.tensor_bytes(arrays, meta))
    with pytest.raises(SnapshotError, match=name) as error:
        RunReader(run).snapshot(5)
    assert one_sentence(str(error.value))


def test_missing_snapshot_names_the_nearest(run: Path) -> None:
    read = RunReader(run)
    with pytest.raises(SnapshotError, match="has none yet"):
        read.snapshot(3)
    for step in (0, 10, 20):
        Recorder(run).write_snapshot(moment(step))
    with pytest.raises(SnapshotError, match="no snapshot at step 12; the nearest is at step 10"):
        read.snapshot(12)
    assert [read.nearest_step(step) for step in (-5, 4, 5, 15, 16, 999)] == [0, 0, 0, 10, 20, 20]


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_damaged_json_is_one_sentence_and_never_takes_the_list_down(
    runs_root: Path, run: Path, name: str
) -> None:
    create_run(runs_root, "sound", CONFIG)
    file = run / name
    whole = file.read_bytes()
    damages = [
        b"",
        whole[:20],
        b"[]",
        b"null",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"schema": "x", "state": 3}',
    ]
    for bad in damages:
        file.write_bytes(bad)
        with pytest.raises(RunError, match=f"{name} of run 'demo' is damaged") as error:
            RunReader(run).config() and RunReader(run).status()
        assert one_sentence(str(error.value))
        infos = {info.name: info for info in list_runs(runs_root)}
        assert infos["demo"].error == str(error.value)
        assert infos["sound"].error is None
        assert not infos["demo"].live
    file.write_bytes(whole)
    assert {info.error for info in list_runs(runs_root)} == {None}


def test_run_of_a_newer_version_says_so(run: Path) -> None:
    (run / "config.json").write_text(json.dumps({"schema": 2, "config": {}}))
    with pytest.raises(RunError, match="newer version"):
        RunReader(run).config()


@pytest.mark.parametrize(
    "status", [{"state": "dancing"}, {"state": "running", "step": "seven"}, {"step": True}]
)
def test_status_that_means_nothing_is_refused(run: Path, status: dict[str, Any]) -> None:
    (run / "status.json").write_text(json.dumps(status))
    with pytest.raises(RunError, match=r"status\.json of run 'demo' is damaged"):
        RunReader(run).status()


@pytest.mark.parametrize("bad", [b"{broken}\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_damaged_line_among_the_metrics_is_named(run: Path, bad: bytes) -> None:
    file, read = run / "metrics.jsonl", RunReader(run)
    file.write_bytes(b'{"step": 0}\n{"step": 1}\n' + bad + b'{"step": 2}\n')
    for _ in range(2):
        with pytest.raises(RunError, match=r"metrics\.jsonl of run 'demo' is damaged at line 3") as error:
            read.metrics()
    assert one_sentence(str(error.value))
    file.write_bytes(b'{"step": 0}\n{"step": 1}\n{"step": 2}\n')
    assert_array_equal(read.metrics()["step"], [0, 1, 2])


def test_damaged_resume_state_says_what_to_do(run: Path) -> None:
    import torch

    record, file = Recorder(run), run / "resume.safetensors"
    with pytest.raises(RunError, match="no saved state"):
        record.read_resume()
    record.write_resume({"x": torch.zeros(3)}, {"step": 1})
    for bad in rot(file.read_bytes()):
        file.write_bytes(bad)
        with pytest.raises(RunError, match="start a new run from its last snapshot") as error:
            record.read_resume()
        assert one_sentence(str(error.value))


def test_damaged_live_view_is_simply_not_there(run: Path) -> None:
    (run / "live.safetensors").write_bytes(b"half")
    assert RunReader(run).live() is None
    Recorder(run).write_live(moment(3))
    live = RunReader(run).live()
    assert live is not None
    assert live.step == 3


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "no permission to write in"),
        (errno.EROFS, "no permission to write in"),
        (errno.EIO, "could not be written"),
    ],
)
def test_failed_write_is_one_sentence_and_loses_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    record, read = Recorder(run), RunReader(run)
    record.write_snapshot(moment(5))
    record.append_metrics({"step": 0})

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(files.os, "fsync", fail)
        for write in (
            lambda: record.write_snapshot(moment(5)),
            lambda: record.write_status({"state": "stopped"}, durable=True),
            lambda: record.append_likelihood({"step": 1}),
        ):
            with pytest.raises(RunError, match=sentence) as error:
                write()
            assert one_sentence(str(error.value))
    assert read.snapshot(5).step == 5
    assert read.status()["state"] == "starting"
    assert read.likelihood() == []
    assert not list(run.rglob(".*.tmp")), "on a full disk the half-written file must go"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full of Linux")
def test_a_full_disk_is_recognised_on_the_device(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.inside, "open_new", lambda name, at: os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(RunError, match=r"the disk is full: status\.json of run 'demo' could not be written"):
        Recorder(run).write_status({"state": "running"})
    assert RunReader(run).status()["state"] == "starting"


def test_line_that_does_not_fit_on_the_disk_is_taken_back(run: Path) -> None:
    """A limit on the size of files cuts the second row short, as a full disk does."""
    program = f"""
        import resource, signal
        from rbm_core.runs.recorder import Recorder
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        record = Recorder({str(run)!r})
        record.append_metrics({{"step": 0, "x": "a" * 40}})
        try:
            record.append_metrics({{"step": 1, "x": "b" * 90}})
        except ValueError as error:
            print(error)
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("the disk is full")
    assert (run / "metrics.jsonl").read_text().endswith('a"}\n')
    assert_array_equal(RunReader(run).metrics()["step"], [0])


@pytest.fixture
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of lines that are full with 64 kB in them."""
    monkeypatch.setattr(layout, "MOST_OF_LINES", 3 * layout.LONGEST_LINE)


def test_events_end_with_a_row_that_says_so_before_they_are_too_many_to_be_read(
    run: Path, short_files: None
) -> None:
    recorder, before = Recorder(run), RunReader(run).events()
    for n in range(2000):
        recorder.append_event(n, "set", {"name": "learning_rate", "value": 0.1}, by="page")
    rows = RunReader(run).events()
    assert rows[: len(before)] == before
    *others, last = rows[len(before) :]
    assert [row["step"] for row in others] == list(range(len(others)))
    assert 500 < len(others) == last["step"]
    assert last["command"] == "full"
    Recorder(run).append_event(3000, "stop")
    assert RunReader(run).events() == rows


def test_likelihoods_are_refused_before_they_are_too_many_to_be_read(run: Path, short_files: None) -> None:
    recorder, said = Recorder(run), r"likelihood\.jsonl of run '\w+' is full.*remove old lines"
    file = run / "likelihood.jsonl"
    file.write_bytes(b"".join(b'{"step": %d}\n' % n for n in range(3000)))
    while file.stat().st_size <= layout.LONGEST_LINE:
        recorder.append_likelihood({"step": 3000, "verdict": 5000 * "a"})
    with pytest.raises(RunError, match=said):
        recorder.append_likelihood({"step": 3001})
    rows = RunReader(run).likelihood()
    assert [row["step"] for row in rows[:3000]] == list(range(3000))
    assert {row["step"] for row in rows[3000:]} == {3000}
    recorder.write_snapshot(moment(0))
    with pytest.raises(RunError, match=said):
        evaluate(run, estimator="pseudo")
    assert not (run / "evaluations").exists(), "it was begun"
