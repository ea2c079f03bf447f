"""What the tests of a run's record share: a configuration, snapshots to write, and damage to files."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.runs.recorder import Recorder
from rbm_core.runs.snapshot import Snapshot

V, H, N, P = 13, 6, 5, 4  # not multiples of 8: rows of bits end in the middle of a byte
CONFIG = {"dataset": "bars-and-stripes", "n_hidden": H, "algorithm": "pcd", "k": 5}


def moment(step: int, visible: str = "bernoulli") -> Snapshot:
    """As training hands it over, and different at every step; W is one that half precision holds exactly."""
    rng = np.random.default_rng(step)
    gaussian = visible == "gaussian"
    v = rng.normal(size=(N, V)).astype(np.float16) if gaussian else rng.random((N, V)) < 0.5
    return Snapshot(
        step=step,
        W=rng.normal(size=(V, H)).astype(np.float16).astype(np.float32),
        vbias=rng.normal(size=V).astype(np.float32),
        hbias=rng.normal(size=H).astype(np.float32),
        log_var=rng.normal(size=V).astype(np.float32) if gaussian else None,
        particles_v=v.astype(np.float32 if gaussian else np.uint8),
        particles_h=(rng.random((N, H)) < 0.5).astype(np.uint8),
        probe_hidden=rng.integers(0, 256, (P, H)).astype(np.uint8),
        mean_hidden=rng.random(H).astype(np.float32),
        increment_counts=rng.integers(0, 9, (3, 64)).astype(np.int32),
        increment_edges=rng.normal(size=(3, 65)).astype(np.float32),
        meta={"epoch": step / 10, "learning_rate": 0.1, "visible": visible, "n_particles": N},
    )


def running(path: Path, **changes: Any) -> None:
    """Says of the run what a living trainer says; whether one lives is for the lock to tell."""
    Recorder(path).write_status({"state": "running", "heartbeat": time.time(), "step": 7, **changes})


def one_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text) < 300 and "Traceback" not in text


def rot(data: bytes) -> list[bytes]:
    """The ways a file goes bad."""
    return [
        b"",
        data[: len(data) // 2],
        data[:8],
        b"\0" * len(data),
        b"{}",
        b"[1]",
        b"\xff\xfe" + data,
        b"\xff" * 99,
    ]
