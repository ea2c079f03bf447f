"""A long record and a full store cost bounded memory and time."""

import ast
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dashboard.recent import Recent
from rbm_core import datasets
from rbm_core.config import make_config
from rbm_core.runs import RunReader
from rbm_core.runs.columns import MOST_ROWS, extremes
from rbm_core.runs.recorder import Recorder
from rbm_core.training import Training
from tests.benchmarks.scale import COMPARE, LIST, NAMES, PEAK, READ, command_line, fill, told, write_rows
from tests.live import REPO

SOAK = bool(os.environ.get("RBM_SOAK"))
ROWS = 2_000_000 if SOAK else 120_000


def test_a_record_of_any_length_is_read_in_seconds_and_in_bounded_memory(run: Path) -> None:
    """In a process of its own, whose memory nothing else has touched; the trace of allocations is ten times slower."""
    write_rows(run, ROWS)
    (_, _, seconds), (megabytes,) = told(READ, run)
    assert megabytes < 200
    assert seconds < 60 * ROWS / 2_000_000 + 1, "of processor time"


def test_a_long_record_keeps_its_peaks_and_its_ends(run: Path) -> None:
    n = 120_000
    write_rows(run, n)
    reader = RunReader(run)
    metrics = reader.metrics()
    steps = metrics["step"]
    assert len(steps) <= MOST_ROWS
    assert (steps[:1000] == np.arange(1000)).all()
    assert (steps[-1000:] == np.arange(n - 1000, n)).all()
    assert (np.diff(steps) > 0).all()
    for name in NAMES:
        assert metrics[name].dtype == np.float32
        assert metrics[name].max() == np.float32(PEAK), "the peak is gone"
    before = reader.metrics_thinned()
    Recorder(run).append_metrics({"step": n, "column_0": 1.0})
    assert reader.metrics()["step"][-1] == n
    assert reader.metrics_thinned() == before, "one more row made the page begin anew"
    assert reader.latest()["column_0"] == 1.0


def test_of_each_group_the_smallest_and_the_largest_stay_in_their_order() -> None:
    values = np.array([[3.0, 1.0, np.nan, 2.0], [np.nan] * 4, [1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(extremes(values), [[3.0, 1.0], [np.nan, np.nan], [1.0, 4.0]])


@pytest.fixture(scope="module")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 2,000 runs with a record each."""
    root = tmp_path_factory.mktemp("full")
    fill(root, 2000)
    return root


@pytest.mark.slow
def test_two_thousand_runs_are_listed_within_seconds(full_store: Path) -> None:
    """Each in a process that has seen none of them, and in processor time: others may have the cores."""
    (n, _, first), (_, _, again) = told(LIST, full_store)
    assert n == 2000
    assert first < 2, "of processor time; a core with nothing else on it takes half a second"
    assert again < 1


@pytest.mark.slow
def test_two_thousand_runs_are_compared_and_printed_within_seconds(full_store: Path) -> None:
    *_, (_, _, again) = told(COMPARE, full_store)
    assert again < 3
    lines, _, used = command_line(full_store)
    assert lines == 2001
    assert used < 4, "with all that it loads"


@pytest.mark.parametrize(("epochs", "log_every"), [(40_000, 1), (100_000, 7), (300, 3)])
def test_a_run_of_any_length_records_a_bounded_number_of_rows(epochs: int, log_every: int) -> None:
    config = make_config(
        dataset="bars-and-stripes", n_hidden=4, n_chains=2, batch_size=8, epochs=epochs, log_every=log_every
    )
    training = Training(config, datasets.load("bars-and-stripes", n_valid=0))
    n_steps = training.n_steps
    rows = sum(map(training.monitor.due, range(n_steps + 1)))
    assert rows <= 2 * 20_000 + config.max_snapshots + 20
    assert rows >= min(n_steps // log_every, 10_000), "hardly anything is recorded"


FREED = """
import os, sys, time
from dashboard import memory
if sys.argv[1] == "yes":
    memory.give_back_what_is_freed(every_s=0.2)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
del [bytearray(2 << 20)][0]  # from now on glibc keeps blocks of this size
before = resident()
payloads, kept = [], []
for _ in range(200):
    payloads.append(bytearray(b"x") * (1 << 20))
    kept.append(bytearray(1000))  # what a page keeps stands between two payloads
payloads.clear()
until = time.monotonic() + float(sys.argv[2])
while resident() - before > 20 and time.monotonic() < until:
    time.sleep(0.05)
print(resident() - before)
"""
USED_AGAIN = """
import resource, threading
from dashboard import memory
memory.give_back_what_is_freed()
def refresh():
    return [bytearray(b"x") * (1 << 20) for _ in range(6)] and None
def new_pages(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):  # each in a thread of its own, as a page's runs are
        thread = threading.Thread(target=refresh)
        thread.start()
        thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
new_pages(4)
print(new_pages(20) / 20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_what_the_server_frees_goes_back_to_the_system() -> None:
    def left(handed_back: str, seconds: int) -> float:
        command = [sys.executable, "-c", FREED, handed_back, str(seconds)]
        return float(subprocess.run(command, capture_output=True, text=True, cwd=REPO, check=True).stdout)

    assert left("no", 0) > 100, "nothing is shown: the system hands it back by itself"
    assert left("yes", 60) < 20


@pytest.mark.skipif(sys.platform != "linux", reason="counts the pages that Linux gives")
def test_a_refresh_takes_the_memory_that_the_one_before_it_freed() -> None:
    """6 MB are 1,500 pages; new ones each time were a third of what a refresh cost."""
    command = [sys.executable, "-c", USED_AGAIN]
    pages = float(subprocess.run(command, capture_output=True, text=True, cwd=REPO, check=True).stdout)
    assert pages < 300


LOADED = """
import dashboard.data
import scipy.cluster.hierarchy, scipy.io, scipy.linalg, scipy.sparse, scipy.special
import plotly.graph_objects, rbm_core.spectrum
from threadpoolctl import threadpool_info
print({one["filepath"]: one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"})
"""


def test_every_blas_in_the_apps_process_has_one_thread() -> None:
    """NumPy and SciPy bring one each: threads that wait for each other on busy cores hold up every tab."""
    told = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, cwd=REPO, check=True
    )
    threads = ast.literal_eval(told.stdout)
    assert threads
    assert set(threads.values()) == {1}, threads


def test_what_many_tabs_want_at_once_is_made_once() -> None:
    tabs, waiting, made = 20, threading.Barrier(20), []
    recent: Recent[str] = Recent(3)

    def make(key: int) -> str:
        made.append(key)
        time.sleep(0.05)  # the others come meanwhile
        return f"picture {key}"

    def look(tab: int) -> list[str]:
        waiting.wait()
        return [recent.get(key, partial(make, key)) for key in (0, 1, tab % 2, 2)]

    with ThreadPoolExecutor(tabs) as pool:
        for tab, seen in enumerate(pool.map(look, range(tabs))):
            assert seen == [f"picture {key}" for key in (0, 1, tab % 2, 2)]
    assert sorted(made) == [0, 1, 2]


def test_what_one_tab_could_not_have_made_the_next_makes() -> None:
    recent: Recent[str] = Recent(3)
    begun, gone = threading.Event(), threading.Event()

    def interrupted() -> str:
        begun.set()
        gone.wait(10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent.get, "film", interrupted)
        begun.wait(10)
        second = pool.submit(recent.get, "film", lambda: "whole")
        gone.set()
        assert second.result(10) == "whole"
        with pytest.raises(KeyboardInterrupt):
            first.result(10)
    assert recent.find("film") == "whole"
