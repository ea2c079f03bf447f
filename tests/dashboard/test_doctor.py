"""The doctor finds what was broken on purpose, says by what evidence, and is silent on healthy runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import doctor
from dashboard.doctor import Record
from rbm_core.config import RunConfig
from rbm_core.runs import RunReader, Snapshot
from tests.small_run import train_small

N = 200
HEALTHY = {
    "step": np.arange(N) * 25.0,
    "epoch": np.arange(N) / 4.0,
    "learning_rate": np.linspace(0.05, 0, N),
    "update_ratio": np.linspace(2e-2, 5e-4, N),
    "dead_units": np.zeros(N),
    "saturated_units": np.full(N, 1.0),
    "free_energy_gap": np.linspace(-0.5, 1.0, N),
    "free_energy_train": np.linspace(-100, -180, N),
    "free_energy_fantasy": np.linspace(-80, -175, N),
    "flips_per_sweep": np.linspace(0.2, 0.05, N),
    "weight_norm": np.linspace(1, 50, N),
    "reconstruction_error": np.linspace(0.08, 0.03, N),
    "pseudo_likelihood_valid": np.linspace(-200, -80, N) + np.random.default_rng(0).normal(0, 8, N),
}
V, H = 60, 100


def snapshot(step: int, particles: np.ndarray) -> Snapshot:
    zeros = np.zeros
    return Snapshot(
        step,
        zeros((V, H), np.float32),
        zeros(V, np.float32),
        zeros(H, np.float32),
        None,
        particles,
        zeros((len(particles), H), np.uint8),
        zeros((5, H), np.uint8),
        zeros(H, np.float32),
        zeros((3, 64), np.int32),
        zeros((3, 65), np.float32),
        {"visible": "bernoulli"},
    )


def coins(seed: int, n: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (n, V)).astype(np.uint8)


def record(**changes: Any) -> Record:
    metrics = {**HEALTHY, **{name: value for name, value in changes.items() if name in HEALTHY}}
    rest = {name: value for name, value in changes.items() if name not in HEALTHY}
    made = Record(
        metrics,
        {"algorithm": "pcd", "k": 1},
        H,
        snapshot(5000, coins(1)),
        snapshot(4000, coins(2)),
        coins(3).astype(np.float64),
    )
    return replace(made, **rest)


def ill(made: Record) -> set[str]:
    return {finding.rule for finding in doctor.examine(made) if not finding.well}


def test_a_healthy_record_passes_every_rule() -> None:
    findings = doctor.examine(record())
    assert len(findings) == len(doctor.RULES), "a rule had nothing to say"
    assert [finding.rule for finding in findings if not finding.well] == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"update_ratio": np.full(N, 0.2)}, "Update / weight ratio"),
        ({"update_ratio": np.full(N, 1e-6)}, "Update / weight ratio"),
        ({"dead_units": np.full(N, 30.0)}, "Dead units"),
        ({"saturated_units": np.full(N, 9.0)}, "Saturated units"),
        ({"free_energy_gap": np.linspace(0, 20, N)}, "Training / validation gap"),
        ({"flips_per_sweep": np.full(N, 1e-4)}, "Fantasies move"),
        ({"newest": snapshot(5000, coins(1)[[0, 1] * 20])}, "Fantasies differ"),
        ({"weight_norm": np.full(N, 400.0)}, "Size of the weights"),
        ({"free_energy_fantasy": HEALTHY["free_energy_train"] - 30}, "Free energy of fantasies"),
        ({"before": snapshot(4000, coins(1))}, "Enough Gibbs sweeps"),
        (
            {"config": {"algorithm": "cd", "k": 1}, "flips_per_sweep": np.full(N, 0.03)},
            "Enough Gibbs sweeps",
        ),
        (
            {
                "pseudo_likelihood_valid": np.concatenate(
                    [np.linspace(-200, -80, 120), np.linspace(-80, -160, 80)]
                )
            },
            "Reconstruction and likelihood agree",
        ),
    ],
)
def test_each_rule_sees_what_it_is_for(changes: dict[str, Any], rule: str) -> None:
    assert rule in ill(record(**changes))


def test_the_noise_of_the_pseudo_likelihood_is_no_fall() -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(-90, 15, N)
        assert not ill(record(pseudo_likelihood_valid=noise)), f"alarm on noise, seed {seed}"


def test_a_learning_rate_that_ends_at_zero_is_not_called_too_small() -> None:
    ratio = np.where(HEALTHY["learning_rate"] > 0.01, 5e-3, 0.0)
    assert not ill(record(update_ratio=ratio))


@pytest.mark.parametrize("rows", [0, 1, 3, 10])
def test_nothing_is_said_before_there_is_evidence(rows: int) -> None:
    young = {name: column[:rows] for name, column in HEALTHY.items()}
    assert doctor.examine(Record(young, {}, H)) == []


def test_missing_columns_and_holes_silence_a_rule_and_no_more() -> None:
    holes = {**HEALTHY, "weight_norm": np.full(N, np.nan)}
    del holes["dead_units"]
    rules = {finding.rule for finding in doctor.examine(replace(record(), metrics=holes))}
    assert "Size of the weights" not in rules
    assert "Dead units" not in rules
    assert len(rules) == len(doctor.RULES) - 2


def test_every_finding_names_evidence_threshold_way_out_and_source() -> None:
    for finding in doctor.examine(record()):
        for words in (finding.evidence, finding.healthy, finding.advice, finding.source):
            assert words.strip(), finding


def diagnose(run: Path) -> set[str]:
    reader = RunReader(run)
    config = RunConfig(**reader.config()["config"])
    steps = reader.snapshot_steps()
    probe = reader.probe()
    assert probe is not None
    made = Record(
        reader.metrics(),
        config.model_dump(),
        config.n_hidden,
        reader.snapshot(steps[-1]),
        reader.snapshot(max(step for step in steps if step <= 0.9 * steps[-1])),
        probe.v / 255.0,
    )
    assert len(doctor.examine(made)) >= 9, "too few rules could be applied"
    return ill(made)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"learning_rate": 5.0}, {"Size of the weights"}),
        ({"weight_std": 1.0, "centred": False, "data_bias": False}, {"Size of the weights", "Dead units"}),
    ],
    ids=["healthy", "learning rate times 100", "huge first weights"],
)
def test_real_runs_are_judged_rightly(tmp_path: Path, changes: dict[str, Any], expected: set[str]) -> None:
    run = train_small(tmp_path, epochs=25, max_snapshots=20, log_every=10, **changes)
    found = diagnose(run)
    assert expected <= found
    assert bool(expected) == bool(found)
