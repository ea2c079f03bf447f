"""How good a fit is: log Z from both sides, and the model beside independent pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.gibbs import Chain, half_step
from rbm_core.likelihood.ais import Bracket, adaptive_betas, ais, base_rate, reverse_ais, sweeps
from rbm_core.likelihood.exact import enumerated_units, exact_log_z
from rbm_core.rbm import RBM

__all__ = ["independent_nats", "log_z"]

_EXACT_UNITS = 16  # up to here counting every state costs less than annealing
_CHAINS = 100
_PILOT = 500  # temperatures that a pilot costs; a path no longer than that is made of equal steps


def log_z(
    rbm: RBM, mean: np.ndarray, hidden: np.ndarray, *, paths: Sequence[int], seed: int
) -> tuple[float, float, list[str]]:
    """(log Z, its standard error, why not to believe it) in nats; exact and without doubts for small models.

    mean: (V,) of the data, where annealing begins. hidden: (N, H), the training's chains; reverse AIS starts at them
    after half as many sweeps as the path has temperatures. paths: numbers of temperatures, ascending; a longer one is
    annealed only where the two directions of the shorter one do not confirm each other.
    """
    if enumerated_units(rbm) <= _EXACT_UNITS:
        return exact_log_z(rbm), 0.0, []
    base = base_rate(rbm, mean)
    for steps in paths:
        betas = adaptive_betas(rbm, steps, base_vbias=base, seed=seed) if steps > _PILOT else steps
        common: dict[str, Any] = {"betas": betas, "n_chains": _CHAINS, "base_vbias": base}
        forward = ais(rbm, seed=seed, **common)
        starts = sweeps(rbm, _visible(rbm, hidden, seed), steps // 2, seed=seed, stream="estimator-settle")
        both = Bracket(forward, reverse_ais(rbm, starts=starts, seed=seed, **common))
        if both.trusted:
            break
    return both.log_z, both.stderr, both.doubts


def _visible(rbm: RBM, hidden: np.ndarray, seed: int) -> Tensor:
    """Visible states (100, V) drawn from the chains' hidden ones, each used as often as is needed."""
    h = torch.from_numpy(np.resize(hidden, (_CHAINS, rbm.n_hidden)).astype(np.float32))
    chain = Chain(torch.zeros(_CHAINS, rbm.n_visible), h, half="h")
    return half_step(rbm, chain, Rng(seed, "estimator-starts")).v


def independent_nats(v: np.ndarray, mean: np.ndarray, n: int) -> float:
    """The mean log p(v) of pixels that are independent, each on as often as in the n rows of data, in nats.

    v: (B, V) of zeros and ones. mean: (V,). A half is added to the count of either value, so that no value is
    impossible.
    """
    p = (n * mean.astype(np.float64) + 0.5) / (n + 1)
    return float((v @ np.log(p) + (1 - v) @ np.log1p(-p)).mean())
