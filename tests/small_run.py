"""A small run trained for real in a few seconds, for the tests that need a machine that has learned something."""

from pathlib import Path

from rbm_core.config import make_config
from rbm_core.runs import store
from rbm_core.training import process as training_process


def train_small(root: Path, name: str = "small", **changes: object) -> Path:
    """64 hidden units on the bundled digits, two epochs; returns the run's folder."""
    fields = {
        "dataset": "mnist-5k",
        "n_hidden": 64,
        "epochs": 2,
        "n_valid": 100,
        "max_snapshots": 6,
        "log_every": 50,
        "device": "cpu",
        "precision": "float32",
    }
    path = store.create_run(root, name, make_config(**{**fields, **changes}))
    assert training_process.run(path) == "finished"
    return path
