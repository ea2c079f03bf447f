"""Early stopping ends a run once its validation likelihood has stopped rising, and keeps the best moment."""

import itertools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from rbm_core.config import PRESETS, ConfigError, make_config, preset
from rbm_core.runs import RunReader
from rbm_core.training import Training
from rbm_core.training import process as training_process
from rbm_core.training.stopping import EarlyStopping
from tests.core.test_training_resumed import assert_same_run
from tests.core.training_runs import FakeTraining, make_run

NAN = float("nan")


def test_run_ends_once_patience_has_passed_since_its_best() -> None:
    stopping = EarlyStopping(patience=30)
    curve = {10: -90.0, 20: -80.0, 30: NAN, 40: -79.0, 50: -79.5, 60: None, 69: -85.0, 70: -80.0}
    improved = [step for step, nats in curve.items() if stopping.improves(step, nats)]
    assert improved == [10, 20, 40]
    assert stopping.reason(69) is None
    said = stopping.reason(70)
    assert said is not None
    assert "best at step 40, −79.0 nats" in said
    assert "not risen in 30 updates" in said


def test_without_patience_or_likelihood_nothing_stops() -> None:
    never = EarlyStopping(patience=0)
    assert not never.improves(10, -80.0)
    assert never.reason(10**9) is None
    blind = EarlyStopping(patience=5)
    assert not any(blind.improves(step, nats) for step, nats in zip(range(9), itertools.cycle([None, NAN])))
    assert blind.reason(10**9) is None


def overfitting(fake: type[FakeTraining], best: int) -> None:
    """Has the stand-in's validation likelihood rise to -50 nats at step `best` and fall from there on."""
    metrics = fake.metrics

    def falling(training: FakeTraining) -> dict[str, float]:
        return {**metrics(training), "log_likelihood_valid": -50.0 - abs(training.step - best) / 100}

    fake.metrics = falling  # type: ignore[method-assign]


@pytest.fixture
def falling(fake: type[FakeTraining], monkeypatch: pytest.MonkeyPatch) -> type[FakeTraining]:
    monkeypatch.setattr(fake, "metrics", fake.metrics)  # put back afterwards
    overfitting(fake, best=400)
    return fake


def test_stopped_run_keeps_its_best_moment_and_says_why(runs_root: Path, falling: type[FakeTraining]) -> None:
    path = make_run(runs_root, "early", updates=100_000, patience=300, log_every=50)
    assert training_process.run(path) == "finished"
    read = RunReader(path)
    status = read.status()
    assert status["step"] == 700
    assert "best at step 400, −50.0 nats" in status["message"]
    assert {400, 700} <= set(read.snapshot_steps())
    assert not (path / "best.safetensors").exists()
    last = read.events()[-1]
    assert (last["command"], last["step"], last["value"]) == ("stop early", 700, {"step": 400, "nats": -50.0})
    assert training_process.run(path) == "finished", "it has nothing left to do"
    assert read.status()["step"] == 700
    assert [event["command"] for event in read.events()].count("stop early") == 1


def test_a_best_moment_of_another_step_is_not_kept(runs_root: Path, falling: type[FakeTraining]) -> None:
    """A best.safetensors that is damaged, or left by a state that was never saved, does no harm."""
    path = make_run(runs_root, "damaged", updates=100_000, patience=300, log_every=50)

    def damage(training: FakeTraining) -> None:
        if training.step == 600:
            (path / "best.safetensors").write_bytes(b"nothing")

    falling.on_update = damage
    assert training_process.run(path) == "finished"
    assert 700 in RunReader(path).snapshot_steps()
    assert 400 not in RunReader(path).snapshot_steps()


SMALL = {
    "dataset": "mnist-5k",
    "n_hidden": 16,
    "batch_size": 50,
    "n_chains": 32,
    "k": 1,
    "log_every": 5,
    "epochs": 2,
}


@pytest.mark.slow
def test_resumed_run_stops_early_where_an_uninterrupted_one_does(runs_root: Path) -> None:
    """Bit for bit, with the same best moment, though it was stopped between that and the end."""
    settings = {**SMALL, "learning_rate": 0.5, "lr_schedule": "constant", "updates": 2000, "patience": 25}
    reference, path = make_run(runs_root, "whole", **settings), make_run(runs_root, "halves", **settings)
    assert training_process.run(reference) == "finished"
    whole = RunReader(reference)
    end, best = whole.status()["step"], whole.events()[-1]["value"]["step"]
    assert best < end < 2000
    half = best + (end - best) // 2

    with pytest.MonkeyPatch.context() as patch:
        update = Training.update

        def until_half(training: Training) -> object:
            made = update(training)
            if training.step == half:
                os.kill(os.getpid(), signal.SIGINT)
            return made

        patch.setattr(Training, "update", until_half)
        assert training_process.run(path) == "stopped"
    assert training_process.run(path) == "finished"
    halves = RunReader(path)
    assert halves.events()[-1]["value"] == whole.events()[-1]["value"]
    assert_same_run(path, reference)
    assert np.array_equal(halves.snapshot(best).W, whole.snapshot(best).W)


def test_updates_count_before_epochs_and_old_configs_count_epochs() -> None:
    assert make_config(updates=77, epochs=3).n_updates(10) == 77
    assert make_config(epochs=3).n_updates(10) == 30
    old = {k: v for k, v in make_config(epochs=7).model_dump().items() if k not in ("updates", "patience")}
    assert make_config(**old).n_updates(10) == 70
    assert all(one.updates for one in PRESETS.values()), "presets are given in updates"
    assert preset("quick", epochs=4).n_updates(40) == 160, "whoever names epochs means them"
    assert preset("quick", dataset="mnist-5k").n_updates(40) == preset("quick").n_updates(550)


@pytest.mark.parametrize("presets", list(PRESETS))
def test_presets_make_the_updates_that_their_epochs_of_mnist_made(presets: str) -> None:
    epochs, per_epoch = {"default": (90, 550), "best": (350, 550), "quick": (5, 550), "reference": (30, 600)}[
        presets
    ]
    assert PRESETS[presets].updates == epochs * per_epoch


@pytest.mark.parametrize(
    "changes",
    [{"n_valid": 0}, {"binarisation": "none"}, {"patience": -1}],
)
def test_patience_without_a_validation_likelihood_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="patience"):
        make_config(**{"patience": 100, **changes})


def test_status_of_a_run_of_given_updates_counts_the_epochs_begun(
    runs_root: Path, fake: type[FakeTraining]
) -> None:
    path = make_run(runs_root, "counted", updates=40)
    assert training_process.run(path) == "finished"
    status = json.loads((path / "status.json").read_text())
    assert (status["step"], status["n_steps"], status["n_epochs"]) == (40, 40, 3)
