"""The record of a run: written whole or not at all, read while it is written, and honest about what is
damaged.
"""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.runs import (
    RunError,
    RunReader,
    SnapshotError,
    control,
    create_run,
    files,
    list_runs,
    new_name,
    reader,
    resolve,
    store,
)
from rbm_core.runs import (
    runs_root as default_root,
)
from rbm_core.runs.recorder import Recorder, thinned
from rbm_core.runs.snapshot import Snapshot, encode, read_snapshot, snapshot_file

V, H, N, P = 13, 6, 5, 4  # not multiples of 8: rows of bits end in the middle of a byte
CONFIG = {"dataset": "bars-and-stripes", "n_hidden": H, "algorithm": "pcd", "k": 5}


def moment(step: int, visible: str = "bernoulli") -> Snapshot:
    """As training hands it over, and different at every step; W is one that half precision holds exactly."""
    rng = np.random.default_rng(step)
    gaussian = visible == "gaussian"
    v = rng.normal(size=(N, V)).astype(np.float16) if gaussian else rng.random((N, V)) < 0.5
    return Snapshot(
        step=step,
        W=rng.normal(size=(V, H)).astype(np.float16).astype(np.float32),
        vbias=rng.normal(size=V).astype(np.float32),
        hbias=rng.normal(size=H).astype(np.float32),
        log_var=rng.normal(size=V).astype(np.float32) if gaussian else None,
        particles_v=v.astype(np.float32 if gaussian else np.uint8),
        particles_h=(rng.random((N, H)) < 0.5).astype(np.uint8),
        probe_hidden=rng.integers(0, 256, (P, H)).astype(np.uint8),
        mean_hidden=rng.random(H).astype(np.float32),
        increment_counts=rng.integers(0, 9, (3, 64)).astype(np.int32),
        increment_edges=rng.normal(size=(3, 65)).astype(np.float32),
        meta={"epoch": step / 10, "learning_rate": 0.1, "visible": visible, "n_particles": N},
    )


@pytest.fixture
def run(runs_root: Path) -> Path:
    return create_run(runs_root, "demo", CONFIG, preset="quick")


def running(path: Path, **changes: Any) -> None:
    """Says of the run what a living trainer says; whether one lives is for the lock to tell."""
    Recorder(path).write_status({"state": "running", "heartbeat": time.time(), "step": 7, **changes})


# --- what is written is what is read ---


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_snapshot_read_back_equals_what_was_written(run: Path, visible: str) -> None:
    written = moment(40, visible)
    Recorder(run).write_snapshot(written)
    read = RunReader(run).snapshot(40)
    assert read.step == 40
    assert read.meta == {**written.meta, "step": 40}
    for field in dataclasses.fields(Snapshot):
        if field.name in ("step", "meta", "log_var"):
            continue
        ours, theirs = getattr(written, field.name), getattr(read, field.name)
        assert theirs.dtype == ours.dtype, field.name
        assert_array_equal(theirs, ours, err_msg=field.name)
    if written.log_var is None:
        assert read.log_var is None
    else:
        assert_array_equal(read.log_var, written.log_var)


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
    assert config["config"] == CONFIG
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
    assert read.config()["config"] == CONFIG


def test_status_always_has_every_key(run: Path) -> None:
    running(run)
    (run / "status.json").write_text('{"state": "stopped", "step": 9, "seconds": null}')
    status = RunReader(run).status()
    assert (status["state"], status["step"], status["seconds"], status["message"]) == ("stopped", 9, 0.0, "")
    (run / "status.json").unlink()
    assert RunReader(run).status()["state"] == "interrupted"


# --- written while read, and killed half-way ---


def test_torn_last_line_is_left_until_it_is_whole(run: Path) -> None:
    read, file = RunReader(run), run / "metrics.jsonl"
    file.write_bytes(b'{"step": 0, "x": 1}\n{"step": 10, "x"')
    assert_array_equal(read.metrics()["step"], [0])
    with file.open("ab") as more:
        more.write(b": 2}\n")
    assert_array_equal(read.metrics()["x"], [1, 2])


def test_append_after_a_kill_removes_the_torn_line_and_nothing_else(run: Path) -> None:
    file = run / "metrics.jsonl"
    for torn in (b'{"step": 10, "x"', b"\0" * 5000, b'{"step": 10}'):
        file.write_bytes(b'{"step": 0, "x": 1}\n' + torn)
        read = RunReader(run)
        assert_array_equal(read.metrics()["step"], [0])
        assert Recorder(run).append_metrics({"step": 20, "x": 2})
        assert_array_equal(read.metrics()["step"], [0, 20])
        assert file.read_bytes().count(b"\n") == 2


