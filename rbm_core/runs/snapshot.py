"""A snapshot: the recorded state of one moment of a run, and the only place that knows how its file is laid out.

The file is a safetensors file. W and real-valued particles are in half precision where half precision can hold
them and in float32 where it cannot; 0/1 states are packed eight to a byte, first unit in the highest bit, each row
padded to whole bytes; "step" and the description are JSON in the header.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rbm_core.runs import json_input, layout
from rbm_core.runs.files import (
    SnapshotError,
    halved,
    of_run,
    one_line,
    read_bytes,
    tensor_bytes,
    tensors_from,
)
from rbm_core.visible import units_of


@dataclass(frozen=True)
class Snapshot:
    """The recorded state after `step` updates. V visible and H hidden units, N particles, P probe cases.

    W (V, H), vbias (V,), hbias (H,) float32; log_var (V,) only for Gaussian visible units with learned variances.
    particles_v (N, V): uint8 in {0, 1}, or float32 for Gaussian units; particles_h (N, H) uint8 in {0, 1}.
    probe_hidden (P, H) uint8 = round(255 p(h=1|v)) of the probe batch; mean_hidden (H,) float32, the mean of
    p(h=1|v) over the monitored training cases. increment_counts (3, 64) and increment_edges (3, 65): histograms of
    the last increments of W, vbias and hbias. meta: "visible" (the law of the visible units), "epoch", "seconds",
    "learning_rate", "penalty" (of ordered hidden units alone), "exact" (W keeps all its bits on disk: the parameters
    were imported), ...

    Of a model with label units alone: label_W (K, H), label_bias (K,) float32, their weights and biases, and
    particles_y (N,) uint8, the label of each particle.
    """

    step: int
    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    log_var: np.ndarray | None
    particles_v: np.ndarray
    particles_h: np.ndarray
    probe_hidden: np.ndarray
    mean_hidden: np.ndarray
    increment_counts: np.ndarray
    increment_edges: np.ndarray
    meta: dict[str, Any]
    label_W: np.ndarray | None = None
    label_bias: np.ndarray | None = None
    particles_y: np.ndarray | None = None

    @property
    def in_use(self) -> int:
        """How many hidden units have learned: of ordered ones the place of the last with a parameter, else all."""
        if self.meta.get("penalty") is None:
            return self.W.shape[1]
        learned = np.flatnonzero(self.W.any(axis=0) | (self.hbias != 0))
        return int(learned[-1]) + 1 if len(learned) else 0

    @property
    def n_labels(self) -> int:
        """K, the label units; 0 without them."""
        return 0 if self.label_W is None else len(self.label_W)

    def parameters(self) -> dict[str, Any]:
        """The model as `RBM.from_numpy` takes it: the label units are the last visible ones."""
        W, vbias = self.W, self.vbias
        if self.label_W is not None and self.label_bias is not None:
            W, vbias = np.concatenate([W, self.label_W]), np.concatenate([vbias, self.label_bias])
        return {
            "W": W,
            "vbias": vbias,
            "hbias": self.hbias,
            "visible": units_of(self.meta).name,
            "log_var": self.log_var,
            "n_labels": self.n_labels,
            "penalty": self.meta.get("penalty"),
        }

    def particles(self) -> np.ndarray:
        """The chains' visible states as that model has them, (N, V + K) float32."""
        v = self.particles_v.astype(np.float32)
        if self.particles_y is None:
            return v
        return np.concatenate([v, np.eye(self.n_labels, dtype=np.float32)[self.particles_y]], axis=1)


def encode(snapshot: Snapshot) -> bytes:
    """The content of the snapshot's file; `decode` returns the same, W and real particles rounded to 11 bits."""
    real = units_of(snapshot.meta).real
    arrays = {
        "W": snapshot.W if snapshot.meta.get("exact") else halved(snapshot.W),
        "vbias": snapshot.vbias,
        "hbias": snapshot.hbias,
        "particles_v": halved(snapshot.particles_v) if real else _packed(snapshot.particles_v),
        "particles_h": _packed(snapshot.particles_h),
        "probe_hidden": snapshot.probe_hidden,
        "mean_hidden": snapshot.mean_hidden,
        "increment_counts": snapshot.increment_counts,
        "increment_edges": snapshot.increment_edges,
    }
    if snapshot.log_var is not None:
        arrays["log_var"] = snapshot.log_var
    if snapshot.label_W is not None and snapshot.label_bias is not None and snapshot.particles_y is not None:
        arrays["label_W"] = snapshot.label_W if snapshot.meta.get("exact") else halved(snapshot.label_W)
        arrays |= {"label_bias": snapshot.label_bias, "particles_y": snapshot.particles_y}
    return tensor_bytes(arrays, {**snapshot.meta, "step": snapshot.step})


