"""How long a run would take on this machine, by what was timed here: recorded runs, or else a trial of a second.

An update's time is taken to be proportional to its counted work, so that what was timed at one shape serves others.
No torch here; `rbm_core.training.trial` makes the trial.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rbm_core import datasets
from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.machine import gpu_names, processor_name
from rbm_core.runs import RunError, RunReader, json_input, layout, store
from rbm_core.runs.files import read_object, write_json
from rbm_core.runs.json_input import DamagedError

__all__ = ["Estimate", "estimate", "keep_trial", "kind_of"]

TRIALS_FILE = ".pace.json"  # in the run store
_LOOKED_AT = 100  # runs, the newest
_FEWEST_UPDATES = 100  # of a run whose pace counts
_BESIDE = 1.1e8  # multiplications that take as long as what an update does beside its products


@dataclass(frozen=True)
class Estimate:
    """updates: of the whole run. seconds: they would take here; None where nothing like it was timed here.

    source: where the seconds come from, to be read after "about 3 min here, ".
    """

    updates: int
    seconds: float | None = None
    source: str = ""


@dataclass(frozen=True)
class _Timed:
    """What was timed on this machine. run: its name; None: a trial."""

    config: RunConfig
    n_train: int
    n_visible: int
    seconds_per_update: float
    run: str | None

    @property
    def work(self) -> float:
        return _work(self.config, self.n_visible)


def estimate(root: Path, config: RunConfig) -> Estimate | None:
    """What a run of these settings would take; None where the size of its data set is not known.

    Of what was timed on this machine with the same kind of units and the same way to sweep, the one with the most
    similar work for an update counts; runs before trials, and newer runs before older ones.
    """
    timed = [*_runs(root), *_trials(root)]
    same_data = (
        (one.n_train, one.n_visible)
        for one in timed
        if (one.config.dataset, one.config.n_valid) == (config.dataset, config.n_valid)
    )
    size = datasets.sizes(config.dataset, config.n_valid) or next(same_data, None)
    if size is None:
        return None
    updates, work = config.n_updates(config.updates_per_epoch(size[0])), _work(config, size[1])
    alike = [one for one in timed if kind_of(one.config) == kind_of(config)]
    if not alike:
        return Estimate(updates)
    best = min(alike, key=lambda one: abs(math.log(one.work / work)))
    scaled = "at the pace of" if best.work == work else "scaled from"
    source = f"{scaled} {f'run {best.run}' if best.run else 'a short trial'}"
    return Estimate(updates, updates * best.seconds_per_update * work / best.work, source)


def _work(config: RunConfig, n_visible: int) -> float:
    """Multiplications in an update, and how many more its other work would pay for."""
    return config.rows_per_update() * n_visible * config.n_hidden + _BESIDE


def kind_of(config: RunConfig) -> tuple[object, ...]:
    """What must be equal for one run's pace to say something of another's."""
    layers = config.visible, config.labels, config.ordered
    return *layers, config.binarisation == "none", config.precision, config.device


def _runs(root: Path) -> Iterator[_Timed]:
    """The runs of this store that this machine trained, newest first. The shipped runs came from another."""
    machine = {processor_name()} | gpu_names()
    for info in store.list_runs(root)[:_LOOKED_AT]:
        if info.error is not None or info.name in store.SHIPPED_RUNS or info.step < _FEWEST_UPDATES:
            continue
        reader = RunReader(info.path)
        try:
            described, status = reader.config(), reader.status()
        except RunError:
            continue
        device, data = described.get("device") or {}, described.get("data") or {}
        if device.get("name") not in machine or not status["seconds"]:
            continue
        try:
            config = make_config(**described["config"])
            size = int(data["n_train"]), math.prod(data["image_shape"])
        except (ConfigError, KeyError, TypeError, ValueError):
            continue
        yield _Timed(config, *size, status["seconds"] / status["step"], info.name)


def _trials(root: Path) -> Iterator[_Timed]:
    """The trials that this machine made."""
    for trial in _kept(root):
        with suppress(ConfigError, DamagedError):
            one = json_input.typed(layout.TRIAL, trial)
            if one["processor"] == processor_name():
                size = one["n_train"], one["n_visible"]
                yield _Timed(make_config(**one["config"]), *size, one["seconds_per_update"], None)


def _kept(root: Path) -> list[Any]:
    try:
        kept = read_object(root / TRIALS_FILE, root).get("trials")
    except (FileNotFoundError, RunError):
        return []
    return kept if isinstance(kept, list) else []


def keep_trial(root: Path, trial: Mapping[str, Any]) -> None:
    """Adds a trial's outcome to the store's: config, n_train, n_visible, seconds_per_update."""
    trials = [{**trial, "processor": processor_name()}, *_kept(root)]
    write_json(root / TRIALS_FILE, {"trials": trials[:20]}, store=root)