def test_rows_already_recorded_are_not_written_twice(run: Path) -> None:
    first = Recorder(run)
    for step in (0, 10, 20, 30):
        assert first.append_metrics({"step": step, "x": step})
    resumed = Recorder(run)
    assert [resumed.append_metrics({"step": step, "x": -1}) for step in (10, 20, 30, 40)] == [
        *(False, False, False, True)
    ]
    columns = RunReader(run).metrics()
    assert_array_equal(columns["step"], [0, 10, 20, 30, 40])
    assert_array_equal(columns["x"], [0, 10, 20, 30, -1])


def test_metrics_are_read_on_from_where_the_last_reading_ended(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, read = Recorder(run), RunReader(run)
    for step in range(2000):
        record.append_metrics({"step": step, "x": 0.5})
    read.metrics()
    parsed = []
    loads = json.loads
    monkeypatch.setattr(reader.json, "loads", lambda text: parsed.append(text) or loads(text))
    before = read.metrics()
    assert parsed == []
    assert read.metrics() is before
    record.append_metrics({"step": 2000, "x": 1})
    assert len(read.metrics()["step"]) == 2001
    assert len([text for text in parsed if b'"x"' in text]) == 1


def test_replaced_metrics_file_is_read_anew(run: Path) -> None:
    read, file = RunReader(run), run / "metrics.jsonl"
    file.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n')
    assert len(read.metrics()["step"]) == 3
    file.write_text('{"step": 7}\n')
    assert_array_equal(read.metrics()["step"], [7])
    file.unlink()
    assert read.metrics() == {}


def test_leftovers_of_a_killed_writer_are_ignored_then_cleaned(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    record.write_snapshot(moment(0))
    half = encode(moment(9))[:700]
    (run / "snapshots" / ".000000009.safetensors.tmp").write_bytes(half)
    (run / ".status.json.tmp").write_text('{"state": "run')
    (run / ".control.json.tmp").write_text('{"comm')
    assert read.snapshot_steps() == [0]
    record.clean()
    assert {path.name for path in run.rglob(".*.tmp")} == {".control.json.tmp"}
    record.write_snapshot(moment(9))
    assert read.snapshot_steps() == [0, 9]


KILLED_WRITER = """
    import sys
    from pathlib import Path
    from rbm_core.runs.recorder import Recorder
    import tests.core.test_runs as t
    record = Recorder(Path(sys.argv[1]), max_snapshots=5)
    print("go", flush=True)
    for step in range(10**6):
        record.append_metrics({"step": step, "x": "y" * (step % 3000)})
        record.write_status({"state": "running", "step": step, "message": "m" * (step % 5000)})
        record.write_live(t.moment(step))
        record.write_snapshot(t.moment(step))
"""


@pytest.mark.slow
def test_whatever_moment_a_writer_is_killed_at_the_run_reads_well(run: Path) -> None:
    rng = np.random.default_rng(0)
    seen = -1
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED_WRITER), str(run)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"go\n"
        read = RunReader(run)
        while not (read.snapshot_steps() and read.live()) and writer.poll() is None:
            time.sleep(0.005)
        time.sleep(float(rng.uniform(0.0, 0.12)))
        read.status()  # while it writes
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        status = read.status()
        assert status["state"] in ("interrupted", "starting")
        steps = read.snapshot_steps()
        assert 1 <= len(steps) <= 6
        for step in steps:
            assert read.snapshot(step).step == step
        live = read.live()
        assert live is not None
        assert_array_equal(live.hbias, moment(live.step).hbias)
        columns = read.metrics()["step"]
        assert_array_equal(columns, np.arange(len(columns)))
        assert len(columns) >= seen
        seen = len(columns)
        for leftover in run.glob("snapshots/0*"):
            leftover.unlink()


def test_concurrent_readers_never_see_a_half_file(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    end = time.monotonic() + 0.5
    rounds = 0
    while time.monotonic() < end:
        step = rounds % 7
        record.write_live(moment(step))
        record.write_status({"state": "running", "step": step})
        live = read.live()
        assert live is not None
        assert live.step == step, "a change within one tick of the file system's clock must be seen"
        assert read.status()["step"] == step
        rounds += 1
    assert rounds > 20


# --- damage is a sentence ---


def one_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text) < 300 and "Traceback" not in text


def rot(data: bytes) -> list[bytes]:
    """The ways a file goes bad."""
    return [
        b"",
        data[: len(data) // 2],
        data[:8],
        b"\0" * len(data),
        b"{}",
        b"[1]",
        b"\xff\xfe" + data,
        b"\xff" * 99,
    ]


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
def test_full_disk_is_told_from_the_device(run: Path) -> None:
    (run / ".status.json.tmp").symlink_to("/dev/full")
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
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("the disk is full")
    assert (run / "metrics.jsonl").read_text().endswith('a"}\n')
    assert_array_equal(RunReader(run).metrics()["step"], [0])


# --- who lives ---


def test_the_lock_says_who_lives_not_the_status(run: Path) -> None:
    read = RunReader(run)
    running(run, pid=os.getpid(), steps_per_s=99.0)
    assert read.status()["state"] == "interrupted"
    assert read.status()["steps_per_s"] == 0.0
    lock = files.hold_lock(run)
    assert lock is not None
    assert read.status()["state"] == "running"
    assert files.hold_lock(run, timeout=0.05) is None
    running(run, state="paused")
    assert read.status()["state"] == "paused"
    lock.release()
    assert read.status()["state"] == "interrupted"
    running(run, state="finished")
    assert read.status()["state"] == "finished"


def test_lock_of_a_killed_process_is_free(run: Path) -> None:
    program = f"""
        import time
        from pathlib import Path
        from rbm_core.runs import files
        lock = files.hold_lock(Path({str(run)!r}))
        print("held", flush=True)
        time.sleep(60)
    """
    running(run)
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert RunReader(run).status()["state"] == "running"
    holder.kill()
    # Not waited for: a zombie still has its pid, but no lock.
    end = time.monotonic() + 5
    while RunReader(run).status()["state"] == "running" and time.monotonic() < end:
        time.sleep(0.01)
    assert RunReader(run).status()["state"] == "interrupted"
    holder.wait()
    holder.stdout.close()


def test_run_just_created_may_start_but_not_for_ever(run: Path) -> None:
    read = RunReader(run)
    assert read.status()["state"] == "starting"
    Recorder(run).write_status({"state": "starting", "heartbeat": time.time() - reader.STARTING_GRACE_S - 1})
    assert read.status()["state"] == "interrupted"


def test_asking_who_lives_never_turns_a_trainer_away(run: Path) -> None:
    running(run)
    asker = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            f"from rbm_core.runs import RunReader\nread = RunReader({str(run)!r})\nprint(flush=True)\n"
            "while True: read.status()",
        ],
        stdout=subprocess.PIPE,
    )
    assert asker.stdout is not None
    asker.stdout.readline()
    try:
        for _ in range(50):
            lock = files.hold_lock(run)
            assert lock is not None
            lock.release()
    finally:
        asker.kill()
        asker.wait()
        asker.stdout.close()


