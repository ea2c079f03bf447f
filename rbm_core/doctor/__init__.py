"""What looks wrong with a run, and what to try: rules over its recorded metrics and snapshots, without torch.

`examine(record_of(reader))` gives the findings, `report` their words. The rules read arrays and return findings; only
`record_of` reads a run.
"""

from rbm_core.doctor.record import Record, record_of
from rbm_core.doctor.report import TOO_EARLY, headline, report, threshold, waiting
from rbm_core.doctor.rules import RULES, SOURCES, Finding

__all__ = [
    "RULES",
    "SOURCES",
    "TOO_EARLY",
    "Finding",
    "Record",
    "examine",
    "headline",
    "record_of",
    "report",
    "threshold",
    "waiting",
]


def examine(record: Record) -> list[Finding]:
    """The findings of every rule that has what it needs; those that are not well come first."""
    findings = [finding for rule in RULES if (finding := rule(record)) is not None]
    return sorted(findings, key=lambda finding: finding.well)
