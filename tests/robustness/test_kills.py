"""kill −9 inside each kind of write and at random moments: every file reads, the run is seen to be interrupted within
five seconds, and the resumed run ends bit for bit as one that nobody killed.

One helper process loads the engine and forks a child for each kill, so that a kill costs a second and not five.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from rbm_core import datasets
from rbm_core.cli import main as command
from rbm_core.runs import RunReader, list_runs, notes
from rbm_core.runs.evaluation_record import list_evaluations
from rbm_core.runs.files import read_object
from rbm_core.training import process as training_process
from tests.core.training_runs import make_run
from tests.live import REPO, until
from tests.robustness.after import every_file_reads, fingerprint, same_end
from tests.robustness.killed import PLACES
from tests.small_run import train_small

SOAK = bool(os.environ.get("RBM_SOAK"))
RANDOM_KILLS = 50 if SOAK else 2
WHOLE = PLACES[:4]
WRITTEN = {
    "config": (r"config\.json", WHOLE),
    "status": (r"status\.json", WHOLE),
    "live": (r"live\.", (*WHOLE, "remove")),
    "resume": (r"resume\.", WHOLE),
    "trajectory": (r"trajectory\.", WHOLE),
    "snapshot": (r"\d{9}\.safetensors", WHOLE),
    "metrics": (r"metrics\.jsonl", ("line",)),
    "events": (r"events\.jsonl", ("line",)),
}
"""What a trainer writes, by kind: how its file is named, and where the write can be cut."""
RARE = ("config", "trajectory", "events")  # written a few times in a run
# So fast that the run keeps a ladder of two past models.
SETTINGS = {"epochs": 60, "learning_rate": 0.1, "max_snapshots": 8}


class Kill(NamedTuple):
    """Where the child is killed: at the count-th arrival of a file at a place, or after so many seconds."""

    place: str = "none"
    file: str = ""
    count: int = 1
    after: float | None = None


class Killer:
    """start(do, run, kill) begins a child that does this with the run, and returns its pid; end(pid) waits for it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.robustness.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=REPO,
            # Three at once: their threads would wait for each other.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def start(self, do: str, run: Path, kill: Kill) -> int:
        return self._told(
            {"do": do, "path": str(run), "place": kill.place, "file": kill.file, "count": kill.count}
        )

    def end(self, child: int) -> int:
        """How it ended, as of a process of subprocess: 0, or the negative number of the signal that killed it."""
        return os.waitstatus_to_exitcode(self._told({"end": child}))

    def _told(self, wish: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(wish), file=self.process.stdin, flush=True)
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
    def trained(**settings: float) -> Path:
        run = make_run(tmp_path_factory.mktemp("unharmed"), "calm", **settings)
        assert training_process.run(run) == "finished"
        return run

    return trained


def torn(
    killer: Killer, runs: list[Path], kills: int, next_kill: Callable[[Path, int], Kill]
) -> dict[Path, int]:
    """Trains the runs to their ends through kills; returns how many kills each of them had."""
    done, left = dict.fromkeys(runs, 0), list(runs)
    for n in range(10 * kills + 10):
        codes: dict[Path, int] = {}
        # A few at once: they save by the clock, and many that share two cores would do little else.
        for together in (left[first : first + 3] for first in range(0, len(left), 3)):
            children = {}
            for run in together:
                kill = next_kill(run, n) if done[run] < kills else Kill()
                children[run] = killer.start("train", run, kill)
                if kill.after is not None:
                    time.sleep(kill.after)  # the moment of the kill, not a wait for a state
                    try:
                        os.kill(children[run], 9)
                    except ProcessLookupError:
                        pass
            codes |= {run: killer.end(child) for run, child in children.items()}
        for run, code in codes.items():
            check_after_kill(run)
            assert code <= 0, f"the trainer of {run.name} ended by itself"
            done[run] += code != 0
        left = [run for run in left if codes[run] != 0]
        if not left:
            return done
    raise AssertionError(f"these runs never end: {[run.name for run in left]}")


def cut_where() -> dict[str, tuple[str, str]]:
    """The (kind, place) of each run: every kind and every place at least once, each with each in a soak."""
    cut = [(kind, places[n % len(places)]) for n, (kind, (_, places)) in enumerate(WRITTEN.items())]
    if SOAK:
        cut = [(kind, place) for kind, (_, places) in WRITTEN.items() for place in places]
    return {f"{kind}-{place}": (kind, place) for kind, place in [*cut, ("live", "remove")]}


@pytest.mark.slow
def test_killed_inside_a_write_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path]
) -> None:
    cut = cut_where()
    assert {kind for kind, _ in cut.values()} == set(WRITTEN)
    assert {place for _, place in cut.values()} == set(PLACES)

    def next_kill(run: Path, n: int) -> Kill:
        kind, place = cut[run.name]
        return Kill(place, WRITTEN[kind][0], 1 if kind in RARE or place == "remove" else 3 + 4 * n)

    runs = [make_run(runs_root, name, **SETTINGS) for name in cut]
    kills = torn(killer, runs, 8 if SOAK else 1, next_kill)
    assert all(kills.values()), f"no trainer arrived at one of the places: {kills}"
    for run in runs:
        same_end(run, unharmed(**SETTINGS))


