"""Trials that time a run's updates on this machine: one at a time, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dashboard.processes.trainers import QUIET, REPO
from rbm_core.config import RunConfig
from rbm_core.runs import store

_begun: dict[Path, subprocess.Popen[bytes]] = {}
"""The trial of each run store since the app began; one that failed is not made again."""


def under_way(config: RunConfig) -> bool:
    """Whether the store's trial still runs; starts one of these settings where there was none."""
    root = store.runs_root()
    if root not in _begun:
        places = [str(REPO), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, places))}
        settings = json.dumps(config.model_dump())
        try:
            root.mkdir(parents=True, exist_ok=True)
            _begun[root] = subprocess.Popen(
                [sys.executable, "-m", "rbm_core.training.trial", str(root), settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError:
            return False
    return _begun[root].poll() is None
