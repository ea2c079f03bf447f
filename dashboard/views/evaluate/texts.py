"""The words of the Evaluate page for estimators, settings and evaluations."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from dashboard.figures.numbers import minus
from rbm_core.runs.evaluation_record import APART, BASES, ESTIMATORS, STARTS

CARE = {  # the temperatures to ask for
    "1000": "1,000 temperatures: quick",
    "adaptive": "5,000, well placed: 20 s",
    "salakhutdinov-murray": "14,500, usual: a minute",
}
CARE_HELP = (
    "Chains are led from a model without weights to this one through many temperatures. More of them "
    "make a truer estimate, and cost time in proportion: these times are of 784 × 500 units, from all places, on two "
    "cores. "
    "A quick look is often not to be trusted; 14,500 are what Salakhutdinov and Murray (2008) used."
)
SWEEPS_HELP = (
    "How long the chains are watched. A model trained with chains that were too short looks right at "
    "k sweeps and wrong long after: only long chains show it."
)
TEMPERED = ("ladder", "trajectory")
ROUNDS = {  # of exchanges, to ask for
    500: "500 rounds: a first look",
    2_000: "2,000 rounds: 4 × as long",
    10_000: "10,000 rounds: 20 × as long",
}
ROUNDS_HELP = (
    "Pictures wander from noise to this model and back, and each round lets them take a step. The answer is trusted "
    "once twenty of them have gone all the way and come back. A well-trained model often needs more than a first look."
)
HOW_AIS_WORKS = (
    "The likelihood is log p(v) = −F(v) − log Z, and Z is a sum over more states than can be added up. So chains "
    "walk from a model without weights, whose Z is known, to this one: what they gather on the way is log Z "
)
WAYS = {  # the end of that sentence, and which way the estimate errs
    "bracket": "(forward; errs low), and again on the way back (reverse; errs high), each from several places. Believe "
    "it where all of them agree.",
    "ais": "(forward AIS). It errs low, so the likelihood looks better than it is.",
    "reverse": "(here on the way back: reverse AIS). It errs high, so the likelihood looks worse than it is.",
}


TRUST_WALKS = (
    "Trust it: pictures went from noise to this model and back many times, so no kind of picture held them."
)
MISTRUST_WALKS = (
    "Do not trust it: too few pictures went from noise to this model and back, so that a kind of picture may be "
    "missing from the sum. Take more rounds."
)


def title(one: dict[str, Any]) -> str:
    """What an evaluation estimates."""
    name = one.get("estimator", "Log-likelihood")  # rows of early versions do not say
    return ESTIMATORS[name].title if name in ESTIMATORS else name


def estimates(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The estimates of log Z that a verdict rests on; empty in rows that name none."""
    found = row.get("evidence")
    return [
        one
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, Mapping) and is_number(one.get("log_z"))
    ]


def because(row: Mapping[str, Any]) -> str:
    """Whether to trust an answer, and why, without a word about chains; what cannot be said so is the estimator's own.

    Above all what a row says is judged by its two directions, which err to opposite sides.
    """
    said = str(row.get("verdict") or "")
    if row.get("estimator") in TEMPERED and isinstance(row.get("trusted"), bool):
        return TRUST_WALKS if row["trusted"] else MISTRUST_WALKS
    low, high = row.get("forward") or {}, row.get("reverse") or {}
    if row.get("estimator") != "bracket" or not (
        is_number(low.get("log_z")) and is_number(high.get("log_z"))
    ):
        return said
    counted = [one for one in estimates(row) if not one.get("weak")]
    if row.get("trusted") is True:
        return (
            _trusted(counted, row["log_z"])
            if len(counted) > 2
            else _trusted_once(abs(high["log_z"] - low["log_z"]))
        )
    if row.get("trusted") is not False:
        return said
    # One that few walks carry says nothing, unless it contradicts the others.
    speaking = [one for one in estimates(row) if not one.get("weak") or one.get("differs") is True]
    several = [one["log_z"] for one in speaking] if len(speaking) > 1 else [low["log_z"], high["log_z"]]
    apart = max(several) - min(several)
    told = [one["differs"] for one in estimates(row) if "differs" in one]  # not in older rows
    if apart > APART and (any(told) or not told):
        return (
            "Do not trust it: estimates that began at different places, or err to different sides, are "
            f"{apart:,.1f} nats apart. Measure more carefully."
        )
    return "Do not trust it: too few of the random walks behind the number count. Measure more carefully."


def _trusted(counted: list[Mapping[str, Any]], log_z: float) -> str:
    far = max(abs(one["log_z"] - log_z) for one in counted)
    good, bad = (sum(str(one.get("origin")) in names for one in counted) for names in (BASES, STARTS))
    return (
        f"Trust it: {len(counted)} estimates that began at different places lie within {far:.2f} nats of what they say "
        f"together, {good} that err to the good side and {bad} that err to the bad side. A kind of picture that none "
        "of these places leads to no method sees."
    )


def _trusted_once(apart: float) -> str:
    return (
        "Trust it with care: one estimate that errs to the good side and one that errs to the bad side agree to "
        f"{apart:.2f} nats, but what one annealing misses both miss. Evaluate it again: estimates that begin at other "
        "places are made today too."
    )


def question(one: dict[str, Any]) -> str:
    """What was asked, in a few words."""
    settings, words = one.get("settings", {}), [title(one), f"step {one['step']:,}"]
    if "betas" in settings:
        asked = {"adaptive": "5,000 adaptive", "salakhutdinov-murray": "14,500"}.get(
            betas := settings["betas"]
        )
        words.append(f"{asked or (betas if isinstance(betas, str) else f'{betas:,}')} temperatures")
    if "sweeps" in settings:
        words.append(f"{settings['sweeps']:,} sweeps")
    if "rounds" in settings:
        words.append(f"{settings['rounds']:,} rounds")
    if settings.get("seed"):
        words.append(f"seed {settings['seed']}")
    return " · ".join(words)


def file_words(one: dict[str, Any]) -> str:
    """What was asked, as a part of a file's name."""
    return f"step-{one['step']}-{one['estimator']}-seed-{seed(one)}"


def seed(one: dict[str, Any]) -> int:
    return one.get("settings", {}).get("seed", 0)


def sweeps(t: int, k: int) -> str:
    """`1 sweep`, `25 sweeps (k of training)`: how long a chain ran, for a run trained with k sweeps."""
    return f"{t:,} sweep{'s' * (t != 1)}" + (" (k of training)" if t == k else "")


def nats(x: float) -> str:
    return minus(f"{x:.2f}")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a field of a record holds a number that can be shown."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def are_numbers(row: Mapping[str, Any], *names: str) -> bool:
    """Whether the row has all of these fields, as numbers: another version may have written fewer."""
    return all(is_number(row.get(name)) for name in names)
