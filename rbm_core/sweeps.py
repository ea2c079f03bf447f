"""Sweeps: a run for every combination of a few settings, several at a time, each trained by a process of its own.

The runs of a sweep have its tag, and one more for each setting that varies. Nothing else holds them together: a second
call with the same grid finds them by their names, passes over those that have ended and goes on with the others.
"""

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from rbm_core.config import ConfigError, RunConfig, preset
from rbm_core.machine import QUIET
from rbm_core.runs import inside, notes, store
from rbm_core.runs.files import LOG_FILE, RunError, explain
from rbm_core.runs.reader import RunReader
from rbm_core.runs.vocabulary import LIVE_STATES
from rbm_core.training.signals import signals_to

__all__ = ["Point", "points", "train_all"]

ENDED = ("finished", "diverged")
MOST_RUNS = 1000


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its name, its settings, and the tag of each setting that varies, such as `k=5`."""

    name: str
    config: RunConfig
    tags: tuple[str, ...]


def points(
    preset_name: str, fixed: Mapping[str, Any], grid: Mapping[str, Sequence[str]], tag: str
) -> list[Point]:
    """Every combination of the grid's values, over the preset with the fixed settings, in the grid's own order.

    grid: values by field, as text. Raises ConfigError in one sentence for an unknown preset or field, a value that the
    field does not take, a value given twice, a field that is fixed too, an empty grid, and one of more than MOST_RUNS.
    """
    if not grid:
        raise ConfigError("a sweep needs a --grid; for example --grid learning_rate=0.05,0.1")
    if both := set(grid) & set(fixed):
        raise ConfigError(f"{min(both)} is both fixed and in the grid; give it once")
    found: dict[str, str] = {}
    made = []
    if len(grid) >= notes.MOST_TAGS:
        raise ConfigError(f"a grid can vary at most {notes.MOST_TAGS - 1} settings, got {len(grid)}")
    if (n := math.prod(map(len, grid.values()))) > MOST_RUNS:
        raise ConfigError(f"a sweep trains at most {MOST_RUNS:,} runs, and this grid has {n:,} combinations")
    for number, values in enumerate(itertools.product(*grid.values()), start=1):
        varied = dict(zip(grid, values, strict=True))
        config = preset(preset_name, **{**fixed, **varied})
        tags = tuple(f"{name}={getattr(config, name)}"[: notes.LONGEST_TAG] for name in grid)
        settings = config.model_dump_json()
        if settings in found:
            raise ConfigError(f"the grid has the same settings twice: {found[settings]} and {_told(varied)}")
        found[settings] = _told(varied)
        made.append(Point(store.check_name(f"{tag}-{number}"), config, tags))
    return made


def _told(varied: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in varied.items())


def train_all(
    root: Path, tag: str, preset_name: str, wanted: Sequence[Point], jobs: int, say: Callable[[str], None]
) -> list[str]:
    """Trains what is left of the sweep, `jobs` runs at a time; returns the states of all runs, in order.

    The processor's threads are divided among the jobs. An interrupt has each trainer save its run and end; what was not
    begun is then left out ("waiting"). say: called with a sentence as each run begins and ends. Raises RunError, before
    anything is trained, if a run of one of these names has other settings.
    """
    for point in wanted:
        _check(root, tag, point)
    sweep = _Sweep(root, tag, preset_name, max(1, (os.cpu_count() or 1) // jobs), say)
    with signals_to(sweep.interrupt):
        return list(
            joblib.Parallel(jobs, backend="threading")(joblib.delayed(sweep.train)(p) for p in wanted)
        )


def _check(root: Path, tag: str, point: Point) -> None:
    if not store.is_taken(root, point.name):
        return
    recorded = RunReader(store.resolve(root, point.name)).config()["config"]
    # A run written before a setting was there had its default.
    theirs = {**RunConfig().model_dump(mode="json"), **recorded}
    ours = point.config.model_dump(mode="json")
    other = [name for name in ours if theirs[name] != ours[name]]
    if other:
        raise RunError(
            f"there is already a run {point.name!r} with {other[0]} {theirs[other[0]]} and not {ours[other[0]]}; "
            f"give this sweep another name than {tag!r} with --name"
        )


class _Sweep:
    """One call: what its threads share. threads: of each trainer."""

    def __init__(
        self, root: Path, tag: str, preset_name: str, threads: int, say: Callable[[str], None]
    ) -> None:
        self.root, self.tag, self.preset_name, self.say = root, tag, preset_name, say
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        home = str(Path(__file__).resolve().parents[1])
        places = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        self._env = {**os.environ, **dict.fromkeys(names, str(threads)), **QUIET, "PYTHONPATH": places}
        self._alive: set[subprocess.Popen] = set()
        self._interrupted = threading.Event()

    def interrupt(self, _name: str) -> None:
        """Has every trainer save its run and end, and begins no other."""
        self._interrupted.set()
        for trainer in list(self._alive):
            trainer.send_signal(signal.SIGTERM)

    def train(self, point: Point) -> str:
        """Trains one run to its end, or goes on with it; returns the state that it is left in."""
        if self._interrupted.is_set():
            return "waiting"
        if not store.is_taken(self.root, point.name):
            path = store.create_run(self.root, point.name, point.config, preset=self.preset_name)
            notes.write_notes(path, notes.Notes((self.tag, *point.tags)))
        path = self.root / point.name
        told = f"{point.name} ({', '.join(point.tags)})"
        state = RunReader(path).status()["state"]
        if state in ENDED or (state in LIVE_STATES and state != "starting"):
            self.say(f"{told}: {state}.")
            return state
        self.say(f"{told}: {'goes on' if RunReader(path).snapshot_steps() else 'begins'}.")
        return self._trained(path, told)

    def _trained(self, path: Path, told: str) -> str:
        command = [sys.executable, "-m", "rbm_core.training.process", str(path)]
        # A session of its own: the terminal's Ctrl-C comes through `interrupt`, once.
        try:
            with os.fdopen(inside.open_to_append(path / LOG_FILE), "wb") as log:
                trainer = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._env,
                    start_new_session=True,
                )
        except OSError as error:
            self.say(f"{told}: its trainer could not be started: {explain(error, path / LOG_FILE)}.")
            return "failed"
        self._alive.add(trainer)
        if self._interrupted.is_set():
            trainer.send_signal(signal.SIGTERM)
        trainer.wait()
        self._alive.discard(trainer)
        status = RunReader(path).status()
        self.say(f"{told}: {status['state']}{'. ' + status['message'] if status['message'] else '.'}")
        return status["state"]
