"""The closed forms in NumPy agree with the engine's, and their parts add up."""

import numpy as np
import pytest
import torch

from rbm_core import rbm_numpy
from rbm_core.rbm import RBM
from rbm_core.rbm_numpy import Parameters
from rbm_core.visible import UNITS, Visible

V, H = 12, 7


def random_model(kind: str, scale: float = 0.8) -> tuple[Parameters, RBM]:
    rng = np.random.default_rng(5)
    W, b, c = rng.normal(0, scale, (V, H)), rng.normal(0, 1, V), rng.normal(0, 1, H)
    log_var = rng.normal(0, 0.5, V) if kind == "learned variance" else None
    law: Visible = "bernoulli" if kind == "bernoulli" else "gaussian"
    rbm = RBM.from_numpy(W, b, c, visible=law, log_var=log_var, dtype=torch.float64)
    return Parameters(W, b, c, UNITS[law], log_var), rbm  # type: ignore[arg-type]


def cases(kind: str, n: int = 9) -> np.ndarray:
    rng = np.random.default_rng(6)
    return (rng.random((n, V)) < 0.4).astype(float) if kind == "bernoulli" else rng.normal(size=(n, V))


KINDS = ("bernoulli", "gaussian", "learned variance")


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_means_and_free_energies_are_the_engines(kind: str) -> None:
    model, rbm = random_model(kind)
    v = cases(kind)
    expected = rbm.mean_h_from_v(torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(rbm_numpy.mean_hidden(model, v), expected, atol=1e-12)
    np.testing.assert_allclose(
        rbm_numpy.mean_hidden(model, v, np.array([3, 1])), expected[:, [3, 1]], atol=1e-12
    )
    np.testing.assert_allclose(
        rbm_numpy.free_energies(model, v), rbm.free_energy(torch.from_numpy(v)).numpy(), atol=1e-10
    )


@pytest.mark.parametrize("kind", KINDS)
def test_energy_terms_add_up_to_the_free_energy_in_both_ways(kind: str) -> None:
    model, rbm = random_model(kind)
    for v in cases(kind):
        terms = rbm_numpy.energy_terms(model, v)
        free = float(rbm.free_energy(torch.from_numpy(v[None])))
        assert terms.free_energy == pytest.approx(free, abs=1e-10)
        assert terms.mean_energy - terms.entropy == pytest.approx(free, abs=1e-10)


def test_mean_energy_is_the_energy_averaged_over_every_hidden_state() -> None:
    model, rbm = random_model("bernoulli")
    states = ((np.arange(2**H)[:, None] >> np.arange(H)) & 1).astype(float)
    v = cases("bernoulli", 1)
    p = rbm_numpy.mean_hidden(model, v)[0]
    weight = np.prod(np.where(states == 1, p, 1 - p), axis=1)
    energies = rbm.energy(torch.from_numpy(np.repeat(v, 2**H, axis=0)), torch.from_numpy(states)).numpy()
    assert rbm_numpy.energy_terms(model, v[0]).mean_energy == pytest.approx(weight @ energies, abs=1e-10)


def test_extreme_weights_give_finite_terms() -> None:
    model, _ = random_model("bernoulli", scale=1e3)
    for v in cases("bernoulli"):
        terms = rbm_numpy.energy_terms(model, v)
        assert np.isfinite([terms.visible, terms.hidden, terms.pairs, terms.entropy]).all()
        assert np.isfinite(terms.softplus).all()
        assert terms.entropy >= -1e-9


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_build_up_begins_with_the_biases_and_ends_with_the_reconstruction(kind: str) -> None:
    model, rbm = random_model(kind)
    v = cases(kind)[0]
    built = rbm_numpy.build_up(model, v)
    bias_alone = rbm.mean_v_from_h(torch.zeros(1, H, dtype=torch.float64)).numpy()[0]
    p = rbm.mean_h_from_v(torch.from_numpy(v[None]))
    np.testing.assert_allclose(built.means[0], bias_alone, atol=1e-6)
    np.testing.assert_allclose(built.means[-1], rbm.mean_v_from_h(p).numpy()[0], atol=1e-6)
    np.testing.assert_array_equal(built.counts, np.arange(H + 1))
    assert (np.diff(built.strength[built.order]) <= 0).all()


@pytest.mark.parametrize("n", [1, 63, 64, 500, 3000])
def test_a_build_up_of_many_units_is_thinned_but_whole_at_both_ends(n: int) -> None:
    counts = rbm_numpy._counts(n, 64)
    assert counts[0] == 0
    assert counts[-1] == n
    assert len(counts) <= 64
    assert (np.diff(counts) > 0).all()


def test_cosines_are_one_with_oneself_minus_one_with_the_opposite_and_nothing_with_zero() -> None:
    vectors = np.array([[1.0, -2.0, 0.0, 0.0], [2.0, -4.0, 0.0, 1.0]])
    np.testing.assert_allclose(rbm_numpy.cosines(vectors, 0), [1, -1, 0, 2 / 5**0.5])
