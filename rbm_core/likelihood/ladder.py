"""log Z along a ladder of models: Bennett's estimate between neighbours, from the states of parallel tempering.

Neighbours k and k + 1 with states of both give log Z_{k+1} − log Z_k without bias from either side (Bennett 1976,
"Efficient estimation of free energy differences from Monte Carlo data"); the sum over the ladder, from a first rung of
independent pixels whose log Z is known, is log Z of the model. It shares neither base, path nor starts with AIS.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.tempering import Ladder

__all__ = ["LadderResult", "bennett", "independent_log_z", "ladder_log_z"]


@dataclass(frozen=True)
class LadderResult:
    """What tempering says of log Z, and its raw material.

    log_z: of the last rung, in nats. stderr: its standard error, by leaving out one of the N independent ladders at a
    time (jackknife), so that correlation in time and between pairs is in it. log_z_rungs, stderr_rungs: (K,), the
    same of every rung. acceptance: (K−1,), share of exchanges accepted. round_trips: walks from the first rung to the
    last and back, over all ladders. Where no walk came round, the ladders may have missed a mode.
    """

    log_z: float
    stderr: float
    log_z_rungs: np.ndarray
    stderr_rungs: np.ndarray
    acceptance: np.ndarray
    round_trips: int


def independent_log_z(rbm: RBM) -> float:
    """log Z of a model without weights, in nats: H log 2 for c = 0, and the visible units' own."""
    if bool((rbm.W != 0).any()):
        raise ValueError("the first rung must have no weights: its log Z is known only then")
    hidden = float(softplus(rbm.hbias.double()).sum())
    if rbm.visible == "bernoulli":
        return hidden + float(softplus(rbm.vbias.double()).sum())
    log_var = torch.zeros_like(rbm.vbias) if rbm.log_var is None else rbm.log_var
    return hidden + 0.5 * float((math.log(2 * math.pi) + log_var.double()).sum())


def bennett(ahead: np.ndarray, behind: np.ndarray) -> tuple[float, np.ndarray]:
    """log Z′ − log Z in nats, from differences F′ − F at states of Z and of Z′; and the same without one chain.

    Solves Σ σ(C − ahead) = Σ σ(behind − C) for C; then log Z′ − log Z = −C. ahead, behind: (T, N) float64, T rounds of
    N independent chains. Returns the estimate from all chains and (N,), the estimate without each one: one Newton step
    from the whole, exact to second order in 1/N.
    """
    low = float(min(ahead.min(), behind.min())) - 1.0
    high = float(max(ahead.max(), behind.max())) + 1.0
    for _ in range(60):
        c = (low + high) / 2
        surplus = _sigmoid(c - ahead).sum() - _sigmoid(behind - c).sum()
        low, high = (low, c) if surplus > 0 else (c, high)
    p, q = _sigmoid(c - ahead), _sigmoid(behind - c)
    surplus_n = (p - q).sum(0)
    slope_n = (p * (1 - p) + q * (1 - q)).sum(0)
    rest = slope_n.sum() - slope_n
    without = c + np.divide(surplus_n, rest, out=np.zeros_like(rest), where=rest > 0)
    return -c, -without


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def ladder_log_z(
    ladder: Ladder,
    *,
    n_ladders: int = 20,
    rounds: int = 500,
    settle: int = 100,
    sweeps: int = 1,
    seed: int = 0,
    start: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LadderResult:
    """log Z of the ladder's last rung.

    ladder: its first rung has no weights (`tempering.independent`). n_ladders: independent ladders, at least 2, from
    whose spread the error comes. rounds: rounds counted, after `settle` rounds that are not; sweeps: sweeps of each
    rung a round. start: (K, N, V) states to begin at; without it replicas walk up the ladder. progress: called
    with (rounds done, rounds). Raises ValueError for fewer than two ladders or one round.
    """
    if n_ladders < 2 or rounds < 1:
        raise ValueError(f"a ladder needs n_ladders ≥ 2 and rounds ≥ 1, got {n_ladders} and {rounds}")
    rng = Rng(seed, "ladder", ladder[-1].device)
    first = independent_log_z(ladder[0])
    replicas = tempering.replicas_at(_climbed(ladder, n_ladders, rng) if start is None else start)
    ahead, behind, exchanges = [], [], []
    for done in range(settle + rounds):
        replicas, exchange = tempering.temper(ladder, replicas, rng, sweeps=sweeps)
        if done >= settle:
            ahead.append(exchange.ahead.double().cpu().numpy())
            behind.append(exchange.behind.double().cpu().numpy())
            exchanges.append(exchange)
        if progress is not None:
            progress(done + 1, settle + rounds)
    steps = _steps(np.stack(ahead), np.stack(behind))
    rungs = first + np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(1)], axis=1)
    n = len(rungs) - 1
    errors = np.sqrt((n - 1) / n * ((rungs[1:] - rungs[1:].mean(0)) ** 2).sum(0))
    return LadderResult(
        float(rungs[0, -1]),
        float(errors[-1]),
        rungs[0],
        errors,
        tempering.acceptance(exchanges).cpu().numpy(),
        int(replicas.round_trips.sum()),
    )


def _steps(ahead: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """log Z_{k+1} − log Z_k from (T, K−1, N) differences: row 0 from all N ladders, row n + 1 without ladder n."""
    columns = []
    for k in range(ahead.shape[1]):
        whole, without = bennett(ahead[:, k], behind[:, k])
        columns.append([whole, *without])
    return np.array(columns).T


def _climbed(ladder: Ladder, n: int, rng: Rng, sweeps: int = 10) -> Tensor:
    """(K, N, V): states that begin at noise and go `sweeps` sweeps at every rung, from the first to the last."""
    chain = gibbs.from_bernoulli_noise(ladder[0], n, rng)
    states = []
    for rbm in ladder:
        chain = gibbs.sweep(rbm, gibbs.from_images(rbm, chain.v), rng, sweeps)
        states.append(chain.v)
    return torch.stack(states)
