"""Whether to believe an estimate of log Z: what several say that begin at different places.

Forward and reverse AIS agree whenever both miss the same mode, and they do if both follow the same annealing. So the
verdict asks estimates that have different origins: forward AIS from several bases, reverse AIS from several kinds of
states. A mode that any of them begins in, or finds, shows as a difference; what no origin leads to no method sees.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import gibbs, tempering
from rbm_core.compute import Rng
from rbm_core.likelihood.ais import (
    Betas,
    Bracket,
    base_rate,
    prepare_ais,
    prepare_reverse_ais,
    sweeps,
    tempered_samples,
)
from rbm_core.likelihood.annealing import AISResult, Annealing, Direction
from rbm_core.likelihood.ladder import jackknife
from rbm_core.rbm import RBM
from rbm_core.runs.evaluation_record import APART, BASES, STARTS

__all__ = ["Evidence", "Verdict", "judge", "origins", "parallel_tempered", "prepared", "starts_of"]

_SETTLE = 1000  # sweeps of annealed samples, data and a run's chains before reverse AIS begins at them
_COOLING = 4000  # temperatures on the way to annealed samples
_MOST_APART = 1.0  # nats beyond which two estimates differ however wide their error bars are
_FEWEST, _SHARE = 10, 0.1  # chains in effect, and share of all, below which an estimate says nothing
_LADDERS, _ROUNDS, _ROUND = 10, 40, 20  # of parallel tempering: ladders, rounds that count, sweeps of a round
_MOST_RUNGS = 100


@dataclass(frozen=True)
class Evidence:
    """One estimate of log Z and the place where its chains began.

    method: "forward" or "reverse" AIS. origin: a key of `evaluation_record.BASES` or `STARTS`. log_z and stderr in
    nats; ess: chains in effect, of `chains`. doubt: why it speaks against the others, None if it does not; differs:
    whether that is its distance from one of them.
    """

    method: Direction
    origin: str
    log_z: float
    stderr: float
    ess: float
    chains: int
    doubt: str | None = None
    differs: bool = False

    @classmethod
    def of(cls, result: AISResult, origin: str) -> "Evidence":
        """The result without its raw material. origin: a key of BASES or STARTS."""
        stderr = result.stderr
        if origin == "tempered":
            stderr = max(stderr, _stderr_by_ladders(result.log_z - result.log_weights))
        return cls(result.direction, origin, result.log_z, stderr, result.ess, len(result.log_weights))

    @property
    def words(self) -> str:
        """`reverse AIS from annealed samples`."""
        return f"{self.method} AIS from {(BASES | STARTS)[self.origin]}"

    @property
    def weak(self) -> bool:
        """Whether too few chains carry its weight for it to say anything: fewer than 10, or than a tenth of them."""
        known = math.isfinite(self.log_z) and math.isfinite(self.stderr)
        return not known or self.ess < max(_FEWEST, _SHARE * self.chains)

    @property
    def weakness(self) -> str:
        """`only 3 of 50 chains of forward AIS from coin tosses carry the weight`."""
        return f"only {self.ess // 1:.0f} of {self.chains} chains of {self.words} carry the weight"

    def apart(self, other: "Evidence") -> bool:
        """Whether the two cannot both be right; one that is not finite agrees with none."""
        if not math.isfinite(self.log_z - other.log_z):
            return True
        error = 3 * math.hypot(self.stderr, other.stderr)
        return abs(self.log_z - other.log_z) > max(APART, min(error, _MOST_APART))


@dataclass(frozen=True)
class Verdict:
    """log Z with what speaks for it and against it.

    log_z, stderr: of the first forward and the first reverse estimate, joined by Bennett's acceptance ratio. evidence:
    every estimate, each with its doubt.
    """

    log_z: float
    stderr: float
    evidence: tuple[Evidence, ...]

    @classmethod
    def of(cls, bracket: Bracket, evidence: list[Evidence]) -> "Verdict":
        """The verdict on the joined estimate; evidence holds the bracket's own two first, forward and reverse."""
        return cls(bracket.log_z, bracket.stderr, tuple(_doubted(bracket, evidence)))

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against the estimate."""
        return not self.doubts

    @property
    def doubts(self) -> list[str]:
        """Why not to believe it, each a clause; none where it is trusted."""
        found = [e.doubt for e in self.evidence if e.doubt]
        for method, kind in (("forward", "bases"), ("reverse", "starts")):
            if sum(e.method == method and not e.weak for e in self.evidence) < 2:
                found.append(f"no two {kind} of {method} AIS could be compared")
        return found

    @property
    def sentence(self) -> str:
        """What agreed, by name, or what did not; and which estimates say nothing, since too few chains count."""
        if not self.trusted:
            words = "Do not trust it: " + "; ".join(self.doubts) + "."
            if "carry" not in words:
                return words
            few = min(e.chains for e in self.evidence) < 2 * _FEWEST  # more temperatures cannot mend that
            return words + (" Try more chains." if few else " Try more temperatures, or adaptive ones.")
        sound, silent = [[e for e in self.evidence if e.weak == weak] for weak in (False, True)]
        far = max(abs(e.log_z - self.log_z) for e in sound)
        fewest = min(sound, key=lambda e: e.ess / e.chains)
        bases, starts = (
            _listed([(BASES | STARTS)[e.origin] for e in sound if e.method == method])
            for method in ("forward", "reverse")
        )
        words = (
            f"Trust it: {len(sound)} estimates lie within {far:.2f} nats of it, forward AIS from "
            f"{bases} and reverse AIS from {starts}; at least {fewest.ess:.0f} of {fewest.chains} chains carry the "
            "weight in each. A mode that none of these enters no method sees."
        )
        if silent:
            words += f" Not counted: {'; '.join(e.weakness for e in silent)}."
        return words

    def record(self) -> list[dict[str, Any]]:
        """The evidence as a row of likelihood.jsonl holds it."""
        return [{**vars(e), "weak": e.weak} for e in self.evidence]


def _doubted(bracket: Bracket, evidence: list[Evidence]) -> Iterator[Evidence]:
    """Each estimate with its doubt: of the two that are joined that it is weak, or that the second differs from the
    first; of any other that it differs from what the two say together, which is what is to be believed.

    Held each against each, one of two score pairs would often differ by chance. A weak forward estimate below has said
    nothing: that is how it errs. A weak reverse one above may have begun in a mode that the others never enter.
    """
    first, second = evidence[:2]
    joined = replace(first, log_z=bracket.log_z, stderr=bracket.stderr)
    sound = [e for e in evidence if not e.weak]
    believed = sound if first.weak or second.weak or second.apart(first) else [joined]
    # The first is held against nothing, the second against the first.
    against = [[], [] if first.weak else [first]] + [believed] * (len(evidence) - 2)
    for number, (e, others) in enumerate(zip(evidence, against, strict=True)):
        doubt, differs = None, False
        other = next((o for o in others if o is not e), None)
        if e.weak and number < 2:
            doubt = e.weakness
        elif (
            other is not None
            and e.apart(other)
            and not (e.weak and e.method == "forward" and e.log_z < other.log_z)
        ):
            away, differs = e.log_z - other.log_z, True
            words = "forward and reverse AIS joined" if other is joined else other.words
            doubt = f"{e.words} lies {abs(away):.1f} nats {'above' if away > 0 else 'below'} {words}"
        yield replace(e, doubt=doubt, differs=differs)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


# The origins


def origins(has_data: bool, has_particles: bool) -> list[tuple[Direction, str]]:
    """Every (method, origin) that there is evidence from, the two that are joined first.

    Reverse AIS begins at the run's own chains if there are any: they have the model's law better than anything else.
    """
    forward = ["data-means", "own-means", "coins"] if has_data else ["own-means", "coins"]
    reverse = [
        *(["particles"] if has_particles else []),
        "annealed",
        *(["data"] if has_data else []),
        "tempered",
    ]
    pairs: list[tuple[Direction, str]] = [("forward", forward[0]), ("reverse", reverse[0])]
    pairs += [("forward", base) for base in forward[1:]]
    return pairs + [("reverse", start) for start in reverse[1:]]


def starts_of(
    rbm: RBM,
    origin: str,
    n: int,
    *,
    base: Tensor,
    data: Tensor | None = None,
    particles: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """n states (n, V) of the named origin, a key of STARTS, for reverse AIS to begin at.

    base: (V,), biases of the base that samples are annealed from. data, particles: (any, V); where there are fewer than
    n they are used several times, each time with other random numbers.
    """
    if origin == "annealed":
        return tempered_samples(rbm, n, n_steps=_COOLING, n_sweeps=_SETTLE, base_vbias=base, seed=seed)
    if origin == "tempered":
        return parallel_tempered(rbm, n, base=base, seed=seed)
    found = data if origin == "data" else particles
    assert found is not None
    order = (
        Rng(seed, f"{origin}-starts").permutation(len(found))
        if origin == "data"
        else torch.arange(len(found))
    )
    chosen = found[order[torch.arange(n) % len(found)]]
    return sweeps(rbm, chosen, _SETTLE, seed=seed, stream=f"{origin}-settled")


def parallel_tempered(rbm: RBM, n: int, *, base: Tensor, seed: int = 0) -> Tensor:
    """n states (n, V) of the last rung of ladders in temperature that have exchanged states; they begin at noise.

    State i is one of ladder i modulo their number.
    """
    rng = Rng(seed, "tempered-starts", rbm.device)
    path = tempering.temperature_path(rbm, base.to(rbm.device, rbm.dtype))
    places = tempering.place_rungs(path, rng, n_chains=50, sweeps=_ROUND)
    if (
        len(places) > _MOST_RUNGS
    ):  # every second one, or fewer: exchanges become rare, the states stay the models'
        places = (*places[:: -(-len(places) // _MOST_RUNGS)], 1.0)
    ladder = tuple(map(path, places))
    first = gibbs.from_bernoulli_noise(rbm, len(ladder) * _LADDERS, rng).v
    replicas = tempering.replicas_at(first.view(len(ladder), _LADDERS, -1))
    found, rows = [], tempering.kept_rows(ladder)
    for _ in range(2 * _ROUNDS):
        replicas, _ = tempering.temper(ladder, replicas, rng, sweeps=_ROUND, rows=rows)
        found.append(replicas.v[-1])
    each = -(-n // _LADDERS)  # of a ladder, as far from one another in time as there is room
    rounds = [-1 - k % _ROUNDS for k in (torch.arange(each) * max(1, _ROUNDS // each)).tolist()]
    return torch.cat([found[at] for at in rounds])[:n]


def _stderr_by_ladders(log_ratios: np.ndarray) -> float:
    """The standard error of a log mean of exp(log_ratios), (N,), of states that `parallel_tempered` gave in this order.

    States of one ladder are not independent of each other, so that only the spread from ladder to ladder tells (a
    jackknife).
    """
    w, ladder = np.exp(log_ratios - log_ratios.max()), np.arange(len(log_ratios)) % _LADDERS
    if len(w) < 2:
        return math.inf
    rest = (w.sum() - np.bincount(ladder, w)) / (len(w) - np.bincount(ladder))
    return float(jackknife(np.log(rest))) if (rest > 0).all() else math.inf


def prepared(
    rbm: RBM,
    method: Direction,
    origin: str,
    *,
    betas: Betas,
    n_chains: int,
    base: Tensor,
    starts: Tensor | None = None,
    seed: int = 0,
    precision: str = "auto",
) -> Annealing:
    """The annealing of one piece of evidence, not yet advanced. base: (V,), of the data's means or the model's own.

    starts: (n_chains, V), where reverse AIS begins; it ends at `base`.
    """
    common: dict[str, Any] = {"betas": betas, "n_chains": n_chains, "precision": precision}
    # Estimates that share random numbers would agree for that reason alone.
    number = [*BASES, *STARTS].index(origin)
    common["seed"] = (seed + 1_000_003 * number) % 2**64
    if method == "reverse":
        return prepare_reverse_ais(rbm, base_vbias=base, starts=starts, **common)
    if origin == "own-means":
        base = base_rate(rbm, seed=seed)
    elif origin == "coins":
        base = rbm.law.bias_of(rbm.law.mean(torch.zeros_like(base)))
    return prepare_ais(rbm, base_vbias=base, **common)


def judge(
    rbm: RBM,
    *,
    data: Tensor | None = None,
    particles: Tensor | None = None,
    betas: Betas = "salakhutdinov-murray",
    n_chains: int = 100,
    seed: int = 0,
    precision: str = "auto",
) -> Verdict:
    """log Z with a verdict from every origin there is: n_chains chains of each of the two estimates that are joined,
    half as many (at least 20) of each of the others.

    data: (N, V), training cases as states of the visible units. particles: (n, V), a run's persistent chains. Without
    data all origins lead through annealing or tempering, which can miss the same mode: give data where there are any.
    """
    base = base_rate(rbm, None if data is None else data.double().mean(0), seed=seed)
    given: Mapping[str, Any] = {"base": base, "data": data, "particles": particles, "seed": seed}
    results: dict[Direction, AISResult] = {}
    evidence = []
    for number, (method, origin) in enumerate(origins(data is not None, particles is not None)):
        n = n_chains if number < 2 else fewer(n_chains)
        starts = starts_of(rbm, origin, n, **given) if method == "reverse" else None
        annealing = prepared(
            rbm,
            method,
            origin,
            betas=betas,
            n_chains=n,
            base=base,
            starts=starts,
            seed=seed,
            precision=precision,
        )
        annealing.advance(len(annealing.betas))
        results.setdefault(method, annealing.result())
        evidence.append(Evidence.of(annealing.result(), origin))
    return Verdict.of(Bracket(results["forward"], results["reverse"]), evidence)


def fewer(n_chains: int) -> int:
    """Chains of each estimate beside the two that are joined."""
    return max(n_chains // 2, 20)
