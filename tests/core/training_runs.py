"""What the tests of the training process share: small runs, a training that costs nothing, and a watcher of a run."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from rbm_core.config import RunConfig, make_config
from rbm_core.runs import create_run
from rbm_core.runs.recorder import Recorder
from rbm_core.training import snapshot_schedule
from rbm_core.training.stopping import EarlyStopping

TINY = {
    "dataset": "bars-and-stripes",
    "n_hidden": 12,
    "batch_size": 2,
    "n_chains": 10,
    "k": 2,
    "epochs": 60,
    "precision": "float32",
    "log_every": 50,
    "max_snapshots": 12,
}


def make_run(root: Path, name: str, **changes: Any) -> Path:
    return create_run(root, name, make_config(**{**TINY, **changes}))


def final_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Parameters, optimiser, chains, random streams: all of it, in full precision."""
    tensors, meta = Recorder(path).read_resume()
    return tensors, meta["training"]


def wait_for(what: Callable[[], Any], seconds: float = 240.0) -> Any:
    """What it returns once that is true; fails after the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.005)
    raise AssertionError(f"still not so after {seconds} s")


class FakeTraining:
    """The face that the trainer sees of rbm_core.training.Training; an update takes `cost` seconds."""

    cost = 0.0
    bad_from: int | None = None  # the step from which parameters are not finite
    on_update: Callable[["FakeTraining"], None] | None = None
    size = (16, 12)

    def __init__(
        self, config: RunConfig, dataset: Any, *, device: Any = None, initial: Any = None, ranks: None = None
    ) -> None:
        self.config, self.device = config, torch.device("cpu")
        self.state = SimpleNamespace(precision="float32", precision_note="float32")
        self.step, self.n_steps, self.steps_per_epoch = 0, config.n_updates(16), 16
        self.snapshot_steps = snapshot_schedule(self.n_steps, config.max_snapshots)
        self.stopping = EarlyStopping(config.patience)
        self.rate = config.learning_rate
        V, H = self.size
        self.arrays = {
            "W": np.zeros((V, H), np.float32),
            "vbias": np.zeros(V, np.float32),
            "hbias": np.zeros(H, np.float32),
            "log_var": None,
            "particles_v": np.zeros((9, V), np.uint8),
            "particles_h": np.zeros((9, H), np.uint8),
            "probe_hidden": np.zeros((3, H), np.uint8),
            "mean_hidden": np.zeros(H, np.float32),
            "increment_counts": np.zeros((3, 64), np.int32),
            "increment_edges": np.zeros((3, 65), np.float32),
        }

    epoch = property(lambda self: self.step / self.steps_per_epoch)

    def update(self) -> int:
        if self.on_update is not None:
            type(self).on_update(self)  # type: ignore[misc]
        end = time.perf_counter() + self.cost
        while time.perf_counter() < end:
            pass
        self.step += 1
        return self.step

    def should_log(self) -> bool:
        return self.step % self.config.log_every == 0

    def metrics(self) -> dict[str, Any]:
        return {"step": self.step, "learning_rate": self.rate}

    def learning_rate(self) -> float:
        return self.rate

    def snapshot(self) -> dict[str, Any]:
        return {**self.arrays, "step": self.step, "meta": {"epoch": self.epoch, "visible": "bernoulli"}}

    def observe(self) -> None:
        pass

    def new_past_models(self) -> None:
        return None

    def probe_arrays(self) -> dict[str, np.ndarray]:
        return {"v": np.zeros((3, self.size[0]), np.uint8)}

    def set(self, name: str, value: float) -> None:
        if value <= 0:
            raise ValueError(f"{name} must be greater than 0, got {value}")
        self.rate = value

    def state_dict(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        return {"x": torch.tensor([self.step])}, {
            "step": self.step,
            "rate": self.rate,
            "stopping": self.stopping.state(),
        }

    def load_state_dict(self, tensors: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
        self.step, self.rate = meta["step"], meta["rate"]
        self.stopping.load(meta["stopping"])

    def diverged(self, info: int | None = None) -> str | None:
        if self.bad_from is not None and self.step >= self.bad_from:
            return f"parameters are no longer finite at step {self.step}; try a smaller learning rate"
        return None


class Watcher:
    """Progress callback that does something at given moments of a run in this process, and keeps what it
    saw.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: list[str] = []
        self.plan: list[tuple[Callable[[dict[str, Any]], bool], Callable[[], None]]] = []

    def when(self, condition: Callable[[dict[str, Any]], bool], act: Callable[[], None]) -> None:
        self.plan.append((condition, act))

    def __call__(self, status: dict[str, Any], row: dict[str, Any]) -> None:
        self.states.append(status["state"])
        if self.plan and self.plan[0][0](status):
            self.plan.pop(0)[1]()