def test_reading_a_finished_run_writes_nothing(run: Path) -> None:
    record = Recorder(run)
    record.write_snapshot(moment(0))
    record.append_metrics({"step": 0})
    record.write_status({"state": "finished", "step": 0})
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    read = RunReader(run)
    read.config(), read.status(), read.metrics(), read.events(), read.likelihood()
    read.snapshot_steps(), read.snapshot(0), read.live(), read.probe()
    list_runs(run.parent)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


# --- names and the list ---


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "ä",
        "x" * 81,
        "con",
        "NUL.txt",
        "a.",
    ],
)
def test_names_that_could_mislead_are_refused(runs_root: Path, name: str) -> None:
    with pytest.raises(RunError, match="a run cannot be called") as error:
        create_run(runs_root, name, CONFIG)
    assert one_sentence(str(error.value))
    with pytest.raises(RunError):
        resolve(runs_root, name)
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize("name", ["mnist-default-3f2a", "A", "7", "v1.2_final-b", "x" * 80])
def test_plain_names_are_taken(runs_root: Path, name: str) -> None:
    path = create_run(runs_root, name, CONFIG)
    assert resolve(runs_root, name) == path
    with pytest.raises(RunError, match="already a run"):
        create_run(runs_root, name, CONFIG)


def test_unknown_run_is_told_with_the_runs_there_are(runs_root: Path) -> None:
    with pytest.raises(RunError, match=r"no run 'x' in .*; there are: none yet"):
        resolve(runs_root, "x")
    create_run(runs_root, "mnist-500", CONFIG)
    with pytest.raises(RunError, match=r"no run 'x' in .*; there are: mnist-500"):
        resolve(runs_root, "x")
    for n in range(12):
        create_run(runs_root, f"r{n}", CONFIG)
    with pytest.raises(RunError, match="and 5 more"):
        resolve(runs_root, "x")


