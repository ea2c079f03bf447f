"""The record of a run's evaluations, read without torch: one folder for each, evaluations/<id>/.

progress.json         state, progress and curves; of a finished one also its row of likelihood.jsonl
again.json            the same of a finished one that was asked again, until it is finished and takes its place
state.safetensors     what an interrupted one resumes from; deleted when it is finished
snapshot.safetensors  the snapshot it judges; deleted when it is finished
samples.safetensors   images drawn by estimator "mixing"
run.lock              held by the process that works on it
"""

import hashlib
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from rbm_core.runs import inside, layout
from rbm_core.runs.files import RunError, lock_is_held, read_typed

__all__ = [
    "AGAIN",
    "APART",
    "BASES",
    "ESTIMATORS",
    "MOST_SWEEPS",
    "PROGRESS",
    "STARTS",
    "Words",
    "evaluation_folder",
    "evaluation_id",
    "list_evaluations",
    "read_evaluation",
]


PROGRESS, AGAIN = "progress.json", "again.json"
MOST_SWEEPS = 10**9  # of one chain that is asked for: days of work


class Words(NamedTuple):
    """What an estimator is called: as a choice, in a table, and in one sentence that says what it does."""

    title: str
    short: str
    says: str


ESTIMATORS: dict[str, Words] = {
    "bracket": Words(
        "Log-likelihood, from both sides",
        "AIS, both sides",
        "Annealed importance sampling (AIS), forward and in reverse: log Z from both sides, and a verdict.",
    ),
    "mixing": Words(
        "Mixing and sample quality",
        "mixing",
        "Samples against sampling time: does the model still look right past k sweeps?",
    ),
    "ais": Words(
        "Forward AIS alone",
        "AIS, forward",
        "Forward AIS alone: fast, and errs towards too high a likelihood.",
    ),
    "reverse": Words(
        "Reverse AIS alone", "AIS, reverse", "Reverse AIS alone: errs towards too low a likelihood."
    ),
    "exact": Words(
        "Exact, by counting",
        "exact",
        "Enumeration, for models with a layer of at most 28 units: no error bar needed.",
    ),
    "pseudo": Words(
        "Pseudo-likelihood",
        "pseudo-likelihood",
        "Pseudo-likelihood: each pixel given all the others; needs no log Z.",
    ),
    "ladder": Words(
        "Log-likelihood, by parallel tempering",
        "tempering",
        "Parallel tempering from independent pixels to the model: log Z by another way than AIS.",
    ),
    "trajectory": Words(
        "Log-likelihood, along the run's own past",
        "trajectory",
        "Parallel tempering through the run's own past models, up to this one: log Z by a third way.",
    ),
}
"""The estimators in the order in which a page offers them; evaluation/estimators.py computes them."""


# Where the evidence for log Z comes from. A row of likelihood.jsonl whose log Z was judged by several estimates has
# them under "evidence", the two that log_z joins first: a list of
#     {"method": "forward" | "reverse", "origin": a key of BASES or STARTS, "log_z": nats, "stderr": nats, "ess": chains
#      in effect, "chains": all chains, "weak": whether too few chains are in effect for it to say anything, "doubt":
#      null or a clause that says why this estimate speaks against the rest, "differs": whether it is that it lies
#      apart from one of them}
# "trusted" is true where no estimate has a doubt and at least two bases and two starts are not weak; "verdict" names
# those that agreed. Rows written before, and
# those of other estimators, have no "evidence".
BASES: dict[str, str] = {
    "data-means": "pixels with the data's means",
    "own-means": "pixels with the model's own means",
    "coins": "coin tosses",
}
"""The bases that forward AIS begins at."""

STARTS: dict[str, str] = {
    "particles": "the run's own chains",
    "data": "data, after many sweeps",
    "annealed": "annealed samples",
    "tempered": "samples by parallel tempering",
}
"""The states that reverse AIS begins at."""

APART = 0.5
"""Nats between two estimates of log Z, beyond which they do not agree unless their error bars are wide."""


def evaluation_id(step: int, estimator: str, settings: Mapping[str, Any]) -> str:
    """The evaluation's name, a function of the question: asking it again finds the folder and resumes."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()
    return f"{step:09d}-{estimator}-{digest[:8]}"


def evaluation_folder(run: Path, name: str) -> Path:
    """The folder of the evaluation with this id."""
    return Path(run) / "evaluations" / name


def read_evaluation(folder: Path, name: str = PROGRESS) -> dict[str, Any] | None:
    """The content of progress.json, or of again.json by its name; None if there is none yet. Raises RunError in one
    sentence if it is damaged.

    "state" is "interrupted" if the file says "running" and no process holds the lock.
    """
    try:
        progress = read_typed(folder / name, layout.PROGRESS)
        if progress["state"] == "running" and not lock_is_held(folder):
            # The process writes how it ended before it releases the lock, so a file read after the release is final.
            progress = read_typed(folder / name, layout.PROGRESS)
            if progress["state"] == "running":
                progress["state"] = "interrupted"
    except FileNotFoundError:
        return None
    return progress


def list_evaluations(run: Path) -> list[dict[str, Any]]:
    """`read_evaluation` of each of the run's evaluations, the newest first; damaged ones are left out. One that was
    asked again is there twice: as it was answered, and as it goes.
    """
    found = []
    try:
        names = inside.names(Path(run) / "evaluations", Path(run).parent)
    except OSError:
        return []
    for folder, name in product(sorted(names), (PROGRESS, AGAIN)):
        try:
            progress = read_evaluation(evaluation_folder(run, folder), name)
        except RunError:
            continue
        if progress is not None:
            found.append(progress)
    return sorted(found, key=lambda progress: -progress.get("started", 0.0))
