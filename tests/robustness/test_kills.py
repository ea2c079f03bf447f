"""kill −9 inside each kind of write and at random moments: every file reads, the run is seen to be interrupted within
five seconds, and the resumed run ends bit for bit as one that nobody killed.

One helper process loads the engine and forks a trainer for each kill, so that a kill costs a second and not five.
"""

import os
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from rbm_core.runs import RunReader
from rbm_core.runs.files import read_object
from rbm_core.training import process as training_process
from tests.core.training_runs import make_run
from tests.live import REPO, until
from tests.robustness.after import every_file_reads, same_end

SOAK = bool(os.environ.get("RBM_SOAK"))
RANDOM_KILLS = 50 if SOAK else 2
# Where a write can be cut: before and in the middle of the content, before and after the rename, in a line, before a
# snapshot is thinned away.
PLACES = ("open", "half", "replace", "replaced", "line", "remove")

HELPER = """
    import os, signal, sys
    from rbm_core.runs import files, inside
    from rbm_core.training import process
    import rbm_core.training.update
    process.SAVE_S = 0.05  # every kind of write happens often
    def arm(place, count):
        left = [int(count)]
        def kill():
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        def before(module, name):
            true = getattr(module, name)
            def wrapped(*args, **options):
                kill()
                return true(*args, **options)
            setattr(module, name, wrapped)
        if place == "open": before(inside, "open_new")
        if place == "replace": before(os, "replace")
        if place == "remove": before(inside, "remove")
        if place == "replaced":
            true = os.replace
            def replaced(*args, **options):
                true(*args, **options)
                kill()
            os.replace = replaced
        if place in ("half", "line"):
            true_open = os.fdopen
            class Cut:
                def __init__(self, file): self.file = file
                def __enter__(self): self.file.__enter__(); return self
                def __exit__(self, *error): return self.file.__exit__(*error)
                def __getattr__(self, name): return getattr(self.file, name)
                def write(self, data):
                    left[0] -= 1
                    if left[0] <= 0:
                        self.file.write(data[: len(data) // 2])
                        self.file.flush()
                        os.kill(os.getpid(), signal.SIGKILL)
                    return self.file.write(data)
            def opened(handle, mode="r", *args, **options):
                file = true_open(handle, mode, *args, **options)
                return Cut(file) if mode == ("wb" if place == "half" else "r+b") else file
            os.fdopen = opened
    for line in sys.stdin:
        wish, *words = line.split()
        if wish == "end":
            print(os.waitpid(int(words[0]), 0)[1], flush=True)
            continue
        place, count, path = words
        child = os.fork()
        if child == 0:
            arm(place, count)
            os._exit(process.main([path]))
        print(child, flush=True)
"""


class Killer:
    """start(place, count, run) begins a trainer that is killed at its count-th arrival at the place, and returns its
    pid; end(pid) waits for it.
    """

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(HELPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=REPO,
        )

    def start(self, place: str, count: int, run: Path) -> int:
        return self._told(f"start {place} {count} {run}")

    def end(self, child: int) -> int:
        return os.waitstatus_to_exitcode(self._told(f"end {child}"))

    def _told(self, wish: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(wish, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    one = Killer()
    yield one
    one.process.kill()
    one.process.communicate()


def check_after_kill(run: Path) -> None:
    """Every file reads, and the state is known within five seconds."""
    reader = RunReader(run)
    until(lambda: reader.status()["state"] in ("interrupted", "finished"), 5, "it is not seen to be dead")
    every_file_reads(run)
    read_object(run / "status.json")


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """unharmed(**settings) -> a finished run of these settings that nobody killed, trained once for all tests."""

    @cache
    def trained(**settings: int) -> Path:
        run = make_run(tmp_path_factory.mktemp("unharmed"), "calm", **settings)
        assert training_process.run(run) == "finished"
        return run

    return trained


def torn(
    killer: Killer,
    runs: list[Path],
    kills: int,
    next_kill: Callable[[Path, int], tuple[str, int, float | None]],
) -> dict[Path, int]:
    """Trains the runs to their ends through kills, all of them at once; returns how many kills each of them had."""
    done, left = dict.fromkeys(runs, 0), list(runs)
    for n in range(10 * kills + 10):
        children = {}
        for run in left:
            place, count, after = next_kill(run, n) if done[run] < kills else ("none", 1, None)
            children[run] = killer.start(place, count, run)
            if after is not None:
                time.sleep(after)  # the moment of the kill, not a wait for a state
                try:
                    os.kill(children[run], 9)
                except ProcessLookupError:
                    pass
        codes = {run: killer.end(child) for run, child in children.items()}
        for run, code in codes.items():
            check_after_kill(run)
            assert code in (0, -9), f"the trainer of {run.name} ended by itself"
            done[run] += code != 0
        left = [run for run in left if codes[run] != 0]
        if not left:
            return done
    raise AssertionError(f"these runs never end: {[run.name for run in left]}")


@pytest.mark.slow
def test_killed_inside_a_write_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path]
) -> None:
    settings = {"epochs": 150, "max_snapshots": 8}
    runs = [make_run(runs_root, place, **settings) for place in PLACES]
    kills = torn(
        killer,
        runs,
        8 if SOAK else 1,
        lambda run, n: (run.name, (1 if run.name == "remove" else 3) + 4 * n, None),
    )
    assert all(kills.values()), f"no trainer arrived at one of the places: {kills}"
    for run in runs:
        same_end(run, unharmed(**settings))


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path]
) -> None:
    settings = {"epochs": 3000 if SOAK else 150, "max_snapshots": 8}
    run, moments = make_run(runs_root, "torn", **settings), random.Random(7)
    kills = torn(killer, [run], RANDOM_KILLS, lambda run, n: ("none", 1, moments.uniform(0.05, 1.5)))
    assert kills[run] >= 1
    same_end(run, unharmed(**settings))
