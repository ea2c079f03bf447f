"""The lock of a run says whether a trainer lives; readers neither take it nor write."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from rbm_core.runs import (
    RunReader,
    files,
    list_runs,
    reader,
)
from rbm_core.runs.recorder import Recorder
from tests.core.run_record import moment, running
from tests.live import until


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
    until(lambda: RunReader(run).status()["state"] == "interrupted", 5, "its lock is not free")
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