@pytest.mark.slow
def test_killed_at_random_moments_nothing_is_lost(
    runs_root: Path, killer: Killer, unharmed: Callable[..., Path]
) -> None:
    settings = {**SETTINGS, "epochs": 3000} if SOAK else SETTINGS
    moments, left = random.Random(7), RANDOM_KILLS
    for n in range(10 * RANDOM_KILLS):  # a run that reaches its end between two kills is followed by another
        run = make_run(runs_root, f"torn-{n}", **settings)
        kills = torn(killer, [run], left, lambda run, n: Kill(after=moments.uniform(0.05, 1.5)))
        same_end(run, unharmed(**settings))
        left -= kills[run]
        if not left:
            return
    raise AssertionError(f"{left} of {RANDOM_KILLS} kills came too late")


OTHERS = {
    "an evaluation's progress": ("count", Kill("half", r"progress\.json")),
    "an evaluation's answer": ("count", Kill("line", r"likelihood\.jsonl")),
    "an evaluation's saved state": ("anneal", Kill("half", r"state\.safetensors", 3)),
    "the snapshot that an evaluation keeps": ("anneal", Kill("half", r"snapshot\.safetensors")),
    "an evaluation's pictures": ("sample", Kill("replace", r"samples\.safetensors")),
    "notes": ("note", Kill("half", r"notes\.json")),
    "notes before they take their place": ("note", Kill("replace", r"notes\.json")),
    "a new run": ("create", Kill("half", r"status\.json")),
    "a new run before it takes its place": ("create", Kill("replace", r"^new$")),
    "the start of a fork": ("fork", Kill("half", r"origin\.")),
    "an import": ("import", Kill("half", r"resume\.")),
    "an import's last word": ("import", Kill("open", r"status\.json", 2)),
    "an opened bundle": ("open a bundle", Kill("half", r"\d{9}\.safetensors")),
    "a bundle": ("export a bundle", Kill("half", r"\.tmp")),
    "parameters": ("export parameters", Kill("half", r"\.tmp")),
    "parameters before they take their place": ("export parameters", Kill("replace", r"out\.npz")),
    "own data": ("keep data", Kill("half", r"own-\w+\.safetensors")),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one finished run, with a note, and beside it all that the writers read or replace."""
    outside = tmp_path_factory.mktemp("exported")
    root = outside / "store"
    run = train_small(
        root, "trained", dataset="bars-and-stripes", n_hidden=8, epochs=40, n_valid=0, max_snapshots=4
    )
    notes.write_notes(run, notes.Notes((), "before"))
    np.save(outside / "own.npy", np.eye(30, dtype=np.uint8))
    for file in ("model.npz", "run.zip", "out.npz", "out.zip"):
        assert command(["export", run.name, "--out", str(outside / file), "--runs", str(root)]) == 0
    return outside


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS)
def test_another_writer_that_is_killed_leaves_everything_as_it_was(
    exported: Path, tmp_path: Path, killer: Killer, case: str
) -> None:
    do, kill = OTHERS[case]
    outside = tmp_path / "outside"
    shutil.copytree(exported, outside)
    root = outside / "store"
    trained = root / "trained"
    before = fingerprint(outside)
    assert killer.end(killer.start(do, trained, kill)) < 0, "it was not killed"
    after = {
        path: sha
        for path, sha in fingerprint(outside).items()
        if not any(part.startswith(".") for part in Path(path).parts)
    }
    whole = {path: sha for path, sha in after.items() if "evaluations" not in Path(path).parts}
    if kill.place == "line":
        whole = {path: sha for path, sha in whole.items() if Path(path).name != "likelihood.jsonl"}
    assert whole == before, "something else than before is there"
    assert [
        info.name for info in list_runs(root) if info.error is None and info.name in os.listdir(root)
    ] == ["trained"]
    every_file_reads(trained)
    assert notes.read_notes(trained).note == "before"
    assert all(one["state"] == "interrupted" for one in list_evaluations(trained))
    assert killer.end(killer.start(do, trained, Kill())) == 0, "it cannot be done after that"
    assert all(one["state"] == "finished" for one in list_evaluations(trained))
    assert len(RunReader(trained).likelihood()) == (do in ("count", "anneal", "sample"))
    if do in ("create", "fork", "import", "open a bundle"):
        every_file_reads(root / "new")
    if do == "keep data":
        (name,) = [file.stem for file in (outside / "data" / "own").glob("[!.]*")]
        assert datasets.load(name, n_valid=0, root=outside / "data").train.shape == (27, 30)
