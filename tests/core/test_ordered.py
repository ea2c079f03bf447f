"""Ordered hidden units held to plain loops over every visible state, hidden state and number of units; to the series
beyond the last column, added term by term; to distributions; and to a layer that grows.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rbm_core import datasets, gibbs, ordered, rbm_numpy, tempering
from rbm_core.compute import Rng
from rbm_core.config import ConfigError, make_config
from rbm_core.gradient import gradient
from rbm_core.growing import GrowingPhases
from rbm_core.likelihood import exact
from rbm_core.likelihood.ais import ais, reverse_ais
from rbm_core.likelihood.exact import exact_gradient, exact_log_z, exact_probabilities, exact_samples
from rbm_core.likelihood.ladder import ladder_log_z
from rbm_core.likelihood.pseudo import pseudo_log_likelihood
from rbm_core.rbm import RBM, ShapeError
from rbm_core.runs import snapshot as snapshots
from rbm_core.runs.snapshot import Snapshot
from rbm_core.training import Training
from tests import oracles


class Counted:
    """The joint law of a tiny model of ordered units by plain loops, none of which the engine shares.

    in_use: columns that are not 0; a model of none is all tail.
    """

    def __init__(
        self, V: int, H: int, *, scale: float = 1.0, penalty: float = 1.3, in_use: int | None = None
    ):
        rng = np.random.default_rng(V + 10 * H)
        self.V, self.H, self.penalty = V, H, penalty
        self.W, self.b, self.c = rng.normal(0, scale, (V, H)), rng.normal(0, 1, V), rng.normal(0, scale, H)
        if in_use is not None:
            self.W[:, in_use:], self.c[in_use:] = 0.0, 0.0
        self.rbm = RBM.from_numpy(self.W, self.b, self.c, penalty=penalty, dtype=torch.float64)
        self.beyond = self._beyond()

    def _beyond(self) -> float:
        """Σ over z = H + 1, H + 2, … of Σ_h over the units above H: each adds two states of weight 2^−P."""
        total, term = 0.0, 1.0
        while term > 1e-17 * max(total, 1.0):
            term *= 2.0 * 2.0**-self.penalty
            total += term
        return total

    def joint(self) -> np.ndarray:
        """exp(−E(v, h, z)), (2^V, 2^H, H + 1) in the order of oracles.states, the last z standing for all above H."""
        found = np.zeros((2**self.V, 2**self.H, self.H + 1))
        for (i, v), (j, h) in itertools.product(
            enumerate(oracles.states(self.V)), enumerate(oracles.states(self.H))
        ):
            for z in range(1, self.H + 2):
                if any(h[z:]):
                    continue
                energy = -sum(self.b[m] * v[m] for m in range(self.V))
                for n in range(min(z, self.H)):
                    x = self.c[n] + sum(v[m] * self.W[m, n] for m in range(self.V))
                    energy -= h[n] * x - self.penalty * math.log(1 + math.exp(self.c[n]))
                found[i, j, z - 1] = math.exp(-energy) * (self.beyond if z > self.H else 1.0)
        return found

    def log_z(self) -> float:
        return math.log(self.joint().sum())

    def p(self) -> np.ndarray:
        """p(v), (2^V,)."""
        weights = self.joint().sum((1, 2))
        return weights / weights.sum()

    def v(self) -> torch.Tensor:
        return torch.tensor(oracles.states(self.V), dtype=torch.float64)


MODELS = {
    "wide": {"V": 4, "H": 2},
    "square": {"V": 3, "H": 3},
    "tall": {"V": 2, "H": 5},
    "weak": {"V": 3, "H": 4, "scale": 0.01},
    "strong": {"V": 3, "H": 4, "scale": 6.0},
    "cheap": {"V": 3, "H": 3, "penalty": 1.01},
    "nearly free": {"V": 3, "H": 2, "penalty": 1.0005},
    "dear": {"V": 3, "H": 3, "penalty": 8.0},
    "empty": {"V": 3, "H": 4, "in_use": 0},
    "of one": {"V": 4, "H": 3, "in_use": 1},
    "half grown": {"V": 2, "H": 4, "in_use": 2, "penalty": 1.01},
}


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys())
def counted(request: pytest.FixtureRequest) -> Counted:
    return Counted(**request.param)


def test_every_probability_agrees_with_enumeration(counted: Counted) -> None:
    rbm, joint, v = counted.rbm, counted.joint(), counted.v()
    z = counted.log_z()
    given_v = joint / joint.sum((1, 2), keepdims=True)
    assert exact_log_z(rbm) == pytest.approx(z, abs=1e-9)
    np.testing.assert_allclose(rbm.free_energy(v), -np.log(joint.sum((1, 2))), atol=1e-9)
    p_z = torch.softmax(ordered.log_weights(rbm.logits_h_from_v(v), rbm.hbias, counted.penalty), 1)
    np.testing.assert_allclose(p_z, given_v.sum(1), atol=1e-9)
    units = np.array(oracles.states(counted.H))
    np.testing.assert_allclose(rbm.mean_h_from_v(v), given_v.sum(2) @ units, atol=1e-9)
    for j, h in enumerate(oracles.states(counted.H)):
        same = torch.tensor(h, dtype=torch.float64).expand(len(v), -1)
        np.testing.assert_allclose(rbm.energy(v, same), -np.log(joint[:, j].sum(1)), atol=1e-9)
        given_h = joint[:, j].sum(1) / joint[:, j].sum()
        np.testing.assert_allclose(
            rbm.mean_v_from_h(same[:1])[0], given_h @ np.array(oracles.states(counted.V)), atol=1e-9
        )


def test_columns_that_are_not_in_use_change_nothing(counted: Counted) -> None:
    rbm, v = counted.rbm, counted.v()
    wider = replace(
        rbm,
        W=torch.cat([rbm.W, torch.zeros(counted.V, 3).double()], 1),
        hbias=torch.cat([rbm.hbias, torch.zeros(3).double()]),
    )
    assert wider.in_use == rbm.in_use
    assert exact_log_z(wider) == pytest.approx(exact_log_z(rbm), abs=1e-9)
    for same in (wider, rbm.narrowed(), wider.narrowed()):
        np.testing.assert_allclose(same.free_energy(v), rbm.free_energy(v), atol=1e-9)
    assert wider.narrowed().n_hidden == max(rbm.in_use, 1)


def test_numpy_and_torch_say_the_same(counted: Counted) -> None:
    rbm, v = counted.rbm, counted.v()
    model = rbm_numpy.Parameters(*(t.numpy() for t in (rbm.W, rbm.vbias, rbm.hbias)), penalty=counted.penalty)
    np.testing.assert_allclose(rbm_numpy.free_energies(model, v.numpy()), rbm.free_energy(v), atol=1e-9)
    np.testing.assert_allclose(rbm_numpy.mean_hidden(model, v.numpy()), rbm.mean_h_from_v(v), atol=1e-9)
    last = rbm_numpy.mean_hidden(model, v.numpy(), np.array([counted.H - 1]))
    np.testing.assert_allclose(last[:, 0], rbm.mean_h_from_v(v)[:, -1], atol=1e-9)
    for one, F in zip(v.numpy(), rbm.free_energy(v).tolist(), strict=True):
        terms = rbm_numpy.energy_terms(model, one)
        assert terms.free_energy == pytest.approx(F, abs=1e-9)
        assert terms.mean_energy - terms.entropy == pytest.approx(F, abs=1e-9)


def moved(counted: Counted, which: int, index: tuple[int, ...], by: float) -> RBM:
    arrays = [counted.W.copy(), counted.b.copy(), counted.c.copy()]
    arrays[which][index] += by
    return RBM.from_numpy(*arrays, penalty=counted.penalty, dtype=torch.float64)


def test_the_exact_gradient_agrees_with_differences(counted: Counted) -> None:
    data, step = counted.v()[: counted.V], 1e-5
    for which, found in enumerate(exact_gradient(counted.rbm, data).tensors()):
        for index in np.ndindex(tuple(found.shape)):
            ends = [
                float(-rbm.free_energy(data).mean()) - exact_log_z(rbm)
                for rbm in (moved(counted, which, index, by) for by in (step, -step))
            ]
            assert float(found[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (11, 10)])  # more than 8 units are counted in two halves
def test_log_z_and_its_gradient_are_the_same_whichever_layer_is_counted(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    counted, found = Counted(*shape, scale=0.5), []
    data = torch.eye(counted.V, dtype=torch.float64)
    for name in ("v", "h"):
        monkeypatch.setattr(exact, "enumerated_layer", lambda rbm, name=name: name)
        found.append([torch.tensor(exact_log_z(counted.rbm)), *exact_gradient(counted.rbm, data).tensors()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_the_gradient_of_data_and_particles_agrees_with_differences(counted: Counted) -> None:
    v, step = counted.v(), 1e-5
    data, model = v[:3], v[2:]
    for which, found in enumerate(gradient(counted.rbm, data, model).tensors()):
        for index in np.ndindex(tuple(found.shape)):
            ends = [
                float(rbm.free_energy(model).mean() - rbm.free_energy(data).mean())
                for rbm in (moved(counted, which, index, by) for by in (step, -step))
            ]
            assert float(found[index]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


def test_centring_is_a_change_of_variables(counted: Counted) -> None:
    """With b = b′ − Wλ and c = c′ − Wᵀμ the gradient by W at fixed b′, c′ is ∇W − μ∇cᵀ − ∇b λᵀ, by the chain rule."""
    v = counted.v()
    mu, lam = torch.full((counted.V,), 0.3).double(), torch.linspace(0.1, 0.9, counted.H).double()
    plain = gradient(counted.rbm, v[:3], v[2:])
    centred = gradient(counted.rbm, v[:3], v[2:], v_offset=mu, h_offset=lam)
    W = plain.W - torch.outer(mu, plain.hbias) - torch.outer(plain.vbias, lam)
    np.testing.assert_allclose(centred.W, W, atol=1e-12)
    np.testing.assert_allclose(centred.vbias, plain.vbias - W @ lam, atol=1e-12)
    np.testing.assert_allclose(centred.hbias, plain.hbias - W.T @ mu, atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("in_use", [0, 1, 3, 5])
def test_the_phases_of_an_update_have_the_gradient_of_the_units_in_use(in_use: int, centred: bool) -> None:
    rbm = Counted(6, 5, in_use=in_use, penalty=1.05).rbm.to(dtype=torch.float32)
    phases = GrowingPhases(rbm, 8, 12, rng=Rng(3, "chains"))
    phases.v_batch.copy_((Rng(1, "x").uniform((8, 6)) < 0.4).float())
    phases.chains_h[:, :in_use] = 1.0
    offsets = (torch.full((6,), 0.4), torch.linspace(0, 1, 5)) if centred else (None, None)
    phases.run(3)
    assert phases.units in (in_use, min(in_use + 1, 5))
    found = phases.gradient(*offsets)
    own = replace(rbm, W=rbm.W[:, : phases.units], hbias=rbm.hbias[: phases.units])
    cut = (offsets[0], None if offsets[1] is None else offsets[1][: phases.units])
    if not phases.units:
        return
    wanted = gradient(own, phases.v_batch, phases.v_chains, v_offset=cut[0], h_offset=cut[1])
    np.testing.assert_allclose(found.W[:, : phases.units], wanted.W, atol=2e-6)
    np.testing.assert_allclose(found.hbias[: phases.units], wanted.hbias, atol=2e-6)
    np.testing.assert_allclose(found.vbias, wanted.vbias, atol=2e-6)
    assert not found.W[:, phases.units :].any()
    assert not found.hbias[phases.units :].any()
    for mean, v in zip(phases.free_energies(), (phases.v_batch, phases.v_chains), strict=True):
        assert float(mean) == pytest.approx(float(rbm.free_energy(v).mean()), abs=1e-4)


# Chains

N = 100_000


def bound(p: np.ndarray) -> float:
    """Mean total variation of N exact draws from p, Σ √(2p(1−p)/πN)/2, plus five deviations of it (≤ 1/√4N)."""
    return 0.5 * float(np.sqrt(2 * p * (1 - p) / (np.pi * N)).sum()) + 2.5 / math.sqrt(N)


def away(v: torch.Tensor, p: np.ndarray) -> float:
    """Total variation between the shares of the states v (N, V) and p, in the order of oracles.states."""
    place = v @ torch.tensor([2.0**i for i in reversed(range(v.shape[1]))])
    return 0.5 * float(np.abs(np.bincount(place.long().numpy(), minlength=len(p)) / len(v) - p).sum())


def drawn(counted: Counted, p: np.ndarray) -> torch.Tensor:
    return counted.v().float()[np.random.default_rng(7).choice(len(p), N, p=p)]


CHAINS = {"V": 3, "H": 4, "scale": 2.0, "penalty": 1.2}


@pytest.mark.parametrize("sweeps", [1, 5])
def test_chains_that_begin_at_the_model_stay_there(sweeps: int) -> None:
    counted = Counted(**CHAINS)
    rbm, p = counted.rbm.to(dtype=torch.float32), counted.p()
    chain = gibbs.sweep(rbm, gibbs.from_images(rbm, drawn(counted, p)), Rng(2, "chains"), sweeps)
    assert away(chain.v, p) < bound(p)


def test_the_same_check_fails_for_chains_that_use_every_unit() -> None:
    counted = Counted(**CHAINS)
    p = counted.p()
    broken = replace(counted.rbm.to(dtype=torch.float32), penalty=None)
    chain = gibbs.sweep(broken, gibbs.from_images(broken, drawn(counted, p)), Rng(2, "chains"), 1)
    assert away(chain.v, p) > 3 * bound(p)


def test_chains_at_a_temperature_stay_at_the_model_of_scaled_parameters() -> None:
    counted = Counted(**CHAINS)
    rbm = counted.rbm.to(dtype=torch.float32)
    cooler = replace(
        counted.rbm, W=0.5 * rbm.W.double(), vbias=0.5 * rbm.vbias.double(), hbias=0.5 * rbm.hbias.double()
    )
    p = torch.exp(-cooler.free_energy(counted.v()) - exact_log_z(cooler)).numpy()
    chain = gibbs.sweep(rbm, gibbs.from_images(rbm, drawn(counted, p)), Rng(2, "chains"), 5, beta=0.5)
    assert away(chain.v, p) < bound(p)


def test_the_layer_of_a_draw_is_as_p_of_h_says() -> None:
    counted = Counted(2, 3, scale=2.0)
    rbm, v = counted.rbm.to(dtype=torch.float32), torch.tensor([[1.0, 0.0]]).expand(N, 2)
    joint = counted.joint()[2].sum(1)  # the state (1, 0)
    p = joint / joint.sum()
    assert away(rbm.sample_h_from_v(v, Rng(5, "chains")), p) < bound(p)
    chain = gibbs.half_step(rbm, gibbs.from_images(rbm, v), Rng(5, "chains"))
    np.testing.assert_allclose(chain.mean_h[0], p @ np.array(oracles.states(3)), atol=1e-5)


def test_exact_samples_are_the_model() -> None:
    for shape in ({"V": 3, "H": 4}, {"V": 4, "H": 3}):
        counted = Counted(**shape)
        p = counted.p()
        assert away(exact_samples(counted.rbm.to(dtype=torch.float32), N, Rng(1, "exact")), p) < bound(p)
        _, shares = exact_probabilities(counted.rbm)
        assert float(shares.sum()) == pytest.approx(1)


# Estimators


@pytest.mark.parametrize("penalty", [1.01, 2.0])
@pytest.mark.parametrize("in_use", [0, 2, 6])
def test_annealing_from_both_sides_finds_log_z(penalty: float, in_use: int) -> None:
    rbm = Counted(7, 6, penalty=penalty, in_use=in_use).rbm.to(dtype=torch.float32)
    truth = exact_log_z(rbm)
    for estimate in (ais(rbm, betas=500, n_chains=200), reverse_ais(rbm, betas=500, n_chains=200)):
        assert abs(estimate.log_z - truth) < 4 * estimate.stderr + 0.01


def test_a_ladder_of_ordered_models_finds_log_z() -> None:
    rbm = Counted(6, 5, scale=1.5).rbm.to(dtype=torch.float32)
    path = tempering.temperature_path(rbm, torch.zeros(6))
    found = ladder_log_z(tuple(path(t) for t in (0.0, 0.3, 0.6, 1.0)), n_ladders=50, rounds=150, settle=20)
    assert abs(found.log_z - exact_log_z(rbm)) < 4 * found.stderr + 0.01


def test_the_pseudo_likelihood_agrees_with_enumeration(counted: Counted) -> None:
    v, p = counted.v(), counted.p()
    places = {state: place for place, state in enumerate(oracles.states(counted.V))}
    for one in oracles.states(counted.V):
        total = 0.0
        for i in range(counted.V):
            other = tuple(1 - x if k == i else x for k, x in enumerate(one))
            total += math.log(p[places[one]] / (p[places[one]] + p[places[other]]))
        row = v[places[one]][None]
        assert float(pseudo_log_likelihood(counted.rbm, row)) == pytest.approx(total, abs=1e-7)


def test_numbers_stay_finite_at_activations_of_a_thousand() -> None:
    rbm = RBM.from_numpy(np.full((2, 3), 1e3), np.zeros(2), np.array([-1e3, 1e3, 0.0]), penalty=1.01)
    v = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert torch.isfinite(rbm.free_energy(v)).all()
    assert torch.isfinite(rbm.mean_h_from_v(v)).all()
    assert torch.isfinite(rbm.energy(v, torch.ones(2, 3))).all()


# Learning


@pytest.fixture(scope="module")
def stripes() -> datasets.Dataset:
    return datasets.load("bars-and-stripes", n_valid=0)


def grown(stripes: datasets.Dataset, n: int, **changes: object) -> Training:
    """A run of ordered units after n updates."""
    fields = {"n_hidden": 30, "updates": 400, "learning_rate": 0.2, "batch_size": 10, "n_chains": 20, "k": 2}
    config = make_config(
        dataset=stripes.name, n_valid=0, ordered=True, device="cpu", **{**fields, "averaging": 0.1, **changes}
    )
    training = Training(config, stripes)
    for _ in range(n):
        training.update()
    return training


def test_a_layer_begins_empty_and_grows_by_one_unit_an_update_at_most(stripes: datasets.Dataset) -> None:
    training, sizes = grown(stripes, 0), [0]
    model = training.state.model
    assert not model.W.any()
    for _ in range(60):
        training.update()
        sizes.append(model.in_use)
        assert sizes[-1] - sizes[-2] <= 1
        assert not model.W[:, sizes[-1] :].any()
        assert not model.hbias[sizes[-1] :].any()
    assert sizes[-1] > 5


def test_a_layer_stops_at_the_hidden_units_there_are(stripes: datasets.Dataset) -> None:
    training = grown(stripes, 40, n_hidden=3)
    assert training.state.model.in_use == 3
    assert training.metrics()["units_in_use"] == 3


@pytest.mark.parametrize("changes", [{}, {"algorithm": "cd"}, {"optimizer": "adam", "learning_rate": 0.01}])
def test_a_run_that_goes_on_is_bit_identical(stripes: datasets.Dataset, changes: dict) -> None:
    whole, first, second = (grown(stripes, n, **changes) for n in (40, 15, 0))
    second.load_state_dict(*first.state_dict())
    for _ in range(25):
        second.update()
    for name in ("W", "vbias", "hbias"):
        assert torch.equal(getattr(second.state.model, name), getattr(whole.state.model, name))
    assert second.metrics() == whole.metrics()


def test_learning_raises_the_exact_likelihood(stripes: datasets.Dataset) -> None:
    training = grown(stripes, 0, learning_rate=1.0, n_chains=50)
    v = training.monitor.train

    def nats() -> float:
        rbm = training.rbm.narrowed()
        return float(-rbm.free_energy(v).mean()) - exact_log_z(rbm)

    before = nats()
    for _ in range(400):
        training.update()
    assert nats() > before + 2
    row = training.metrics()
    assert 0 < row["units_taking_part"] <= row["units_in_use"] == training.rbm.in_use


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": True}, "need labels false, got true"),
        ({"visible": "gaussian"}, "need visible bernoulli, got gaussian"),
        ({"algorithm": "ptt"}, "need algorithm pcd or cd, got ptt"),
        ({"precision": "differences"}, "need precision auto or float32, got differences"),
        ({"precision": "int16"}, "need precision auto or float32, got int16"),
        ({"sparsity_cost": 0.1}, "need sparsity_cost 0, got 0.1"),
        ({"penalty": 1.0}, "penalty must be greater than 1, got 1.0"),
    ],
)
def test_what_ordered_units_cannot_have_is_refused(changes: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_config(ordered=True, **changes)


def test_a_model_says_which_penalty_it_cannot_have() -> None:
    arrays = np.zeros((3, 2)), np.zeros(3), np.zeros(2)
    with pytest.raises(ShapeError, match=r"finite and above 1, got 1\.0"):
        RBM.from_numpy(*arrays, penalty=1.0)
    with pytest.raises(ShapeError, match="pixels of 0 and 1 alone, not to label units"):
        RBM.from_numpy(*arrays, penalty=1.5, n_labels=2)


def test_a_snapshot_keeps_the_penalty_and_its_damage_is_seen(stripes: datasets.Dataset) -> None:
    training = grown(stripes, 20)
    kept = snapshots.decode(snapshots.encode(Snapshot(**training.snapshot())))
    assert kept.parameters()["penalty"] == 1.01
    assert kept.in_use == training.rbm.in_use
    rbm = RBM.from_numpy(**kept.parameters())
    v = training.monitor.train
    np.testing.assert_allclose(rbm.free_energy(v), training.rbm.free_energy(v), atol=0.05)
    broken = replace(kept, meta={**kept.meta, "penalty": 0.5})
    with pytest.raises(snapshots.SnapshotError, match="penalty"):
        snapshots.decode(snapshots.encode(broken))
