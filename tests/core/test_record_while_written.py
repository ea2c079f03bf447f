"""A run is read well while it is written, and after its writer was killed at any moment."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rbm_core.runs import (
    RunReader,
    columns,
)
from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import encode
from tests.core.run_record import moment


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
    found = RunReader(run).metrics()
    assert_array_equal(found["step"], [0, 10, 20, 30, 40])
    assert_array_equal(found["x"], [0, 10, 20, 30, -1])


def test_metrics_are_read_on_from_where_the_last_reading_ended(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, read = Recorder(run), RunReader(run)
    for step in range(2000):
        record.append_metrics({"step": step, "x": 0.5})
    read.metrics()
    parsed, parse = [], columns.pydantic_core.from_json

    def noting(text: bytes, **options: bool) -> Any:
        parsed.append(text)
        return parse(text, **options)

    monkeypatch.setattr(columns, "pydantic_core", SimpleNamespace(from_json=noting))
    before = read.metrics()
    assert parsed == []
    assert read.metrics() is before
    record.append_metrics({"step": 2000, "x": 1})
    assert len(read.metrics()["step"]) == 2001
    assert sum(text.count(b'"x"') for text in parsed) == 1


def test_replaced_metrics_file_is_read_anew(run: Path) -> None:
    read, file = RunReader(run), run / "metrics.jsonl"
    file.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n')
    assert len(read.metrics()["step"]) == 3
    file.write_text('{"step": 7}\n')
    assert_array_equal(read.metrics()["step"], [7])
    file.unlink()
    assert read.metrics() == {}


@pytest.mark.parametrize("longer", [1, 3, 400])
@pytest.mark.parametrize("name", ["metrics.jsonl", "events.jsonl", "likelihood.jsonl"])
def test_a_record_made_anew_is_read_anew_also_where_it_is_longer_and_has_the_number_of_the_old_one(
    run: Path, name: str, longer: int
) -> None:
    """As a run has that is deleted and trained again, or a file that a copy is written over."""
    read, file = RunReader(run), run / name
    look = {
        "metrics.jsonl": lambda: [{"step": step} for step in read.metrics()["step"]],
        "events.jsonl": read.events,
        "likelihood.jsonl": read.likelihood,
    }[name]

    def rows(first: int, n: int) -> str:
        row = '{{"step": {}, "time": {}, "command": "pause", "estimator": "exact"}}\n'
        return "".join(row.format(step, first + step) for step in range(first, first + n))

    for first, n in ((0, 5), (1000, 5 + longer), (7, 6 + longer), (0, 800)):
        inode = file.stat().st_ino if file.exists() else None
        file.write_text(rows(first, n))
        assert inode in (None, file.stat().st_ino)
        assert [row["step"] for row in look()] == list(range(first, first + n))
        with file.open("a") as more:
            more.write(rows(first + n, 1))
        assert [row["step"] for row in look()] == list(range(first, first + n + 1))


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
    from tests.core.run_record import moment
    record = Recorder(Path(sys.argv[1]), max_snapshots=5)
    print("go", flush=True)
    for step in range(10**6):
        record.append_metrics({"step": step, "x": "y" * (step % 3000)})
        record.write_status({"state": "running", "step": step, "message": "m" * (step % 5000)})
        record.write_live(moment(step))
        record.write_snapshot(moment(step))
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
        steps_read = read.metrics()["step"]
        assert_array_equal(steps_read, np.arange(len(steps_read)))
        assert len(steps_read) >= seen
        seen = len(steps_read)
        for leftover in run.glob("snapshots/0*"):
            leftover.unlink()


def test_concurrent_readers_never_see_a_half_file(run: Path) -> None:
    record, read = Recorder(run), RunReader(run)
    for rounds in range(100):
        step = rounds % 7
        record.write_live(moment(step))
        record.write_status({"state": "running", "step": step})
        live = read.live()
        assert live is not None
        assert live.step == step, "a change within one tick of the file system's clock must be seen"
        assert read.status()["step"] == step
