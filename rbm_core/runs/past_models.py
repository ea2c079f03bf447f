"""The past models of a run that serve as rungs of a ladder, and the only place that knows how their file is laid out.

The file, trajectory.safetensors, is replaced whole as the run goes on: a row a model, "steps" as JSON in the header.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbm_core.runs.files import SnapshotError, of_run, read_tensors, tensor_bytes

_NAME = "trajectory.safetensors"


@dataclass(frozen=True)
class PastModels:
    """K models in the order of learning: one without weights, then one wherever learning had moved so far that chains
    at it and at the one before exchange in about three of ten cases.

    steps: the updates each had seen, ascending. W (K, V, H) float16, or float32 where a weight is beyond ±65,504;
    vbias (K, V), hbias (K, H) float32; log_var (K, V) only for Gaussian visible units with learned variances.
    """

    steps: tuple[int, ...]
    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    log_var: np.ndarray | None = None


def encode(models: PastModels) -> bytes:
    """The content of the file; `read_past_models` returns the same."""
    arrays = {"W": models.W, "vbias": models.vbias, "hbias": models.hbias, "log_var": models.log_var}
    return tensor_bytes(
        {name: a for name, a in arrays.items() if a is not None}, {"steps": list(models.steps)}
    )


def past_models_file(run: Path) -> Path:
    """Where the run's folder keeps them."""
    return run / _NAME


def read_past_models(run: Path) -> PastModels | None:
    """The past models of the run in this folder; None where it has recorded none, as runs of older versions.

    Raises SnapshotError in one sentence if the file is damaged.
    """
    path = past_models_file(run)
    try:
        arrays, meta = read_tensors(path)
    except FileNotFoundError:
        return None
    steps, W = meta.get("steps"), arrays.get("W")
    if not isinstance(steps, list) or not all(type(step) is int for step in steps) or sorted(steps) != steps:
        raise SnapshotError(f"{of_run(path)} is damaged: its steps are not whole numbers that rise")
    if W is None or W.ndim != 3 or len(W) != len(steps):
        found = "no W" if W is None else f"W of shape {W.shape}"
        raise SnapshotError(f"{of_run(path)} is damaged: it holds {found} for {len(steps)} models")
    K, V, H = W.shape
    for name, shape in (("vbias", (K, V)), ("hbias", (K, H)), ("log_var", (K, V))):
        array = arrays.get(name)
        if array is None and name != "log_var":
            raise SnapshotError(f"{of_run(path)} is damaged: it holds no {name}")
        if array is not None and array.shape != shape:
            raise SnapshotError(f"{of_run(path)} is damaged: {name} has shape {array.shape}, not {shape}")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise SnapshotError(f"{of_run(path)} is damaged: it holds numbers that are not finite")
    return PastModels(tuple(steps), W, arrays["vbias"], arrays["hbias"], arrays.get("log_var"))
