"""How good a fit is: log Z with a verdict, and the model beside independent pixels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core.compute import Rng
from rbm_core.gibbs import Chain, half_step
from rbm_core.likelihood.ais import Bracket, ais, base_rate, reverse_ais, sweeps
from rbm_core.likelihood.evidence import judge
from rbm_core.likelihood.exact import enumerated_units, exact_log_z
from rbm_core.rbm import RBM

__all__ = ["independent_nats", "judged_log_z", "quick_log_z"]

_EXACT_UNITS = 16  # up to here counting every state costs less than annealing
_CHAINS = 100
_PRECISION = "differences"  # not timed, as "auto" is: the same model must get the same score
_TEMPERATURES = (1000, 10_000)  # the longer path only where the verdict on the shorter one is no


def judged_log_z(rbm: RBM, rows: Tensor, hidden: np.ndarray, *, seed: int) -> tuple[float, float, str]:
    """(log Z in nats, its standard error, why not to believe it): counted for small models, else by `judge`.

    rows: (n, V) 0/1, of the training set. hidden: (N, H), the training's chains.
    """
    if enumerated_units(rbm) <= _EXACT_UNITS:
        return exact_log_z(rbm), 0.0, ""
    particles = _visible(rbm, hidden, seed)
    for betas in _TEMPERATURES:
        verdict = judge(
            rbm,
            data=rows,
            particles=particles,
            betas=betas,
            n_chains=_CHAINS,
            seed=seed,
            precision=_PRECISION,
        )
        if verdict.trusted:
            return verdict.log_z, verdict.stderr, ""
    return verdict.log_z, verdict.stderr, "; ".join(verdict.doubts)


def quick_log_z(
    rbm: RBM, mean: np.ndarray, hidden: np.ndarray, *, steps: int, seed: int
) -> tuple[float, float]:
    """(log Z in nats, its standard error) by AIS along `steps` equal steps and back from the training's chains.

    For a question that an error of some nats cannot change. mean: (V,) of the data, where annealing begins.
    """
    if enumerated_units(rbm) <= _EXACT_UNITS:
        return exact_log_z(rbm), 0.0
    base = base_rate(rbm, mean)
    common: dict[str, Any] = {
        "betas": steps,
        "n_chains": _CHAINS,
        "base_vbias": base,
        "precision": _PRECISION,
    }
    starts = sweeps(rbm, _visible(rbm, hidden, seed), steps // 2, seed=seed, stream="estimator-settle")
    both = Bracket(ais(rbm, seed=seed, **common), reverse_ais(rbm, starts=starts, seed=seed, **common))
    return both.log_z, both.stderr


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
