"""What a full store and a long record cost: python -m tests.benchmarks.scale [runs] [rows]

Makes a store of 2,000 small runs and a record of 2,000,000 rows in a temporary folder, and prints the seconds by the
clock and of the processor: of the list in a fresh process, first and again; of `python -m rbm_core runs` as a process
with all that it loads; of Compare in a fresh process, first with all that it loads and again; and of reading the
record, with the memory that it takes.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rbm_core.runs import create_run
from rbm_core.runs.recorder import Recorder
from tests.core.run_record import CONFIG
from tests.live import REPO

NAMES = [f"column_{n}" for n in range(24)]
PEAK = 123_456.0


def fill(root: Path, n: int) -> None:
    """Puts n runs into a store, each with its settings, a status and ten rows."""
    original = create_run(root, "run-0", CONFIG)
    Recorder(original).write_status({"state": "stopped", "step": 90})
    for step in range(10):
        Recorder(original).append_metrics(
            {"step": step, "free_energy_train": 1.0, "reconstruction_error": 0.1}
        )
    files = {file.name: file.read_bytes() for file in original.iterdir() if file.is_file()}
    for k in range(1, n):
        (root / f"run-{k}").mkdir()
        for name, content in files.items():
            (root / f"run-{k}" / name).write_bytes(content)


def write_rows(run: Path, n: int) -> None:
    """n rows of 25 numbers; row n // 3 has a peak in every column."""
    line = json.dumps({"step": 7, **dict.fromkeys(NAMES, 0.25)}) + "\n"
    peak = line.replace("0.25", str(PEAK))
    with open(run / "metrics.jsonl", "w") as file:
        for step in range(n):
            file.write((peak if step == n // 3 else line).replace(": 7,", f": {step},", 1))


# Each does it with the path argv[1], and prints what is counted, and seconds by the clock and of the processor.
_TIMED = """
import sys, time
from pathlib import Path
def timed(do):
    began, used = time.perf_counter(), time.process_time()
    n = do()
    print(n, time.perf_counter() - began, time.process_time() - used)
path = Path(sys.argv[1])
"""
LIST = f"""{_TIMED}
from rbm_core.runs import list_runs
for _ in range(2):
    timed(lambda: len(list_runs(path)))
"""
COMPARE = f"""{_TIMED}
def opened():
    from tests.dashboard.opened import open_page
    app = open_page("compare")
    assert not app.exception
    return len(app.main)
for _ in range(2):
    timed(opened)
"""
READ = f"""{_TIMED}
import resource
from rbm_core.runs import RunReader
reader = RunReader(path)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
timed(lambda: len(reader.metrics()["step"]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""


def told(code: str, path: Path) -> list[list[float]]:
    """The numbers on each line that this code prints, in a process of its own."""
    environment = {**os.environ, "RBM_RUNS_DIR": str(path)}
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(
        command,
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def command_line(root: Path) -> tuple[int, float, float]:
    """(lines printed, seconds by the clock, of the processor) of `python -m rbm_core runs`."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "rbm_core", "runs", "--runs", str(root)]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, check=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return len(done.stdout.splitlines()), took, used


def main() -> None:
    n_runs, n_rows = (int(one) for one in [*sys.argv[1:], *("2000", "2000000")[len(sys.argv) - 1 :]])
    place = Path(tempfile.mkdtemp(prefix="rbm-scale-"))
    try:
        store, long = place / "store", create_run(place / "long", "long", CONFIG)
        fill(store, n_runs)
        write_rows(long, n_rows)
        print(f"{'':32}{'count':>9}{'s':>8}{'CPU s':>8}")
        for what, numbers in (
            *zip(("list, fresh process", "list, again"), told(LIST, store), strict=True),
            ("python -m rbm_core runs", command_line(store)),
            ("python -m rbm_core runs, again", command_line(store)),
            *zip(("Compare, fresh process", "Compare, again"), told(COMPARE, store), strict=True),
        ):
            print(f"{what:32}{numbers[0]:9,.0f}{numbers[1]:8.2f}{numbers[2]:8.2f}")
        (_, took, used), (megabytes,) = told(READ, long)
        print(f"{'rows of a record read':32}{n_rows:9,}{took:8.2f}{used:8.2f}  {megabytes:.0f} MB")
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
