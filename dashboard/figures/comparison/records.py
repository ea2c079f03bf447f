"""Runs as the table shows them: the settings in which they differ, their order, and the search among them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ORDERS = {
    "newest": "newest first",
    "name": "name",
    "likelihood": "log-likelihood, best first",
    "pseudo": "pseudo-likelihood, best first",
    "gap": "gap, smallest first",
    "steps": "steps, most first",
    "time": "training time, shortest first",
}
# Fields that say where a run was made, not what was trained.
_NOT_COMPARED = ("device", "log_every", "max_snapshots")

IMPORTED = "imported"
"""The state of a run that is a model of a file and that nothing here has trained."""
_OF_THE_MODEL = ("dataset", "n_hidden", "visible", "learn_variance", "labels")


@dataclass(frozen=True)
class Record:
    """One run as the table shows it; a run that cannot be read has an error and nothing else."""

    name: str
    state: str = ""
    preset: str | None = None
    created: str = ""
    step: int = 0
    epoch: float = 0.0
    seconds: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, float] = field(default_factory=dict)
    likelihood: tuple[float, float] | None = None  # nats, and their standard error
    trusted: bool | None = None  # the verdict on it; None where it was made from one side only
    tags: tuple[str, ...] = ()
    note: str = ""
    error: str | None = None


def of_the_model(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that describe a model itself: all that is known of one that came in a file."""
    return {name: value for name, value in fields.items() if name in _OF_THE_MODEL}


def as_trained(fields: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The run's settings; one that was changed while it trained is all it has been, as `0.05 → 0.5`.

    Of updates and epochs only the one that gave the run its length.
    """
    been: dict[str, list[Any]] = {}
    for event in events:
        value = event.get("value")
        if event.get("command") == "set" and isinstance(value, Mapping):
            been.setdefault(str(value.get("name")), []).append(value.get("value"))
    told = {
        name: " → ".join(
            f"{one:g}" if isinstance(one, (int, float)) else str(one) for one in (fields.get(name), *values)
        )
        for name, values in been.items()
    }
    idle = "epochs" if fields.get("updates") else "updates"
    return {name: value for name, value in {**fields, **told}.items() if name != idle}


def differing(records: Sequence[Record]) -> tuple[list[str], dict[str, Any]]:
    """(settings in which the runs differ, the settings that all of them share)."""
    sound = [record for record in records if record.error is None]
    names = dict.fromkeys(name for record in sound for name in record.fields if name not in _NOT_COMPARED)
    # A model that was only imported was trained elsewhere: by which settings nobody knows.
    values = {
        name: [r.fields.get(name) for r in sound if name in r.fields or r.state != IMPORTED] for name in names
    }
    apart = [name for name in names if len(set(map(repr, values[name]))) > 1]
    return apart, {name: values[name][0] for name in names if name not in apart}


def comparable(records: Sequence[Record], run: str | None, n: int) -> list[str]:
    """The first n runs on the same data as `run`, that one first; the first n where it cannot be read."""
    sound = [record for record in records if record.error is None]
    this = next((record for record in sound if record.name == run), sound[0] if sound else None)
    if this is None:
        return []
    others = [record for record in sound if record is not this]
    alike = [record for record in others if record.fields.get("dataset") == this.fields.get("dataset")]
    return [record.name for record in [this, *alike]][:n]


def usual(records: Sequence[Record], name: str) -> str:
    """The setting's most frequent value, as text; empty where several are as frequent, as with two runs."""
    counts = Counter(repr(record.fields.get(name)) for record in records if record.error is None)
    most = max(counts.values(), default=0)
    found = [value for value, count in counts.items() if count == most]
    return found[0] if len(found) == 1 else ""


def ordered(records: Sequence[Record], by: str) -> list[Record]:
    """The runs sorted by one of ORDERS, the best first, or by a setting; those without a value come last."""
    if by == "newest":
        return list(records)

    def value(record: Record) -> Any:
        found = {
            "name": lambda: record.name.lower(),
            "likelihood": lambda: None if record.likelihood is None else -record.likelihood[0],
            "pseudo": lambda: -record.last.get("pseudo_likelihood_valid", np.nan),
            "gap": lambda: record.last.get("free_energy_gap"),
            "steps": lambda: -record.step,
            "time": lambda: record.seconds,
        }.get(by, lambda: record.fields.get(by))()
        return found if found is None or isinstance(found, (int, float)) else str(found)

    def key(record: Record) -> tuple[bool, bool, Any]:
        found = value(record)
        missing = record.error is not None or found is None or found != found
        return missing, isinstance(found, str), "" if missing else found

    return sorted(records, key=key)


def matches(record: Record, words: str) -> bool:
    """Whether every word is found in the run's name, state, data, preset, tags, note or `setting=value`."""
    text = " ".join(
        [
            record.name,
            record.state,
            str(record.preset or ""),
            *record.tags,
            record.note,
            *(f"{name}={value}" for name, value in record.fields.items()),
        ]
    ).lower()
    return all(word in text for word in words.lower().split())
