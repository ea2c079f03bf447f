"""Trials that time a run's updates on this machine: one at a time, each in a process of its own."""

import json
import os
import subprocess
import sys

from dashboard.processes.trainers import REPO
from rbm_core.config import RunConfig
from rbm_core.machine import QUIET
from rbm_core.pace import kind_of
from rbm_core.runs import store

_begun: dict[tuple[object, ...], subprocess.Popen[bytes]] = {}
"""The trials since the app began, by run store and kind of run; one that failed is not made again."""


def under_way(config: RunConfig) -> bool:
    """Whether a trial still runs; starts one of these settings where there was none of their kind."""
    root = store.runs_root()
    key = (root, *kind_of(config))
    if any(trial.poll() is None for trial in _begun.values()):
        return True
    if key not in _begun:
        places = [str(REPO), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, places))}
        settings = json.dumps(config.model_dump())
        try:
            root.mkdir(parents=True, exist_ok=True)
            _begun[key] = subprocess.Popen(
                [sys.executable, "-m", "rbm_core.training.trial", str(root), settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError:
            return False
    return _begun[key].poll() is None
