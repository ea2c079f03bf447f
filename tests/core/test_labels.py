"""Label units held to plain loops over every pixel state, label and hidden state; to distributions; and to a run."""

import itertools
import math

import numpy as np
import pytest
import torch

from rbm_core import datasets, gibbs, labels
from rbm_core.compute import Rng
from rbm_core.config import ConfigError, make_config
from rbm_core.datasets.dataset import Dataset, DatasetError
from rbm_core.gradient import Phases
from rbm_core.likelihood.ais import ais, reverse_ais
from rbm_core.likelihood.exact import exact_gradient, exact_log_z, exact_samples
from rbm_core.rbm import RBM, ShapeError
from rbm_core.training import Training
from tests import oracles

SIZES = [
    (3, 2, 3),
    (3, 3, 6),
    (4, 3, 2),
    (2, 4, 6),
]  # pixels, labels, hidden; W is square in the second and the last


class Counted:
    """The joint distribution of a tiny model with labels by plain loops, none of which the engine shares."""

    def __init__(self, V: int, K: int, H: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.V, self.K, self.H = V, K, H
        self.W, self.U = rng.normal(0, 1, (V, H)), rng.normal(0, 1, (K, H))
        self.b, self.d, self.c = rng.normal(0, 1, V), rng.normal(0, 1, K), rng.normal(0, 1, H)
        self.rbm = RBM.from_numpy(*self.stacked(), n_labels=K, dtype=torch.float64)

    def stacked(self) -> tuple[np.ndarray, ...]:
        return np.concatenate([self.W, self.U]), np.concatenate([self.b, self.d]), self.c

    def weight(self, v: tuple[int, ...], y: int) -> float:
        """Σ_h exp(−E(v, y, h))."""
        total = 0.0
        for h in oracles.states(self.H):
            energy = -sum(self.b[i] * v[i] for i in range(self.V)) - self.d[y]
            for j in range(self.H):
                seen = self.c[j] + self.U[y, j] + sum(v[i] * self.W[i, j] for i in range(self.V))
                energy -= seen * h[j]
            total += math.exp(-energy)
        return total

    def p(self) -> np.ndarray:
        """p(v, y), (2^V, K), in the order of oracles.states."""
        table = np.array([[self.weight(v, y) for y in range(self.K)] for v in oracles.states(self.V)])
        return table / table.sum()

    def log_z(self) -> float:
        return math.log(
            sum(self.weight(v, y) for v, y in itertools.product(oracles.states(self.V), range(self.K)))
        )


@pytest.fixture(params=SIZES, ids=str)
def counted(request: pytest.FixtureRequest) -> Counted:
    return Counted(*request.param, seed=sum(request.param))


def pixels(counted: Counted) -> torch.Tensor:
    return torch.tensor(oracles.states(counted.V), dtype=torch.float64)


def test_every_probability_agrees_with_enumeration(counted: Counted) -> None:
    rbm, v, p, z = counted.rbm, pixels(counted), counted.p(), counted.log_z()
    assert exact_log_z(rbm) == pytest.approx(z, abs=1e-9)
    np.testing.assert_allclose(torch.exp(labels.log_p_label(rbm, v)), p / p.sum(1, keepdims=True), atol=1e-9)
    np.testing.assert_allclose(torch.exp(-labels.free_energy_of_pixels(rbm, v) - z), p.sum(1), atol=1e-9)
    for y in range(counted.K):
        joint = labels.beside(v, torch.full((len(v),), y), counted.K)
        np.testing.assert_allclose(torch.exp(-rbm.free_energy(joint) - z), p[:, y], atol=1e-9)
        given = labels.given_label(rbm, y)
        np.testing.assert_allclose(
            torch.exp(-given.free_energy(v) - exact_log_z(given)), p[:, y] / p[:, y].sum(), atol=1e-9
        )


def mean_log_p_label(arrays: list[np.ndarray], K: int, v: torch.Tensor, y: torch.Tensor) -> float:
    rbm = RBM.from_numpy(*arrays, n_labels=K, dtype=torch.float64)
    return float(labels.log_p_label(rbm, v).gather(1, y[:, None]).mean())


def test_the_gradient_of_p_of_the_label_agrees_with_differences(counted: Counted) -> None:
    rbm, v = counted.rbm, pixels(counted)
    y = torch.arange(len(v)) % counted.K
    found = labels.discriminative_gradient(rbm, labels.beside(v, y, counted.K))
    arrays, step = [a.copy() for a in counted.stacked()], 1e-5
    for which, gradient in enumerate(found.tensors()):
        for index in np.ndindex(tuple(gradient.shape)):
            original, ends = arrays[which][index], []
            for sign in (1, -1):
                arrays[which][index] = original + sign * step
                ends.append(mean_log_p_label(arrays, counted.K, v, y))
            arrays[which][index] = original
            assert float(gradient[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


def test_the_exact_gradient_of_the_joint_likelihood_agrees_with_differences(counted: Counted) -> None:
    v = pixels(counted)
    joint = labels.beside(v, torch.arange(len(v)) % counted.K, counted.K)
    arrays, step = [a.copy() for a in counted.stacked()], 1e-5
    for which, gradient in enumerate(exact_gradient(counted.rbm, joint).tensors()):
        for index in list(np.ndindex(tuple(gradient.shape)))[::3]:
            original, ends = arrays[which][index], []
            for sign in (1, -1):
                arrays[which][index] = original + sign * step
                moved = RBM.from_numpy(*arrays, n_labels=counted.K, dtype=torch.float64)
                ends.append(float(-moved.free_energy(joint).mean()) - exact_log_z(moved))
            arrays[which][index] = original
            assert float(gradient[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


N = 100_000


def shares(v: torch.Tensor, counted: Counted) -> np.ndarray:
    """How often each (v, y) occurs, (2^V, K)."""
    assert bool((v[:, counted.V :].sum(1) == 1).all()), "exactly one label unit is on"
    place = v[:, : counted.V] @ torch.tensor([2.0**i for i in reversed(range(counted.V))])
    cells = place.long() * counted.K + v[:, counted.V :].argmax(1)
    return np.bincount(cells.numpy(), minlength=2**counted.V * counted.K).reshape(-1, counted.K) / len(v)


def bound(p: np.ndarray) -> float:
    """Mean total variation of N exact draws from p, Σ √(2p(1−p)/πN)/2, plus five deviations of it (≤ 1/√4N)."""
    return 0.5 * float(np.sqrt(2 * p * (1 - p) / (np.pi * N)).sum()) + 2.5 / math.sqrt(N)


def drawn(p: np.ndarray, counted: Counted) -> torch.Tensor:
    """N exact draws of p(v, y)."""
    cells = np.random.default_rng(7).choice(p.size, N, p=p.ravel())
    v = torch.tensor(oracles.states(counted.V), dtype=torch.float32)[cells // counted.K]
    return labels.beside(v, torch.from_numpy(cells % counted.K), counted.K)


@pytest.mark.parametrize("sweeps", [1, 5])
def test_chains_with_the_label_free_stay_at_the_model(sweeps: int) -> None:
    counted = Counted(3, 3, 3, 1)
    rbm, p = counted.rbm.to(dtype=torch.float32), counted.p()
    chain = gibbs.sweep(rbm, gibbs.from_images(rbm, drawn(p, counted)), Rng(2, "chains"), sweeps)
    assert 0.5 * np.abs(shares(chain.v, counted) - p).sum() < bound(p)


def test_chains_of_a_model_with_another_label_bias_fail_the_same_check() -> None:
    counted = Counted(3, 3, 3, 1)
    p = counted.p()
    arrays = counted.stacked()
    wrong = RBM.from_numpy(arrays[0], arrays[1] + np.array([0, 0, 0, 1, 0, 0]), arrays[2], n_labels=3)
    chain = gibbs.sweep(wrong, gibbs.from_images(wrong, drawn(p, counted)), Rng(2, "chains"), 1)
    assert 0.5 * np.abs(shares(chain.v, counted) - p).sum() > 2 * bound(p)


@pytest.mark.parametrize("label", range(3))
def test_chains_with_the_label_held_stay_at_the_law_of_the_pixels_given_it(label: int) -> None:
    """By the clamp of the joint model, and by the model of the pixels alone, whose chains go by flips."""
    counted = Counted(3, 3, 3, 3)
    p = counted.p()
    p_given = np.zeros_like(p)
    p_given[:, label] = p[:, label] / p[:, label].sum()
    start, rbm = drawn(p_given, counted), counted.rbm.to(dtype=torch.float32)
    held = torch.arange(rbm.n_visible) >= counted.V
    clamped = gibbs.sweep(rbm, gibbs.from_images(rbm, start), Rng(1, "held"), 4, clamp=(held, start)).v
    given = labels.given_label(rbm, label)
    alone = gibbs.sweep(given, gibbs.from_images(given, start[:, : counted.V]), Rng(1, "given"), 5).v
    for v in (clamped, labels.beside(alone, torch.full((N,), label), counted.K)):
        assert 0.5 * np.abs(shares(v, counted) - p_given).sum() < bound(p_given)


def test_the_chains_of_training_draw_one_label_and_stay_at_the_model() -> None:
    counted = Counted(3, 3, 3, 4)
    rbm, p = counted.rbm.to(dtype=torch.float32), counted.p()
    phases = Phases(rbm, 4, N, dtype=torch.float32, rng=Rng(3, "phases"))
    start = gibbs.half_step(rbm, gibbs.from_images(rbm, drawn(p, counted)), Rng(4, "start"))
    phases.chains_h.copy_(start.h)
    phases.run(3)
    assert 0.5 * np.abs(shares(phases.v_chains, counted) - p).sum() < bound(p)


@pytest.mark.slow
def test_annealing_from_both_sides_finds_log_z() -> None:
    counted = Counted(4, 3, 5, 5)
    rbm, z = counted.rbm.to(dtype=torch.float32), counted.log_z()
    forward = ais(rbm, betas=500, n_chains=300, seed=1)
    starts = exact_samples(rbm, 300, Rng(2, "starts"))
    reverse = reverse_ais(rbm, starts=starts, betas=500, n_chains=300, seed=1)
    assert forward.log_z == pytest.approx(z, abs=5 * forward.stderr + 1e-3)
    assert reverse.log_z == pytest.approx(z, abs=5 * reverse.stderr + 1e-3)


# A run


def striped(n_labels: bool = True) -> Dataset:
    """Bars (label 0) and stripes (label 1), 3 × 3, without the two images that are both."""
    found = datasets.load("bars-and-stripes-3").train
    y = np.repeat([0, 1], len(found) // 2)
    keep = (found.sum(1) > 0) & (found.sum(1) < 9)
    v, y = found[keep], y[keep].astype(np.int64)
    own = y if n_labels else None
    return Dataset("stripes", v, own, v, own, v, own, (3, 3), "")


def trained(updates: int, **fields: object) -> Training:
    config = make_config(
        dataset="stripes",
        labels=True,
        **{"n_hidden": 20, "learning_rate": 0.5, "weight_std": 0.1, **fields},
        batch_size=12,
        n_chains=50,
        updates=updates,
        device="cpu",
    )
    training = Training(config, striped())
    for _ in range(updates):
        training.update()
    return training


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [{"k": 2}, {"algorithm": "cd"}, {"discriminative": 1.0, "weight_std": 1.0, "learning_rate": 1.0}],
)
def test_a_run_learns_to_name_what_it_is_shown(fields: dict[str, object]) -> None:
    training = trained(1000, **fields)
    row = training.metrics()
    assert row["label_error_valid"] == 0.0
    assert row["label_log_p_train"] > -0.4
    assert row["label_log_p_train"] == pytest.approx(row["label_log_p_test"])


@pytest.mark.slow
def test_a_run_draws_what_a_label_names() -> None:
    training = trained(1000, discriminative=0.3, algorithm="cd")
    stripes = striped()
    for label in (0, 1):
        given = labels.given_label(training.rbm, label)
        chain = gibbs.sweep(given, gibbs.from_bernoulli_noise(given, 400, Rng(1, "noise")), Rng(1, "c"), 200)
        known = {tuple(row) for row in stripes.train[stripes.train_labels == label].tolist()}
        hits = sum(tuple(row) in known for row in chain.v.numpy().tolist())
        assert hits > 100, f"of 400 draws of label {label}, {hits} are such images"


def test_a_resumed_run_with_labels_equals_an_uninterrupted_one() -> None:
    whole = trained(40, discriminative=0.5)
    again = Training(whole.config, striped())
    for _ in range(20):
        again.update()
    tensors, meta = again.state_dict()
    resumed = Training(whole.config, striped())
    resumed.load_state_dict(tensors, meta)
    for _ in range(20):
        resumed.update()
    assert torch.equal(resumed.state.model.W, whole.state.model.W)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"discriminative": 0.5}, "needs label units"),
        ({"labels": True, "visible": "gaussian"}, "pixels of 0 and 1"),
        ({"labels": True, "precision": "differences"}, "float32 or auto"),
        ({"labels": True, "precision": "int16"}, "float32 or auto"),
        ({"labels": True, "precision": "bfloat16"}, "float32 or auto"),
        ({"labels": True, "discriminative": 1.5}, "at most 1"),
    ],
)
def test_settings_that_do_not_fit_labels_are_refused_in_a_sentence(
    fields: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        make_config(**fields)
    assert "\n" not in str(refused.value)


def with_labels(values: list[int]) -> Dataset:
    v, y = np.zeros((len(values), 4), np.float32), np.array(values, np.int64)
    return Dataset("odd", v, y, v, y, v, y, (2, 2), "")


@pytest.mark.parametrize("values", [[0, 0], [-1, 0, 1], [0, 255]])
def test_labels_that_label_units_cannot_stand_for_are_refused(values: list[int]) -> None:
    with pytest.raises(DatasetError, match="2 to 255 classes"):
        Training(make_config(dataset="odd", labels=True, device="cpu"), with_labels(values))


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(DatasetError, match="has none"):
        Training(make_config(dataset="stripes", labels=True, device="cpu"), striped(n_labels=False))


def test_a_start_with_other_label_units_is_refused() -> None:
    plain = RBM.initial(9, 10, Rng(0, "w"))
    config = make_config(dataset="stripes", labels=True, n_hidden=10, device="cpu")
    with pytest.raises(ConfigError, match="no label units, the run 2"):
        Training(config, striped(), initial=plain)
    with pytest.raises(ConfigError, match="2 label units, the run none"):
        Training(
            config.model_copy(update={"labels": False}),
            striped(),
            initial=RBM.initial(11, 10, Rng(0, "w"), n_labels=2),
        )


@pytest.mark.parametrize("n", [-1, 1, 9, 20])
def test_a_number_of_label_units_that_does_not_fit_is_refused(n: int) -> None:
    with pytest.raises(ShapeError, match="n_labels"):
        RBM.initial(9, 4, Rng(0, "w"), n_labels=n)