def decode(data: bytes) -> Snapshot:
    """The snapshot in a file's content; SnapshotError in a few words if it is damaged or its parts do not fit."""
    try:
        return _unpacked(*tensors_from(data))
    except KeyError as error:
        raise SnapshotError(f"it holds no {error.args[0]}") from error
    except (ValueError, TypeError) as error:
        raise SnapshotError(one_line(error)) from error


def _unpacked(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Snapshot:
    meta = json_input.typed(layout.META, meta)
    W = arrays["W"].astype(np.float32)
    if W.ndim != 2 or not W.size:
        raise ValueError(f"W should have a row a visible and a column a hidden unit, not shape {W.shape}")
    V, H = W.shape
    if units_of(meta).real:
        particles_v = arrays["particles_v"].astype(np.float32)
    else:
        particles_v = _bits(arrays["particles_v"], V, "particles_v")
    snapshot = Snapshot(
        step=meta["step"],
        W=W,
        vbias=arrays["vbias"].astype(np.float32),
        hbias=arrays["hbias"].astype(np.float32),
        log_var=arrays["log_var"].astype(np.float32) if "log_var" in arrays else None,
        particles_v=particles_v,
        particles_h=_bits(arrays["particles_h"], H, "particles_h"),
        probe_hidden=arrays["probe_hidden"],
        mean_hidden=arrays["mean_hidden"].astype(np.float32),
        increment_counts=arrays["increment_counts"],
        increment_edges=arrays["increment_edges"],
        meta=meta,
        **(_labels_in(arrays, H) if "label_W" in arrays else {}),
    )
    for name, n in (("vbias", V), ("hbias", H), ("mean_hidden", H), ("log_var", V)):
        array = getattr(snapshot, name)
        if array is not None and array.shape != (n,):
            raise ValueError(f"{name} should have shape ({n},), not {array.shape}")
    for name, n in (("particles_v", V), ("probe_hidden", H)):
        array = getattr(snapshot, name)
        if array.ndim != 2 or array.shape[1] != n:
            raise ValueError(f"{name} should have {n} columns, but its shape is {array.shape}")
    if snapshot.probe_hidden.dtype != np.uint8:
        raise ValueError(f"probe_hidden should be uint8, not {snapshot.probe_hidden.dtype}")
    if len(snapshot.particles_v) != len(snapshot.particles_h):
        raise ValueError("particles_v and particles_h should have a row a chain")
    counts, edges = snapshot.increment_counts, snapshot.increment_edges
    if counts.ndim != 2 or edges.shape != (len(counts), counts.shape[1] + 1):
        raise ValueError("increment_edges should have one column more than increment_counts")
    return snapshot


def _labels_in(arrays: dict[str, np.ndarray], H: int) -> dict[str, np.ndarray]:
    """The fields of the label units, checked against each other and the hidden layer."""
    W, bias, particles = arrays["label_W"], arrays["label_bias"], arrays["particles_y"]
    if W.ndim != 2 or W.shape[1] != H or len(W) < 2 or bias.shape != W.shape[:1]:
        raise ValueError(f"label_W {W.shape} and label_bias {bias.shape} do not fit {H} hidden units")
    if particles.dtype != np.uint8 or particles.shape != (len(arrays["particles_v"]),):
        raise ValueError("particles_y should be a byte a chain")
    if particles.size and particles.max() >= len(W):
        raise ValueError(f"particles_y names label {particles.max()}, and there are {len(W)}")
    return {
        "label_W": W.astype(np.float32),
        "label_bias": bias.astype(np.float32),
        "particles_y": particles,
    }


def snapshot_file(run: Path, step: int) -> Path:
    """Where the run's folder keeps the snapshot of this step."""
    return run / "snapshots" / f"{step:09d}.safetensors"


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a file, checked; FileNotFoundError if there is none, SnapshotError if it is damaged."""
    data = read_bytes(path)
    try:
        return decode(data)
    except SnapshotError as error:
        raise SnapshotError(f"{of_run(path)} is damaged: {error}") from error


def _packed(states: np.ndarray) -> np.ndarray:
    return np.packbits(states.astype(bool), axis=1)


def _bits(packed: np.ndarray, n: int, name: str) -> np.ndarray:
    n_bytes = (n + 7) // 8
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != n_bytes:
        raise ValueError(f"{name} should be uint8 rows of {n_bytes} bytes, not {packed.dtype} {packed.shape}")
    return np.unpackbits(packed, axis=1, count=n)
