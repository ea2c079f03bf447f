"""What looks wrong with a run, and what to try: rules over its recorded metrics and snapshots, without torch.

`examine(record_of(reader))` gives the findings, `report` their words. The rules read arrays and return findings; only
`record_of` reads a run.
"""

import re
from dataclasses import replace
from typing import Any

from rbm_core.config import ConfigError, RunConfig, make_config
from rbm_core.doctor.finding import Finding, Remedy
from rbm_core.doctor.record import Record, record_of
from rbm_core.doctor.report import TOO_EARLY, headline, report, threshold, waiting
from rbm_core.doctor.rules import RULES, SOURCES
from rbm_core.doctor.sampling import FANTASIES, fantasies

__all__ = [
    "FANTASIES",
    "RULES",
    "SOURCES",
    "TOO_EARLY",
    "Finding",
    "Record",
    "Remedy",
    "caption",
    "examine",
    "fantasies",
    "headline",
    "record_of",
    "report",
    "threshold",
    "waiting",
]


def examine(record: Record) -> list[Finding]:
    """The findings of every rule that has what it needs: those that are not well first, then hints, then the others.

    Before there are rows that count, only what is ill is said. Remedies are given where something can be done better,
    and only those that change a setting of the run and fit its others.
    """
    findings = [finding for rule in RULES if (finding := rule(record)) is not None]
    if not record.in_earnest().any():
        findings = [finding for finding in findings if not finding.well]
    findings = [
        replace(
            one,
            evidence=_with_minus(one.evidence),
            healthy=_with_minus(one.healthy),
            remedies=_worth_trying(one, record),
        )
        for one in findings
    ]
    return sorted(findings, key=lambda finding: (finding.well, not finding.hint))


def _with_minus(text: str) -> str:
    """The text with a true minus sign before negative numbers; PCD-5 and names of runs keep their hyphens."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def _worth_trying(finding: Finding, record: Record) -> tuple[Remedy, ...]:
    if finding.well and not finding.hint:
        return ()
    now = {name: value for name, value in record.config.items() if name in RunConfig.model_fields}
    return tuple(
        remedy
        for remedy in finding.remedies
        if any(now.get(name) != value for name, value in remedy.changes.items())
        and _can_be_trained(now | dict(remedy.changes))
    )


def _can_be_trained(settings: dict[str, Any]) -> bool:
    try:
        make_config(**settings)
    except ConfigError:
        return False
    return True


def caption(record: Record) -> str:
    """What the curve of the fantasies' free energy should do, and what it does now: the same finding in a caption."""
    found = fantasies(record)
    return f"{FANTASIES}." if found is None else f"{FANTASIES}. Now {found.evidence}."
