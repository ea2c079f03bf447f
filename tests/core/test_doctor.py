"""The doctor finds what was broken on purpose, says by what evidence, and is silent on healthy runs."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rbm_core import datasets, doctor
from rbm_core.config import PRESETS, make_config
from rbm_core.config import preset as make_preset
from rbm_core.doctor import Record, learning
from rbm_core.runs import Probe, RunError, RunReader, Snapshot, store
from rbm_core.runs.files import read_tensors, tensor_bytes
from rbm_core.runs.snapshot import snapshot_file
from rbm_core.training import process as training_process
from tests.small_run import train_small

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "mnist-default"
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
    "reconstruction_error": np.linspace(0.08, 0.03, N),
    "pseudo_likelihood_valid": np.linspace(-200, -80, N) + np.random.default_rng(0).normal(0, 8, N),
    "log_likelihood_valid": np.where(np.arange(N) == N - 1, -60.0, np.nan),
}
UNITS = 100
SETTINGS = make_config(binarisation="threshold", epochs=50, k=1).model_dump()


def coins(seed: int, n: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (n, UNITS)).astype(np.uint8)


PROBE = Probe(coins(3) * np.uint8(255), np.arange(40) % 10)
TWO_KINDS = coins(3)[[0, 1, 10, 11, 20, 21, 30, 31] * 5]  # of ten, and as far apart as any others


def snapshot(step: int, particles: np.ndarray) -> Snapshot:
    """Of a model whose hidden units copy the pixels, and to which all images are equally probable."""
    return Snapshot(
        step,
        20 * np.eye(UNITS, dtype=np.float32),
        np.full(UNITS, -10, np.float32),
        np.full(UNITS, -10, np.float32),
        None,
        particles,
        particles,
        PROBE.v,
        np.full(UNITS, 0.5, np.float32),
        np.zeros((3, 64), np.int32),
        np.zeros((3, 65), np.float32),
        {"visible": "bernoulli"},
    )


def record(**changes: Any) -> Record:
    metrics = {**HEALTHY, **{name: value for name, value in changes.items() if name in HEALTHY}}
    rest = {name: value for name, value in changes.items() if name not in HEALTHY}
    made = Record(
        metrics,
        SETTINGS,
        UNITS,
        snapshot(5000, coins(1)),
        snapshot(4000, coins(2)),
        PROBE,
        steps=(0, 100, 1000, 4000, 5000),
        state="running",
        data={"n_train": 10_000},
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
        ({"update_ratio": np.full(N, 0.02)}, "Update / weight ratio"),
        (
            {
                "config": {"lr_schedule": "constant"},
                "learning_rate": np.full(N, 0.1),
                "update_ratio": np.full(N, 0.02),
            },
            "Update / weight ratio",
        ),
        ({"update_ratio": np.full(N, 5e-5)}, "Update / weight ratio"),
        ({"dead_units": np.full(N, 30.0)}, "Dead units"),
        ({"saturated_units": np.full(N, 9.0)}, "Saturated units"),
        ({"free_energy_gap": np.linspace(0, 20, N)}, "Training / validation gap"),
        ({"flips_per_sweep": np.full(N, 1e-4)}, "Fantasies move"),
        (
            {"newest": snapshot(5000, coins(1)[[0] * 30 + [1] * 10]), "probe": Probe(PROBE.v, None)},
            "Fantasies differ",
        ),
        ({"newest": snapshot(5000, TWO_KINDS)}, "Fantasies differ"),
        ({"free_energy_train": np.linspace(-100, -700, N)}, "Size of free energies"),
        (
            {"free_energy_train": np.where(np.arange(N) == 3, -700, HEALTHY["free_energy_train"])},
            "Size of free energies",
        ),
        ({"free_energy_fantasy": HEALTHY["free_energy_train"] - 6}, "Free energy of fantasies"),
        ({"before": snapshot(4000, coins(1))}, "Enough Gibbs sweeps"),
        ({"state": "diverged", "message": "Free energies are no longer finite."}, "Numbers stay finite"),
        ({"probe": Probe(np.repeat(coins(3)[:1], 40, axis=0), None)}, "Images differ"),
        ({"config": {**SETTINGS, "binarisation": "none"}}, "Pixels suit the units"),
        ({"config": {**SETTINGS, "n_chains": 1}}, "Enough chains"),
        ({"config": {**SETTINGS, "algorithm": "cd", "batch_size": 1}}, "Enough chains"),
        ({"config": {**SETTINGS, "sparsity_cost": 0.1, "sparsity_target": 0.9}}, "Sparsity target"),
        ({"config": {**SETTINGS, "sparsity_cost": 0.1, "sparsity_target": 0.001}}, "Sparsity target"),
        ({"config": {**SETTINGS, "weight_std": 5.0}}, "First weights"),
        ({"data": {"n_train": 120}}, "Enough updates"),
        ({"config": {**SETTINGS, "batch_size": 60_000}}, "Enough updates"),
        ({"log_likelihood_valid": np.full(N, -90.0)}, "Better than independent pixels"),
        (
            {
                "log_likelihood_valid": np.full(N, np.nan),
                "pseudo_likelihood_valid": np.full(N, -90.0),
            },
            "Better than independent pixels",
        ),
        (
            {"config": {"algorithm": "cd", "k": 4}, "flips_per_sweep": np.full(N, 0.1)},
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
    said = [
        part for finding in doctor.examine(record(**changes)) for part in (finding.evidence, finding.healthy)
    ]
    assert not [one for one in said if re.search(r"(?<!\w)-\d", one)], "a negative number with a hyphen"


def test_a_falling_log_likelihood_counts_by_its_own_error_bar() -> None:
    fall = {**HEALTHY, "log_likelihood_valid": np.where(np.arange(N) < 150, -50.0, -60.0)}
    sure = {**fall, "log_z_stderr": np.full(N, 0.5)}
    unsure = {**fall, "log_z_stderr": np.full(N, 3.0)}
    assert "Reconstruction and likelihood agree" in ill(replace(record(), metrics=sure))
    assert not ill(replace(record(), metrics=unsure))


def test_chains_that_start_at_the_data_prove_nothing_about_fantasies() -> None:
    cd = {"algorithm": "cd", "k": 5}
    rules = {finding.rule for finding in doctor.examine(record(config=cd, newest=snapshot(5000, TWO_KINDS)))}
    assert "Enough Gibbs sweeps" in rules
    assert not rules & {"Fantasies differ", "Fantasies move"}


def test_averaged_weights_may_take_long_steps_at_a_constant_rate() -> None:
    averaged = {"lr_schedule": "constant", "averaging": 0.5}
    assert not ill(record(config=averaged, learning_rate=np.full(N, 0.1), update_ratio=np.full(N, 0.03)))


def test_what_is_called_healthy_holds_for_what_is_found_well() -> None:
    def said(ratio: float, **config: Any) -> str:
        falling = {"learning_rate": np.linspace(0.1, 0, N), "update_ratio": np.full(N, ratio)}
        found = learning.update_ratio(record(config={"lr_schedule": "linear", **config}, **falling))
        assert found is not None
        assert found.well
        return found.healthy

    assert "between 0.01 % and 1 %" in said(2e-3)
    assert "1 %" not in said(1.9e-2, averaging=0.05).replace("0.01 %", ""), (
        "a ratio above the bound that is named is called well"
    )


def test_a_gap_within_the_noise_of_its_subsets_is_none() -> None:
    gap = np.linspace(0, 9, N)
    assert "Training / validation gap" in ill(record(free_energy_gap=gap))
    newest = snapshot(5000, coins(1))
    scattered = replace(newest, vbias=newest.vbias + 16)  # F of the images now scatters by about 80 nats
    assert "Training / validation gap" not in ill(record(free_energy_gap=gap, newest=scattered))


def test_units_that_are_dead_are_not_said_to_learn_too_slowly() -> None:
    assert ill(record(update_ratio=np.zeros(N), dead_units=np.full(N, 90.0))) == {"Dead units"}


def test_the_noise_of_the_pseudo_likelihood_is_no_fall() -> None:
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(-90, 15, N)
        assert not ill(record(pseudo_likelihood_valid=noise)), f"alarm on noise, seed {seed}"


def test_a_learning_rate_that_ends_at_zero_is_not_called_too_small() -> None:
    ratio = np.where(HEALTHY["learning_rate"] > 0.01, 5e-3, 0.0)
    assert not ill(record(update_ratio=ratio))


def test_a_rate_that_begins_high_is_not_called_too_large() -> None:
    assert not ill(record(update_ratio=np.where(HEALTHY["learning_rate"] > 0.025, 5e-2, 5e-3)))


@pytest.mark.parametrize("rows", [0, 1, 3, 10])
def test_nothing_is_said_before_there_is_evidence(rows: int) -> None:
    young = {name: column[:rows] for name, column in HEALTHY.items()}
    assert doctor.examine(Record(young, {}, UNITS)) == []


@pytest.mark.parametrize("preset_name", list(PRESETS))
def test_a_run_that_is_only_created_is_examined_without_a_word(tmp_path: Path, preset_name: str) -> None:
    path = store.create_run(tmp_path, "starting", PRESETS[preset_name])
    assert [
        finding for finding in doctor.examine(doctor.record_of(RunReader(path))) if not finding.well
    ] == []


def test_missing_columns_and_holes_silence_a_rule_and_no_more() -> None:
    holes = {**HEALTHY, "flips_per_sweep": np.full(N, np.nan)}
    del holes["dead_units"]
    rules = {finding.rule for finding in doctor.examine(replace(record(), metrics=holes))}
    assert "Fantasies move" not in rules
    assert "Dead units" not in rules
    assert len(rules) == len(doctor.RULES) - 2


def test_a_damaged_snapshot_leaves_the_rules_that_need_none(tmp_path: Path) -> None:
    run = shutil.copytree(SHIPPED, tmp_path / "damaged")
    newest = snapshot_file(run, RunReader(run).snapshot_steps()[-1])
    newest.write_bytes(b"half of it")
    rules = {finding.rule for finding in doctor.examine(doctor.record_of(RunReader(run)))}
    assert {"Update / weight ratio", "Dead units"} <= rules
    assert "Fantasies differ" not in rules


def test_the_report_has_a_headline_every_finding_and_advice_only_where_something_is_wrong() -> None:
    findings = doctor.examine(record(saturated_units=np.full(N, 9.0)))
    headline, worst, *rest = doctor.report(findings)
    assert headline == "1 to look at"
    assert worst.startswith(
        "● Saturated units: 9 of 100 hidden units are always on (healthy is fewer than 5 %; "
    )
    assert worst.endswith(findings[0].advice)
    assert len(rest) == len(findings), "the others and the sources"
    assert all(line.startswith("✓") and line.endswith(").") for line in rest[:-1])
    assert doctor.report([]) == [f"too early to say; {doctor.TOO_EARLY}"]
    fine = len(doctor.RULES) - 1
    assert doctor.report(findings[1:])[0] == f"{fine} checks fine; 1 more cannot be told yet"


def test_every_finding_names_evidence_threshold_way_out_and_source() -> None:
    for finding in doctor.examine(record()):
        for words in (finding.evidence, finding.healthy, finding.advice, finding.source):
            assert words.strip(), finding


EVERY_ILLNESS: list[dict[str, Any]] = [
    {"update_ratio": np.full(N, 0.02)},
    {"update_ratio": np.full(N, 5e-5)},
    {"dead_units": np.full(N, 30.0)},
    {"free_energy_gap": np.linspace(0, 20, N)},
    {"flips_per_sweep": np.full(N, 1e-4)},
    {"newest": snapshot(5000, TWO_KINDS)},
    {"free_energy_train": np.linspace(-100, -700, N)},
    {"free_energy_fantasy": HEALTHY["free_energy_train"] - 60},
    {"before": snapshot(4000, coins(1))},
    {"log_likelihood_valid": np.full(N, -900.0)},
    {"state": "diverged"},
    {"steps": ()},
    {"newest": None, "before": None, "damaged": "the snapshot is damaged"},
]


def many_ill(seed: int, **settings: list[Any]) -> Record:
    """Many illnesses at once, at settings out of the whole range of each field, or out of those that are given."""
    rng = np.random.default_rng(seed)
    pick = {
        "learning_rate": [1e-9, 0.05, 7.0, 100.0],
        "weight_decay": [0.0, 1e-5, 10.0],
        "l1": [0.0, 10.0],
        "k": [1, 3, 5000, 10_000],
        "n_chains": [1, 9, 100],
        "batch_size": [1, 100, 100_000],
        "epochs": [1, 50, 100_000],
        "sparsity_cost": [0.0, 1.0],
        "sparsity_target": [1e-6, 0.9],
        "weight_std": [0.0, 0.01, 10.0],
        "algorithm": ["cd", "pcd"],
        "centred": [True, False],
        "binarisation": ["stochastic", "threshold", "none"],
        "lr_schedule": ["constant", "linear"],
        "n_valid": [0, 5000],
        "patience": [0, 500],
        "ordered": [False, True],
        **settings,
    }
    chosen = {name: values[rng.integers(len(values))] for name, values in pick.items()}
    if chosen["ordered"]:
        chosen["sparsity_cost"] = 0.0
    if not chosen["n_valid"] or chosen["binarisation"] == "none":
        chosen["patience"] = 0
    config = make_config(**chosen).model_dump()
    changes: dict[str, Any] = {}
    for illness in rng.permutation(len(EVERY_ILLNESS))[:4]:
        changes |= EVERY_ILLNESS[illness]
    changes["learning_rate"] = np.full(N, chosen["learning_rate"])
    return record(config=config, data={"n_train": int(rng.integers(1, 60_000))}, **changes)


@pytest.mark.parametrize("seed", range(40))
def test_every_remedy_is_a_run_that_can_be_started(seed: int) -> None:
    made = many_ill(seed)
    config = made.config
    for finding in doctor.examine(made):
        for remedy in finding.remedies:
            assert make_config(**{**config, **remedy.changes}) != make_config(**config), remedy
            assert remedy.step is None or remedy.step in (*made.steps, 5000), "a snapshot that is not kept"
            assert remedy.step is None or "n_hidden" not in remedy.changes, "weights of another size"
            assert remedy.label.startswith(("Start a", "Go on from step")), remedy.label


@pytest.mark.parametrize("seed", range(40))
def test_whatever_can_be_done_better_has_a_remedy(seed: int) -> None:
    """At settings that leave room for more and for less; of images that are all alike no run makes more."""
    made = many_ill(
        seed, learning_rate=[0.05], k=[1, 5], epochs=[1, 50], weight_decay=[0.0, 1e-3], n_chains=[1, 100]
    )
    found = [one for one in doctor.examine(made) if not one.well or one.hint]
    assert found
    assert [one.rule for one in found if not one.remedies and one.rule != "Images differ"] == []


def test_every_rule_that_complains_has_a_remedy() -> None:
    """The illnesses by which `test_each_rule_sees_what_it_is_for` brings each rule to complain, and every hint."""
    (marked,) = (mark for mark in test_each_rule_sees_what_it_is_for.pytestmark if mark.name == "parametrize")
    hinted = ({"state": "finished", "free_energy_fantasy": HEALTHY["free_energy_train"] + 60}, "")
    ailing = [one for changes, _ in [*marked.args[1], hinted] for one in doctor.examine(record(**changes))]
    ailing = [one for one in ailing if not one.well or one.hint]
    assert any(one.hint for one in ailing)
    assert len({one.rule for one in ailing}) == len(doctor.RULES), "a rule never complained"
    assert {one.rule for one in ailing if not one.remedies} == {"Images differ"}


def test_a_run_that_overfits_is_offered_to_stop_early() -> None:
    def offered(**config: Any) -> dict[str, Any]:
        made = record(config={**SETTINGS, **config}, free_energy_gap=np.linspace(0, 20, N))
        (gap,) = (one for one in doctor.examine(made) if one.rule == "Training / validation gap")
        return {one.label: dict(one.changes) for one in gap.remedies}

    assert offered()["Start afresh with early stopping"] == {"patience": 500}, "a tenth of its 5,000 updates"
    (held_out,) = (changes for changes in offered(n_valid=0).values() if "patience" in changes)
    assert held_out["n_valid"] == 5000, "validation images are what it stops by"
    assert not any("patience" in changes for changes in offered(binarisation="none").values())


def test_a_remedy_says_where_it_starts_and_what_it_changes() -> None:
    exploded = record(free_energy_train=np.linspace(-100, -700, N), learning_rate=np.full(N, 0.05))
    found = {finding.rule: finding for finding in doctor.examine(exploded)}
    labels = [remedy.label for remedy in found["Size of free energies"].remedies]
    assert labels == [
        "Start again from step 1,000 at half the rate",
        "Start again from step 1,000 with weight decay 0.0001",
        "Start afresh at a tenth of the rate",
    ]
    assert found["Size of free energies"].remedies[0].changes == {"learning_rate": 0.025}
    stuck = record(before=snapshot(4000, coins(1)))
    mixing = next(one for one in doctor.examine(stuck) if one.rule == "Enough Gibbs sweeps")
    assert mixing.remedies[0].label == "Go on from step 5,000 with k = 5"


def test_samples_that_leave_the_data_long_after_k_sweeps_are_found_whatever_the_chains_of_training() -> None:
    """Measured samples outrank what the record of training alone can say of too few sweeps."""
    row = {"step": 5000, "settings": {"sweeps": 1000}, "moments_of_data": 0.02}

    def judged(best: float, end: float, **config: Any) -> doctor.Finding:
        measured = {**row, "moments_best": best, "moments_best_sweeps": 5, "moments_end": end}
        found = doctor.examine(record(sampled=measured, config={**SETTINGS, **config}))
        return next(one for one in found if one.rule == "Enough Gibbs sweeps")

    for algorithm, better in (("cd", "pcd"), ("pcd", "ptt"), ("ptt", None)):
        drifts = judged(0.03, 0.09, algorithm=algorithm)
        assert not drifts.well
        assert "0.03" in drifts.evidence
        assert "after 5 sweeps" in drifts.evidence
        assert [one.changes.get("algorithm") for one in drifts.remedies[1:]] == ([better] if better else [])
        assert judged(0.03, 0.031, algorithm=algorithm).well
        assert judged(0.01, 0.035, algorithm=algorithm).well, "no more than sampling noise"
    assert judged(0.03, 0.09, k=200).rule, "a thousand sweeps are too few to judge k = 200 by"
    assert "data's second moments" not in judged(0.03, 0.09, k=200).evidence


def test_caption_and_finding_of_the_fantasies_say_the_same() -> None:
    """Below: both complain. Near: neither. Above: both say that there is more to learn, ill is neither."""
    data = HEALTHY["free_energy_train"]
    for height, state, well, hint, words in (
        (-60.0, "finished", False, False, "60.0 nats below"),
        (2.0, "finished", True, False, "2.0 nats above"),
        (22.0, "running", True, False, "22.0 nats above the training images: there is more to learn"),
        (22.0, "finished", True, True, "22.0 nats above the training images: the run ended"),
    ):
        made = record(free_energy_fantasy=data + height, state=state)
        finding = doctor.fantasies(made)
        assert finding is not None
        assert (finding.well, finding.hint) == (well, hint)
        assert words in finding.evidence
        assert finding.evidence in doctor.caption(made)
        assert doctor.caption(made).startswith(doctor.FANTASIES)
    assert doctor.caption(record(free_energy_fantasy=np.full(N, np.nan))) == f"{doctor.FANTASIES}."


def test_a_hint_is_told_in_the_headline_and_is_no_complaint() -> None:
    above = {"free_energy_fantasy": HEALTHY["free_energy_train"] + 22, "state": "finished"}
    findings = doctor.examine(record(**above))
    first, hint, *_ = doctor.report(findings)
    assert first == f"{len(doctor.RULES)} checks fine, 1 hint"
    assert hint.startswith("○ Free energy of fantasies")
    assert hint.endswith(findings[0].advice)


def test_a_short_run_is_judged_from_its_middle_on() -> None:
    """60 updates of a run that makes no more, against 60 of a run that makes 5,000."""
    rows = {
        **HEALTHY,
        "step": np.arange(N) * 0.3,
        "epoch": np.arange(N) * 0.3 / 2,
        "dead_units": np.full(N, 90.0),
    }
    short = replace(record(), metrics=rows, config={**SETTINGS, "epochs": 30}, data={"n_train": 200})
    assert {"Dead units", "Enough updates"} <= ill(short)
    assert "Dead units" not in ill(replace(short, config={**SETTINGS, "epochs": 2500}))


def test_growth_that_the_likelihood_rewards_is_no_explosion() -> None:
    grown = {"free_energy_train": np.linspace(-100, -700, N)}
    rising = record(**grown, log_likelihood_valid=np.minimum(np.linspace(-60, -10, N), -20))
    falling = record(**grown, log_likelihood_valid=np.linspace(-20, -60, N))
    assert "Size of free energies" not in ill(rising)
    assert "Size of free energies" in ill(falling)


def test_a_damaged_newest_snapshot_is_named(tmp_path: Path) -> None:
    run = shutil.copytree(SHIPPED, tmp_path / "damaged")
    newest = snapshot_file(run, RunReader(run).snapshot_steps()[-1])
    newest.write_bytes(b"half of it")
    assert "49500" in doctor.record_of(RunReader(run)).damaged.replace(",", "")


def test_a_rate_raised_later_is_no_part_of_a_run_that_starts_again_before_it() -> None:
    raised = np.where(HEALTHY["step"] > 4500, 50.0, 0.05)
    ended = record(
        state="diverged",
        learning_rate=raised,
        free_energy_train=np.where(HEALTHY["step"] > 4900, -1e6, -100.0),
        config={**SETTINGS, "learning_rate": 0.05},
    )
    (finding,) = [one for one in doctor.examine(ended) if one.rule == "Numbers stay finite"]
    assert [(remedy.step, remedy.changes["learning_rate"]) for remedy in finding.remedies] == [
        (4000, 0.025),
        (4000, 0.005),
    ]
    assert finding.remedies[0].label == "Start again from step 4,000 at half the rate"


# Runs truly trained


def diagnose(run: Path) -> dict[int, set[str]]:
    """What the doctor would have said at each snapshot that was in earnest."""
    reader = RunReader(run)
    said = {}
    for step in reader.snapshot_steps():
        findings = doctor.examine(doctor.record_of(reader, step))
        if findings:
            said[step] = {finding.rule for finding in findings if not finding.well}
    assert len(findings) >= 7, "too few rules could be applied at the end"
    return said


SHORT = {"epochs": 16, "log_every": 10, "max_snapshots": 12}  # 700 updates


def shortened(preset: str, **changes: Any) -> dict[str, Any]:
    return make_preset(preset, **{"dataset": "mnist-5k", "n_valid": 100, **SHORT, **changes}).model_dump()


HEALTHY_RUNS: dict[str, dict[str, Any]] = {
    "400 updates": shortened("quick", n_hidden=64, epochs=9),
    "ten sweeps from the data": shortened("quick", n_hidden=64, algorithm="cd", k=10),
    "sparse": shortened("quick", n_hidden=64, sparsity_cost=0.01, sparsity_target=0.1),
    "biases at zero": shortened("quick", n_hidden=64, data_bias=False),
    "Adam": shortened("quick", n_hidden=64, optimizer="adam", learning_rate=1e-3),
    "bars and stripes": shortened(
        "quick", dataset="bars-and-stripes", n_hidden=8, epochs=400, batch_size=4, log_every=200, n_valid=0
    ),
    "quick": shortened("quick"),
    "another seed": shortened("quick", seed=1),
    "few hidden units, each with much to say": shortened("quick", n_hidden=16),
    "not centred": shortened("quick", centred=False),
    "default": shortened("default", n_hidden=200),
    "reference": shortened("reference", n_hidden=100),
    "Gaussian": shortened("quick", visible="gaussian", learning_rate=0.01, n_hidden=64),
    "Gaussian, learned variances": shortened(
        "quick", visible="gaussian", learn_variance=True, learning_rate=0.005, n_hidden=64
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY_RUNS)
def test_healthy_runs_are_never_complained_of(tmp_path: Path, name: str) -> None:
    said = diagnose(train_small(tmp_path, **HEALTHY_RUNS[name]))
    assert not set().union(*said.values()), said


BROKEN_RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "learning rate times 100": ({"learning_rate": 5.0}, "Size of free energies"),
    "learning rate times 100, another seed": ({"learning_rate": 5.0, "seed": 1}, "Size of free energies"),
    "learning rate over 100": ({"learning_rate": 5e-4}, "Update / weight ratio"),
    "weights of 5": ({"weight_std": 5.0, "epochs": 8}, "Better than independent pixels"),
    "weights of 5, their cause": ({"weight_std": 5.0, "epochs": 8}, "First weights"),
    "one chain": ({"n_chains": 1}, "Enough chains"),
    "grey values under persistent chains": ({"binarisation": "none"}, "Pixels suit the units"),
    "on nearly always": ({"sparsity_cost": 0.1, "sparsity_target": 0.9}, "Sparsity target"),
    "44 updates": ({"epochs": 1}, "Enough updates"),
    "batch of nearly all images": ({"batch_size": 4000, "epochs": 20}, "Better than independent pixels"),
    "weights held at zero": ({"l1": 0.1}, "Better than independent pixels"),
    "decay of 1": ({"weight_decay": 1.0}, "Better than independent pixels"),
    "gradient cut down": ({"max_grad_norm": 1e-6}, "Better than independent pixels"),
    "momentum without bounds": ({"momentum": 0.99, "learning_rate": 0.1}, "Better than independent pixels"),
    "no decay": ({"learning_rate": 0.4, "lr_schedule": "constant"}, "Update / weight ratio"),
    "one sweep from the data": ({"algorithm": "cd", "learning_rate": 0.1}, "Enough Gibbs sweeps"),
    "huge first weights": ({"weight_std": 1.0, "centred": False, "data_bias": False}, "Dead units"),
    "likelihood that falls": (
        # Persistent CD on bars and stripes loses its way: Fischer & Igel 2010.
        {"dataset": "bars-and-stripes", "n_hidden": 12, "batch_size": 4, "epochs": 300, "learning_rate": 0.5}
        | {"lr_schedule": "constant", "centred": False, "data_bias": False, "log_every": 1000},
        "Reconstruction and likelihood agree",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN_RUNS)
def test_runs_broken_on_purpose_are_found_out(tmp_path: Path, name: str) -> None:
    changes, rule = BROKEN_RUNS[name]
    said = diagnose(train_small(tmp_path, **{**SHORT, **changes}))
    assert rule in set().union(*said.values()), said


@pytest.mark.slow
def test_chains_that_collapse_to_few_digits_are_found_out(tmp_path: Path) -> None:
    # CD-1 never looks far from the data; chains that run on through its model end at few digits (Decelle et al. 2021).
    train_small(
        tmp_path, "cd", **SHORT | {"algorithm": "cd", "learning_rate": 0.1, "lr_schedule": "constant"}
    )
    fields = {"dataset": "mnist-5k", "n_valid": 100, "n_hidden": 64, "device": "cpu", "precision": "float32"}
    still = make_config(**fields, **SHORT | {"epochs": 8}, k=10, learning_rate=1e-5)
    run = store.create_run(tmp_path, "on", still, origin={"run": "cd", "step": 704})
    assert training_process.run(run) == "finished"
    assert "Fantasies differ" in set().union(*diagnose(run).values())


@pytest.mark.slow
def test_too_many_units_for_few_images_are_found_out(tmp_path: Path) -> None:
    digits = tmp_path / "digits"
    digits.mkdir()
    images = np.round(255 * datasets.load("mnist-5k").train[:400]).astype(np.uint8)
    for i, image in enumerate(images.reshape(-1, 28, 28)):
        Image.fromarray(image).save(digits / f"{i:03}.png")
    run = train_small(
        tmp_path,
        dataset=str(digits),
        n_hidden=1500,
        batch_size=40,
        n_chains=40,
        learning_rate=0.1,
        **SHORT | {"epochs": 120},
    )
    assert "Training / validation gap" in set().union(*diagnose(run).values())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == store.LANDING_RUN))
        for name in store.SHIPPED_RUNS
    ],
)
def test_a_shipped_run_was_healthy_at_every_snapshot(name: str) -> None:
    said = diagnose(SHIPPED.parent / name)
    assert len(said) >= 8
    assert not set().union(*said.values()), said


MEASURED = {
    "time": 1.0,
    "step": 0,
    "epoch": 0.0,
    "estimator": "mixing",
    "settings": {"sweeps": 20, "n_chains": 4},
    "moments_best": 0.1,
    "moments_best_sweeps": 5,
    "moments_end": 0.1,
    "moments_of_data": 0.05,
}


@pytest.mark.parametrize("entry", [name for name in MEASURED if name.startswith(("moments", "settings"))])
@pytest.mark.parametrize("missing", [True, False])
def test_what_was_measured_in_part_is_not_rested_on(tmp_path: Path, entry: str, missing: bool) -> None:
    run = train_small(tmp_path)
    step = RunReader(run).snapshot_steps()[-1]
    row = {**MEASURED, "step": step, entry: {"n_chains": 4} if entry == "settings" else None}
    if missing:
        del row[entry]
    (run / "likelihood.jsonl").write_text(json.dumps({**MEASURED, "step": step}) + "\n")
    assert doctor.record_of(RunReader(run)).sampled is not None
    (run / "likelihood.jsonl").write_text(json.dumps(row) + "\n")
    made = doctor.record_of(RunReader(run))
    assert made.sampled is None
    assert doctor.examine(made)


def test_probe_images_of_another_size_are_refused(tmp_path: Path) -> None:
    run = train_small(tmp_path)
    arrays, meta = read_tensors(run / "probe.safetensors")
    wider = np.concatenate([arrays["v"], arrays["v"][:, -1:]], axis=1)
    (run / "probe.safetensors").write_bytes(tensor_bytes({**arrays, "v": wider}, meta))
    with pytest.raises(RunError, match=r"its images have 785 pixels, and config\.json says 784"):
        doctor.record_of(RunReader(run))
