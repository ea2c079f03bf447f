"""Learning climbs the likelihood, repeats itself exactly, and says so when it cannot go on."""

import math
import os
from typing import Any

import numpy as np
import pytest
import torch

from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.datasets import Dataset, load
from rbm_core.likelihood import exact_log_z
from rbm_core.rbm import RBM
from rbm_core.runs.snapshot import Snapshot, decode, encode
from rbm_core.runs.vocabulary import SETTABLE
from rbm_core.training import Training, snapshot_schedule
from tests import oracles


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("mnist-5k", n_valid=200)


def small(**changes: object) -> RunConfig:
    fields = {
        "n_hidden": 20,
        "k": 2,
        "n_chains": 30,
        "batch_size": 20,
        "epochs": 3,
        "precision": "float32",
        **changes,
    }
    return make_config(**fields)


def parameters(training: Training) -> list[np.ndarray]:
    return list(training.state.model.to_numpy().values())


def run(training: Training, steps: int) -> Training:
    for _ in range(steps):
        training.update()
    return training


VARIANTS = [
    {},
    {"precision": "bfloat16"},
    {"precision": "differences", "weight_decay": 1e-3, "averaging": 0.1},
    {"precision": "int16", "weight_decay": 1e-3, "averaging": 0.1, "learning_rate": 0.5},
    {"precision": "int16", "optimizer": "adam", "learning_rate": 1e-3, "l1": 1e-4},
    {"precision": "differences", "algorithm": "cd", "momentum": 0.5, "sparsity_cost": 0.1},
    {"algorithm": "cd", "optimizer": "adam", "learning_rate": 1e-3, "centred": False, "binarisation": "none"},
    {
        "momentum": 0.9,
        "momentum_ramp_epochs": 1.0,
        "weight_decay": 1e-3,
        "averaging": 0.1,
        "lr_schedule": "step",
    },
    {"sparsity_cost": 0.1, "l1": 1e-4, "max_grad_norm": 1.0, "binarisation": "threshold"},
    {"algorithm": "pt", "learning_rate": 0.5},
    {"algorithm": "ptt", "precision": "differences", "learning_rate": 0.5, "averaging": 0.1},
    {"visible": "gaussian", "learning_rate": 0.01},
    {"visible": "gaussian", "learn_variance": True, "learning_rate": 0.01},
]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=[", ".join(v) or "plain" for v in VARIANTS])
def test_the_same_seed_repeats_a_run_and_a_resumed_run_equals_the_uninterrupted_one(
    digits: Dataset, variant: dict
) -> None:
    config = small(batch_size=40, **variant)
    whole = run(Training(config, digits), 130)  # past the end of an epoch
    again = run(Training(config, digits), 130)
    half = run(Training(config, digits), 57)
    half.metrics()
    tensors, meta = half.state_dict()
    resumed = Training(config, digits)
    resumed.load_state_dict(tensors, meta)
    run(resumed, 73)
    for a, b, c in zip(parameters(whole), parameters(again), parameters(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert torch.equal(whole.state.phases.chains_h, resumed.state.phases.chains_h)
    assert whole.state.trajectory.steps == resumed.state.trajectory.steps
    for a, c in zip(whole.state.last_increments(), resumed.state.last_increments(), strict=True):
        assert torch.equal(a, c)


@pytest.mark.parametrize("variant", VARIANTS, ids=[", ".join(v) or "plain" for v in VARIANTS])
def test_updates_and_loading_work_in_the_memory_of_the_first_update(digits: Dataset, variant: dict) -> None:
    """A captured CUDA graph reads and writes the memory that was there when it was captured."""
    training = run(Training(small(**variant), digits), 1)

    def memory() -> dict[str, int]:
        state = training.state
        kept = {**state._tensors(), **state.optimiser.adam_tensors(), "rate": state.optimiser.rate}
        return {name: tensor.data_ptr() for name, tensor in kept.items()}

    before = memory()
    run(training, 12)
    training.load_state_dict(*training.state_dict())
    assert memory() == before


def test_a_saved_state_stays_as_it_was_while_its_run_goes_on(digits: Dataset) -> None:
    training = run(Training(small(), digits), 3)
    tensors, meta = training.state_dict()
    weights, settings = tensors["parameter.0"].clone(), dict(meta["settings"])
    training.set("learning_rate", 0.5)
    run(training, 3)
    assert torch.equal(tensors["parameter.0"], weights)
    assert meta["settings"] == settings


def test_another_seed_gives_another_run(digits: Dataset) -> None:
    a, b = (run(Training(small(seed=seed), digits), 5) for seed in (0, 1))
    assert np.abs(a.state.model.to_numpy()["W"] - b.state.model.to_numpy()["W"]).max() > 0


def test_measuring_does_not_disturb_learning(digits: Dataset) -> None:
    watched, alone = Training(small(), digits), run(Training(small(), digits), 30)
    for _ in range(30):
        watched.update()
        watched.metrics()
        watched.snapshot()
    np.testing.assert_array_equal(watched.state.model.to_numpy()["W"], alone.state.model.to_numpy()["W"])


@pytest.mark.slow
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("algorithm", ["cd", "pcd"])
def test_learning_bars_and_stripes_raises_the_exact_likelihood(algorithm: str, centred: bool) -> None:
    data = load("bars-and-stripes-3")
    config = make_config(
        dataset="bars-and-stripes-3", n_hidden=8, k=5, n_chains=200, batch_size=56, epochs=3000, algorithm=algorithm,
        centred=centred, learning_rate=0.2, n_valid=0,
    )  # fmt: skip
    training = Training(config, data)

    def mean_log_p() -> float:
        arrays = training.state.model.to("cpu", torch.float64).to_numpy()
        v = torch.tensor(np.array(oracles.states(9)), dtype=torch.float64)
        rbm = RBM.from_numpy(**arrays, dtype=torch.float64)
        log_z = float(torch.logsumexp(-rbm.free_energy(v), 0))
        return float(-rbm.free_energy(torch.tensor(data.train, dtype=torch.float64)).mean()) - log_z

    before = mean_log_p()
    run(training, training.n_steps)
    # No model does better than minus the data's entropy; independent pixels manage −6.2.
    counts = np.unique(data.train, axis=0, return_counts=True)[1] / len(data.train)
    assert before < -6
    assert -4.2 < mean_log_p() <= (counts * np.log(counts)).sum() + 1e-6
    assert training.finished


@pytest.mark.slow
def test_the_curves_measure_what_they_name(digits: Dataset) -> None:
    training = run(Training(small(learning_rate=0.1), digits), 40)
    row = training.metrics()
    rbm = training.rbm
    f = rbm.free_energy(training.monitor.train)
    assert row["free_energy_train"] == pytest.approx(float(f.mean()), rel=1e-4)
    assert row["free_energy_fantasy"] == pytest.approx(
        float(rbm.free_energy(training.state.phases.v_chains).mean()), rel=1e-4
    )
    assert row["free_energy_gap"] == pytest.approx(row["free_energy_valid"] - row["free_energy_train"])
    assert row["weight_norm"] == pytest.approx(
        float(np.linalg.norm(training.state.model.to_numpy()["W"])), rel=1e-5
    )
    # All conditionals, one pixel after the other, against the estimate from one random pixel a case.
    v = training.monitor.train
    exact = torch.zeros(len(v))
    for i in range(v.shape[1]):
        flipped = v.clone()
        flipped[:, i] = 1 - flipped[:, i]
        exact += torch.nn.functional.logsigmoid(rbm.free_energy(flipped) - f)
    estimates = np.array([training.metrics()["pseudo_likelihood_train"] for _ in range(40)])
    assert abs(estimates.mean() - float(exact.mean())) < 5 * estimates.std() / np.sqrt(40)


def test_the_loss_between_two_rows_is_the_mean_over_every_update_between_them(digits: Dataset) -> None:
    training = Training(small(), digits)
    training.metrics()
    infos = [training.update() for _ in range(7)]
    expected = np.mean([i.free_energy_data - i.free_energy_model for i in infos])
    assert training.metrics()["cd_loss_train"] == pytest.approx(expected)
    assert "cd_loss_train" not in training.metrics()  # nothing happened since


def test_increments_are_the_difference_the_last_update_made(digits: Dataset) -> None:
    for variant in ({}, {"momentum": 0.5}, {"optimizer": "adam", "learning_rate": 1e-3}):
        training = run(Training(small(**variant), digits), 3)
        before = parameters(training)
        training.update()
        for p, q, increment in zip(
            parameters(training), before, training.state.last_increments(), strict=True
        ):
            np.testing.assert_allclose(p - q, increment.numpy(), atol=1e-6)


def test_a_snapshot_holds_the_model_the_particles_and_the_probe(digits: Dataset) -> None:
    training = run(Training(small(), digits), 10)
    snapshot = decode(encode(Snapshot(**training.snapshot())))
    np.testing.assert_allclose(snapshot.W, training.state.model.to_numpy()["W"], rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(snapshot.particles_v, training.state.phases.v_chains.numpy())
    np.testing.assert_array_equal(snapshot.particles_h, training.state.phases.chains_h.numpy())
    assert snapshot.probe_hidden.shape == (100, 20)
    assert snapshot.increment_counts.sum(1).tolist() == [784 * 20, 784, 20]
    assert (snapshot.step, snapshot.meta["n_particles"]) == (10, 30)


def test_linear_decay_ends_at_zero_and_steps_fall_by_gamma(digits: Dataset) -> None:
    linear = Training(small(learning_rate=0.1), digits)
    assert linear.learning_rate() == 0.1
    linear.state.step = linear.n_steps
    assert linear.learning_rate() == 0.0
    stepped = Training(small(lr_schedule="step", lr_step_epochs=1, lr_gamma=0.5, learning_rate=0.1), digits)
    stepped.state.step = 2 * stepped.steps_per_epoch
    assert stepped.learning_rate() == pytest.approx(0.025)


def test_settings_change_mid_run_and_bad_ones_are_refused(digits: Dataset) -> None:
    training = run(Training(small(lr_schedule="constant"), digits), 3)
    training.set("learning_rate", 0.5)
    training.set("momentum", 0.9)
    training.set("k", 4)
    run(training, 3)
    assert training.learning_rate() == 0.5
    assert training.metrics()["k"] == 4
    with pytest.raises(ConfigError, match="learning_rate must be greater than 0, got -1"):
        training.set("learning_rate", -1)
    with pytest.raises(ConfigError, match=f"'n_hidden' cannot be changed .* {', '.join(SETTABLE)}"):
        training.set("n_hidden", 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_hidden": 30}, r"has weights of shape \(784, 20\), this run \(784, 30\)"),
        ({"n_chains": 7}, r"has chains of shape \(30, 784\), this run \(7, 784\)"),
        ({"averaging": 0.1}, "has no average.0, this run"),
    ],
)
def test_a_state_of_other_settings_is_refused_before_anything_is_loaded(
    digits: Dataset, changes: dict[str, Any], said: str
) -> None:
    state = Training(small(), digits).state_dict()
    other = Training(small(**changes), digits)
    before = other.state_dict()
    with pytest.raises(ConfigError, match=said):
        other.load_state_dict(*state)
    assert other.state_dict()[1] == before[1]


def test_an_exploding_run_is_called_diverged(digits: Dataset) -> None:
    training = Training(small(learning_rate=100.0, lr_schedule="constant"), digits)
    assert training.diverged() is None
    reasons = [training.diverged(training.update()) for _ in range(300)]
    said = next(r for r in reasons if r)
    assert "nats apart at step" in said
    training.state.model.W[0, 0] = float("nan")
    assert "no longer finite" in (training.diverged() or "")
    assert "no longer finite" in (training.diverged(training.update()) or "")


def test_a_healthy_run_is_never_called_diverged(digits: Dataset) -> None:
    training = Training(small(learning_rate=0.1), digits)
    assert not any(training.diverged(training.update()) for _ in range(300))


def test_a_run_can_start_from_another_models_parameters_of_the_same_shape(digits: Dataset) -> None:
    first = run(Training(small(), digits), 20)
    fork = Training(small(seed=3), digits, initial=first.rbm)
    np.testing.assert_array_equal(fork.state.model.to_numpy()["W"], first.state.model.to_numpy()["W"])
    fork.update()
    assert np.abs(fork.state.model.to_numpy()["W"] - first.state.model.to_numpy()["W"]).max() > 0
    with pytest.raises(ConfigError, match="784 × 20 units, the run 784 × 21"):
        Training(small(n_hidden=21), digits, initial=first.rbm)
    with pytest.raises(ConfigError, match="has bernoulli visible units, the run gaussian"):
        Training(small(visible="gaussian"), digits, initial=first.rbm)


def test_averaged_weights_scatter_less_than_the_last_ones(digits: Dataset) -> None:
    """Two runs that differ in their chains alone end apart; their averages end closer together."""
    config = {"averaging": 0.5, "lr_schedule": "constant", "learning_rate": 0.05, "weight_std": 0.0}
    ends = [run(Training(small(seed=seed, **config), digits), 450) for seed in (1, 2)]
    b, c = (np.abs(e.state.model.to_numpy()["vbias"]) for e in ends)
    rough = np.linalg.norm(ends[0].state.model.vbias - ends[1].state.model.vbias)
    smooth = np.linalg.norm(ends[0].rbm.vbias - ends[1].rbm.vbias)
    assert b.max() > 0
    assert c.max() > 0
    assert smooth < 0.8 * rough


@pytest.mark.slow
def test_the_likelihood_shown_while_learning_is_near_the_exact_one() -> None:
    """16 visible units can be enumerated, and are not by the live estimate: it anneals, as on digits."""
    data = load("bars-and-stripes")
    config = small(dataset="bars-and-stripes", batch_size=30, epochs=3400, averaging=0.05, learning_rate=0.2)
    training, off, bars = Training(config, data), [], []
    while not training.finished:
        training.update()
        if training.step % 50 == 0 or training.finished:
            row = training.metrics()
            if "log_z" in row:
                off.append(abs(row["log_z"] - exact_log_z(training.rbm)))
                bars.append(row["log_z_stderr"])
                assert row["log_likelihood_train"] == -row["free_energy_train"] - row["log_z"]
                test = float(training.rbm.free_energy(training.monitor.test).mean())
                f = training.rbm.free_energy(training.monitor.valid)
                error = math.hypot(row["log_z_stderr"], float(f.std(correction=0)) / math.sqrt(len(f)))
                assert row["log_likelihood_valid_stderr"] == pytest.approx(error, rel=1e-3)
                assert row["log_likelihood_test"] == pytest.approx(-test - row["log_z"], abs=1e-3)
    assert len(off) > 10
    assert np.mean(np.array(off) < 3 * np.array(bars)) > 0.9
    assert off[-1] < 0.5


@pytest.mark.parametrize("n_steps", [1, 2, 5, 63, 64, 600, 22_000, 3_000_000])
@pytest.mark.parametrize("bound", [4, 12, 64, 1000])
def test_schedule_is_dense_early_sparse_late_and_bounded(n_steps: int, bound: int) -> None:
    steps = snapshot_schedule(n_steps, bound)
    assert (steps[0], steps[-1]) == (0, n_steps)
    assert len(steps) <= bound
    gaps = np.diff(steps)
    assert (gaps > 0).all()
    # Rounding to whole steps moves a gap by at most one.
    assert (np.diff(gaps) >= -1).all()
    if 12 <= bound <= n_steps / 50:
        assert gaps[-1] > 5 * gaps[0]


def test_schedule_uses_the_room_it_has() -> None:
    assert len(snapshot_schedule(22_000, 64)) == 56
    assert snapshot_schedule(0, 64) == [0]


def test_every_kept_moment_has_a_row_of_its_own_in_the_curves(digits: Dataset) -> None:
    training = Training(small(log_every=1000, max_snapshots=8), digits)
    kept, logged = set(training.snapshot_steps), set()
    while not training.finished:
        training.update()
        if training.should_log():
            logged.add(training.step)
    assert kept - {0} <= logged
    assert len(logged) < training.n_steps / 2


def test_grey_pixels_have_no_likelihood_under_a_model_of_zeros_and_ones(digits: Dataset) -> None:
    training = run(Training(small(binarisation="none"), digits), 20)
    assert not [name for name in training.metrics() if name.startswith("log_")]


def test_a_run_that_no_memory_holds_is_refused_before_any_work(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    with pytest.raises(ConfigError, match=r"n_hidden 20 with 30 chains needs about .* choose fewer"):
        Training(small(), digits, device="cpu")
