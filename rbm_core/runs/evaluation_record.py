"""The record of evaluations of a run: one folder each, under evaluations/; read without torch.

evaluations/<id>/progress.json       state, progress, curves, and at the end the row of likelihood.jsonl
evaluations/<id>/state.safetensors   where an interrupted one goes on; gone once it is finished
evaluations/<id>/snapshot.safetensors the model judged, as long as it is not finished
evaluations/<id>/samples.safetensors images drawn on the way, for estimators that draw any
evaluations/<id>/run.lock            held by the process that works on it
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rbm_core.runs.files import RunError, lock_is_held, read_object

__all__ = ["ESTIMATORS", "evaluation_folder", "evaluation_id", "list_evaluations", "read_evaluation"]

ESTIMATORS: dict[str, str] = {
    "bracket": "Annealed importance sampling (AIS), forward and in reverse: log Z from both sides, and a verdict.",
    "ais": "Forward AIS alone: fast, and errs towards too high a likelihood.",
    "reverse": "Reverse AIS alone: errs towards too low a likelihood.",
    "exact": "Enumeration, for models with a layer of at most 28 units: no error bar needed.",
    "pseudo": "Pseudo-likelihood: each pixel given all the others; needs no log Z.",
    "mixing": "Samples against sampling time: does the model still look right past k sweeps?",
}


def evaluation_id(step: int, estimator: str, settings: Mapping[str, Any]) -> str:
    """The same question has the same name, so that asking it again goes on where it was left."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()
    return f"{step:09d}-{estimator}-{digest[:8]}"


def evaluation_folder(run: Path, name: str) -> Path:
    return Path(run) / "evaluations" / name


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """progress.json, with "interrupted" worked out from the lock; None where there is none yet.

    RunError in one sentence if it is damaged.
    """
    try:
        progress = read_object(folder / "progress.json")
    except FileNotFoundError:
        return None
    if progress.get("state") == "running" and not lock_is_held(folder):
        # Its last word is written before the lock goes: what is read now is that word.
        progress = read_object(folder / "progress.json")
        if progress.get("state") == "running":
            progress["state"] = "interrupted"
    return progress


def list_evaluations(run: Path) -> list[dict[str, Any]]:
    """Every evaluation begun on this run, newest first; damaged ones are left out."""
    found = []
    for folder in sorted((Path(run) / "evaluations").glob("*/")):
        try:
            progress = read_evaluation(folder)
        except RunError:
            continue
        if progress is not None:
            found.append(progress)
    return sorted(found, key=lambda progress: -float(progress.get("started", 0.0)))
