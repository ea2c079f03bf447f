"""The leading modes of W are those of its singular value decomposition."""

import numpy as np
import pytest

from rbm_core import spectrum


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (20, 20), (5, 3), (1, 1)])
def test_modes_are_those_of_the_singular_value_decomposition(shape: tuple[int, int]) -> None:
    W = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    found, (left, values, right) = (
        spectrum.modes(W, 6),
        np.linalg.svd(W.astype(np.float64), full_matrices=False),
    )
    k = min(6, *shape)
    assert found.values.shape == (k,)
    np.testing.assert_allclose(found.values, values[:k], rtol=1e-6)
    np.testing.assert_allclose(np.abs((found.left * left[:, :k]).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose(np.abs((found.right.T * right[:k]).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(W @ found.right, found.left * found.values, atol=1e-5)
    assert (found.left.sum(0) >= 0).all()


def test_weights_of_zero_have_no_modes_to_project_on() -> None:
    found = spectrum.modes(np.zeros((6, 4)), 2)
    assert (found.values == 0).all()
    assert np.isfinite(found.left).all()
    assert np.isfinite(found.right).all()


def test_a_planted_mode_is_found_and_separates_what_it_separates() -> None:
    rng = np.random.default_rng(0)
    u = np.repeat([1.0, -1.0], 8) / 4
    W = 5 * np.outer(u, np.ones(10) / np.sqrt(10)) + rng.normal(0, 0.05, (16, 10))
    found = spectrum.modes(W)
    assert found.values[0] == pytest.approx(5, abs=0.2)
    assert found.values[1] < 0.6
    halves = np.array([[1.0] * 8 + [0.0] * 8, [0.0] * 8 + [1.0] * 8])
    m = spectrum.projected(halves, found.left)[:, 0]
    assert abs(m[0] - m[1]) == pytest.approx(16 / 4 / np.sqrt(16), abs=0.05)
