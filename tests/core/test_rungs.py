"""The rungs below a run's model keep their laws, stand where neighbours exchange, and are bounded in number."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from rbm_core import tempering
from rbm_core.compute import Rng
from rbm_core.config import make_config
from rbm_core.datasets import load
from rbm_core.datasets.dataset import Dataset
from rbm_core.likelihood.exact import exact_samples
from rbm_core.rbm import RBM
from rbm_core.runs import RunReader, SnapshotError
from rbm_core.runs.past_models import (
    PastModels,
    encode,
    models_before,
    past_models_file,
    read_past_models,
)
from rbm_core.training import Training, rungs
from rbm_core.training.rungs import Rungs, Temperatures, Trajectory
from tests.core.test_tempering import bound, exact_replicas, model, table, total_variation, two_modes
from tests.core.training_runs import make_run
from tests.small_run import train_small

N = 30_000


def base_of(rbm: RBM) -> RBM:
    return tempering.independent(rbm, torch.zeros(rbm.n_visible))


def trajectory_to(rbm: RBM, shares: tuple[float, ...]) -> tuple[Trajectory, list[RBM]]:
    """A trajectory of the models at these shares of the way from independent pixels to `rbm`, at their exact laws."""
    path = tempering.temperature_path(rbm, torch.zeros(rbm.n_visible))
    ladder = tuple(path(t) for t in (0.0, *shares, 1.0))
    states = exact_replicas(ladder, N)
    made = Trajectory(ladder[0], states[0], Rng(5, "rungs"))
    for t, v in zip(shares, states[1:-1], strict=True):
        made._kept.append(rungs._kept(int(100 * t), path(t), 0.0))
        made.v.append(v.clone())
        made.accepted.append(float("nan"))
    return made, list(ladder)


def climbed(made: Rungs, rbm: RBM, particles: torch.Tensor, calls: int) -> torch.Tensor:
    for _ in range(calls):
        particles, _ = made.climb(rbm, particles)
    return particles


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (4, 4)])
def test_every_rung_and_the_model_stay_at_their_laws(shape: tuple[int, int]) -> None:
    rbm = model(1, shape, 1.5)
    made, ladder = trajectory_to(rbm, (0.4, 0.7))
    particles = climbed(made, rbm, exact_replicas(tuple(ladder), N)[-1], 6)
    for each, v in zip(ladder, [*made.v, particles], strict=True):
        assert total_variation(v, table(each)) < bound(table(each), N)
    assert all(0.2 < share < 1 for share in made.accepted)


def test_a_wrong_rule_of_exchange_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = model(1, (4, 4), 1.5)
    made, ladder = trajectory_to(rbm, (0.4, 0.7))
    monkeypatch.setattr(tempering, "_accepts", lambda ahead, behind, rng: ahead < behind)
    particles = climbed(made, rbm, exact_replicas(tuple(ladder), N)[-1], 6)
    assert total_variation(particles, table(rbm)) > 2 * bound(table(rbm), N)


def test_temperatures_are_added_until_the_model_is_reached_and_bring_both_modes() -> None:
    rbm, n = two_modes(), 200
    made = Temperatures(base_of(rbm), torch.zeros(n, rbm.n_visible), Rng(2, "temperatures"))
    particles = climbed(made, rbm, torch.ones(n, rbm.n_visible), 400)
    assert len(made) > 3
    assert made.betas == sorted(made.betas)
    assert made.betas[0] == 0
    assert made.betas[-1] < 1
    # n independent ladders in one of two equal modes: five standard deviations of a fair coin's mean.
    assert abs(float(particles.mean()) - 0.5) < 5 * 0.5 / np.sqrt(n)


def trained(updates: int = 300, **changes: object) -> Training:
    from tests.core.test_training import small

    config = small(**{"learning_rate": 0.3, "n_chains": 100, **changes})
    training = Training(config, load("mnist-5k", n_valid=200))
    for _ in range(updates):
        training.update()
        training.observe()
    return training


def test_rungs_stand_where_neighbours_exchange_in_three_of_ten_cases_however_fast_the_run_learns() -> None:
    """Chains that lag behind a model in a hurry make exchanges with it look easier than they are."""
    config = make_config(
        dataset="mnist-5k",
        n_hidden=250,
        algorithm="ptt",
        n_chains=100,
        batch_size=100,
        updates=2000,
        learning_rate=0.2,
        averaging=0.05,
        n_valid=200,
        device="cpu",
    )
    training = Training(config, load("mnist-5k", n_valid=200))
    for _ in range(100):
        training.update()
    made, rng = training.state.trajectory, Rng(0, "judge")
    assert training.state.climbed is made
    replicas = tempering.replicas_at(torch.stack(made.v))
    ladder, rates = tuple(made.rung(k, training.rbm) for k in range(len(made))), []
    for _ in range(40):
        replicas, seen = tempering.temper(ladder, replicas, rng)
        rates.append(torch.where(seen.proposed[:, None], seen.accepted.float(), torch.nan))
    rate = torch.stack(rates).nanmean((0, 2))
    assert 0.15 < rate.mean() < 0.6, rate
    assert rate.min() > 0.01, rate
    assert len(made) < 40, "rungs at every turn of learning"


def test_past_models_are_kept_further_and_further_apart() -> None:
    fields = {"learning_rate": 0.2, "batch_size": 100, "averaging": 0.1, "epochs": 9}
    made = trained(**fields).state.trajectory
    assert len(made) >= 3
    assert all(later >= 3 * earlier for earlier, later in pairwise(made.steps))
    assert len(made) == len(made.steps), "nobody climbs, and there are rungs between"
    climbed = trained(**fields, algorithm="ptt").state.trajectory
    assert all(later >= 3 * earlier for earlier, later in pairwise(climbed.steps))
    assert len(climbed) > len(climbed.steps) >= 3
    assert len(climbed.parameters()["W"]) == len(climbed.steps)


def two_clusters(algorithm: str) -> tuple[Training, float]:
    """A training on two clusters far apart, half of the data each; and the share of one of them in its model."""
    centres, rng = torch.tensor([0.02, 0.98])[:, None].expand(2, 40), Rng(3, "clusters")
    v = (rng.uniform((400, 40)) < centres.repeat(200, 1)).float().numpy()
    dataset = Dataset("clusters", v, None, v, None, v, None, (5, 8), "made here")
    config = make_config(
        dataset="bars-and-stripes",  # not read
        n_hidden=8,
        algorithm=algorithm,
        k=1,
        n_chains=60,
        batch_size=50,
        updates=1500,
        learning_rate=0.05,
        lr_schedule="constant",
        n_valid=0,
        device="cpu",
    )
    training = Training(config, dataset)
    for _ in range(1500):
        training.update()
    return training, float((exact_samples(training.rbm, 4000, rng).mean(1) > 0.5).float().mean())


def test_chains_on_the_ladder_of_the_past_keep_a_cluster_that_persistent_chains_lose() -> None:
    """Between clusters states of the next model are unlikely in the last one long before their energies spread."""
    training, share = two_clusters("ptt")
    made = training.state.trajectory
    assert len(made) > 2
    assert min(made.accepted) > 0.02, made.accepted
    assert 0.2 < share < 0.8
    _, lost = two_clusters("pcd")
    assert not 0.05 < lost < 0.95


@pytest.mark.parametrize("algorithm", ["pt", "ptt", "pcd"])
def test_the_curves_say_how_often_chains_on_a_ladder_exchange(algorithm: str) -> None:
    from tests.core.test_training import small

    config = small(algorithm=algorithm, n_chains=20, learning_rate=0.3)
    training = Training(config, load("mnist-5k", n_valid=200))
    assert not any(name.startswith("exchanges") for name in training.metrics()), "before the first climb"
    for _ in range(20):
        training.update()
        training.observe()
    row, climbed = training.metrics(), training.state.climbed
    if climbed is None:
        assert not any(name.startswith("exchanges") for name in row)
        return
    known = [share for share in climbed.accepted if share == share]
    assert row["exchanges_least"] == min(known)
    assert row.get("exchanges_model", climbed.accepted[-1]) == pytest.approx(
        climbed.accepted[-1], nan_ok=True
    )
    assert 0 <= row["exchanges_least"] <= 1


def test_the_number_of_rungs_is_bounded_and_the_ends_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"algorithm": "ptt", "epochs": 9}
    every = trained(60, **fields).state.trajectory
    monkeypatch.setattr(rungs, "_MOST", 5)
    monkeypatch.setattr(rungs, "_FEWEST", 5)
    few = trained(60, **fields).state.trajectory
    assert len(every) > 5
    assert 3 <= len(few) == len(few.v) == len(few.accepted) <= 5
    assert few.steps[0] == 0
    assert few.steps[-1] > every.steps[0]
    assert few.steps == sorted(set(few.steps))
    assert {kept.W.dtype for kept in few._kept} == {torch.float16}, "a trainer keeps twice as many bytes"


def test_what_is_recorded_is_what_the_run_climbed(tmp_path: Path) -> None:
    training = trained()
    fields = training.new_past_models()
    assert fields is not None
    assert training.new_past_models() is None
    made = training.state.trajectory
    past_models_file(tmp_path).write_bytes(encode(PastModels(**fields)))
    back = read_past_models(tmp_path)
    assert back is not None
    assert list(back.steps) == made.steps
    assert back.W.dtype == np.float16
    for k in range(len(made)):
        np.testing.assert_array_equal(
            back.W[k].astype(np.float32), made.rung(k, made._kept[0].model).W.numpy()
        )


def test_models_before_a_step_are_the_kept_rungs_and_where_none_were_kept_the_snapshots(
    tmp_path: Path,
) -> None:
    run = train_small(tmp_path, dataset="bars-and-stripes", n_hidden=10, batch_size=10, epochs=40)
    reader = RunReader(run)
    steps, last = reader.snapshot_steps(), reader.snapshot(reader.snapshot_steps()[-1])
    assert len(steps) > 4
    past, kept = models_before(reader, steps[-2])
    assert not kept
    assert [one.step for one in past] == steps[:-2]
    for one in past:
        np.testing.assert_array_equal(one.W, reader.snapshot(one.step).W)
        np.testing.assert_array_equal(one.hbias, reader.snapshot(one.step).hbias)
    few, _ = models_before(reader, steps[-1], most_bytes=2 * 2 * last.W.size)
    assert [one.step for one in few] == steps[:-1][:: -(-len(steps[:-1]) // 2)]
    assert models_before(reader, steps[0]) == ([], False)
    W = np.stack([share * last.W for share in (0, 0.5, 1)]).astype(np.float16)
    rungs = PastModels((0, 7, steps[-1]), W, np.stack([last.vbias] * 3), np.stack([last.hbias] * 3))
    past_models_file(run).write_bytes(encode(rungs))
    past, kept = models_before(reader, steps[-1])
    assert kept
    assert [one.step for one in past] == [0, 7]
    np.testing.assert_array_equal(past[1].W, W[1])


def test_a_run_without_the_file_has_none_and_a_damaged_file_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "old")
    assert read_past_models(folder) is None
    W, vbias, hbias = (
        np.zeros((2, 3, 4), np.float16),
        np.zeros((2, 3), np.float32),
        np.zeros((2, 4), np.float32),
    )
    whole = PastModels((0, 5), W, vbias, hbias)
    bad = [
        PastModels((5, 0), W, vbias, hbias),
        PastModels((0,), W, vbias, hbias),
        PastModels((0, 5), W[0], vbias, hbias),
        PastModels((0, 5), W, vbias[:1], hbias),
        PastModels((0, 5), W, vbias, hbias.T),
        PastModels((0, 5), W, vbias * np.nan, hbias),
        PastModels((0, 5), W, vbias, hbias, log_var=hbias),
    ]
    contents = [encode(models) for models in bad] + [encode(whole)[:-5], b"", b"\xff" * 100]
    for content in contents:
        past_models_file(folder).write_bytes(content)
        with pytest.raises(SnapshotError, match=r"trajectory\.safetensors of run 'old' is damaged"):
            read_past_models(folder)


def test_a_run_with_one_chain_records_no_rungs_and_warns_of_nothing() -> None:
    assert trained(n_chains=1).state.trajectory.steps == [0]
