"""Parallel tempering: replicas on a ladder of models that exchange their states with their neighbours.

A ladder is a sequence of RBMs with equal layers, from one that forgets its state in a sweep (independent pixels)
to the model itself. Every rung keeps a replica at its own model, so a state that is stuck in a mode of the model can
climb down to where nothing holds it, and come back in another mode. Two kinds of path give the rungs:

- temperatures: from independent pixels to the model, W and c scaled by β (`temperature_path`);
- a trajectory: the run's own past models in the order of learning (`trajectory_path`; Béreux, Decelle, Furtlehner,
  Rosset & Seoane 2024, "Fast training and sampling of Restricted Boltzmann Machines").

Pure: (ladder, replicas, rng) -> replicas and what the exchange saw. No learning, no files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from rbm_core import gibbs
from rbm_core.compute import Rng
from rbm_core.flips import FlippedRows, flip_sweeps, flipped_rows
from rbm_core.rbm import RBM, ShapeError

__all__ = [
    "ACCEPTANCE",
    "SPREAD",
    "Exchange",
    "Ladder",
    "Path",
    "Replicas",
    "acceptance",
    "between",
    "climbed",
    "differences",
    "exchange",
    "independent",
    "kept_rows",
    "overlap",
    "place_rungs",
    "replicas_at",
    "temper",
    "temperature_path",
    "trajectory_path",
]

Path = Callable[[float], RBM]
"""The model at t in [0, 1]: independent pixels at 0, the model of interest at 1."""

Ladder = tuple[RBM, ...]
"""At least two RBMs with equal layers; the first mixes at once, the last is the model of interest."""

ACCEPTANCE = 0.3
"""How often neighbours on a ladder should exchange: rungs further apart hardly do, and more rungs are more work."""
SPREAD = 1.4658
"""Neighbours whose free energies differ with this standard deviation s, in nats, exchange with probability
erfc(s/2) = 0.3 where the difference is normal."""
_FEWEST = 0.15


@dataclass(frozen=True)
class Replicas:
    """N ladders side by side: the state at each of K rungs, and where it has been.

    v: (K, N, V), the state at each rung. origin: (K, N) int64, the rung at which that state's walk began. leg: (K, N)
    int64, 1 for a walk that has been at the first rung and is on its way up, 2 for one that has been at the last rung
    since, 0 before either. round_trips: (N,) int64, walks first rung → last rung → first rung completed. rounds: rounds
    of exchanges so far.
    """

    v: Tensor
    origin: Tensor
    leg: Tensor
    round_trips: Tensor
    rounds: int = 0


@dataclass(frozen=True)
class Exchange:
    """What one round of exchanges saw, for each of the K − 1 pairs of neighbours.

    ahead: (K−1, N), F_{k+1}(v) − F_k(v) of the state v at rung k, in nats; behind: (K−1, N), the same difference of
    the state at rung k + 1; both before the exchange. proposed: (K−1,) bool, the pairs of this round (every second
    one). accepted: (K−1, N) bool.
    """

    ahead: Tensor
    behind: Tensor
    proposed: Tensor
    accepted: Tensor


def independent(rbm: RBM, vbias: Tensor) -> RBM:
    """The model without interactions: W = 0, c = 0 and these visible biases (V,); log Z is known in closed form."""
    return replace(
        rbm, W=torch.zeros_like(rbm.W), vbias=vbias.to(rbm.vbias), hbias=torch.zeros_like(rbm.hbias)
    )


def temperature_path(rbm: RBM, base_vbias: Tensor) -> Path:
    """t ↦ the RBM with W = tW, c = tc and visible biases (1 − t)a + tb, the intermediate models of AIS.

    base_vbias: (V,), the biases a of the independent pixels at t = 0.
    """
    return between(independent(rbm, base_vbias), rbm)


def trajectory_path(models: Sequence[RBM]) -> Path:
    """t ↦ the models in order, joined by straight lines in their parameters; independent pixels stand before the first.

    models: at least one, in the order of learning. Raises ShapeError for layers that differ.
    """
    if not models:
        raise ShapeError("a trajectory needs at least one model, got none")
    for model in models:
        if model.W.shape != models[0].W.shape or model.visible != models[0].visible:
            raise ShapeError(
                f"the models of a trajectory must have equal layers, got {tuple(models[0].W.shape)} and "
                f"{tuple(model.W.shape)}"
            )
    stops = [independent(models[0], models[0].vbias), *models]
    parts = [between(a, b) for a, b in pairwise(stops)]

    def at(t: float) -> RBM:
        place = min(int(t * len(parts)), len(parts) - 1)
        return parts[place](t * len(parts) - place)

    return at


def between(a: RBM, b: RBM) -> Path:
    """The straight line of parameters from a (t = 0) to b (t = 1); both ends are the models themselves."""

    def at(t: float) -> RBM:
        if t in (0.0, 1.0):
            return b if t else a
        log_var = None
        if a.log_var is not None and b.log_var is not None:
            log_var = torch.lerp(a.log_var, b.log_var, t)
        return replace(
            b,
            W=torch.lerp(a.W, b.W, t),
            vbias=torch.lerp(a.vbias, b.vbias, t),
            hbias=torch.lerp(a.hbias, b.hbias, t),
            log_var=log_var,
        )

    return at


def place_rungs(
    path: Path, rng: Rng, *, n_chains: int = 200, sweeps: int = 20, most: int = 1000
) -> tuple[float, ...]:
    """Places t of rungs along a path, from 0 to 1, such that neighbours exchange with a probability of about 0.3.

    n_chains chains walk up the path, `sweeps` sweeps at each rung. The next rung lies where the difference of free
    energies F_{t'}(v) − F_t(v) has a standard deviation s with erfc(s/2) = 0.3 over the chains, the acceptance of two
    normal laws; or nearer, by halves, where chains settled there exchange with those here in fewer than 15 of 100
    cases: then the law ahead lies in the tail of this one, which the deviation does not see.

    Raises ValueError if that takes more than `most` rungs.
    """
    t, places = 0.0, [0.0]
    model = path(0.0)
    chain = gibbs.sweep(model, gibbs.from_bernoulli_noise(model, n_chains, rng), rng, sweeps)
    while t < 1.0:
        energy = model.free_energy(chain.v)
        place = _next_place(path, t, chain.v, energy)
        while True:
            upper = path(place)
            ahead = gibbs.sweep(upper, gibbs.from_images(upper, chain.v), rng, sweeps)
            if acceptance(model, upper, chain.v, ahead.v) >= _FEWEST or place - t < 1e-6:
                break
            place = (t + place) / 2
        t, model, chain = place, upper, ahead
        places.append(t)
        if len(places) > most:
            raise ValueError(
                f"the path needs more than {most:,} rungs: its models lie too far apart; give it more models"
            )
    return tuple(places)


def acceptance(lower: RBM, upper: RBM, v: Tensor, w: Tensor) -> float:
    """The mean probability of an exchange between states v of `lower` and w of `upper`, each with another chain's.

    v, w: (N, V). Another chain's, since w may have come from v.
    """
    ahead, behind = (upper.free_energy(states) - lower.free_energy(states) for states in (v, w.roll(1, 0)))
    return float((behind - ahead).clamp(max=0).exp().mean())


def overlap(lower: RBM, upper: RBM, v: Tensor) -> float:
    """The mean probability of an exchange between states of the two models, from states of `lower` alone.

    v: (N, V), at least two independent states of `lower`: with weights proportional to exp(F_lower − F_upper) they are
    states of `upper`. An exchange is between different states. Where the models lie so far apart that one state has all
    the weight, the probability is near 0, as it should be.
    """
    ahead = (upper.free_energy(v) - lower.free_energy(v)).double()
    chance = (ahead[None, :] - ahead[:, None]).clamp(max=0).exp()
    return (float((chance @ (-ahead).softmax(0)).sum()) - 1) / (len(v) - 1)


def _next_place(path: Path, t: float, v: Tensor, energy: Tensor) -> float:
    """The largest place beyond t, found by bisection, at which the spread is at most SPREAD; 1 if that is.

    v: (N, V), states at t, and energy (N,), their free energies there.
    """

    def spread(place: float) -> float:
        return float((path(place).free_energy(v) - energy).std())

    if spread(1.0) <= SPREAD:
        return 1.0
    step = 1.0 - t
    while spread(t + step) > SPREAD and step > 1e-9:
        step /= 2
    low, high = t + step, min(1.0, t + 2 * step)
    for _ in range(6):
        middle = (low + high) / 2
        low, high = (middle, high) if spread(middle) <= SPREAD else (low, middle)
    return low


def climbed(ladder: Ladder, n: int, rng: Rng, sweeps: int = 10) -> Tensor:
    """(K, N, V): states that begin at noise and go `sweeps` sweeps at every rung, from the first to the last."""
    chain = gibbs.from_bernoulli_noise(ladder[0], n, rng)
    states = []
    for rbm in ladder:
        chain = gibbs.sweep(rbm, gibbs.from_images(rbm, chain.v), rng, sweeps)
        states.append(chain.v)
    return torch.stack(states)


def kept_rows(ladder: Ladder) -> tuple[FlippedRows, ...] | None:
    """What flip-driven chains add from at each rung, for `temper`; None where chains go by products.

    Twice the ladder's weights in memory. Flip-driven chains need 0/1 units in float32 on the CPU.
    """
    if any(not rbm.bitwise or (rbm.device.type, rbm.dtype) != ("cpu", torch.float32) for rbm in ladder):
        return None
    return tuple(flipped_rows(rbm.W) for rbm in ladder)


def replicas_at(v: Tensor) -> Replicas:
    """Replicas that begin at these states, v: (K, N, V), one a rung. Raises ShapeError for fewer than two rungs."""
    if v.dim() != 3 or len(v) < 2:
        raise ShapeError(f"replicas must have shape (rungs ≥ 2, ladders, visible), got {tuple(v.shape)}")
    K, N, _ = v.shape
    origin = torch.arange(K, device=v.device)[:, None].expand(K, N).clone()
    leg = torch.zeros(K, N, dtype=torch.int64, device=v.device)
    leg[0] = 1
    return Replicas(v, origin, leg, torch.zeros(N, dtype=torch.int64, device=v.device))


def temper(
    ladder: Ladder,
    replicas: Replicas,
    rng: Rng,
    *,
    sweeps: int = 1,
    rows: Sequence[FlippedRows] | None = None,
) -> tuple[Replicas, Exchange]:
    """One round: `sweeps` sweeps of every rung at its own model, then exchanges between every second pair.

    Neighbours k and k + 1 with states v and v′ exchange them with probability
    min(1, exp(F_k(v) + F_{k+1}(v′) − F_k(v′) − F_{k+1}(v))), which leaves p_k(v) p_{k+1}(v′) as it is. The pairs that
    are proposed alternate from round to round: (0, 1), (2, 3), … and (1, 2), (3, 4), …

    rows: `kept_rows(ladder)`, by which the sweeps draw the same from the same random numbers, up to rounding.
    Raises ShapeError unless there are as many rungs as replicas.
    """
    if len(ladder) != len(replicas.v):
        raise ShapeError(f"{len(replicas.v)} replicas need as many rungs, got {len(ladder)}")
    v = torch.stack(
        [
            _swept(rbm, v, rng, sweeps, None if rows is None else rows[k])
            for k, (rbm, v) in enumerate(zip(ladder, replicas.v, strict=True))
        ]
    )
    ahead, behind = differences(ladder, v)
    K = len(ladder)
    proposed = torch.arange(K - 1, device=v.device) % 2 == replicas.rounds % 2
    accepted = _accepts(ahead, behind, rng) & proposed[:, None]
    order = _exchanged(accepted)
    moved = torch.gather(v, 0, order[:, :, None].expand_as(v))
    origin, leg = torch.gather(replicas.origin, 0, order), torch.gather(replicas.leg, 0, order)
    round_trips = replicas.round_trips + (leg[0] == 2).to(torch.int64)
    leg[0] = 1
    leg[-1] = torch.where(leg[-1] == 1, 2, leg[-1])
    return (
        Replicas(moved, origin, leg, round_trips, replicas.rounds + 1),
        Exchange(ahead, behind, proposed, accepted),
    )


def exchange(
    lower: RBM, upper: RBM, v: Tensor, w: Tensor, rng: Rng, energy: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One exchange between two models, by the rule of `temper`: their states after it, which were accepted, and the
    free energies of the new states of `upper`.

    v: (N, V), states of `lower`, and energy: (N,), their free energies in it; w: (N, V), states of `upper`. Returns two
    (N, V), (N,) bool and (N,).
    """
    crossed, own = upper.free_energy(torch.cat([v, w])).chunk(2)
    accepted = _accepts(crossed - energy, own - lower.free_energy(w), rng)
    chosen = accepted[:, None]
    return torch.where(chosen, w, v), torch.where(chosen, v, w), accepted, torch.where(accepted, crossed, own)


def _accepts(ahead: Tensor, behind: Tensor, rng: Rng) -> Tensor:
    """Which exchanges are accepted: with probability min(1, exp(behind − ahead)), the differences F_upper − F_lower
    at the state above and at the state below.
    """
    return rng.uniform(tuple(ahead.shape)).log() < behind - ahead


def _swept(rbm: RBM, v: Tensor, rng: Rng, sweeps: int, rows: FlippedRows | None) -> Tensor:
    if rows is not None:
        return flip_sweeps(rows, rbm.vbias, rbm.hbias, v, sweeps, rng)[0]
    return gibbs.sweep(rbm, gibbs.from_images(rbm, v), rng, sweeps).v


def differences(ladder: Ladder, v: Tensor) -> tuple[Tensor, Tensor]:
    """F_{k+1} − F_k in nats at the states of rung k, and at those of rung k + 1. v: (K, N, V). Two (K−1, N)."""
    N = v.shape[1]
    # Each rung's weights are read once, for its own states and those of both neighbours.
    energies = [
        rbm.free_energy(v[max(k - 1, 0) : k + 2].flatten(0, 1)).view(-1, N) for k, rbm in enumerate(ladder)
    ]
    pairs = [(upper, lower[-2:]) for lower, upper in pairwise(energies)]
    ahead = torch.stack([upper[0] - own for upper, (own, _) in pairs])
    behind = torch.stack([upper[1] - crossed for upper, (_, crossed) in pairs])
    return ahead, behind


def _exchanged(accepted: Tensor) -> Tensor:
    """(K, N): the rung whose state each rung holds after the accepted exchanges of pairs that do not touch."""
    K, N = len(accepted) + 1, accepted.shape[1]
    order = torch.arange(K, device=accepted.device)[:, None].expand(K, N).clone()
    up = torch.zeros(K, N, dtype=torch.bool, device=accepted.device)
    down = up.clone()
    up[:-1], down[1:] = accepted, accepted
    return order + up.to(torch.int64) - down.to(torch.int64)