def test_new_names_say_what_is_trained_and_are_free(runs_root: Path) -> None:
    assert re.fullmatch(r"bars-and-stripes-quick-[0-9a-f]{4}", new_name(CONFIG, "quick", runs_root))
    assert re.fullmatch(r"bars-and-stripes-pcd5-[0-9a-f]{4}", new_name(CONFIG, root=runs_root))
    own = {**CONFIG, "dataset": "/home/me/My Pictures (2)/"}
    assert re.fullmatch(r"my-pictures-2-pcd5-[0-9a-f]{4}", new_name(own, root=runs_root))
    assert len({new_name(CONFIG, "quick", runs_root) for _ in range(50)}) > 40


def test_runs_are_listed_newest_first(runs_root: Path) -> None:
    assert list_runs(runs_root / "nowhere") == []
    for name in ("c", "a", "b"):
        create_run(runs_root, name, CONFIG, preset="quick")
        time.sleep(0.003)
    (runs_root / "notes.txt").write_text("not a run")
    (runs_root / "empty").mkdir()
    (runs_root / ".new-d-1234").mkdir()
    infos = list_runs(runs_root)
    assert [info.name for info in infos] == ["b", "a", "c"]
    assert {(info.dataset, info.preset, info.state, info.error) for info in infos} == {
        ("bars-and-stripes", "quick", "starting", None)
    }


def test_deleted_and_remade_run_is_listed_as_it_is_now(runs_root: Path, run: Path) -> None:
    import shutil

    Recorder(run).write_status({"state": "finished", "step": 50})
    assert list_runs(runs_root)[0].step == 50
    shutil.rmtree(run)
    assert list_runs(runs_root) == []
    create_run(runs_root, "demo", {**CONFIG, "dataset": "mnist-5k"})
    (info,) = list_runs(runs_root)
    assert (info.dataset, info.step, info.state) == ("mnist-5k", 0, "starting")


def test_root_comes_from_the_environment(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_root() == runs_root
    monkeypatch.delenv("RBM_RUNS_DIR")
    assert default_root() == Path(store.__file__).parents[2] / "checkpoints"


def test_run_that_starts_from_a_snapshot_holds_its_own_copy(runs_root: Path, run: Path) -> None:
    import shutil

    Recorder(run).write_snapshot(moment(5))
    fork = create_run(runs_root, "fork", CONFIG, origin={"run": "demo", "step": 5})
    shutil.rmtree(run)
    assert RunReader(fork).config()["origin"] == {"run": "demo", "step": 5}
    assert_array_equal(read_snapshot(fork / "origin.safetensors").hbias, moment(5).hbias)


def test_run_cannot_start_from_what_is_not_there_or_does_not_fit(runs_root: Path, run: Path) -> None:
    Recorder(run).write_snapshot(moment(5))
    for origin, change, sentence in (
        ({"run": "demo", "step": 6}, {}, "no snapshot at step 6"),
        ({"run": "../demo", "step": 5}, {}, "cannot be called"),
        ({"run": "other", "step": 5}, {}, "no run 'other'"),
        ({"run": "demo", "step": 5}, {"n_hidden": H + 1}, "has 6 hidden units"),
    ):
        with pytest.raises(RunError, match=sentence):
            create_run(runs_root, "fork", {**CONFIG, **change}, origin=origin)
    assert [path.name for path in runs_root.iterdir()] == ["demo"]


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError) as error:
        create_run(tmp_path / "file" / "runs", "demo", CONFIG)
    assert one_sentence(str(error.value))


# --- commands ---


@pytest.fixture
def live_run(run: Path) -> Any:
    """A run that seems to be trained: its lock is held."""
    running(run)
    lock = files.hold_lock(run)
    assert lock is not None
    yield run
    lock.release()


def test_commands_arrive_once_and_in_order(live_run: Path) -> None:
    assert control.take(live_run) == []
    control.send(live_run, "pause", by="page")
    control.send(live_run, "step", {"n": 10})
    control.send(live_run, "set", {"name": "learning_rate", "value": 0.01})
    taken = control.take(live_run)
    assert [(entry["command"], entry.get("value")) for entry in taken] == [
        ("pause", None),
        ("step", {"n": 10}),
        ("set", {"name": "learning_rate", "value": 0.01}),
    ]
    assert taken[0]["by"] == "page"
    assert len({entry["id"] for entry in taken}) == 3
    assert control.take(live_run) == []


