"""The past models of a run that serve as rungs of a ladder, and the only place that knows how their file is laid out.

`models_before` gives those of any run: of one that kept none, its snapshots.

The file, trajectory.safetensors, is replaced whole as the run goes on: a row a model, "steps" as JSON in the header.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rbm_core.runs.files import SnapshotError, of_run, read_tensors, tensor_bytes
from rbm_core.runs.reader import RunReader

_NAME = "trajectory.safetensors"


@dataclass(frozen=True)
class PastModels:
    """K models in the order of learning: one without weights, then models with at least three times the updates of the
    one before, where their chains exchange in fewer than three of ten cases.

    steps: the updates each had seen, ascending. W (K, V, H) float16, or float32 where a weight is beyond ±65,504;
    vbias (K, V), hbias (K, H) float32; log_var (K, V) only for Gaussian visible units with learned variances.
    """

    steps: tuple[int, ...]
    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    log_var: np.ndarray | None = None


@dataclass(frozen=True)
class PastModel:
    """One earlier model of a run, after `step` updates: W (V, H) in half or single precision, vbias (V,), hbias (H,),
    log_var (V,) only for Gaussian visible units with learned variances. Label units are the last visible ones.
    """

    step: int
    W: np.ndarray
    vbias: np.ndarray
    hbias: np.ndarray
    log_var: np.ndarray | None


def models_before(
    reader: RunReader, step: int, most_bytes: int | None = None
) -> tuple[list[PastModel], bool]:
    """The models of the run before `step`, in the order of learning, and whether it kept them as rungs.

    A run that kept none, as those of older versions, has its snapshots; of these every second, or fewer, where their
    weights take more than most_bytes in half precision. Raises RunError if a file is damaged.
    """
    kept = read_past_models(reader.path)
    if kept is not None:
        log_vars = [None] * len(kept.steps) if kept.log_var is None else list(kept.log_var)
        rows = zip(kept.steps, kept.W, kept.vbias, kept.hbias, log_vars, strict=True)
        return [PastModel(*row) for row in rows if row[0] < step], True
    steps = [one for one in reader.snapshot_steps() if one < step]
    if steps and most_bytes is not None:
        most = max(2, most_bytes // (2 * reader.snapshot(steps[0]).W.size))
        steps = steps[:: math.ceil(len(steps) / most)]
    found = []
    for one in steps:
        fields = reader.snapshot(one).parameters()
        found.append(PastModel(one, *(fields[name] for name in ("W", "vbias", "hbias", "log_var"))))
    return found, False


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
