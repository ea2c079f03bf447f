"""Fifty tabs on one live run: python -m tests.benchmarks.classroom [tabs] [seconds] [runs]

Prints how often each tab is shown a new state, the processor time of server and tabs, the server's and the trainers'
memory, and the trainers' updates a second; ends with exit code 1 where one of them is beyond what is promised. `make
soak` runs it for half an hour.

The tabs are websocket clients that ask and are answered as Streamlit's page in a browser (tests/tab.py); they are
threads of this process and draw nothing, since a class has computers of its own for that. What is measured begins when
every tab has its page. Trains preset "default" on the bundled digits.
"""

import os
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from dashboard.processes import trainers
from rbm_core.config import preset
from rbm_core.runs import RunReader, control
from tests.benchmarks.streaming import cpu_seconds
from tests.live import App, until
from tests.tab import Tab

OPENS_WITHIN_S = 600.0  # all tabs at once ask for their first page, beside trainers on the same cores
LEAST_REFRESHES, MOST_CORES, MOST_GROWTH_MB = 0.5, 1.0, 50.0


def megabytes(pid: int) -> float:
    """The resident memory of a process (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch(port: int, run: str, seconds: float, opened: threading.Barrier) -> tuple[float, float, int]:
    """(refreshes a second, longest wait for one, bytes received) of a tab that watches for so long.

    opened: where each tab waits until all have their pages.
    """
    with Tab(port, run=run, patience=OPENS_WITHIN_S) as tab:
        opened.wait(OPENS_WITHIN_S)
        tab.refreshes.clear()
        tab.received = 0
        tab.follow(seconds)
        gaps = [b - a for a, b in zip(tab.refreshes, tab.refreshes[1:], strict=False)]
        assert tab.errors == []
        assert tab.shown_runs <= {run}, f"{run} was shown {tab.shown_runs}"
        return len(tab.refreshes) / seconds, max(gaps, default=seconds), tab.received


def main() -> None:
    n_tabs, seconds, n_runs = (int(one) for one in [*sys.argv[1:], *("50", "60", "1")[len(sys.argv) - 1 :]])
    root = Path(tempfile.mkdtemp(prefix="rbm-classroom-"))
    os.environ["RBM_RUNS_DIR"] = str(root)
    names = [f"run-{n}" for n in range(n_runs)]
    with ExitStack() as trained:
        for name in names:
            trainers.start(preset("default", dataset="mnist-5k", epochs=100_000), name)
            trained.callback(control.send, root / name, "stop")
        watched(root, names, n_tabs, seconds)


def watched(root: Path, names: list[str], n_tabs: int, seconds: float) -> None:
    """Lets the tabs watch these runs for so long, and prints what it took."""
    readers = {name: RunReader(root / name) for name in names}
    for reader in readers.values():
        until(lambda reader=reader: reader.status()["state"] == "running", 60, "not running")
    with App(root / "app.log", {}) as app, ThreadPoolExecutor(n_tabs + 1) as pool:
        opened = threading.Barrier(n_tabs + 1)
        tabs = [pool.submit(watch, app.port, names[n % len(names)], seconds, opened) for n in range(n_tabs)]
        opened.wait(OPENS_WITHIN_S)
        time.sleep(min(20.0, seconds / 3))  # what the first refreshes need is in memory
        pids = {"server": app.process.pid} | {
            name: reader.status()["pid"] for name, reader in readers.items()
        }
        begun, used, slices = time.perf_counter(), cpu_seconds(app.process.pid), []
        tabs_used, steps = time.process_time(), [reader.status()["step"] for reader in readers.values()]
        while not all(tab.done() for tab in tabs):
            slices.append({name: megabytes(pid) for name, pid in pids.items()})
            time.sleep(5)
        passed = time.perf_counter() - begun
        share = (cpu_seconds(app.process.pid) - used) / passed
        tabs_share = (time.process_time() - tabs_used) / passed
        paces = [
            (reader.status()["step"] - step) / passed
            for reader, step in zip(readers.values(), steps, strict=True)
        ]
        found = [tab.result() for tab in tabs]
        assert "Traceback" not in app.output(), app.output()[-2000:]
    rates, gaps, received = zip(*found, strict=True)
    print(f"{n_tabs} tabs, {len(names)} runs, {seconds} s")
    print(
        f"refreshes/s: least {min(rates):.2f}, median {statistics.median(rates):.2f}; longest wait {max(gaps):.1f} s"
    )
    print(
        f"server: {share:.2f} of a core, {share / sum(rates) * 1e3:.0f} ms a refresh; "
        f"{sum(received) / seconds / 1e6:.1f} MB/s to all tabs, which take {tabs_share:.2f} of a core"
    )
    print(f"updates/s: {', '.join(f'{pace:.0f}' for pace in paces)}")
    growth = {}
    for name in pids:
        # The server's memory rises and falls by some 25 MB, as what it frees is handed back every half minute.
        pieces = np.array_split([slice_[name] for slice_ in slices], min(10, len(slices)))
        course = [float(np.median(piece)) for piece in pieces]
        growth[name] = course[-1] - course[0]
        print(f"{name}, MB in each tenth of the time: {' '.join(f'{taken:.0f}' for taken in course)}")
    for broken, what in (
        (min(rates) < LEAST_REFRESHES, f"a tab is refreshed less than {LEAST_REFRESHES:g} times a second"),
        (share > MOST_CORES, "the server takes more than a core"),
        (max(growth.values()) > MOST_GROWTH_MB, f"a process grows by more than {MOST_GROWTH_MB:g} MB"),
    ):
        if broken:
            sys.exit(f"Not as promised: {what}.")


if __name__ == "__main__":
    main()
