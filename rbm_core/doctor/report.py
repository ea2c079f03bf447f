"""The doctor's findings in words, for the command line and for the Train page."""

from collections.abc import Sequence

from rbm_core.doctor.finding import Finding
from rbm_core.doctor.rules import RULES, SOURCES

__all__ = ["TOO_EARLY", "headline", "report", "threshold", "waiting"]

TOO_EARLY = "The checks begin after the first epoch and 500 updates, or half of a shorter run."


def headline(findings: Sequence[Finding]) -> str:
    """`2 to look at`, `9 checks fine`, `9 checks fine, 1 hint` or `too early to say`."""
    ill = sum(not finding.well for finding in findings)
    if ill:
        return f"{ill} to look at"
    hints = sum(finding.hint for finding in findings)
    fine = f"{len(findings)} checks fine" if findings else "too early to say"
    return f"{fine}, {hints} hint{'s' * (hints > 1)}" if hints else fine


def waiting(findings: Sequence[Finding]) -> str:
    """`1 more cannot be told yet`, for the rules that lack what they need; empty if every rule has a finding."""
    n = len(RULES) - len(findings)
    return f"{n} more cannot be told yet" if n else ""


def threshold(finding: Finding) -> str:
    """The finding's threshold, and the source of the threshold."""
    return f"healthy is {finding.healthy}; {finding.source}"


def report(findings: Sequence[Finding]) -> list[str]:
    """The findings as lines of plain text: the headline, one line a finding, and the sources."""
    rest = waiting(findings) if findings else TOO_EARLY
    lines = [f"{headline(findings)}; {rest}" if rest else headline(findings)]
    for finding in findings:
        mark = "●" if not finding.well else "○" if finding.hint else "✓"
        advice = "" if mark == "✓" else f" {finding.advice}"
        lines.append(f"{mark} {finding.rule}: {finding.evidence} ({threshold(finding)}).{advice}")
    return [*lines, SOURCES] if findings else lines
