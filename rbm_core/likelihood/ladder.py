"""log Z along a ladder of models: Bennett's estimate between neighbours, from the states of parallel tempering.

Neighbours k and k + 1 with states of both give log Z_{k+1} − log Z_k without bias from either side (Bennett 1976,
"Efficient estimation of free energy differences from Monte Carlo data"); the sum over the ladder, from a first rung of
independent pixels whose log Z is known, is log Z of the model. It shares neither base, path nor starts with AIS.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import tempering
from rbm_core.compute import Rng
from rbm_core.rbm import RBM
from rbm_core.tempering import Ladder

__all__ = ["LadderResult", "Tempered", "bennett", "independent_log_z", "jackknife", "ladder_log_z"]

# In place of whether an exchange was accepted; no NaN, which no file of tensors may hold.
_NOT_PROPOSED = -1.0


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
    hidden = float(rbm.hidden_sum(rbm.hbias.double()))
    inverse_var = torch.ones_like(rbm.vbias) if rbm.inverse_var is None else rbm.inverse_var
    return hidden + rbm.law.log_z(rbm.vbias.double(), inverse_var.double())


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


def jackknife(left_out: np.ndarray) -> np.ndarray:
    """The standard errors of estimates, from what they are without each of N groups of their data: (N, …) -> (…)."""
    n = len(left_out)
    return np.sqrt((n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


class Tempered:
    """Ladders at work: rounds of parallel tempering whose free-energy differences are kept for Bennett's estimate.

    ladder: its first rung has no weights (`tempering.independent`). n_ladders: independent ladders, at least 2, from
    whose spread the error comes; each begins at noise and walks up the ladder. settle: rounds that do not count.
    sweeps: sweeps of each rung a round. Can stop between any two rounds, be saved, and go on bit for bit. Raises
    ValueError for fewer than two ladders or a first rung with weights.
    """

    def __init__(
        self, ladder: Ladder, *, n_ladders: int = 20, settle: int = 100, sweeps: int = 1, seed: int = 0
    ) -> None:
        if n_ladders < 2:
            raise ValueError(f"a ladder needs n_ladders ≥ 2 for its error bar, got {n_ladders}")
        self.ladder, self.settle, self.sweeps = ladder, settle, sweeps
        self._rows = tempering.kept_rows(ladder)
        self._first = independent_log_z(ladder[0])
        self._rng = Rng(seed, "ladder", ladder[-1].device)
        self.replicas = tempering.replicas_at(tempering.climbed(ladder, n_ladders, self._rng))
        # Of each advance a block: (rounds, K − 1, N), as exchanges saw them; accepted is NaN where none was proposed.
        self._seen: dict[str, list[Tensor]] = {"ahead": [], "behind": [], "accepted": []}

    @property
    def rounds(self) -> int:
        """Rounds so far, those that do not count among them."""
        return self.replicas.rounds

    def advance(self, n: int) -> None:
        """n rounds on."""
        new: dict[str, list[Tensor]] = {name: [] for name in self._seen}
        for _ in range(n):
            counts = self.rounds >= self.settle
            self.replicas, exchange = tempering.temper(
                self.ladder, self.replicas, self._rng, sweeps=self.sweeps, rows=self._rows
            )
            if counts:
                accepted = torch.where(exchange.proposed[:, None], exchange.accepted.float(), _NOT_PROPOSED)
                for name, seen in zip(new, (exchange.ahead, exchange.behind, accepted), strict=True):
                    new[name].append(seen.cpu())
        for name, rounds in new.items():
            if rounds:
                self._seen[name].append(torch.stack(rounds))

    def _whole(self) -> dict[str, Tensor]:
        """All rounds that counted, (T, K − 1, N) by name."""
        empty = torch.empty(0, len(self.ladder) - 1, self.replicas.v.shape[1])
        return {name: torch.cat(blocks) if blocks else empty for name, blocks in self._seen.items()}

    def result(self) -> LadderResult:
        """The estimate from the rounds that count. Raises ValueError before the first of them."""
        if not self._seen["ahead"]:
            raise ValueError(f"no round counts yet: the first {self.settle} only settle the chains")
        seen = self._whole()
        steps = _steps(seen["ahead"].numpy(), seen["behind"].numpy())
        rungs = self._first + np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(1)], axis=1)
        accepted, errors = seen["accepted"], jackknife(rungs[1:])
        return LadderResult(
            float(rungs[0, -1]),
            float(errors[-1]),
            rungs[0],
            errors,
            torch.where(accepted == _NOT_PROPOSED, math.nan, accepted).nanmean((0, 2)).numpy(),
            int(self.replicas.round_trips.sum()),
        )

    def state_dict(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `load_state_dict` needs to go on bit for bit: (tensors on the CPU, JSON-able rest)."""
        r = self.replicas
        tensors = {"v": r.v, "origin": r.origin, "leg": r.leg, "round_trips": r.round_trips}
        return {name: t.cpu().clone() for name, t in tensors.items()} | self._whole(), {
            "rounds": r.rounds,
            "rng": self._rng.state(),
        }

    def load_state_dict(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. Raises ValueError if it is of another ladder or number of chains."""
        device = self.replicas.v.device
        there = {name: tensors[name].to(device) for name in ("v", "origin", "leg", "round_trips")}
        if any(t.shape != getattr(self.replicas, name).shape for name, t in there.items()):
            raise ValueError("the saved ladder has other rungs or chains than this one")
        seen = (max(0, meta["rounds"] - self.settle), len(self.ladder) - 1, self.replicas.v.shape[1])
        if meta["rounds"] < 0 or any(tensors[name].shape != seen for name in self._seen):
            raise ValueError(f"the saved ladder has not kept what {meta['rounds']} rounds are worth")
        self.replicas = tempering.Replicas(**there, rounds=int(meta["rounds"]))
        self._seen = {name: [tensors[name]] if len(tensors[name]) else [] for name in self._seen}
        self._rng = Rng.from_state(meta["rng"], device)


def ladder_log_z(
    ladder: Ladder,
    *,
    n_ladders: int = 20,
    rounds: int = 500,
    settle: int = 100,
    sweeps: int = 1,
    seed: int = 0,
) -> LadderResult:
    """log Z of the ladder's last rung, from `rounds` rounds after `settle` that do not count; see `Tempered`."""
    work = Tempered(ladder, n_ladders=n_ladders, settle=settle, sweeps=sweeps, seed=seed)
    work.advance(settle + rounds)
    return work.result()


def _steps(ahead: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """log Z_{k+1} − log Z_k from (T, K−1, N) differences: row 0 from all N ladders, row n + 1 without ladder n."""
    columns = []
    for k in range(ahead.shape[1]):
        whole, without = bennett(ahead[:, k].astype(np.float64), behind[:, k].astype(np.float64))
        columns.append([whole, *without])
    return np.array(columns).T
