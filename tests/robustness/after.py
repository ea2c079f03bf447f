"""What the tests of robustness look at after a fault: whether files read, whether two runs end alike, what changed."""

import hashlib
from pathlib import Path

import torch

from rbm_core.runs import RunReader
from rbm_core.runs.files import read_tensors
from tests.core.training_runs import final_state
from tests.robustness.damage import files_of


def fingerprint(folder: Path) -> dict[str, str]:
    """The checksum of every file below the folder, locks apart."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files_of(folder)
    }


def every_file_reads(run: Path) -> None:
    """The reader takes all there is."""
    reader = RunReader(run)
    reader.config(), reader.status(), reader.metrics(), reader.events(), reader.likelihood(), reader.probe()
    for step in reader.snapshot_steps():
        reader.snapshot(step)
    for file in run.glob("*.safetensors"):
        if file.name != "resume.safetensors":  # which may hold what is not finite
            read_tensors(file)


def nothing_half_written(run: Path) -> None:
    every_file_reads(run)
    assert not list(run.rglob(".*.tmp")), "a half-written file takes room"


def same_end(run: Path, other: Path) -> None:
    """Both ended with the same bits: parameters, optimiser, chains, random streams, and the same rows."""
    (tensors, meta), (expected, expected_meta) = final_state(run), final_state(other)
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert meta == expected_meta
    assert RunReader(run).metrics()["step"].tolist() == RunReader(other).metrics()["step"].tolist()
