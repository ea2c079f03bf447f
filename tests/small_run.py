"""Small runs trained for real, for the tests that need a model that has learned something."""

import shutil
import tempfile
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from rbm_core.config import make_config
from rbm_core.runs import store
from rbm_core.runs.files import read_object, write_json
from rbm_core.training import process as training_process

SETTINGS = {
    "dataset": "mnist-5k",
    "n_hidden": 64,
    "epochs": 2,
    "n_valid": 100,
    "max_snapshots": 6,
    "log_every": 50,
    "device": "cpu",
    "precision": "float32",
}


def train_small(root: Path, name: str = "small", **changes: object) -> Path:
    """64 hidden units on the bundled digits, two epochs, with these settings changed; returns the run's folder.

    The same settings are trained once in a test session and copied after that, so a test may change what it gets.
    """
    path = root / store.check_name(name)
    shutil.copytree(_trained(tuple(sorted({**SETTINGS, **changes}.items()))), path)
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    # Created now: the list of runs has the newest first.
    write_json(path / "config.json", {**read_object(path / "config.json"), "name": name, "created": now})
    return path


GROWN = "grown"


def grow(root: Path) -> Path:
    """A store with the run GROWN: ordered hidden units on small digits, 14 places, hardly more than a second."""
    layer = {"dataset": "digits-8", "n_hidden": 14, "ordered": True, "batch_size": 50, "n_chains": 50}
    train_small(root, GROWN, **layer, epochs=1, updates=400, learning_rate=0.3, log_every=20)
    return root


@cache
def _trained(settings: tuple[tuple[str, object], ...]) -> Path:
    """The folder of the run with these settings, the original of all copies; removed when the tests end."""
    root = Path(_originals().name)
    path = store.create_run(root, f"run-{len(list(root.iterdir()))}", make_config(**dict(settings)))
    assert training_process.run(path) == "finished"
    return path


@cache
def _originals() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="rbm-small-runs-")
