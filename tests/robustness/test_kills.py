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
        place, count, path = line.split()
        child = os.fork()
        if child == 0:
            arm(place, count)
            os._exit(process.main([path]))
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
"""


class Killer:
    """start(place, count, run) begins a trainer that is killed at its count-th arrival at the place; end() waits."""

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
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(place, count, run, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def end(self) -> int:
        assert self.process.stdout is not None
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))


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
    run: Path, killer: Killer, kills: int, next_kill: Callable[[int], tuple[str, int, float | None]]
) -> int:
    """Trains the run to its end through kills; returns how many there were."""
    done = 0
    for n in range(10 * kills + 10):
        place, count, after = next_kill(n) if done < kills else ("none", 1, None)
        pid = killer.start(place, count, run)
        if after is not None:
            time.sleep(after)  # the moment of the kill, not a wait for a state
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        code = killer.end()
        check_after_kill(run)
        if code == 0:
            return done
        assert code == -9, "the trainer ended by itself"
        done += 1
    raise AssertionError("the run never ends")


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_killed_inside_a_write_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path], place: str
) -> None:
    settings = {"epochs": 150, "max_snapshots": 8}
    run = make_run(runs_root, "torn", **settings)
    kills = torn(
        run, killer, 8 if SOAK else 1, lambda n: (place, (1 if place == "remove" else 3) + 4 * n, None)
    )
    assert kills >= 1, "no trainer arrived at the place"
    same_end(run, unharmed(**settings))


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path]
) -> None:
    settings = {"epochs": 3000 if SOAK else 300}
    run, moments = make_run(runs_root, "torn", **settings), random.Random(7)
    kills = torn(run, killer, RANDOM_KILLS, lambda n: ("none", 1, moments.uniform(0.05, 1.5)))
    assert kills >= 1
    same_end(run, unharmed(**settings))
