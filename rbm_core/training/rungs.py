"""The rungs below the model of a run while it trains: where they stand, and the chains that climb them.

A persistent chain that is stuck in a mode of the model cannot leave it by sweeps. On a ladder of models whose first
rung is independent pixels, fresh states come up by exchanges (`rbm_core.tempering`). Two kinds of ladder:

- `Trajectory`: the run's own past models (Béreux, Decelle, Furtlehner, Rosset & Seoane 2024). Every run records one;
  chains of algorithm 'ptt' climb it. A past model does not change, so its chains stay at its law between updates.
- `Temperatures`: W and c of the model under way times β (Desjardins, Courville, Bengio, Vincent & Delalleau 2010);
  chains of algorithm 'pt' climb it.

The same numbers come from a saved state as from a run that was never interrupted.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.rbm import RBM

__all__ = ["Rungs", "Temperatures", "Trajectory"]

# A trajectory holds at most this many bytes of weights, and this many rungs.
_MOST_BYTES, _FEWEST, _MOST = 64_000_000, 8, 64
# A past model has seen at least this many times the updates of the one before it. Learning wanders: on straight lines
# between few models the ladder is half as long as along every turn of it.
_APART = 3.0
# A model is looked at after each fiftieth of the step, and not before chains climb again. Where it moves by a rung at
# each look, as the noise of a high learning rate lets it, that is still few rungs made.
_LOOKS, _SOONEST = 50, 4
# Sweeps of the last rung's chains at each look, and of a new rung's before it is used.
_SWEEPS, _SETTLING = 2, 20
# Neighbours that would exchange more seldom than this get rungs between them, at most 24 at a time.
_FAR, _MOST_BETWEEN = 0.2, 24
# Rungs that follow the model beyond the last past one, before a straight line takes their place.
_MOST_FOLLOWING = 12
# Temperatures stand closer where fewer than this share of a pair's exchanges succeed; the share is a moving mean.
_TOO_FEW, _MEMORY = 0.2, 0.2


class Rungs(ABC):
    """Chains at every rung below the model, and their exchanges with those of the model.

    v: at each rung, from the first, the (N, V) states of its N chains. accepted: (rungs,), at each the moving mean of
    the share of exchanges with the rung above that succeeded, the model above the last; NaN before the first.
    """

    def __init__(self, rng: Rng, v: Tensor) -> None:
        self._rng = rng
        self.v = [v]
        self.accepted = [float("nan")]

    def __len__(self) -> int:
        return len(self.v)

    @abstractmethod
    def rung(self, k: int, model: RBM) -> RBM:
        """The model at rung k, below this model."""

    def climb(self, model: RBM, particles: Tensor) -> tuple[Tensor, Tensor]:
        """One exchange between each two neighbouring rungs, from the first pair up, and at last with the model.

        So a fresh state may climb the whole ladder in one call. Every rung makes a sweep first. particles: (N, V),
        states of the model. Returns them after the exchange, and which are new, (N,) bool.
        """
        lower = self.rung(0, model)
        self.v[0] = self._swept(lower, 0)
        energy = lower.free_energy(self.v[0])
        for k in range(len(self)):
            top = k == len(self) - 1
            upper = model if top else self.rung(k + 1, model)
            w = particles if top else self._swept(upper, k + 1)
            self.v[k], w, accepted, energy = tempering.exchange(lower, upper, self.v[k], w, self._rng, energy)
            self._count(k, accepted)
            if not top:
                self.v[k + 1] = w
            lower = upper
        return w, accepted

    def _swept(self, rbm: RBM, k: int) -> Tensor:
        return gibbs.sweep(rbm, gibbs.from_images(rbm, self.v[k]), self._rng).v

    def _count(self, k: int, accepted: Tensor) -> None:
        share = float(accepted.float().mean())
        before = self.accepted[k]
        self.accepted[k] = share if before != before else before + _MEMORY * (share - before)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `load` needs to go on bit for bit: (tensors on the CPU, JSON-able rest)."""
        own, rest = self._own_state()
        return {"v": torch.stack(self.v).cpu(), **own}, {
            "accepted": [None if a != a else a for a in self.accepted],
            "rng": self._rng.state(),
            **rest,
        }

    def load(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Goes on from what `state` gave."""
        device = self.v[0].device
        self.v = list(tensors["v"].to(device))
        self.accepted = [float("nan") if a is None else float(a) for a in meta["accepted"]]
        self._rng.load(meta["rng"])
        self._load_own(tensors, meta)

    @abstractmethod
    def _own_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]: ...

    @abstractmethod
    def _load_own(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class _Kept:
    """A past model: the updates it had seen, its parameters, and how far it stood from the rung below: −log of the
    probability of an exchange. step None: no model of the run, but one on the straight line between two.

    W is in half precision where that can hold it: a run keeps up to 32 MB of them for as long as it trains. like: a
    model of the run, for what all of them have in common.
    """

    step: int | None
    W: Tensor
    vbias: Tensor
    hbias: Tensor
    like: RBM
    log_var: Tensor | None
    gap: float

    @property
    def model(self) -> RBM:
        """The model in float32, made anew."""
        return replace(self.like, W=self.W.float(), vbias=self.vbias, hbias=self.hbias, log_var=self.log_var)


def _kept(step: int | None, model: RBM, gap: float) -> _Kept:
    """A copy of the model, which goes on learning."""
    log_var = None if model.log_var is None else model.log_var.clone()
    W, vbias, hbias = (t.clone() for t in (_halved(model.W), model.vbias, model.hbias))
    return _Kept(step, W, vbias, hbias, model, log_var, gap)


class Trajectory(Rungs):
    """Past models of the run, and models between them, such that neighbours exchange in about three of ten cases.

    A past model is kept when it has seen three times the updates of the last one and states of the two would exchange
    in fewer than three of ten cases. Where chains climb the ladder, rungs lead to it on the straight line from the last
    one; until then rungs follow the model as it moves.

    How far it has moved is told by the last rung's chains: their law stands still. Chains of the model itself lag
    behind while it learns, and an exchange with them seems easier than it is.

    base: a model without weights, the first rung. v: (N, V), independent states of it. climbed: whether chains climb
    this ladder; else its past models alone are kept, for whoever judges the run. At most 64 MB of weights, but never
    fewer than 8 rungs nor more than 64: beyond that the rung goes whose neighbours are closest.
    """

    def __init__(self, base: RBM, v: Tensor, rng: Rng, *, climbed: bool = True) -> None:
        super().__init__(rng, v)
        self._kept = [_kept(0, base, 0.0)]
        self._climbed = climbed
        self._next_look = 0
        self.most = min(_MOST, max(_FEWEST, _MOST_BYTES // (2 * base.W.numel())))

    @property
    def steps(self) -> list[int]:
        """The updates that the run's own models among the rungs had seen."""
        return [kept.step for kept in self._kept if kept.step is not None]

    def rung(self, k: int, model: RBM) -> RBM:
        """The past model at rung k; the model above it does not matter."""
        return self._kept[k].model

    def looks(self, step: int) -> bool:
        """Whether `observe` does anything at this step."""
        return step >= self._next_look and (self._climbed or step >= _APART * self.steps[-1])

    def observe(self, model: RBM, step: int) -> bool:
        """Makes rungs of this model if it is far enough from the last one; returns whether it did.

        model: the one to show and judge, after `step` updates. When it is due, about 50 + 50 log(step/200) times in a
        run whose chains climb, it costs two sweeps and two free energies, and some 22 sweeps for each new rung.
        """
        due = _APART * self.steps[-1]
        if not self.looks(step):
            return False
        self._next_look = step + max(_SOONEST, step // _LOOKS)
        if len(self.v[-1]) < 2:
            return False  # a single chain has none to exchange with
        last = self._kept[-1].model
        self.v[-1] = gibbs.sweep(last, gibbs.from_images(last, self.v[-1]), self._rng, _SWEEPS).v
        if not bool(model.free_energy(self.v[-1]).isfinite().all()):
            return False  # a model that diverges has no chains
        if tempering.overlap(last, model, self.v[-1]) >= tempering.ACCEPTANCE:
            return False
        following = len(self) - 1 - self._last_past
        if step >= due or following >= _MOST_FOLLOWING:
            self._forget_following()
        if self._climbed:
            self._lead_to(model)
        self._put(step if step >= due else None, model)
        while len(self) > self.most:
            self._drop_one()
        return True

    @property
    def _last_past(self) -> int:
        """The rung of the newest past model that is kept for good."""
        return max(k for k, kept in enumerate(self._kept) if kept.step is not None)

    def _forget_following(self) -> None:
        """The rungs that followed the model since the last past one: the straight line to it is shorter."""
        first = self._last_past + 1
        for each in (self._kept, self.v, self.accepted):
            del each[first:]

    def _lead_to(self, model: RBM) -> None:
        """Rungs on the straight line from the last one to this model, until it exchanges with the last of them."""
        for _ in range(_MOST_BETWEEN):
            last, v = self._kept[-1].model, self.v[-1]
            if tempering.overlap(last, model, v) >= _FAR:
                return
            line, near, far = tempering.between(last, model), 0.0, 1.0
            for _ in range(6):
                middle = (near + far) / 2
                reached = tempering.overlap(last, line(middle), v) >= tempering.ACCEPTANCE
                near, far = (middle, far) if reached else (near, middle)
            self._put(None, line(far))

    def _put(self, step: int | None, model: RBM) -> None:
        """One rung more, whose chains go on from those of the last."""
        rate = tempering.overlap(self._kept[-1].model, model, self.v[-1])
        begun = gibbs.from_images(model, self.v[-1])
        self._kept.append(_kept(step, model, -math.log(max(rate, 1e-12))))
        self.accepted.append(float("nan"))
        self.v.append(gibbs.sweep(model, begun, self._rng, _SETTLING).v)

    def _drop_one(self) -> None:
        """Drops the inner rung whose two neighbours are closest, by the sum of both gaps."""
        gaps = [kept.gap for kept in self._kept]
        k = min(range(1, len(gaps) - 1), key=lambda k: gaps[k] + gaps[k + 1])
        above = self._kept[k + 1]
        self._kept[k + 1] = replace(above, gap=gaps[k] + gaps[k + 1])
        del self._kept[k], self.v[k], self.accepted[k]

    def parameters(self) -> dict[str, Tensor]:
        """The parameters of the run's own models among the rungs, on the CPU by name, a rung a row; W (K, V, H) in half
        precision where it fits.
        """
        return _stacked([kept for kept in self._kept if kept.step is not None])

    def _own_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return _stacked(self._kept), {
            "steps": [kept.step for kept in self._kept],
            "gaps": [kept.gap for kept in self._kept],
            "next_look": self._next_look,
        }

    def _load_own(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        like, device = self._kept[0].like, self.v[0].device
        W, vbias, hbias = (tensors[name].to(device) for name in ("W", "vbias", "hbias"))
        gaps = meta["gaps"] if "gaps" in meta else meta["spreads"]  # of runs stopped before 2026-11-28
        log_var = tensors["log_var"].to(device) if "log_var" in tensors else None
        self._kept = [
            _Kept(
                None if step is None else int(step),
                _halved(W[k]).clone(),
                vbias[k].float().clone(),
                hbias[k].float().clone(),
                like,
                None if log_var is None else log_var[k].clone(),
                float(gap),
            )
            for k, (step, gap) in enumerate(zip(meta["steps"], gaps, strict=True))
        ]
        self._next_look = int(meta["next_look"])


def _stacked(kept: list[_Kept]) -> dict[str, Tensor]:
    """Parameters of models on the CPU by name, a model a row."""
    half = all(one.W.dtype == torch.float16 for one in kept)
    named = {
        "W": torch.stack([one.W if half else one.W.float() for one in kept]),
        "vbias": torch.stack([one.vbias for one in kept]),
        "hbias": torch.stack([one.hbias for one in kept]),
    }
    if kept[0].log_var is not None:
        named["log_var"] = torch.stack([one.log_var for one in kept if one.log_var is not None])
    return {name: t.cpu() for name, t in named.items()}


def _halved(W: Tensor) -> Tensor:
    """W in half precision, or as it is where a weight is beyond its range and would become infinite."""
    return W.half() if bool(W.abs().max() <= torch.finfo(torch.float16).max) else W


class Temperatures(Rungs):
    """The model under way at inverse temperatures from 0 (a model without weights) up to, and without, 1.

    It begins with the first rung alone. A rung is put half-way between two neighbours that exchange too seldom, with
    the upper one's states. At most 64 rungs. base: a model without weights. v: (N, V), independent states of it.
    """

    def __init__(self, base: RBM, v: Tensor, rng: Rng) -> None:
        super().__init__(rng, v)
        self._base = base
        self.betas = [0.0]

    def rung(self, k: int, model: RBM) -> RBM:
        """The model with W = βW, c = βc and visible biases (1 − β)a + βb at the rung's β."""
        return tempering.temperature_path(model, self._base.vbias)(self.betas[k])

    def climb(self, model: RBM, particles: Tensor) -> tuple[Tensor, Tensor]:
        """As `Rungs.climb`; then a rung more where one is missing."""
        after = super().climb(model, particles)
        k = min(
            range(len(self)), key=lambda k: self.accepted[k] if self.accepted[k] == self.accepted[k] else 1.0
        )
        if self.accepted[k] < _TOO_FEW and len(self) < _MOST:
            above = self.betas[k + 1] if k + 1 < len(self) else 1.0
            states = self.v[k + 1] if k + 1 < len(self) else after[0]
            self.betas.insert(k + 1, (self.betas[k] + above) / 2)
            self.v.insert(k + 1, states.clone())
            self.accepted[k] = float("nan")
            self.accepted.insert(k + 1, float("nan"))
        return after

    def _own_state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {}, {"betas": self.betas}

    def _load_own(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        self.betas = [float(beta) for beta in meta["betas"]]
