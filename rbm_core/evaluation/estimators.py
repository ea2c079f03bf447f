"""The estimators of an evaluation by name: each judges a subject within a job and returns its part of the row.

Annealing runs a path of a hundredth, then of a tenth, then of all the temperatures, so that a page shows whether the
estimates converge. Tensors and JSON of a saved state are named here; states of earlier versions have the same names.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rbm_core import tempering
from rbm_core.compute import Rng
from rbm_core.evaluation.job import Job, State
from rbm_core.evaluation.mixing import mixing
from rbm_core.evaluation.subject import Subject
from rbm_core.likelihood.ais import (
    Bracket,
    adaptive_betas,
    prepare_ais,
    prepare_reverse_ais,
    temperatures,
)
from rbm_core.likelihood.annealing import AISResult, Annealing, Direction, sweep_precision
from rbm_core.likelihood.evidence import Evidence, Verdict, fewer, origins, prepared, starts_of
from rbm_core.likelihood.exact import exact_log_z
from rbm_core.likelihood.ladder import LadderResult, Tempered
from rbm_core.likelihood.pseudo import stochastic_pseudo_log_likelihood
from rbm_core.runs.evaluation_record import STARTS
from rbm_core.runs.past_models import models_before
from rbm_core.runs.reader import RunReader

__all__ = ["BY_NAME", "Estimator"]

Settings = Mapping[str, Any]
Estimator = Callable[[Subject, Settings, Job], dict[str, Any]]

_CHUNK = 250  # temperatures between two pause points, at most
_ROUNDS = 10  # rounds of exchanges between two pause points
_WALKS = 20  # walks through the whole ladder and back that a trusted estimate rests on, at least
_TRACE = 160  # points of the log-weights' curve
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def bracket(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """Forward and reverse AIS joined by Bennett's acceptance ratio, and what estimates of other origins say of it."""
    saved = job.saved()
    results = _anneal(subject, settings, job, ("forward", "reverse"), saved)
    both = Bracket(results["forward"], results["reverse"])
    verdict = Verdict.of(both, _evidence(subject, settings, job, both, saved))
    return {
        **subject.nats(verdict.log_z, verdict.stderr),
        "ess": min(both.forward.ess, both.reverse.ess),
        "forward": _numbers(both.forward),
        "reverse": _numbers(both.reverse),
        "evidence": verdict.record(),
        "trusted": verdict.trusted,
        "verdict": verdict.sentence,
    }