def test_no_command_is_lost_between_senders_and_the_taker(live_run: Path) -> None:
    program = f"""
        from pathlib import Path
        from rbm_core.runs import control
        for n in range(60):
            control.send(Path({str(live_run)!r}), "step", {{"n": n + 1}})
    """
    senders = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)]) for _ in range(2)]
    taken: list[int] = []
    while any(sender.poll() is None for sender in senders):
        taken += [entry["value"]["n"] for entry in control.take(live_run)]
    taken += [entry["value"]["n"] for entry in control.take(live_run)]
    assert [sender.returncode for sender in senders] == [0, 0]
    assert sorted(taken) == sorted([*range(1, 61), *range(1, 61)])


@pytest.mark.parametrize(
    ("command", "value", "sentence"),
    [
        ("explode", None, "no command 'explode'; there are: pause, resume"),
        ("pause", 3, "pause takes no value"),
        ("set", {"name": "n_hidden", "value": 3}, "set changes one of learning_rate"),
        ("set", {"name": "learning_rate", "value": "fast"}, "learning_rate must be a number"),
        ("set", {"name": "learning_rate", "value": float("nan")}, "learning_rate must be a number"),
        ("step", {"n": 0}, "step needs"),
        ("step", None, "step needs"),
    ],
)
def test_commands_without_meaning_are_refused(
    live_run: Path, command: str, value: Any, sentence: str
) -> None:
    with pytest.raises(RunError, match=sentence):
        control.send(live_run, command, value)
    assert control.take(live_run) == []


def test_command_to_a_run_that_nobody_trains_says_so(run: Path) -> None:
    running(run, state="stopped")
    with pytest.raises(RunError, match="'demo' is not being trained \\(it is stopped\\); resume it first"):
        control.send(run, "pause")


def test_damaged_control_file_blocks_nobody(live_run: Path) -> None:
    (live_run / "control.json").write_text("{half")
    with pytest.raises(RunError, match=r"control\.json of run 'demo' is damaged"):
        control.take(live_run)
    assert control.take(live_run) == []
    (live_run / "control.json").write_text("{half")
    control.send(live_run, "stop")
    assert [entry["command"] for entry in control.take(live_run)] == ["stop"]


# --- which snapshots are kept ---


def test_kept_snapshots_are_bounded_and_hold_first_and_last(run: Path) -> None:
    record, read = Recorder(run, max_snapshots=8), RunReader(run)
    for step in range(0, 400, 10):
        record.write_snapshot(moment(step))
        steps = read.snapshot_steps()
        assert len(steps) <= 8
        assert (steps[0], steps[-1]) == (0, step)
    gaps = np.diff(read.snapshot_steps())
    assert gaps[0] >= gaps[-1], "thinning takes from the old ones"


@pytest.mark.parametrize("bound", [2, 3, 4, 7, 64])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 65, 130, 1000])
def test_thinning_reaches_the_bound_and_spares_both_ends(n: int, bound: int) -> None:
    steps = [step * step for step in range(n)]
    gone = thinned(steps, bound)
    kept = sorted(set(steps) - set(gone))
    assert len(kept) <= max(bound, 2)
    assert set(gone) <= set(steps)
    assert kept[:1] == steps[:1]
    assert kept[-1:] == steps[-1:]
    if n <= bound:
        assert gone == []


# --- what it costs ---


def milliseconds(work: Callable[[], Any], times: int = 50) -> float:
    """Of the fastest of a few calls: noise only ever adds."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def test_asking_again_costs_far_less_than_a_millisecond(runs_root: Path, run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    for step in range(60):
        record.write_snapshot(moment(step))
        record.append_metrics({"step": step, "x": 1.0})
    record.write_live(moment(60))
    running(run)
    lock = files.hold_lock(run)
    time.sleep(0.1)
    work: dict[str, Callable[[], Any]] = {
        "status": read.status,
        "config": read.config,
        "metrics": read.metrics,
        "steps": read.snapshot_steps,
        "live": read.live,
        "commands": lambda: control.take(run),
    }
    costs = {name: milliseconds(call) for name, call in work.items()}
    for n in range(19):
        create_run(runs_root, f"other-{n}", CONFIG)
        Recorder(runs_root / f"other-{n}").write_status({"state": "finished"})
    time.sleep(0.1)
    list_runs(runs_root)
    costs["a run in the list"] = milliseconds(lambda: list_runs(runs_root), 20) / 20
    assert lock is not None
    lock.release()
    assert max(costs.values()) < 0.5, costs
