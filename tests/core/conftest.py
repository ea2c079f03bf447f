"""A run to write into, a training that costs nothing, and an MNIST of fifteen images."""

from pathlib import Path

import numpy as np
import pytest

from rbm_core.runs import create_run
from tests.core.image_files import write_idx
from tests.core.run_record import CONFIG
from tests.core.training_runs import FakeTraining


@pytest.fixture
def run(runs_root: Path) -> Path:
    return create_run(runs_root, "demo", CONFIG, preset="quick")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeTraining]:
    """Training is replaced by the fake; a class of its own for each test."""

    class Fake(FakeTraining):
        pass

    monkeypatch.setattr("rbm_core.training.Training", Fake)
    return Fake


@pytest.fixture
def small_mnist(tmp_path: Path) -> Path:
    """A root laid out as torchvision lays MNIST, with 12 training images and 3 to test; image n is all n."""
    raw = tmp_path / "MNIST" / "raw"
    for part, n in (("train", 12), ("t10k", 3)):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.repeat(np.arange(n), 784).reshape(n, 28, 28))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    return tmp_path