def forward_ais(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """Forward AIS alone: the likelihood comes out too high on average."""
    return _one_direction(subject, settings, job, "forward", "high")


def reverse_ais(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """Reverse AIS alone: the likelihood comes out too low on average."""
    return _one_direction(subject, settings, job, "reverse", "low")


def exact(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """log Z by enumeration; an interrupted one begins anew."""
    job.progress["free_energies"] = subject.energy_histogram(subject.particles())

    def shown(done: int, total: int) -> None:
        job.progress |= {"done": done, "total": total}
        job.show("Enumerating the smaller layer.")
        job.stop_if_asked()

    log_z = exact_log_z(subject.rbm, progress=shown)
    return {**subject.nats(log_z, 0.0), "trusted": True, "verdict": "Exact: every state was counted."}


def pseudo(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """The stochastic pseudo-likelihood of each part of the data, one random pixel a case."""
    job.progress["free_energies"] = subject.energy_histogram(subject.particles())
    rng, row = Rng(settings["seed"], "pseudo"), {}
    job.progress |= {"done": 0, "total": len(subject.cases)}
    for name, v in subject.cases.items():
        job.show("Asking pixels about their neighbours.", force=True)
        values = stochastic_pseudo_log_likelihood(subject.rbm, v, rng)
        row[f"pseudo_{name}_nats"] = float(values.mean())
        row[f"pseudo_{name}_stderr"] = float(values.std() / math.sqrt(len(values)))
        job.progress["done"] += 1
    verdict = "Pseudo-likelihood, summed over pixels: it compares models of one data set."
    return {"log_z": None, "stderr": None, "trusted": None, "verdict": verdict, **row}


def ladder(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """Parallel tempering from independent pixels to the model, and Bennett's estimate from rung to rung."""
    path = tempering.temperature_path(subject.rbm, subject.base.to(subject.rbm.dtype))
    return _climbed(subject, settings, job, path, [])


def trajectory(subject: Subject, settings: Settings, job: Job) -> dict[str, Any]:
    """The same along the run's own past: the models that it kept as rungs while it trained, or its snapshots where it
    kept none, up to this one; and models between them where they stand apart.

    A run that goes on may lose some of them while the job is interrupted; then it begins anew.
    """
    past, _ = models_before(RunReader(job.folder.parents[1]), subject.snapshot.step)
    models = [
        replace(
            subject.rbm,
            W=torch.from_numpy(one.W.astype(np.float32)),
            vbias=torch.from_numpy(one.vbias),
            hbias=torch.from_numpy(one.hbias),
            log_var=None if one.log_var is None else torch.from_numpy(one.log_var),
        )
        for one in past
    ]
    path = tempering.trajectory_path([*models, subject.rbm])
    return _climbed(subject, settings, job, path, [one.step for one in past])


def _climbed(
    subject: Subject, settings: Settings, job: Job, path: tempering.Path, steps: list[int]
) -> dict[str, Any]:
    """The estimate along this path. steps: of the snapshots that it leads through, which a saved state must match."""
    job.progress["free_energies"] = subject.energy_histogram(subject.particles())
    job.show("Placing the rungs.", force=True)
    seed, rounds = settings["seed"], settings["rounds"]
    places = tempering.place_rungs(path, Rng(seed, "rungs"))
    work = Tempered(tuple(map(path, places)), n_ladders=settings["n_chains"], settle=rounds // 5, seed=seed)
    if (saved := job.saved()) is not None and saved[1].get("steps", []) == steps:
        work.load_state_dict(*saved)
    job.progress |= {"done": work.rounds, "total": work.settle + rounds}

    def state() -> State:
        tensors, meta = work.state_dict()
        return tensors, {**meta, "steps": steps}

    while work.rounds < work.settle + rounds:
        work.advance(min(_ROUNDS, work.settle + rounds - work.rounds))
        job.progress["done"] = work.rounds
        job.show(f"Exchanging states between {len(places)} models.")
        job.pause_point(state)
    found = work.result()
    if steps:
        job.progress["along"] = _along(places, [*steps, subject.snapshot.step], found)
    return {
        **subject.nats(found.log_z, found.stderr),
        "rungs": len(places),
        "acceptance": [round(float(rate), 3) for rate in found.acceptance],
        "round_trips": found.round_trips,
        **_walked(found.round_trips),
    }


def _along(places: tuple[float, ...], steps: list[int], found: LadderResult) -> list[dict[str, Any]]:
    """log Z of each rung behind the first, with the step of its model: a number between two for a model between them.

    places: of the rungs on `tempering.trajectory_path`. steps: of the models that it leads through, the subject last.
    """
    at = np.interp(np.array(places) * len(steps), np.arange(len(steps) + 1), [steps[0], *steps])
    return [
        {"step": round(float(step), 2), "log_z": round(float(log_z), 4), "stderr": round(float(stderr), 4)}
        for step, log_z, stderr in zip(at, found.log_z_rungs, found.stderr_rungs, strict=True)
    ][1:]


def _walked(round_trips: int) -> dict[str, Any]:
    """Whether states wandered through the whole ladder often enough to be believed."""
    walks = f"{round_trips:,} walks went from independent pixels to the model and back"
    if round_trips >= _WALKS:
        return {"trusted": True, "verdict": f"Trust it: {walks}, so no mode held the chains."}
    return {
        "trusted": False,
        "verdict": f"Do not trust it: only {walks}, fewer than {_WALKS}; ask for more rounds or more chains.",
    }


BY_NAME: dict[str, Estimator] = {
    "bracket": bracket,
    "mixing": mixing,
    "ais": forward_ais,
    "reverse": reverse_ais,
    "exact": exact,
    "pseudo": pseudo,
    "ladder": ladder,
    "trajectory": trajectory,
}
"""Of every name in runs.evaluation_record.ESTIMATORS, what computes it."""


# Annealing


def _one_direction(
    subject: Subject, settings: Settings, job: Job, direction: Direction, side: str
) -> dict[str, Any]:
    result = _anneal(subject, settings, job, (direction,), job.saved())[direction]
    verdict = f"Unconfirmed: alone this errs towards too {side} a likelihood, by an unknown amount."
    nats = subject.nats(result.log_z, result.stderr)
    return {**nats, "ess": result.ess, "trusted": None, "verdict": verdict}


def _anneal(
    subject: Subject,
    settings: Settings,
    job: Job,
    directions: tuple[Direction, ...],
    saved: State | None,
) -> dict[Direction, AISResult]:
    """The results of the longest path, after those of the shorter ones were shown."""
    paths = _paths(_temperatures(subject, settings, job))
    stages = [(path, direction) for path in paths for direction in directions]
    more = len(_origins(subject)) - 2 if len(directions) == 2 else 0
    job.progress["total"] = len(directions) * sum(len(path) - 1 for path in paths) + more * (
        len(paths[-1]) - 1
    )
    if saved is None:
        tensors, first = {}, 0
        job.progress |= {"rounds": [], "log_weights": {}, "trace": {}, "evidence": [], "done": 0}
    else:
        tensors, first = saved[0], int(saved[1]["stage"])
    # Chosen once: an annealing that is taken up again goes on as it began.
    precision = saved[1]["annealing"]["precision"] if saved else settings["precision"]
    settings = {**settings, "precision": sweep_precision(subject.rbm, settings["n_chains"], precision)}
    starts = tensors.get("starts")
    if "reverse" in directions and starts is None and first < len(stages):
        job.show("Settling the chains that reverse AIS begins at.", force=True)
        starts = _reverse_starts(subject, settings)
    if "free_energies" not in job.progress:
        job.progress["free_energies"] = subject.energy_histogram(
            subject.particles() if starts is None else starts
        )
    results: dict[Direction, AISResult] = {}
    for direction, weights in job.progress["log_weights"].items():
        results[direction] = AISResult.from_log_weights(np.array(weights), direction=direction)
    for number, (path, direction) in enumerate(stages[first:], first):
        annealing = _prepared(subject, settings, path, direction, starts)
        if saved is not None and number == first:
            _take_up(annealing, saved)
        trace = job.progress["trace"].setdefault(direction, {})
        results[direction] = _carried_through(annealing, job, number, starts, trace)
        job.progress["log_weights"][direction] = results[direction].log_weights.tolist()
        _note_round(job, len(path) - 1, direction, results[direction])
    return results


def _evidence(
    subject: Subject, settings: Settings, job: Job, both: Bracket, saved: State | None
) -> list[Evidence]:
    """The two estimates that are joined, and one along the whole path from each other origin."""
    (_, base), (_, start), *others = _origins(subject)
    path = _temperatures(subject, settings, job)
    done = 2 * len(_paths(path))  # annealings before these
    stage = int(saved[1]["stage"]) if saved else 0
    first, found = max(stage - done, 0), job.progress.setdefault("evidence", [])
    n, seed, data = fewer(settings["n_chains"]), settings["seed"], subject.cases["train"]
    precision = sweep_precision(subject.rbm, n, settings["precision"])
    for number, (method, origin) in enumerate(others[first:], first):
        starts = None
        if method == "reverse":
            job.show(f"Drawing {STARTS[origin]}.", force=True)
            starts = starts_of(subject.rbm, origin, n, base=subject.base, data=data, seed=seed)
        resumed = saved if stage == done + number else None
        annealing = prepared(
            subject.rbm,
            method,
            origin,
            betas=path,
            n_chains=n,
            base=subject.base,
            starts=starts,
            seed=seed,
            precision=resumed[1]["annealing"]["precision"] if resumed else precision,
        )
        if resumed:
            _take_up(annealing, resumed)
        found.append(vars(Evidence.of(_carried_through(annealing, job, done + number), origin)))
    own = [Evidence.of(both.forward, base), Evidence.of(both.reverse, start)]
    return own + [Evidence(**one) for one in found]


def _origins(subject: Subject) -> list[tuple[Direction, str]]:
    """The origins of evidence: CD's chains begin at the data at every update, so they are no samples of the model."""
    return origins(True, subject.config["algorithm"] != "cd" and len(subject.snapshot.particles_v) > 0)


def _take_up(annealing: Annealing, saved: State) -> None:
    """The annealing goes on where the job's saved state has it."""
    own = {key.removeprefix("ais."): t for key, t in saved[0].items() if key.startswith("ais.")}
    annealing.load_state_dict(own, saved[1]["annealing"])


def _temperatures(subject: Subject, settings: Settings, job: Job) -> np.ndarray:
    if settings["betas"] != "adaptive":
        return temperatures(settings["betas"])
    job.show("Placing the temperatures.", force=True)
    return adaptive_betas(subject.rbm, base_vbias=subject.base, seed=settings["seed"])


def _paths(full: np.ndarray) -> list[np.ndarray]:
    """Every hundredth, every tenth and all of the temperatures; a thinned path has at least ten steps."""
    steps = len(full) - 1
    found = []
    for every in (100, 10):
        if steps // every >= 10:
            thinned = full[::every]
            found.append(thinned if thinned[-1] == 1 else np.append(thinned, 1.0))
    return [*found, full]


def _reverse_starts(subject: Subject, settings: Settings) -> Tensor:
    """The states that reverse AIS begins at: of the origin that is joined, whatever the number of chains asked for.

    Fewer particles than chains are used several times. Annealed samples in their place would be those that the evidence
    from annealed samples begins at, and two origins would count where there is one.
    """
    return starts_of(
        subject.rbm,
        _origins(subject)[1][1],
        settings["n_chains"],
        base=subject.base,
        particles=subject.particles(),
        seed=settings["seed"],
    )


def _prepared(
    subject: Subject, settings: Settings, path: np.ndarray, direction: Direction, starts: Tensor | None
) -> Annealing:
    common: dict[str, Any] = {
        "betas": path,
        "n_chains": settings["n_chains"],
        "base_vbias": subject.base,
        "seed": settings["seed"] + 1000 * len(path),  # paths of different length share no random numbers
        "precision": settings["precision"],
    }
    if direction == "forward":
        return prepare_ais(subject.rbm, **common)
    return prepare_reverse_ais(subject.rbm, starts=starts, **common)


def _carried_through(
    annealing: Annealing,
    job: Job,
    number: int,
    starts: Tensor | None = None,
    trace: dict[str, Any] | None = None,
) -> AISResult:
    """Annealing number `number` to its end, with pause points and, if asked for, a trace of the log-weights.

    starts: what the job's saved state keeps for all annealings.
    """
    steps, direction = len(annealing.betas) - 1, annealing.direction
    done_before = float(job.progress["done"]) - annealing.position
    if trace is not None and annealing.position == 0:
        trace |= {"beta": [], "quantiles": []}

    def state() -> State:
        tensors, meta = annealing.state_dict()
        named = {f"ais.{key}": tensor for key, tensor in tensors.items()}
        if starts is not None:
            named["starts"] = starts
        return named, {"stage": number, "annealing": meta}

    while not annealing.done:
        annealing.advance(min(_CHUNK, steps // _TRACE + 1))
        if trace is not None:
            spread = np.quantile(annealing.log_weights.numpy(), _QUANTILES)
            if direction == "reverse":
                spread = -spread
            trace["beta"].append(round(annealing.beta, 6))
            trace["quantiles"].append(np.round(spread + annealing.log_z_base, 3).tolist())
        job.progress["done"] = done_before + annealing.position
        job.show(f"{direction.capitalize()} AIS, {steps:,} temperatures.")
        job.pause_point(state)
    return annealing.result()


def _note_round(job: Job, n_temperatures: int, direction: Direction, result: AISResult) -> None:
    """Adds a finished path to the table of rounds; both directions of a path share one entry."""
    rounds = job.progress["rounds"]
    if not rounds or rounds[-1]["n_temperatures"] != n_temperatures:
        rounds.append({"n_temperatures": n_temperatures})
    rounds[-1][direction] = _numbers(result)
    job.show(force=True)


def _numbers(result: AISResult) -> dict[str, float]:
    return {"log_z": result.log_z, "stderr": result.stderr, "ess": result.ess}
