"""Models that the tests of the likelihood share, most of them small enough to enumerate."""

import numpy as np
import pytest
import torch

from rbm_core.rbm import RBM
from tests import oracles

# More visible units, more hidden units, as many of each: either layer may be the one that is enumerated.
SHAPES = ((4, 3), (3, 5), (3, 3))
FOR_EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")


def model(
    seed: int, n_visible: int = 12, n_hidden: int = 6, spread: float = 1.0, visible: str = "bernoulli"
) -> RBM:
    W, b, c = oracles.tiny_model(seed, n_visible, n_hidden, 1.0)
    log_var = np.random.default_rng(seed).normal(0, 0.3, n_visible) if visible == "learned" else None
    kind = "bernoulli" if visible == "bernoulli" else "gaussian"
    return RBM.from_numpy(spread * W, 0.5 * b, 0.5 * c, visible=kind, log_var=log_var)  # type: ignore[arg-type]


def wide(W: np.ndarray, b: np.ndarray, c: np.ndarray) -> RBM:
    return RBM.from_numpy(W, b, c, dtype=torch.float64)


def two_modes(depth: float, n: int = 12, tilt: float = 0.0) -> RBM:
    """Nearly all units on (e^tilt as often) or nearly all off, with a wall of states between that grows with
    depth.
    """
    return RBM.from_numpy(np.full((n, 1), depth), np.full(n, -depth / 2), np.full(1, tilt - n * depth / 2))


def assert_drawn_from(p: np.ndarray, v: torch.Tensor) -> None:
    """The share of each state among the rows of v, in the order of oracles.states, lies within 5 standard errors."""
    places = 2 ** torch.arange(v.shape[1]).flip(0)
    found = torch.bincount((v.long() * places).sum(1), minlength=len(p)).numpy() / len(v)
    assert (np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / len(v))).all()
